//! A training in the list of runs.

use ratatui::text::Line;

use super::Paint;
use super::words::style;
use crate::tui::state::{State, Watched};
use crate::tui::text::truncate;
use crate::tui::view::bars::{duration, rate_text};
use crate::tui::view::runs::ago;
use crate::tui::widget::{Row, short};

/// A training: how far it is, how fast and how good; what does not fit is left out, the least needed first.
pub fn line(
    state: &State,
    watched: &Watched,
    here: bool,
    paint: &Paint<'_>,
    width: usize,
) -> Line<'static> {
    let (text, dim) = (paint.style("ui.text"), paint.style("ui.text.dim"));
    let history = &watched.history;
    let running = watched.is_running();
    let mut left = Row::new();
    let pointer = if here { paint.glyphs.pointer } else { " " };
    left.push(pointer, paint.style("ui.pointer"));
    left.push("  train ", dim);
    let eta = history.eta().filter(|_| running);
    let begun = match eta {
        Some(eta) => format!("ETA {}", duration(eta)),
        None => ago(state.clock - watched.training.started),
    };
    left.push(format!("{begun:<12}"), dim);
    let (done, total) = history.progress();
    let steps = match total {
        0 => String::new(),
        total => format!("  {done}/{total}"),
    };
    let loss = history.loss.last();
    let loss = loss.map_or_else(String::new, |loss| format!("  loss {}", short(loss)));
    let speed = history.speed().filter(|_| running);
    let speed = speed.map_or_else(String::new, |speed| format!("  {} tok/s", rate_text(speed)));
    // An ETA says already that it is running.
    let word = match eta.is_some() && !watched.stopping {
        true => String::new(),
        false => format!("  {}", watched.word()),
    };
    let name = watched.training.command.as_str();
    let room = width.saturating_sub(left.width() + word.len() + name.len() + 1);
    let mut figures = String::new();
    for part in [steps, loss, speed] {
        if figures.len() + part.len() <= room {
            figures.push_str(&part);
        }
    }
    let mut right = Row::new();
    right.push(figures, text);
    right.push(word, style(watched, paint));
    let model = history.start.as_ref().map(|start| start.model.as_str());
    for (part, style) in [(Some(name), text), (model, dim)] {
        let part = paint.safe(part.unwrap_or_default()).replace('\n', " ");
        let room = width.saturating_sub(left.width() + right.width());
        let part = truncate(&part, room, paint.glyphs.ellipsis);
        left.push(part, style).push("  ", dim);
    }
    left.with_right(right, width)
}
