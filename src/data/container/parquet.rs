//! Parquet: rows out of columns, a row group after the other.

mod footer;
mod schema;
mod value;

use std::path::{Path, PathBuf};

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::reader::RowIter;

use super::RawRow;
use crate::data::error::{DataError, RowError};
use crate::data::fence;
use crate::data::source::Source;

/// The rows of one Parquet file.
pub struct ParquetRows {
    file: PathBuf,
    rows: Option<RowIter<'static>>,
    seen: u64,
}

impl ParquetRows {
    /// Opens a file by its path, for columns are read here and there in it; what comes through a pipe or is
    /// compressed is kept in a temporary file first.
    ///
    /// # Errors
    /// A file that is damaged, or has columns of a kind that is not read.
    pub fn open(path: &Path, source: Source) -> Result<Self, DataError> {
        let damaged = |cause: String| DataError::Damaged {
            path: path.to_path_buf(),
            cause,
        };
        let mut file = super::seekable(path, source)?;
        let io = |cause| DataError::Io {
            path: path.to_path_buf(),
            cause,
        };
        let no_footer = |cause: &str| {
            damaged(format!(
                "a Parquet file without a whole footer ({cause}): it is damaged or truncated; write or download it \
                 again"
            ))
        };
        if !footer::holds(&mut file).map_err(io)? {
            return Err(no_footer("it says that more is in it than is there"));
        }
        let read = fenced(|| SerializedFileReader::new(file));
        let reader = read.map_err(|cause| no_footer(&cause.to_string()))?;
        let meta = reader.metadata();
        schema::check(meta.file_metadata().schema())
            .and_then(|()| schema::check_groups(meta))
            .map_err(damaged)?;
        Ok(ParquetRows {
            file: path.to_path_buf(),
            rows: Some(RowIter::from_file_into(Box::new(reader))),
            seen: 0,
        })
    }

    /// Stops here: nothing more is read.
    pub fn stop(&mut self) {
        self.rows = None;
    }
}

impl Iterator for ParquetRows {
    type Item = Result<RawRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.as_mut()?;
        let row = fenced(|| rows.next().transpose()).transpose()?;
        self.seen += 1;
        Some(match row {
            Ok(row) => Ok(RawRow {
                object: value::object(&row),
                line: 0,
                element: Some(self.seen),
                start: None,
            }),
            Err(cause) => {
                // Columns are no longer in step: nothing sensible follows.
                self.stop();
                let mut error = RowError::new(&self.file, 0, unreadable(&cause));
                error.element = Some(self.seen);
                Err(error)
            }
        })
    }
}

/// A panic of the library's is an error: reading ends with the first one.
fn fenced<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    fence::fenced(work).unwrap_or_else(|| {
        let cause = "what is in them contradicts itself";
        Err(ParquetError::General(cause.to_owned()))
    })
}

fn unreadable(cause: &ParquetError) -> String {
    let said = cause.to_string();
    match said.contains("Disabled feature") {
        true => format!(
            "compressed in a way that is not read ({said}); write it with snappy, gzip or zstd, or without \
             compression"
        ),
        false => format!(
            "the columns are damaged here ({said}), the rest of the file is not read; write or download it again"
        ),
    }
}
