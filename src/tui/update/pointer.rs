//! The mouse.

use ratatui::layout::{Position, Rect};

use super::action::show;
use super::{moves, overlay};
use crate::tui::effect::Effect;
use crate::tui::layout::{Areas, Pane, inner, padded, tabs};
use crate::tui::message::{Mouse, MouseKind};
use crate::tui::state::{ListRow, State};

/// Lines a turn of the wheel moves.
pub const WHEEL: isize = 3;

/// Takes what the mouse did.
pub fn mouse(state: &mut State, mouse: Mouse) -> Vec<Effect> {
    let at = Position::new(mouse.column, mouse.row);
    let Some(areas) = state.areas() else {
        return Vec::new();
    };
    if state.overlay.is_some() {
        return overlay::mouse(state, mouse.kind, at);
    }
    match mouse.kind {
        MouseKind::ScrollDown => wheel(state, &areas, at, WHEEL),
        MouseKind::ScrollUp => wheel(state, &areas, at, -WHEEL),
        MouseKind::Press => press(state, &areas, at),
        MouseKind::Drag => {
            if let Some((Pane::Cut, area)) = pane_at(&areas, at) {
                cut_at(state, area, at);
            }
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

fn press(state: &mut State, areas: &Areas, at: Position) {
    if areas.tabs.contains(at) {
        if let Some(tab) = tabs().into_iter().find(|tab| tab.columns.contains(&at.x)) {
            show(state, tab.screen);
        }
        return;
    }
    let Some((pane, area)) = pane_at(areas, at) else {
        return;
    };
    if pane != Pane::Editor {
        state.typing = false;
    }
    state.focus = pane;
    if pane == Pane::Cut {
        cut_at(state, area, at);
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
}
