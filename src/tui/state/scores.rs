//! Scores by the texts they belong to, and what is being asked for.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::data::{ScoreCard, SubjectKey};
use crate::run::live::{Lane, Ticket};

/// How many of the latest scores the rate is taken over.
const RATE_OVER: usize = 32;

/// A response of the data: the places of its record and of itself.
pub type Row = (usize, usize);

/// A score that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Of which texts.
    pub key: SubjectKey,
    /// How urgent.
    pub lane: Lane,
    /// Which row of the data, if it is one.
    pub row: Option<Row>,
    /// No longer wanted; its answer is still taken if one comes.
    pub dropped: bool,
}

/// All scores.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    cards: HashMap<SubjectKey, ScoreCard>,
    failures: HashMap<SubjectKey, String>,
    pending: BTreeMap<Ticket, Pending>,
    rows: BTreeMap<Row, SubjectKey>,
    /// The same in the order they came.
    noted: Vec<(Row, SubjectKey)>,
    /// Rows that could not be scored.
    failed: BTreeMap<Row, SubjectKey>,
    recent: VecDeque<(usize, f64)>,
}

impl Scores {
    /// The score of these very texts.
    pub fn card(&self, key: SubjectKey) -> Option<&ScoreCard> {
        self.cards.get(&key)
    }

    /// Why these texts have no score.
    pub fn failure(&self, key: SubjectKey) -> Option<&str> {
        self.failures.get(&key).map(String::as_str)
    }

    /// Whether these texts are being scored.
    pub fn is_pending(&self, key: SubjectKey) -> bool {
        self.wanted().any(|(_, pending)| pending.key == key)
    }

    /// What is still wanted, oldest first.
    pub fn wanted(&self) -> impl Iterator<Item = (Ticket, &Pending)> {
        let all = self.pending.iter();
        all.filter(|(_, pending)| !pending.dropped)
            .map(|(ticket, pending)| (*ticket, pending))
    }

    /// How many scores are waited for.
    pub fn queue(&self) -> usize {
        self.wanted().count()
    }

    /// The urgent one, if one is waited for.
    pub fn interactive(&self) -> Option<(Ticket, SubjectKey)> {
        self.wanted()
            .filter(|(_, pending)| pending.lane == Lane::Interactive)
            .map(|(ticket, pending)| (ticket, pending.key))
            .last()
    }

    /// Remembers that a score was asked for.
    pub fn ask(&mut self, ticket: Ticket, pending: Pending) {
        if pending.lane == Lane::Interactive {
            for other in self.pending.values_mut() {
                if other.lane == Lane::Interactive {
                    other.dropped = true;
                }
            }
        }
        self.pending.insert(ticket, pending);
    }

    /// Marks a score as no longer wanted.
    pub fn drop_ticket(&mut self, ticket: Ticket) {
        if let Some(pending) = self.pending.get_mut(&ticket) {
            pending.dropped = true;
        }
    }

    /// Marks all scores of the batch lane as no longer wanted.
    pub fn drop_batch(&mut self) {
        for pending in self.pending.values_mut() {
            if pending.lane == Lane::Batch {
                pending.dropped = true;
            }
        }
    }

    /// Takes a score; tickets that are not ours are let go.
    pub fn scored(&mut self, ticket: Ticket, card: ScoreCard, seconds: f64) {
        let Some(pending) = self.pending.remove(&ticket) else {
            return;
        };
        if seconds > 0.0 {
            self.recent.push_back((card.prompt_tokens, seconds));
            if self.recent.len() > RATE_OVER {
                self.recent.pop_front();
            }
        }
        self.failures.remove(&pending.key);
        self.cards.insert(pending.key, card);
        if let Some(row) = pending.row {
            self.note_row(row, pending.key);
        }
    }

    /// Takes a failure; it is shown, never kept as a score.
    pub fn failed(&mut self, ticket: Ticket, error: String) -> bool {
        match self.pending.remove(&ticket) {
            Some(pending) => {
                self.failures.insert(pending.key, error);
                if let Some(row) = pending.row {
                    self.failed.insert(row, pending.key);
                }
                true
            }
            None => false,
        }
    }

    /// The command ended without a score.
    pub fn cancelled(&mut self, ticket: Ticket) -> bool {
        self.pending.remove(&ticket).is_some()
    }

    /// Nothing more will come.
    pub fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// Lets a failed text be tried again.
    pub fn forgive(&mut self, key: SubjectKey) {
        self.failures.remove(&key);
    }

    /// Counts a row whose texts have a score.
    pub fn note_row(&mut self, row: Row, key: SubjectKey) {
        if self.rows.insert(row, key).is_none() {
            self.noted.push((row, key));
        }
    }

    /// The scored rows of the data in the order they came.
    pub fn noted(&self) -> &[(Row, SubjectKey)] {
        &self.noted
    }

    /// The scored rows of the data in its order.
    pub fn rows(&self) -> &BTreeMap<Row, SubjectKey> {
        &self.rows
    }

    /// The rows that could not be scored, in the order of the data.
    pub fn failed_rows(&self) -> impl Iterator<Item = Row> {
        let still = |(_, key): &(&Row, &SubjectKey)| self.failures.contains_key(key);
        self.failed.iter().filter(still).map(|(row, _)| *row)
    }

    /// Lets everything that failed be tried again.
    pub fn forgive_all(&mut self) {
        self.failures.clear();
        self.failed.clear();
    }

    /// Prompt tokens a second over the latest scores.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let tokens: usize = self.recent.iter().map(|(tokens, _)| tokens).sum();
        let seconds: f64 = self.recent.iter().map(|(_, seconds)| seconds).sum();
        (tokens > 0 && seconds > 0.0).then(|| tokens as f64 / seconds)
    }
}
