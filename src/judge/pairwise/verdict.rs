//! From the probabilities of the judge tokens in both orders to a verdict. Pure arithmetic.

use serde::{Deserialize, Serialize};

/// Who is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Winner {
    A,
    B,
    Tie,
}

impl Winner {
    /// `a`, `b`, `tie`.
    pub fn word(self) -> &'static str {
        match self {
            Winner::A => "a",
            Winner::B => "b",
            Winner::Tie => "tie",
        }
    }

    /// The other response; a tie stays one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Winner::A => Winner::B,
            Winner::B => Winner::A,
            Winner::Tie => Winner::Tie,
        }
    }

    /// By a difference, `a`'s minus `b`'s, of which as much as `margin` counts for nothing.
    fn by(difference: f64, margin: f64) -> Self {
        match difference {
            d if d > margin => Winner::A,
            d if d < -margin => Winner::B,
            _ => Winner::Tie,
        }
    }
}

/// How a verdict is made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rule {
    /// Differences of scores up to this are ties.
    pub margin: f64,
    /// The two judge tokens share all probability between them.
    pub renormalize: bool,
    /// As the authors' script has it: what is equal counts for `b`, and nothing is a tie.
    pub as_released: bool,
}

/// Probabilities of the judge tokens in one order: of the one that names position A, and of position B's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Positions {
    pub p_a: f64,
    pub p_b: f64,
}

impl Positions {
    /// What both tokens have of the whole vocabulary's probability.
    pub fn mass(self) -> f64 {
        self.p_a + self.p_b
    }

    /// The same with a mass of one; without any mass, halves.
    #[must_use]
    pub fn renormalized(self) -> Self {
        let mass = self.mass();
        match mass > 0.0 {
            true => Positions {
                p_a: self.p_a / mass,
                p_b: self.p_b / mass,
            },
            false => Positions { p_a: 0.5, p_b: 0.5 },
        }
    }

    fn lead(self) -> f64 {
        self.p_a - self.p_b
    }
}

/// One principle's verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnPrinciple {
    pub principle: String,
    pub winner: Winner,
    /// `(p_A(order 1) + p_B(order 2)) / 2`.
    pub s_a: f64,
    /// `(p_B(order 1) + p_A(order 2)) / 2`.
    pub s_b: f64,
    /// Of both judge tokens among the whole vocabulary, the mean of the orders: a judge with little of it is not answering.
    pub mass: f64,
    /// How far position A leads whatever stands there, the mean of the orders: −1 to 1.
    pub position_bias: f64,
    /// Whether one order alone says `a` and the other `b`.
    pub flips: bool,
    /// The first order, in which `a` stands in position A, and the second; after renormalisation, where it is asked for.
    pub orders: [Positions; 2],
}

impl OnPrinciple {
    fn new(principle: &str, raw: [Positions; 2], rule: Rule) -> Self {
        let orders = match rule.renormalize {
            true => raw.map(Positions::renormalized),
            false => raw,
        };
        let [first, second] = orders;
        let s_a = (first.p_a + second.p_b) / 2.0;
        let s_b = (first.p_b + second.p_a) / 2.0;
        OnPrinciple {
            principle: principle.to_owned(),
            winner: match rule.as_released {
                true if s_a > s_b => Winner::A,
                true => Winner::B,
                false => Winner::by(s_a - s_b, rule.margin),
            },
            s_a,
            s_b,
            mass: (raw[0].mass() + raw[1].mass()) / 2.0,
            position_bias: (first.lead() + second.lead()) / 2.0,
            flips: first.lead() * second.lead() > 0.0,
            orders,
        }
    }
}

/// What a judge says of a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgment {
    pub winner: Winner,
    /// Means over the principles.
    pub s_a: f64,
    pub s_b: f64,
    /// `s_a − s_b`.
    pub margin: f64,
    pub mass: f64,
    /// How far position A leads whatever stands there, the mean over principles and orders: −1 to 1.
    pub position_bias: f64,
    /// Whether one order alone says `a` and the other `b`.
    pub flips: bool,
    pub principles: Vec<OnPrinciple>,
}

