//! A curve over steps: braille dots, or stars in plain ASCII.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line, Points};

use crate::tui::glyphs::Glyphs;

/// A curve with its scale at the left and the steps below.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// Steps and values, all finite, in the order of the steps.
    pub points: &'a [(f64, f64)],
    /// Points of another curve on the same scale, each with a sign of its own.
    pub marks: &'a [(f64, f64)],
    /// The last step of the axis.
    pub until: f64,
    pub style: Style,
    pub mark_style: Style,
    pub axis: Style,
}

impl Curve<'_> {
    /// Draws it; where there is no room for an axis or nothing to draw, nothing.
    pub fn draw(&self, area: Rect, glyphs: &Glyphs, buffer: &mut Buffer) {
        let Some((low, high)) = range(self.points.iter().chain(self.marks)) else {
            return;
        };
        let (top, bottom) = (short(high), short(low));
        let scale = top.len().max(bottom.len()) as u16;
        if area.width < scale + 8 || area.height < 3 {
            return;
        }
        let plot = Rect::new(
            area.x + scale + 2,
            area.y,
            area.width - scale - 2,
            area.height - 1,
        );
        let right = |text: &str| format!("{text:>width$}", width = usize::from(scale));
        if low == high {
            let middle = plot.y + plot.height / 2;
            buffer.set_string(area.x, middle, right(&top), self.axis);
        } else {
            buffer.set_string(area.x, plot.y, right(&top), self.axis);
            buffer.set_string(area.x, plot.bottom() - 1, right(&bottom), self.axis);
        }
        for y in plot.y..plot.bottom() {
            buffer.set_string(plot.x - 1, y, glyphs.mark, self.axis);
        }
        let from = self.points.iter().chain(self.marks);
        // Curves that begin later have the axis of those that begin with the first step.
        let from = from.map(|point| point.0).fold(1.0, f64::min);
        self.steps(from, plot, buffer);
        self.dots((from, self.until), (low, high), plot, glyphs, buffer);
    }

    /// The first and the last step, under the curve.
    fn steps(&self, from: f64, plot: Rect, buffer: &mut Buffer) {
        let (first, last) = (format!("{from:.0}"), format!("{:.0}", self.until));
        let y = plot.bottom();
        buffer.set_string(plot.x, y, &first, self.axis);
        let apart = first.len() + last.len() + 1 < usize::from(plot.width);
        if apart && first != last {
            let x = plot.right() - last.len() as u16;
            buffer.set_string(x, y, &last, self.axis);
        }
    }

    fn dots(
        &self,
        (from, until): (f64, f64),
        (low, high): (f64, f64),
        plot: Rect,
        glyphs: &Glyphs,
        buffer: &mut Buffer,
    ) {
        let marker = match glyphs.ascii {
            true => Marker::Custom('*'),
            false => Marker::Braille,
        };
        // A curve that does not move runs through the middle.
        let pad = match high > low {
            true => 0.0,
            false => high.abs().max(1.0) / 2.0,
        };
        let color = self.style.fg.unwrap_or(Color::Reset);
        let columns = usize::from(plot.width) * if glyphs.ascii { 1 } else { 2 };
        let thin = thinned(self.points, (from, until), columns);
        let ground = buffer.cell((plot.x, plot.y)).map(|cell| cell.bg);
        Canvas::default()
            .marker(marker)
            .background_color(ground.unwrap_or(Color::Reset))
            .x_bounds([from, until.max(from + 1.0)])
            .y_bounds([low - pad, high + pad])
            .paint(|canvas| {
                for pair in thin.windows(2) {
                    if let [(x1, y1), (x2, y2)] = *pair {
                        canvas.draw(&Line::new(x1, y1, x2, y2, color));
                    }
                }
                canvas.draw(&Points::new(&thin, color));
                canvas.layer();
                for (x, y) in self.marks {
                    canvas.print(*x, *y, Span::styled(glyphs.empty, self.mark_style));
                }
            })
            .render(plot, buffer);
    }
}

/// The lowest and the highest value.
fn range<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> Option<(f64, f64)> {
    points.fold(None, |range, (_, value)| {
        let (low, high) = range.unwrap_or((*value, *value));
        Some((low.min(*value), high.max(*value)))
    })
}

