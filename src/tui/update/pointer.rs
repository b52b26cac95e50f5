//! The mouse.

use ratatui::layout::{Position, Rect};

use super::action::show;
use super::{annotate, cut, moves, overlay, picker};
use crate::tui::effect::Effect;
use crate::tui::keymap::Action;
use crate::tui::layout::{Areas, Pane, inner, padded, tabs};
use crate::tui::message::{Mouse, MouseKind};
use crate::tui::state::{Bin, Cell, ListRow, Overlay, State};
use crate::tui::view::{COUNTS, figures_top};

/// Lines a turn of the wheel moves.
pub const WHEEL: isize = 3;

/// Takes what the mouse did.
pub fn mouse(state: &mut State, mouse: Mouse) -> Vec<Effect> {
    let at = Position::new(mouse.column, mouse.row);
    let Some(areas) = state.areas() else {
        return Vec::new();
    };
    if state.overlay.is_some() {
        return in_overlay(state, mouse.kind, at);
    }
    match mouse.kind {
        MouseKind::ScrollDown => wheel(state, &areas, at, WHEEL),
        MouseKind::ScrollUp => wheel(state, &areas, at, -WHEEL),
        MouseKind::Press => return press(state, &areas, at),
        MouseKind::Drag => {
            if let Some((Pane::Cut, area)) = pane_at(&areas, at) {
                cut_at(state, area, at);
            }
        }
        // The second button marks a bin, and once more opens what is behind it.
        MouseKind::Open => {
            if let Some((Pane::Cut, area)) = pane_at(&areas, at) {
                let inside = padded(area);
                if inside.contains(at) {
                    let width = f64::from(inside.width.max(1));
                    let bin = f64::from(at.x - inside.x);
                    let (from, to) = (bin / width, (bin + 1.0) / width);
                    match state.marked == Some(Bin::Scores(from, to)) {
                        true => cut::open_records(state),
                        false => {
                            state.focus = Pane::Cut;
                            cut::mark_scores(state, from, to);
                        }
                    }
                }
            }
        }
    }
    Vec::new()
}

/// The wheel moves through a list that lies over the screen, a click takes its line or closes it.
fn in_overlay(state: &mut State, kind: MouseKind, at: Position) -> Vec<Effect> {
    if !matches!(
        state.overlay,
        Some(Overlay::Pick { .. } | Overlay::Line { .. })
    ) {
        return overlay::mouse(state, kind, at);
    }
    match kind {
        MouseKind::ScrollDown => return overlay::run(state, Action::Down),
        MouseKind::ScrollUp => return overlay::run(state, Action::Up),
        MouseKind::Press => (),
        MouseKind::Drag | MouseKind::Open => return Vec::new(),
    }
    let Some(area) = state.overlay_area() else {
        return overlay::run(state, Action::Back);
    };
    if !area.contains(at) {
        return overlay::run(state, Action::Back);
    }
    let inside = inner(area);
    // The first line is what is typed.
    if let Some(Overlay::Pick { listed, query, .. }) = &state.overlay
        && inside.contains(at)
        && at.y > inside.y
    {
        let shown = usize::from(inside.height).saturating_sub(1);
        let entries = state.entries(listed, query).len();
        let top = state.pick_top(shown);
        let line = top + usize::from(at.y - inside.y - 1);
        if line < entries
            && let Some(Overlay::Pick { chosen, .. }) = &mut state.overlay
        {
            *chosen = line;
            return picker::accept(state);
        }
    }
    Vec::new()
}

