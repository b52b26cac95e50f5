//! Trainings that other processes do, beside the runs.

use std::sync::Arc;

use super::State;
use crate::store::{Run, Training};
use crate::train::tune::log::{History, Reason};

/// A training as it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    pub training: Training,
    pub standing: Standing,
    /// It is asked to stop, and has not heard it yet.
    pub stopping: bool,
    pub history: Arc<History>,
}

/// How a training stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no log yet, or not any more.
    Unlogged,
    Running,
    /// It said why.
    Ended(Reason),
    /// It said nothing, and nobody writes there now.
    Interrupted,
    /// Its folder is not there.
    Gone,
    /// Its log cannot be read.
    Unreadable(String),
}

impl Watched {
    /// How it stands, in one or two words.
    pub fn word(&self) -> &'static str {
        match &self.standing {
            Standing::Running if self.stopping => "stopping",
            Standing::Running => "running",
            Standing::Unlogged => "no log yet",
            Standing::Ended(reason) => reason.word(),
            Standing::Interrupted => "interrupted",
            Standing::Gone => "gone",
            Standing::Unreadable(_) => "unreadable",
        }
    }

    /// Whether it goes on now.
    pub fn is_running(&self) -> bool {
        self.standing == Standing::Running
    }
}

/// A row of the list of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunRow<'a> {
    Scoring(&'a Run),
    Training(&'a Watched),
}

impl RunRow<'_> {
    fn started(&self) -> i64 {
        match self {
            RunRow::Scoring(run) => run.started,
            RunRow::Training(watched) => watched.training.started,
        }
    }
}

impl State {
    /// Runs and trainings, newest first.
    pub fn run_rows(&self) -> Vec<RunRow<'_>> {
        let mut runs = self.runs.all.iter().map(RunRow::Scoring).peekable();
        let watched = self.runs.trainings.iter().flatten();
        let mut trainings = watched.map(RunRow::Training).peekable();
        let mut rows = Vec::new();
        loop {
            let next = match (runs.peek(), trainings.peek()) {
                (Some(run), Some(training)) if training.started() > run.started() => {
                    trainings.next()
                }
                (Some(_), _) => runs.next(),
                (None, _) => trainings.next(),
            };
            match next {
                Some(row) => rows.push(row),
                None => return rows,
            }
        }
    }

    /// The run under the cursor.
    pub fn chosen_run(&self) -> Option<&Run> {
        match self.run_rows().get(self.runs.chosen) {
            Some(RunRow::Scoring(run)) => Some(run),
            _ => None,
        }
    }

    /// The training under the cursor.
    pub fn chosen_training(&self) -> Option<&Watched> {
        match self.run_rows().get(self.runs.chosen) {
            Some(RunRow::Training(watched)) => Some(watched),
            _ => None,
        }
    }
}
