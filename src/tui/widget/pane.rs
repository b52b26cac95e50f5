//! Borders, titles and scroll bars of panes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Widget};

use crate::tui::glyphs::Glyphs;
use crate::tui::layout::inner;
use crate::tui::theme::Theme;

/// The border of a pane.
#[derive(Clone, Debug)]
pub struct Frame {
    /// In the upper border.
    pub title: Line<'static>,
    /// In the upper border, at the right.
    pub note: Option<Line<'static>>,
    /// In the lower border.
    pub bottom: Option<Line<'static>>,
    /// Whether the pane has the focus.
    pub focused: bool,
}

impl Frame {
    /// Draws the border and answers what is inside.
    pub fn draw(self, area: Rect, theme: &Theme, glyphs: &Glyphs, buffer: &mut Buffer) -> Rect {
        let border = theme.style(if self.focused {
            "ui.border.focus"
        } else {
            "ui.border"
        });
        let mut block = Block::new()
            .borders(Borders::ALL)
            .border_set(glyphs.border)
            .border_style(border)
            .title(self.title);
        if let Some(note) = self.note {
            block = block.title(note.right_aligned());
        }
        if let Some(bottom) = self.bottom {
            block = block.title_bottom(bottom);
        }
        block.render(area, buffer);
        inner(area)
    }
}

/// A scroll bar on the right border of a pane, if there is more than fits.
pub fn scrollbar(
    pane: Rect,
    total: usize,
    offset: usize,
    theme: &Theme,
    glyphs: &Glyphs,
    buffer: &mut Buffer,
) {
    let inside = inner(pane);
    let height = usize::from(inside.height);
    if total <= height || height == 0 {
        return;
    }
    let size = (height * height / total).clamp(1, height);
    let most = total - height;
    let top = (offset.min(most) * (height - size) + most / 2) / most;
    for row in top..(top + size).min(height) {
        let style = theme.style("ui.text.dim");
        buffer.set_string(
            pane.right() - 1,
            inside.y + row as u16,
            glyphs.scroll,
            style,
        );
    }
}
