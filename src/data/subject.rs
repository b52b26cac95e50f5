//! What is put before a judge.

use super::Record;

/// One response with everything a judge may be shown of its record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// The task as shown to the judge (instruction, blank line, input).
    pub instruction: String,
    /// Turns before the judged one.
    pub context: Option<String>,
    /// A good answer to compare with.
    pub reference: Option<String>,
    /// A scoring rubric.
    pub rubric: Option<String>,
    /// The answer to judge.
    pub response: String,
    /// What to judge it by, where a template asks for one thing after the other.
    pub criterion: Option<String>,
}

impl Subject {
    /// A text as the answer to a record.
    pub fn of(record: &Record, response: &str) -> Self {
        Subject {
            instruction: record.task(),
            context: record.context.clone(),
            reference: record.reference.clone(),
            rubric: record.rubric.clone(),
            response: response.to_owned(),
            criterion: None,
        }
    }
}
