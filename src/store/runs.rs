//! Runs: what was scored, by what, how it ended.

use rusqlite::{OptionalExtension, Row, params};

use super::{Result, Store};

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Running,
    Done,
    Cancelled,
    Failed,
}

impl RunState {
    const ALL: [(RunState, &'static str); 4] = [
        (RunState::Running, "running"),
        (RunState::Done, "done"),
        (RunState::Cancelled, "cancelled"),
        (RunState::Failed, "failed"),
    ];

    /// As it is shown and stored.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(state, _)| *state == self);
        found.map_or("failed", |(_, word)| word)
    }

    fn parse(word: &str) -> Self {
        let found = Self::ALL.iter().find(|(_, known)| *known == word);
        found.map_or(RunState::Failed, |(state, _)| *state)
    }
}

/// One scoring of a data set with everything that determines it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Given by the database; 0 before.
    pub id: i64,
    /// Milliseconds since 1970.
    pub started: i64,
    pub ended: Option<i64>,
    /// What was scored.
    pub title: String,
    /// Name of the judge.
    pub judge: String,
    pub template: String,
    /// Hashes of judge and template, joined by `+`.
    pub identity: String,
    pub mode: String,
    /// The scored rows.
    pub output: Option<String>,
    pub done: usize,
    pub total: usize,
    pub errors: usize,
    pub state: RunState,
    /// Of Juror.
    pub version: String,
}

impl Store {
    /// Adds a run, or brings it up to date; its number.
    ///
    /// # Errors
    /// What the database says.
    pub fn keep_run(&mut self, run: &Run) -> Result<i64> {
        self.write(|transaction| {
            // One that has no number yet may have been kept already, when it began.
            let known = "SELECT id FROM runs WHERE started = ?1 AND version = ?2 ORDER BY id LIMIT 1";
            let id = match run.id {
                0 => transaction
                    .query_row(known, params![run.started, run.version], |row| row.get(0))
                    .optional()?,
                id => Some(id),
            };
            transaction.execute(
                "INSERT OR REPLACE INTO runs (id, started, ended, title, judge, template, identity, mode, output, done,
                 total, errors, state, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                params![
                    id,
                    run.started,
                    run.ended,
                    run.title,
                    run.judge,
                    run.template,
                    run.identity,
                    run.mode,
                    run.output,
                    run.done as i64,
                    run.total as i64,
                    run.errors as i64,
                    run.state.word(),
                    run.version,
                ],
            )?;
            Ok(id.unwrap_or_else(|| transaction.last_insert_rowid()))
        })
    }

    /// The latest runs, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub fn runs(&self, most: usize) -> Result<Vec<Run>> {
        self.read(|connection| {
            let mut all = connection.prepare(
                "SELECT id, started, ended, title, judge, template, identity, mode, output, done, total, errors, state,
                 version FROM runs ORDER BY id DESC LIMIT ?1",
            )?;
            let rows = all.query_map([most as i64], run)?;
            rows.collect()
        })
    }
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let count = |at: usize| -> rusqlite::Result<usize> {
        Ok(usize::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
    };
    let state: String = row.get(12)?;
    Ok(Run {
        id: row.get(0)?,
        started: row.get(1)?,
        ended: row.get(2)?,
        title: row.get(3)?,
        judge: row.get(4)?,
        template: row.get(5)?,
        identity: row.get(6)?,
        mode: row.get(7)?,
        output: row.get(8)?,
        done: count(9)?,
        total: count(10)?,
        errors: count(11)?,
        state: RunState::parse(&state),
        version: row.get(13)?,
    })
}
