//! How many scored rows a threshold lets through: sorted once, so that a move of the cut is a look-up.

use super::Scores;
use super::reading::{Decision, ShownMode};

/// So many unsorted values are looked through one by one.
const FRESH: usize = 2048;

/// How many rows a threshold lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Rows answered.
    pub answered: usize,
    /// Rows scored.
    pub scored: usize,
}

/// The decisions of all scored rows.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Under which reading, and of how many scored rows.
    made_of: Option<(ShownMode, bool)>,
    seen: usize,
    /// Rising.
    sorted: Vec<f64>,
    fresh: Vec<f64>,
}

impl Tally {
    /// Takes the rows scored since the last time; all of them anew where another number decides.
    pub fn update(&mut self, scores: &Scores, mode: ShownMode, alone: bool) {
        if self.made_of != Some((mode, alone)) || self.seen > scores.noted().len() {
            *self = Tally {
                made_of: Some((mode, alone)),
                ..Tally::default()
            };
        }
        for (_, key) in &scores.noted()[self.seen..] {
            let decision = scores
                .card(*key)
                .and_then(|card| Decision::of(card, mode, alone));
            self.fresh.extend(decision.map(|decision| decision.value));
        }
        self.seen = scores.noted().len();
        if self.fresh.len() > FRESH {
            self.sorted.append(&mut self.fresh);
            self.sorted.sort_by(f64::total_cmp);
        }
    }

    /// What a threshold lets through.
    pub fn at(&self, threshold: f64) -> Coverage {
        let below = self.sorted.partition_point(|value| *value < threshold);
        let fresh = self.fresh.iter().filter(|value| **value >= threshold);
        Coverage {
            answered: self.sorted.len() - below + fresh.count(),
            scored: self.sorted.len() + self.fresh.len(),
        }
    }
}
