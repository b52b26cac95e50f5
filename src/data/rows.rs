//! One answer a row: judged rows (`response`) and AlpacaEval outputs (`output`, `generator`), and the
//! gathering of rows into records.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::fields::{FieldError, Fields};
use super::record::Record;

/// Reads a row whose answer is in the field `name`. The row's id is that of the record and of the
/// response, unless this has its own in `response_id`; fields without a place of their own go to the response.
pub fn read(mut row: Fields, name: &str, labels: &[String]) -> Result<Record, FieldError> {
    let mut record = row.task()?;
    let mut response = row.response(name, labels)?;
    if let Some(id) = row.id()? {
        record.id.clone_from(&id);
        response.id = id;
    }
    if let Some(id) = row.filled("response_id")? {
        response.id = id;
    }
    response.meta = row.rest();
    record.responses.push(response);
    Ok(record)
}

/// Whether two rows ask the same: everything but the answers is equal.
pub fn same_task(one: &Record, other: &Record) -> bool {
    one.instruction == other.instruction
        && one.input == other.input
        && one.context == other.context
        && one.reference == other.reference
        && one.rubric == other.rubric
        && one.category == other.category
}

/// A hash that is equal where [`same_task`] holds.
pub fn task_hash(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.instruction.hash(&mut hasher);
    record.input.hash(&mut hasher);
    record.context.hash(&mut hasher);
    record.reference.hash(&mut hasher);
    record.rubric.hash(&mut hasher);
    record.category.hash(&mut hasher);
    hasher.finish()
}
