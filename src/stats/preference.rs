//! Whether a judge favours some generators beyond what the labels say.

use super::bootstrap::Interval;
use super::{Resample, Resampler};

/// Labels with more distinct values than this are put into as many bins of equally many rows.
const STRATA: usize = 10;

/// How much higher a judge scores its own family than others at equal label: the mean difference within labels (or tenths
/// of them), weighted by the family's rows; intervals over clusters. `None` where no label has rows of both.
pub fn self_preference(
    score: &[f64],
    label: &[f64],
    is_own: &[bool],
    cluster: &[usize],
    rounds: usize,
    seed: u64,
) -> Option<Interval> {
    let strata = strata(label);
    let resampler = Resampler::new(cluster, seed).rounds(rounds);
    let statistic = |draw: &Resample| {
        let mut sides = vec![[(0.0, 0.0); 2]; strata.iter().max().map_or(0, |most| most + 1)];
        for row in &draw.rows {
            let side = &mut sides[strata[*row]][usize::from(is_own[*row])];
            *side = (side.0 + score[*row], side.1 + 1.0);
        }
        let (mut sum, mut rows) = (0.0, 0.0);
        for [others, own] in sides {
            if own.1 > 0.0 && others.1 > 0.0 {
                sum += own.1 * (own.0 / own.1 - others.0 / others.1);
                rows += own.1;
            }
        }
        (rows > 0.0).then(|| sum / rows)
    };
    resampler.interval(statistic)
}

/// The place of each label among the distinct ones, or its tenth where there are many.
fn strata(label: &[f64]) -> Vec<usize> {
    let mut values = label.to_vec();
    values.sort_by(f64::total_cmp);
    let rows = values.len();
    let mut distinct = values.clone();
    distinct.dedup();
    let edges = match distinct.len() > 2 * STRATA {
        false => distinct,
        true => {
            let mut edges: Vec<f64> = (0..STRATA).map(|bin| values[bin * rows / STRATA]).collect();
            edges.dedup();
            edges
        }
    };
    let place = |label: &f64| {
        edges
            .partition_point(|edge| edge <= label)
            .saturating_sub(1)
    };
    label.iter().map(place).collect()
}

/// A correlation of scores with something seen at a glance, beside that of the labels: a judge that follows length
/// more than people do is led by it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Led {
    /// Spearman's correlation of the score.
    pub judge: Option<Interval>,
    /// The same of the label.
    pub label: Option<Interval>,
    /// Judge minus label, drawn together.
    pub difference: Option<Interval>,
}

/// See [`Led`].
pub fn led_by(
    seen: &[f64],
    score: &[f64],
    label: &[f64],
    cluster: &[usize],
    rounds: usize,
    seed: u64,
) -> Led {
    let resampler = Resampler::new(cluster, seed).rounds(rounds);
    let with =
        |column: &[f64], draw: &Resample| super::spearman(&draw.pick(seen), &draw.pick(column));
    Led {
        judge: resampler.interval(|draw| with(score, draw)),
        label: resampler.interval(|draw| with(label, draw)),
        difference: resampler.difference(|draw| with(score, draw), |draw| with(label, draw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bonus_at_equal_label_is_found() {
        // The family has better labels too: only the bonus of 0.5 counts.
        let rows = 400;
        let is_own: Vec<bool> = (0..rows).map(|i| i % 2 == 0).collect();
        let label: Vec<f64> = (0..rows)
            .map(|i| f64::from((i / 2) % 5 + i32::from(i % 2 == 0)))
            .collect();
        let score: Vec<f64> = label
            .iter()
            .zip(&is_own)
            .map(|(label, own)| label + if *own { 0.5 } else { 0.0 })
            .collect();
        let cluster: Vec<usize> = (0..rows as usize).map(|i| i / 2).collect();
        let found = self_preference(&score, &label, &is_own, &cluster, 100, 1).unwrap();
        assert!((found.estimate - 0.5).abs() < 1e-12);
        assert!(found.is_above_zero());
        let none = self_preference(&score, &label, &vec![true; 400], &cluster, 10, 1);
        assert_eq!(none, None);
    }

    #[test]
    fn many_labels_are_put_into_tenths() {
        let label: Vec<f64> = (0..1000).map(|i| f64::from((i * 37) % 1000)).collect();
        let found = strata(&label);
        assert_eq!(found.iter().max(), Some(&9));
        assert_eq!(found.iter().filter(|s| **s == 4).count(), 100);
        assert_eq!(strata(&[2.0, 1.0, 2.0]), [1, 0, 1]);
    }

    #[test]
    fn a_judge_of_length_is_led_by_it() {
        let length: Vec<f64> = (0..100).map(f64::from).collect();
        let label: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 100)).collect();
        let cluster: Vec<usize> = (0..100).collect();
        let found = led_by(&length, &length, &label, &cluster, 50, 2);
        assert!((found.judge.unwrap().estimate - 1.0).abs() < 1e-12);
        assert!(found.difference.unwrap().is_above_zero());
    }
}
