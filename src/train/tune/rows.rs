//! What all readers of training rows share: errors, counts, end tokens.

use std::collections::BTreeMap;
use std::fmt;

use crate::data::{DataError, RowError};
use crate::judge::JudgeError;
use crate::model::ModelError;
use crate::model::facts::Facts;

/// Why training data cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Judge(#[from] JudgeError),
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Cause and cure, files named.
    #[error("{0}")]
    Text(String),
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, RowsError>;

/// How much came of some data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows, those that could not be read among them.
    pub rows: usize,
    /// Examples that were too long and lost something.
    pub cut: usize,
    /// What was left out, by cause.
    pub left_out: BTreeMap<String, usize>,
    /// The first row that could not be used, and why.
    pub first: Option<String>,
}

impl Counts {
    /// Something is left out; `cause` goes on "… rows left out: ".
    pub fn leave_out(&mut self, cause: impl Into<String>) {
        *self.left_out.entry(cause.into()).or_default() += 1;
    }

    /// Something is left out because of an error, the first of which is kept.
    pub fn fail(&mut self, cause: &str, error: impl fmt::Display) {
        self.leave_out(cause);
        self.first.get_or_insert_with(|| error.to_string());
    }

    /// Of more data.
    pub fn add(&mut self, other: Counts) {
        self.rows += other.rows;
        self.cut += other.cut;
        for (cause, count) in other.left_out {
            *self.left_out.entry(cause).or_default() += count;
        }
        self.first = self.first.take().or(other.first);
    }

    /// That there is something to learn from.
    ///
    /// # Errors
    /// Without a single example: what became of the rows.
    pub fn some(&self, examples: usize, what: &str) -> Result<()> {
        match examples {
            0 => Err(RowsError::Text(format!(
                "{what}: nothing to learn from ({self})"
            ))),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.rows)?;
        if self.cut > 0 {
            write!(f, "; {} too long and cut", self.cut)?;
        }
        for (at, (cause, count)) in self.left_out.iter().enumerate() {
            let before = if at == 0 { "; left out: " } else { ", " };
            write!(f, "{before}{count} {cause}")?;
        }
        match &self.first {
            Some(first) => write!(f, "; the first: {first}"),
            None => Ok(()),
        }
    }
}

/// The token that ends an answer: what the chat template calls the end of a text, else the model's first end token.
///
/// # Errors
/// A model that has neither.
pub fn end_token(facts: &Facts) -> Result<u32> {
    let told = facts.chat.as_ref().map(|chat| chat.ends().1);
    let told = told.filter(|end| !end.is_empty());
    told.and_then(|end| facts.tokenizer.id(end))
        .or(facts.end_tokens.first().copied())
        .ok_or_else(|| {
            RowsError::Text(format!(
                "{}: no token ends an answer: name one as `eos_token_id` in its config.json",
                facts.name
            ))
        })
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::engine::local::Cast;
    use crate::model::chat::ChatTemplate;
    use crate::model::tokenizer::Tokenizer;

    /// The bundled starter without its weights. It has a chat template only where one is asked for.
    pub fn facts(has_chat: bool) -> Facts {
        let folder = crate::model::spec::share().unwrap();
        let folder = folder.join("sample_data/starter");
        let chat = ChatTemplate::read(&folder).unwrap();
        let tokenizer = Tokenizer::read(&folder.join("tokenizer.json")).unwrap();
        Facts {
            name: "starter".into(),
            hash: String::new(),
            end_tokens: vec![tokenizer.id("<|end|>").unwrap()],
            tokenizer,
            chat: chat.filter(|_| has_chat),
            context: 2048,
            parameters: 0,
            is_decoder: true,
            served: None,
            path: folder,
        }
    }

    /// The same in every role.
    pub fn cast(facts: Facts) -> Cast {
        let facts = Arc::new(facts);
        Cast {
            judge: Arc::clone(&facts),
            embedder: Arc::clone(&facts),
            policy: facts,
            numbers: String::new(),
        }
    }

    /// Files with a name and values each, one value a line; a value alone that is an array is written as it is.
    pub fn files(each: &[(&str, Value)]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let write = |(name, value): &(&str, Value)| {
            let path = folder.path().join(name);
            let text = match value {
                Value::Array(rows) if name.ends_with("jsonl") => rows
                    .iter()
                    .map(|row| format!("{row}\n"))
                    .collect::<String>(),
                other => other.to_string(),
            };
            std::fs::write(&path, text).unwrap();
            path
        };
        let paths = each.iter().map(write).collect();
        (folder, paths)
    }

    #[test]
    fn an_answers_end_is_the_templates_or_the_models() {
        let end = facts(true).tokenizer.id("<|end|>").unwrap();
        assert_eq!(end_token(&facts(true)).unwrap(), end);
        let mut plain = facts(false);
        plain.end_tokens = vec![7, 9];
        assert_eq!(end_token(&plain).unwrap(), 7);
        plain.end_tokens.clear();
        let error = end_token(&plain).unwrap_err().to_string();
        assert!(error.contains("starter") && error.contains("eos_token_id"));
    }

    #[test]
    fn counts_are_told_by_cause() {
        let mut counts = Counts {
            rows: 4,
            ..Counts::default()
        };
        counts.leave_out("without an answer");
        counts.fail("unreadable", "a.json:3: bad");
        counts.add(Counts {
            rows: 1,
            cut: 1,
            ..Counts::default()
        });
        assert_eq!(
            counts.to_string(),
            "5 rows; 1 too long and cut; left out: 1 unreadable, 1 without an answer; the first: a.json:3: bad"
        );
        assert!(counts.some(1, "d").is_ok());
        assert!(counts.some(0, "d").unwrap_err().to_string().contains("d: "));
    }
}
