//! What happens to the explorer, as plain data.

use super::key::Key;
use super::state::{DataFailure, Loaded};
use super::theme::ThemeSet;
use crate::run::live::Event;

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
    /// Time for the next frame of things that move.
    Tick,
    /// The data is there, or cannot be read.
    Data(Box<Result<Loaded, DataFailure>>),
    /// The judge says something.
    Judge(Box<Event>),
    /// The judge will say nothing more.
    JudgeGone,
    /// Theme files were saved; with what is wrong about one.
    Themes {
        themes: Box<ThemeSet>,
        error: Option<String>,
    },
    /// A theme fits the terminal better than what it was given at a guess.
    ThemeSuggested { theme: String, instead_of: String },
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
    /// The wheel turned towards the user.
    ScrollDown,
    /// The wheel turned away from the user.
    ScrollUp,
}
