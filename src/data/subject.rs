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
        let task = (record.instruction.as_str(), record.input.as_deref());
        let parts = [&record.context, &record.reference, &record.rubric];
        let shared = Shared::new(task, parts.map(Option::as_deref));
        let responses = record.responses.iter();
        responses.map(|r| shared.and_response(&r.text)).collect()
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
            begin(hasher, text.len());
            hasher.update(text);
        }
        None => hasher.update([0]),
    }
}

/// What stands before a text of so many bytes.
fn begin(hasher: &mut Sha256, bytes: usize) {
    hasher.update([1]);
    hasher.update((bytes as u64).to_le_bytes());
}

/// What the responses of a record have in common, hashed once.
pub(super) struct Shared {
    hasher: Sha256,
    /// Bytes of the instruction, and whether there is an input: what the task does not tell of its two texts.
    of_task: (usize, bool),
}

impl Shared {
    /// Of instruction and input, and of context, reference and rubric.
    pub fn new((instruction, input): (&str, Option<&str>), parts: [Option<&str>; 3]) -> Self {
        let mut hasher = Sha256::new();
        match input {
            // As `Record::task` joins them.
            Some(input) => {
                let blank = "\n\n";
                begin(&mut hasher, instruction.len() + blank.len() + input.len());
                for text in [instruction, blank, input] {
                    hasher.update(text);
                }
            }
            None => take(&mut hasher, Some(instruction)),
        }
        for part in parts {
            take(&mut hasher, part);
        }
        Shared {
            hasher,
            of_task: (instruction.len(), input.is_some()),
        }
    }

    /// The key of a response.
    pub fn and_response(&self, text: &str) -> SubjectKey {
        let mut hasher = self.hasher.clone();
        take(&mut hasher, Some(text));
        SubjectKey::end(hasher)
    }

    /// Stands for everything of a record but its answers; no response has this key.
    pub fn and_category(&self, category: Option<&str>) -> SubjectKey {
        let mut hasher = self.hasher.clone();
        let (instruction, has_input) = self.of_task;
        hasher.update([2, u8::from(has_input)]);
        hasher.update((instruction as u64).to_le_bytes());
        take(&mut hasher, category);
        SubjectKey::end(hasher)
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
    fn what_is_shared_is_hashed_as_the_whole() {
        let response = |text: &str| crate::data::Response {
            text: text.into(),
            ..crate::data::Response::default()
        };
        for input in [None, Some(String::new()), Some("d\n".into())] {
            let record = Record {
                instruction: "ab".into(),
                input,
                reference: Some("r".into()),
                responses: vec![response("c"), response("")],
                ..Record::default()
            };
            let keys = [SubjectKey::of(&record, "c"), SubjectKey::of(&record, "")];
            assert_eq!(SubjectKey::of_all(&record), keys);
        }
    }

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
