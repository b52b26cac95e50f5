//! Pairs: two answers to one instruction, `a` and `b`.

use super::fields::{FieldError, Fields};
use super::record::{Record, Response};

/// Reads a pair. Who won (`label`: `a`, `b`, `tie`) belongs to both and stays in the record's meta.
pub fn read(mut row: Fields) -> Result<Record, FieldError> {
    let mut record = row.task()?;
    for side in ["a", "b"] {
        let text = row.needed(&format!("response_{side}"), "; a pair has two answers")?;
        let generator = row.filled(&format!("generator_{side}"))?;
        record.responses.push(Response {
            id: side.to_string(),
            generator,
            text,
            ..Response::default()
        });
    }
    record.id = row.id()?.unwrap_or_default();
    record.meta = row.rest();
    Ok(record)
}
