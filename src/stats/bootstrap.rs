//! The cluster bootstrap: whole groups of rows are drawn, because rows of one instruction are not
//! independent.

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// An estimate with its percentile interval; the ends are NaN (null in JSON) where there is none: without rounds, with a
/// single group, or where no round has a value.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// On the rows themselves.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether it lies wholly above 0.
    pub fn is_above_zero(&self) -> bool {
        self.low > 0.0
    }
}

/// One drawing of groups: rows, and for each the number of the draw it came with. A group drawn twice
/// is two groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resample {
    /// Row indices.
    pub rows: Vec<usize>,
    /// Which draw each row belongs to, from 0.
    pub draws: Vec<usize>,
}

impl Resample {
    /// The drawn values of a column.
    pub fn pick<T: Copy>(&self, column: &[T]) -> Vec<T> {
        self.rows.iter().map(|row| column[*row]).collect()
    }
}

/// With more groups than this, intervals are by sections.
const MANY: usize = 100_000;

const SECTIONS: usize = 50;

/// Draws groups with replacement, as many as there are.
#[derive(Clone, Debug)]
pub struct Resampler {
    /// Rows, those of a group in a row.
    order: Vec<usize>,
    /// Where each group starts in `order`, and where the last one ends.
    starts: Vec<usize>,
    rounds: usize,
    seed: u64,
    confidence: f64,
}

impl Resampler {
    /// For rows with these group ids: 1,000 rounds, 95 %.
    pub fn new(groups: &[usize], seed: u64) -> Self {
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by_key(|row| groups[*row]);
        let mut starts = vec![0];
        let blocks = order.chunk_by(|one, other| groups[*one] == groups[*other]);
        for block in blocks {
            starts.push(starts[starts.len() - 1] + block.len());
        }
        Resampler {
            order,
            starts,
            rounds: 1000,
            seed,
            confidence: 0.95,
        }
    }

    /// Another number of rounds.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Another share of the rounds within the interval.
    pub fn confidence(mut self, confidence: f64) -> Self {
        self.confidence = confidence.clamp(0.0, 1.0);
        self
    }

    /// The interval of a statistic. Rounds in which it is undefined are left out; `None` where it is
    /// undefined on the rows themselves. Above 100,000 groups it is by sectioning instead: the spread of the
    /// statistic over 50 parts, with Student's t, which costs one round and there says the same.
    pub fn interval(&self, statistic: impl Fn(&Resample) -> Option<f64>) -> Option<Interval> {
        let estimate = statistic(&self.original())?;
        if self.groups() > MANY && self.rounds > 0 {
            return Some(self.by_sections(estimate, statistic));
        }
        let mut random = SplitMix64(self.seed);
        // One group drawn again and again says nothing of others.
        let rounds = if self.groups() > 1 { self.rounds } else { 0 };
        let mut values: Vec<f64> = (0..rounds)
            .filter_map(|_| statistic(&self.draw(&mut random)))
            .collect();
        values.sort_by(f64::total_cmp);
        let tail = (1.0 - self.confidence) / 2.0;
        Some(Interval {
            estimate,
            low: quantile(&values, tail).unwrap_or(f64::NAN),
            high: quantile(&values, 1.0 - tail).unwrap_or(f64::NAN),
        })
    }

    /// The intervals of several numbers that come from the same draws, such as the ratings of all generators, and how
    /// many of the rounds had none of them. NaN is a number that is undefined in its round; rounds without it are
    /// left out. The draws are those of [`Resampler::interval`], whatever the number of threads, and never sections:
    /// a part of the rows may well compare no two generators.
    pub fn intervals(
        &self,
        statistic: impl Fn(&Resample) -> Option<Vec<f64>> + Sync,
    ) -> Option<(Vec<Interval>, usize)> {
        let estimates = statistic(&self.original())?;
        let rounds = if self.groups() > 1 { self.rounds } else { 0 };
        // Each group takes one step of the generator.
        let at = |round: usize| SplitMix64(self.seed).after(round as u64 * self.groups() as u64);
        let drawn: Vec<Option<Vec<f64>>> = (0..rounds)
            .into_par_iter()
            .map(|round| statistic(&self.draw(&mut at(round))))
            .collect();
        let undefined = drawn.iter().filter(|values| values.is_none()).count();
        let tail = (1.0 - self.confidence) / 2.0;
        let intervals = estimates.into_iter().enumerate().map(|(place, estimate)| {
            let values = drawn.iter().flatten();
            let values = values.filter_map(|values| values.get(place).copied());
            let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
            values.sort_by(f64::total_cmp);
            Interval {
                estimate,
                low: quantile(&values, tail).unwrap_or(f64::NAN),
                high: quantile(&values, 1.0 - tail).unwrap_or(f64::NAN),
            }
        });
        Some((intervals.collect(), undefined))
    }

