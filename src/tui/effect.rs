//! What an update asks the outside to do, as data.

use crate::run::live::Command;

/// Something to be done outside the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell the judge.
    Judge(Command),
    /// Put text on the clipboard of the terminal (OSC 52).
    Copy(String),
    /// A theme was chosen, for whoever remembers it.
    ThemeChosen(String),
    /// Leave.
    Quit,
}
