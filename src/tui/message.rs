//! What happens to the explorer, as plain data.

use std::path::PathBuf;
use std::sync::Arc;

use super::effect::Target;
use super::finder::FacetCount;
use super::key::Key;
use super::state::{Agreed, Changes, DataFailure, Loaded, Purpose, Watched};
use super::theme::ThemeSet;
use crate::run::live::Event;
use crate::store::{self, Run};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(Mouse),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// There is no shell to give the terminal to for a while.
    NoShell,
    /// Time for the next frame of things that move.
    Tick,
    /// The data is there, or cannot be read.
    Data(Box<Result<Loaded, DataFailure>>),
    /// The judge says something.
    Judge(Box<Event>),
    /// The judge will say nothing more.
    JudgeGone,
    /// Theme files were saved; with what is wrong about some.
    Themes {
        themes: Box<ThemeSet>,
        errors: Vec<String>,
    },
    /// A theme fits the terminal better than what it was given at a guess.
    ThemeSuggested { theme: String, instead_of: String },
    /// The second judge says something.
    Second(Box<Event>),
    /// The second judge will say nothing more.
    SecondGone,
    /// The store says something.
    Kept(Box<Kept>),
    /// Records that a search found.
    Found {
        number: u64,
        records: Arc<Vec<u32>>,
        complete: bool,
    },
    /// The facets of the data.
    Facets(Arc<Vec<FacetCount>>),
    /// How far the annotator goes together with others.
    Agreed(Box<Agreed>),
    /// The person's editor has ended: the text, or why there is none.
    Edited {
        target: Target,
        text: Result<String, String>,
    },
    /// A file is written: what to say of it; or it could not be.
    Written(Result<String, String>),
    /// A file that a person named is there already, and was left as it is.
    Exists { purpose: Purpose, path: PathBuf },
    /// What changed between two runs, or why that cannot be said.
    Compared {
        between: (i64, i64),
        found: Box<Result<Changes, String>>,
    },
    /// All trainings as they are now.
    Trainings(Vec<Watched>),
}

/// What the store says.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// What was there when the program started.
    Opened {
        events: Vec<store::Event>,
        annotator: Option<String>,
        /// Where the person was in these data.
        place: Option<String>,
        runs: Vec<Run>,
    },
    /// Nothing can be kept.
    Trouble(String),
    /// One thing was not kept.
    Refused { ticket: u64, cause: String },
    /// An event is on disk.
    Event {
        ticket: u64,
        event: Box<store::Event>,
    },
    /// The runs as they are now.
    Runs(Vec<Run>),
    /// Something small is kept.
    Nothing,
}

/// What the mouse did, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What it did.
    pub kind: MouseKind,
    /// The column.
    pub column: u16,
    /// The row.
    pub row: u16,
}

/// What the mouse can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseKind {
    /// The main button went down.
    Press,
    /// It moved with the main button down.
    Drag,
    /// The second button went down.
    Open,
    /// The wheel turned towards the user.
    ScrollDown,
    /// The wheel turned away from the user.
    ScrollUp,
}