fn pane_at(areas: &Areas, at: Position) -> Option<(Pane, Rect)> {
    [
        (Pane::List, areas.list),
        (Pane::Text, areas.text),
        (Pane::Editor, areas.editor),
        (Pane::Card, areas.card),
        (Pane::Cut, areas.cut),
        (Pane::Figures, areas.figures),
        (Pane::Left, areas.left),
        (Pane::Right, areas.right),
        (Pane::Verdict, areas.verdict),
        (Pane::Rating, areas.rating),
        (Pane::Runs, areas.runs),
        (Pane::Run, areas.run),
        (Pane::Training, areas.training),
    ]
    .into_iter()
    .filter_map(|(pane, area)| Some((pane, area?)))
    .find(|(_, area)| area.contains(at))
}

fn wheel(state: &mut State, areas: &Areas, at: Position, lines: isize) {
    if let Some((pane, _)) = pane_at(areas, at) {
        let focus = std::mem::replace(&mut state.focus, pane);
        moves::by(
            state,
            if pane == Pane::List {
                lines.signum()
            } else {
                lines
            },
        );
        state.focus = focus;
    }
}

/// Moves the cut to a column of its pane.
fn cut_at(state: &mut State, area: Rect, at: Position) {
    let inside = padded(area);
    if inside.contains(at) {
        let share = (f64::from(at.x - inside.x) + 0.5) / f64::from(inside.width.max(1));
        state.threshold = (share * 100.0).round() / 100.0;
    }
}

/// A click on a digit rates.
fn rate(state: &mut State, inside: Rect, at: Position) -> Vec<Effect> {
    let (low, high) = state.annotate.scale;
    let on_digits = inside.contains(at) && at.y == inside.y + 1;
    if !on_digits || state.card_scroll > 0 || state.annotate.queue.is_empty() {
        return Vec::new();
    }
    let digit = u16::from(low) + (at.x - inside.x) / 3;
    match u8::try_from(digit) {
        Ok(digit) if digit <= high => annotate::digit(state, digit),
        _ => Vec::new(),
    }
}

/// A click on one of the four counts opens its records.
fn count_at(state: &mut State, inside: Rect, at: Position) {
    if !inside.contains(at) || at.x < inside.x + 10 {
        return;
    }
    let line = usize::from(at.y - inside.y);
    let column = usize::from(at.x - inside.x - 10) / 8;
    let top = figures_top(state, usize::MAX, usize::from(inside.height));
    let row = (line + top).checked_sub(COUNTS).filter(|row| *row < 2);
    if let (Some(row), true) = (row, column < 2) {
        state.marked = Some(Bin::Cell(Cell::ALL[2 * row + column]));
        cut::open_records(state);
    }
}

fn press(state: &mut State, areas: &Areas, at: Position) -> Vec<Effect> {
    if areas.tabs.contains(at) {
        if let Some(tab) = tabs(state.size.0, state.screen)
            .into_iter()
            .find(|tab| tab.columns.contains(&at.x))
        {
            show(state, tab.screen);
        }
        return Vec::new();
    }
    let Some((pane, area)) = pane_at(areas, at) else {
        return Vec::new();
    };
    if pane != Pane::Editor {
        state.typing = false;
    }
    state.focus = pane;
    if pane == Pane::Cut {
        cut_at(state, area, at);
    }
    if pane == Pane::Rating {
        return rate(state, padded(area), at);
    }
    if pane == Pane::Figures {
        count_at(state, padded(area), at);
    }
    if pane == Pane::Runs && inner(area).contains(at) {
        let inside = inner(area);
        let top = (state.runs.chosen + 1).saturating_sub(usize::from(inside.height));
        let row = top + usize::from(at.y - inside.y);
        let last = state.run_rows().len().saturating_sub(1);
        state.runs.chosen = row.min(last);
        state.card_scroll = 0;
    }
    if pane == Pane::List {
        let inside = inner(area);
        if inside.contains(at) {
            let rows = state.list_rows(usize::from(inside.height));
            match rows.get(usize::from(at.y - inside.y)) {
                Some(ListRow::Record { position, .. }) => moves::go(state, *position),
                Some(ListRow::Response { response, .. }) => state.response = *response,
                None => {}
            }
        }
    }
    Vec::new()
}
