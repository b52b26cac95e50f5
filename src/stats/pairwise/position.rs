//! How far the order of the two answers decides the verdict.

use serde::Serialize;

use super::super::bootstrap::{Interval, Resampler};
use super::super::correlation::mean;
use super::Draws;
use super::verdicts::class;

/// The verdicts on one pair in both orders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BothOrders {
    /// What answer a won where it was shown first: 1, ½, 0.
    pub first: f64,
    /// What answer a won where it was shown second.
    pub second: f64,
    /// How much more probability the first place got than the second, whatever stood there, mean of both orders:
    /// −1 … 1, 0 for a judge that does not mind.
    pub shift: f64,
}

/// Position bias over a set of pairs, with 95 % bootstrap intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PositionBias {
    /// Pairs that were judged in both orders.
    pub pairs: usize,
    /// Share of the pairs with the same verdict in both orders, ties among them.
    pub consistent: Interval,
    /// Share of the pairs of which one order says a and the other b.
    pub flipped: Interval,
    /// Of all pairs, those that flip because the first place wins in both orders; the other flips are the second's.
    pub first_wins_both: f64,
    /// Mean of [`BothOrders::shift`]: above 0 the first place is favoured.
    pub mean_shift: Interval,
    /// Mean of its size.
    pub mean_size: f64,
}

/// See [`PositionBias`]; `None` without pairs. `cluster` tells which pairs are drawn together.
pub fn position_bias(
    pairs: &[BothOrders],
    cluster: &[usize],
    draws: Draws,
) -> Option<PositionBias> {
    let share = |holds: fn(usize, usize) -> bool| -> Vec<f64> {
        let each = pairs.iter();
        each.map(|pair| f64::from(u8::from(holds(class(pair.first), class(pair.second)))))
            .collect()
    };
    let shift: Vec<f64> = pairs.iter().map(|pair| pair.shift).collect();
    let resampler = Resampler::new(cluster, draws.seed).rounds(draws.rounds);
    let of = |column: &[f64]| {
        resampler.interval(|draw| (!draw.rows.is_empty()).then(|| mean(&draw.pick(column))))
    };
    Some(PositionBias {
        pairs: pairs.len(),
        consistent: of(&share(|first, second| first == second))?,
        flipped: of(&share(|first, second| first.abs_diff(second) == 2))?,
        first_wins_both: mean(&share(|first, second| (first, second) == (2, 0))),
        mean_shift: of(&shift)?,
        mean_size: mean(&shift.iter().map(|x| x.abs()).collect::<Vec<_>>()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: Draws = Draws {
        rounds: 50,
        seed: 1,
    };

    #[test]
    fn flips_and_where_they_go() {
        let pair = |first, second| BothOrders {
            first,
            second,
            shift: (first - second) / 2.0,
        };
        let pairs = [
            pair(1.0, 0.0),
            pair(1.0, 0.0),
            pair(0.0, 1.0),
            pair(1.0, 1.0),
            pair(0.5, 0.0),
        ];
        let found = position_bias(&pairs, &[0, 1, 2, 3, 4], DRAWS).unwrap();
        assert!((found.flipped.estimate - 0.6).abs() < 1e-12);
        assert_eq!(
            (found.consistent.estimate, found.first_wins_both),
            (0.2, 0.4)
        );
        assert!((found.mean_shift.estimate - 0.15).abs() < 1e-12);
        assert!((found.mean_size - 0.35).abs() < 1e-12);
        assert_eq!(position_bias(&[], &[], DRAWS), None);
    }
}
