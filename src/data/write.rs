//! Writing records in Juror's own format.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::record::{Record, Response};

/// A record as one object of Juror's own format, which reads back as the same record.
pub fn to_json(record: &Record) -> Map<String, Value> {
    let mut row = Map::new();
    put(&mut row, "id", &Some(record.id.clone()));
    put(&mut row, "category", &record.category);
    put(&mut row, "instruction", &Some(record.instruction.clone()));
    put(&mut row, "input", &record.input);
    put(&mut row, "context", &record.context);
    put(&mut row, "reference", &record.reference);
    put(&mut row, "rubric", &record.rubric);
    let responses = record.responses.iter().map(response_to_json).collect();
    row.insert("responses".to_string(), Value::Array(responses));
    put_rest(&mut row, &record.meta);
    row
}

/// Writes records as JSON lines.
pub fn write_jsonl(records: &[Record], out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    for record in records {
        serde_json::to_writer(&mut *out, &to_json(record))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn response_to_json(response: &Response) -> Value {
    let mut row = Map::new();
    put(&mut row, "id", &Some(response.id.clone()));
    put(&mut row, "generator", &response.generator);
    put(&mut row, "response", &Some(response.text.clone()));
    for (name, value) in &response.labels {
        // Whole numbers are written as such.
        let number = if value.fract() == 0.0 && value.abs() < 9e15 {
            Value::from(*value as i64)
        } else {
            Value::from(*value)
        };
        row.insert(name.clone(), number);
    }
    put(&mut row, "reason", &response.reason);
    put_rest(&mut row, &response.meta);
    Value::Object(row)
}

fn put(row: &mut Map<String, Value>, name: &str, value: &Option<String>) {
    if let Some(text) = value {
        row.insert(name.to_string(), Value::String(text.clone()));
    }
}

fn put_rest(row: &mut Map<String, Value>, meta: &Map<String, Value>) {
    for (name, value) in meta {
        if !row.contains_key(name) {
            row.insert(name.clone(), value.clone());
        }
    }
}
