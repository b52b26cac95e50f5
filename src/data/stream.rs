//! The records of several files, one at a time: in the same order and under the same ids as [`read`](super::read())
//! gives them, in the memory of one record; ids that do not count up take eight bytes each.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::detect::Shape;
use super::error::{DataError, RowError};
use super::ids::Ids;
use super::options::ReadOptions;
use super::read::{Records, records};
use super::record::Record;

/// See the module.
pub struct RecordStream {
    options: ReadOptions,
    /// Those not yet begun, and their bytes.
    files: VecDeque<(PathBuf, u64)>,
    current: Option<(Records, u64)>,
    ids: Ids,
    read: u64,
    /// The first row that cannot be read, and how many there are.
    bad: Option<(RowError, usize)>,
    told: Box<dyn FnMut(&RowError)>,
    /// Bytes of files that are done, of the one at hand, and of all.
    bytes: (u64, u64, u64),
}

impl RecordStream {
    /// Opens files, or gives nothing where records of several files are to be joined, or what comes by a pipe stands
    /// between files: such are read into memory.
    ///
    /// # Errors
    /// A file that cannot be read or is empty.
    pub fn open(paths: &[PathBuf], options: &ReadOptions) -> Result<Option<Self>, DataError> {
        if paths.len() > 1 {
            for path in paths {
                if path == Path::new("-") || joins(path, options)? {
                    return Ok(None);
                }
            }
        }
        let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        let files: VecDeque<_> = paths.iter().map(|p| (p.clone(), size(p))).collect();
        let all = files.iter().map(|(_, size)| size).sum();
        Ok(Some(RecordStream {
            options: options.clone(),
            files,
            current: None,
            ids: Ids::default(),
            read: 0,
            bad: None,
            told: Box::new(|_| ()),
            bytes: (0, 0, all),
        }))
    }

    /// Calls `told` with each row that cannot be read.
    pub fn on_bad_row(&mut self, told: impl FnMut(&RowError) + 'static) {
        self.told = Box::new(told);
    }

    /// Rows that could not be read so far.
    pub fn errors(&self) -> usize {
        self.bad.as_ref().map_or(0, |(_, count)| *count)
    }

    /// Bytes read, as far as that is known, and all; 0 and 0 for a pipe.
    pub fn progress(&self) -> (u64, u64) {
        let (done, current, all) = self.bytes;
        (done + current, all)
    }

    fn next_file(&mut self) -> Result<bool, DataError> {
        let Some((path, size)) = self.files.pop_front() else {
            return Ok(false);
        };
        let mut records = records(&path, &self.options)?;
        if records.is_empty() && path != Path::new("-") {
            return Err(DataError::Empty { path });
        }
        self.current = Some((records, size));
        Ok(true)
    }

    /// The next record, or why there is none though there are rows.
    fn advance(&mut self) -> Result<Option<Record>, DataError> {
        loop {
            let Some((records, size)) = &mut self.current else {
                match self.next_file()? {
                    true => continue,
                    false => return self.end(),
                }
            };
            match records.next_shaped() {
                Some(Ok(found)) => {
                    // Beyond the size it is a place in decompressed bytes, which tells nothing.
                    self.bytes.1 = found.start.filter(|at| at <= size).unwrap_or(self.bytes.1);
                    self.read += 1;
                    let mut record = found.record;
                    self.ids.make_unique(&mut record.id);
                    return Ok(Some(record));
                }
                Some(Err(error)) if self.options.strict => return Err(error.into()),
                Some(Err(error)) => {
                    (self.told)(&error);
                    self.bad.get_or_insert((error, 0)).1 += 1;
                }
                None => {
                    self.bytes = (self.bytes.0 + *size, 0, self.bytes.2);
                    self.current = None;
                }
            }
        }
    }

    fn end(&mut self) -> Result<Option<Record>, DataError> {
        match &self.bad {
            Some((first, errors)) if self.read == 0 => Err(DataError::NothingRead {
                first: Box::new(first.clone()),
                errors: *errors,
            }),
            _ => Ok(None),
        }
    }
}

/// Whether the file's records are to be joined with those of others.
fn joins(path: &Path, options: &ReadOptions) -> Result<bool, DataError> {
    let mut records = records(path, options)?;
    if records.is_empty() {
        let path = path.to_path_buf();
        return Err(DataError::Empty { path });
    }
    let first = std::iter::from_fn(|| records.next_shaped()).find_map(Result::ok);
    Ok(first.is_some_and(|found| found.shape == Shape::Outputs))
}

impl Iterator for RecordStream {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if let Some(Err(_)) = &next {
            self.files.clear();
            self.current = None;
            self.bad = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn records_are_those_that_are_read_into_memory() {
        let folder = tempfile::tempdir().unwrap();
        let rows = |n: usize| -> String {
            (0..n)
                .map(|i| {
                    format!(
                        "{{\"id\":\"{}\",\"instruction\":\"q{i}\",\"response\":\"a\"}}\n",
                        i % 3
                    )
                })
                .collect()
        };
        let paths = [
            file(folder.path(), "a.jsonl", &rows(7)),
            file(folder.path(), "b.csv", "instruction,response\nx,y\nx,z\n"),
        ];
        let options = ReadOptions::default();
        let stream = RecordStream::open(&paths, &options).unwrap().unwrap();
        let streamed: Vec<Record> = stream.map(Result::unwrap).collect();
        assert_eq!(
            streamed,
            super::super::read(&paths, &options).unwrap().records
        );
        assert_eq!(streamed.len(), 8);
    }

    #[test]
    fn outputs_of_several_models_are_left_to_be_joined() {
        let folder = tempfile::tempdir().unwrap();
        let row = "[{\"instruction\":\"q\",\"output\":\"a\",\"generator\":\"m\"}]";
        let paths = ["a.json", "b.json"].map(|name| file(folder.path(), name, row));
        let options = ReadOptions::default();
        let open = |paths: &[PathBuf]| RecordStream::open(paths, &options).unwrap();
        assert!(open(&paths).is_none());
        assert_eq!(open(&paths[..1]).unwrap().count(), 1);
    }

    #[test]
    fn bad_rows_are_told_and_only_bad_ones_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let good = "{\"instruction\":\"q\",\"response\":\"a\"}\n";
        let options = ReadOptions::default();
        let path = file(folder.path(), "a.jsonl", &format!("{good}nonsense\n{good}"));
        let count = std::rc::Rc::new(std::cell::Cell::new(0));
        let told = count.clone();
        let mut stream = RecordStream::open(&[path], &options).unwrap().unwrap();
        stream.on_bad_row(move |_| told.set(told.get() + 1));
        assert!(stream.by_ref().all(|record| record.is_ok()));
        assert_eq!((stream.errors(), count.get()), (1, 1));
        let path = file(folder.path(), "b.jsonl", "nonsense\n");
        let mut stream = RecordStream::open(&[path], &options).unwrap().unwrap();
        assert!(matches!(
            stream.next(),
            Some(Err(DataError::NothingRead { .. }))
        ));
        assert!(stream.next().is_none());
    }
}