/// At most one point for each of so many columns: the mean of what falls there.
fn thinned(points: &[(f64, f64)], (from, until): (f64, f64), columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= columns {
        return points.to_vec();
    }
    let width = (until - from) / columns.max(1) as f64;
    let column = |point: &(f64, f64)| ((point.0 - from) / width) as usize;
    let same = |a: &(f64, f64), b: &(f64, f64)| column(a) == column(b);
    let mean = |chunk: &[(f64, f64)]| {
        let count = chunk.len().max(1) as f64;
        let (steps, values) = chunk.iter().fold((0.0, 0.0), |(steps, values), point| {
            (steps + point.0, values + point.1)
        });
        (steps / count, values / count)
    };
    points.chunk_by(same).map(mean).collect()
}

/// A number in few signs: three or four digits that count.
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "NaN".to_owned(),
        0.0 => "0".to_owned(),
        1e5.. | ..1e-3 => {
            let text = format!("{value:.1e}");
            text.replace(".0e", "e")
        }
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::{ASCII, UNICODE};

    fn drawn(points: &[(f64, f64)], marks: &[(f64, f64)], ascii: bool, size: (u16, u16)) -> String {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        let curve = Curve {
            points,
            marks,
            until: points.last().map_or(1.0, |point| point.0),
            style: Style::default(),
            mark_style: Style::default(),
            axis: Style::default(),
        };
        let glyphs = if ascii { &ASCII } else { &UNICODE };
        curve.draw(area, glyphs, &mut buffer);
        let lines = buffer.content.chunks(usize::from(size.0).max(1));
        let line = |cells: &[ratatui::buffer::Cell]| -> String {
            let text: String = cells.iter().map(|cell| cell.symbol()).collect();
            text.trim_end().to_owned()
        };
        lines.map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (2e-4, "2e-4"),
            (1.5e-5, "1.5e-5"),
            (0.0314, "0.031"),
            (-1.234, "-1.23"),
            (31.41, "31.4"),
            (314.1, "314"),
            (1_900_000.0, "1.9e6"),
            (f64::INFINITY, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_falling_curve_falls() {
        let points: Vec<(f64, f64)> = (1..=5).map(|x| (f64::from(x), f64::from(6 - x))).collect();
        let text = drawn(&points, &[], true, (14, 6));
        let expected = "5.00|*\n    | *\n    |  **\n    |    **\n1.00|      **\n     1      5";
        // The scale takes five columns with the axis, the curve the others.
        let squeezed: Vec<String> = text.lines().map(|line| line.replace(' ', "")).collect();
        assert!(squeezed[0].starts_with("5.00|*"), "{text}\n{expected}");
        assert!(squeezed[4].starts_with("1.00|*"), "{text}");
        assert_eq!(squeezed[5], "15");
        let column = |row: usize| text.lines().nth(row).unwrap().rfind('*').unwrap();
        assert!((0..4).all(|row| column(row) < column(row + 1)), "{text}");
        let braille = drawn(&points, &[], false, (14, 6));
        let dots = |c: char| ('\u{2801}'..='\u{28ff}').contains(&c);
        assert!(
            braille.chars().filter(|c| dots(*c)).count() >= 5,
            "{braille}"
        );
    }

    #[test]
    fn one_point_flat_lines_and_no_room_are_fine() {
        assert!(drawn(&[(1.0, 2.0)], &[], true, (20, 4)).contains('*'));
        let flat = drawn(&[(1.0, 2.0), (9.0, 2.0)], &[(9.0, 2.0)], true, (20, 6));
        assert_eq!(flat.matches("2.00").count(), 1, "{flat}");
        assert!(flat.contains("***") && flat.contains('o'), "{flat}");
        assert_eq!(drawn(&[], &[], true, (20, 6)).trim(), "");
        for size in [(0, 0), (5, 5), (30, 2)] {
            assert_eq!(drawn(&[(1.0, 2.0)], &[], true, size).trim(), "");
        }
        let many: Vec<(f64, f64)> = (0..5000).map(|x| (f64::from(x), 1.0)).collect();
        assert!(thinned(&many, (0.0, 4999.0), 40).len() <= 41);
    }
}
