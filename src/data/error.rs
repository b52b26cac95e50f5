//! What can go wrong while reading data: each error names the file, the line, the cause and the cure.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failure that ends the reading.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The path leads nowhere.
    #[error("{}: no such file or folder; check the path, or give `-` to read standard input", .path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: cannot be read: {cause}; check its permissions and the disk", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A folder without record files.
    #[error(
        "{}: no record files in this folder; put *.json, *.jsonl, *.csv, *.parquet or *.arrow files there (also .gz or .zst of these), or name the files themselves",
        .path.display()
    )]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A model where data were asked for.
    #[error("{}: this folder holds a model, not records; give it to --judge, and a file or folder of records as DATA", .path.display())]
    ModelFolder {
        /// The folder.
        path: PathBuf,
    },
    /// No DATA at all.
    #[error("no data given; name a file, a folder, or `-` for standard input")]
    NoPaths,
    /// Bytes that no reader here understands.
    #[error("{}: this is {found}, which is not read; {cure}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: &'static str,
        /// What to do about it.
        cure: &'static str,
    },
    /// A Parquet file of which nothing can be read.
    #[error("{}: {cause}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Cause and cure.
        cause: String,
    },
    /// Files whose rows stand in different ways, where these are to be written as they were read.
    #[error("{}: this is {other}, and {} is {one}; give files of one kind, one run each", .second.display(), .first.display())]
    Layouts {
        /// The first file.
        first: PathBuf,
        /// Its layout.
        one: &'static str,
        /// The file that differs.
        second: PathBuf,
        /// Its layout.
        other: &'static str,
    },
    /// A file without a single row.
    #[error("{}: the file is empty; check how it was written", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Rows there were, but none could be read.
    #[error("no record could be read ({errors} bad rows); the first: {first}")]
    NothingRead {
        /// The first bad row.
        first: Box<RowError>,
        /// How many there were.
        errors: usize,
    },
    /// The first bad row, where bad rows are not to be skipped.
    #[error(transparent)]
    Row(#[from] RowError),
    /// `--field` without the form `target=source`.
    #[error("--field {text}: expected TARGET=SOURCE, as in --field instruction=prompt")]
    FieldMap {
        /// What was given.
        text: String,
    },
}

/// One row that could not be read. The rows around it can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RowError {
    /// The file, `-` for standard input.
    pub file: PathBuf,
    /// Line of the (decompressed) file, from 1; 0 where there is none.
    pub line: u64,
    /// Place in the JSON array, the Parquet or the Arrow file, from 1, where the file is one.
    pub element: Option<u64>,
    /// Cause and cure.
    pub message: String,
}

impl RowError {
    /// An error at a line of a file.
    pub fn new(file: &Path, line: u64, message: impl Into<String>) -> Self {
        RowError {
            file: file.to_path_buf(),
            line,
            element: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file == Path::new("-") {
            f.write_str("standard input")?;
        } else {
            write!(f, "{}", self.file.display())?;
        }
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if let Some(element) = self.element {
            // Without lines there are rows of a table.
            let what = if self.line > 0 { "element" } else { "row" };
            write!(f, " ({what} {element})")?;
        }
        write!(f, ": {}", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_error_names_file_line_and_element() {
        let mut error = RowError::new(Path::new("a.json"), 7, "bad");
        assert_eq!(error.to_string(), "a.json:7: bad");
        error.element = Some(3);
        assert_eq!(error.to_string(), "a.json:7 (element 3): bad");
        error.file = PathBuf::from("-");
        error.line = 0;
        assert_eq!(error.to_string(), "standard input (row 3): bad");
    }
}
