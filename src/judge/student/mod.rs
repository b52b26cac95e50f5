//! What a student is asked: how likely it finds an instruction and a response, each alone and each behind the
//! other (Li et al. 2024, arXiv 2402.10110). Nothing is generated.

pub mod wrapper;

use std::sync::Arc;

pub use wrapper::Wrapper;

use super::{JudgeError, Result};
use crate::engine::{Ask, Outcome, Role, Task};
use crate::model::facts::Facts;
use crate::model::tokenizer::Piece;

/// Longest text in tokens, as in the released scripts.
pub const MAX_TOKENS: usize = 2048;

/// Shows a response and asks for its instruction, inside the wrapper's form without input.
pub const REVERSE: &str = "Here is a response that somebody wrote. Work out which instruction it answers, and write down \
                           that instruction alone.\n\nResponse:\n{response}";

/// An instruction with its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    pub instruction: &'a str,
    pub input: Option<&'a str>,
    pub response: &'a str,
}

/// How a student is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    pub wrapper: Wrapper,
    /// A text with `{response}`.
    pub reverse: String,
    pub max_tokens: usize,
}

impl Default for Asking {
    fn default() -> Self {
        Asking {
            wrapper: Wrapper::default(),
            reverse: REVERSE.to_owned(),
            max_tokens: MAX_TOKENS,
        }
    }
}

/// A loaded student.
#[derive(Clone)]
pub struct Student {
    facts: Arc<Facts>,
    asking: Asking,
}

/// A loss that is not asked of the engine, and why.
type Undefined = String;

/// The four losses in the order of the published analysis files: L(x), L(r), L(x|r), L(r|x), in nats a token;
/// what is undefined with its cause.
pub type Losses = [std::result::Result<f64, Undefined>; 4];

/// What is to be computed for a pair.
#[derive(Debug)]
pub struct Plan {
    pub tasks: Vec<Task>,
    /// For each loss its task, or why it has none.
    places: [std::result::Result<usize, Undefined>; 4],
    /// Whether a text was cut.
    pub truncated: bool,
    /// Tokens of the tasks.
    pub tokens: usize,
}

impl Student {
    /// A student that is asked in this way.
    ///
    /// # Errors
    /// A chat template where the model has none, a reversed prompt without `{response}`, no room at all.
    pub fn new(facts: Arc<Facts>, asking: Asking) -> Result<Self> {
        let refuse = |cause: &str| Err(JudgeError::Prompt(cause.into()));
        if !asking.reverse.contains("{response}") {
            return refuse("the reversed prompt has no {response}");
        }
        if asking.max_tokens < 2 {
            return refuse("at least 2 tokens are needed: one is predicted from another");
        }
        asking.wrapper.prompt(Vec::new(), None, &facts)?;
        Ok(Student { facts, asking })
    }

    /// What its numbers depend on besides the texts.
    pub fn identity(&self) -> String {
        let Asking {
            wrapper,
            reverse,
            max_tokens,
        } = &self.asking;
        format!("{} {max_tokens} {wrapper} {reverse}", self.facts.hash)
    }

    /// The four prompts of a pair: `x` is the instruction immediately followed by its input.
    ///
    /// # Errors
    /// What tokenizer and chat template say.
    pub fn plan(&self, pair: &Pair<'_>) -> Result<Plan> {
        // Of a model on a server, characters are counted here, and its own limit there.
        let limit = match self.facts.served {
            None => self.asking.max_tokens.min(self.facts.context),
            Some(_) => self.facts.context,
        };
        let instruction = Piece::data("instruction", pair.instruction);
        let mut x = vec![instruction.clone()];
        x.extend(pair.input.map(|input| Piece::data("input", input)));
        let r = vec![Piece::data("response", pair.response)];
        let wrapper = &self.asking.wrapper;
        let (prompt, special) = wrapper.prompt(vec![instruction], pair.input, &self.facts)?;
        let (reversed, _) = wrapper.prompt(self.reversed(pair.response), None, &self.facts)?;
        let mut plan = Plan {
            tasks: Vec::with_capacity(4),
            places: [const { Err(String::new()) }; 4],
            truncated: false,
            tokens: 0,
        };
        for (name, target, before, [alone, behind]) in [
            ("response", r, prompt, [1, 3]),
            ("instruction", x, reversed, [0, 2]),
        ] {
            if target.iter().all(|piece| piece.text.is_empty()) {
                let cause = format!("the {name} is empty");
                plan.places[alone] = Err(cause.clone());
                plan.places[behind] = Err(cause);
                continue;
            }
            let prefix = self.encoded(&before, special)?.len();
            let whole: Vec<Piece> = before.into_iter().chain(target.iter().cloned()).collect();
            let text = self.encoded(&whole, special)?;
            plan.add(behind, text, prefix, limit)
                .unwrap_or_else(|cause| {
                    plan.places[behind] = Err(format!("the {name} behind its prompt: {cause}"))
                });
            // As many tokens of the target as behind the prompt, and the BOS.
            let room = (limit + 1).saturating_sub(prefix);
            let text = self.encoded(&target, true)?;
            plan.add(alone, text, 1, room).unwrap_or_else(|cause| {
                plan.places[alone] = Err(format!("the {name} alone: {cause}"))
            });
        }
        Ok(plan)
    }

    fn reversed(&self, response: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (n, words) in self.asking.reverse.split("{response}").enumerate() {
            if n > 0 {
                pieces.push(Piece::data("response", response));
            }
            if !words.is_empty() {
                pieces.push(Piece::template(words));
            }
        }
        pieces
    }

    /// Tokens of a text, without what a tokenizer puts behind it.
    fn encoded(&self, pieces: &[Piece], special: bool) -> Result<Vec<u32>> {
        Ok(self.facts.tokenizer.encode_open(pieces, special)?.ids)
    }
}

impl Plan {
    /// Asks for the log-probabilities of a text's tokens from this one on.
    fn add(
        &mut self,
        loss: usize,
        mut ids: Vec<u32>,
        from: usize,
        limit: usize,
    ) -> std::result::Result<(), String> {
        let (all, from) = (ids.len(), from.max(1));
        ids.truncate(limit);
        if from >= ids.len() {
            return Err(match all > from {
                true => format!("the prompt leaves no room in {limit} tokens"),
                false => "nothing comes before its only token".into(),
            });
        }
        self.truncated |= all > limit;
        self.tokens += ids.len();
        self.places[loss] = Ok(self.tasks.len());
        self.tasks.push(Task {
            role: Role::Judge,
            ids,
            ask: Ask::LogProbs { from },
        });
        Ok(())
    }

    /// The losses, and how many tokens were computed for them.
    pub fn read(self, outcomes: &[Outcome]) -> (Losses, usize) {
        let mut computed = 0;
        let losses = self.places.map(|place| match outcomes.get(place?) {
            Some(Outcome::LogProbs {
                values,
                computed: own,
            }) => {
                computed += own;
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                match mean.is_finite() {
                    true => Ok(-mean),
                    false => Err("the loss is not finite".into()),
                }
            }
            _ => Err("the engine gave no log-probabilities".into()),
        });
        (losses, computed)
    }
}