impl Judgment {
    /// From the probabilities of each principle in both orders. Of several principles the response that wins more of
    /// them wins, then the one with the larger mean score; all equal is a tie. `None` without a principle.
    pub fn new<'p>(
        found: impl IntoIterator<Item = (&'p str, [Positions; 2])>,
        rule: Rule,
    ) -> Option<Self> {
        let principles: Vec<OnPrinciple> = found
            .into_iter()
            .map(|(name, orders)| OnPrinciple::new(name, orders, rule))
            .collect();
        if principles.is_empty() {
            return None;
        }
        let mean = |of: fn(&OnPrinciple) -> f64| {
            principles.iter().map(of).sum::<f64>() / principles.len() as f64
        };
        let (s_a, s_b) = (mean(|p| p.s_a), mean(|p| p.s_b));
        let winners = principles.iter().map(|p| p.winner);
        let winner = match (more_of(winners), rule.as_released) {
            (Winner::Tie, true) if s_a > s_b => Winner::A,
            (Winner::Tie, true) => Winner::B,
            (Winner::Tie, false) => Winner::by(s_a - s_b, rule.margin),
            (won, _) => won,
        };
        let alone = |order: usize| in_one_order(&principles, order);
        Some(Judgment {
            winner,
            s_a,
            s_b,
            margin: s_a - s_b,
            mass: mean(|p| p.mass),
            position_bias: mean(|p| p.position_bias),
            flips: alone(0) != Winner::Tie && alone(0) == alone(1).other(),
            principles,
        })
    }

    /// Who goes on in a tournament: the winner; of equals the one that was named first.
    pub fn advances(&self) -> Winner {
        match self.winner {
            Winner::Tie => Winner::A,
            won => won,
        }
    }
}

/// Who wins more often.
fn more_of(winners: impl Iterator<Item = Winner>) -> Winner {
    let count: i64 = winners
        .map(|winner| match winner {
            Winner::A => 1,
            Winner::B => -1,
            Winner::Tie => 0,
        })
        .sum();
    Winner::by(count as f64, 0.0)
}

/// The verdict of one order alone.
fn in_one_order(principles: &[OnPrinciple], order: usize) -> Winner {
    // In the second order `b` stands in position A.
    let sign = if order == 0 { 1.0 } else { -1.0 };
    let leads = || principles.iter().map(|p| sign * p.orders[order].lead());
    match more_of(leads().map(|lead| Winner::by(lead, 0.0))) {
        Winner::Tie => Winner::by(leads().sum(), 0.0),
        won => won,
    }
}

/// How a judge's verdicts depend on the order, over a set of pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PositionBias {
    pub pairs: usize,
    /// Share of pairs whose verdict turns round with the order.
    pub flips: f64,
    /// Mean of the pairs' position biases: above 0 what stands in position A is preferred.
    pub mean_shift: f64,
    /// Mean of their sizes.
    pub mean_size: f64,
}