    fn by_sections(&self, estimate: f64, statistic: impl Fn(&Resample) -> Option<f64>) -> Interval {
        let mut order: Vec<usize> = (0..self.groups()).collect();
        let mut random = SplitMix64(self.seed);
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at + 1));
        }
        let parts = order.chunks(order.len().div_ceil(SECTIONS));
        let values: Vec<f64> = parts
            .filter_map(|part| statistic(&self.gather(part.iter().copied())))
            .collect();
        let n = values.len() as f64;
        let center = values.iter().sum::<f64>() / n;
        let spread = values.iter().map(|x| (x - center).powi(2)).sum::<f64>() / (n - 1.0);
        let t = StudentsT::new(0.0, 1.0, n - 1.0);
        let t = t.map_or(f64::NAN, |t| t.inverse_cdf(0.5 + 0.5 * self.confidence));
        let half = t * (spread / n).sqrt();
        Interval {
            estimate,
            low: estimate - half,
            high: estimate + half,
        }
    }

    /// The interval of the difference of two statistics, both on the same draws.
    pub fn difference(
        &self,
        one: impl Fn(&Resample) -> Option<f64>,
        other: impl Fn(&Resample) -> Option<f64>,
    ) -> Option<Interval> {
        self.interval(|draw| Some(one(draw)? - other(draw)?))
    }

    fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    fn original(&self) -> Resample {
        self.gather(0..self.groups())
    }

    fn draw(&self, random: &mut SplitMix64) -> Resample {
        let count = self.groups();
        self.gather((0..count).map(|_| random.below(count)))
    }

    fn gather(&self, drawn: impl Iterator<Item = usize>) -> Resample {
        let mut resample = Resample::default();
        for (draw, group) in drawn.enumerate() {
            let rows = &self.order[self.starts[group]..self.starts[group + 1]];
            resample.rows.extend_from_slice(rows);
            resample.draws.extend(rows.iter().map(|_| draw));
        }
        resample
    }
}

/// The quantile of sorted values, interpolated linearly.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let low = place.floor() as usize;
    let high = (low + 1).min(last);
    Some(sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64))
}

/// A small generator whose stream never changes with a library.
#[derive(Clone, Debug)]
pub struct SplitMix64(pub u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// As it is after this many numbers.
    pub fn after(&self, numbers: u64) -> Self {
        SplitMix64(self.0.wrapping_add(numbers.wrapping_mul(STEP)))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `count`, 0 where that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next_u64()) * count as u128) >> 64) as usize
    }
}

