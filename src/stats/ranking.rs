//! Generators in the order of their mean score (Ye & Ng 2024, §5: ranking models), and which of them a
//! set of instructions cannot tell apart.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::bootstrap::{Interval, Resample, Resampler};
use super::correlation::mean;

/// Scores with who wrote the response and for which instruction, in columns of equal length.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub score: &'a [f64],
    /// Generators, from 0.
    pub generator: &'a [usize],
    /// Rows of one instruction are drawn together, and compared with each other.
    pub instruction: &'a [usize],
}

/// One generator's place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Standing {
    #[serde(skip)]
    pub generator: usize,
    /// 1 + the number of generators that are better by more than chance: those that cannot be told apart
    /// share a rank.
    pub rank: usize,
    pub rows: usize,
    pub mean: Interval,
}

/// Generators by falling mean score. Means have 95 % bootstrap intervals over instructions (`rounds` draws);
/// ranks are by paired t-tests on the instructions that two generators share, at a family-wise error of 5 %
/// (Holm 1979). A generator without a score is left out.
pub fn standings(rows: &Rows, rounds: usize, seed: u64) -> Vec<Standing> {
    let mut own: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, generator) in rows.generator.iter().enumerate() {
        own.entry(*generator).or_default().push(row);
    }
    let mut found: Vec<Standing> = own
        .iter()
        .filter_map(|(generator, own)| {
            let pick = |column: &[usize]| own.iter().map(|r| column[*r]).collect::<Vec<_>>();
            let score: Vec<f64> = own.iter().map(|r| rows.score[*r]).collect();
            let resampler = Resampler::new(&pick(rows.instruction), seed).rounds(rounds);
            Some(Standing {
                generator: *generator,
                rank: 1,
                rows: own.len(),
                mean: resampler.interval(|draw| Some(mean(&draw.pick(&score))))?,
            })
        })
        .collect();
    found.sort_by(|a, b| b.mean.estimate.total_cmp(&a.mean.estimate));
    for (_, behind, p) in comparisons(rows, &found) {
        if p < 0.05 {
            found[behind].rank += 1;
        }
    }
    found
}

/// Pairs of places in `found` that share two instructions or more: the better on those first, and the
/// Holm-adjusted p-value.
fn comparisons(rows: &Rows, found: &[Standing]) -> Vec<(usize, usize, f64)> {
    let means: Vec<BTreeMap<usize, f64>> = found
        .iter()
        .map(|standing| instruction_means(rows, standing.generator))
        .collect();
    let mut pairs = Vec::new();
    for one in 0..found.len() {
        for other in one + 1..found.len() {
            let shared = means[one].iter();
            let differences: Vec<f64> = shared
                .filter_map(|(instruction, a)| Some(a - means[other].get(instruction)?))
                .collect();
            if let Some(p) = paired_t_test(&differences) {
                let ahead = mean(&differences) >= 0.0;
                pairs.push(if ahead {
                    (one, other, p)
                } else {
                    (other, one, p)
                });
            }
        }
    }
    let adjusted = holm(&pairs.iter().map(|(.., p)| *p).collect::<Vec<_>>());
    pairs
        .into_iter()
        .zip(adjusted)
        .map(|((one, other, _), p)| (one, other, p))
        .collect()
}

fn instruction_means(rows: &Rows, generator: usize) -> BTreeMap<usize, f64> {
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    let each = rows.generator.iter().zip(rows.instruction).zip(rows.score);
    for ((_, instruction), score) in each.filter(|((own, _), _)| **own == generator) {
        let sum = sums.entry(*instruction).or_default();
        *sum = (sum.0 + score, sum.1 + 1.0);
    }
    sums.into_iter()
        .map(|(instruction, (sum, n))| (instruction, sum / n))
        .collect()
}

