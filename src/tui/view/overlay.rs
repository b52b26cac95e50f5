//! Boxes over the screen: help, errors, themes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Clear, Widget};

use super::paint::Paint;
use crate::tui::keymap::{HelpLine, sequence_label};
use crate::tui::layout::inner;
use crate::tui::state::{Overlay, RowError, State};
use crate::tui::text::truncate;
use crate::tui::widget::{Row, scrollbar};

/// Draws the overlay, if one is open.
pub fn draw(state: &State, paint: &Paint<'_>, frame: &mut Frame<'_>) {
    match &state.overlay {
        Some(Overlay::Help { scroll }) => {
            let lines = help(state, paint);
            boxed("Keys", lines, *scroll, 62, paint, frame);
        }
        Some(Overlay::Errors { scroll }) => {
            let title = format!("{} skipped", state.errors.len());
            let width = usize::from(frame.area().width).saturating_sub(8).min(100);
            let lines = state.errors.iter().flat_map(|e| error(e, paint, width));
            boxed(
                &title,
                lines.collect(),
                *scroll,
                width as u16 + 4,
                paint,
                frame,
            );
        }
        Some(Overlay::Themes { chosen, .. }) => {
            let lines = themes(state, *chosen, paint);
            boxed("Themes", lines, 0, 34, paint, frame);
        }
        None => {}
    }
}

fn boxed(
    title: &str,
    lines: Vec<Line<'static>>,
    scroll: usize,
    width: u16,
    paint: &Paint<'_>,
    frame: &mut Frame<'_>,
) {
    let screen = frame.area();
    let width = width.min(screen.width.saturating_sub(2));
    let height = (lines.len() as u16 + 2)
        .min(screen.height.saturating_sub(4))
        .max(3);
    let area = Rect::new(
        (screen.width - width) / 2,
        screen.height.saturating_sub(height) / 2,
        width,
        height,
    );
    let ground = paint.style("ui.background").patch(paint.style("ui.text"));
    let ground = ground.patch(paint.style("ui.overlay"));
    let buffer = frame.buffer_mut();
    Clear.render(area, buffer);
    buffer.set_style(area, ground);
    Block::new()
        .borders(Borders::ALL)
        .border_set(paint.glyphs.border)
        .border_style(paint.style("ui.overlay.border"))
        .title(paint.title(title, true))
        .render(area, buffer);
    let inside = inner(area);
    let shown = usize::from(inside.height);
    let offset = scroll.min(lines.len().saturating_sub(shown));
    let total = lines.len();
    for (row, line) in lines.into_iter().skip(offset).take(shown).enumerate() {
        let at = Rect::new(
            inside.x + 1,
            inside.y + row as u16,
            inside.width.saturating_sub(2),
            1,
        );
        line.render(at, buffer);
    }
    scrollbar(inside, total, offset, paint.theme, paint.glyphs, buffer);
}

fn help(state: &State, paint: &Paint<'_>) -> Vec<Line<'static>> {
    let ascii = paint.glyphs.ascii;
    let key = paint.style("ui.footer.key");
    let lines = state.keymap.help();
    lines
        .into_iter()
        .map(|line| match line {
            HelpLine::Title(title) => {
                Line::styled(title.to_string(), paint.style("ui.text.heading"))
            }
            HelpLine::Binding(binding) => {
                let keys: Vec<String> = binding
                    .on
                    .iter()
                    .map(|sequence| sequence_label(sequence, ascii))
                    .collect();
                let mut row = Row::new();
                row.push(format!("  {}", keys.join("  ")), key).pad(26);
                let desc = if ascii {
                    binding.desc.replace('τ', paint.glyphs.tau)
                } else {
                    binding.desc.clone()
                };
                row.push(desc, Style::default());
                row.fit(80)
            }
        })
        .collect()
}

fn error(error: &RowError, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let place = match error.line {
        Some(line) => format!("{}:{line}", error.file),
        None => error.file.clone(),
    };
    let mut row = Row::new();
    row.push(paint.safe(&place), paint.style("state.warning"));
    row.push("  ", Style::default());
    let room = width.saturating_sub(row.width());
    let cause = truncate(&paint.safe(&error.cause), room, paint.glyphs.ellipsis);
    row.push(cause, Style::default());
    vec![row.fit(width)]
}

fn themes(state: &State, chosen: usize, paint: &Paint<'_>) -> Vec<Line<'static>> {
    let names = state.themes.names().enumerate();
    names
        .map(|(place, name)| {
            let here = place == chosen;
            let mut row = Row::new();
            row.push(
                if here { paint.glyphs.pointer } else { " " },
                paint.style("ui.pointer"),
            );
            let style = if here {
                Style::default().add_modifier(Modifier::BOLD)
            } else {
                paint.style("ui.text.dim")
            };
            row.push(format!(" {name}"), style).pad(20);
            if let Some(theme) = state.themes.at(place) {
                for role in [
                    "score.good",
                    "score.near",
                    "score.bad",
                    "signal.reference",
                    "label",
                ] {
                    row.push(paint.glyphs.full, theme.style(role));
                }
            }
            row.fit(30)
        })
        .collect()
}
