//! From bytes to rows, one at a time, whatever holds them: JSON, CSV or Parquet. Only the row at hand (of Parquet,
//! a page of each column) is ever in memory.

mod json;
mod parquet;
mod sniff;
mod table;

use std::io;
use std::path::Path;

use serde_json::{Map, Value};

pub use json::JsonRows;
pub use parquet::ParquetRows;
pub use sniff::names_records;
pub use table::TableRows;

use super::detect::ANSWERS;
use super::error::{DataError, RowError};
use super::options::FieldMap;
use super::source::{self, Source};
use sniff::Beginning;

/// A row longer than this is an error, so that a file without line ends cannot fill the memory.
const MAX_ROW_BYTES: usize = 1 << 28;

/// One object and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct RawRow {
    /// The object; of a table, the cells by the names of their columns, empty ones left out but for answers.
    pub object: Map<String, Value>,
    /// Line it begins on, from 1; 0 in Parquet, which has none.
    pub line: u64,
    /// Place in the array or the Parquet file, from 1, where the file is one.
    pub element: Option<u64>,
    /// Bytes before its line, decompressed, where the file has an object a line.
    pub start: Option<u64>,
}

/// The rows of one file.
pub enum RawRows {
    Json(JsonRows),
    Table(TableRows),
    Parquet(ParquetRows),
}

impl RawRows {
    /// Opens a file, or standard input for `-`, and tells by its first bytes and its first line what it is. Names
    /// on the right of `fields` count as known ones in the header of a table.
    ///
    /// # Errors
    /// A file that cannot be opened, or is in a format that is not read.
    pub fn open(path: &Path, fields: &FieldMap) -> Result<Self, DataError> {
        let (source, parquet) = source::open_any(path)?;
        if parquet {
            return Ok(RawRows::Parquet(ParquetRows::open(path, source)?));
        }
        Ok(match sniff::look(source, fields) {
            Beginning::Json(source) => RawRows::Json(JsonRows::new(path, source)),
            Beginning::Table {
                source,
                delimiter,
                line,
            } => {
                let keep = ANSWERS.map(|name| fields.source_of(name).to_owned());
                let place = (delimiter, line);
                RawRows::Table(TableRows::new(path, source, place, keep.to_vec()))
            }
        })
    }

    /// Rows from the middle of JSON lines on.
    pub fn lines(file: &Path, source: Source) -> Self {
        RawRows::Json(JsonRows::lines(file, source))
    }

    /// Stops here: nothing more is read.
    pub fn stop(&mut self) {
        match self {
            RawRows::Json(rows) => rows.stop(),
            RawRows::Table(rows) => rows.stop(),
            RawRows::Parquet(rows) => rows.stop(),
        }
    }

    /// Whether there is not a single byte but blanks.
    pub fn is_empty(&mut self) -> bool {
        match self {
            RawRows::Json(rows) => rows.is_empty(),
            // There is a header.
            RawRows::Table(_) | RawRows::Parquet(_) => false,
        }
    }
}

impl Iterator for RawRows {
    type Item = Result<RawRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            RawRows::Json(rows) => rows.next(),
            RawRows::Table(rows) => rows.next(),
            RawRows::Parquet(rows) => rows.next(),
        }
    }
}

/// Why bytes do not come, with a cure.
fn broken(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => format!(
            "the compressed data end early ({cause}): the file is truncated; write or download it again"
        ),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("the compressed data are damaged ({cause}); write or download the file again")
        }
        _ => format!("reading failed: {cause}"),
    }
}

fn too_long() -> String {
    format!(
        "a row of more than {} MiB; is this a file of records?",
        MAX_ROW_BYTES >> 20
    )
}
