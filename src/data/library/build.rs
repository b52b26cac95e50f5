//! Filling a library from files, telling of it on the way.
//!
//! The first records are held. Behind them JSON lines are parsed on all cores, and what is kept of a record is where it
//! begins and the keys of its responses.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::brief::Brief;
use super::copying::Copy;
use super::kept::{Kept, Spare};
use super::lines::{self, Start};
use super::{Backing, Facts, Item, Library, Place, Progress, add_labels, add_labels_of, stamp};
use crate::data::detect::Shape;
use crate::data::error::{DataError, RowError};
use crate::data::ids::Ids;
use crate::data::options::ReadOptions;
use crate::data::read::{self, Found, Records, Rest};
use crate::data::record::Record;
use crate::data::source;
use crate::data::subject::SubjectKey;

/// Text of records that are held, in bytes. Fuzzed files are small, and what is done where they are large is fuzzed too.
const HELD: usize = if cfg!(fuzzing) { 1 } else { 48 << 20 };
/// The first part is told of after so many records.
const FIRST: usize = 256;
/// Later parts are told of as often as this.
const OFTEN: Duration = Duration::from_millis(100);
/// The index of files as large as this is kept for the next time.
const LARGE: u64 = 64 << 20;

impl Library {
    /// Reads files into the library; `tell` hears of every part, and of the end. Where they are large JSON lines, the
    /// index is kept in the folder `indices` and used again as long as they stay as they are.
    ///
    /// # Errors
    /// As [`read::read`]; what was read until then stays.
    pub fn fill(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        indices: Option<&Path>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), DataError> {
        let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
        let is_large = paths.iter().map(size).sum::<u64>() >= LARGE;
        match indices.filter(|_| is_large && !options.strict) {
            Some(folder) => self.fill_kept(paths, options, (HELD, folder), tell),
            None => self.fill_holding(paths, options, HELD, tell).map(|_| ()),
        }
    }

    /// As [`Library::fill`], of files of any size.
    pub(super) fn fill_kept(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        (hold, folder): (usize, &Path),
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), DataError> {
        let kept = Kept::of(folder, paths, options);
        if let Some((index, facts, errors)) = kept.as_ref().and_then(Kept::load) {
            *self.write() = index;
            tell(Progress {
                facts,
                errors,
                complete: true,
            });
            return Ok(());
        }
        let (mut facts, mut errors) = (Facts::default(), Vec::new());
        let mut both = |progress: Progress| {
            facts.clone_from(&progress.facts);
            errors.extend_from_slice(&progress.errors);
            tell(progress);
        };
        let spare = self.fill_holding(paths, options, hold, &mut both)?;
        // What cannot be kept is looked for again next time; files that changed meanwhile are others now.
        let same = kept.filter(|kept| Kept::of(folder, paths, options).as_ref() == Some(kept));
        if let (Some(kept), Some(spare)) = (same, spare) {
            let index = self.read();
            let _ = kept.save(&spare.whole(&index), &facts, &errors);
        }
        Ok(())
    }

