//! What ends a collection: each error says where, why and what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::data::export::ExportError;
use crate::data::{DataError, RowError};

/// A failure that ends the run.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A source or test set that cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The first bad row, where these are not to be skipped.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A configuration that says something unknown.
    #[error("{}: {cause}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Cause and cure, with the line.
        cause: String,
    },
    /// A rule for a source that is not there.
    #[error("--category {name}=…: no source has that name; there are {known}")]
    UnknownSource {
        /// As given.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// What is kept on disk meanwhile.
    #[error("temporary files in {}: {cause}; there must be room for about as much as is read", .folder.display())]
    Spill {
        /// Their folder.
        folder: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The results.
    #[error("cannot write {}: {cause}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The results, as a table.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Nothing left.
    #[error("no row is left of {rows}: {most} are dropped as `{reason}`; {} says why, row by row", .dropped.display())]
    NothingKept {
        /// Rows that were read.
        rows: u64,
        /// Rows of the most frequent reason.
        most: u64,
        /// Its name.
        reason: &'static str,
        /// Where the reasons are.
        dropped: PathBuf,
    },
    /// An id that is in none of the files.
    #[error(
        "--explain {id}: neither in {} nor in {}; give the id of a row there, or where it stood, as in FILE:LINE",
        .output.display(), .dropped.display()
    )]
    UnknownId {
        /// As given.
        id: String,
        /// What was kept.
        output: PathBuf,
        /// What was dropped.
        dropped: PathBuf,
    },
}

impl CollectError {
    /// About a temporary file.
    pub fn spill(folder: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |cause| CollectError::Spill {
            folder: folder.to_owned(),
            cause,
        }
    }

    /// About a result.
    pub fn write(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |cause| CollectError::Write {
            path: path.to_owned(),
            cause,
        }
    }
}
