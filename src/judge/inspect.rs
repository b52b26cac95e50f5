//! What a judge really sees: the prompt's tokens, where the score is read, and what is likely there.

use super::{Judge, JudgeError, Result};
use crate::data::Subject;
use crate::engine::{Ask, Outcome, Role, Task};

/// Likeliest tokens that are told.
const LIKELY: usize = 20;

/// One token of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    /// Its part of the text; special tokens by their name.
    pub text: String,
    /// The slot it fills; `None` for the template's own words and what is put around them.
    pub slot: Option<&'static str>,
}

/// A token that may follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Likely {
    pub id: u32,
    pub text: String,
    /// Among the whole vocabulary, in `[0, 1]`.
    pub probability: f64,
    /// The label it is or begins.
    pub label: Option<String>,
}

/// A prompt with its scored position, which is behind its last token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    pub with_reference: bool,
    pub tokens: Vec<Token>,
    /// The likeliest next tokens, falling.
    pub likely: Vec<Likely>,
    /// How much of the probability is on labels' first tokens.
    pub mass: f64,
    pub truncated: bool,
}

impl Judge {
    /// The prompt of a mode, token by token, and the task that asks for the whole distribution behind it.
    ///
    /// # Errors
    /// As [`Judge::prompts`]; a mode without a template.
    pub fn inspect(&self, subject: &Subject, with_reference: bool) -> Result<(Inspection, Task)> {
        let templates = self.templates();
        let template = match with_reference {
            true => &templates.reference,
            false => &templates.free,
        };
        let template = template
            .as_ref()
            .ok_or_else(|| JudgeError::Prompt("the judge has no template for this mode".into()))?;
        let prompts = self.prompts(template, subject)?;
        let Some((prompt, labels)) = prompts.into_iter().next() else {
            return Err(JudgeError::Prompt("there is no prompt".into()));
        };
        let tokenizer = &self.cast().judge.tokenizer;
        let tokens = prompt
            .ids
            .iter()
            .zip(&prompt.offsets)
            .map(|(id, (start, end))| {
                let text = prompt.text.get(*start..*end).unwrap_or_default();
                let slot = prompt
                    .spans
                    .iter()
                    .find(|(_, span)| start < end && span.start <= *start && *end <= span.end);
                Token {
                    id: *id,
                    text: match text.is_empty() {
                        true => tokenizer.token(*id).unwrap_or_default(),
                        false => text.to_owned(),
                    },
                    slot: slot.map(|(slot, _)| *slot),
                }
            });
        let tokens = tokens.collect();
        let names = templates.scale.labels.iter().cloned();
        let firsts: Vec<(u32, String)> = labels
            .iter()
            .zip(names)
            .filter_map(|(ids, name)| Some((*ids.first()?, name)))
            .collect();
        let likely = firsts.into_iter().map(|(id, label)| Likely {
            id,
            text: String::new(),
            probability: 0.0,
            label: Some(label),
        });
        let task = Task {
            role: Role::Judge,
            ids: prompt.ids,
            ask: Ask::Labels {
                // The whole vocabulary, token by token; where a server keeps it to itself, the labels.
                labels: match tokenizer.size() {
                    0 => labels,
                    size => (0..size).map(|id| vec![id]).collect(),
                },
                mass: true,
                top: None,
            },
        };
        let inspection = Inspection {
            with_reference,
            tokens,
            likely: likely.collect(),
            mass: 0.0,
            truncated: prompt.truncated,
        };
        Ok((inspection, task))
    }

    /// Completes an inspection by what the engine found.
    ///
    /// # Errors
    /// The outcome of another task.
    pub fn inspected(&self, mut found: Inspection, outcomes: &[Outcome]) -> Result<Inspection> {
        let [Outcome::Labels { probabilities, .. }] = outcomes else {
            return Err(JudgeError::Prompt("outcomes of another prompt".into()));
        };
        if self.cast().judge.served.is_some() {
            for (likely, p) in found.likely.iter_mut().zip(probabilities) {
                likely.text = likely.label.clone().unwrap_or_default();
                likely.probability = *p;
            }
            found.mass = probabilities.iter().sum();
            found
                .likely
                .sort_by(|a, b| b.probability.total_cmp(&a.probability));
            return Ok(found);
        }
        let of = |id: u32| probabilities.get(id as usize).copied().unwrap_or(0.0);
        let labels = std::mem::take(&mut found.likely);
        let mut firsts: Vec<u32> = labels.iter().map(|label| label.id).collect();
        firsts.sort_unstable();
        firsts.dedup();
        found.mass = firsts.iter().map(|id| of(*id)).sum();
        let mut order: Vec<u32> = (0..probabilities.len() as u32).collect();
        order.sort_by(|a, b| of(*b).total_cmp(&of(*a)));
        // Labels are told even where others are likelier.
        let rest: Vec<u32> = order.iter().skip(LIKELY).copied().collect();
        let own = rest
            .into_iter()
            .filter(|id| firsts.binary_search(id).is_ok());
        let shown: Vec<u32> = order.iter().take(LIKELY).copied().chain(own).collect();
        let tokenizer = &self.cast().judge.tokenizer;
        let token = |id: u32| {
            let text = tokenizer.decode(&[id]).unwrap_or_default();
            match text.is_empty() {
                true => tokenizer.token(id).unwrap_or_default(),
                false => text,
            }
        };
        found.likely = shown
            .into_iter()
            .map(|id| Likely {
                id,
                text: token(id),
                probability: of(id),
                label: labels
                    .iter()
                    .find(|l| l.id == id)
                    .and_then(|l| l.label.clone()),
            })
            .collect();
        Ok(found)
    }
}
