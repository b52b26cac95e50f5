//! How often a score orders two answers to one instruction as the label does.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{Interval, Resampler};
use super::correlation::mean;

/// Accuracy over records, each the mean over its pairs of answers with different labels; equal scores count half.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairAccuracy {
    /// Records with such a pair.
    pub records: usize,
    pub accuracy: Interval,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub score: f64,
    pub label: f64,
    /// Answers of one record are compared.
    pub record: usize,
    /// Records that are drawn together.
    pub cluster: usize,
    /// The form it comes in, where that is known; NaN otherwise.
    pub style: f64,
}

/// Which pairs count, by the styles of the better and the other answer: RM-Bench's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    All,
    /// The better answer has the richer style.
    Easy,
    /// Both have the same.
    Normal,
    /// The other answer has the richer style.
    Hard,
}

impl Level {
    fn counts(self, better: &Answer, other: &Answer) -> bool {
        match self {
            Level::All => true,
            Level::Easy => better.style > other.style,
            Level::Normal => better.style == other.style,
            Level::Hard => better.style < other.style,
        }
    }
}

/// Accuracy of the pairs of a level; `None` without any. Records are drawn by cluster.
pub fn pair_accuracy(
    answers: &[Answer],
    level: Level,
    rounds: usize,
    seed: u64,
) -> Option<PairAccuracy> {
    let mut records: BTreeMap<usize, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        records.entry(answer.record).or_default().push(answer);
    }
    let (mut accuracy, mut cluster) = (Vec::new(), Vec::new());
    for own in records.values() {
        let (mut right, mut pairs) = (0.0, 0.0);
        for better in own {
            for other in own.iter().filter(|o| o.label < better.label) {
                if level.counts(better, other) {
                    pairs += 1.0;
                    right += match better.score.total_cmp(&other.score) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
        }
        if let (true, Some(first)) = (pairs > 0.0, own.first()) {
            accuracy.push(right / pairs);
            cluster.push(first.cluster);
        }
    }
    let resampler = Resampler::new(&cluster, seed).rounds(rounds);
    let found =
        resampler.interval(|draw| (!draw.rows.is_empty()).then(|| mean(&draw.pick(&accuracy))));
    found.map(|interval| PairAccuracy {
        records: accuracy.len(),
        accuracy: interval,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(record: usize, label: f64, score: f64, style: f64) -> Answer {
        Answer {
            score,
            label,
            record,
            cluster: record,
            style,
        }
    }

    #[test]
    fn pairs_are_counted_within_records() {
        let answers = [
            answer(0, 1.0, 5.0, f64::NAN),
            answer(0, 0.0, 3.0, f64::NAN),
            answer(1, 1.0, 2.0, f64::NAN),
            answer(1, 0.0, 2.0, f64::NAN),
            answer(1, 0.0, 9.0, f64::NAN),
            // Nothing to compare.
            answer(2, 1.0, 1.0, f64::NAN),
        ];
        let found = pair_accuracy(&answers, Level::All, 20, 1).unwrap();
        assert_eq!(found.records, 2);
        assert_eq!(found.accuracy.estimate, (1.0 + 0.25) / 2.0);
        assert_eq!(pair_accuracy(&answers, Level::Normal, 20, 1), None);
        assert_eq!(pair_accuracy(&[], Level::All, 20, 1), None);
    }

    #[test]
    fn levels_are_those_of_styles() {
        // A judge of style alone: it always takes the richer one.
        let mut answers = Vec::new();
        for style in 0..3 {
            let style = f64::from(style);
            answers.push(answer(0, 1.0, style, style));
            answers.push(answer(0, 0.0, style, style));
        }
        let of = |level| {
            pair_accuracy(&answers, level, 0, 1)
                .unwrap()
                .accuracy
                .estimate
        };
        assert_eq!(
            [Level::Easy, Level::Normal, Level::Hard, Level::All].map(of),
            [1.0, 0.5, 0.0, 0.5]
        );
    }
}
