//! One sentence about a score, made from its numbers.

use super::reading::{Decision, ShownMode, Signal, distribution, scaled};
use crate::data::{ScoreCard, Verdict};

/// Below this share of probability on labels the judge is hardly answering.
const LOW_MASS: f64 = 0.5;
/// The modes disagree when they are further apart than this share of the scale.
const APART: f64 = 0.2;
/// This near to the threshold is at its edge.
const EDGE: f64 = 0.03;
/// Wider than this share of the scale is undecided.
const WIDE: f64 = 0.27;

/// Why the verdict is what it is.
pub fn why(card: &ScoreCard, mode: ShownMode, alone: bool, threshold: f64) -> Option<String> {
    let decision = Decision::of(card, mode, alone)?;
    let shown = distribution(card, mode)?;
    if let Some(mass) = shown.mass
        && mass < LOW_MASS
    {
        return Some(format!(
            "Only {:.0}% of the judge's probability is on a label: it is hardly answering, so take the score with care.",
            mass * 100.0
        ));
    }
    if let (Some(with), Some(free)) = (&card.self_eval_ref, &card.self_eval_free) {
        let (r, f) = (scaled(with), scaled(free));
        if f - r > APART {
            return Some(format!(
                "Plausible by itself ({:.1}), but beside the reference it drops to {:.1}.",
                free.mean(),
                with.mean()
            ));
        }
        if r - f > APART {
            return Some(format!(
                "Weak by itself ({:.1}), yet beside the reference it rises to {:.1}.",
                free.mean(),
                with.mean()
            ));
        }
    }
    let range = span(&shown.values);
    if range > 0.0 && shown.std() / range > WIDE {
        return Some(format!(
            "The judge is undecided: its labels spread by {:.1} around {:.1}.",
            shown.std(),
            shown.mean()
        ));
    }
    Some(match decision.signal {
        Signal::Fused => fused(card, decision, threshold),
        Signal::SelfEval => by_self_eval(card, decision, threshold),
    })
}

fn fused(card: &ScoreCard, decision: Decision, threshold: f64) -> String {
    let own = card.self_eval_ref.as_ref().map_or(0.0, scaled);
    let cosine = card.cosine.unwrap_or(0.0);
    let near = (cosine + 1.0) / 2.0;
    let margin = decision.value - threshold;
    let lower = if own <= near { "self-eval" } else { "cosine" };
    let higher = if own <= near { "cosine" } else { "self-eval" };
    match decision.verdict(threshold) {
        _ if margin.abs() < EDGE => format!(
            "At the edge: {:.2} {} the cut, and {lower} is what holds it back.",
            margin.abs(),
            side(margin)
        ),
        Verdict::Answer if own.min(near) < threshold => {
            format!(
                "{} carries it over the cut; {lower} alone would not.",
                capital(higher)
            )
        }
        Verdict::Answer => format!(
            "Self-eval and cosine agree: both stand above the cut, {margin:.2} to spare together."
        ),
        Verdict::Decline if own.max(near) >= threshold => format!(
            "{} pulls it {:.2} below the cut; {higher} alone would pass.",
            capital(lower),
            margin.abs()
        ),
        Verdict::Decline => "Self-eval and cosine agree: both stay below the cut.".to_string(),
    }
}

fn by_self_eval(card: &ScoreCard, decision: Decision, threshold: f64) -> String {
    let margin = decision.value - threshold;
    let basis = if card.self_eval_ref.is_some() {
        "The verdict rests on self-eval without the reference"
    } else {
        "There is no reference: the verdict rests on self-eval alone"
    };
    format!("{basis}, {:.2} {} the cut.", margin.abs(), side(margin))
}

fn side(margin: f64) -> &'static str {
    if margin >= 0.0 { "above" } else { "below" }
}

fn span(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    most - least
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::tests::fixture::{card, peak};

    fn say(card: &ScoreCard, threshold: f64) -> String {
        why(card, ShownMode::Reference, false, threshold).unwrap()
    }

    #[test]
    fn the_reason_follows_from_the_numbers() {
        let agreed = card(8.0, 7.8, Some((0.9, 0.92)));
        assert!(say(&agreed, 0.5).contains("both stand above"));
        assert!(say(&agreed, 0.99).contains("both stay below"));
        assert!(say(&agreed, 0.93).starts_with("At the edge: 0.01 below"));

        let plausible = card(2.0, 7.0, Some((0.3, 0.44)));
        assert!(say(&plausible, 0.5).starts_with("Plausible by itself (7.0)"));
        let weak = card(8.0, 3.0, Some((0.9, 0.9)));
        assert!(say(&weak, 0.5).starts_with("Weak by itself"));

        let far = card(7.0, 7.0, Some((-0.4, 0.54)));
        assert!(say(&far, 0.65).starts_with("Cosine pulls it 0.11 below"));
        assert!(say(&far, 0.4).starts_with("Self-eval carries it"));
    }

    #[test]
    fn a_judge_that_does_not_answer_is_told_of_first() {
        let mut silent = card(8.0, 2.0, Some((0.9, 0.9)));
        if let Some(distribution) = &mut silent.self_eval_ref {
            distribution.mass = Some(0.12);
        }
        assert!(say(&silent, 0.5).starts_with("Only 12%"));
    }

    #[test]
    fn without_a_reference_self_eval_stands_alone() {
        let free = ScoreCard {
            self_eval_free: Some(peak(6.0)),
            ..ScoreCard::default()
        };
        assert!(say(&free, 0.5).starts_with("There is no reference"));
        assert_eq!(
            why(&ScoreCard::default(), ShownMode::Free, false, 0.5),
            None
        );
    }
}
