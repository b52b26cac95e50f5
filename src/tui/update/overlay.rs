//! Help, errors and themes.

use ratatui::layout::Position;

use super::pointer::WHEEL;
use super::{action, picker};
use crate::tui::effect::Effect;
use crate::tui::keymap::Action;
use crate::tui::layout::{help_in_two, overlay_height};
use crate::tui::message::MouseKind;
use crate::tui::state::{Overlay, State, Tone};
use crate::tui::theme_box;
use crate::tui::view;

/// Shows all keys.
pub fn help(state: &mut State) {
    state.overlay = Some(Overlay::Help { scroll: 0 });
}

/// Shows the rows that could not be read.
pub fn errors(state: &mut State) {
    if state.errors.is_empty() {
        state.say(Tone::Plain, "Every row was read.");
    } else {
        state.overlay = Some(Overlay::Errors { scroll: 0 });
    }
}

/// Shows what happened, the latest at the end.
pub fn log(state: &mut State) {
    match state.runs.log.is_empty() {
        true => state.say(Tone::Plain, "Nothing has happened yet."),
        false => {
            let scroll = view::log_height(state).saturating_sub(overlay_height(state.size.1));
            state.overlay = Some(Overlay::Log { scroll });
        }
    }
}

/// Shows the themes; moving tries them on.
pub fn themes(state: &mut State) {
    let before = state.theme.name.clone();
    let chosen = state.themes.position(&before).unwrap_or(0);
    state.overlay = Some(Overlay::Themes { chosen, before });
}

/// Does an action while an overlay is open.
pub fn run(state: &mut State, action: Action) -> Vec<Effect> {
    if let Some(Overlay::Pick { .. } | Overlay::Line { .. }) = state.overlay {
        return picker::run(state, action);
    }
    let half = (usize::from(state.size.1) / 2).max(1) as isize;
    match action {
        Action::Down => by(state, 1),
        Action::Up => by(state, -1),
        Action::HalfDown => by(state, half),
        Action::HalfUp => by(state, -half),
        Action::Top => by(state, isize::MIN),
        Action::Bottom => by(state, isize::MAX),
        Action::Back => {
            if let Some(Overlay::Themes { before, .. }) = state.overlay.take()
                && let Some(theme) = state.themes.get(&before).cloned()
            {
                state.set_theme(theme);
            }
        }
        Action::Accept => {
            if let Some(Overlay::Themes { .. }) = state.overlay.take() {
                return vec![Effect::ThemeChosen(state.theme.name.clone())];
            }
        }
        Action::Cancel => state.overlay = None,
        screen if action::screen_of(screen).is_some() => {
            state.overlay = None;
            return action::run(state, screen);
        }
        _ => {}
    }
    Vec::new()
}

/// Takes what the mouse did while an overlay is open: the wheel moves, a click on a theme takes
/// it, one beside the themes leaves them.
pub fn mouse(state: &mut State, kind: MouseKind, at: Position) -> Vec<Effect> {
    let themes = matches!(state.overlay, Some(Overlay::Themes { .. }));
    // Themes are tried on one by one.
    let lines = if themes { 1 } else { WHEEL };
    match kind {
        MouseKind::ScrollDown => by(state, lines),
        MouseKind::ScrollUp => by(state, -lines),
        MouseKind::Press if themes => {
            if let Some(place) = theme_box::theme_at(state, at) {
                choose(state, place);
                return run(state, Action::Accept);
            }
            if !theme_box::area(state).contains(at) {
                return run(state, Action::Back);
            }
        }
        MouseKind::Press | MouseKind::Drag | MouseKind::Open => {}
    }
    Vec::new()
}

/// Tries a theme on.
fn choose(state: &mut State, place: usize) {
    if let Some(Overlay::Themes { chosen, .. }) = &mut state.overlay {
        *chosen = place;
    }
    if let Some(theme) = state.themes.at(place).cloned() {
        state.set_theme(theme);
    }
}

fn by(state: &mut State, lines: isize) {
    let [left, right] = state.help(help_in_two(state.size.0));
    let help_lines = left.len().max(right.len());
    let shown = overlay_height(state.size.1);
    // The last line stays at the bottom of the box.
    let help_lines = (help_lines + 1).saturating_sub(shown);
    let error_lines = (state.errors.len() + 1).saturating_sub(shown);
    let tall = match &state.overlay {
        Some(Overlay::Inspect { .. }) => view::inspect_height(state) + 1,
        Some(Overlay::Bracket { .. }) => view::bracket_height(state) + 1,
        Some(Overlay::Log { .. }) => view::log_height(state) + 1,
        _ => 0,
    };
    let tall = tall.saturating_sub(shown);
    let themes = state.themes.len();
    match &mut state.overlay {
        Some(Overlay::Help { scroll }) => *scroll = moved(*scroll, lines, help_lines),
        Some(Overlay::Errors { scroll }) => *scroll = moved(*scroll, lines, error_lines),
        Some(
            Overlay::Inspect { scroll } | Overlay::Bracket { scroll } | Overlay::Log { scroll },
        ) => {
            *scroll = moved(*scroll, lines, tall);
        }
        Some(Overlay::Pick { .. } | Overlay::Line { .. }) => (),
        Some(Overlay::Themes { chosen, .. }) => {
            let place = moved(*chosen, lines, themes);
            choose(state, place);
        }
        None => {}
    }
}

fn moved(at: usize, lines: isize, count: usize) -> usize {
    at.saturating_add_signed(lines).min(count.saturating_sub(1))
}
