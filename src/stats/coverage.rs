//! Answering only where the score is high: risk among the answered against the share that is answered
//! (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017; excess AURC after Geifman et al. 2019).

use serde::Serialize;

/// Answering everything from a score on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Answered are the scores `≥ threshold`.
    pub threshold: f64,
    /// Share answered, in `(0, 1]`.
    pub coverage: f64,
    /// Mean loss among the answered.
    pub risk: f64,
}

/// The risk–coverage curve of some rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// One for each distinct score, from the highest down: equal scores are answered together.
    pub points: Vec<Point>,
    /// Area under the curve: the mean over `k = 1..n` of the risk among the `k` highest scores, averaged over
    /// the orders of equal ones.
    pub aurc: f64,
    /// The same minus that of the best order of these losses.
    pub excess_aurc: f64,
}

/// The curve of losses in `[0, 1]` by falling score; `None` of no rows, columns of different lengths, and
/// values that are not numbers.
pub fn curve(scores: &[f64], losses: &[f64]) -> Option<Curve> {
    let numbers = scores.iter().chain(losses).all(|value| !value.is_nan());
    if scores.is_empty() || scores.len() != losses.len() || !numbers {
        return None;
    }
    let mut rows: Vec<(f64, f64)> = scores
        .iter()
        .zip(losses)
        .map(|(score, loss)| (score + 0.0, *loss))
        .collect();
    rows.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    let n = rows.len() as f64;
    let (mut points, mut answered, mut lost, mut area) = (Vec::new(), 0usize, 0.0, 0.0);
    for block in rows.chunk_by(|one, other| one.0 == other.0) {
        let total: f64 = block.iter().map(|row| row.1).sum();
        let each = total / block.len() as f64;
        for within in 1..=block.len() {
            area += (lost + each * within as f64) / (answered + within) as f64;
        }
        answered += block.len();
        lost += total;
        points.push(Point {
            threshold: block[0].0,
            coverage: answered as f64 / n,
            risk: lost / answered as f64,
        });
    }
    let mut best = losses.to_vec();
    best.sort_unstable_by(f64::total_cmp);
    let (mut lost, mut least) = (0.0, 0.0);
    for (before, loss) in best.iter().enumerate() {
        lost += loss;
        least += lost / (before + 1) as f64;
    }
    Some(Curve {
        points,
        aurc: area / n,
        excess_aurc: (area - least) / n,
    })
}

/// The loss of each label: `1 − (label − min) / (max − min)`; `None` where the labels do not vary.
pub fn losses(labels: &[f64]) -> Option<Vec<f64>> {
    let low = labels.iter().copied().fold(f64::INFINITY, f64::min);
    let high = labels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = high - low;
    (span > 0.0 && span.is_finite()).then(|| {
        let loss = |label: &f64| 1.0 - (label - low) / span;
        labels.iter().map(loss).collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_hand() {
        let found = curve(&[0.9, 0.5, 0.5, 0.1], &[0.0, 1.0, 0.0, 1.0]).unwrap();
        let risks: Vec<f64> = found.points.iter().map(|p| p.risk).collect();
        assert_eq!(risks, [0.0, 1.0 / 3.0, 0.5]);
        let coverages: Vec<f64> = found.points.iter().map(|p| p.coverage).collect();
        assert_eq!(coverages, [0.25, 0.75, 1.0]);
        // 0, then half a loss expected of two, one of three, two of four.
        let area = (0.0 + 0.5 / 2.0 + 1.0 / 3.0 + 0.5) / 4.0;
        assert!((found.aurc - area).abs() < 1e-12);
        // At best: 0, 0, 1/3, 1/2.
        let best = (1.0 / 3.0 + 0.5) / 4.0;
        assert!((found.excess_aurc - (area - best)).abs() < 1e-12);
        assert_eq!(curve(&[], &[]), None);
        assert_eq!(curve(&[f64::NAN], &[0.0]), None);
        assert_eq!(losses(&[2.0, 4.0, 3.0]), Some(vec![1.0, 0.0, 0.5]));
        assert_eq!(losses(&[2.0, 2.0]), None);
    }

    proptest! {
        #[test]
        fn a_higher_threshold_never_covers_more(
            rows in proptest::collection::vec((0u8..9, 0u8..2), 1..60)
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let losses: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
            let found = curve(&scores, &losses).unwrap();
            for pair in found.points.windows(2) {
                prop_assert!(pair[0].threshold > pair[1].threshold);
                prop_assert!(pair[0].coverage < pair[1].coverage);
            }
            prop_assert!((found.points.last().unwrap().coverage - 1.0).abs() < 1e-12);
            prop_assert!(found.excess_aurc > -1e-12);
        }
    }
}