impl PositionBias {
    /// Takes one more pair in.
    pub fn add(&mut self, judgment: &Judgment) {
        let before = self.pairs as f64;
        self.pairs += 1;
        let after = self.pairs as f64;
        let mean = |old: f64, new: f64| (old * before + new) / after;
        self.flips = mean(self.flips, f64::from(u8::from(judgment.flips)));
        self.mean_shift = mean(self.mean_shift, judgment.position_bias);
        self.mean_size = mean(self.mean_size, judgment.position_bias.abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(p_a: f64, p_b: f64) -> Positions {
        Positions { p_a, p_b }
    }

    fn judged(found: &[[Positions; 2]], rule: Rule) -> Judgment {
        Judgment::new(found.iter().map(|orders| ("p", *orders)), rule).unwrap()
    }

    #[test]
    fn scores_are_means_over_both_orders() {
        let found = judged(&[[at(0.5, 0.25), at(0.375, 0.125)]], Rule::default());
        let p = &found.principles[0];
        assert_eq!((p.s_a, p.s_b), (0.3125, 0.3125));
        assert_eq!((found.winner, found.margin), (Winner::Tie, 0.0));
        assert_eq!((p.mass, p.position_bias), (0.625, 0.25));
        assert!(p.flips && found.flips);
        let found = judged(&[[at(0.5, 0.25), at(0.125, 0.375)]], Rule::default());
        assert_eq!((found.s_a, found.s_b, found.flips), (0.4375, 0.1875, false));
        assert_eq!((found.winner, found.position_bias), (Winner::A, 0.0));
    }

    #[test]
    fn more_principles_win_then_the_larger_mean() {
        let a = |by: f64| [at(0.25 + by, 0.25), at(0.25, 0.25 + by)];
        let b = |by: f64| [at(0.25, 0.25 + by), at(0.25 + by, 0.25)];
        // Two small wins beat a large one, though the mean says otherwise.
        let two = judged(&[a(0.0625), a(0.0625), b(0.5)], Rule::default());
        assert_eq!(two.winner, Winner::A);
        assert!(two.margin < 0.0);
        // An equal principle counts for neither: one each, then the mean.
        let even = judged(&[a(0.125), b(0.25), a(0.0)], Rule::default());
        assert_eq!(even.winner, Winner::B);
        assert_eq!(
            judged(&[a(0.125), b(0.125)], Rule::default()).winner,
            Winner::Tie
        );
    }

    #[test]
    fn a_margin_makes_ties() {
        let close = [[at(0.5, 0.375), at(0.375, 0.5)]];
        let of = |margin| {
            let rule = Rule {
                margin,
                ..Rule::default()
            };
            judged(&close, rule).winner
        };
        assert_eq!(of(0.0), Winner::A);
        assert_eq!(of(0.125), Winner::Tie);
    }

    #[test]
    fn as_released_what_is_equal_is_the_seconds() {
        let rule = Rule {
            as_released: true,
            ..Rule::default()
        };
        let even = [at(0.25, 0.25); 2];
        assert_eq!(judged(&[even], rule).winner, Winner::B);
        // A won one, the equal one counts for b: one each, and the mean decides.
        let won = [at(0.5, 0.25), at(0.25, 0.5)];
        assert_eq!(judged(&[won, even], rule).winner, Winner::A);
        assert_eq!(judged(&[won, even, even], rule).winner, Winner::B);
        assert_eq!(
            judged(&[won, even, even], Rule::default()).winner,
            Winner::A
        );
    }

    #[test]
    fn renormalised_tokens_share_everything() {
        let rule = Rule {
            renormalize: true,
            ..Rule::default()
        };
        let found = judged(&[[at(0.03, 0.01), at(0.1, 0.1)]], rule);
        assert!((found.s_a - 0.625).abs() < 1e-12 && (found.s_b - 0.375).abs() < 1e-12);
        assert!((found.mass - 0.12).abs() < 1e-12, "the mass is as it was");
        assert_eq!(at(0.0, 0.0).renormalized(), at(0.5, 0.5));
    }

    #[test]
    fn identical_responses_tie_however_biased_the_judge() {
        // Both orders are the same prompt.
        let found = judged(&[[at(0.75, 0.125); 2]], Rule::default());
        assert_eq!(
            (found.winner, found.position_bias, found.flips),
            (Winner::Tie, 0.625, true)
        );
        assert_eq!(found.advances(), Winner::A);
    }

    #[test]
    fn bias_over_a_set() {
        let mut bias = PositionBias::default();
        for orders in [
            [at(0.75, 0.25), at(0.75, 0.25)],
            [at(0.75, 0.25), at(0.0, 1.0)],
        ] {
            bias.add(&judged(&[orders], Rule::default()));
        }
        assert_eq!((bias.pairs, bias.flips), (2, 0.5));
        assert!((bias.mean_shift - (0.5 - 0.25) / 2.0).abs() < 1e-12);
        assert!((bias.mean_size - (0.5 + 0.25) / 2.0).abs() < 1e-12);
    }
}
