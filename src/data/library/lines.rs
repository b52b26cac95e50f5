//! JSON lines parsed on all cores, told in their order.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::brief::Brief;
use super::quick::QuickRows;
use super::{LabelRanges, add_labels, add_labels_of};
use crate::data::container::{JsonRows, MAX_ROW_BYTES, broken, too_long};
use crate::data::detect::Shape;
use crate::data::error::RowError;
use crate::data::options::ReadOptions;
use crate::data::read;

/// Bytes that a thread parses at a time.
const BLOCK: usize = 512 << 10;
/// Blocks parsed together at least: at their end threads wait for each other.
const BLOCKS: usize = 16;

/// Where lines begin, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// Bytes before them in the file.
    pub at: u64,
    /// Their number, from 1.
    pub line: u64,
    /// What rows before them look like.
    pub shape: Shape,
}

/// One line with something on it.
pub(super) struct Line {
    /// Bytes before it in the file.
    pub start: u64,
    pub row: Result<Brief, RowError>,
}

/// Lines that stand one below the other.
#[derive(Default)]
pub(super) struct Lines {
    pub lines: Vec<Line>,
    /// The labels in them.
    pub labels: LabelRanges,
}

/// Lines that are parsed together.
struct Block {
    start: u64,
    line: u64,
    bytes: Vec<u8>,
}

/// Calls `take` with all lines from a place in a plain file on, many at a time, until it fails or the file ends. A read that
/// fails is the last row.
///
/// # Errors
/// What `take` says; a file that cannot be opened.
pub(super) fn each<E>(
    path: &Path,
    options: &ReadOptions,
    from: Start,
    mut take: impl FnMut(Lines) -> Result<(), E>,
) -> io::Result<Result<(), E>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from.at))?;
    let mut reader = Reader {
        file,
        start: from.at,
        line: from.line,
        ahead: Vec::new(),
        spare: Vec::new(),
        ended: false,
    };
    thread::scope(|scope| {
        let (done, parsed) = sync_channel(1);
        let work = move || parse_all(&mut reader, path, options, from.shape, &done);
        thread::Builder::new().spawn_scoped(scope, work)?;
        for lines in parsed.into_iter().flatten() {
            if let Err(error) = take(lines) {
                // The other end is dropped with this, and the thread ends.
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    })
}

type Parsed = Vec<Lines>;

fn parse_all(
    reader: &mut Reader,
    path: &Path,
    options: &ReadOptions,
    shape: Shape,
    done: &SyncSender<Parsed>,
) {
    let many = BLOCKS.max(2 * rayon::current_num_threads());
    let mut batch = reader.batch(many);
    loop {
        let parse = |block: &Block| parse(block, path, options, shape);
        let Batch { blocks, failure } = batch;
        // What comes next is read while these are parsed.
        let is_last = failure.is_some() || blocks.len() < many;
        let (mut lines, next) = rayon::join(
            || -> Parsed { blocks.par_iter().map(parse).collect() },
            || (!is_last).then(|| reader.batch(many)),
        );
        let bytes = blocks.into_iter().map(|block| block.bytes);
        reader
            .spare
            .extend(bytes.filter(|b| b.capacity() <= 2 * BLOCK));
        lines.extend(failure.map(|cause| {
            let start = reader.start;
            let row = Err(RowError::new(path, reader.line, cause));
            Lines {
                lines: vec![Line { start, row }],
                ..Lines::default()
            }
        }));
        if done.send(lines).is_err() {
            return;
        }
        match next {
            Some(next) => batch = next,
            None => return,
        }
    }
}

fn parse(block: &Block, path: &Path, options: &ReadOptions, shape: Shape) -> Lines {
    let is_usual = shape == Shape::Row && options.fields.is_empty();
    let (mut lines, mut labels) = (Vec::new(), LabelRanges::new());
    let mut rows = QuickRows::new();
    let (mut at, mut number) = (0, block.line);
    while at < block.bytes.len() {
        let rest = &block.bytes[at..];
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let text = &rest[..end];
        if !text.trim_ascii().is_empty() {
            let quick = is_usual.then(|| rows.row(text, &options.labels)).flatten();
            let row = match quick {
                Some((brief, found)) => {
                    for (at, value) in found {
                        let name = options.labels.get(at).map_or("", String::as_str);
                        add_labels(&mut labels, name, (1, value, value));
                    }
                    Ok(brief)
                }
                None => JsonRows::parse(path, text, number, None).and_then(|row| {
                    let found = read::row(row.object, options, Some(shape));
                    let (record, shape) =
                        found.map_err(|message| RowError::new(path, number, message))?;
                    add_labels_of(&mut labels, &record);
                    Ok(Brief::of(&record, shape))
                }),
            };
            let start = block.start + at as u64;
            lines.push(Line { start, row });
        }
        at += end;
        number += 1;
    }
    Lines { lines, labels }
}

/// Cuts a file into blocks of whole lines.
struct Reader {
    file: File,
    /// Of the next block.
    start: u64,
    line: u64,
    /// The beginning of a line that was read with the block before.
    ahead: Vec<u8>,
    /// Room of blocks that were parsed: fresh memory would cost a page fault every 4 KiB.
    spare: Vec<Vec<u8>>,
    ended: bool,
}

/// Blocks that are parsed together.
struct Batch {
    blocks: Vec<Block>,
    /// Why there is none behind them, where it is not the file's end: cause and cure.
    failure: Option<String>,
}

impl Reader {
    /// The next blocks; fewer than `many` at the end.
    fn batch(&mut self, many: usize) -> Batch {
        let mut batch = Batch {
            blocks: Vec::with_capacity(many),
            failure: None,
        };
        while batch.blocks.len() < many {
            match self.next() {
                Ok(Some(block)) => batch.blocks.push(block),
                Ok(None) => break,
                Err(cause) => {
                    batch.failure = Some(cause);
                    break;
                }
            }
        }
        batch
    }

    /// The next block; none at the end. The error is cause and cure.
    fn next(&mut self) -> Result<Option<Block>, String> {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        // At once, and not by doubling, which would copy everything once more.
        bytes.reserve(BLOCK + BLOCK / 8);
        bytes.append(&mut self.ahead);
        let end = loop {
            let before = bytes.len();
            if self.ended {
                break before;
            }
            let more = BLOCK as u64;
            let read = (&mut self.file).take(more).read_to_end(&mut bytes);
            let read = read.map_err(|cause| broken(&cause))?;
            self.ended = (read as u64) < more;
            if let Some(end) = memchr::memrchr(b'\n', &bytes[before..]) {
                break before + end + 1;
            }
            if bytes.len() > MAX_ROW_BYTES {
                return Err(too_long());
            }
        };
        let end = if self.ended { bytes.len() } else { end };
        self.ahead.extend_from_slice(&bytes[end..]);
        bytes.truncate(end);
        if bytes.is_empty() {
            return Ok(None);
        }
        let block = Block {
            start: self.start,
            line: self.line,
            bytes,
        };
        self.start += block.bytes.len() as u64;
        self.line += memchr::memchr_iter(b'\n', &block.bytes).count() as u64;
        Ok(Some(block))
    }
}
