//! Rows by score and label.

use plotters::prelude::{Circle, Color, TriangleMarker};

use super::legend::{Sign, legend};
use super::palette::{BAD, GOOD, PLAIN};
use super::{About, Axis, SIZE, cause, chart, cut_line, svg, tick};
use crate::report::{Figures, ReportError};
use crate::stats::histogram::{Bins, widened};

/// A point for each row, good ones circles and bad ones triangles; `None` without labels.
///
/// # Errors
/// What the backend says.
pub fn by_label(figures: &Figures, about: &About) -> Result<Option<String>, ReportError> {
    let points = &figures.scatter.points;
    let (Some(label), Some(bins)) = (&figures.label, figures.histogram.bins) else {
        return Ok(None);
    };
    if points.is_empty() {
        return Ok(None);
    }
    let labels = points.iter().map(|point| point.1);
    let low = labels.clone().fold(f64::INFINITY, f64::min);
    let high = labels.fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = widened(low, high);
    let span = high - low;
    // Room for the cut's words above.
    let y = (low - 0.05 * span, high + 0.12 * span);
    let split = points.iter().any(|point| point.2.is_some());
    let Bins { low, high, .. } = bins;
    let drawn = svg(about, SIZE, |area| {
        let signs: &[(Sign, &str)] = match split {
            true => &[(Sign::Circle(GOOD), "good"), (Sign::Triangle(BAD), "bad")],
            false => &[(Sign::Circle(PLAIN), "rows")],
        };
        let area = legend(area, signs)?;
        let mut chart = chart(
            &area,
            &Axis {
                ends: (low, high),
                name: &figures.signal,
                tick: &tick,
            },
            &Axis {
                ends: y,
                name: label,
                tick: &tick,
            },
        )?;
        // The more there are, the less each covers the others.
        let alpha = if points.len() > 500 { 0.45 } else { 0.7 };
        let of = |wanted: Option<bool>| points.iter().filter(move |p| p.2 == wanted);
        for (good, color) in [(None, PLAIN), (Some(true), GOOD)] {
            let style = color.mix(alpha).filled();
            chart
                .draw_series(of(good).map(|p| Circle::new((p.0, p.1), 7, style)))
                .map_err(cause)?;
        }
        let style = BAD.mix(alpha).filled();
        chart
            .draw_series(of(Some(false)).map(|p| TriangleMarker::new((p.0, p.1), 8, style)))
            .map_err(cause)?;
        match &figures.cut {
            Some(cut) => cut_line(&mut chart, cut.threshold, (low, high), y),
            None => Ok(()),
        }
    })?;
    Ok(Some(drawn))
}
