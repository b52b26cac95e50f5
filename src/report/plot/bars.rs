//! Slices beside each other.

use plotters::prelude::{ChartBuilder, Color, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use unicode_segmentation::UnicodeSegmentation;

use super::palette::{BAD, CUT, GRID, INK, PLAIN};
use super::{About, SIZE, anchored, cause, number, percent, svg, text, tick};
use crate::report::{BySlice, Figures, ReportError, Slice};
use crate::stats::Interval;
use crate::stats::histogram::widened;

/// Height of a bar with the gap to the next.
const ROW: u32 = 52;

/// Characters of a name that are shown.
const NAME: usize = 24;

/// What bars are as long as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Risk,
    Coverage,
    Pearson,
    Mean,
}

impl Measure {
    /// The one that says most, of those there are.
    pub fn of(figures: &Figures) -> Self {
        match &figures.cut {
            Some(cut) if cut.labelled.is_some() => Measure::Risk,
            Some(_) => Measure::Coverage,
            None if figures.all.is_some() => Measure::Pearson,
            None => Measure::Mean,
        }
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Risk => "risk at the cut: bad among answered",
            Measure::Coverage => "coverage at the cut: share answered",
            Measure::Pearson => "Pearson with the label",
            Measure::Mean => "mean score",
        }
    }

    fn value(self, slice: &Slice) -> Option<Interval> {
        let share = |found: crate::report::Share| {
            let (low, high) = found.interval?;
            Some(Interval {
                estimate: found.share?,
                low,
                high,
            })
        };
        let cut = slice.cut.as_ref();
        match self {
            Measure::Risk => share(cut?.labelled?.risk),
            Measure::Coverage => share(cut?.coverage),
            Measure::Pearson => slice.all?.pearson,
            Measure::Mean => slice.mean,
        }
    }

    fn whole(self, figures: &Figures) -> Option<f64> {
        match self {
            Measure::Risk => figures.cut.as_ref()?.labelled?.risk.share,
            Measure::Coverage => figures.cut.as_ref()?.coverage.share,
            Measure::Pearson => Some(figures.all?.pearson?.estimate),
            Measure::Mean => None,
        }
    }
}