    /// As [`Library::fill`], holding records in memory up to `hold` bytes of text. Where the records are that are held, if
    /// all can be read again where they are.
    pub(super) fn fill_holding(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        hold: usize,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Option<Spare>, DataError> {
        let mut filling = Filling {
            library: self,
            options,
            hold,
            facts: Facts::default(),
            errors: Vec::new(),
            bad: 0,
            first_bad: None,
            ids: Ids::default(),
            told: Instant::now(),
            tell,
            spare: Some(Spare::default()),
        };
        if joins(paths, options)? {
            filling.joined(paths)?;
        } else {
            for path in paths {
                filling.file(path)?;
            }
        }
        filling.end()
    }
}

/// Whether several files are AlpacaEval outputs, which become one record an instruction.
fn joins(paths: &[PathBuf], options: &ReadOptions) -> Result<bool, DataError> {
    if paths.len() < 2 {
        return Ok(false);
    }
    for path in paths {
        let mut records = read::records(path, options)?;
        let first = std::iter::from_fn(|| records.next_shaped()).find_map(Result::ok);
        if first.is_some_and(|found| found.shape == Shape::Outputs) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) struct Filling<'a> {
    pub(super) library: &'a Library,
    pub(super) options: &'a ReadOptions,
    /// Bytes of text that may still be held.
    hold: usize,
    facts: Facts,
    errors: Vec<RowError>,
    bad: usize,
    first_bad: Option<RowError>,
    pub(super) ids: Ids,
    told: Instant,
    tell: &'a mut dyn FnMut(Progress),
    pub(super) spare: Option<Spare>,
}

impl Place {
    /// `row` is how many there are before it in its file.
    fn new(start: u64, row: u64, file: u16, shape: Shape) -> Self {
        Place {
            start,
            row: u32::try_from(row).unwrap_or(u32::MAX),
            file,
            shape,
        }
    }
}

impl Filling<'_> {
    fn joined(&mut self, paths: &[PathBuf]) -> Result<(), DataError> {
        self.spare = None;
        let set = read::read(paths, self.options)?;
        for error in set.errors {
            self.bad(error);
        }
        for record in set.records {
            self.facts.add(&record);
            let item = Item::new(record);
            self.library.write().held.push(item.into());
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), DataError> {
        let mut records = read::records(path, self.options)?;
        if records.is_empty() && path != Path::new("-") {
            return Err(DataError::Empty {
                path: path.to_path_buf(),
            });
        }
        match source::plain_bytes_before(path) {
            Some(before) if path != Path::new("-") => self.plain(path, before, records),
            _ => self.copied(path, None, records),
        }
    }

    /// Records of a file that can be entered in the middle, if it is JSON lines.
    fn plain(&mut self, path: &Path, before: u64, mut records: Records) -> Result<(), DataError> {
        let mut file: Option<u16> = None;
        while let Some(next) = records.next_shaped() {
            let Some(mut found) = self.good(next)? else {
                continue;
            };
            let Some(start) = found.start else {
                return self.copied(path, Some(found), records);
            };
            let number = match file {
                Some(number) => number,
                None => self.backing(path.to_path_buf(), self.options.clone(), None)?,
            };
            file = Some(number);
            let place = Place::new(before + start, found.row, number, found.shape);
            let renamed = self.ids.make_unique(&mut found.record.id);
            let keys = SubjectKey::of_all(&found.record);
            match self.holds(&found) {
                true => {
                    if let Some(spare) = &mut self.spare {
                        spare.add(place, &keys, renamed.then(|| found.record.id.clone()));
                    }
                    self.hold(found.record);
                }
                false => {
                    self.place(place, keys, renamed.then_some(found.record.id));
                    records = match records.rest() {
                        Ok(rest) => return self.lines(path, (before, number), rest),
                        Err(records) => *records,
                    };
                }
            }
            self.tell_of_part(&mut None).map_err(|e| io(path, e))?;
        }
        Ok(())
    }

    /// JSON lines from a place on, none of which is held.
    fn lines(
        &mut self,
        path: &Path,
        (before, file): (u64, u16),
        rest: Rest,
    ) -> Result<(), DataError> {
        let from = Start {
            at: before + rest.start,
            line: rest.line,
            shape: rest.shape,
        };
        // It may have more rows yet.
        let mut open = rest.pending.map(|found| {
            add_labels_of(&mut self.facts.labels, &found.record);
            let start = before + found.start.unwrap_or(0);
            let place = Place::new(start, found.row, file, found.shape);
            (Brief::of(&found.record, found.shape), place)
        });
        let mut seen = rest.seen;
        let options = self.options;
        let done = lines::each(path, options, from, |part| -> Result<(), DataError> {
            for line in part.lines {
                seen += 1;
                let Some(mut row) = self.good(line.row)? else {
                    continue;
                };
                if let Some((brief, _)) = &mut open
                    && brief.takes(&row)
                {
                    brief.keys.extend(row.keys);
                    continue;
                }
                if row.id.is_empty() {
                    row.id = read::made_id(&rest.stem, seen);
                }
                let place = Place::new(line.start, seen - 1, file, row.shape);
                if let Some(done) = open.replace((row, place)) {
                    self.end_of_lines(done);
                }
                self.tell_of_part(&mut None).map_err(|e| io(path, e))?;
            }
            for (name, range) in part.labels {
                add_labels(&mut self.facts.labels, &name, range);
            }
            Ok(())
        });
        done.map_err(|e| io(path, e))??;
        if let Some(done) = open {
            self.end_of_lines(done);
        }
        Ok(())
    }

    fn end_of_lines(&mut self, (mut brief, place): (Brief, Place)) {
        let renamed = self.ids.make_unique(&mut brief.id);
        self.facts.records += 1;
        self.facts.responses += brief.keys.len();
        self.place(place, brief.keys, renamed.then_some(brief.id));
    }

    /// A row that could be read; what could not be is noted.
    pub(super) fn good<T>(&mut self, row: Result<T, RowError>) -> Result<Option<T>, DataError> {
        match row {
            Ok(found) => Ok(Some(found)),
            Err(error) if self.options.strict => Err(error.into()),
            Err(error) => {
                self.bad(error);
                Ok(None)
            }
        }
    }

    /// Counts a record, and says whether it is held.
    pub(super) fn holds(&mut self, found: &Found) -> bool {
        self.facts.add(&found.record);
        let bytes = bytes(found);
        // Records stay in order: from the first that is not held, none is.
        self.hold = self.hold.saturating_sub(bytes);
        self.hold > 0
    }

    pub(super) fn hold(&mut self, record: Record) {
        let item = Item::new(record);
        self.library.write().held.push(item.into());
    }

    pub(super) fn place(
        &mut self,
        place: Place,
        keys: impl IntoIterator<Item = SubjectKey>,
        renamed: Option<String>,
    ) {
        let mut index = self.library.write();
        if let Some(id) = renamed {
            let at = index.len();
            index.renamed.insert(at, id);
        }
        index.places.push(place);
        index.keys.extend(keys);
        let end = index.keys.len();
        index.ends.push(end);
    }

    pub(super) fn backing(
        &self,
        path: PathBuf,
        options: ReadOptions,
        copy: Option<NamedTempFile>,
    ) -> Result<u16, DataError> {
        let files = &mut self.library.write().files;
        let number = u16::try_from(files.len()).map_err(|_| {
            let many = std::io::Error::other("more than 65,536 files");
            io(&path, many)
        })?;
        files.push(Backing {
            // A copy of ours grows while records of it are asked for.
            stamp: if copy.is_none() { stamp(&path) } else { None },
            path,
            options,
            _copy: copy,
        });
        Ok(number)
    }

    fn bad(&mut self, error: RowError) {
        self.bad += 1;
        if self.first_bad.is_none() {
            self.first_bad = Some(error.clone());
        }
        self.errors.push(error);
    }

    pub(super) fn tell_of_part(&mut self, copy: &mut Option<Copy>) -> std::io::Result<()> {
        let due = self.facts.records == FIRST
            || (self.facts.records.is_multiple_of(64) && self.told.elapsed() >= OFTEN);
        if !due {
            return Ok(());
        }
        // What is told of can be asked for.
        if let Some(copy) = copy {
            copy.out.flush()?;
        }
        self.told = Instant::now();
        (self.tell)(Progress {
            facts: self.facts.clone(),
            errors: std::mem::take(&mut self.errors),
            complete: false,
        });
        Ok(())
    }

    fn end(mut self) -> Result<Option<Spare>, DataError> {
        if let (0, Some(first)) = (self.facts.records, self.first_bad.take()) {
            return Err(DataError::NothingRead {
                first: Box::new(first),
                errors: self.bad,
            });
        }
        (self.tell)(Progress {
            facts: self.facts,
            errors: self.errors,
            complete: true,
        });
        Ok(self.spare)
    }
}

/// About as much memory as the record takes.
fn bytes(found: &Found) -> usize {
    let record = &found.record;
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let responses = record.responses.iter();
    let texts: usize = responses
        .map(|r| 256 + r.text.len() + of(&r.generator) + of(&r.reason) + 64 * r.meta.len())
        .sum();
    256 + record.instruction.len()
        + [
            &record.input,
            &record.context,
            &record.reference,
            &record.rubric,
        ]
        .map(of)
        .iter()
        .sum::<usize>()
        + 64 * record.meta.len()
        + texts
}

pub(super) fn io(path: &Path, cause: std::io::Error) -> DataError {
    DataError::Io {
        path: path.to_path_buf(),
        cause,
    }
}
