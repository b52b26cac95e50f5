//! Limits of length, and what tells a row of low quality. Every check names its reason.

use std::collections::HashMap;

use serde::Serialize;

use super::hash::{Hashed, join, text_hash};
use super::language::foreign;
use super::reason::{Drop, Reason};
use super::words::words;
use crate::data::Record;

/// What rows must keep to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// Characters of the task, input among them.
    pub min_chars: usize,
    /// As above.
    pub max_chars: usize,
    /// Characters of each response.
    pub max_response_chars: usize,
    /// Other languages than English, too.
    pub any_language: bool,
    /// Rows of low quality, too.
    pub any_quality: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            min_chars: 10,
            max_chars: 16_384,
            max_response_chars: 32_768,
            any_language: false,
            any_quality: false,
        }
    }
}

/// Beginnings of answers that decline, in normal form.
const REFUSALS: [&str; 22] = [
    "im sorry but i cant",
    "im sorry but i cannot",
    "im sorry but as an ai",
    "im sorry i cant",
    "im sorry i cannot",
    "i am sorry but i cannot",
    "i am sorry but i am unable",
    "im sorry but im not able",
    "im sorry but im unable",
    "sorry but i cant",
    "sorry i cant",
    "i apologize but i cannot",
    "i apologize but i cant",
    "i cannot fulfill",
    "i cant assist with",
    "i cannot assist with",
    "i cannot provide",
    "im unable to",
    "i am unable to",
    "as an ai language model i cannot",
    "as an ai language model i cant",
    "as an ai language model i do not have the ability",
];

/// What is left of templates and of text that was not there, in lower case.
const PLACEHOLDERS: [&str; 9] = [
    "<noinput>",
    "<no input>",
    "[insert ",
    "{{",
    "lorem ipsum",
    "<placeholder>",
    "todo: write",
    "<your text here>",
    "[your text here]",
];

/// The first reason to drop a row, if there is one. `task` is the text as it stands, `normal` the form that is compared.
pub fn check(record: &Record, task: &str, normal: &str, limits: &Limits) -> Option<Drop> {
    if normal.is_empty() {
        return Some(Drop::new(
            Reason::Empty,
            "no letter and no digit in the task",
        ));
    }
    length(record, task, limits).or_else(|| {
        let by_quality = || quality(record, task, normal).filter(|_| !limits.any_quality);
        by_quality().or_else(|| language(record, normal, limits))
    })
}

fn length(record: &Record, task: &str, limits: &Limits) -> Option<Drop> {
    let chars = task.trim().chars().count();
    if chars < limits.min_chars {
        let detail = format!("{chars} characters; at least {} wanted", limits.min_chars);
        return Some(Drop::new(Reason::TooShort, detail));
    }
    if chars > limits.max_chars {
        let detail = format!("{chars} characters; at most {} wanted", limits.max_chars);
        return Some(Drop::new(Reason::TooLong, detail));
    }
    let lengths = record.responses.iter().map(|r| r.text.chars().count());
    let longest = lengths.max().unwrap_or_default();
    (longest > limits.max_response_chars).then(|| {
        let most = limits.max_response_chars;
        Drop::new(
            Reason::TooLong,
            format!("a response of {longest} characters; at most {most} wanted"),
        )
    })
}

fn language(record: &Record, normal: &str, limits: &Limits) -> Option<Drop> {
    if limits.any_language {
        return None;
    }
    let instruction = super::words::normal(&record.instruction);
    // The input may be what is to be translated; without much of an instruction it is all there is.
    let told = match words(&instruction).nth(3) {
        Some(_) => &instruction,
        None => normal,
    };
    foreign(told).map(|found| Drop::new(Reason::Language, found))
}

fn quality(record: &Record, task: &str, normal: &str) -> Option<Drop> {
    let lower = task.to_lowercase();
    damaged(task)
        .or_else(|| placeholder(&lower))
        .or_else(|| symbols(task))
        .or_else(|| repeated(normal).map(|d| Drop::new(Reason::Repeated, format!("the task: {d}"))))
        .or_else(|| responses(record))
}

fn damaged(task: &str) -> Option<Drop> {
    const MOJIBAKE: [&str; 6] = ["â€", "Ã©", "Ã¨", "Ã¼", "Â ", "ï»¿"];
    if task.is_ascii() {
        return None;
    }
    if let Some(found) = MOJIBAKE.iter().find(|found| task.contains(**found)) {
        let detail = format!("`{found}`: UTF-8 that was read as another encoding");
        return Some(Drop::new(Reason::Encoding, detail));
    }
    let count = task.chars().filter(|c| *c == '\u{fffd}').count();
    (count > 0).then(|| Drop::new(Reason::Encoding, format!("{count} replacement characters")))
}

fn placeholder(lower: &str) -> Option<Drop> {
    let found = PLACEHOLDERS.iter().find(|found| lower.contains(**found))?;
    // Braces within code are no slot.
    let code = lower.contains("```") || lower.contains("jinja") || lower.contains(';');
    (*found != "{{" || (lower.contains("}}") && !code))
        .then(|| Drop::new(Reason::Placeholder, format!("`{}`", found.trim())))
}

