//! The figures by which a judge is measured against labels, and two judges against each other.

use super::bootstrap::{Interval, Resample, Resampler};
use super::{auroc, pearson, spearman, within};

/// What is needed of each row, in columns of equal length.
#[derive(Clone, Copy, Debug)]
pub struct JudgedRows<'a> {
    /// The label: how likely the answer is the better one, in `[0, 1]`.
    pub p: &'a [f64],
    /// The instruction each row belongs to.
    pub instruction: &'a [usize],
    /// Length of the answer in characters.
    pub length: &'a [f64],
}

/// The figures of one judge. A figure that is not defined on these rows is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Pearson of score and p over all rows.
    pub pearson: Option<f64>,
    /// Pearson within an instruction, averaged over instructions.
    pub within: Option<f64>,
    /// Spearman within an instruction, averaged over instructions. Where most p are nearly 0 it is
    /// about the order of these.
    pub within_spearman: Option<f64>,
    /// Area under the curve for p > 0.5.
    pub auc: Option<f64>,
    /// Share of pairs put in the right order: two answers of nearly equal length to one instruction,
    /// of which one is clearly better.
    pub pairs: Option<f64>,
    /// How many such pairs there are.
    pub pair_count: usize,
}

/// Lengths of a pair differ by less than this, in natural logarithms.
pub const PAIR_LENGTH: f64 = 0.1;

/// Labels of a pair differ by more than this.
pub const PAIR_LABEL: f64 = 0.3;

type Figure = fn(&Columns) -> Option<f64>;

const FIGURES: [Figure; 5] = [
    |rows| pearson(&rows.score, &rows.p),
    |rows| within(pearson, &rows.score, &rows.p, &rows.group).map(|found| found.mean),
    |rows| within(spearman, &rows.score, &rows.p, &rows.group).map(|found| found.mean),
    |rows| {
        let good: Vec<bool> = rows.p.iter().map(|p| *p > 0.5).collect();
        auroc(&rows.score, &good)
    },
    |rows| {
        let (right, pairs) = ordered_pairs(rows);
        (pairs > 0).then(|| right / pairs as f64)
    },
];

struct Columns {
    score: Vec<f64>,
    p: Vec<f64>,
    group: Vec<usize>,
    length: Vec<f64>,
}

impl Columns {
    fn of(rows: &JudgedRows, score: &[f64], draw: &Resample) -> Columns {
        Columns {
            score: draw.pick(score),
            p: draw.pick(rows.p),
            group: draw.draws.clone(),
            length: draw.pick(rows.length),
        }
    }
}

impl JudgedRows<'_> {
    fn fits(&self, score: &[f64]) -> bool {
        let n = score.len();
        self.p.len() == n && self.instruction.len() == n && self.length.len() == n
    }
}

/// The figures of a judge's scores; all `None` where the columns differ in length.
pub fn figures(rows: &JudgedRows, score: &[f64]) -> Figures {
    if !rows.fits(score) {
        return Figures::default();
    }
    let columns = Columns {
        score: score.to_vec(),
        p: rows.p.to_vec(),
        group: rows.instruction.to_vec(),
        length: rows.length.to_vec(),
    };
    let [pearson, within, within_spearman, auc, pairs] = FIGURES.map(|figure| figure(&columns));
    Figures {
        pearson,
        within,
        within_spearman,
        auc,
        pairs,
        pair_count: ordered_pairs(&columns).1,
    }
}

/// How far one judge is ahead of another, figure by figure, with intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Difference of Pearson.
    pub pearson: Option<Interval>,
    /// Difference of the mean Pearson within an instruction.
    pub within: Option<Interval>,
    /// Difference of the mean Spearman within an instruction.
    pub within_spearman: Option<Interval>,
    /// Difference of the area under the curve.
    pub auc: Option<Interval>,
    /// Difference of pair accuracy.
    pub pairs: Option<Interval>,
}

/// `one` minus `other` on the same rows: the interval holds `confidence` of the differences over
/// draws of whole instructions.
pub fn compare(rows: &JudgedRows, one: &[f64], other: &[f64], resampler: &Resampler) -> Comparison {
    if !rows.fits(one) || !rows.fits(other) {
        return Comparison::default();
    }
    let [pearson, within, within_spearman, auc, pairs] = FIGURES.map(|figure| {
        resampler.difference(
            |draw| figure(&Columns::of(rows, one, draw)),
            |draw| figure(&Columns::of(rows, other, draw)),
        )
    });
    Comparison {
        pearson,
        within,
        within_spearman,
        auc,
        pairs,
    }
}

