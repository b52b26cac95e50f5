//! Figures of one set of rows.

use serde::Serialize;

use super::ReportError;
use super::cut::AtCut;
use super::missing::{Missing, missing};
use super::rows::{Asked, Labelled, Rows};
use super::scatter::Scatter;
use super::slices::BySlice;
use crate::stats::coverage::{self, Point};
use crate::stats::evaluation::{self, Agreement, Calibration, Correlations, Selective, Settings};
use crate::stats::histogram::Bins;

/// Points of a curve that are drawn.
const CURVE: usize = 400;

/// How many scores lie where.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// `None` where no score is finite.
    pub bins: Option<Bins>,
    /// Scores of all rows, one number a bin.
    pub all: Vec<usize>,
    /// Those of labelled rows that are good, and those that are bad; empty where it is not said which are.
    pub good: Vec<usize>,
    pub bad: Vec<usize>,
}

/// All that is told of one signal. What is not defined on the rows is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub signal: String,
    pub label: Option<String>,
    /// Which labels are good, in words.
    pub good: Option<String>,
    pub rows: usize,
    /// Rows with the signal.
    pub scored: usize,
    /// Rows without the signal or without the label.
    pub left_out: usize,
    pub rounds: usize,
    pub all: Option<Correlations>,
    pub selective: Option<Selective>,
    pub calibration: Vec<Calibration>,
    pub agreement: Option<Agreement>,
    pub cut: Option<AtCut>,
    pub histogram: Counts,
    /// Risk by coverage, at most some hundred points of it.
    pub curve: Vec<Point>,
    /// The point of the curve at the cut; `None` where nothing is answered.
    pub at_cut: Option<Point>,
    pub by: Option<BySlice>,
    pub missing: Vec<Missing>,
    #[serde(skip)]
    pub scatter: Scatter,
}

/// The figures of rows.
///
/// # Errors
/// Columns of different lengths, and rows without a single score.
pub fn figures(rows: &Rows, asked: &Asked) -> Result<Figures, ReportError> {
    rows.check()?;
    let scored = rows.scored();
    if scored.is_empty() {
        return Err(ReportError::NoScore {
            signal: rows.signal.clone(),
        });
    }
    let scores: Vec<f64> = scored.iter().map(|row| rows.scores[*row]).collect();
    let labelled = rows.labelled(&scored);
    let settings = Settings {
        rounds: asked.rounds,
        seed: asked.seed,
        scale: rows.range,
    };
    let found = labelled.as_ref();
    let curve = found.and_then(whole_curve).unwrap_or_default();
    let label = rows.label.as_ref();
    let mut figures = Figures {
        signal: rows.signal.clone(),
        label: label.map(|label| label.name.clone()),
        good: label.and_then(|label| Some(label.good.as_ref()?.rule.clone())),
        rows: rows.scores.len(),
        scored: scored.len(),
        left_out: rows.scores.len() - found.map_or(scored.len(), |f| f.score.len()),
        rounds: asked.rounds,
        all: found.map(|f| evaluation::correlations(&f.columns(), &settings)),
        selective: found.map(|f| evaluation::selective(&f.columns(), f.good.as_deref(), &settings)),
        calibration: found
            .and_then(|f| {
                Some(evaluation::calibration(
                    &f.columns(),
                    f.good.as_ref()?,
                    asked.seed,
                ))
            })
            .unwrap_or_default(),
        agreement: found.and_then(|f| evaluation::agreement(&f.columns(), &settings)),
        cut: asked.cut.as_ref().map(|cut| AtCut::of(cut, &scores, found)),
        histogram: counts(&scores, found, rows.range),
        at_cut: asked.cut.as_ref().and_then(|cut| {
            let answered = curve.iter().take_while(|p| p.threshold >= cut.threshold);
            answered.last().copied()
        }),
        curve: thinned(curve),
        by: BySlice::of(rows, &scored, asked),
        missing: Vec::new(),
        scatter: found
            .map(|f| Scatter::of(f, asked.seed))
            .unwrap_or_default(),
    };
    figures.missing = missing(&figures, label.map(|label| label.name.as_str()));
    Ok(figures)
}

/// Risk by coverage, or where it is not said which labels are good, the labels' loss.
fn whole_curve(rows: &Labelled) -> Option<Vec<Point>> {
    let losses = match rows.bad() {
        Some(bad) => bad.iter().map(|bad| f64::from(u8::from(*bad))).collect(),
        None => coverage::losses(&rows.label)?,
    };
    Some(coverage::curve(&rows.score, &losses)?.points)
}

/// At most about [`CURVE`] points, evenly by coverage; the first and the last among them.
fn thinned(points: Vec<Point>) -> Vec<Point> {
    if points.len() <= CURVE {
        return points;
    }
    let last = points.len() - 1;
    let mut next = 0.0;
    let is_next = |(at, point): &(usize, Point)| {
        let kept = point.coverage >= next || *at == last;
        if kept {
            next = point.coverage + 1.0 / CURVE as f64;
        }
        kept
    };
    let all = points.into_iter().enumerate();
    all.filter(is_next).map(|(_, point)| point).collect()
}

fn counts(scores: &[f64], labelled: Option<&Labelled>, range: Option<(f64, f64)>) -> Counts {
    let Some(bins) = Bins::of(scores, range) else {
        return Counts::default();
    };
    let of = |wanted: bool| {
        let found = labelled.and_then(|found| Some((found, found.good.as_ref()?)));
        found.map_or_else(Vec::new, |(found, good)| {
            let rows = found.score.iter().zip(good);
            let own = rows.filter(|(_, good)| **good == wanted);
            bins.count(own.map(|(score, _)| *score))
        })
    };
    Counts {
        bins: Some(bins),
        all: bins.count(scores.iter().copied()),
        good: of(true),
        bad: of(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_ends() {
        let point = |at: usize| Point {
            threshold: 1e5 - at as f64,
            coverage: (at + 1) as f64 / 1e5,
            risk: 0.1,
        };
        let all: Vec<Point> = (0..100_000).map(point).collect();
        let found = thinned(all.clone());
        assert!((CURVE..CURVE + 3).contains(&found.len()), "{}", found.len());
        assert_eq!((found[0], found.last()), (all[0], all.last()));
        assert_eq!(thinned(all[..9].to_vec()), all[..9]);
    }
}
