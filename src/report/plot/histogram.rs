//! Where scores lie.

use plotters::prelude::{Color, Rectangle};
use plotters::style::RGBColor;

use super::legend::{Sign, legend};
use super::palette::{BAD, GOOD, PLAIN};
use super::{About, Axis, Chart, Drawn, SIZE, cause, chart, cut_line, svg, tick};
use crate::report::{Figures, ReportError};
use crate::stats::histogram::Bins;

/// Scores as bars; where it is said which labels are good, good rows stand above the axis and bad ones hang below.
///
/// # Errors
/// What the backend says.
pub fn scores(figures: &Figures, about: &About) -> Result<Option<String>, ReportError> {
    let counts = &figures.histogram;
    let Some(bins) = counts.bins else {
        return Ok(None);
    };
    let split = !counts.good.is_empty();
    let most = |counts: &[usize]| counts.iter().copied().max().unwrap_or_default() as f64;
    // Room for the cut's words.
    let (low, high) = match split {
        true => (-most(&counts.bad) * 1.06, most(&counts.good) * 1.16),
        false => (0.0, most(&counts.all) * 1.16),
    };
    let high = high.max(1.0);
    let drawn = svg(about, SIZE, |area| {
        let signs: &[(Sign, &str)] = match split {
            true => &[
                (Sign::Bar(GOOD), "good, above"),
                (Sign::Bar(BAD), "bad, below"),
            ],
            false => &[(Sign::Bar(PLAIN), "rows")],
        };
        let area = legend(area, signs)?;
        let (x, y) = ((bins.low, bins.high), (low, high));
        let mut chart = chart(
            &area,
            &Axis {
                ends: x,
                name: &figures.signal,
                tick: &tick,
            },
            &Axis {
                ends: y,
                name: "rows",
                tick: &|count| tick(&count.abs()),
            },
        )?;
        match split {
            true => {
                bars(&mut chart, &bins, &counts.good, 1.0, GOOD)?;
                bars(&mut chart, &bins, &counts.bad, -1.0, BAD)?;
            }
            false => bars(&mut chart, &bins, &counts.all, 1.0, PLAIN)?,
        }
        match &figures.cut {
            Some(cut) => cut_line(&mut chart, cut.threshold, x, y),
            None => Ok(()),
        }
    })?;
    Ok(Some(drawn))
}

fn bars(
    chart: &mut Chart<'_, '_>,
    bins: &Bins,
    counts: &[usize],
    sign: f64,
    color: RGBColor,
) -> Drawn {
    let place = |(bin, count): (usize, &usize)| {
        let (from, to) = bins.edges(bin);
        [(from, 0.0), (to, sign * *count as f64)]
    };
    let all = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let places: Vec<_> = all.map(place).collect();
    for style in [color.filled(), color.stroke_width(2)] {
        let bars = places.iter().map(|place| {
            let mut bar = Rectangle::new(*place, style);
            bar.set_margin(0, 0, 2, 2);
            bar
        });
        chart.draw_series(bars).map_err(cause)?;
    }
    Ok(())
}