/// A bar with an interval for each slice, and where all rows together stand.
///
/// # Errors
/// What the backend says.
pub fn slices(
    figures: &Figures,
    by: &BySlice,
    about: &About,
) -> Result<(Measure, String), ReportError> {
    let measure = Measure::of(figures);
    let values: Vec<Option<Interval>> = by.slices.iter().map(|s| measure.value(s)).collect();
    let ends = ends(measure, &values);
    let is_share = matches!(measure, Measure::Risk | Measure::Coverage);
    let shown = |value: f64| match is_share {
        true => percent(value),
        false => number((value * 1e3).round() / 1e3),
    };
    let count = by.slices.len();
    let height = 150 + ROW * count as u32;
    let whole = measure
        .whole(figures)
        .filter(|x| (ends.0..=ends.1).contains(x));
    let drawn = svg(about, (SIZE.0, height), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(if whole.is_some() { 44 } else { 12 })
            .margin_right(150)
            .margin_left(380)
            .x_label_area_size(100)
            .build_cartesian_2d(ends.0..ends.1, 0.0..count as f64)
            .map_err(cause)?;
        let share = |value: &f64| percent(*value);
        let tick: &dyn Fn(&f64) -> String = if is_share { &share } else { &tick };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc(measure.name())
            .x_labels(7)
            .x_label_formatter(&tick)
            .label_style(text(INK))
            .axis_desc_style(text(INK))
            .axis_style(INK.stroke_width(2))
            .bold_line_style(GRID.stroke_width(2))
            .light_line_style(plotters::style::TRANSPARENT)
            .draw()
            .map_err(cause)?;
        let color = if measure == Measure::Risk { BAD } else { PLAIN };
        let start = 0.0_f64.clamp(ends.0, ends.1);
        for (at, (slice, value)) in by.slices.iter().zip(&values).enumerate() {
            // The first slice stands at the top.
            let middle = count as f64 - at as f64 - 0.5;
            if let Some(value) = value {
                let bar = [(start, middle - 0.3), (value.estimate, middle + 0.3)];
                chart
                    .draw_series([
                        Rectangle::new(bar, color.filled()),
                        Rectangle::new(bar, color.stroke_width(2)),
                    ])
                    .map_err(cause)?;
                if !value.low.is_nan() {
                    let line = |from, to| PathElement::new([from, to], INK.stroke_width(3));
                    let tip = |x| line((x, middle - 0.15), (x, middle + 0.15));
                    let (low, high) = (value.low, value.high);
                    chart
                        .draw_series([line((low, middle), (high, middle)), tip(low), tip(high)])
                        .map_err(cause)?;
                }
            }
            // Names and values stand beside the chart.
            let row = chart.backend_coord(&(ends.0, middle)).1;
            let name = shortened(&slice.value);
            let style = anchored(INK, HPos::Right, VPos::Center);
            area.draw(&Text::new(name, (364, row), style))
                .map_err(cause)?;
            let words = value.map_or_else(|| "–".into(), |value| shown(value.estimate));
            let style = anchored(INK, HPos::Right, VPos::Center);
            area.draw(&Text::new(words, (SIZE.0 as i32 - 10, row), style))
                .map_err(cause)?;
        }
        if let Some(whole) = whole {
            let line = [(whole, 0.0), (whole, count as f64)];
            chart
                .draw_series([PathElement::new(line, CUT.stroke_width(4))])
                .map_err(cause)?;
            let words = format!("all rows {}", shown(whole));
            let x = chart.backend_coord(&(whole, 0.0)).0;
            let style = anchored(CUT, HPos::Center, VPos::Top);
            area.draw(&Text::new(words, (x, 6), style)).map_err(cause)?;
        }
        Ok(())
    })?;
    Ok((measure, drawn))
}

/// Ends of the axis: all intervals lie within.
fn ends(measure: Measure, values: &[Option<Interval>]) -> (f64, f64) {
    let all = values.iter().flatten();
    let all = all.flat_map(|value| [value.estimate, value.low, value.high]);
    let all: Vec<f64> = all.filter(|x| x.is_finite()).collect();
    let low = all.iter().copied().fold(0.0, f64::min);
    let high = all.iter().copied().fold(0.0, f64::max);
    match measure {
        Measure::Coverage => (0.0, 1.0),
        Measure::Risk => (0.0, (high * 1.05).clamp(0.05, 1.0)),
        _ => {
            let (low, high) = widened(low, high);
            let more = 0.05 * (high - low);
            (if low < 0.0 { low - more } else { 0.0 }, high + more)
        }
    }
}

/// A name as long as there is room for; in the table it is whole.
fn shortened(name: &str) -> String {
    let mut letters = name.graphemes(true);
    let start: String = letters.by_ref().take(NAME).collect();
    match letters.next() {
        Some(_) => start.trim_end().to_owned() + "…",
        None => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_between_letters() {
        assert_eq!(shortened("coding"), "coding");
        assert_eq!(shortened(&"é".repeat(24)), "é".repeat(24));
        assert_eq!(shortened(&"é".repeat(25)), "é".repeat(24) + "…");
    }

    #[test]
    fn intervals_lie_within_the_axis() {
        let value = |estimate, low, high| {
            Some(Interval {
                estimate,
                low,
                high,
            })
        };
        let values = [value(0.2, -0.1, 0.5), None, value(0.3, f64::NAN, f64::NAN)];
        let (low, high) = ends(Measure::Pearson, &values);
        assert!(low < -0.1 && high > 0.5);
        assert_eq!(ends(Measure::Risk, &[]), (0.0, 0.05));
        let (low, high) = ends(Measure::Mean, &[]);
        assert!(low < high);
    }
}
