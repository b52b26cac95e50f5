//! Which of two answers people would choose, by boosted trees on what sets them apart.

use anyhow::Result;

use super::booster::{Boosters, Says};

/// Fitted on what people chose.
#[derive(Debug)]
pub struct Chooser(Boosters);

/// Two answers to the instruction of a number, as [`super::Teacher`] sees them: what one has more of than the other.
pub struct Pair {
    pub group: usize,
    pub apart: Vec<f64>,
}

impl Pair {
    /// The same answers in the other order.
    fn turned(&self) -> Vec<f64> {
        self.apart.iter().map(|x| -x).collect()
    }
}

impl Chooser {
    /// Fits on pairs, each with whether the first was chosen, in both orders.
    ///
    /// # Errors
    /// When the trees cannot be fitted.
    pub fn fit(chosen: &[(Pair, bool)]) -> Result<Self> {
        let (mut rows, mut targets, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for (pair, is_first) in chosen {
            for (row, target) in [(pair.apart.clone(), *is_first), (pair.turned(), !is_first)] {
                rows.push(row);
                targets.push(f64::from(u8::from(target)));
                groups.push(pair.group);
            }
        }
        Boosters::fit(Says::Odds, &rows, &targets, &groups).map(Chooser)
    }

    /// The probability that people choose the first; in the other order, that of the second.
    pub fn first(&self, pair: &Pair) -> f64 {
        let say = |apart: &[f64]| self.0.say(apart, pair.group);
        let odds = 0.5 * (say(&pair.apart) - say(&pair.turned()));
        1.0 / (1.0 + (-odds).exp())
    }
}
