//! Juror's own format: one instruction with a list of responses.

use serde_json::Value;

use super::fields::{FieldError, Fields};
use super::record::{Record, Response};

/// Reads `{id, category, instruction, input, reference, responses: [{id, generator, response, …}]}`.
/// A response may also be a bare string.
pub fn read(mut row: Fields, labels: &[String]) -> Result<Record, FieldError> {
    let mut record = row.task()?;
    record.id = row.id()?.unwrap_or_default();
    let items = match row.value("responses") {
        Some(Value::Array(items)) => items,
        Some(other) => return Err(row.wrong("responses", "an array of responses", &other)),
        None => return Err(row.missing("responses", "")),
    };
    record.responses.reserve(items.len());
    for (place, item) in items.into_iter().enumerate() {
        record.responses.push(match item {
            Value::String(text) => Response {
                text,
                ..Response::default()
            },
            Value::Object(map) => {
                let mut item = Fields::within(format!("responses[{place}]."), map);
                let mut response = item.response("response", labels)?;
                response.id = item.id()?.unwrap_or_default();
                response.meta = item.rest();
                response
            }
            other => {
                let name = format!("responses[{place}]");
                return Err(row.wrong(&name, "an object or a string", &other));
            }
        });
    }
    record.meta = row.rest();
    Ok(record)
}
