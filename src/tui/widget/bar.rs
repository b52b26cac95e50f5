//! A horizontal bar with a mark on it.

use ratatui::style::{Color, Style};
use ratatui::text::Span;

use crate::tui::glyphs::Glyphs;

/// A bar of one line.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Columns.
    pub width: usize,
    /// How far it is filled, in `[0, 1]`; `None` shows the track alone.
    pub value: Option<f64>,
    /// Where the mark stands, in `[0, 1]`.
    pub mark: Option<f64>,
    /// The filled part.
    pub fill: Style,
    /// The rest.
    pub track: Style,
    /// The mark.
    pub mark_style: Style,
}

impl Bar {
    /// The column of a place on a bar.
    pub fn column(place: f64, width: usize) -> usize {
        let column = (place.clamp(0.0, 1.0) * width as f64) as usize;
        column.min(width.saturating_sub(1))
    }

    /// Draws the bar.
    pub fn spans(&self, glyphs: &Glyphs) -> Vec<Span<'static>> {
        let mark = self.mark.map(|mark| Bar::column(mark, self.width));
        let filled = self.value.unwrap_or(0.0).clamp(0.0, 1.0) * self.width as f64;
        let mut cells: Vec<(&'static str, Style)> = Vec::with_capacity(self.width);
        for column in 0..self.width {
            let part = (filled - column as f64).clamp(0.0, 1.0);
            let step = (part * glyphs.bar.len() as f64).round() as usize;
            cells.push(if mark == Some(column) {
                (glyphs.mark, self.over(part >= 0.5, glyphs))
            } else if let Some(sign) = step.checked_sub(1).and_then(|step| glyphs.bar.get(step)) {
                (sign, self.track.patch(self.fill))
            } else if self.track.bg.is_some_and(|bg| bg != Color::Reset) {
                (" ", self.track)
            } else {
                (glyphs.track, self.track)
            });
        }
        join(cells)
    }

    /// The mark keeps the ground it stands on.
    fn over(&self, on_fill: bool, glyphs: &Glyphs) -> Style {
        match self.fill.fg {
            Some(fill) if on_fill && !glyphs.ascii && matches!(fill, Color::Rgb(..)) => {
                self.mark_style.bg(fill)
            }
            _ => self.track.patch(self.mark_style),
        }
    }
}

/// Joins neighbours of one style.
fn join(cells: Vec<(&'static str, Style)>) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (sign, style) in cells {
        match spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(sign),
            _ => spans.push(Span::styled(sign, style)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::{ASCII, UNICODE};

    fn draw(value: f64, mark: Option<f64>, glyphs: &Glyphs) -> String {
        let style = Style::default();
        let bar = Bar {
            width: 8,
            value: Some(value),
            mark,
            fill: style.fg(Color::Green),
            track: style.fg(Color::Gray),
            mark_style: style.fg(Color::White),
        };
        let spans = bar.spans(glyphs);
        spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn bars_are_as_long_as_their_value() {
        assert_eq!(draw(0.0, None, &UNICODE), "········");
        assert_eq!(draw(0.5, None, &UNICODE), "████····");
        assert_eq!(draw(0.5625, None, &UNICODE), "████▌···");
        assert_eq!(draw(1.0, None, &UNICODE), "████████");
        assert_eq!(draw(9.0, None, &UNICODE), "████████");
        assert_eq!(draw(0.5, None, &ASCII), "####....");
    }

    #[test]
    fn the_mark_is_drawn_on_the_bar() {
        assert_eq!(draw(0.75, Some(0.25), &UNICODE), "██│███··");
        assert_eq!(draw(0.25, Some(1.0), &UNICODE), "██·····│");
    }
}
