//! Alpaca (`instruction, input, output`) and instructions without an answer.

use serde_json::{Map, Value};

use super::export::{number, put_free};
use super::fields::{FieldError, Fields};
use super::record::{Record, Response};

/// Reads an Alpaca row: its output is the one response.
pub fn read(mut row: Fields, labels: &[String]) -> Result<Record, FieldError> {
    let mut record = row.task()?;
    record.responses.push(row.response("output", labels)?);
    record.id = row.id()?.unwrap_or_default();
    record.meta = row.rest();
    Ok(record)
}

/// Reads an instruction that nobody has answered yet.
pub fn read_instruction(mut row: Fields) -> Result<Record, FieldError> {
    let mut record = row.task()?;
    record.id = row.id()?.unwrap_or_default();
    record.meta = row.rest();
    Ok(record)
}

/// A response as an Alpaca row: `id, instruction, input, output`, then everything else that is known of it. Where a
/// record has several responses, `response_id` tells them apart; a record without any has an empty output.
pub fn row(record: &Record, response: Option<&Response>) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("id".into(), record.id.clone().into());
    if let Some(response) = response.filter(|_| record.responses.len() > 1) {
        row.insert("response_id".into(), response.id.clone().into());
    }
    row.insert("instruction".into(), record.instruction.clone().into());
    let input = record.input.clone().unwrap_or_default();
    row.insert("input".into(), input.into());
    let output = response.map(|response| response.text.clone());
    row.insert("output".into(), output.unwrap_or_default().into());
    let told = [
        ("category", &record.category),
        ("context", &record.context),
        ("reference", &record.reference),
        ("rubric", &record.rubric),
        ("generator", &response.and_then(|r| r.generator.clone())),
        ("reason", &response.and_then(|r| r.reason.clone())),
    ];
    for (name, text) in told {
        if let Some(text) = text {
            row.insert(name.into(), text.clone().into());
        }
    }
    for (name, value) in response.iter().flat_map(|response| &response.labels) {
        put_free(&mut row, "label", name, number(*value));
    }
    let fields = response.iter().flat_map(|response| &response.meta);
    for (name, value) in fields.chain(&record.meta) {
        put_free(&mut row, "meta", name, value.clone());
    }
    row
}
