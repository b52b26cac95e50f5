//! What Juror remembers between runs, in one SQLite file: scores, annotations, runs, where a person was.
//!
//! Everything is on disk when a call returns. Scores can be made again and are kept by what determined them; annotations
//! are events that are only ever added, so that nothing a person said is lost by an undo, a crash or a full disk.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod exchange;
pub mod home;
pub mod journal;
mod private;
pub mod runs;
pub mod scores;
pub mod session;
pub mod tables;
pub mod trainings;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

pub use journal::{Event, Journal, Kind};
pub use runs::{Run, RunState};
pub use trainings::Training;

/// How long a write waits for another process's.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why something is not kept, or not found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No folder for it.
    #[error("there is no folder to remember things in: set JUROR_HOME")]
    NoHome,
    /// The folder cannot be made.
    #[error("{}: {cause}; make the folder writable, or set JUROR_HOME to another", .path.display())]
    Folder {
        path: PathBuf,
        cause: std::io::Error,
    },
    /// The database refused.
    #[error("{}: {cause}; {cure}", .path.display())]
    Database {
        path: PathBuf,
        cause: rusqlite::Error,
        cure: &'static str,
    },
    /// Written by a later version.
    #[error("{}: written by a later version of Juror (format {found}, known {known}): use that one, or set JUROR_HOME to another folder", .path.display())]
    Later {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    /// Lines that are no annotations.
    #[error("{file}:{line}: {cause}")]
    Line {
        file: String,
        line: usize,
        cause: String,
    },
    /// A file beside the database.
    #[error("{file}: {cause}")]
    File { file: String, cause: std::io::Error },
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Each brings the database one format further; never changed once released.
const FORMATS: [&str; 2] = [include_str!("format_1.sql"), include_str!("format_2.sql")];

/// The database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    latest: HashMap<String, journal::Latest>,
}

impl Store {
    /// Opens the database in [`home::folder`], or makes it.
    ///
    /// # Errors
    /// A folder or file that cannot be used, named, with a cure.
    pub fn open() -> Result<Self> {
        let folder = home::folder().ok_or(StoreError::NoHome)?;
        private::folder(&folder).map_err(|cause| StoreError::Folder {
            path: folder.clone(),
            cause,
        })?;
        Self::at(&folder.join("juror.db"))
    }

    /// Opens a database, or makes it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn at(path: &Path) -> Result<Self> {
        // Where it cannot be made, the database says so.
        let _ = private::file(path);
        let connection = Connection::open(path).map_err(|cause| error(path, cause))?;
        let mut store = Store {
            connection,
            path: path.to_owned(),
            latest: HashMap::new(),
        };
        store.prepare()?;
        Ok(store)
    }

    fn prepare(&mut self) -> Result<()> {
        let set = |c: &Connection| {
            c.busy_timeout(PATIENCE)?;
            c.pragma_update(None, "journal_mode", "WAL")?;
            // What is said to be kept outlives a power cut.
            c.pragma_update(None, "synchronous", "FULL")?;
            c.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        };
        // Changing to WAL needs the file alone, and does not wait by itself.
        let started = Instant::now();
        let found = loop {
            match set(&self.connection) {
                Err(cause) if is_busy(&cause) && started.elapsed() < PATIENCE => {
                    std::thread::sleep(PATIENCE / 200);
                }
                other => break other,
            }
        };
        let found = found.map_err(|cause| error(&self.path, cause))?;
        let known = FORMATS.len() as i64;
        if found > known {
            let path = self.path.clone();
            return Err(StoreError::Later { path, found, known });
        }
        if found == known {
            return Ok(());
        }
        // Two programs may start at once: whoever comes second finds the work done.
        self.write(|transaction| {
            let now: i64 = transaction.pragma_query_value(None, "user_version", |r| r.get(0))?;
            for (format, steps) in FORMATS.iter().enumerate().skip(now.max(0) as usize) {
                transaction.execute_batch(steps)?;
                transaction.pragma_update(None, "user_version", format as i64 + 1)?;
            }
            Ok(())
        })
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("."))
    }

    /// One transaction that writes.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let immediate = rusqlite::TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate);
        let done = transaction.and_then(|transaction| {
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        done.map_err(|cause| error(&self.path, cause))
    }

    /// A look without writing.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.connection).map_err(|cause| error(&self.path, cause))
    }
}

fn is_busy(cause: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(
        cause.sqlite_error_code(),
        Some(Code::DatabaseBusy | Code::DatabaseLocked)
    )
}

fn error(path: &Path, cause: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode as Code;
    let cure = match cause.sqlite_error_code() {
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            "another Juror is writing for a long time: try again when it has ended"
        }
        Some(Code::DiskFull) => "the disk is full: make room and do it again",
        Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => {
            "make it writable, or set JUROR_HOME to another folder"
        }
        Some(Code::NotADatabase | Code::DatabaseCorrupt) => {
            "the file is damaged: move it away and restore a copy, or begin with none"
        }
        _ => "check the disk",
    };
    StoreError::Database {
        path: path.to_owned(),
        cause,
        cure,
    }
}

/// Milliseconds since 1970, by this machine's clock.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
