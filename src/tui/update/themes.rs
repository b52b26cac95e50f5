//! Themes that come from outside while the explorer runs.

use crate::tui::state::{Overlay, State, Tone};
use crate::tui::theme::ThemeSet;

/// What is said of several files.
pub const BROKEN: &str = "theme files cannot be used";

/// Takes themes that were read again; the one in use is seen at once.
pub fn read_again(state: &mut State, themes: ThemeSet, errors: &[String]) {
    state.themes = themes;
    let name = state.theme.name.clone();
    // One whose file is gone stays until another is chosen.
    if let Some(theme) = state.themes.get(&name).cloned() {
        state.set_theme(theme);
    }
    let place = state.themes.position(&name);
    let last = state.themes.len().saturating_sub(1);
    if let Some(Overlay::Themes { chosen, .. }) = &mut state.overlay {
        *chosen = place.unwrap_or(*chosen).min(last);
    }
    match errors {
        [] => state.say(Tone::Plain, "Themes were read again."),
        errors => state.say_all(BROKEN, errors),
    }
}

/// Takes a theme that fits better than a guess, unless another was chosen since.
pub fn suggested(state: &mut State, theme: &str, instead_of: &str) {
    if let Some(Overlay::Themes { before, .. }) = &mut state.overlay {
        if before == instead_of {
            *before = theme.to_string();
        }
        return;
    }
    if state.theme.name == instead_of
        && let Some(theme) = state.themes.get(theme).cloned()
    {
        state.set_theme(theme);
    }
}
