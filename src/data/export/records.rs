//! One row a response, with everything that is known of it.

use serde_json::{Map, Value};

use super::Row;
use crate::data::record::{Record, Response};

/// Rows `id, response_id, category, instruction, input, context, reference, rubric, response, generator`, then the
/// labels, `reason`, and every other field of record and response by its own name; what is absent is left out. Read
/// again, they are the same records, as long as neighbours with the same task are one record. A record without
/// responses is one row without `response`; CSV gives it an empty one.
pub fn records(records: &[Record]) -> impl Iterator<Item = Row> + '_ {
    records.iter().flat_map(|record| {
        let bare = record.responses.is_empty().then(|| row(record, None));
        let each = record.responses.iter();
        bare.into_iter()
            .chain(each.map(move |response| row(record, Some(response))))
    })
}

fn row(record: &Record, response: Option<&Response>) -> Row {
    let mut row = Map::new();
    put(&mut row, "id", Some(&record.id));
    put(&mut row, "response_id", response.map(|r| &r.id));
    put(&mut row, "category", record.category.as_ref());
    put(&mut row, "instruction", Some(&record.instruction));
    put(&mut row, "input", record.input.as_ref());
    put(&mut row, "context", record.context.as_ref());
    put(&mut row, "reference", record.reference.as_ref());
    put(&mut row, "rubric", record.rubric.as_ref());
    if let Some(response) = response {
        put(&mut row, "response", Some(&response.text));
        put(&mut row, "generator", response.generator.as_ref());
        for (name, value) in &response.labels {
            put_free(&mut row, "label", name, number(*value));
        }
        put(&mut row, "reason", response.reason.as_ref());
    }
    let fields = response.iter().flat_map(|response| &response.meta);
    for (name, value) in fields.chain(&record.meta) {
        put_free(&mut row, "meta", name, value.clone());
    }
    row
}

fn put(row: &mut Row, name: &str, value: Option<&String>) {
    if let Some(text) = value {
        row.insert(name.to_owned(), Value::String(text.clone()));
    }
}

/// Adds a field; where its name is taken, as `prefix.name`, so that nothing is lost.
pub fn put_free(row: &mut Row, prefix: &str, name: &str, value: Value) {
    let mut name = name.to_owned();
    while row.contains_key(&name) {
        name = format!("{prefix}.{name}");
    }
    row.insert(name, value);
}

/// Whole numbers are written as such.
pub fn number(value: f64) -> Value {
    match value.fract() == 0.0 && value.abs() < 9e15 {
        true => Value::from(value as i64),
        false => Value::from(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_all_that_is_known_under_names_of_its_own() {
        let record = Record {
            id: "r".into(),
            instruction: "do".into(),
            category: Some("c".into()),
            responses: vec![Response {
                id: "a".into(),
                generator: Some("g".into()),
                text: "done".into(),
                labels: [("p".to_owned(), 0.5), ("rating".to_owned(), 7.0)].into(),
                reason: Some("well".into()),
                meta: json!({"style": 1, "source": "s"})
                    .as_object()
                    .cloned()
                    .unwrap(),
            }],
            meta: json!({"source": "t", "response": "u"})
                .as_object()
                .cloned()
                .unwrap(),
            ..Record::default()
        };
        let rows: Vec<Row> = records(std::slice::from_ref(&record)).collect();
        let expected = json!({
            "id": "r", "response_id": "a", "category": "c", "instruction": "do", "response": "done", "generator": "g",
            "p": 0.5, "rating": 7, "reason": "well", "style": 1, "source": "s", "meta.source": "t", "meta.response": "u",
        });
        assert_eq!(Value::Object(rows[0].clone()), expected);
        let bare = Record {
            responses: Vec::new(),
            meta: Map::new(),
            ..record
        };
        let rows: Vec<Row> = records(&[bare]).collect();
        let expected = json!({"id": "r", "category": "c", "instruction": "do"});
        assert_eq!(Value::Object(rows[0].clone()), expected);
    }
}
