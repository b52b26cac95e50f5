//! JSON lines parsed on all cores, told in their order.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::quick;
use crate::data::container::{JsonRows, MAX_ROW_BYTES, broken, too_long};
use crate::data::detect::Shape;
use crate::data::error::RowError;
use crate::data::options::ReadOptions;
use crate::data::read;
use crate::data::record::Record;
use crate::data::subject::SubjectKey;

/// Bytes that a thread parses at a time.
const BLOCK: usize = 512 << 10;

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
    pub row: Result<(Record, Shape, Vec<SubjectKey>), RowError>,
}

/// Lines that are parsed together.
struct Block {
    start: u64,
    line: u64,
    bytes: Vec<u8>,
}

/// Calls `take` with every line from a place in a plain file on, until it fails or the file ends. A read that fails is
/// the last row.
///
/// # Errors
/// What `take` says; a file that cannot be opened.
pub(super) fn each<E>(
    path: &Path,
    options: &ReadOptions,
    from: Start,
    mut take: impl FnMut(Line) -> Result<(), E>,
) -> io::Result<Result<(), E>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from.at))?;
    let mut reader = Reader {
        file,
        start: from.at,
        line: from.line,
        ahead: Vec::new(),
        ended: false,
    };
    thread::scope(|scope| {
        let (done, parsed) = sync_channel(1);
        let work = move || parse_all(&mut reader, path, options, from.shape, &done);
        thread::Builder::new().spawn_scoped(scope, work)?;
        for line in parsed.into_iter().flatten().flatten() {
            if let Err(error) = take(line) {
                // The other end is dropped with this, and the thread ends.
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    })
}

type Parsed = Vec<Vec<Line>>;

fn parse_all(
    reader: &mut Reader,
    path: &Path,
    options: &ReadOptions,
    shape: Shape,
    done: &SyncSender<Parsed>,
) {
    let many = 2 * rayon::current_num_threads();
    loop {
        let (mut blocks, mut failure) = (Vec::with_capacity(many), None);
        while blocks.len() < many {
            match reader.next() {
                Ok(Some(block)) => blocks.push(block),
                Ok(None) => break,
                Err(cause) => {
                    failure = Some(RowError::new(path, reader.line, cause));
                    break;
                }
            }
        }
        let parse = |block: &Block| parse(block, path, options, shape);
        let mut lines: Parsed = blocks.par_iter().map(parse).collect();
        let is_last = failure.is_some() || blocks.len() < many;
        lines.extend(failure.map(|error| {
            vec![Line {
                start: reader.start,
                row: Err(error),
            }]
        }));
        if done.send(lines).is_err() || is_last {
            return;
        }
    }
}

fn parse(block: &Block, path: &Path, options: &ReadOptions, shape: Shape) -> Vec<Line> {
    let is_usual = shape == Shape::Row && options.fields.is_empty();
    let mut lines = Vec::new();
    let (mut at, mut number) = (0, block.line);
    while at < block.bytes.len() {
        let rest = &block.bytes[at..];
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let text = &rest[..end];
        if !text.trim_ascii().is_empty() {
            let quick = is_usual
                .then(|| quick::row(text, &options.labels))
                .flatten();
            let row = match quick {
                Some(record) => Ok((record, Shape::Row)),
                None => JsonRows::parse(path, text, number, None).and_then(|row| {
                    let found = read::row(row.object, options, Some(shape));
                    found.map_err(|message| RowError::new(path, number, message))
                }),
            };
            let row = row.map(|(record, shape)| {
                let keys = SubjectKey::of_all(&record);
                (record, shape, keys)
            });
            let start = block.start + at as u64;
            lines.push(Line { start, row });
        }
        at += end;
        number += 1;
    }
    lines
}

/// Cuts a file into blocks of whole lines.
struct Reader {
    file: File,
    /// Of the next block.
    start: u64,
    line: u64,
    /// The beginning of a line that was read with the block before.
    ahead: Vec<u8>,
    ended: bool,
}

impl Reader {
    /// The next block; none at the end. The error is cause and cure.
    fn next(&mut self) -> Result<Option<Block>, String> {
        let mut bytes = std::mem::take(&mut self.ahead);
        // At once, and not by doubling, which would copy everything once more.
        bytes.reserve(BLOCK + BLOCK / 8);
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
        self.ahead = bytes.split_off(end);
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
