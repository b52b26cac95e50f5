//! One training: how far it is, its curves, its latest figures, its log.

mod graphs;
mod row;
mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::paint::{Paint, focused};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{State, Watched};
use crate::tui::widget::{PaneFrame, scrollbar};
use graphs::Graph;
pub use row::line;

/// Columns that a small curve needs.
const NARROW: usize = 36;

/// Something that stands above the next.
enum Part {
    Lines(Vec<Line<'static>>),
    /// Curves side by side, so many lines high with their titles.
    Graphs(Vec<Graph>, u16),
}

impl Part {
    fn height(&self) -> usize {
        match self {
            Part::Lines(lines) => lines.len(),
            Part::Graphs(_, height) => usize::from(*height),
        }
    }
}

/// All that there is to see of a training in a pane of a size.
fn parts(
    state: &State,
    watched: &Watched,
    paint: &Paint<'_>,
    (width, height): (u16, u16),
) -> Vec<Part> {
    let columns = (usize::from(width) / NARROW).clamp(1, 3);
    let history = &watched.history;
    let width = usize::from(width);
    let mut parts = vec![Part::Lines(words::head(state, watched, paint, width))];
    let small = graphs::small(history);
    if let Some(graph) = graphs::loss(history) {
        parts.push(Part::Graphs(vec![graph], (height / 3).clamp(6, 13)));
    }
    parts.push(Part::Lines(words::figures(watched, paint, width)));
    let mut small = small.into_iter().peekable();
    while small.peek().is_some() {
        let row = small.by_ref().take(columns).collect();
        parts.push(Part::Graphs(row, (height / 5).clamp(6, 8)));
    }
    parts.push(Part::Lines(words::log(watched, paint, width)));
    parts
}

/// Draws the training under the cursor into a pane.
pub fn draw(
    state: &State,
    watched: &Watched,
    paint: &Paint<'_>,
    (pane, area): (Pane, Rect),
    buffer: &mut Buffer,
) {
    let focus = focused(state, pane);
    PaneFrame {
        title: paint.title("Training", focus),
        note: Some(paint.note(watched.word())),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    let parts = parts(state, watched, paint, (inside.width, inside.height));
    let total: usize = parts.iter().map(Part::height).sum();
    let offset = state
        .card_scroll
        .min(total.saturating_sub(usize::from(inside.height)));
    // Drawn whole on a sheet of its own, of which the pane shows a part: a curve cannot be drawn by halves.
    let mut sheet = Buffer::empty(Rect::new(0, 0, inside.width, total.min(9999) as u16));
    let ground = paint.style("ui.background").patch(paint.style("ui.text"));
    sheet.set_style(sheet.area, ground);
    let mut y = 0;
    for part in parts {
        let height = part.height() as u16;
        match part {
            Part::Lines(lines) => {
                for (row, line) in lines.into_iter().enumerate() {
                    let at = Rect::new(0, y + row as u16, inside.width, 1);
                    line.render(at.intersection(sheet.area), &mut sheet);
                }
            }
            Part::Graphs(graphs, height) => {
                let at = Rect::new(0, y, inside.width, height);
                graphs::row(
                    &graphs,
                    watched,
                    paint,
                    at.intersection(sheet.area),
                    &mut sheet,
                );
            }
        }
        y += height;
    }
    for row in 0..inside.height {
        for column in 0..inside.width {
            let from = (column, row + offset as u16);
            if let (Some(cell), Some(to)) = (
                sheet.cell(from),
                buffer.cell_mut((inside.x + column, inside.y + row)),
            ) {
                *to = cell.clone();
            }
        }
    }
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

/// The most that the training on screen can be scrolled by.
pub fn scroll(state: &State) -> usize {
    let areas = state.areas();
    let area = areas.and_then(|areas| areas.training.or(areas.run));
    let (Some(area), Some(watched)) = (area, state.chosen_training()) else {
        return 0;
    };
    let inside = padded(area);
    let parts = parts(
        state,
        watched,
        &Paint::new(state),
        (inside.width, inside.height),
    );
    let total: usize = parts.iter().map(Part::height).sum();
    total.saturating_sub(usize::from(inside.height))
}
