//! How many values lie where.

use super::agreement::categories;

/// Bins of values that are no small whole numbers.
const BINS: usize = 30;

/// Values with more distinct whole numbers than this are binned as any others.
const WHOLE: f64 = 40.0;

/// Equally wide bins over a stretch of numbers.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Bins {
    /// Where the first begins, and where the last ends.
    pub low: f64,
    pub high: f64,
    pub bins: usize,
}

impl Bins {
    /// Bins over `range`, or without one over what the values span; a bin for each whole number where all values
    /// are such. `None` where no value is finite.
    pub fn of(values: &[f64], range: Option<(f64, f64)>) -> Option<Self> {
        let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
        let found = categories(&finite);
        let (mut low, mut high) = (*found.first()?, *found.last()?);
        if let Some((from, to)) = range.filter(|(from, to)| from < to) {
            // A value beyond the scale is shown all the same.
            (low, high) = (low.min(from), high.max(to));
        }
        let whole = found.iter().all(|x| x.fract() == 0.0) && low.fract() == 0.0;
        if whole && high.fract() == 0.0 && high - low < WHOLE {
            return Some(Bins {
                low: low - 0.5,
                high: high + 0.5,
                bins: (high - low) as usize + 1,
            });
        }
        let (low, high) = widened(low, high);
        Some(Bins {
            low,
            high,
            bins: BINS,
        })
    }

    /// How many values lie in each; the last holds its upper end, too, and what is not finite is in none.
    pub fn count(&self, values: impl IntoIterator<Item = f64>) -> Vec<usize> {
        let mut counts = vec![0; self.bins];
        for value in values.into_iter().filter(|x| x.is_finite()) {
            let place = (value - self.low) / (self.high - self.low) * self.bins as f64;
            let bin = (place.max(0.0) as usize).min(self.bins - 1);
            counts[bin] += 1;
        }
        counts
    }

    /// Where a bin begins, and where it ends.
    pub fn edges(&self, bin: usize) -> (f64, f64) {
        let width = (self.high - self.low) / self.bins as f64;
        let low = self.low + width * bin as f64;
        (low, low + width)
    }
}

/// Ends of a stretch that can be drawn: neither without length nor beyond what numbers can tell apart.
pub fn widened(low: f64, high: f64) -> (f64, f64) {
    const FAR: f64 = 1e300;
    const NEAR: f64 = 1e-90;
    let (low, high) = (low.clamp(-FAR, FAR), high.clamp(-FAR, FAR));
    let size = low.abs().max(high.abs());
    match high - low > 1e-9 * size.max(NEAR) {
        true => (low, high),
        false => {
            let more = if size > NEAR { size / 10.0 } else { 0.5 };
            (low - more, high + more)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_is_in_one_bin() {
        let values = [0.0, 0.1, 4.5, 9.0, f64::NAN, 8.95];
        let bins = Bins::of(&values, Some((0.0, 9.0))).unwrap();
        assert_eq!((bins.low, bins.high, bins.bins), (0.0, 9.0, BINS));
        let counts = bins.count(values);
        assert_eq!(counts.iter().sum::<usize>(), 5);
        assert_eq!((counts[0], counts[15], counts[29]), (2, 1, 2));
        assert_eq!(bins.edges(29).1, 9.0);
    }

    #[test]
    fn whole_numbers_have_bins_of_their_own() {
        let bins = Bins::of(&[1.0, 5.0, 5.0], Some((0.0, 9.0))).unwrap();
        assert_eq!((bins.low, bins.high, bins.bins), (-0.5, 9.5, 10));
        assert_eq!(bins.count([1.0, 5.0, 5.0])[5], 2);
        assert_eq!(bins.edges(5), (4.5, 5.5));
    }

    #[test]
    fn extremes_have_a_length() {
        for values in [
            &[0.3, 0.3][..],
            &[0.1, 0.1 + f64::EPSILON],
            &[f64::MIN, f64::MAX],
            &[0.5, f64::INFINITY],
        ] {
            let bins = Bins::of(values, None).unwrap();
            let length = bins.high - bins.low;
            assert!(length > 0.0 && length.is_finite(), "{bins:?}");
        }
        assert_eq!(Bins::of(&[f64::NAN], Some((0.0, 1.0))), None);
        assert_eq!(Bins::of(&[2.0], None).unwrap().bins, 1);
    }
}
