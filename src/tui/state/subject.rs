//! What is sent to be judged, and the name its score is kept under.

use sha2::{Digest, Sha256};

use crate::data::Record;

/// Stands for the texts of a subject: same texts, same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectKey(u128);

/// The key of a response to a record.
pub fn key(record: &Record, response: &str) -> SubjectKey {
    let mut hasher = Sha256::new();
    let mut part = |text: Option<&str>| match text {
        Some(text) => {
            hasher.update([1]);
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        None => hasher.update([0]),
    };
    part(Some(&record.instruction));
    part(record.input.as_deref());
    part(record.context.as_deref());
    part(record.reference.as_deref());
    part(record.rubric.as_deref());
    part(Some(response));
    let digest = hasher.finalize();
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(digest) {
        *byte = hashed;
    }
    SubjectKey(u128::from_le_bytes(bytes))
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The file it stands in.
    pub file: String,
    /// Its line, counted from one, where known.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub cause: String,
}

/// Data as it arrives: records, their keys (made off the drawing thread), rows left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    pub records: Vec<Record>,
    pub keys: Vec<Vec<SubjectKey>>,
    pub errors: Vec<RowError>,
}

impl Loaded {
    /// Makes the keys; a walk over all texts, meant for the loading thread.
    pub fn new(records: Vec<Record>, errors: Vec<RowError>) -> Self {
        let keys = records
            .iter()
            .map(|record| {
                let responses = record.responses.iter();
                responses.map(|r| key(record, &r.text)).collect()
            })
            .collect();
        Loaded {
            records,
            keys,
            errors,
        }
    }
}

/// Why there is no data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFailure {
    /// What went wrong.
    pub cause: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_texts_apart() {
        let record = Record {
            instruction: "ab".into(),
            ..Record::default()
        };
        let moved = Record {
            instruction: "a".into(),
            input: Some("b".into()),
            ..Record::default()
        };
        let with_reference = Record {
            reference: Some(String::new()),
            ..record.clone()
        };
        let keys = [
            key(&record, "c"),
            key(&record, "d"),
            key(&moved, "c"),
            key(&with_reference, "c"),
        ];
        for (i, one) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|other| other != one));
        }
        assert_eq!(key(&record.clone(), "c"), keys[0]);
    }
}