fn symbols(task: &str) -> Option<Drop> {
    let (mut all, mut letters) = (0usize, 0usize);
    for c in task.chars().filter(|c| !c.is_whitespace()) {
        all += 1;
        letters += usize::from(c.is_alphanumeric());
    }
    (letters * 5 < all * 2).then(|| {
        let share = 100.0 * letters as f64 / all.max(1) as f64;
        Drop::new(
            Reason::Symbols,
            format!("{share:.0} % of the task are letters or digits"),
        )
    })
}

/// Words said over and over: three words in a row that make up more than half of a text, or one word that does.
fn repeated(normal: &str) -> Option<String> {
    let words: Vec<(&str, u64)> = words(normal).map(|word| (word, text_hash(word))).collect();
    if words.len() < 24 {
        return None;
    }
    let mut grams: HashMap<u64, usize, Hashed> = HashMap::default();
    grams.reserve(words.len());
    let mut most = (0, "");
    for three in words.windows(3) {
        let hash = join(three[0].1, join(three[1].1, three[2].1));
        let count = grams.entry(hash).or_default();
        *count += 1;
        if *count > most.0 {
            most = (*count, three[0].0);
        }
    }
    let share = most.0 as f64 * 3.0 / words.len() as f64;
    // Numbers in tables repeat and mean something.
    let meant = most.1.chars().any(|c| !c.is_alphabetic());
    (share > 0.5 && most.0 >= 6 && !meant).then(|| {
        format!(
            "three words from `{}` on stand there {} times",
            most.1, most.0
        )
    })
}

fn responses(record: &Record) -> Option<Drop> {
    if record.responses.is_empty() {
        return None;
    }
    if record.responses.iter().all(|r| r.text.trim().is_empty()) {
        return Some(Drop::new(Reason::NoResponse, "no response says anything"));
    }
    for response in &record.responses {
        // The beginning tells; a refusal quoted later is part of an answer.
        let start: String = response.text.chars().take(120).collect();
        let start = super::words::normal(&start);
        if let Some(found) = REFUSALS.iter().find(|found| start.starts_with(**found)) {
            let detail = format!("a response begins `{found} …`");
            return Some(Drop::new(Reason::Refusal, detail));
        }
        if let Some(detail) = long_repetition(&response.text) {
            return Some(Drop::new(Reason::Repeated, format!("a response: {detail}")));
        }
    }
    None
}

fn long_repetition(text: &str) -> Option<String> {
    (text.len() >= 200).then(|| repeated(&super::words::normal(text)))?
}

#[cfg(test)]
mod tests {
    use super::super::words::normal;
    use super::*;
    use crate::data::Response;

    fn reason(instruction: &str, response: Option<&str>) -> Option<Reason> {
        let record = Record {
            instruction: instruction.into(),
            responses: response
                .map(|text| Response {
                    text: text.into(),
                    ..Response::default()
                })
                .into_iter()
                .collect(),
            ..Record::default()
        };
        let task = record.task();
        check(&record, &task, &normal(&task), &Limits::default()).map(|drop| drop.reason)
    }

    #[test]
    fn each_reason_has_its_rows() {
        let long = "word ".repeat(4000);
        let again = "tell me more ".repeat(12);
        for (instruction, response, want) in [
            ("?!", None, Some(Reason::Empty)),
            ("Go on", None, Some(Reason::TooShort)),
            (long.as_str(), None, Some(Reason::TooLong)),
            ("Explain the cafÃ© culture", None, Some(Reason::Encoding)),
            (
                "Explain \u{fffd}\u{fffd} to me",
                None,
                Some(Reason::Encoding),
            ),
            (
                "Summarise this: [Insert text]",
                None,
                Some(Reason::Placeholder),
            ),
            (
                "Tell {{name}} about rivers",
                None,
                Some(Reason::Placeholder),
            ),
            ("$$%%^^&&**((ab))__!!@@##", None, Some(Reason::Symbols)),
            (again.as_str(), None, Some(Reason::Repeated)),
            (
                "Escribe un poema sobre el mar",
                None,
                Some(Reason::Language),
            ),
            (
                "Write a poem about it",
                Some("  "),
                Some(Reason::NoResponse),
            ),
            (
                "Write a poem about it",
                Some("I'm sorry, but I can’t help."),
                Some(Reason::Refusal),
            ),
            (
                "Write a poem about it",
                Some(again.repeat(2).as_str()),
                Some(Reason::Repeated),
            ),
            ("Write a poem about it", Some("Roses are red."), None),
            ("Define photosynthesis", None, None),
            ("Fix `x = {{1, 2}};` in C", None, None),
        ] {
            assert_eq!(reason(instruction, response), want, "{instruction}");
        }
    }

    #[test]
    fn filters_can_be_left_out() {
        let record = Record {
            instruction: "Escribe un poema sobre el mar".into(),
            ..Record::default()
        };
        let limits = Limits {
            any_language: true,
            ..Limits::default()
        };
        let task = record.task();
        assert_eq!(check(&record, &task, &normal(&task), &limits), None);
    }
}
