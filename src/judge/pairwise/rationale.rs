//! Why a response is better, written by the judge behind its verdict, on demand.
//!
//! A judge taught with rationales goes on behind its token with a newline, a marker for position A and a text, then a
//! marker for B and a text (`decision_rationale` of the templates); it learned no end. So each text is asked for by its
//! marker, unless the judge wrote the second marker itself. Judges without such markers go on freely.

use super::super::{JudgeError, Result};
use super::Pair;
use super::judge::{PairJudge, within};
use crate::engine::{Ask, Outcome, Role, Task};
use crate::model::sampling::Sampling;

/// A rationale under way.
#[derive(Clone, Debug)]
pub struct Rationale {
    pair: Pair,
    principle: usize,
    swapped: bool,
    max_tokens: usize,
    /// What stands behind the cue so far.
    so_far: String,
    /// Where the judge's own words begin in it.
    from: usize,
    /// What the judge still has to be asked for.
    markers: Vec<String>,
}

/// What comes of an outcome.
#[derive(Clone, Debug)]
pub enum Step {
    /// The judge has to go on.
    Ask(Box<Rationale>, Task),
    /// All of it, trimmed.
    Whole(String),
}

impl PairJudge {
    /// Asks for the rationale of one principle's verdict in one order. `position` is the verdict: 0 if position A is the
    /// better one, 1 for B. Each text has at most `max_tokens` tokens.
    ///
    /// # Errors
    /// A principle that is not there; what stands in the way of a prompt.
    pub fn rationale(
        &self,
        pair: &Pair,
        (principle, swapped): (usize, bool),
        position: usize,
        max_tokens: usize,
    ) -> Result<(Rationale, Task)> {
        let token = self.templates().tokens.get(position);
        let token = token.ok_or_else(|| JudgeError::Prompt(format!("no position {position}")))?;
        let mut rationale = Rationale {
            pair: pair.clone(),
            principle,
            swapped,
            max_tokens: max_tokens.max(1),
            so_far: token.clone(),
            from: token.len(),
            markers: markers(self.templates().rationale.as_deref()),
        };
        if !rationale.markers.is_empty() {
            rationale.so_far.push('\n');
            rationale.so_far += &rationale.markers.remove(0);
        }
        let task = self.go_on(&rationale)?;
        Ok((rationale, task))
    }

    fn go_on(&self, rationale: &Rationale) -> Result<Task> {
        let principle = self.templates().principles.get(rationale.principle);
        let principle = principle
            .ok_or_else(|| JudgeError::Prompt(format!("no principle {}", rationale.principle)))?;
        let facts = &self.cast().judge;
        // Room for what is written, but never more than for what it is about.
        let max_tokens = rationale.max_tokens.min(facts.context / 2);
        let tail = &rationale.so_far;
        let made = self
            .maker()
            .make_to_go_on(
                principle,
                &rationale.pair,
                rationale.swapped,
                tail,
                max_tokens,
            )
            .map_err(|e| within(principle, &e))?;
        Ok(Task {
            role: Role::Judge,
            ids: made,
            ask: Ask::Generate {
                sampling: Sampling {
                    temperature: 0.0,
                    max_tokens,
                    ..Sampling::default()
                },
                end: facts.end_tokens.clone(),
            },
        })
    }

    /// Takes what the judge wrote: the next task, or all of the rationale.
    ///
    /// # Errors
    /// An outcome of something else; what stands in the way of the next prompt.
    pub fn rationale_step(&self, mut rationale: Rationale, outcome: &Outcome) -> Result<Step> {
        let Outcome::Generated { ids, .. } = outcome else {
            return Err(JudgeError::Prompt("an outcome of something else".into()));
        };
        rationale.so_far += &self.cast().judge.tokenizer.decode(ids)?;
        let next = match rationale.markers.is_empty() {
            true => None,
            false => Some(rationale.markers.remove(0)),
        };
        let written = &rationale.so_far[rationale.from..];
        match next.filter(|marker| !written.contains(marker.trim())) {
            None => Ok(Step::Whole(written.trim().to_owned())),
            Some(marker) => {
                rationale.so_far.truncate(rationale.so_far.trim_end().len());
                rationale.so_far += &marker;
                let task = self.go_on(&rationale)?;
                Ok(Step::Ask(Box::new(rationale), task))
            }
        }
    }
}

/// The markers of both positions; one where they are the same.
fn markers(rationale: Option<&str>) -> Vec<String> {
    let Some(text) = rationale else {
        return Vec::new();
    };
    let mut markers: Vec<String> = ["A", "B"]
        .map(|position| text.replace("{position}", position))
        .into();
    markers.dedup();
    markers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_name_their_position() {
        assert_eq!(markers(Some("\nOn {position}:")), ["\nOn A:", "\nOn B:"]);
        assert_eq!(markers(Some("\nWhy:")), ["\nWhy:"]);
        assert!(markers(None).is_empty());
    }
}
