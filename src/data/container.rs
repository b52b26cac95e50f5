//! From bytes to rows, one at a time, whatever holds them: JSON, CSV, Parquet or Arrow. Only the row at hand (of Parquet,
//! a page of each column, of Arrow a batch) is ever in memory.

mod arrow;
mod json;
mod parquet;
mod sniff;
mod table;

use std::fs::File;
use std::io;
use std::path::Path;

use serde_json::{Map, Value};

pub use arrow::ArrowRows;
pub use json::JsonRows;
pub use parquet::ParquetRows;
pub use sniff::names_records;
pub use table::TableRows;

use super::detect::ANSWERS;
use super::error::{DataError, RowError};
use super::options::FieldMap;
use super::source::{self, Kind, Source};
use sniff::Beginning;

/// A row longer than this is an error, so that a file without line ends cannot fill the memory.
pub(super) const MAX_ROW_BYTES: usize = 1 << 28;

/// One object and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct RawRow {
    /// The object; of a table, the cells by the names of their columns, empty ones left out but for answers.
    pub object: Map<String, Value>,
    /// Line it begins on, from 1; 0 in Parquet and Arrow, which have none.
    pub line: u64,
    /// Place in the array, the Parquet or the Arrow file, from 1, where the file is one.
    pub element: Option<u64>,
    /// Bytes before its line, decompressed, where the file has an object a line.
    pub start: Option<u64>,
}

/// The rows of one file.
pub enum RawRows {
    Json(JsonRows),
    Table(TableRows),
    Parquet(ParquetRows),
    Arrow(ArrowRows),
}

impl RawRows {
    /// Opens a file, or standard input for `-`, and tells by its first bytes and its first line what it is. Names
    /// on the right of `fields` count as known ones in the header of a table.
    ///
    /// # Errors
    /// A file that cannot be opened, or is in a format that is not read.
    pub fn open(path: &Path, fields: &FieldMap) -> Result<Self, DataError> {
        let source = match source::open_any(path)? {
            (source, Kind::Text) => source,
            (source, Kind::Parquet) => {
                return Ok(RawRows::Parquet(ParquetRows::open(path, source)?));
            }
            (source, kind) => {
                return Ok(RawRows::Arrow(ArrowRows::open(path, source, kind)?));
            }
        };
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
            RawRows::Arrow(rows) => rows.stop(),
        }
    }

    /// Whether there is not a single byte but blanks.
    pub fn is_empty(&mut self) -> bool {
        match self {
            RawRows::Json(rows) => rows.is_empty(),
            // There is a header.
            RawRows::Table(_) | RawRows::Parquet(_) | RawRows::Arrow(_) => false,
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
            RawRows::Arrow(rows) => rows.next(),
        }
    }
}

/// A file that can be read here and there: the file itself, or a temporary one with what comes through a pipe or is
/// compressed.
fn seekable(path: &Path, mut source: Source) -> Result<File, DataError> {
    let io = |cause| DataError::Io {
        path: path.to_path_buf(),
        cause,
    };
    if source::plain_bytes_before(path).is_some() && path != Path::new("-") {
        return File::open(path).map_err(io);
    }
    let mut file = tempfile::tempfile().map_err(io)?;
    io::copy(&mut source, &mut file).map_err(|cause| match cause.kind() {
        io::ErrorKind::StorageFull => io(cause),
        _ => DataError::Damaged {
            path: path.to_path_buf(),
            cause: broken(&cause),
        },
    })?;
    Ok(file)
}

/// Why bytes do not come, with a cure.
pub(super) fn broken(cause: &io::Error) -> String {
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

pub(super) fn too_long() -> String {
    format!(
        "a row of more than {} MiB; is this a file of records?",
        MAX_ROW_BYTES >> 20
    )
}
