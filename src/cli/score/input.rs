//! What is scored: small data in memory, large ones and what comes by a pipe as a stream.

use std::cell::Cell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::{fs, io};

use anyhow::Result;
use indicatif::ProgressBar;

use crate::cli::progress::{bar, bytes_bar};
use crate::cli::{DataArguments, tell};
use crate::data::{self, DataError, DataSet, Record, RecordStream, Shard};

/// Files of at most so many bytes in all are read into memory: then it is known at once how many responses there are and
/// which rows are bad.
const IN_MEMORY: u64 = 32 << 20;
/// Bad rows of a stream that are told one by one.
const TOLD: usize = 20;

/// See the module.
pub struct Input {
    source: Source,
    shard: Shard,
}

enum Source {
    Held(DataSet),
    Streamed(Box<RecordStream>),
}

impl Input {
    /// Opens the files; in memory in any case without `may_stream`.
    ///
    /// # Errors
    /// Files that cannot be read, or in which no row can.
    pub fn open(
        arguments: &DataArguments,
        files: &[PathBuf],
        shard: Shard,
        may_stream: bool,
    ) -> Result<Self> {
        let options = arguments.options()?;
        if may_stream
            && is_large(files)
            && let Some(stream) = RecordStream::open(files, &options)?
        {
            let source = Source::Streamed(Box::new(stream));
            return Ok(Input { source, shard });
        }
        let mut set = data::read(files, &options)?;
        tell(&set.errors);
        let mut place = 0;
        set.records
            .retain(|record| in_shard(shard, record, &mut place));
        let source = Source::Held(set);
        Ok(Input { source, shard })
    }

    /// All records, where they are in memory.
    pub fn held(&self) -> &[Record] {
        match &self.source {
            Source::Held(set) => &set.records,
            Source::Streamed(_) => &[],
        }
    }

    /// A bar that `passes` over the data fill.
    pub fn bar(&self, quiet: bool, passes: usize) -> ProgressBar {
        match &self.source {
            Source::Held(set) => {
                let responses = set.records.iter().map(|r| r.responses.len());
                bar(quiet, responses.sum::<usize>() * passes)
            }
            Source::Streamed(stream) => bytes_bar(quiet, stream.progress().1),
        }
    }

    /// Rows that could not be read: of a shard, those of the whole count to the first.
    pub fn errors(&self) -> usize {
        match &self.source {
            _ if self.shard.index > 1 => 0,
            Source::Held(set) => set.errors.len(),
            Source::Streamed(stream) => stream.errors(),
        }
    }

    /// The records of the shard, and how far the bar is after so many rows.
    pub fn records<'i>(&'i mut self, bar: &ProgressBar) -> (Passing<'i>, Measure) {
        let shard = self.shard;
        match &mut self.source {
            Source::Held(set) => {
                let records = crate::run::score::held(&set.records);
                (Box::new(records), Measure::Rows)
            }
            Source::Streamed(stream) => {
                let (at, shown, mut told) = (Rc::new(Cell::new(0)), bar.clone(), 0);
                stream.on_bad_row(move |error| {
                    told += 1;
                    match told {
                        ..=TOLD => shown.suspend(|| note!("juror: {error}")),
                        n if n == TOLD + 1 => shown
                            .suspend(|| note!("juror: … more such rows are counted at the end")),
                        _ => (),
                    }
                });
                let (mut place, seen) = (0, at.clone());
                let records = std::iter::from_fn(move || {
                    loop {
                        let next = stream.next()?;
                        seen.set(stream.progress().0);
                        match next {
                            Ok(record) if !in_shard(shard, &record, &mut place) => (),
                            next => return Some(next.map(Arc::new)),
                        }
                    }
                });
                (Box::new(records), Measure::Bytes(at))
            }
        }
    }
}

/// Records on their way to the scorer.
pub type Passing<'i> = Box<dyn Iterator<Item = Result<Arc<Record>, DataError>> + 'i>;

/// What a bar counts.
pub enum Measure {
    Rows,
    /// Of the files, read so far.
    Bytes(Rc<Cell<u64>>),
}

/// Whether the shard has the record at `place`, which goes on to the next. Records without responses have no rows, and no
/// place.
fn in_shard(shard: Shard, record: &Record, place: &mut u64) -> bool {
    let has = !record.responses.is_empty();
    *place += u64::from(has);
    has && shard.has(*place - 1)
}

fn is_large(files: &[PathBuf]) -> bool {
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
    let piped = files.iter().any(|path| path == Path::new("-")) && !io::stdin().is_terminal();
    piped || files.iter().map(size).sum::<u64>() > IN_MEMORY
}