/// Two-sided p-value that paired differences have mean 0, by Student's t; `None` for fewer than two. Equal
/// differences other than 0 have p 0, and those that are all 0 have p 1.
pub fn paired_t_test(differences: &[f64]) -> Option<f64> {
    let n = differences.len() as f64;
    if n < 2.0 {
        return None;
    }
    let center = mean(differences);
    let squares: f64 = differences.iter().map(|d| (d - center).powi(2)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    if error == 0.0 {
        return Some(if center == 0.0 { 1.0 } else { 0.0 });
    }
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    Some(2.0 * t.cdf(-(center / error).abs()))
}

/// Holm's step-down adjustment: reject where it lies below the family-wise error.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut adjusted, mut highest) = (vec![0.0; p.len()], 0.0f64);
    for (place, at) in order.into_iter().enumerate() {
        highest = highest.max(((p.len() - place) as f64 * p[at]).min(1.0));
        adjusted[at] = highest;
    }
    adjusted
}

/// A correlation of the generators' mean scores with `known` values (NaN where there is none), over those
/// that have one: the interval is over instructions, the generators are given.
pub fn with_leaderboard(
    rows: &Rows,
    known: &[f64],
    correlation: fn(&[f64], &[f64]) -> Option<f64>,
    rounds: usize,
    seed: u64,
) -> Option<Interval> {
    let statistic = |draw: &Resample| {
        let mut sums = vec![(0.0, 0.0); known.len()];
        for row in &draw.rows {
            if let Some(sum) = sums.get_mut(rows.generator[*row]) {
                *sum = (sum.0 + rows.score[*row], sum.1 + 1.0);
            }
        }
        let both = sums.iter().zip(known);
        let (means, values): (Vec<f64>, Vec<f64>) = both
            .filter(|((_, n), value)| *n > 0.0 && !value.is_nan())
            .map(|((sum, n), value)| (sum / n, *value))
            .unzip();
        correlation(&means, &values)
    };
    let resampler = Resampler::new(rows.instruction, seed).rounds(rounds);
    resampler.interval(statistic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::spearman;

    /// Three generators on 40 instructions; the second is a hair better than the third.
    fn rows() -> (Vec<f64>, Vec<usize>, Vec<usize>) {
        let (mut score, mut generator, mut instruction) = (vec![], vec![], vec![]);
        for i in 0..40 {
            let ease = f64::from(i % 7);
            for (g, bonus) in [(0, -1.0), (1, 0.01), (2, 0.0)] {
                score.push(ease + bonus + 0.1 * f64::from((i * 13 + g * 5) % 11));
                generator.push(g as usize);
                instruction.push(i as usize);
            }
        }
        (score, generator, instruction)
    }

    #[test]
    fn generators_that_cannot_be_told_apart_share_a_rank() {
        let (score, generator, instruction) = rows();
        let rows = Rows {
            score: &score,
            generator: &generator,
            instruction: &instruction,
        };
        let found = standings(&rows, 200, 1);
        let ranks: Vec<(usize, usize)> = found.iter().map(|s| (s.generator, s.rank)).collect();
        assert_eq!((ranks[0].1, ranks[1].1), (1, 1));
        assert_eq!(ranks[2], (0, 3));
        assert!(found.iter().all(|s| s.rows == 40));
        assert!(found[0].mean.low < found[0].mean.estimate);
        let known = [1.0, 3.0, 2.0];
        let found = with_leaderboard(&rows, &known, spearman, 100, 1).unwrap();
        assert_eq!(found.high, 1.0);
        let one = with_leaderboard(&rows, &[1.0, f64::NAN, f64::NAN], spearman, 10, 1);
        assert_eq!(one, None);
    }

    #[test]
    fn what_cannot_be_tested_is_not() {
        assert_eq!(paired_t_test(&[1.0]), None);
        assert_eq!(paired_t_test(&[0.0, 0.0]), Some(1.0));
        assert_eq!(paired_t_test(&[1.0, 1.0]), Some(0.0));
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }
}
