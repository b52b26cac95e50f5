//! Moving through lists and texts.

use crate::tui::layout::{Pane, inner};
use crate::tui::state::State;

/// Moves the focused pane by lines.
pub fn by(state: &mut State, lines: isize) {
    match state.focus {
        Pane::List => record(state, lines),
        Pane::Text => scroll(&mut state.text_scroll, lines),
        Pane::Card | Pane::Figures => scroll(&mut state.card_scroll, lines),
        Pane::Editor | Pane::Cut => {}
    }
}

/// Moves the focused pane by half its height.
pub fn by_half(state: &mut State, direction: isize) {
    let height = match state.focus {
        Pane::List => state.list_height(),
        Pane::Text => state.text_height(),
        Pane::Card | Pane::Editor | Pane::Cut | Pane::Figures => {
            let card = state.areas().and_then(|areas| areas.card.or(areas.figures));
            card.map_or(0, |area| usize::from(inner(area).height))
        }
    };
    by(state, direction * (height / 2).max(1) as isize);
}

/// Moves the focused pane to its first or last line.
pub fn to_end(state: &mut State, last: bool) {
    match state.focus {
        Pane::List => go(state, if last { usize::MAX } else { 0 }),
        Pane::Text => state.text_scroll = if last { usize::MAX } else { 0 },
        Pane::Card | Pane::Figures => state.card_scroll = 0,
        Pane::Editor | Pane::Cut => {}
    }
}

/// Moves to another record.
pub fn record(state: &mut State, step: isize) {
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
    }
}

/// Lists the matches of the filter. A query goes to its best match; no query stays where it is.
pub fn refilter(state: &mut State) {
    let record = state.record_index();
    state.filter.apply(&state.library);
    match (&state.filter.matches, record) {
        (None, Some(record)) => state.cursor = record,
        (None, None) => {}
        (Some(_), _) => {
            state.cursor = 0;
            state.list_top = 0;
        }
    }
    if state.record_index() != record {
        state.response = 0;
    }
}

fn scroll(offset: &mut usize, lines: isize) {
    *offset = offset.saturating_add_signed(lines);
}
