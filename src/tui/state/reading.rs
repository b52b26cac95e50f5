//! What a score card says under a mode and a threshold.

use crate::data::{LabelDistribution, ScoreCard, Verdict};

/// Which scores are shown first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShownMode {
    /// Those with the reference.
    #[default]
    Reference,
    /// Those without.
    Free,
}

impl ShownMode {
    /// As the status line says.
    pub fn word(self) -> &'static str {
        match self {
            ShownMode::Reference => "reference",
            ShownMode::Free => "free",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            ShownMode::Reference => ShownMode::Free,
            ShownMode::Free => ShownMode::Reference,
        }
    }
}

/// What a threshold is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Self-evaluation and cosine fused.
    Fused,
    /// Self-evaluation brought to `[0, 1]`.
    SelfEval,
}

impl Signal {
    /// As the screens name it.
    pub fn word(self) -> &'static str {
        match self {
            Signal::Fused => "fused",
            Signal::SelfEval => "self-eval",
        }
    }
}

/// The number a verdict follows from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// What it is.
    pub signal: Signal,
    /// In `[0, 1]`.
    pub value: f64,
}

impl Decision {
    /// Of a card under a mode, if the card has the numbers: what is fused where there is such, unless self-evaluation
    /// alone is to decide.
    pub fn of(card: &ScoreCard, mode: ShownMode, alone: bool) -> Option<Self> {
        if mode == ShownMode::Reference
            && !alone
            && let Some(value) = card.fused
        {
            let signal = Signal::Fused;
            return Some(Decision { signal, value });
        }
        distribution(card, mode).map(|distribution| Decision {
            signal: Signal::SelfEval,
            value: scaled(distribution),
        })
    }

    /// Answer or decline at a threshold.
    pub fn verdict(self, threshold: f64) -> Verdict {
        Verdict::of(self.value, threshold)
    }
}

/// The distribution a mode shows; the other one where there is no reference.
pub fn distribution(card: &ScoreCard, mode: ShownMode) -> Option<&LabelDistribution> {
    match mode {
        ShownMode::Reference => card.self_eval_ref.as_ref().or(card.self_eval_free.as_ref()),
        ShownMode::Free => card.self_eval_free.as_ref(),
    }
}

/// The mean brought from its scale to `[0, 1]`.
pub fn scaled(distribution: &LabelDistribution) -> f64 {
    let values = distribution.values.iter().copied();
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(f64::NEG_INFINITY, f64::max);
    if most > least {
        ((distribution.mean() - least) / (most - least)).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::tests::fixture::{card, peak};

    #[test]
    fn fused_decides_with_a_reference_and_self_eval_without() {
        let both = card(6.0, 4.5, Some((0.6, 0.73)));
        let decision = Decision::of(&both, ShownMode::Reference, false).unwrap();
        assert_eq!((decision.signal, decision.value), (Signal::Fused, 0.73));
        let alone = Decision::of(&both, ShownMode::Reference, true).unwrap();
        assert_eq!(alone.signal, Signal::SelfEval);
        assert!((alone.value - scaled(&peak(6.0))).abs() < 1e-12);
        let decision = Decision::of(&both, ShownMode::Free, false).unwrap();
        assert_eq!(decision.signal, Signal::SelfEval);
        assert!((decision.value - scaled(&peak(4.5))).abs() < 1e-12);

        let free = ScoreCard {
            self_eval_free: Some(peak(9.0)),
            ..ScoreCard::default()
        };
        let decision = Decision::of(&free, ShownMode::Reference, false).unwrap();
        assert_eq!(decision.signal, Signal::SelfEval);
        assert_eq!(
            Decision::of(&ScoreCard::default(), ShownMode::Free, false),
            None
        );
    }

    #[test]
    fn scaling_follows_the_scale() {
        let five = LabelDistribution {
            missing: None,
            labels: ["1", "2", "3", "4", "5"].map(String::from).to_vec(),
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0],
            probs: vec![0.0, 0.0, 1.0, 0.0, 0.0],
            mass: Some(1.0),
        };
        assert!((scaled(&five) - 0.5).abs() < 1e-12);
    }
}
