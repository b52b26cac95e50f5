//! Data as they arrive.

use crate::data::{Facts, Library, Record};

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The file it stands in.
    pub file: String,
    /// Its line, counted from one, where known.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub cause: String,
}

/// A part of the data: the records so far, and rows left out since the last part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    pub library: Library,
    pub facts: Facts,
    pub errors: Vec<RowError>,
    /// Whether that is all.
    pub complete: bool,
    /// What was selected of them, once that is known.
    pub selection: Option<Box<super::Selection>>,
}

impl Loaded {
    /// Records in memory, all at once.
    pub fn new(records: Vec<Record>, errors: Vec<RowError>) -> Self {
        let (library, facts) = Library::of(records);
        Loaded {
            library,
            facts,
            errors,
            complete: true,
            selection: None,
        }
    }
}

/// Why there is no data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFailure {
    /// What went wrong.
    pub cause: String,
}
