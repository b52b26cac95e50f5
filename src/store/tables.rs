//! What annotators said, joined with the records they said it of.

use std::collections::HashSet;

use serde_json::Map;

use super::Journal;
use crate::data::export::{Row, number, put_free};
use crate::data::{Record, Response, SubjectKey, time};

/// One row for each response and each annotator who said something of it, in the order of the data and of the names:
/// `id, response_id, annotator`, the labels, `comment, skipped, at` (when it was last changed, RFC 3339 in UTC). With
/// `annotator`, that one's rows alone.
pub fn labels<'a>(
    journal: &'a Journal,
    records: &'a [Record],
    annotator: Option<&'a str>,
) -> impl Iterator<Item = Row> + 'a {
    let each = records.iter().flat_map(|record| {
        let responses = record.responses.iter();
        responses.map(move |response| (record, response))
    });
    each.flat_map(move |(record, response)| {
        let key = SubjectKey::of(record, &response.text);
        let said = journal.of_subject(key);
        let wanted = said.filter(move |(name, _)| annotator.is_none_or(|wanted| wanted == *name));
        wanted.map(move |(name, said)| {
            let mut row = Map::new();
            row.insert("id".to_owned(), record.id.clone().into());
            row.insert("response_id".to_owned(), response.id.clone().into());
            row.insert("annotator".to_owned(), name.into());
            // Held back until the labels have the places before them.
            let mut rest: Row = Map::new();
            if let Some(comment) = &said.comment {
                rest.insert("comment".to_owned(), comment.clone().into());
            }
            rest.insert("skipped".to_owned(), said.skipped.into());
            rest.insert("at".to_owned(), time::rfc3339(said.at).into());
            for (label, value) in &said.labels {
                let taken = ["comment", "skipped", "at"].contains(&label.as_str());
                let label = if taken {
                    format!("label.{label}")
                } else {
                    label.clone()
                };
                put_free(&mut row, "label", &label, number(*value));
            }
            row.extend(rest);
            row
        })
    })
}

/// What a response is worth by what annotators said of it: the mean over those who gave it the label, or what one of
/// them gave. For [`crate::data::export::pairs`].
pub fn mean_label<'a>(
    journal: &'a Journal,
    label: &'a str,
    annotator: Option<&'a str>,
) -> impl Fn(&Record, &Response) -> Option<f64> + 'a {
    move |record, response| {
        let said = journal.of_subject(SubjectKey::of(record, &response.text));
        let values: Vec<f64> = said
            .filter(|(name, _)| annotator.is_none_or(|wanted| wanted == *name))
            .filter_map(|(_, said)| said.labels.get(label).copied())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// How many responses that something was said of are not among the records.
pub fn elsewhere(journal: &Journal, records: &[Record], annotator: Option<&str>) -> usize {
    let here: HashSet<SubjectKey> = keys(records).collect();
    let said = journal
        .all()
        .filter(|(_, name, _)| annotator.is_none_or(|wanted| wanted == *name));
    let missing: HashSet<SubjectKey> = said
        .map(|(key, ..)| key)
        .filter(|key| !here.contains(key))
        .collect();
    missing.len()
}

/// The keys of all responses.
pub fn keys(records: &[Record]) -> impl Iterator<Item = SubjectKey> + '_ {
    records.iter().flat_map(|record| {
        let texts = record.responses.iter().map(|response| &response.text);
        texts.map(move |text| SubjectKey::of(record, text))
    })
}

/// The names of labels that annotators gave, in alphabetical order.
pub fn label_names(journal: &Journal) -> Vec<String> {
    let names = journal.all().flat_map(|(.., said)| said.labels.keys());
    let mut names: Vec<String> = names.cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::store::{Event, Kind};

    fn record() -> Record {
        let response = |id: &str, text: &str| Response {
            id: id.into(),
            text: text.into(),
            ..Response::default()
        };
        Record {
            id: "r".into(),
            instruction: "do".into(),
            responses: vec![response("a", "one"), response("b", "two")],
            ..Record::default()
        }
    }

    fn journal(record: &Record) -> Journal {
        let mut number = 0;
        let mut event = |who: &str, text: &str, kind: Kind, name: Option<&str>, value: f64| {
            number += 1;
            Event {
                uid: format!("u{number}"),
                at: number * 1000,
                annotator: who.into(),
                subject: SubjectKey::of(record, text),
                record: "r".into(),
                response: "?".into(),
                kind,
                name: name.map(str::to_owned),
                value: name.is_some().then_some(value),
                text: (kind == Kind::Comment).then(|| "=so".into()),
                target: None,
                seconds: None,
                blind: None,
            }
        };
        Journal::of([
            event("bob", "two", Kind::Label, Some("rating"), 3.0),
            event("ada", "two", Kind::Label, Some("rating"), 4.5),
            event("ada", "two", Kind::Label, Some("at"), 1.0),
            event("ada", "two", Kind::Comment, None, 0.0),
            event("ada", "one", Kind::Skip, None, 0.0),
            event("ada", "gone", Kind::Label, Some("rating"), 9.0),
        ])
    }

    #[test]
    fn one_row_a_person_and_response() {
        let records = [record()];
        let journal = journal(&records[0]);
        let rows: Vec<Value> = labels(&journal, &records, None)
            .map(Value::Object)
            .collect();
        assert_eq!(
            rows,
            [
                json!({"id": "r", "response_id": "a", "annotator": "ada", "skipped": true, "at": "1970-01-01T00:00:05Z"}),
                json!({"id": "r", "response_id": "b", "annotator": "ada", "label.at": 1, "rating": 4.5,
                       "comment": "=so", "skipped": false, "at": "1970-01-01T00:00:04Z"}),
                json!({"id": "r", "response_id": "b", "annotator": "bob", "rating": 3, "skipped": false,
                       "at": "1970-01-01T00:00:01Z"}),
            ]
        );
        assert_eq!(labels(&journal, &records, Some("bob")).count(), 1);
        assert_eq!(elsewhere(&journal, &records, None), 1);
        assert_eq!(elsewhere(&journal, &records, Some("bob")), 0);
        assert_eq!(label_names(&journal), ["at", "rating"]);
    }

    #[test]
    fn a_response_is_worth_the_mean() {
        let record = record();
        let journal = journal(&record);
        let of = |who, place: usize| {
            mean_label(&journal, "rating", who)(&record, &record.responses[place])
        };
        assert_eq!(of(None, 1), Some(3.75));
        assert_eq!(of(Some("ada"), 1), Some(4.5));
        assert_eq!(of(None, 0), None);
        assert_eq!(of(Some("eve"), 1), None);
    }
}
