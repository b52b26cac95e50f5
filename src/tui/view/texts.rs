//! Instruction, response and reference as one text that scrolls.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::paint::{Paint, focused};
use super::{nothing, on_judge};
use crate::tui::layout::{Pane, Screen, padded};
use crate::tui::state::{DocumentLine, Mark, State};
use crate::tui::widget::{PaneFrame, scrollbar};

/// Draws the text pane.
pub fn draw(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Text);
    let title = match state.screen {
        _ if on_judge(state) => "Task",
        Screen::Annotate => "To rate",
        _ => "Record",
    };
    let id = state
        .record()
        .filter(|_| !state.is_blind())
        .map(|record| paint.safe(&record.id));
    let room = usize::from(area.width).saturating_sub(title.len() + 8);
    let id = id.map(|id| crate::tui::text::truncate(&id, room, paint.glyphs.ellipsis));
    let inside = PaneFrame {
        title: paint.title(title, focus),
        note: id.map(|id| paint.note(&id)),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    if let Some(lines) = nothing(state, paint) {
        // The list says it where there is one.
        if state.areas().is_none_or(|areas| areas.list.is_none()) {
            paint.message(&lines, inside, buffer);
        }
        return;
    }
    let inside = padded(area);
    let width = inside.width;
    let height = usize::from(inside.height);
    let lines = state.document.lines.iter().skip(state.text_scroll);
    for (row, line) in lines.take(height).enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, width, 1);
        self::line(line, paint, usize::from(width)).render(at, buffer);
    }
    let total = state.document.lines.len();
    scrollbar(
        area,
        total,
        state.text_scroll,
        paint.theme,
        paint.glyphs,
        buffer,
    );
}

fn line(line: &DocumentLine, paint: &Paint<'_>, width: usize) -> Line<'static> {
    match line {
        DocumentLine::Heading { title, note } => {
            let room = width.saturating_sub(note.len() + 4);
            let title = crate::tui::text::truncate(title, room, paint.glyphs.ellipsis);
            paint.heading(&title, note, width)
        }
        DocumentLine::Text(text) => Line::raw(text.clone()),
        DocumentLine::Marked(parts) => Line::from(marked(parts, paint)),
        DocumentLine::Dim(text) => Line::styled(text.clone(), paint.style("ui.text.dim")),
    }
}

/// Parts of a line, each in the style of its mark.
pub fn marked(parts: &[(String, Mark)], paint: &Paint<'_>) -> Vec<Span<'static>> {
    let span = |(text, mark): &(String, Mark)| {
        let style = match mark {
            Mark::Plain => Style::default(),
            Mark::Own => paint.style("diff.own").add_modifier(Modifier::UNDERLINED),
            Mark::Note => paint.style("ui.text.dim"),
            Mark::Worth(0) => Style::default(),
            Mark::Worth(step) => {
                let style = match *step > 0 {
                    true => paint.style("score.good"),
                    false => paint.style("score.bad"),
                };
                match step.abs() {
                    1 => style,
                    2 => style.add_modifier(Modifier::UNDERLINED),
                    _ => style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD),
                }
            }
        };
        Span::styled(text.clone(), style)
    };
    parts.iter().map(span).collect()
}
