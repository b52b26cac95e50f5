//! Instruction, response and reference as one text that scrolls.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::paint::{Paint, focused};
use super::{nothing, on_judge};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{DocumentLine, State};
use crate::tui::widget::{PaneFrame, scrollbar};

/// Draws the text pane.
pub fn draw(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Text);
    let title = if on_judge(state) { "Task" } else { "Record" };
    let id = state.record().map(|record| paint.safe(&record.id));
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
        DocumentLine::Dim(text) => Line::styled(text.clone(), paint.style("ui.text.dim")),
    }
}
