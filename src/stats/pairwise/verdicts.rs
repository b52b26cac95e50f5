//! How verdicts on pairs agree with people's.

use serde::Serialize;

use super::super::agreement::cohen_kappa;
use super::super::bootstrap::{Interval, Resample, Resampler};
use super::super::correlation::mean;
use super::Draws;

/// Verdicts beside labels, in columns of equal length: what answer a won, 1, ½ for a tie, 0, or a probability.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub verdict: &'a [f64],
    pub label: &'a [f64],
    /// Rows that are drawn together.
    pub cluster: &'a [usize],
}

/// Agreement with 95 % bootstrap intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    pub rows: usize,
    /// Rows that the label decides.
    pub decided: usize,
    /// Ties among the verdicts on all rows.
    pub ties: usize,
    /// Share of the decided rows with the label's winner; a verdict of a tie counts ½.
    pub accuracy: Option<Interval>,
    /// Cohen's kappa of a, b and tie on all rows.
    pub kappa: Option<Interval>,
}

/// 0 for b, 1 for a tie, 2 for a.
pub fn class(won: f64) -> usize {
    match won {
        won if won > 0.5 => 2,
        won if won < 0.5 => 0,
        _ => 1,
    }
}

/// 1 where verdict and label name the same winner, ½ for a verdict of a tie; `None` where the label is a tie.
fn right(verdict: f64, label: f64) -> Option<f64> {
    match (class(verdict), class(label)) {
        (_, 1) => None,
        (1, _) => Some(0.5),
        (verdict, label) => Some(f64::from(u8::from(verdict == label))),
    }
}

impl Rows<'_> {
    fn accuracy(&self, draw: &Resample) -> Option<f64> {
        let each = draw.rows.iter();
        let right: Vec<f64> = each
            .filter_map(|row| right(self.verdict[*row], self.label[*row]))
            .collect();
        (!right.is_empty()).then(|| mean(&right))
    }

    fn resampler(&self, draws: Draws) -> Resampler {
        Resampler::new(self.cluster, draws.seed).rounds(draws.rounds)
    }
}

/// See [`Agreement`].
pub fn agreement(rows: &Rows, draws: Draws) -> Agreement {
    let classes = |column: &[f64]| column.iter().map(|won| class(*won)).collect::<Vec<_>>();
    let (verdicts, labels) = (classes(rows.verdict), classes(rows.label));
    let resampler = rows.resampler(draws);
    Agreement {
        rows: labels.len(),
        decided: labels.iter().filter(|label| **label != 1).count(),
        ties: verdicts.iter().filter(|verdict| **verdict == 1).count(),
        accuracy: resampler.interval(|draw| rows.accuracy(draw)),
        kappa: resampler
            .interval(|draw| cohen_kappa(&draw.pick(&verdicts), &draw.pick(&labels), 3)),
    }
}

/// Accuracy of one set of verdicts minus that of another on the same rows, drawn together.
pub fn ahead(one: &Rows, other: &Rows, draws: Draws) -> Option<Interval> {
    let resampler = one.resampler(draws);
    resampler.difference(|draw| one.accuracy(draw), |draw| other.accuracy(draw))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: Draws = Draws {
        rounds: 100,
        seed: 1,
    };

    #[test]
    fn ties_are_left_out_of_accuracy_and_kept_in_kappa() {
        let rows = Rows {
            verdict: &[1.0, 0.0, 0.5, 1.0, 0.9],
            label: &[1.0, 1.0, 0.0, 0.5, 0.7],
            cluster: &[0, 1, 2, 3, 4],
        };
        let found = agreement(&rows, DRAWS);
        assert_eq!((found.rows, found.decided, found.ties), (5, 4, 1));
        assert_eq!(
            found.accuracy.unwrap().estimate,
            (1.0 + 0.0 + 0.5 + 1.0) / 4.0
        );
        // Agree on 2 of 5; chance 3/5·3/5 + 1/5·1/5 + 1/5·1/5 = 11/25.
        let kappa = (0.4 - 0.44) / 0.56;
        assert!((found.kappa.unwrap().estimate - kappa).abs() < 1e-12);
    }

    #[test]
    fn nothing_decided_is_no_accuracy() {
        let rows = Rows {
            verdict: &[1.0, 0.0],
            label: &[0.5, 0.5],
            cluster: &[0, 1],
        };
        let found = agreement(&rows, DRAWS);
        assert_eq!((found.accuracy, found.decided), (None, 0));
        let none = Rows {
            verdict: &[],
            label: &[],
            cluster: &[],
        };
        assert_eq!(agreement(&none, DRAWS).kappa, None);
    }

    #[test]
    fn one_judge_ahead_of_another() {
        let label: Vec<f64> = (0..50).map(|i| f64::from(i % 2)).collect();
        let wrong: Vec<f64> = label.iter().map(|l| 1.0 - l).collect();
        let cluster: Vec<usize> = (0..50).collect();
        let rows = |verdict| Rows {
            verdict,
            label: &label,
            cluster: &cluster,
        };
        let found = ahead(&rows(&label), &rows(&wrong), DRAWS).unwrap();
        assert_eq!((found.estimate, found.low), (1.0, 1.0));
    }
}
