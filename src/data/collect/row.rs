//! What is said of one row without looking at others: whether it stays, and what it is compared by. Rows are judged on
//! all cores.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::category::{Category, classify};
use super::contamination::TestSets;
use super::filter::{Limits, check};
use super::near;
use super::near::facts::content_hashes;
use super::near::minhash::{BANDS, band_keys};
use super::near::shingle::shingles;
use super::reason::{Drop, Reason};
use super::source::Source;
use super::words::{bare, normal};
use crate::data::container::RawRow;
use crate::data::export::put_free;
use crate::data::{ReadOptions, Record, RowError, read};

/// Everything a row is judged by.
pub struct Rules<'a> {
    pub limits: &'a Limits,
    pub near: near::Rule,
    pub tests: &'a TestSets,
    /// Responses are compared, too.
    pub with_responses: bool,
}

/// Who said what category a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A rule for its source.
    Rule,
    /// The row itself.
    Row,
    /// The classifier.
    Classifier,
}

/// One row, judged.
pub struct Judged {
    /// The row's own id.
    pub id: Option<String>,
    /// File and line.
    pub place: String,
    /// The beginning of its task.
    pub start: String,
    /// What came of it.
    pub outcome: Result<Box<Fresh>, Drop>,
    /// The row could not be read.
    pub error: Option<RowError>,
}

/// A row that stays as far as it is seen alone.
pub struct Fresh {
    /// The form that is compared.
    pub text: String,
    /// Equal where the form is.
    pub digest: [u32; 3],
    /// Bands of its signature.
    pub keys: [u64; BANDS],
    /// Its content words.
    pub words: Vec<u64>,
    pub category: Category,
    pub told: Told,
    /// The fields behind the id, as JSON without the opening brace.
    pub rest: String,
}

/// Characters of a task that a dropped row is shown by.
const START: usize = 120;

/// Judges a row of one of the source's files.
pub fn judge(
    source: &Source,
    file: usize,
    row: Result<RawRow, RowError>,
    rules: &Rules<'_>,
) -> Judged {
    let raw = match row {
        Ok(raw) => raw,
        Err(error) => return unreadable(error),
    };
    let place = RowError {
        file: source.files.get(file).cloned().unwrap_or_default(),
        line: raw.line,
        element: raw.element,
        message: String::new(),
    };
    let options = ReadOptions {
        fields: source.fields.clone(),
        labels: Vec::new(),
        ..ReadOptions::default()
    };
    let object = raw.object;
    let record = match read::row(object.clone(), &options, None) {
        Ok((record, _)) => record,
        Err(message) => return unreadable(RowError { message, ..place }),
    };
    let task = record.task();
    let text = compared(&record, rules.with_responses);
    let drop = check(&record, &task, &text, rules.limits).or_else(|| {
        let task = match rules.tests.is_empty() {
            true => String::new(),
            false => normal(&task),
        };
        rules.tests.check(&task)
    });
    let outcome = match drop {
        Some(drop) => Err(drop),
        None => Ok(Box::new(fresh(
            source,
            &record,
            (object, text, &task),
            rules,
        ))),
    };
    Judged {
        id: Some(record.id).filter(|id| !id.is_empty()),
        place: told(&place),
        start: start(&task),
        outcome,
        error: None,
    }
}

/// The form that is compared: what is asked, without politeness, on what input, in which context.
fn compared(record: &Record, with_responses: bool) -> String {
    let mut text = bare(&normal(&record.instruction)).to_owned();
    for more in record.input.iter().chain(&record.context) {
        text.push(' ');
        text += &normal(more);
    }
    let mut text = text.trim().to_owned();
    if with_responses {
        for response in &record.responses {
            text.push(' ');
            text += &normal(&response.text);
        }
    }
    text
}

