//! Any number of records, one at a time: the first ones in memory, the others by their place in a file.
//!
//! A record that is not held costs 24 bytes, and 16 for the key of each response; it is read again from its file when it is asked for. Files that
//! cannot be entered in the middle (compressed, one array) are copied to a temporary file as they are read.

mod brief;
mod build;
mod copying;
mod kept;
mod lines;
mod quick;

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::RowError;
use super::detect::Shape;
use super::options::ReadOptions;
use super::read;
use super::record::Record;
use super::subject::SubjectKey;

/// Records kept that were read again from their files.
const RECENT: usize = 512;

/// A record with the keys of its responses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    pub record: Record,
    /// In the order of the responses.
    pub keys: Vec<SubjectKey>,
}

impl Item {
    /// Makes the keys.
    pub fn new(record: Record) -> Self {
        let keys = SubjectKey::of_all(&record);
        Item { record, keys }
    }
}

impl Deref for Item {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

/// What is known of all records without looking at them again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub records: usize,
    pub responses: usize,
    /// How many responses have a label, its least and its largest value.
    pub labels: LabelRanges,
}

/// By the name of a label, how many there are, the least and the largest.
type LabelRanges = BTreeMap<String, (usize, f64, f64)>;

/// Adds labels of one name to what is known of them.
fn add_labels(ranges: &mut LabelRanges, name: &str, added: (usize, f64, f64)) {
    match ranges.get_mut(name) {
        Some((count, low, high)) => {
            *count += added.0;
            *low = low.min(added.1);
            *high = high.max(added.2);
        }
        None => {
            ranges.insert(name.to_owned(), added);
        }
    }
}

/// Adds the labels of a record.
fn add_labels_of(ranges: &mut LabelRanges, record: &Record) {
    for (name, value) in record.responses.iter().flat_map(|r| &r.labels) {
        add_labels(ranges, name, (1, *value, *value));
    }
}

impl Facts {
    fn add(&mut self, record: &Record) {
        self.records += 1;
        self.responses += record.responses.len();
        add_labels_of(&mut self.labels, record);
    }
}

/// How far reading is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    pub facts: Facts,
    /// Rows that could not be read, since the last time.
    pub errors: Vec<RowError>,
    /// Whether that is all.
    pub complete: bool,
}

/// Any number of records; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Library {
    shared: Arc<Shared>,
}

impl PartialEq for Library {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

#[derive(Debug, Default)]
struct Shared {
    index: RwLock<Index>,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Index {
    /// The first records.
    held: Vec<Arc<Item>>,
    /// Where the others are.
    places: Vec<Place>,
    /// The keys of their responses, one record's after the other's, and where those of each end.
    keys: Vec<SubjectKey>,
    ends: Vec<usize>,
    files: Vec<Backing>,
    /// Ids that were taken already, of records that are not held.
    renamed: HashMap<usize, String>,
}

impl Index {
    fn len(&self) -> usize {
        self.held.len() + self.places.len()
    }

    /// The keys of a record's responses; none past the end.
    fn keys(&self, at: usize) -> &[SubjectKey] {
        if let Some(item) = self.held.get(at) {
            return &item.keys;
        }
        let at = at - self.held.len();
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or(0);
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.keys.get(start..end).unwrap_or_default()
    }
}

/// Where a record begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    row: u32,
    file: u16,
    shape: Shape,
}

/// What records are read again from.
#[derive(Debug)]
struct Backing {
    path: PathBuf,
    options: ReadOptions,
    /// Size and time of the last change when it was read; places in another file mean nothing.
    stamp: Option<Stamp>,
    /// Lives as long as the library, where it is a copy.
    _copy: Option<NamedTempFile>,
}

/// Size, and time of the last change.
type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.len(), meta.modified().ok()))
}

#[derive(Debug, Default)]
struct Recent {
    items: HashMap<usize, Arc<Item>>,
}

impl Library {
    /// Of records in memory, with what is known of them.
    pub fn of(records: Vec<Record>) -> (Self, Facts) {
        let mut facts = Facts::default();
        records.iter().for_each(|record| facts.add(record));
        let library = Library::default();
        library.write().held = records.into_iter().map(Item::new).map(Arc::new).collect();
        (library, facts)
    }

    /// How many records there are so far.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is none so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A record; `None` past the end, and where its file has changed so that it is no longer there.
    pub fn get(&self, at: usize) -> Option<Arc<Item>> {
        let index = self.read();
        if let Some(item) = index.held.get(at) {
            return Some(Arc::clone(item));
        }
        let place = *index.places.get(at - index.held.len())?;
        if let Some(item) = self.recent().items.get(&at) {
            return Some(Arc::clone(item));
        }
        let file = index.files.get(usize::from(place.file))?;
        if file.stamp.is_some() && file.stamp != stamp(&file.path) {
            return None;
        }
        let start = (place.start, u64::from(place.row), place.shape);
        let mut records = read::resume(&file.path, &file.options, start).ok()?;
        let mut record = records.find_map(Result::ok)?;
        if let Some(id) = index.renamed.get(&at) {
            record.id.clone_from(id);
        }
        let item = Arc::new(Item::new(record));
        let mut recent = self.recent();
        if recent.items.len() >= RECENT {
            recent.items.clear();
        }
        recent.items.insert(at, Arc::clone(&item));
        Some(item)
    }

    /// How many responses a record has; it is not read again for that.
    pub fn responses_of(&self, at: usize) -> usize {
        self.read().keys(at).len()
    }

    /// The key of a response; its record is not read again for that.
    pub fn key(&self, at: usize, response: usize) -> Option<SubjectKey> {
        self.read().keys(at).get(response).copied()
    }

    /// Tells the keys of records `from..to`, until it has told about as many as `most`; answers the record to go on from.
    pub fn keys(
        &self,
        from: usize,
        to: usize,
        most: usize,
        mut tell: impl FnMut(usize, &[SubjectKey]),
    ) -> usize {
        let index = self.read();
        let mut told = 0;
        for at in from..to {
            if told >= most {
                return at;
            }
            let keys = index.keys(at);
            told += keys.len().max(1);
            tell(at, keys);
        }
        to.max(from)
    }

    /// All records, one after the other; those that are no longer there are left out.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Arc<Item>)> + '_ {
        (0..self.len()).filter_map(|at| Some((at, self.get(at)?)))
    }

    // A thread that panicked while holding a lock left the index as it was: rows are only ever appended.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        let index = self.shared.index.read();
        index.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        let index = self.shared.index.write();
        index.unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        let recent = self.shared.recent.lock();
        recent.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
