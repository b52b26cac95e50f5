//! A mean from few labels and many scores: prediction-powered inference with power tuning (PPI++, Angelopoulos,
//! Duchi & Zrnic 2023, eq. 3 and §6).

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

/// Population mean of the labels from `labelled` rows (score, label) and the `scores` of further ones, independent
/// of each other. `None` with fewer than two labelled rows or without further ones.
pub fn powered_mean(
    labelled: &[(f64, f64)],
    scores: &[f64],
    confidence: f64,
) -> Option<PoweredMean> {
    let (n, rest) = (labelled.len() as f64, scores.len() as f64);
    if labelled.len() < 2 || scores.is_empty() {
        return None;
    }
    let (f, y): (Vec<f64>, Vec<f64>) = labelled.iter().copied().unzip();
    let (mean_f, mean_y, mean_rest) = (mean(&f), mean(&y), mean(scores));
    let covariance = labelled
        .iter()
        .map(|(f, y)| (f - mean_f) * (y - mean_y))
        .sum::<f64>()
        / n;
    let all: Vec<f64> = f.iter().chain(scores).copied().collect();
    // Of the sample here and of the rows below, as the authors' ppi_py has it.
    let all_rows = all.len() as f64;
    let spread = variance(&all) * all_rows / (all_rows - 1.0);
    let lambda = match spread > 0.0 {
        true => covariance / ((1.0 + n / rest) * spread),
        false => 0.0,
    };
    let corrected: Vec<f64> = labelled.iter().map(|(f, y)| y - lambda * f).collect();
    let powered = mean(&corrected) + lambda * mean_rest;
    let rest_variance = if scores.len() > 1 {
        variance(scores)
    } else {
        0.0
    };
    let error = (variance(&corrected) / n + lambda * lambda * rest_variance / rest).sqrt();
    let z = Normal::standard().inverse_cdf(0.5 + 0.5 * confidence);
    let around = |estimate: f64, error: f64| Interval {
        estimate,
        low: estimate - z * error,
        high: estimate + z * error,
    };
    Some(PoweredMean {
        labelled: labelled.len(),
        unlabelled: scores.len(),
        labels_alone: around(mean_y, (variance(&y) / n).sqrt()),
        powered: around(powered, error),
        lambda,
    })
}

/// The mean square of deviations.
fn variance(values: &[f64]) -> f64 {
    let center = mean(values);
    values.iter().map(|x| (x - center).powi(2)).sum::<f64>() / values.len() as f64
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
            let labelled: Vec<(f64, f64)> = (0..40).map(|_| row()).collect();
            let scores: Vec<f64> = (0..2000).map(|_| row().0).collect();
            let found = powered_mean(&labelled, &scores, 0.95).unwrap();
            let width = |i: Interval| i.high - i.low;
            held += usize::from(found.powered.low <= 0.5 && found.powered.high >= 0.5);
            narrower += usize::from(width(found.powered) < 0.7 * width(found.labels_alone));
        }
        assert!((365..=395).contains(&held), "{held} of 400");
        assert_eq!(narrower, 400);
    }

    #[test]
    fn scores_that_tell_nothing_do_no_harm() {
        let labelled: Vec<(f64, f64)> = (0..50).map(|i| (1.0, f64::from(i % 2))).collect();
        let found = powered_mean(&labelled, &[1.0, 1.0], 0.95).unwrap();
        assert_eq!(found.lambda, 0.0);
        assert_eq!(found.powered, found.labels_alone);
        assert_eq!(powered_mean(&labelled[..1], &[1.0], 0.95), None);
        assert_eq!(powered_mean(&labelled, &[], 0.95), None);
    }
}
