//! Verdicts that a judge is taught: the prompt that it will be judged by, and what it is to say behind it.

use super::super::{JudgeError, Result};
use super::judge::{PairJudge, within};
use super::{Lesson, Pair};
use crate::model::tokenizer::Piece;

impl PairJudge {
    /// The prompt of a principle (its place among the templates') in an order, with the judge token of the better
    /// response behind it. `rationales`, what is said of `a` and of `b`, follow in the order of the positions:
    /// newline, marker for A, text, marker for B, text. No end token. At most `limit` tokens.
    ///
    /// # Errors
    /// A principle that is not there; rationales where the templates have no marker for them; a prompt that cannot be
    /// made.
    pub fn lesson(
        &self,
        pair: &Pair,
        (principle, swapped): (usize, bool),
        a_wins: bool,
        rationales: Option<[&str; 2]>,
        limit: usize,
    ) -> Result<Lesson> {
        let place = principle;
        let principle = self.templates().principles.get(place);
        let principle =
            principle.ok_or_else(|| JudgeError::Prompt(format!("no principle {place}")))?;
        let mut behind = Vec::new();
        if let Some(texts) = rationales {
            let marker = self.templates().rationale.as_deref().ok_or_else(|| {
                JudgeError::Prompt(format!(
                    "the templates {} have no `decision_rationale`: teach no rationales, or give templates that have it",
                    self.templates().name
                ))
            })?;
            let texts = match swapped {
                false => texts,
                true => [texts[1], texts[0]],
            };
            for (at, (position, text)) in ["A", "B"].into_iter().zip(texts).enumerate() {
                let marker = marker.replace("{position}", position);
                let newline = if at == 0 { "\n" } else { "" };
                behind.push(Piece::template(format!("{newline}{marker}")));
                behind.push(Piece::data("rationale", text.trim_end()));
            }
        }
        let position = usize::from(a_wins == swapped);
        self.maker()
            .make_to_learn(principle, (pair, swapped), position, &behind, limit)
            .map_err(|e| within(principle, &e))
    }
}
