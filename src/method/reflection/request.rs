//! What a teacher is asked. The markers are the published ones, the words our own; texts in files may replace them.

use super::reply::{ANSWER, BETTER, END, INSTRUCTION};

/// The texts that a teacher is asked with, slots `{instruction}` and `{response}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    instruction: String,
    response: String,
}

/// What a teacher reflects on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reflection {
    /// The instruction: a new one, with an answer.
    Instruction,
    /// The response: a better one.
    Response,
}

const ON_INSTRUCTION: &str = "\
You review the material that an assistant is trained on. Below are an instruction and the answer it was given.

<instruction>
{instruction}
</instruction>

<answer>
{response}
</answer>

First criticise the instruction, one point each: how complex its topic is, how much detail it asks for, how much \
knowledge it takes, where it is ambiguous, how much reasoning it demands. Then say in one or two sentences how its \
weaknesses make the answer weak.

Then write a new instruction that mends this: on a related topic, more demanding, and complete in itself, so that nobody \
needs to have seen the one above. Then answer the new instruction as thoroughly as it deserves.

Put both between these markers, each on a line of its own:

[New Instruction]
(the text of the instruction)
[End]
[New Answer]
(the text of the answer)
[End]";

const ON_RESPONSE: &str = "\
You review the material that an assistant is trained on. Below are an instruction and the answer it was given.

<instruction>
{instruction}
</instruction>

<answer>
{response}
</answer>

First criticise the answer, one point each: whether it helps, whether it keeps to the instruction, whether it is accurate, \
whether its detail is enough.

Then write a better answer to the same instruction, one that can stand in place of the one above without mentioning it.

Put it between these markers, each on a line of its own:

[Better Answer]
(the text of the answer)
[End]";

impl Default for Requests {
    fn default() -> Self {
        Requests {
            instruction: ON_INSTRUCTION.to_owned(),
            response: ON_RESPONSE.to_owned(),
        }
    }
}

impl Requests {
    /// The standard texts, or others in their place.
    ///
    /// # Errors
    /// A text without one of the slots.
    pub fn new(instruction: Option<String>, response: Option<String>) -> Result<Self, String> {
        let standard = Requests::default();
        let requests = Requests {
            instruction: instruction.unwrap_or(standard.instruction),
            response: response.unwrap_or(standard.response),
        };
        for (what, text) in [
            ("instruction", &requests.instruction),
            ("response", &requests.response),
        ] {
            for slot in ["{instruction}", "{response}"] {
                if !text.contains(slot) {
                    return Err(format!("the text that asks about the {what} has no {slot}"));
                }
            }
        }
        Ok(requests)
    }

    /// What the teacher is told; `again` where it did not keep to the markers.
    pub fn text(&self, on: Reflection, instruction: &str, response: &str, again: bool) -> String {
        let form = match on {
            Reflection::Instruction => &self.instruction,
            Reflection::Response => &self.response,
        };
        let mut text = filled(form, instruction, response);
        if again {
            let markers = match on {
                Reflection::Instruction => format!("{INSTRUCTION} … {END} and {ANSWER} … {END}"),
                Reflection::Response => format!("{BETTER} … {END}"),
            };
            text.push_str(&format!(
                "\n\nKeep to the markers exactly, with the whole text between them: {markers}."
            ));
        }
        text
    }
}

/// Fills both slots in one pass: slot-like text in the data stays.
fn filled(form: &str, instruction: &str, response: &str) -> String {
    let mut text = String::with_capacity(form.len() + instruction.len() + response.len());
    let mut rest = form;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let slots = [("{instruction}", instruction), ("{response}", response)];
        let found = slots.iter().find(|(slot, _)| rest.starts_with(slot));
        let (slot, data) = found.copied().unwrap_or(("{", "{"));
        text.push_str(data);
        rest = &rest[slot.len()..];
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::super::reply::{self, Cause};
    use super::*;

    #[test]
    fn data_is_not_filled_again() {
        let requests = Requests::new(Some("{instruction}|{response}|{x}".into()), None).unwrap();
        let text = requests.text(Reflection::Instruction, "a {response}", "b", false);
        assert_eq!(text, "a {response}|b|{x}");
        assert!(Requests::new(None, Some("{instruction}".into())).is_err());
    }

    #[test]
    fn what_is_asked_and_echoed_is_no_reply() {
        let requests = Requests::default();
        for again in [false, true] {
            let echo = requests.text(Reflection::Instruction, "Q", "A", again);
            assert_eq!(reply::instruction(&echo), Err(Cause::Placeholder));
            let echo = requests.text(Reflection::Response, "Q", "A", again);
            assert_eq!(reply::response(&echo), Err(Cause::Placeholder));
        }
    }
}
