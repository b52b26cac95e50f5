//! One instruction with everything that belongs to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// One instruction with its optional input, reference and responses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Unique within a data set; made from the position where the input has none.
    pub id: String,
    /// The task, without its input.
    pub instruction: String,
    /// What the instruction is about; empty input is `None`.
    pub input: Option<String>,
    /// Turns before the judged one, `User: …\n\nAssistant: …`, trimmed.
    pub context: Option<String>,
    /// A good answer to compare with.
    pub reference: Option<String>,
    /// A scoring rubric of this record's own.
    pub rubric: Option<String>,
    /// `common`, `coding`, … where the input tells.
    pub category: Option<String>,
    /// The answers to be judged, in input order.
    pub responses: Vec<Response>,
    /// Every other field of the record.
    pub meta: Map<String, Value>,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Unique within its record.
    pub id: String,
    /// The model or person that wrote it.
    pub generator: Option<String>,
    /// The answer itself.
    pub text: String,
    /// Human or outside ratings by field name.
    pub labels: BTreeMap<String, f64>,
    /// Why it was rated so, in the rater's words.
    pub reason: Option<String>,
    /// Every other field of the row it came from.
    pub meta: Map<String, Value>,
}

impl Record {
    /// The `{instruction}` slot: instruction, blank line, input, when there is an input.
    pub fn task(&self) -> String {
        match &self.input {
            Some(input) => format!("{}\n\n{input}", self.instruction),
            None => self.instruction.clone(),
        }
    }

    /// Tells records of one instruction from those of others, whatever their ids: the first 16 hexadecimal
    /// digits of the SHA-256 of task and context.
    pub fn instruction_hash(&self) -> String {
        let context = self.context.as_deref().unwrap_or_default();
        let digest = Sha256::digest(format!("{context}\0{}", self.task()));
        hex::encode(&digest[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_instruction_have_one_hash() {
        let record = |instruction: &str, input: Option<&str>| Record {
            instruction: instruction.into(),
            input: input.map(str::to_owned),
            ..Record::default()
        };
        let one = Record {
            id: "x".into(),
            ..record("Add.", Some("1 2"))
        };
        let hash = one.instruction_hash();
        assert_eq!(hash.len(), 16);
        assert_eq!(hash, record("Add.", Some("1 2")).instruction_hash());
        assert_ne!(hash, record("Add.", Some("1 3")).instruction_hash());
        assert_ne!(hash, record("Add.", None).instruction_hash());
    }
}
