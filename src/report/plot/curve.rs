//! Risk among the answered by the share that is answered.

use plotters::prelude::{Circle, Color, PathElement, Text};
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{CUT, PLAIN, REFERENCE};
use super::{About, Axis, SIZE, anchored, cause, chart, number, percent, svg, tick};
use crate::report::{Figures, ReportError};

/// The curve with the point at the cut; `None` without labels.
///
/// # Errors
/// What the backend says.
pub fn risk_coverage(figures: &Figures, about: &About) -> Result<Option<String>, ReportError> {
    let Some(last) = figures.curve.last() else {
        return Ok(None);
    };
    let risks = figures.curve.iter().map(|point| point.risk);
    let top = (risks.fold(0.0, f64::max) * 1.15).clamp(0.05, 1.05);
    let is_share = figures.good.is_some();
    let shown = |risk: f64| match is_share {
        true => percent(risk),
        false => number((risk * 1e3).round() / 1e3),
    };
    let drawn = svg(about, SIZE, |area| {
        let mut chart = chart(
            area,
            &Axis {
                ends: (0.0, 1.0),
                name: "coverage: share answered",
                tick: &|share| percent(*share),
            },
            &Axis {
                ends: (0.0, top),
                name: match is_share {
                    true => "risk: bad among answered",
                    false => "mean loss of the answered",
                },
                tick: match is_share {
                    true => &|share| percent(*share),
                    false => &tick,
                },
            },
        )?;
        let all = [(0.0, last.risk), (1.0, last.risk)];
        chart
            .draw_series([PathElement::new(all, REFERENCE.stroke_width(3))])
            .map_err(cause)?;
        let points = figures.curve.iter().map(|p| (p.coverage, p.risk));
        chart
            .draw_series(LineSeries::new(points, PLAIN.stroke_width(4)))
            .map_err(cause)?;
        let words = format!("answering all: {}", shown(last.risk));
        let style = anchored(REFERENCE, HPos::Right, VPos::Bottom);
        chart
            .draw_series([Text::new(words, (0.99, last.risk + 0.015 * top), style)])
            .map_err(cause)?;
        let Some(at) = figures.at_cut else {
            return Ok(());
        };
        let place = (at.coverage, at.risk);
        let lead = [(at.coverage, 0.0), place];
        chart
            .draw_series([PathElement::new(lead, CUT.stroke_width(3))])
            .map_err(cause)?;
        chart
            .draw_series([Circle::new(place, 12, CUT.filled())])
            .map_err(cause)?;
        let words = format!(
            "at the cut: {} answered, {} {}",
            percent(at.coverage),
            if is_share { "risk" } else { "loss" },
            shown(at.risk)
        );
        let (side, gap) = match at.coverage > 0.5 {
            true => (HPos::Right, -0.02),
            false => (HPos::Left, 0.02),
        };
        // Below the curve, where it does not run.
        let place = (at.coverage + gap, (at.risk * 0.5).max(0.04 * top));
        chart
            .draw_series([Text::new(words, place, anchored(CUT, side, VPos::Center))])
            .map_err(cause)?;
        Ok(())
    })?;
    Ok(Some(drawn))
}
