//! Work in the background, and what earlier work came to.

use super::{ShownMode, State, Watched};
use crate::run::compare::Flip;
pub use crate::run::compare::{Changed, Changes, Held};
use crate::store::Run;
use crate::tui::keymap::Action;

/// Lines of the log that are kept.
const LOGGED: usize = 1000;

/// Scoring everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub run: Run,
    /// Rows that were scored before it began.
    pub before: usize,
}

/// All runs, and what is done with them.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Newest first.
    pub all: Vec<Run>,
    /// The row under the cursor, among runs and trainings.
    pub chosen: usize,
    /// Trainings of other processes, newest first; `None` before anybody has looked.
    pub trainings: Option<Vec<Watched>>,
    /// What the key before asked for, of which training: again does it.
    pub asked: Option<(Action, String)>,
    /// The run that others are compared with.
    pub marked: Option<i64>,
    pub job: Option<Job>,
    /// What changed, once it is known; and between which runs.
    pub changes: Option<(i64, i64, Result<Changes, String>)>,
    /// What happened, oldest first: when, and what.
    pub log: Vec<(i64, String)>,
}

impl State {
    /// Writes a line of the log.
    pub fn log(&mut self, text: impl Into<String>) {
        let log = &mut self.runs.log;
        if log.len() >= LOGGED {
            log.drain(..LOGGED / 10);
        }
        log.push((self.clock, text.into()));
    }

    /// Whether a run is the job that runs now.
    pub fn is_job(&self, run: &Run) -> bool {
        let job = self.runs.job.as_ref();
        job.is_some_and(|job| job.run.started == run.started)
    }

    /// Responses of two runs whose verdict is another at the cut of now, and how many have one in both.
    pub fn flips(&self, changes: &Changes) -> (Vec<Flip>, usize) {
        // As `Decision::of` reads a card.
        let decides = |held: &Held| match self.mode {
            ShownMode::Reference => held
                .fused
                .filter(|_| !self.alone)
                .or(held.with_reference)
                .or(held.free),
            ShownMode::Free => held.free,
        };
        changes.flipped(decides, self.threshold)
    }

    /// How much of the running job is done, of how much; failures count as done.
    pub fn job_progress(&self) -> Option<(usize, usize)> {
        self.runs.job.as_ref()?;
        let done = self.scores.rows().len() + self.scores.failed_rows().count();
        Some((done.min(self.facts.responses), self.facts.responses))
    }

    /// Seconds until the job is done, at its speed so far.
    pub fn job_eta(&self) -> Option<f64> {
        let job = self.runs.job.as_ref()?;
        let (done, total) = self.job_progress()?;
        let own = done.saturating_sub(job.before);
        let seconds = (self.clock - job.run.started) as f64 / 1000.0;
        (own >= 3 && seconds > 0.0).then(|| (total - done) as f64 * seconds / own as f64)
    }
}
