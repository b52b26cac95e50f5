//! A horizontal bar with a mark on it.

use ratatui::style::{Color, Style};
use ratatui::text::Span;

use crate::tui::glyphs::Glyphs;

/// A bar of one line.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Columns.
    pub width: usize,
    /// Drawn as a line instead of a block, for bars one below the other.
    pub thin: bool,
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
        let (signs, track_sign, mark_sign) = if self.thin {
            glyphs.thin
        } else {
            (glyphs.bar, glyphs.track, glyphs.mark)
        };
        let mut track = self.track;
        if self.thin {
            track.bg = None;
        }
        let mut cells: Vec<(&'static str, Style)> = Vec::with_capacity(self.width);
        for column in 0..self.width {
            let part = (filled - column as f64).clamp(0.0, 1.0);
            let step = (part * signs.len() as f64).round() as usize;
            cells.push(if mark == Some(column) {
                (mark_sign, self.over(part >= 0.5, track, glyphs))
            } else if let Some(sign) = step.checked_sub(1).and_then(|step| signs.get(step)) {
                (sign, track.patch(self.fill))
            } else if track.bg.is_some_and(|bg| bg != Color::Reset) {
                (" ", track)
            } else {
                (track_sign, track)
            });
        }
        join(cells)
    }

    /// The mark keeps the ground it stands on.
    fn over(&self, on_fill: bool, track: Style, glyphs: &Glyphs) -> Style {
        match self.fill.fg {
            Some(fill)
                if on_fill
                    && !self.thin
                    && !glyphs.ascii
                    && matches!(fill, Color::Rgb(..) | Color::Indexed(_)) =>
            {
                // In the colour of the ground: the mark's own may be as bright as the fill.
                let mark = track.bg.or(self.mark_style.fg).unwrap_or(Color::Reset);
                self.mark_style.fg(mark).bg(fill)
            }
            _ => track.patch(self.mark_style),
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
        draw_as(false, value, mark, glyphs)
    }

    fn draw_as(thin: bool, value: f64, mark: Option<f64>, glyphs: &Glyphs) -> String {
        let style = Style::default();
        let bar = Bar {
            width: 8,
            thin,
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
    fn thin_bars_are_lines() {
        assert_eq!(draw_as(true, 0.5625, Some(0.8), &UNICODE), "━━━━╸─┃─");
        assert_eq!(draw_as(true, 0.5, None, &ASCII), "====....");
    }

    #[test]
    fn the_mark_is_drawn_on_the_bar() {
        assert_eq!(draw(0.75, Some(0.25), &UNICODE), "██│███··");
        assert_eq!(draw(0.25, Some(1.0), &UNICODE), "██·····│");
    }
}
