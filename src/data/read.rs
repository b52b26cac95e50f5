//! Reading record files: rows by shape, gathered into records.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::container::{RawRow, RawRows};
use super::detect::{self, Shape};
use super::discover::stem;
use super::error::{DataError, RowError};
use super::fields::{FieldError, Fields};
use super::ids::Ids;
use super::options::ReadOptions;
use super::record::Record;
use super::{alpaca, conversation, own, pairs, preferences, rows};

/// A file of which the first rows, this many, are all bad is given up.
const GIVE_UP_AFTER: u64 = 100;

/// Records in memory, and the rows that could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSet {
    /// In input order, with ids that are unique.
    pub records: Vec<Record>,
    /// The rows that were skipped.
    pub errors: Vec<RowError>,
    /// Records whose id was taken already and got a `#2`, `#3`, … behind it.
    pub renamed: usize,
}

impl DataSet {
    /// How many responses there are in all.
    pub fn response_count(&self) -> usize {
        self.records
            .iter()
            .map(|record| record.responses.len())
            .sum()
    }
}

/// Reads files (see [`super::discover()`] for folders) into memory. AlpacaEval outputs of several files
/// become one record an instruction, with a response from each file.
pub fn read(paths: &[PathBuf], options: &ReadOptions) -> Result<DataSet, DataError> {
    let mut data = DataSet::default();
    let mut merger = Merger::default();
    for path in paths {
        let mut stream = records(path, options)?;
        let empty = stream.is_empty();
        // An empty part on a pipe is usual; an empty file is not.
        if empty && path != Path::new("-") {
            return Err(DataError::Empty { path: path.clone() });
        }
        merger.next_file();
        while let Some(next) = stream.next_shaped() {
            match next {
                Ok(Found {
                    record,
                    shape: Shape::Outputs,
                    ..
                }) => merger.add(record, &mut data.records),
                Ok(Found { record, .. }) => data.records.push(record),
                Err(error) if options.strict => return Err(error.into()),
                Err(error) => data.errors.push(error),
            }
        }
    }
    if data.records.is_empty()
        && let Some(first) = data.errors.first()
    {
        return Err(DataError::NothingRead {
            first: Box::new(first.clone()),
            errors: data.errors.len(),
        });
    }
    let mut ids = Ids::default();
    for record in &mut data.records {
        data.renamed += usize::from(ids.make_unique(&mut record.id));
    }
    Ok(data)
}

/// The records of one file, streaming; memory is that of one record. Ids are as in the file, and need
/// not be unique.
pub fn records(path: &Path, options: &ReadOptions) -> Result<Records, DataError> {
    Ok(Records {
        file: path.to_path_buf(),
        stem: stem(path),
        rows: RawRows::open(path, &options.fields)?,
        options: options.clone(),
        shape: None,
        pending: None,
        seen: 0,
        bad: 0,
    })
}

/// The records of JSON lines from a row on, which begins at byte `start` of the file and is of a known shape.
pub fn resume(
    path: &Path,
    options: &ReadOptions,
    (start, row, shape): (u64, u64, Shape),
) -> io::Result<Records> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let source = Box::new(BufReader::with_capacity(1 << 14, file));
    Ok(Records {
        file: path.to_path_buf(),
        stem: stem(path),
        rows: RawRows::lines(path, source),
        options: options.clone(),
        shape: Some(shape),
        pending: None,
        seen: row,
        bad: 0,
    })
}

/// A record, and where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub record: Record,
    /// What its rows look like.
    pub shape: Shape,
    /// Bytes before its first row, decompressed, in JSON lines.
    pub start: Option<u64>,
    /// Rows before it in its file, bad ones among them.
    pub row: u64,
}

/// Where the lines begin that were not read yet.
pub(super) struct Rest {
    /// Bytes before them, decompressed.
    pub start: u64,
    /// Their number, from 1.
    pub line: u64,
    pub shape: Shape,
    /// Rows before them.
    pub seen: u64,
    /// What ids are made of.
    pub stem: String,
    /// The record that the first of them may belong to.
    pub pending: Option<Found>,
}

impl Found {
    /// Whether a row's record is a part of this one.
    pub(super) fn takes(&self, row: &Record, shape: Shape) -> bool {
        self.shape == shape && shape.gathers() && rows::same_task(&self.record, row)
    }
}

/// The id of a row that has none: `seen` is its number in the file.
pub(super) fn made_id(stem: &str, seen: u64) -> String {
    format!("{stem}-{seen}")
}

/// The records of one file; see [`records`].
pub struct Records {
    file: PathBuf,
    stem: String,
    rows: RawRows,
    options: ReadOptions,
    /// The shape of the first good row.
    shape: Option<Shape>,
    /// The record that the next row may belong to.
    pending: Option<Found>,
    seen: u64,
    bad: u64,
}

impl Records {
    /// Whether the file has nothing but blanks. Only before the first record.
    pub fn is_empty(&mut self) -> bool {
        self.rows.is_empty()
    }

