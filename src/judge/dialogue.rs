//! Prompts that are no template's: a response as a continuation of its instruction, for a perplexity,
//! and as an answered turn, for a reward.

use super::prompt::Truncate;
use super::{JudgeError, Result};
use crate::data::Subject;
use crate::model::chat::{ChatTemplate, Turn};
use crate::model::facts::Facts;
use crate::model::tokenizer::Piece;

/// Between an instruction and its response where no chat template says what stands there.
const BETWEEN: &str = "\n\n";

/// What a person says: the turns before, if there are any, and the instruction.
fn question(subject: &Subject) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(context) = &subject.context {
        pieces.push(Piece::data("context", context));
        pieces.push(Piece::template(BETWEEN));
    }
    pieces.push(Piece::data("instruction", &subject.instruction));
    pieces
}

/// Instruction and response, for the wrap that makes turns of them.
pub fn turns(subject: &Subject) -> Vec<Piece> {
    let mut pieces = question(subject);
    pieces.push(Piece::data("response", &subject.response));
    pieces
}

/// Instruction and response below one another.
pub fn plain(subject: &Subject) -> Vec<Piece> {
    let mut pieces = question(subject);
    pieces.push(Piece::template(BETWEEN));
    pieces.push(Piece::data("response", &subject.response));
    pieces
}

/// What a policy is asked: its chat template with a generation prompt, or the instruction and an empty line;
/// and whether the tokenizer adds its special tokens.
fn asked(subject: &Subject, chat: Option<&ChatTemplate>) -> Result<(Vec<Piece>, bool)> {
    Ok(match chat {
        Some(chat) => {
            let turn = Turn {
                role: "user",
                content: question(subject),
            };
            (chat.render(&[turn], true)?, false)
        }
        None => {
            let mut pieces = question(subject);
            pieces.push(Piece::template(BETWEEN));
            (pieces, true)
        }
    })
}

/// The prompt behind which a policy writes its response.
///
/// # Errors
/// An instruction that leaves no room; what tokenizer and chat template say.
pub fn request(subject: &Subject, facts: &Facts) -> Result<Vec<u32>> {
    let (pieces, special) = asked(subject, facts.chat.as_ref())?;
    let ids = facts.tokenizer.encode(&pieces, special)?.ids;
    match ids.len() < facts.context {
        true => Ok(ids),
        false => Err(JudgeError::Prompt(format!(
            "the instruction has {} tokens, the model's context {}",
            ids.len(),
            facts.context
        ))),
    }
}

/// The prompt as [`request`] makes it, and the tokens of a response behind it: those by which both together extend the
/// prompt, or, where they change it, the response's own. Neither is cut, and no end token follows.
///
/// # Errors
/// What tokenizer and chat template say.
pub fn answered(subject: &Subject, facts: &Facts) -> Result<(Vec<u32>, Vec<u32>)> {
    let (mut pieces, special) = asked(subject, facts.chat.as_ref())?;
    let prompt = facts.tokenizer.encode_open(&pieces, special)?.ids;
    let response = Piece::data("response", &subject.response);
    pieces.push(response.clone());
    let both = facts.tokenizer.encode_open(&pieces, special)?.ids;
    let answer = match both.strip_prefix(prompt.as_slice()) {
        Some(answer) => answer.to_vec(),
        None => facts.tokenizer.encode_open(&[response], false)?.ids,
    };
    Ok((prompt, answer))
}

/// A response behind its instruction.
#[derive(Debug)]
pub struct Continuation {
    pub ids: Vec<u32>,
    /// The response's first token.
    pub from: usize,
    /// Whether the response's end was cut off.
    pub truncated: bool,
}

/// The response as what a policy would have written: behind its chat template's generation prompt,
/// or behind the instruction and an empty line.
///
/// # Errors
/// An empty response; an instruction that leaves no room, or, with [`Truncate::Error`], no room for
/// all of the response; what tokenizer and chat template say.
pub fn continuation(subject: &Subject, facts: &Facts, truncate: Truncate) -> Result<Continuation> {
    let refuse = |cause: String| Err(JudgeError::Prompt(cause));
    if subject.response.is_empty() {
        return refuse("the response is empty, so it has no perplexity".into());
    }
    // Servers tell log-probabilities of texts, not of chats.
    let chat = facts.chat.as_ref().filter(|_| facts.served.is_none());
    let (mut pieces, special) = asked(subject, chat)?;
    let before: usize = pieces.iter().map(|p| p.text.len()).sum();
    pieces.push(Piece::data("response", &subject.response));
    let mut encoded = facts.tokenizer.encode(&pieces, special)?;
    // What a tokenizer puts behind a text is not the response's.
    let last = encoded.offsets.iter().rposition(|(start, end)| start < end);
    encoded.ids.truncate(last.map_or(0, |last| last + 1));
    let reaches = |(_, end): &(usize, usize)| *end > before;
    // Nothing comes before the very first token, so nothing predicts it.
    let from = encoded.offsets.iter().position(reaches).unwrap_or(0).max(1);
    let (tokens, context) = (encoded.ids.len(), facts.context);
    if from >= tokens.min(context) {
        return refuse(match tokens > context {
            true => format!("the instruction leaves no room in the model's context of {context}"),
            false => "nothing comes before the response's only token".into(),
        });
    }
    if tokens > context && truncate == Truncate::Error {
        return refuse(format!(
            "instruction and response have {tokens} tokens, {context} fit: allow cutting with \
             --truncate tail"
        ));
    }
    // The middle cannot go: what comes after it would follow nothing that was written.
    encoded.ids.truncate(context);
    Ok(Continuation {
        ids: encoded.ids,
        from,
        truncated: tokens > context,
    })
}

/// `e^(−mean log-probability)`.
pub fn perplexity(log_probs: &[f64]) -> Option<f64> {
    let mean = log_probs.iter().sum::<f64>() / log_probs.len() as f64;
    Some((-mean).exp()).filter(|p| p.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perplexity_is_the_inverse_geometric_mean() {
        let of = |p: &[f64]| perplexity(&p.iter().map(|p| p.ln()).collect::<Vec<_>>());
        assert!((of(&[0.5, 0.125]).unwrap() - 4.0).abs() < 1e-12);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[0.0]), None);
    }
}
