//! From scores to probabilities of being good, and how far those hold.

use serde::Serialize;

/// A monotone step function fitted by pooling adjacent violators (Ayer et al. 1955), interpolated between
/// its knots as scikit-learn's `IsotonicRegression` does and constant outside.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Isotonic {
    scores: Vec<f64>,
    values: Vec<f64>,
}

impl Isotonic {
    /// The non-decreasing function of the score with the least squared error; `None` of no rows, columns of
    /// different lengths, and values that are not numbers.
    pub fn fit(scores: &[f64], targets: &[f64]) -> Option<Self> {
        let rows = sorted(scores, targets)?;
        // Knots: a score, the mean of its targets, their number. Blocks: mean, number, knots.
        let mut knots = Vec::new();
        let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
        for same in rows.chunk_by(|one, other| one.0 == other.0) {
            let number = same.len() as f64;
            let mean = same.iter().map(|row| row.1).sum::<f64>() / number;
            knots.push(same[0].0);
            let mut block = (mean, number, 1);
            while let Some(last) = blocks.last().copied().filter(|last| last.0 >= block.0) {
                let number = last.1 + block.1;
                block = (
                    (last.0 * last.1 + block.0 * block.1) / number,
                    number,
                    last.2 + block.2,
                );
                blocks.pop();
            }
            blocks.push(block);
        }
        let each = |block: (f64, f64, usize)| std::iter::repeat_n(block.0, block.2);
        Some(Isotonic {
            scores: knots,
            values: blocks.into_iter().flat_map(each).collect(),
        })
    }

    /// The value at a score.
    pub fn at(&self, score: f64) -> f64 {
        let next = self.scores.partition_point(|knot| *knot < score);
        match (next.checked_sub(1), self.scores.get(next)) {
            (None, _) => self.values.first().copied().unwrap_or(f64::NAN),
            (Some(last), None) => self.values[last],
            (Some(last), Some(knot)) => {
                let share = (score - self.scores[last]) / (knot - self.scores[last]);
                self.values[last] + share * (self.values[next] - self.values[last])
            }
        }
    }
}

/// `intercept + slope · score`, least squares, clipped to `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Affine {
    pub intercept: f64,
    pub slope: f64,
}

impl Affine {
    /// The line with the least squared error; level where the scores do not vary. `None` as
    /// [`Isotonic::fit`].
    pub fn fit(scores: &[f64], targets: &[f64]) -> Option<Self> {
        let rows = sorted(scores, targets)?;
        let n = rows.len() as f64;
        let x_mean = rows.iter().map(|row| row.0).sum::<f64>() / n;
        let y_mean = rows.iter().map(|row| row.1).sum::<f64>() / n;
        let (mut xx, mut xy) = (0.0, 0.0);
        for (x, y) in &rows {
            xx += (x - x_mean).powi(2);
            xy += (x - x_mean) * (y - y_mean);
        }
        let slope = if xx > 0.0 { xy / xx } else { 0.0 };
        Some(Affine {
            intercept: y_mean - slope * x_mean,
            slope,
        })
    }

    /// The probability at a score.
    pub fn at(&self, score: f64) -> f64 {
        (self.intercept + self.slope * score).clamp(0.0, 1.0)
    }
}

fn sorted(scores: &[f64], targets: &[f64]) -> Option<Vec<(f64, f64)>> {
    let numbers = scores.iter().chain(targets).all(|value| !value.is_nan());
    if scores.is_empty() || scores.len() != targets.len() || !numbers {
        return None;
    }
    let rows = scores.iter().zip(targets);
    let mut rows: Vec<(f64, f64)> = rows.map(|(x, y)| (x + 0.0, *y)).collect();
    rows.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    Some(rows)
}

/// A stretch of probabilities: what they promise and what came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    pub rows: usize,
    /// Mean probability.
    pub promised: f64,
    /// Share of good ones.
    pub came: f64,
}

