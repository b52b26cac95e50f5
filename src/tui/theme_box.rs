//! Where the box of themes stands, so that drawing and clicking agree.

use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use super::layout::{inner, overlay_area, overlay_height};
use super::state::{Overlay, State};

/// Columns beside a theme's name: the pointer, gaps, its colours.
const BESIDE: usize = 12;
/// Columns of a name at least and at most.
const NAME: (usize, usize) = (18, 40);

/// Columns that names take.
pub fn name_width(state: &State) -> usize {
    let widest = state.themes.names().map(UnicodeWidthStr::width).max();
    widest.unwrap_or(0).clamp(NAME.0, NAME.1)
}

/// Columns of a line.
pub fn line_width(state: &State) -> usize {
    name_width(state) + BESIDE
}

/// The box with its border.
pub fn area(state: &State) -> Rect {
    overlay_area(state.size, line_width(state) as u16 + 4, state.themes.len())
}

/// The first theme in sight: the chosen one stays in the middle where it can.
pub fn offset(chosen: usize, themes: usize, shown: usize) -> usize {
    let most = themes.saturating_sub(shown);
    chosen.saturating_sub(shown / 2).min(most)
}

/// The theme at a place of the screen.
pub fn theme_at(state: &State, at: Position) -> Option<usize> {
    let Some(Overlay::Themes { chosen, .. }) = &state.overlay else {
        return None;
    };
    let inside = inner(area(state));
    let themes = state.themes.len();
    let shown = themes.min(overlay_height(state.size.1));
    let line = offset(*chosen, themes, shown) + usize::from(at.y.checked_sub(inside.y)?);
    (inside.contains(at) && line < themes).then_some(line)
}
