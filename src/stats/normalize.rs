//! Bringing signals on different scales to one (Ye & Ng 2024, §3.3: the sum of two normalised scores), fitted on
//! a data set.

use serde::{Deserialize, Serialize};

use super::correlation::mean;

/// Points of a rank normaliser; between them it is interpolated.
const POINTS: usize = 1 << 16;

/// How a signal is brought to a common scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By the ends of its own scale: needs no data.
    #[default]
    Range,
    /// By its smallest and largest value.
    Minmax,
    /// By mean and (population) standard deviation.
    Zscore,
    /// To the share of values below, ties counting half.
    Rank,
}

/// A map of one signal, monotone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalizer {
    /// `(x − offset) / length`
    Affine { offset: f64, length: f64 },
    /// Rising values, and for each the share of the data below it plus half of the share at it.
    Rank { values: Vec<f64>, shares: Vec<f64> },
}

impl Normalizer {
    /// Fits on finite values; `ends` are those of the signal's own scale. `None` where it is not defined: no
    /// values, or, but for ranks, values that do not differ.
    pub fn fit(method: Method, values: &[f64], ends: (f64, f64)) -> Option<Self> {
        let affine = |offset: f64, length: f64| {
            let usable = offset.is_finite() && length.is_finite() && length > 0.0;
            usable.then_some(Normalizer::Affine { offset, length })
        };
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(*x), high.max(*x))
            });
        match method {
            Method::Range => affine(ends.0, ends.1 - ends.0),
            Method::Minmax => affine(low, high - low),
            Method::Zscore if low < high => {
                let center = mean(values);
                let squares: Vec<f64> = values.iter().map(|x| (x - center).powi(2)).collect();
                affine(center, mean(&squares).sqrt())
            }
            Method::Zscore => None,
            Method::Rank => ranks(values),
        }
    }

    /// A value on the common scale. Beyond what it was fitted on, ranks stay at the outermost ones and the
    /// others go on.
    pub fn at(&self, x: f64) -> f64 {
        match self {
            Normalizer::Affine { offset, length } => (x - offset) / length,
            Normalizer::Rank { values, shares } => {
                let above = values.partition_point(|v| *v < x);
                match (above.checked_sub(1), values.get(above)) {
                    (_, Some(value)) if *value == x => shares[above],
                    (None, _) => 0.0,
                    (_, None) => 1.0,
                    (Some(below), Some(value)) => {
                        let way = (x - values[below]) / (value - values[below]);
                        shares[below] + way * (shares[above] - shares[below])
                    }
                }
            }
        }
    }
}

fn ranks(values: &[f64]) -> Option<Normalizer> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let all = sorted.len() as f64;
    let (mut found, mut before) = (Vec::new(), 0);
    for block in sorted.chunk_by(|a, b| a == b) {
        let share = (before as f64 + 0.5 * block.len() as f64) / all;
        found.push((block[0], share));
        before += block.len();
    }
    let last = found.len().checked_sub(1)?;
    if found.len() > POINTS {
        let at =
            |point: usize| found[(point as u128 * last as u128 / (POINTS as u128 - 1)) as usize];
        found = (0..POINTS).map(at).collect();
    }
    let (values, shares) = found.into_iter().unzip();
    Some(Normalizer::Rank { values, shares })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_on_its_own_data() {
        let values = [1.0, 3.0, 3.0, 5.0];
        let all = |method| -> Vec<f64> {
            let fitted = Normalizer::fit(method, &values, (0.0, 10.0)).unwrap();
            values.iter().map(|x| fitted.at(*x)).collect()
        };
        assert_eq!(all(Method::Range), [0.1, 0.3, 0.3, 0.5]);
        assert_eq!(all(Method::Minmax), [0.0, 0.5, 0.5, 1.0]);
        let root = 2f64.sqrt();
        for (one, other) in all(Method::Zscore).iter().zip([-root, 0.0, 0.0, root]) {
            assert!((one - other).abs() < 1e-15);
        }
        assert_eq!(all(Method::Rank), [0.125, 0.5, 0.5, 0.875]);
    }

    #[test]
    fn values_it_was_not_fitted_on() {
        let fitted = Normalizer::fit(Method::Rank, &[1.0, 3.0], (0.0, 0.0)).unwrap();
        assert_eq!(fitted.at(2.0), 0.5);
        assert_eq!((fitted.at(0.0), fitted.at(9.0)), (0.0, 1.0));
        let many: Vec<f64> = (0..200_000).map(f64::from).collect();
        let fitted = Normalizer::fit(Method::Rank, &many, (0.0, 0.0)).unwrap();
        for x in [0.0, 17.0, 123_456.0, 199_999.0] {
            assert!((fitted.at(x) - (x + 0.5) / 2e5).abs() < 1e-5);
        }
    }

    #[test]
    fn what_does_not_vary_is_not_defined() {
        for method in [Method::Minmax, Method::Zscore] {
            assert_eq!(Normalizer::fit(method, &[2.0, 2.0], (0.0, 9.0)), None);
        }
        assert_eq!(Normalizer::fit(Method::Rank, &[], (0.0, 9.0)), None);
        assert_eq!(Normalizer::fit(Method::Range, &[1.0], (3.0, 3.0)), None);
    }
}
