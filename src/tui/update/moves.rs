//! Moving through lists and texts.

use super::cut;
use crate::tui::layout::{Pane, Screen, inner};
use crate::tui::state::State;
use crate::tui::view::training_scroll;

/// Moves the focused pane by lines.
pub fn by(state: &mut State, lines: isize) {
    match state.focus {
        Pane::List => record(state, lines),
        Pane::Text => scroll(&mut state.text_scroll, lines),
        Pane::Run | Pane::Training if state.chosen_training().is_some() => {
            scroll(&mut state.card_scroll, lines);
            state.card_scroll = state.card_scroll.min(training_scroll(state));
        }
        Pane::Card | Pane::Rating | Pane::Run | Pane::Training => {
            scroll(&mut state.card_scroll, lines);
        }
        Pane::Figures => cut::mark_cell(state, lines),
        Pane::Left => scroll(&mut state.compare_scroll.0, lines),
        Pane::Right => scroll(&mut state.compare_scroll.1, lines),
        Pane::Verdict => scroll(&mut state.pairs.scroll, lines),
        Pane::Runs => {
            let last = state.run_rows().len().saturating_sub(1);
            let chosen = state.runs.chosen.saturating_add_signed(lines);
            state.runs.chosen = chosen.min(last);
            state.card_scroll = 0;
        }
        Pane::Editor | Pane::Cut => {}
    }
}

/// Moves the focused pane by half its height.
pub fn by_half(state: &mut State, direction: isize) {
    let height = match state.focus {
        Pane::List => state.list_height(),
        Pane::Text => state.text_height(),
        pane => {
            let areas = state.areas();
            let area = areas.and_then(|areas| match pane {
                Pane::Left => areas.left,
                Pane::Right => areas.right,
                Pane::Verdict => areas.verdict,
                Pane::Rating => areas.rating,
                Pane::Runs => areas.runs,
                Pane::Run => areas.run,
                Pane::Training => areas.training,
                _ => areas.card.or(areas.figures),
            });
            area.map_or(0, |area| usize::from(inner(area).height))
        }
    };
    by(state, direction * (height / 2).max(1) as isize);
}

/// Moves the focused pane to its first or last line.
pub fn to_end(state: &mut State, last: bool) {
    match state.focus {
        Pane::List => go(state, if last { usize::MAX } else { 0 }),
        Pane::Text => state.text_scroll = if last { usize::MAX } else { 0 },
        Pane::Run | Pane::Training if last && state.chosen_training().is_some() => {
            state.card_scroll = training_scroll(state);
        }
        Pane::Card | Pane::Figures | Pane::Rating | Pane::Run | Pane::Training => {
            state.card_scroll = 0;
        }
        Pane::Left => state.compare_scroll.0 = 0,
        Pane::Right => state.compare_scroll.1 = 0,
        Pane::Verdict => state.pairs.scroll = 0,
        Pane::Runs => {
            let end = state.run_rows().len().saturating_sub(1);
            state.runs.chosen = if last { end } else { 0 };
            state.card_scroll = 0;
        }
        Pane::Editor | Pane::Cut => {}
    }
}

/// Moves to another record; while annotating, to another response of the queue.
pub fn record(state: &mut State, step: isize) {
    if state.screen == Screen::Annotate {
        let returned = !state.annotate.returns();
        state.annotate.wish = None;
        if returned {
            let last = state.annotate.queue.len().saturating_sub(1);
            let at = state.annotate.at.saturating_add_signed(step);
            state.annotate.at = at.min(last);
        } else {
            state.to_unsaid(0);
        }
        return;
    }
    go(state, state.cursor.saturating_add_signed(step));
}

/// Moves to the next or previous listed record, around the ends.
pub fn around(state: &mut State, forward: bool) {
    let count = state.listed();
    if count > 0 {
        let step = if forward { 1 } else { count - 1 };
        go(state, (state.cursor + step) % count);
    }
}

/// Moves to a place of the list.
pub fn go(state: &mut State, position: usize) {
    let position = position.min(state.listed().saturating_sub(1));
    if position != state.cursor {
        state.cursor = position;
        state.response = 0;
        state.card_scroll = 0;
        state.typing = false;
        state.compare = (0, 1);
        state.compare_scroll = (0, 0);
    }
}

fn scroll(offset: &mut usize, lines: isize) {
    *offset = offset.saturating_add_signed(lines);
}