/// Bins of equally many rows by rising probability, at most `bins`; equal probabilities may be parted.
pub fn reliability(probabilities: &[f64], good: &[bool], bins: usize) -> Option<Vec<Bin>> {
    let targets: Vec<f64> = good.iter().map(|good| f64::from(u8::from(*good))).collect();
    let rows = sorted(probabilities, &targets)?;
    let bins = bins.clamp(1, rows.len());
    let edge = |bin: usize| bin * rows.len() / bins;
    let bin = |bin: usize| {
        let rows = &rows[edge(bin)..edge(bin + 1)];
        let n = rows.len() as f64;
        Bin {
            rows: rows.len(),
            promised: rows.iter().map(|row| row.0).sum::<f64>() / n,
            came: rows.iter().map(|row| row.1).sum::<f64>() / n,
        }
    };
    Some((0..bins).map(bin).collect())
}

/// Expected calibration error: the bins' mean distance of promise and outcome, weighted by rows (Naeini et
/// al. 2015, equal-mass bins).
pub fn expected_error(bins: &[Bin]) -> Option<f64> {
    let rows: usize = bins.iter().map(|bin| bin.rows).sum();
    let error = |bin: &Bin| bin.rows as f64 * (bin.promised - bin.came).abs();
    (rows > 0).then(|| bins.iter().map(error).sum::<f64>() / rows as f64)
}

/// Mean squared error of probabilities (Brier 1950).
pub fn brier(probabilities: &[f64], good: &[bool]) -> Option<f64> {
    mean(probabilities, good, |p, good| (p - good).powi(2))
}

/// Mean negative logarithm of what was given to the outcome, probabilities kept `1e-15` away from 0 and 1.
pub fn log_loss(probabilities: &[f64], good: &[bool]) -> Option<f64> {
    mean(probabilities, good, |p, good| {
        let p = p.clamp(1e-15, 1.0 - 1e-15);
        -(good * p.ln() + (1.0 - good) * (1.0 - p).ln())
    })
}

fn mean(probabilities: &[f64], good: &[bool], loss: impl Fn(f64, f64) -> f64) -> Option<f64> {
    let numbers = probabilities.iter().all(|p| !p.is_nan());
    if probabilities.is_empty() || probabilities.len() != good.len() || !numbers {
        return None;
    }
    let rows = probabilities.iter().zip(good);
    let sum: f64 = rows
        .map(|(p, good)| loss(*p, f64::from(u8::from(*good))))
        .sum();
    Some(sum / probabilities.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled() {
        let fit = Isotonic::fit(&[1.0, 2.0, 3.0, 4.0], &[0.0, 1.0, 0.0, 1.0]).unwrap();
        assert_eq!(fit.values, [0.0, 0.5, 0.5, 1.0]);
        assert_eq!((fit.at(0.0), fit.at(1.5), fit.at(2.5)), (0.0, 0.25, 0.5));
        assert_eq!(fit.at(9.0), 1.0);
        assert_eq!(Isotonic::fit(&[], &[]), None);
    }

    #[test]
    fn bins_hold_equally_many() {
        let p: Vec<f64> = (0..31).map(|i| f64::from(i) / 31.0).collect();
        let good: Vec<bool> = (0..31).map(|i| i % 2 == 0).collect();
        let bins = reliability(&p, &good, 15).unwrap();
        assert_eq!(bins.len(), 15);
        assert!(bins.iter().all(|bin| (2..=3).contains(&bin.rows)));
        assert_eq!(bins.iter().map(|bin| bin.rows).sum::<usize>(), 31);
        assert_eq!(reliability(&p[..3], &good[..3], 15).unwrap().len(), 3);
        assert_eq!(expected_error(&[]), None);
        assert_eq!(brier(&[1.0, 0.0], &[true, false]), Some(0.0));
        assert!(log_loss(&[0.0], &[true]).unwrap() > 30.0);
        assert_eq!(brier(&[f64::NAN], &[true]), None);
    }
}
