//! SelectIT's rating prompts (Liu et al. 2024, §3): one line that asks for a rating, before or after an instruction
//! with its response. The lines are the criteria of an ordinary template, so everything else is as for any judge.

use std::path::Path;

use super::scale::Scale;
use super::template::{Template, TemplateSet, Wrap};
use super::{JudgeError, Result};
use crate::data::{Record, Subject};

/// Our own nine lines; `{k}` is the highest rating.
const BUILT_IN: &str = include_str!("templates/selectit.txt");

/// The published order: the line comes first, so that prompts of one pair share nothing.
const LINE_FIRST: &str =
    "{criterion}\nInstruction:{instruction}\nResponse:{response}\nThe answer is: \n";

/// The line comes last: all prompts of a pair share the pair.
const LINE_LAST: &str =
    "Instruction:{instruction}\nResponse:{response}\n\n{criterion}\nThe answer is: \n";

/// Lines that ask for a rating, each with its line end where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatingLines {
    /// Where they come from, for messages.
    name: String,
    lines: Vec<String>,
}

/// Where the line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinePlace {
    #[default]
    First,
    Last,
}

impl RatingLines {
    /// Our own, for ratings from 1 to `k`.
    pub fn built_in(k: usize) -> Self {
        Self::parse("the built-in prompts", BUILT_IN).with_highest(k)
    }

    fn with_highest(mut self, k: usize) -> Self {
        for line in &mut self.lines {
            *line = line.replace("{k}", &k.to_string());
        }
        self
    }

