//! How an instruction is put before a model that follows instructions: the formats that such models are trained on.

use std::fmt;
use std::str::FromStr;

use crate::judge::{JudgeError, Result};
use crate::model::chat::Turn;
use crate::model::facts::Facts;
use crate::model::tokenizer::Piece;

/// A format of training prompts; the response follows with nothing between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wrapper {
    /// Of Stanford Alpaca.
    Alpaca,
    /// Of WizardLM.
    Wizardlm,
    /// Of Vicuna, as Li et al. 2024 released their scripts with.
    #[default]
    Vicuna,
    /// The model's chat template with a generation prompt.
    Chat,
    /// A text with `{instruction}`: instruction, empty line, input.
    Own(String),
}

const ALPACA: &str = "Below is an instruction that describes a task. Write a response that appropriately completes the \
                      request.\n\n### Instruction:\n{instruction}\n\n### Response:";
const ALPACA_INPUT: &str = "Below is an instruction that describes a task, paired with an input that provides further \
                            context. Write a response that appropriately completes the request.\n\n### Instruction:\n\
                            {instruction}\n\n### Input:\n{input}\n\n### Response:";
const WIZARDLM: &str = "{instruction}\n\n### Response:";
const WIZARDLM_INPUT: &str = "{instruction}\n{input}\n\n### Response:";
const VICUNA: &str = "A chat between a curious user and an artificial intelligence assistant. The assistant gives \
                      helpful, detailed, and polite answers to the user's questions. USER: {instruction} ASSISTANT:";
const VICUNA_INPUT: &str = "A chat between a curious user and an artificial intelligence assistant. The assistant \
                            gives helpful, detailed, and polite answers to the user's questions. USER: {instruction}\n\
                            Input:\n{input} ASSISTANT:";

/// Between instruction and input where a format has no place for the input.
const BETWEEN: &str = "\n\n";

impl Wrapper {
    /// The prompt, and whether the tokenizer adds its special tokens.
    ///
    /// # Errors
    /// No chat template where one is asked for, or one that fails.
    pub fn prompt(
        &self,
        instruction: Vec<Piece>,
        input: Option<&str>,
        facts: &Facts,
    ) -> Result<(Vec<Piece>, bool)> {
        let form = match (self, input) {
            (Wrapper::Alpaca, None) => ALPACA,
            (Wrapper::Alpaca, Some(_)) => ALPACA_INPUT,
            (Wrapper::Wizardlm, None) => WIZARDLM,
            (Wrapper::Wizardlm, Some(_)) => WIZARDLM_INPUT,
            (Wrapper::Vicuna, None) => VICUNA,
            (Wrapper::Vicuna, Some(_)) => VICUNA_INPUT,
            (Wrapper::Own(text), _) => {
                return Ok((filled(text, &joined(instruction, input), ""), true));
            }
            (Wrapper::Chat, _) => {
                let chat = facts.chat.as_ref().ok_or_else(|| {
                    JudgeError::Prompt(format!(
                        "{} has no chat template: use --wrap alpaca, wizardlm or vicuna",
                        facts.name
                    ))
                })?;
                let turn = Turn {
                    role: "user",
                    content: joined(instruction, input),
                };
                return Ok((chat.render(&[turn], true)?, false));
            }
        };
        let pieces = filled(form, &instruction, input.unwrap_or_default());
        Ok((pieces, true))
    }
}

/// Instruction, empty line, input.
fn joined(mut instruction: Vec<Piece>, input: Option<&str>) -> Vec<Piece> {
    if let Some(input) = input {
        instruction.push(Piece::template(BETWEEN));
        instruction.push(Piece::data("input", input));
    }
    instruction
}

/// Fills both slots in one pass; what looks like a slot in the data is not one.
fn filled(form: &str, instruction: &[Piece], input: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let words = |text: &str, pieces: &mut Vec<Piece>| {
        if !text.is_empty() {
            pieces.push(Piece::template(text));
        }
    };
    let mut rest = form;
    while let Some(at) = rest.find('{') {
        let (before, slot) = rest.split_at(at);
        if let Some(after) = slot.strip_prefix("{instruction}") {
            words(before, &mut pieces);
            pieces.extend_from_slice(instruction);
            rest = after;
        } else if let Some(after) = slot.strip_prefix("{input}") {
            words(before, &mut pieces);
            pieces.push(Piece::data("input", input));
            rest = after;
        } else {
            words(&rest[..=at], &mut pieces);
            rest = &rest[at + 1..];
        }
    }
    words(rest, &mut pieces);
    pieces
}

impl FromStr for Wrapper {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(match text {
            "alpaca" => Wrapper::Alpaca,
            "wizardlm" | "wiz" => Wrapper::Wizardlm,
            "vicuna" => Wrapper::Vicuna,
            "chat" => Wrapper::Chat,
            own if own.contains("{instruction}") => Wrapper::Own(own.to_owned()),
            other => {
                return Err(format!(
                    "`{other}`: alpaca, wizardlm, vicuna, chat or a text with {{instruction}} expected"
                ));
            }
        })
    }
}

impl fmt::Display for Wrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrapper::Alpaca => "alpaca",
            Wrapper::Wizardlm => "wizardlm",
            Wrapper::Vicuna => "vicuna",
            Wrapper::Chat => "chat",
            Wrapper::Own(text) => text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|p| p.text.as_str()).collect()
    }

    #[test]
    fn slots_are_filled_once() {
        let instruction = [Piece::data("instruction", "Say {input}.")];
        let pieces = filled("{x} {instruction}\n{input}!", &instruction, "{instruction}");
        assert_eq!(text(&pieces), "{x} Say {input}.\n{instruction}!");
        assert_eq!(pieces.iter().filter(|p| p.slot.is_some()).count(), 2);
    }

    #[test]
    fn names_are_those_of_the_released_scripts() {
        assert_eq!("wiz".parse(), Ok(Wrapper::Wizardlm));
        assert_eq!("vicuna".parse(), Ok(Wrapper::default()));
        assert!("USER {prompt}".parse::<Wrapper>().is_err());
        let own: Wrapper = "Q: {instruction}\nA:".parse().unwrap();
        assert_eq!(own.to_string(), "Q: {instruction}\nA:");
    }
}
