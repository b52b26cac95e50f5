//! Boxes over the screen: help, errors, themes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Clear, Widget};

use super::paint::Paint;
use crate::tui::key::Key;
use crate::tui::keymap::{HelpLine, sequence_label};
use crate::tui::layout::{help_in_two, inner, overlay_area, overlay_height};
use crate::tui::picker;
use crate::tui::state::{Overlay, RowError, State};
use crate::tui::text::truncate;
use crate::tui::widget::{Row, scrollbar};

/// Draws the overlay, if one is open.
pub fn draw(state: &State, paint: &Paint<'_>, frame: &mut Frame<'_>) {
    match &state.overlay {
        Some(Overlay::Help { scroll }) => {
            let two = help_in_two(frame.area().width);
            let lines = help(state, two, paint);
            let width = if two { 100 } else { 60 };
            boxed("Keys", lines, *scroll, width, paint, frame);
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
            let (total, width) = (lines.len(), picker::area(state).width);
            let shown = total.min(overlay_height(frame.area().height));
            let offset = picker::offset(*chosen, total, shown);
            boxed("Themes", lines, offset, width, paint, frame);
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
    let area = overlay_area((screen.width, screen.height), width, lines.len());
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
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

fn help(state: &State, two: bool, paint: &Paint<'_>) -> Vec<Line<'static>> {
    let [left, right] = state.help(two);
    let width = if two { 48 } else { 56 };
    let count = left.len().max(right.len());
    (0..count)
        .map(|place| {
            let mut row = Row::new();
            for column in [&left, &right] {
                let line = column.get(place).copied().unwrap_or(HelpLine::Blank);
                let mut part = help_line(line, paint);
                part.pad(width);
                row.extend(part.fit(width).spans);
            }
            row.fit(100)
        })
        .collect()
}

fn help_line(line: HelpLine<'_>, paint: &Paint<'_>) -> Row {
    let ascii = paint.glyphs.ascii;
    let mut row = Row::new();
    match line {
        HelpLine::Blank => {}
        HelpLine::Title(title) => {
            row.push(title, paint.style("ui.text.heading"));
        }
        HelpLine::Binding(binding) => {
            let label = |keys: &Vec<Key>| sequence_label(keys, ascii);
            let keys: Vec<String> = binding.on.iter().map(label).collect();
            let key = paint.style("ui.footer.key");
            row.push(format!("  {}", keys.join("  ")), key).pad(22);
            row.push(
                binding.desc.replace('τ', paint.glyphs.tau),
                Style::default(),
            );
        }
    }
    row
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
    let width = picker::name_width(state);
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
            let name = truncate(&paint.safe(name), width, paint.glyphs.ellipsis);
            row.push(format!(" {name}"), style).pad(width + 2);
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
            row.fit(picker::line_width(state))
        })
        .collect()
}
