//! The template being edited, and the pinned responses' scores before and now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::names;
use super::paint::{Paint, focused};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{State, TemplateEdit, distribution};
use crate::tui::widget::{PaneFrame, Row};

/// Columns of a pinned response's name.
const NAME: usize = 14;

/// Draws the template in place of the response.
pub fn draw(
    state: &State,
    template: &TemplateEdit,
    paint: &Paint<'_>,
    area: Rect,
    frame: &mut Frame<'_>,
) {
    let focus = focused(state, Pane::Editor);
    let changed = template.text() != template.original;
    PaneFrame {
        title: paint.title("Template", focus),
        note: changed.then(|| paint.note(&format!("{} edited", paint.glyphs.changed))),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, frame.buffer_mut());
    let inside = padded(area);
    let width = usize::from(inside.width);
    let said = match &template.trouble {
        Some(cause) => paint.wrapped(
            &format!("{} {cause}", paint.glyphs.cross),
            width,
            paint.style("state.error"),
        ),
        None => paint.wrapped(
            "Scores follow as you type; m pins a response to be scored with it.",
            width,
            paint.style("ui.text.dim"),
        ),
    };
    let most = usize::from(inside.height / 3).max(1);
    let taken = said.len().min(most) as u16;
    for (row, line) in said.into_iter().take(most).enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
        line.render(at, frame.buffer_mut());
    }
    let text = Rect {
        y: inside.y + taken,
        height: inside.height.saturating_sub(taken),
        ..inside
    };
    frame.render_widget(&template.area, text);
    if state.typing
        && state.overlay.is_none()
        && let Some(at) = template.area.rendered_cursor_position()
    {
        frame.set_cursor_position(at);
    }
}

/// The pinned responses: their score by the template that editing began with, and by that of now.
pub fn pinned(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(template) = &state.template else {
        return Vec::new();
    };
    let mut lines = vec![
        Line::default(),
        paint.heading("pinned", "before  now", width),
    ];
    let dim = paint.style("ui.text.dim");
    if state.pinned.is_empty() {
        lines.extend(paint.wrapped("m on a response pins it.", width, dim));
    }
    for (record, response) in &state.pinned {
        let Some(item) = state.item(*record) else {
            continue;
        };
        let key = item.keys.get(*response).copied();
        let mean = |card: Option<&crate::data::ScoreCard>| {
            let shown = card.and_then(|card| distribution(card, paint.mode));
            let missing = paint.glyphs.unknown;
            shown.map_or_else(|| format!("{missing:>5}"), |d| format!("{:>5.1}", d.mean()))
        };
        let before = mean(key.and_then(|key| template.at_first(state, key)));
        let now = mean(key.and_then(|key| state.scores.card(key)));
        let mut right = Row::new();
        right.push(before, dim).push(now, paint.style("ui.text"));
        let name = item.responses.get(*response);
        let name = name.map_or_else(String::new, |r| names::short(r, *response, NAME, paint));
        let room = width.saturating_sub(right.width());
        let mut left = Row::new();
        left.push(names::of(&item.id, &name, room, paint), dim);
        lines.push(left.with_right(right, width));
    }
    lines
}
