//! Reads the files of all sources on a thread of its own, some rows ahead.

use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;

use super::source::Source;
use crate::data::container::{RawRow, RawRows};
use crate::data::{DataError, RowError};

/// Rows of a batch, and about the bytes of text from which on a batch is full.
const ROWS: usize = 2048;
const BYTES: usize = 8 << 20;

/// Batches that wait.
const AHEAD: usize = 2;

/// Neighbouring rows of one file.
pub struct Batch {
    /// Which source.
    pub source: usize,
    /// Which of its files.
    pub file: usize,
    pub rows: Vec<Result<RawRow, RowError>>,
}

/// Rows in the order of sources and files.
pub struct Reader {
    batches: Receiver<Result<Batch, DataError>>,
}

impl Reader {
    /// Starts to read. Reading ends with the rows, at a file that cannot be opened, or when nobody listens.
    pub fn start(sources: &[Source]) -> Self {
        let (send, batches) = sync_channel(AHEAD);
        let sources = sources.to_vec();
        std::thread::spawn(move || {
            for (at, source) in sources.iter().enumerate() {
                for file in 0..source.files.len() {
                    let on = |rows| {
                        let batch = Batch {
                            source: at,
                            file,
                            rows,
                        };
                        send.send(Ok(batch)).is_ok()
                    };
                    match read(source, file, on) {
                        Ok(true) => {}
                        Ok(false) => return,
                        Err(error) => {
                            // Whoever does not listen any more has an error of their own.
                            let _ = send.send(Err(error));
                            return;
                        }
                    }
                }
            }
        });
        Reader { batches }
    }

    /// What is read.
    pub fn batches(&self) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        self.batches.iter()
    }
}

type Rows = Vec<Result<RawRow, RowError>>;

fn read(source: &Source, file: usize, on: impl Fn(Rows) -> bool) -> Result<bool, DataError> {
    let Some(path) = source.files.get(file) else {
        return Ok(true);
    };
    let mut batch = Vec::with_capacity(ROWS);
    let mut bytes = 0;
    for row in RawRows::open(path, &source.fields)? {
        bytes += row
            .as_ref()
            .map_or(0, |row| row.object.values().map(size).sum());
        batch.push(row);
        if batch.len() == ROWS || bytes >= BYTES {
            bytes = 0;
            if !on(std::mem::replace(&mut batch, Vec::with_capacity(ROWS))) {
                return Ok(false);
            }
        }
    }
    Ok(batch.is_empty() || on(batch))
}

/// About the bytes of a value.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.values().map(size).sum(),
        _ => 8,
    }
}