    /// Reads a file as the authors publish it: a prompt a line, taken as it stands with its line end (the last has
    /// none). A byte order mark is stepped over, CRLF counts as a line end like any other, and blank lines, wherever
    /// they stand, are no prompts.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8, or holds no prompt; named.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let wrong = |cause: String| JudgeError::Prompt(format!("prompts {name}: {cause}"));
        let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => {
                wrong("this is not UTF-8 text; convert the file".into())
            }
            _ => wrong(e.to_string()),
        })?;
        let lines = Self::parse(&name, &text);
        match lines.lines.is_empty() {
            true => Err(wrong(
                "there is no line with a prompt; write one a line".into(),
            )),
            false => Ok(lines),
        }
    }

    fn parse(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let text = text.replace("\r\n", "\n");
        let lines = text.split_inclusive('\n');
        let lines = lines.filter(|line| !line.trim().is_empty());
        RatingLines {
            name: name.to_owned(),
            lines: lines.map(str::to_owned).collect(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The first `count`.
    ///
    /// # Errors
    /// Fewer lines than that, with both numbers.
    pub fn first(&self, count: usize) -> Result<Vec<String>> {
        self.lines
            .get(..count)
            .map(<[String]>::to_vec)
            .ok_or_else(|| {
                JudgeError::Prompt(format!(
                    "{count} rating prompts are asked for, and {} has {}: add lines, or ask for fewer with \
                 --prompt-count",
                    self.name,
                    self.lines.len()
                ))
            })
    }

    /// The one at a place, counted from 0.
    ///
    /// # Errors
    /// A place behind the last line, with both numbers.
    pub fn at(&self, index: usize) -> Result<String> {
        self.lines.get(index).cloned().ok_or_else(|| {
            JudgeError::Prompt(format!(
                "--prompt-index {index}: {} has {} lines, counted from 0",
                self.name,
                self.lines.len()
            ))
        })
    }
}

/// Templates that ask for a rating from 1 to `k`, once with each line. The prompt goes to the model bare unless a wrap
/// is asked for elsewhere.
pub fn templates(lines: &[String], place: LinePlace, k: usize) -> TemplateSet {
    let source = match place {
        LinePlace::First => LINE_FIRST,
        LinePlace::Last => LINE_LAST,
    };
    let criteria = lines.iter().enumerate();
    TemplateSet {
        name: "selectit".into(),
        reference: None,
        free: Some(Template::parse(source, false)),
        scale: Scale {
            labels: (1..=k).map(|label| label.to_string()).collect(),
            values: (1..=k).map(|label| label as f64).collect(),
        },
        criteria: criteria
            .map(|(at, line)| (at.to_string(), line.clone()))
            .collect(),
        top: None,
        wrap: Some(Wrap::None),
        label_prefix: String::new(),
        embed_tokens: None,
        slot_tokens: Default::default(),
        generate: None,
    }
}

/// What of a record is rated: the question, with the turns before it above it, and the answer.
///
/// # Errors
/// A record without an answer, or with several.
pub fn pair(record: &Record) -> std::result::Result<Subject, String> {
    let task = record.task();
    Ok(Subject {
        instruction: match &record.context {
            Some(context) => format!("{context}\n\n{task}"),
            None => task,
        },
        response: rated(record)?.to_owned(),
        ..Subject::default()
    })
}

/// The text of a record that is rated: its only response; where it has none or several, its reference.
///
/// # Errors
/// A record without either.
pub fn rated(record: &Record) -> std::result::Result<&str, String> {
    match (record.responses.as_slice(), &record.reference) {
        ([one], _) => Ok(&one.text),
        (_, Some(reference)) => Ok(reference),
        ([], None) => Err(
            "there is no response to rate: rows have an output, a response or a reference".into(),
        ),
        (many, None) => Err(format!(
            "there are {} responses and no reference: one a row is rated",
            many.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Response, Subject};

    #[test]
    fn lines_are_taken_as_they_stand() {
        let lines = RatingLines::parse("f", "\u{FEFF}one?\r\n\r\n two \n\n\t\nthree");
        assert_eq!(lines.lines, ["one?\n", " two \n", "three"]);
        assert_eq!(lines.first(2).unwrap(), ["one?\n", " two \n"]);
        assert_eq!(lines.at(2).unwrap(), "three");
        let message = lines.first(5).unwrap_err().to_string();
        assert!(
            message.contains("5 rating prompts") && message.contains("f has 3"),
            "{message}"
        );
        let message = lines.at(3).unwrap_err().to_string();
        assert!(message.contains('3'), "{message}");
    }

    #[test]
    fn there_are_nine_of_our_own() {
        let own = RatingLines::built_in(7);
        assert_eq!(own.len(), 9);
        assert!(
            own.lines
                .iter()
                .all(|line| line.contains('7') && !line.contains("{k}"))
        );
    }

    #[test]
    fn the_prompt_is_the_published_one() {
        let lines = ["Rate it.\n".to_owned(), "Again.".to_owned()];
        let subject = Subject {
            instruction: "Add.\n\n1 2".into(),
            response: "3 {response}".into(),
            ..Subject::default()
        };
        let text = |place, line: &String| -> String {
            let set = templates(&lines, place, 5);
            let subject = Subject {
                criterion: Some(line.clone()),
                ..subject.clone()
            };
            let pieces = set.free.unwrap().fill(&subject);
            pieces.iter().map(|piece| piece.text.as_str()).collect()
        };
        assert_eq!(
            text(LinePlace::First, &lines[0]),
            "Rate it.\n\nInstruction:Add.\n\n1 2\nResponse:3 {response}\nThe answer is: \n"
        );
        assert_eq!(
            text(LinePlace::Last, &lines[1]),
            "Instruction:Add.\n\n1 2\nResponse:3 {response}\n\nAgain.\nThe answer is: \n"
        );
    }

    #[test]
    fn one_text_a_record_is_rated() {
        let response = |text: &str| Response {
            text: text.into(),
            ..Response::default()
        };
        let mut record = Record {
            reference: Some("good".into()),
            ..Record::default()
        };
        assert_eq!(rated(&record), Ok("good"));
        record.responses = vec![response("")];
        assert_eq!(rated(&record), Ok(""));
        record.responses = vec![response("a"), response("b")];
        assert_eq!(rated(&record), Ok("good"));
        record.reference = None;
        assert!(rated(&record).unwrap_err().contains("2 responses"));
        record.responses.clear();
        assert!(rated(&record).is_err());
    }
}
