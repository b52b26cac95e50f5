//! What is put before a judge.

use sha2::{Digest, Sha256};

use super::Record;

/// Stands for the texts of a subject: same texts, same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectKey(pub u128);

impl SubjectKey {
    /// Of a response to a record.
    pub fn of(record: &Record, response: &str) -> Self {
        Self::hash([
            Some(&record.task()),
            record.context.as_deref(),
            record.reference.as_deref(),
            record.rubric.as_deref(),
            Some(response),
        ])
    }

    /// Of all responses of a record, in their order; what they share is hashed once.
    pub fn of_all(record: &Record) -> Vec<Self> {
        let mut shared = Sha256::new();
        let task = record.task();
        let parts = [&record.context, &record.reference, &record.rubric];
        take(&mut shared, Some(&task));
        for part in parts {
            take(&mut shared, part.as_deref());
        }
        let responses = record.responses.iter();
        responses
            .map(|response| {
                let mut hasher = shared.clone();
                take(&mut hasher, Some(&response.text));
                Self::end(hasher)
            })
            .collect()
    }

    /// The same of what is put before a judge.
    pub fn of_subject(subject: &Subject) -> Self {
        Self::hash([
            Some(&subject.instruction),
            subject.context.as_deref(),
            subject.reference.as_deref(),
            subject.rubric.as_deref(),
            Some(&subject.response),
        ])
    }

    fn hash(parts: [Option<&str>; 5]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            take(&mut hasher, part);
        }
        Self::end(hasher)
    }

    fn end(hasher: Sha256) -> Self {
        let digest = hasher.finalize();
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(digest) {
            *byte = hashed;
        }
        SubjectKey(u128::from_le_bytes(bytes))
    }
}

fn take(hasher: &mut Sha256, part: Option<&str>) {
    match part {
        Some(text) => {
            hasher.update([1]);
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        None => hasher.update([0]),
    }
}

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
            SubjectKey::of(&record, "c"),
            SubjectKey::of(&record, "d"),
            SubjectKey::of(&moved, "c"),
            SubjectKey::of(&with_reference, "c"),
        ];
        for (i, one) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|other| other != one));
        }
        assert_eq!(SubjectKey::of(&record.clone(), "c"), keys[0]);
        let subject = Subject::of(&with_reference, "c");
        assert_eq!(SubjectKey::of_subject(&subject), keys[3]);
    }
}