/// Whether a group falls into the half that is fitted on; the other half is reported on.
pub fn is_fitted_on(group: usize, seed: u64) -> bool {
    SplitMix64(seed ^ group as u64).next_u64() & 1 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::correlation::mean;

    #[test]
    fn the_generator_is_the_published_one() {
        // Reference outputs of splitmix64.c for the seed 1234567.
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
        assert_eq!(SplitMix64(1).below(0), 0);
        assert!((0..1000).all(|_| random.below(7) < 7));
    }

    #[test]
    fn quantiles_as_numpy_has_them() {
        // np.quantile([1, 2, 4, 8], [0, .25, .5, .9, 1]) = 1, 1.75, 3, 6.8, 8
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, golden) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&values, share).unwrap() - golden).abs() < 1e-12);
        }
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn whole_groups_are_drawn() {
        let groups = [3, 1, 3, 2, 1, 3];
        let resampler = Resampler::new(&groups, 5);
        assert_eq!(resampler.original().rows, [1, 4, 3, 0, 2, 5]);
        let mut random = SplitMix64(5);
        for _ in 0..50 {
            let drawn = resampler.draw(&mut random);
            assert_eq!(drawn.draws.last(), Some(&2));
            for rows in drawn.rows.chunk_by(|a, b| groups[*a] == groups[*b]) {
                let size = groups
                    .iter()
                    .filter(|group| **group == groups[rows[0]])
                    .count();
                assert_eq!(rows.len() % size, 0);
            }
        }
    }

    #[test]
    fn the_interval_of_a_mean() {
        // 400 groups of one row: the interval is about ±1.96·sd/√n.
        let values: Vec<f64> = (0..400).map(|row| f64::from(row % 20)).collect();
        let groups: Vec<usize> = (0..400).collect();
        let resampler = Resampler::new(&groups, 1).rounds(2000);
        let statistic = |draw: &Resample| Some(mean(&draw.pick(&values)));
        let found = resampler.interval(statistic).unwrap();
        assert_eq!(found.estimate, 9.5);
        let half = 1.96 * 33.25f64.sqrt() / 20.0;
        assert!((found.low - (9.5 - half)).abs() < 0.06, "{found:?}");
        assert!((found.high - (9.5 + half)).abs() < 0.06, "{found:?}");
        assert_eq!(
            resampler.interval(statistic),
            Some(found),
            "same seed, same interval"
        );
        // In groups of 20 equal rows, as wide as with 20 rows.
        let values: Vec<f64> = (0..400).map(|row| f64::from(row / 20)).collect();
        let groups: Vec<usize> = (0..400).map(|row| row / 20).collect();
        let wide = Resampler::new(&groups, 1)
            .interval(|draw| Some(mean(&draw.pick(&values))))
            .unwrap();
        assert!(wide.high - wide.low > 4.0 * (found.high - found.low));
    }

    #[test]
    fn several_numbers_have_the_intervals_that_each_has_alone() {
        let values: Vec<f64> = (0..60).map(|row| f64::from(row * 31 % 60)).collect();
        let groups: Vec<usize> = (0..60).map(|row| row / 2).collect();
        let resampler = Resampler::new(&groups, 4).rounds(200);
        let largest = |draw: &Resample| draw.pick(&values).into_iter().fold(0.0, f64::max);
        let (found, undefined) = resampler
            .intervals(|draw| Some(vec![mean(&draw.pick(&values)), largest(draw), f64::NAN]))
            .unwrap();
        let alone = resampler.interval(|draw| Some(mean(&draw.pick(&values))));
        assert_eq!((Some(found[0]), undefined), (alone, 0));
        assert_eq!(
            Some(found[1]),
            resampler.interval(|draw| Some(largest(draw)))
        );
        assert!(found[2].low.is_nan() && found[2].estimate.is_nan());
        let first = |draw: &Resample| draw.rows.contains(&0).then(|| vec![1.0]);
        let (_, undefined) = resampler.intervals(first).unwrap();
        // (1 - 1/30)^30 of 200 rounds lack a group.
        assert!((50..95).contains(&undefined), "{undefined}");
        assert_eq!(resampler.intervals(|_| None), None);
    }

    #[test]
    fn many_groups_are_sectioned() {
        let mut random = SplitMix64(8);
        let values: Vec<f64> = (0..120_000).map(|_| random.below(100) as f64).collect();
        let groups: Vec<usize> = (0..120_000).collect();
        let found = Resampler::new(&groups, 3)
            .interval(|draw| Some(mean(&draw.pick(&values))))
            .unwrap();
        // sd of 0..99 is 28.87: ± 1.96 · 28.87 / √120,000 = 0.163
        let half = (found.high - found.low) / 2.0;
        assert!((0.12..0.22).contains(&half), "{half}");
        assert_eq!(found.estimate, mean(&values));
    }

    #[test]
    fn a_paired_difference_is_narrower() {
        let groups: Vec<usize> = (0..100).collect();
        let a: Vec<f64> = (0..100).map(|row| f64::from(row * 37 % 100)).collect();
        let b: Vec<f64> = a
            .iter()
            .enumerate()
            .map(|(row, x)| x - 1.0 - (row % 3) as f64)
            .collect();
        let resampler = Resampler::new(&groups, 9);
        let found = resampler
            .difference(
                |draw| Some(mean(&draw.pick(&a))),
                |draw| Some(mean(&draw.pick(&b))),
            )
            .unwrap();
        assert!(
            found.is_above_zero() && found.high - found.low < 0.5,
            "{found:?}"
        );
        assert_eq!(resampler.interval(|_| None), None);
        let no_rows = Resampler::new(&[], 0);
        assert_eq!(
            no_rows.interval(|draw| draw.rows.first().map(|_| 0.0)),
            None
        );
    }
}