fn fresh(
    source: &Source,
    record: &Record,
    (object, text, task): (Map<String, Value>, String, &str),
    rules: &Rules<'_>,
) -> Fresh {
    let own = record
        .category
        .as_deref()
        .and_then(|own| own.trim().to_ascii_lowercase().parse().ok());
    let (category, told) = match (source.category, own) {
        (Some(category), _) => (category, Told::Rule),
        (None, Some(category)) => (category, Told::Row),
        (None, None) => (classify(task).0, Told::Classifier),
    };
    let digest = Sha256::digest(text.as_bytes());
    let part = |at: usize| {
        digest
            .get(at..at + 4)
            .map_or(0, |part| part.iter().fold(0, |x, b| x << 8 | u32::from(*b)))
    };
    Fresh {
        keys: band_keys(&shingles(&text), rules.near.tag(&text)),
        digest: [part(0), part(4), part(8)],
        words: content_hashes(&text),
        category,
        told,
        rest: rest(source, &record.id, category, object),
        text,
    }
}

/// The row as it was read, behind its source and category; what had their names goes on as `meta.…`.
fn rest(source: &Source, id: &str, category: Category, object: Map<String, Value>) -> String {
    let mut row = Map::with_capacity(object.len() + 3);
    row.insert("id".into(), Value::Null);
    row.insert("source".into(), source.name.clone().into());
    row.insert("category".into(), category.name().into());
    for (name, value) in object {
        let known = match (name.as_str(), &value) {
            ("id", Value::String(own)) => own == id,
            ("id", own) => format!("{own}") == id,
            ("source", own) => own.as_str() == Some(source.name.as_str()),
            ("category", own) => own.as_str() == Some(category.name()),
            _ => false,
        };
        if !known {
            put_free(&mut row, "meta", &name, value);
        }
    }
    row.shift_remove("id");
    let text = Value::Object(row).to_string();
    text.strip_prefix('{').unwrap_or(&text).to_owned()
}

fn unreadable(error: RowError) -> Judged {
    Judged {
        id: None,
        place: told(&error),
        start: String::new(),
        outcome: Err(Drop::new(Reason::Unreadable, error.message.clone())),
        error: Some(error),
    }
}

/// Where a row stands, as its errors say it.
fn told(place: &RowError) -> String {
    let whole = RowError {
        message: String::new(),
        ..place.clone()
    };
    let text = whole.to_string();
    text.strip_suffix(": ").unwrap_or(&text).to_owned()
}

fn start(task: &str) -> String {
    let mut words: String = task.chars().take(START).collect();
    if words.len() < task.len() {
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(row: Value, fields: &str, category: Option<Category>) -> Judged {
        let source = Source {
            name: "s".into(),
            files: vec!["a.jsonl".into()],
            fields: fields.parse().unwrap_or_default(),
            category,
        };
        let rules = Rules {
            limits: &Limits::default(),
            near: near::Rule::default(),
            tests: &TestSets::new(0.6),
            with_responses: false,
        };
        let raw = RawRow {
            object: row.as_object().cloned().unwrap(),
            line: 3,
            element: None,
            start: None,
        };
        judge(&source, 0, Ok(raw), &rules)
    }

    #[test]
    fn originals_are_kept_beside_source_and_category() {
        let row = json!({"id": 7, "q": "Name three rivers.", "a": "Rhine", "source": "web", "category": "geo"});
        let found = judged(row, "instruction=q,output=a", Some(Category::Academic));
        assert_eq!(
            (found.id.as_deref(), found.place.as_str()),
            (Some("7"), "a.jsonl:3")
        );
        let fresh = found.outcome.unwrap();
        assert_eq!(
            (fresh.category, fresh.told),
            (Category::Academic, Told::Rule)
        );
        let rest: Value = serde_json::from_str(&format!("{{{}", fresh.rest)).unwrap();
        let want = json!({"source": "s", "category": "academic", "q": "Name three rivers.", "a": "Rhine",
            "meta.source": "web", "meta.category": "geo"});
        assert_eq!(rest, want);
    }

    #[test]
    fn a_row_without_a_task_is_unreadable() {
        let found = judged(json!({"q": "Name three rivers."}), "", None);
        let error = found.error.unwrap().to_string();
        assert!(
            error.contains("a.jsonl:3") && error.contains("--field"),
            "{error}"
        );
        assert_eq!(found.outcome.err().unwrap().reason, Reason::Unreadable);
        let told = judged(
            json!({"instruction": "Name three rivers.", "category": "Coding"}),
            "",
            None,
        );
        assert_eq!(told.outcome.unwrap().told, Told::Row);
    }
}
