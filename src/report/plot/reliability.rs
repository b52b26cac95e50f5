//! What fitted probabilities promise and what came.

use plotters::prelude::{Circle, Color, PathElement, TriangleMarker};
use plotters::series::LineSeries;

use super::legend::{Sign, legend};
use super::palette::{PLAIN, REFERENCE, SECOND};
use super::{About, Axis, Chart, Drawn, SIZE, cause, chart, percent, svg};
use crate::report::{Figures, ReportError};
use crate::stats::calibration::Bin;
use crate::stats::threshold::wilson;

/// Bins of both fits on the rows they were not fitted on, those of the first with intervals; `None` where there is no fit.
///
/// # Errors
/// What the backend says.
pub fn reliability(figures: &Figures, about: &About) -> Result<Option<String>, ReportError> {
    if figures.calibration.is_empty() {
        return Ok(None);
    }
    let drawn = svg(about, SIZE, |area| {
        let area = legend(
            area,
            &[
                (Sign::Circle(PLAIN), "isotonic fit"),
                (Sign::Triangle(SECOND), "affine fit"),
                (Sign::Line(REFERENCE), "as promised"),
            ],
        )?;
        let share = |share: &f64| percent(*share);
        let axis = |name| Axis {
            ends: (0.0, 1.0),
            name,
            tick: &share,
        };
        let mut chart = chart(
            &area,
            &axis("promised share of good"),
            &axis("share that is good"),
        )?;
        let diagonal = [(0.0, 0.0), (1.0, 1.0)];
        chart
            .draw_series([PathElement::new(diagonal, REFERENCE.stroke_width(3))])
            .map_err(cause)?;
        for fit in figures.calibration.iter().rev() {
            match fit.fit {
                "isotonic" => isotonic(&mut chart, &fit.bins)?,
                _ => affine(&mut chart, &fit.bins)?,
            }
        }
        Ok(())
    })?;
    Ok(Some(drawn))
}

fn places(bins: &[Bin]) -> Vec<(f64, f64)> {
    bins.iter().map(|bin| (bin.promised, bin.came)).collect()
}

fn isotonic(chart: &mut Chart<'_, '_>, bins: &[Bin]) -> Drawn {
    let whisker = |bin: &Bin| {
        let good = (bin.came * bin.rows as f64).round() as usize;
        let (low, high) = wilson(good, bin.rows)?;
        let ends = [(bin.promised, low), (bin.promised, high)];
        Some(PathElement::new(ends, PLAIN.mix(0.6).stroke_width(3)))
    };
    chart
        .draw_series(bins.iter().filter_map(whisker))
        .map_err(cause)?;
    chart
        .draw_series(LineSeries::new(places(bins), PLAIN.stroke_width(4)))
        .map_err(cause)?;
    let circles = places(bins);
    chart
        .draw_series(
            circles
                .into_iter()
                .map(|at| Circle::new(at, 9, PLAIN.filled())),
        )
        .map_err(cause)?;
    Ok(())
}

fn affine(chart: &mut Chart<'_, '_>, bins: &[Bin]) -> Drawn {
    chart
        .draw_series(LineSeries::new(places(bins), SECOND.stroke_width(4)))
        .map_err(cause)?;
    let triangles = places(bins);
    chart
        .draw_series(
            triangles
                .into_iter()
                .map(|at| TriangleMarker::new(at, 11, SECOND.filled())),
        )
        .map_err(cause)?;
    Ok(())
}
