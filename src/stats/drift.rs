//! Whether scores are still like those that something was calibrated on.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Scores that a threshold was calibrated on, as shares of ten bins that hold about equally many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Rising borders between the bins; a border belongs to the upper one.
    pub edges: Vec<f64>,
    /// One more than borders.
    pub shares: Vec<f64>,
    /// How many scores there were.
    #[serde(default)]
    pub scores: usize,
}

/// Bins of a [`Spread`].
const BINS: usize = 10;

impl Spread {
    /// `None` of fewer than ten scores.
    pub fn of(scores: &[f64]) -> Option<Self> {
        if scores.len() < BINS {
            return None;
        }
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..BINS)
            .map(|bin| sorted[bin * sorted.len() / BINS])
            .collect();
        edges.dedup();
        let shares = shares(&edges, scores);
        Some(Spread {
            edges,
            shares,
            scores: scores.len(),
        })
    }

    /// The population stability index of other scores: above 0.25 is usually called a shift. `None` of fewer
    /// than ten.
    pub fn drift(&self, scores: &[f64]) -> Option<f64> {
        if scores.len() < BINS || self.shares.len() != self.edges.len() + 1 {
            return None;
        }
        let after = shares(&self.edges, scores);
        let terms = self.shares.iter().zip(after);
        Some(
            terms
                .map(|(before, after)| (after - before) * (after / before).ln())
                .sum(),
        )
    }
}

impl Spread {
    /// The index above which `scores` new ones are not like these: 0.25, or where there are few, what chance alone stays
    /// below in 999 of 1,000 cases (the index over `1/n + 1/m` follows χ² with one degree less than bins; Yurdakul 2018).
    pub fn tolerance(&self, scores: usize) -> f64 {
        let degrees = self.edges.len() as f64;
        let chance = ChiSquared::new(degrees).map_or(0.0, |chi| chi.inverse_cdf(0.999));
        let noise = 1.0 / scores.max(1) as f64 + 1.0 / self.scores.max(1) as f64;
        (chance * noise).max(0.25)
    }
}

/// The share of each bin, half a score added to each so that none is 0.
fn shares(edges: &[f64], scores: &[f64]) -> Vec<f64> {
    let mut counts = vec![0.5; edges.len() + 1];
    for score in scores {
        counts[edges.partition_point(|edge| edge <= score)] += 1.0;
    }
    let all = scores.len() as f64 + 0.5 * counts.len() as f64;
    counts.into_iter().map(|count| count / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::SplitMix64;

    #[test]
    fn chance_alone_seldom_looks_like_a_drift() {
        let mut random = SplitMix64(4);
        let mut draw =
            |n: usize| -> Vec<f64> { (0..n).map(|_| random.below(1 << 20) as f64).collect() };
        for n in [10, 30, 100, 1000] {
            let alarms = (0..300)
                .filter(|_| {
                    let spread = Spread::of(&draw(240)).unwrap();
                    spread.drift(&draw(n)).unwrap() > spread.tolerance(n)
                })
                .count();
            assert!(alarms <= 6, "{alarms} of 300 with {n}");
        }
        let spread = Spread::of(&draw(240)).unwrap();
        let moved: Vec<f64> = draw(60).iter().map(|x| x / 4.0).collect();
        assert!(spread.drift(&moved).unwrap() > spread.tolerance(60));
    }

    #[test]
    fn the_same_scores_do_not_drift() {
        let column: Vec<f64> = (0..200).map(f64::from).collect();
        let spread = Spread::of(&column).unwrap();
        assert!(spread.drift(&column).unwrap() < 0.01);
        let moved: Vec<f64> = column.iter().map(|x| x + 80.0).collect();
        assert!(spread.drift(&moved).unwrap() > 0.25);
        let tied = Spread::of(&[[1.0; 30], [2.0; 30]].concat()).unwrap();
        assert_eq!(tied.edges, [1.0, 2.0]);
        assert!(tied.drift(&[1.0, 2.0].repeat(20)).unwrap() < 0.01);
        assert_eq!(Spread::of(&[1.0]), None);
    }
}