/// The intervals of one judge's figures.
pub fn intervals(rows: &JudgedRows, score: &[f64], resampler: &Resampler) -> Comparison {
    if !rows.fits(score) {
        return Comparison::default();
    }
    let [pearson, within, within_spearman, auc, pairs] =
        FIGURES.map(|figure| resampler.interval(|draw| figure(&Columns::of(rows, score, draw))));
    Comparison {
        pearson,
        within,
        within_spearman,
        auc,
        pairs,
    }
}

/// How many pairs are put in the right order, ties counting half, and how many pairs there are.
fn ordered_pairs(rows: &Columns) -> (f64, usize) {
    let mut order: Vec<usize> = (0..rows.score.len()).collect();
    order.sort_by_key(|row| rows.group[*row]);
    let logs: Vec<f64> = rows
        .length
        .iter()
        .map(|length| length.max(1.0).ln())
        .collect();
    let (mut right, mut pairs) = (0.0, 0);
    for group in order.chunk_by(|a, b| rows.group[*a] == rows.group[*b]) {
        for (place, a) in group.iter().enumerate() {
            for b in &group[place + 1..] {
                let label = rows.p[*a] - rows.p[*b];
                if (logs[*a] - logs[*b]).abs() >= PAIR_LENGTH || label.abs() <= PAIR_LABEL {
                    continue;
                }
                pairs += 1;
                let score = (rows.score[*a] - rows.score[*b]) * label.signum();
                if score > 0.0 {
                    right += 1.0;
                } else if score == 0.0 {
                    right += 0.5;
                }
            }
        }
    }
    (right, pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let p = [0.9, 0.1, 0.5, 0.8, 0.2, 0.25];
        let instruction = [0, 0, 0, 1, 1, 1];
        // Within 0: rows 0 and 1 are close in length; row 2 is far. Within 1: all close, but 4 and 5
        // are alike in p.
        let length = [100.0, 105.0, 300.0, 50.0, 52.0, 51.0];
        let rows = JudgedRows {
            p: &p,
            instruction: &instruction,
            length: &length,
        };
        let score = [3.0, 1.0, 2.0, 5.0, 5.0, 1.0];
        let found = figures(&rows, &score);
        // Pairs (0,1) right, (3,4) tied, (3,5) right.
        assert!((found.pairs.unwrap() - 2.5 / 3.0).abs() < 1e-12);
        assert_eq!(found.pair_count, 3);
        // 0: ranks agree; 1: scores 2.5 2.5 1 against 3 1 2 → 0.
        assert!((found.within_spearman.unwrap() - 0.5).abs() < 1e-12);
        // Good: 3 and 5 against 1, 2, 5, 1.
        assert!((found.auc.unwrap() - 6.5 / 8.0).abs() < 1e-12);
        assert!(found.pearson.is_some() && found.within.is_some());
        assert_eq!(figures(&rows, &score[1..]), Figures::default());
    }

    #[test]
    fn a_judge_against_itself_and_against_noise() {
        let n = 300;
        let p: Vec<f64> = (0..n)
            .map(|row| f64::from(row * 37 % 100) / 100.0)
            .collect();
        let instruction: Vec<usize> = (0..n as usize).map(|row| row / 6).collect();
        let length = vec![100.0; n as usize];
        let rows = JudgedRows {
            p: &p,
            instruction: &instruction,
            length: &length,
        };
        let noise: Vec<f64> = (0..n).map(|row| f64::from(row * row * 31 % 97)).collect();
        let resampler = Resampler::new(&instruction, 3).rounds(200);
        let same = compare(&rows, &p, &p, &resampler).pearson.unwrap();
        assert_eq!((same.low, same.estimate, same.high), (0.0, 0.0, 0.0));
        let ahead = compare(&rows, &p, &noise, &resampler);
        for figure in [
            ahead.pearson,
            ahead.within,
            ahead.within_spearman,
            ahead.auc,
            ahead.pairs,
        ] {
            assert!(figure.unwrap().is_above_zero(), "{ahead:?}");
        }
        let own = intervals(&rows, &noise, &resampler);
        assert_eq!(
            own.auc.unwrap().estimate,
            figures(&rows, &noise).auc.unwrap()
        );
        assert_eq!(
            compare(&rows, &p[1..], &p, &resampler),
            Comparison::default()
        );
    }
}
