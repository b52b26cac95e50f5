//! Filling a library from files, telling of it on the way.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::{Backing, Facts, Item, Library, Place, Progress, stamp};
use crate::data::detect::Shape;
use crate::data::error::{DataError, RowError};
use crate::data::options::ReadOptions;
use crate::data::read::{self, Found, Ids};
use crate::data::subject::SubjectKey;
use crate::data::{source, write};

/// Text of records that are held, in bytes.
const HELD: usize = 48 << 20;
/// The first part is told of after so many records.
const FIRST: usize = 256;
/// Later parts are told of as often as this.
const OFTEN: Duration = Duration::from_millis(100);

impl Library {
    /// Reads files into the library; `tell` hears of every part, and of the end.
    ///
    /// # Errors
    /// As [`read::read`]; what was read until then stays.
    pub fn fill(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), DataError> {
        self.fill_holding(paths, options, HELD, tell)
    }

    /// As [`Library::fill`], holding records in memory up to `hold` bytes of text.
    pub(super) fn fill_holding(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        hold: usize,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), DataError> {
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

struct Filling<'a> {
    library: &'a Library,
    options: &'a ReadOptions,
    /// Bytes of text that may still be held.
    hold: usize,
    facts: Facts,
    errors: Vec<RowError>,
    bad: usize,
    first_bad: Option<RowError>,
    ids: Ids,
    told: Instant,
    tell: &'a mut dyn FnMut(Progress),
}

impl Filling<'_> {
    fn joined(&mut self, paths: &[PathBuf]) -> Result<(), DataError> {
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
        let before = source::plain_bytes_before(path);
        let mut copy: Option<Copy> = None;
        let mut direct: Option<u16> = None;
        while let Some(next) = records.next_shaped() {
            let mut found = match next {
                Ok(found) => found,
                Err(error) if self.options.strict => return Err(error.into()),
                Err(error) => {
                    self.bad(error);
                    continue;
                }
            };
            let renamed = self.ids.make_unique(&mut found.record.id);
            self.facts.add(&found.record);
            let bytes = bytes(&found);
            if bytes <= self.hold && copy.is_none() && direct.is_none() {
                self.hold -= bytes;
                self.library
                    .write()
                    .held
                    .push(Item::new(found.record).into());
            } else {
                // Records stay in order: from the first that is not held, none is.
                self.hold = 0;
                let place = match (before, found.start) {
                    (Some(before), Some(start)) => {
                        let file = match direct {
                            Some(file) => file,
                            None => self.backing(path.to_path_buf(), self.options.clone(), None)?,
                        };
                        direct = Some(file);
                        Place {
                            start: before + start,
                            row: u32::try_from(found.row).unwrap_or(u32::MAX),
                            file,
                            shape: found.shape,
                        }
                    }
                    _ => {
                        let open = match copy.take() {
                            Some(open) => open,
                            None => self.copy(path)?,
                        };
                        self.keep_labels(open.file, &found);
                        copy.insert(open).add(&found).map_err(|e| io(path, e))?
                    }
                };
                let keys = SubjectKey::of_all(&found.record);
                let mut index = self.library.write();
                if renamed {
                    let at = index.len();
                    index.renamed.insert(at, found.record.id);
                }
                index.places.push(place);
                index.keys.extend(keys);
                let end = index.keys.len();
                index.ends.push(end);
            }
            self.tell_of_part(&mut copy).map_err(|e| io(path, e))?;
        }
        match copy {
            Some(mut copy) => copy.out.flush().map_err(|e| io(path, e)),
            None => Ok(()),
        }
    }

    fn backing(
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

    /// A temporary file for records that cannot be read again where they are.
    fn copy(&self, path: &Path) -> Result<Copy, DataError> {
        let file = NamedTempFile::new().map_err(|e| io(path, e))?;
        let out = BufWriter::new(file.reopen().map_err(|e| io(path, e))?);
        let options = ReadOptions {
            labels: self.options.labels.clone(),
            ..ReadOptions::default()
        };
        let number = self.backing(file.path().to_path_buf(), options, Some(file))?;
        Ok(Copy {
            out,
            at: 0,
            file: number,
        })
    }

    /// What was a label is one when it is read again.
    fn keep_labels(&self, file: u16, found: &Found) {
        let names = found.record.responses.iter().flat_map(|r| r.labels.keys());
        let mut index = self.library.write();
        if let Some(backing) = index.files.get_mut(usize::from(file)) {
            for name in names {
                if !backing.options.labels.contains(name) {
                    backing.options.labels.push(name.clone());
                }
            }
        }
    }

    fn bad(&mut self, error: RowError) {
        self.bad += 1;
        if self.first_bad.is_none() {
            self.first_bad = Some(error.clone());
        }
        self.errors.push(error);
    }

    fn tell_of_part(&mut self, copy: &mut Option<Copy>) -> std::io::Result<()> {
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

    fn end(mut self) -> Result<(), DataError> {
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
        Ok(())
    }
}

/// Records in Juror's own format, one a line.
struct Copy {
    out: BufWriter<std::fs::File>,
    at: u64,
    file: u16,
}

impl Copy {
    fn add(&mut self, found: &Found) -> std::io::Result<Place> {
        let mut line = serde_json::to_vec(&write::to_json(&found.record))?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        let place = Place {
            start: self.at,
            row: 0,
            file: self.file,
            shape: Shape::Responses,
        };
        self.at += line.len() as u64;
        Ok(place)
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

fn io(path: &Path, cause: std::io::Error) -> DataError {
    DataError::Io {
        path: path.to_path_buf(),
        cause,
    }
}
