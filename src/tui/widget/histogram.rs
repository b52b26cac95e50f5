//! A distribution over labels, lying or standing.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::bar::Bar;
use super::line::Row;
use crate::data::LabelDistribution;
use crate::tui::glyphs::Glyphs;

/// A distribution and the style of its bars.
pub type Series<'a> = (&'a LabelDistribution, Style);

/// One line a label, the highest first: `7 ███▌     41 %`, with the series beside each other.
/// `marked` gets a sign at the label of that value; `unit` follows every number.
pub fn rows(
    series: &[Series<'_>],
    width: usize,
    marked: Option<(f64, Style)>,
    (dim, unit): (Style, &str),
    glyphs: &Glyphs,
) -> Vec<Line<'static>> {
    let Some((first, _)) = series.first() else {
        return Vec::new();
    };
    let label_width = first.labels.iter().map(|l| l.chars().count()).max();
    let label_width = label_width.unwrap_or(1).max(1);
    let gap = 2;
    let share = width.saturating_sub(label_width + 1) / series.len().max(1);
    let bar_width = share.saturating_sub(4 + gap).max(2);
    // Bars are drawn against the likeliest label, so that shapes can be compared.
    let peak = series
        .iter()
        .flat_map(|(distribution, _)| distribution.probs.iter().copied())
        .fold(0.0, f64::max);
    let labels = first.labels.iter().zip(&first.values).enumerate().rev();
    labels
        .map(|(place, (label, value))| {
            let here = marked.filter(|(at, _)| is_at(*at, *value));
            let label_style = here.map_or(dim, |(_, style)| style);
            let sign = match here {
                Some(_) if glyphs.ascii => "<",
                Some(_) => "◂",
                None => " ",
            };
            let mut spans = vec![
                Span::styled(format!("{label:>label_width$}"), label_style),
                Span::styled(sign, label_style),
            ];
            for (distribution, style) in series {
                let p = distribution.probs.get(place).copied().unwrap_or(0.0);
                let bar = Bar {
                    width: bar_width,
                    thin: false,
                    value: (peak > 0.0).then_some(p / peak),
                    mark: None,
                    fill: *style,
                    track: Style::default(),
                    mark_style: Style::default(),
                };
                spans.extend(blank_track(bar.spans(glyphs), glyphs));
                spans.push(Span::styled(
                    percent(p, unit),
                    if p >= 0.005 || unit != "%" {
                        *style
                    } else {
                        dim
                    },
                ));
                spans.push(Span::raw(" ".repeat(gap)));
            }
            Row::from(spans).fit(width)
        })
        .collect()
}

/// Bars of a distribution need no track.
fn blank_track(spans: Vec<Span<'static>>, glyphs: &Glyphs) -> Vec<Span<'static>> {
    spans
        .into_iter()
        .map(|span| {
            if !span.content.is_empty() && span.content.replace(glyphs.track, "").is_empty() {
                let blanks = " ".repeat(span.content.chars().count());
                Span::raw(blanks)
            } else {
                span
            }
        })
        .collect()
}

/// Four columns: ` 41%`, and ` 41…` where that is the unit.
fn percent(p: f64, unit: &str) -> String {
    let unit = if unit == "%" && p < 0.005 { " " } else { unit };
    format!("{:>3.0}{unit}", p * 100.0)
}

/// Standing bars of `height` lines over an axis of labels, `cell` columns a label.
pub fn columns(
    series: Series<'_>,
    (height, cell): (usize, usize),
    marked: Option<(f64, Style)>,
    dim: Style,
    glyphs: &Glyphs,
) -> Vec<Line<'static>> {
    let (distribution, style) = series;
    let peak = distribution.probs.iter().copied().fold(0.0, f64::max);
    let steps = glyphs.column.len();
    let bar_width = cell.saturating_sub(1).max(1);
    let mut lines = Vec::with_capacity(height + 1);
    for level in (0..height).rev() {
        let mut text = String::new();
        for p in &distribution.probs {
            let share = if peak > 0.0 { p / peak } else { 0.0 };
            let filled = (share * height as f64 - level as f64).clamp(0.0, 1.0);
            let step = (filled * steps as f64).round() as usize;
            let least = usize::from(level == 0);
            let sign = step.max(least).checked_sub(1);
            let sign = sign
                .and_then(|step| glyphs.column.get(step))
                .unwrap_or(&" ");
            text.push_str(&sign.repeat(bar_width));
            text.push(' ');
        }
        lines.push(Line::from(Span::styled(text, style)));
    }
    let labels = distribution.labels.iter().zip(&distribution.values);
    let axis: Vec<Span<'static>> = labels
        .map(|(label, value)| {
            let here = marked.filter(|(at, _)| is_at(*at, *value));
            let style = here.map_or(dim, |(_, style)| style);
            Span::styled(format!("{label:<0$}", bar_width + 1), style)
        })
        .collect();
    lines.push(Line::from(axis));
    lines
}

/// Whether a mark belongs to a label's value.
fn is_at(mark: f64, value: f64) -> bool {
    (mark - value).abs() < 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::{ASCII, UNICODE};
    use crate::tui::tests::fixture::peak;

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        let text = |line: &Line<'_>| line.spans.iter().map(|s| s.content.as_ref()).collect();
        lines.iter().map(text).collect()
    }

    #[test]
    fn every_label_has_its_line_and_the_mark_its_sign() {
        let distribution = peak(7.0);
        let style = Style::default();
        let lines = rows(
            &[(&distribution, style), (&distribution, style)],
            32,
            Some((7.0, style)),
            (style, "%"),
            &UNICODE,
        );
        let lines = text(&lines);
        assert_eq!(lines.len(), 10);
        assert!(lines[0].starts_with("9 "));
        assert!(lines[2].starts_with("7◂█"), "{lines:?}");
    }

    #[test]
    fn standing_bars_have_an_axis() {
        let distribution = peak(7.0);
        let style = Style::default();
        for glyphs in [&UNICODE, &ASCII] {
            let lines = columns((&distribution, style), (3, 2), None, style, glyphs);
            assert_eq!(lines.len(), 4);
            assert_eq!(text(&lines)[3], "0 1 2 3 4 5 6 7 8 9 ");
        }
    }
}
