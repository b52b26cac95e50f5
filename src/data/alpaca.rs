//! Alpaca (`instruction, input, output`) and instructions without an answer.

use super::fields::{FieldError, Fields};
use super::record::Record;

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