    /// The next record and where it was found.
    pub fn next_shaped(&mut self) -> Option<Result<Found, RowError>> {
        loop {
            let Some(row) = self.rows.next() else {
                return self.pending.take().map(|open| Ok(finished(open)));
            };
            self.seen += 1;
            let found = match row.and_then(|row| self.build(row)) {
                Ok(found) => found,
                Err(error) => return Some(Err(self.bad_row(error))),
            };
            if let Some(open) = &mut self.pending
                && open.takes(&found.record, found.shape)
            {
                open.record.responses.extend(found.record.responses);
                continue;
            }
            if let Some(done) = self.pending.replace(found) {
                return Some(Ok(finished(done)));
            }
        }
    }

    /// Ends here, and says where the next line begins, where all that follows are JSON lines of a known shape.
    ///
    /// # Errors
    /// Gives itself back where that is not so.
    pub(super) fn rest(self) -> Result<Rest, Box<Self>> {
        let place = match (&self.rows, self.shape) {
            (RawRows::Json(rows), Some(shape)) if shape != Shape::Instruction => {
                rows.place().map(|place| (place, shape))
            }
            _ => None,
        };
        let Some(((start, line), shape)) = place else {
            return Err(Box::new(self));
        };
        Ok(Rest {
            start,
            line,
            shape,
            seen: self.seen,
            stem: self.stem,
            pending: self.pending,
        })
    }

    fn bad_row(&mut self, mut error: RowError) -> RowError {
        self.bad += 1;
        if self.shape.is_none() && self.bad == GIVE_UP_AFTER {
            self.rows.stop();
            error.message.push_str(&format!(
                " (the first {GIVE_UP_AFTER} rows are all bad: the rest of the file is not read)"
            ));
        }
        error
    }

    fn build(&mut self, raw: RawRow) -> Result<Found, RowError> {
        let RawRow {
            object,
            line,
            element,
            start,
        } = raw;
        let (mut record, shape) =
            row(object, &self.options, self.shape).map_err(|message| RowError {
                file: self.file.clone(),
                line,
                element,
                message,
            })?;
        if record.id.is_empty() {
            record.id = made_id(&self.stem, self.seen);
        }
        // An instruction without an answer first, answers later: the answers tell the shape.
        if self.shape.is_none_or(|usual| usual == Shape::Instruction) {
            self.shape = Some(shape);
        }
        Ok(Found {
            record,
            shape,
            start,
            row: self.seen - 1,
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_shaped()?.map(|found| found.record))
    }
}

/// What one row says on its own, and its shape; `usual` is the shape of the rows before it.
///
/// # Errors
/// A row that is no record: cause and cure.
pub fn row(
    mut object: Map<String, Value>,
    options: &ReadOptions,
    usual: Option<Shape>,
) -> Result<(Record, Shape), String> {
    options.fields.apply(&mut object);
    detect::unpack(&mut object);
    let shape = match (Shape::of(&object), usual) {
        // A row that lacks the answer that the rows before it have.
        (Some(Shape::Instruction), Some(usual)) => usual,
        (Some(shape), _) => shape,
        (None, Some(usual)) => usual,
        (None, None) => return Err(detect::unknown(&object)),
    };
    let record = read_as(shape, Fields::new(object), &options.labels);
    Ok((record.map_err(|error| error.to_string())?, shape))
}

fn read_as(shape: Shape, row: Fields, labels: &[String]) -> Result<Record, FieldError> {
    match shape {
        Shape::Responses => own::read(row, labels),
        Shape::Pair => pairs::read(row),
        Shape::Preference => preferences::read(row),
        Shape::Verdict => preferences::read_verdict(row),
        Shape::Row => rows::read(row, "response", labels),
        Shape::Conversation => conversation::read(row, labels),
        Shape::Outputs => rows::read(row, "output", labels),
        Shape::Alpaca => alpaca::read(row, labels),
        Shape::Instruction => alpaca::read_instruction(row),
    }
}

fn finished(found: Found) -> Found {
    Found {
        record: finish(found.record),
        ..found
    }
}

/// Gives every response an id that is unique in its record: its own, or its generator, or its place.
fn finish(mut record: Record) -> Record {
    let mut ids = Ids::default();
    for (place, response) in record.responses.iter_mut().enumerate() {
        if response.id.is_empty() {
            response.id = match &response.generator {
                Some(generator) => generator.clone(),
                None => (place + 1).to_string(),
            };
        }
        ids.make_unique(&mut response.id);
    }
    record
}

/// Joins the outputs of several files by instruction.
#[derive(Default)]
struct Merger {
    /// Records by the hash of their task, in order.
    places: HashMap<u64, Vec<usize>>,
    /// How often this file has had a task already.
    in_file: HashMap<u64, usize>,
}

impl Merger {
    fn next_file(&mut self) {
        self.in_file.clear();
    }

    /// The k-th time that a file asks the same, it is the same record as the k-th time in another.
    fn add(&mut self, record: Record, records: &mut Vec<Record>) {
        let hash = rows::task_hash(&record);
        let time = self.in_file.entry(hash).or_default();
        let places = self.places.entry(hash).or_default();
        let place = places
            .iter()
            .filter(|place| rows::same_task(&records[**place], &record))
            .nth(*time)
            .copied();
        *time += 1;
        match place {
            Some(place) => {
                let mut joined = std::mem::take(&mut records[place]);
                joined.responses.extend(record.responses);
                records[place] = finish(joined);
            }
            None => {
                places.push(records.len());
                records.push(record);
            }
        }
    }
}
