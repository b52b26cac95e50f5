//! A mean from few labels and many scores: prediction-powered inference with power tuning (PPI++, Angelopoulos,
//! Duchi & Zrnic 2023, eq. 3 and §6).

use std::collections::HashMap;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

use super::bootstrap::Interval;
use super::correlation::mean;

/// A mean label with intervals by the labels alone and with the help of scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PoweredMean {
    pub labelled: usize,
    pub unlabelled: usize,
    /// By the labelled rows alone (normal interval).
    pub labels_alone: Interval,
    /// Labels and scores.
    pub powered: Interval,
    /// Weight of the scores (not clipped to 0 … 1: scores and labels may be on different scales), in units of the label a unit of the score.
    pub lambda: f64,
}

/// A labelled row, with the cluster that it is not independent of.
#[derive(Clone, Copy, Debug)]
pub struct Labelled {
    pub score: f64,
    pub label: f64,
    pub cluster: usize,
}

/// Population mean of the labels from labelled rows and the scores of further ones, each with its cluster: rows of one
/// cluster count as one draw. `None` with fewer than two clusters on either side.
pub fn powered_mean(
    labelled: &[Labelled],
    further: &[(f64, usize)],
    confidence: f64,
) -> Option<PoweredMean> {
    let (n, rest) = (labelled.len() as f64, further.len() as f64);
    let own: Vec<usize> = labelled.iter().map(|row| row.cluster).collect();
    let others: Vec<usize> = further.iter().map(|(_, cluster)| *cluster).collect();
    let several = |clusters: &[usize]| clusters.iter().any(|c| Some(c) != clusters.first());
    if !several(&own) || !several(&others) {
        return None;
    }
    let f: Vec<f64> = labelled.iter().map(|row| row.score).collect();
    let y: Vec<f64> = labelled.iter().map(|row| row.label).collect();
    let scores: Vec<f64> = further.iter().map(|(score, _)| *score).collect();
    let (mean_f, mean_y) = (mean(&f), mean(&y));
    let products = f.iter().zip(&y).map(|(f, y)| (f - mean_f) * (y - mean_y));
    let covariance = products.sum::<f64>() / n;
    let all: Vec<f64> = f.iter().chain(&scores).copied().collect();
    // Of the sample here and of the rows below, as the authors' ppi_py has it.
    let center = mean(&all);
    let squares: f64 = all.iter().map(|x| (x - center).powi(2)).sum();
    let spread = squares / (all.len() as f64 - 1.0);
    let lambda = match spread > 0.0 {
        true => covariance / ((1.0 + n / rest) * spread),
        false => 0.0,
    };
    let corrected: Vec<f64> = f.iter().zip(&y).map(|(f, y)| y - lambda * f).collect();
    let powered = mean(&corrected) + lambda * mean(&scores);
    let error = (mean_variance(&corrected, &own)
        + lambda * lambda * mean_variance(&scores, &others))
    .sqrt();
    let z = Normal::standard().inverse_cdf(0.5 + 0.5 * confidence);
    let around = |estimate: f64, error: f64| Interval {
        estimate,
        low: estimate - z * error,
        high: estimate + z * error,
    };
    Some(PoweredMean {
        labelled: labelled.len(),
        unlabelled: further.len(),
        labels_alone: around(mean_y, mean_variance(&y, &own).sqrt()),
        powered: around(powered, error),
        lambda,
    })
}

/// The variance of the mean, rows of a cluster drawn together: `Σ_c (Σ_{i∈c} x_i − x̄)² / n²`.
fn mean_variance(values: &[f64], cluster: &[usize]) -> f64 {
    let center = mean(values);
    let mut sums: HashMap<usize, f64> = HashMap::new();
    for (x, cluster) in values.iter().zip(cluster) {
        *sums.entry(*cluster).or_default() += x - center;
    }
    let mut sums: Vec<(usize, f64)> = sums.into_iter().collect();
    // In an order of its own, so that rounding is the same in every run.
    sums.sort_unstable_by_key(|(cluster, _)| *cluster);
    sums.iter().map(|(_, sum)| sum * sum).sum::<f64>() / (values.len() as f64).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::SplitMix64;

    fn uniform(random: &mut SplitMix64) -> f64 {
        (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    #[test]
    fn intervals_hold_and_scores_narrow_them() {
        // Labels of mean 0.5, scores that follow them with a bias that nobody knows.
        let mut random = SplitMix64(5);
        let (mut held, mut narrower) = (0, 0);
        for _ in 0..400 {
            let mut row = || {
                let label = uniform(&mut random);
                (3.0 + 2.0 * label + 0.3 * uniform(&mut random), label)
            };
            let labelled: Vec<Labelled> = (0..40)
                .map(|cluster| {
                    let (score, label) = row();
                    Labelled {
                        score,
                        label,
                        cluster,
                    }
                })
                .collect();
            let further: Vec<(f64, usize)> = (0..2000).map(|at| (row().0, 40 + at)).collect();
            let found = powered_mean(&labelled, &further, 0.95).unwrap();
            let width = |i: Interval| i.high - i.low;
            held += usize::from(found.powered.low <= 0.5 && found.powered.high >= 0.5);
            narrower += usize::from(width(found.powered) < 0.7 * width(found.labels_alone));
        }
        assert!((365..=395).contains(&held), "{held} of 400");
        assert_eq!(narrower, 400);
    }

    fn labelled(rows: usize, together: usize) -> Vec<Labelled> {
        let row = |i: usize| Labelled {
            score: 1.0,
            label: ((i / together) % 2) as f64,
            cluster: i / together,
        };
        (0..rows).map(row).collect()
    }

    #[test]
    fn scores_that_tell_nothing_do_no_harm() {
        let further = [(1.0, 100), (1.0, 101)];
        let found = powered_mean(&labelled(50, 1), &further, 0.95).unwrap();
        assert_eq!(found.lambda, 0.0);
        assert_eq!(found.powered, found.labels_alone);
        assert!(powered_mean(&labelled(50, 1)[..1], &further, 0.95).is_none());
        assert!(powered_mean(&labelled(50, 1), &further[..1], 0.95).is_none());
    }

    #[test]
    fn rows_of_a_cluster_count_once() {
        let further = [(1.0, 100), (1.0, 101)];
        let once = powered_mean(&labelled(50, 1), &further, 0.95).unwrap();
        let thrice = powered_mean(&labelled(150, 3), &further, 0.95).unwrap();
        assert!((once.powered.low - thrice.powered.low).abs() < 1e-12);
    }
}
