//! What a response's sentences are worth to a judge: how far the score falls when one is left out.

use std::ops::Range;

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

use super::{Judge, JudgeError, Result};
use crate::data::Subject;
use crate::engine::{Ask, Outcome, Role, Task};

/// One sentence and its worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sentence {
    /// Where it stands in the response, in characters.
    pub start: usize,
    pub end: usize,
    /// Expected score of the whole response minus that without this sentence.
    pub drop: f64,
}

/// The worth of all sentences, and of the response.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    pub sentences: Vec<Sentence>,
    /// Expected score of the whole response minus that of an empty one.
    pub whole: f64,
}

/// Prompts that leave sentences out; the last has an empty response.
#[derive(Clone, Debug)]
pub struct Omissions {
    pub tasks: Vec<Task>,
    /// In characters.
    ranges: Vec<Range<usize>>,
}

impl Omissions {
    /// How many outcomes belong to them.
    pub fn count(&self, judge: &Judge) -> usize {
        (self.ranges.len() + 1) * judge.templates().criteria.len().max(1)
    }
}

/// Byte ranges of sentences (Unicode UAX #29), which together are the text; what has no letter, as the number of a list
/// item, belongs to what follows.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut joined = false;
    for (start, sentence) in text.split_sentence_bound_indices() {
        let end = start + sentence.len();
        match found.last_mut().filter(|_| joined) {
            Some(last) => last.end = end,
            None => found.push(start..end),
        }
        let last = found.last().map_or("", |last| &text[last.clone()]);
        joined = !last.contains(char::is_alphabetic);
    }
    // Nothing follows a tail without letters.
    if joined && found.len() > 1 {
        found.pop();
        if let Some(last) = found.last_mut() {
            last.end = text.len();
        }
    }
    found
}

impl Judge {
    /// Prompts of a mode for a response without each of its sentences, and for an empty one. They share what stands before
    /// the sentence that is left out.
    ///
    /// # Errors
    /// As [`Judge::prompts`]; a mode without a template.
    pub fn omissions(&self, subject: &Subject, with_reference: bool) -> Result<Omissions> {
        let templates = self.templates();
        let template = match with_reference {
            true => &templates.reference,
            false => &templates.free,
        };
        let template = template.as_ref().ok_or_else(|| {
            JudgeError::Prompt("the judge has no template for this mode to attribute by".into())
        })?;
        let text = &subject.response;
        let ranges = sentences(text);
        let without =
            |range: &Range<usize>| format!("{}{}", &text[..range.start], &text[range.end..]);
        let responses = ranges.iter().map(without).chain([String::new()]);
        let mut tasks = Vec::with_capacity(ranges.len() + 1);
        for response in responses {
            let left = Subject {
                response,
                ..subject.clone()
            };
            for (prompt, labels) in self.prompts(template, &left)? {
                tasks.push(Task {
                    role: Role::Judge,
                    ids: prompt.ids,
                    ask: Ask::Labels {
                        labels,
                        mass: false,
                        top: self.top(),
                    },
                });
            }
        }
        let characters = |bytes: usize| text[..bytes].chars().count();
        Ok(Omissions {
            tasks,
            ranges: ranges
                .iter()
                .map(|r| characters(r.start)..characters(r.end))
                .collect(),
        })
    }

    /// Reads what the omissions cost, beside the expected score of the whole response.
    ///
    /// # Errors
    /// Outcomes of other tasks.
    pub fn attribution(
        &self,
        omissions: &Omissions,
        score: f64,
        outcomes: &[Outcome],
    ) -> Result<Attribution> {
        let scale = &self.templates().scale;
        let scores: Option<Vec<f64>> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Labels { probabilities, .. } => {
                    Some(scale.distribution(probabilities).mean())
                }
                _ => None,
            })
            .collect();
        let criteria = self.templates().criteria.len().max(1);
        let drops = scores.map(|scores| -> Vec<f64> {
            let each = scores.chunks(criteria);
            each.map(|own| score - own.iter().sum::<f64>() / own.len() as f64)
                .collect()
        });
        let drops = drops.filter(|drops| drops.len() == omissions.ranges.len() + 1);
        let Some((whole, drops)) = drops.as_deref().and_then(<[f64]>::split_last) else {
            return Err(JudgeError::Prompt("outcomes of other prompts".into()));
        };
        let each = omissions.ranges.iter().zip(drops);
        Ok(Attribution {
            sentences: each
                .map(|(range, drop)| Sentence {
                    start: range.start,
                    end: range.end,
                    drop: *drop,
                })
                .collect(),
            whole: *whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|r| &text[r]).collect()
    }

    #[test]
    fn sentences_are_the_text() {
        assert_eq!(split("One. Two!  Three"), ["One. ", "Two!  ", "Three"]);
        assert_eq!(
            split("Do this:\n1. Boil water.\n2. Add salt.\n"),
            ["Do this:\n", "1. Boil water.\n", "2. Add salt.\n"]
        );
        assert_eq!(split("Größe? Ja. 3.14 …"), ["Größe? ", "Ja. 3.14 …"]);
        assert_eq!(split("42"), ["42"]);
        assert_eq!(split(""), Vec::<&str>::new());
    }
}
