//! Lines put together from parts.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::tui::glyphs::Glyphs;

/// Spans of one line, which know how wide they are.
#[derive(Clone, Debug, Default)]
pub struct Row {
    spans: Vec<Span<'static>>,
}

impl From<Vec<Span<'static>>> for Row {
    fn from(spans: Vec<Span<'static>>) -> Self {
        Row { spans }
    }
}

impl Row {
    /// Nothing yet.
    pub fn new() -> Self {
        Row::default()
    }

    /// Adds text.
    pub fn push(&mut self, text: impl Into<String>, style: Style) -> &mut Self {
        self.spans.push(Span::styled(text.into(), style));
        self
    }

    /// Adds spans.
    pub fn extend(&mut self, spans: impl IntoIterator<Item = Span<'static>>) -> &mut Self {
        self.spans.extend(spans);
        self
    }

    /// Columns taken.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| span.content.width()).sum()
    }

    /// Adds blanks up to a width.
    pub fn pad(&mut self, width: usize) -> &mut Self {
        let missing = width.saturating_sub(self.width());
        if missing > 0 {
            self.spans.push(Span::raw(" ".repeat(missing)));
        }
        self
    }

    /// This at the left and another at the right of a width; the left one gives way.
    pub fn with_right(mut self, right: Row, width: usize) -> Line<'static> {
        let room = width.saturating_sub(right.width());
        self.cut(room);
        self.pad(room);
        self.spans.extend(right.spans);
        self.fit(width)
    }

    /// The line, cut to a width.
    pub fn fit(mut self, width: usize) -> Line<'static> {
        self.cut(width);
        Line::from(self.spans)
    }

    fn cut(&mut self, width: usize) {
        let mut used = 0;
        for (place, span) in self.spans.iter_mut().enumerate() {
            let span_width = span.content.width();
            if used + span_width <= width {
                used += span_width;
                continue;
            }
            let mut kept = String::new();
            for grapheme in span.content.graphemes(true) {
                let next = grapheme.width();
                if used + next > width {
                    break;
                }
                kept.push_str(grapheme);
                used += next;
            }
            span.content = kept.into();
            self.spans.truncate(place + 1);
            return;
        }
    }
}

/// A title over the full width: `title ────────── note`.
pub fn rule(
    title: (&str, Style),
    note: (&str, Style),
    width: usize,
    line: Style,
    glyphs: &Glyphs,
) -> Line<'static> {
    let mut left = Row::new();
    left.push(title.0, title.1).push(" ", line);
    let mut right = Row::new();
    if !note.0.is_empty() && left.width() + note.0.width() < width {
        right.push(" ", line).push(note.0, note.1);
    }
    let room = width.saturating_sub(left.width() + right.width());
    left.push(glyphs.rule.repeat(room), line);
    left.with_right(right, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::UNICODE;

    fn text(line: &Line<'_>) -> String {
        line.spans.iter().map(|s| s.content.as_ref()).collect()
    }

    #[test]
    fn the_left_gives_way_to_the_right() {
        let style = Style::default();
        let mut left = Row::new();
        left.push("a long 漢字 text", style);
        let mut right = Row::new();
        right.push("42", style);
        let line = left.clone().with_right(right.clone(), 12);
        assert_eq!(text(&line), "a long 漢 42");
        assert_eq!(text(&left.with_right(right, 20)), "a long 漢字 text  42");
    }

    #[test]
    fn rules_fill_the_width() {
        let style = Style::default();
        let line = rule(("why", style), ("note", style), 16, style, &UNICODE);
        assert_eq!(text(&line), "why ─────── note");
    }
}
