//! What an update asks the outside to do, as data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::state::{Comparison, DraftId, Exported, Purpose, Search};
use crate::data::{Library, ScoreCard};
use crate::run::live::Command;
use crate::stats::preset::Preset;
use crate::store::{Event, Run};

/// Something to be done outside the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell the judge.
    Judge(Command),
    /// Tell the second judge.
    Second(Command),
    /// Load another judge in place of the first or the second; without a name, let the second go.
    Load { second: bool, judge: Option<String> },
    /// Put text on the clipboard of the terminal (OSC 52).
    Copy(String),
    /// A theme was chosen, for whoever remembers it.
    ThemeChosen(String),
    /// Put something on disk.
    Keep(Keep),
    /// Search the data; a later search takes the place of an earlier one.
    Find(Search),
    /// Count the facets of the data.
    CountFacets,
    /// Count how far an annotator goes together with others; a later count takes the place of an earlier one.
    Compare(Box<Comparison>),
    /// Have a text edited by the person's own editor.
    External { text: String, target: Target },
    /// Write a file; one that a person named only where there is none.
    Write(Box<Write>),
    /// Write a file over the one that is there.
    Overwrite(Box<Write>),
    /// Read two runs and say what changed.
    CompareRuns { before: Box<Run>, after: Box<Run> },
    /// Do something about a training of another process.
    Attend(Attend),
    /// Give the terminal back to the shell until it lets us go on.
    Suspend,
    /// Leave.
    Quit,
}

/// What the thread that looks after trainings is asked for; a training by its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attend {
    /// Whether anybody looks at them.
    Look(bool),
    /// Ask it to stop.
    Stop(String),
    /// Take it from the list.
    Forget(String),
}

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Draft(DraftId),
    Template,
}

/// What is put on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Keep {
    /// Something an annotator did; nothing moves on before it is there.
    Event { ticket: u64, event: Box<Event> },
    /// Something small under a name.
    Remember { key: String, value: String },
    /// A run, new or changed.
    Run(Box<Run>),
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// A judge's template.
    Template {
        path: PathBuf,
        text: String,
    },
    Preset {
        path: PathBuf,
        preset: Preset,
    },
    /// Some records of the library, all where `records` is `None`.
    Export {
        path: PathBuf,
        what: Exported,
        library: Library,
        records: Option<Arc<Vec<u32>>>,
        label: Option<String>,
    },
    /// The scores of a run, a line each.
    Scores {
        run: Box<Run>,
        library: Library,
        rows: Vec<ScoredRow>,
        /// Where verdicts are cut.
        threshold: f64,
    },
    /// A report of what is scored.
    Report {
        path: PathBuf,
        library: Library,
        rows: Vec<ScoredRow>,
        facts: ReportFacts,
    },
}

impl Write {
    /// The file that a person named, and what for.
    pub fn named(&self) -> Option<(Purpose, &Path)> {
        match self {
            Write::Preset { path, .. } => Some((Purpose::Preset, path)),
            Write::Template { path, .. } => Some((Purpose::Template, path)),
            Write::Export { path, what, .. } => Some((Purpose::Export(*what), path)),
            Write::Report { path, .. } => Some((Purpose::Report, path)),
            Write::Scores { .. } => None,
        }
    }
}

/// A response of the data with its score, or why it has none.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredRow {
    pub row: (usize, usize),
    pub score: Result<ScoreCard, String>,
    /// The number that decides, in `[0, 1]`.
    pub decision: Option<f64>,
}

/// What a report says besides its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportFacts {
    pub title: String,
    /// Name and hash.
    pub judge: (String, String),
    pub template: (String, String),
    pub modes: Vec<String>,
    pub signal: String,
    pub label: Option<String>,
    /// Labels from this one on are good.
    pub good: f64,
    pub threshold: f64,
}
