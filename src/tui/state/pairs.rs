//! Which of two responses is better, as far as the judge was asked.

use std::collections::HashMap;
use std::sync::Arc;

use super::{State, SubjectKey};
use crate::judge::pairwise::{Judgment, Pair};
use crate::judge::tournament::Tournament;
use crate::run::live::Ticket;

/// Two responses to one record, the left or first one before the other.
pub type PairKey = (SubjectKey, SubjectKey);

/// What is known of pairs.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    judged: HashMap<PairKey, Result<Arc<Judgment>, String>>,
    asked: HashMap<Ticket, PairKey>,
    /// The pair that was on screen last.
    pub considered: Option<PairKey>,
    /// Why the judge says so, where it was asked.
    pub reason: Option<Reasoned>,
    /// The tournament among a record's responses.
    pub bracket: Option<Bracket>,
    pub scroll: usize,
}

/// A reason that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Reasoned {
    pub key: PairKey,
    /// Which of the principles.
    pub principle: usize,
    pub ticket: Ticket,
    /// `None` while it is written.
    pub text: Option<Result<String, String>>,
}

/// A tournament of one record's responses.
#[derive(Clone, Debug)]
pub struct Bracket {
    pub record: usize,
    pub keys: Vec<SubjectKey>,
    pub tournament: Tournament,
}

impl Bracket {
    /// The pair of a match.
    pub fn pair(&self, [a, b]: [usize; 2]) -> Option<PairKey> {
        Some((*self.keys.get(a)?, *self.keys.get(b)?))
    }
}

impl Pairs {
    /// What the judge said of a pair, or why nothing.
    pub fn judged(&self, key: PairKey) -> Option<Result<&Arc<Judgment>, &str>> {
        let known = self.judged.get(&key)?;
        Some(known.as_ref().map_err(String::as_str))
    }

    /// Whether a verdict is on its way.
    pub fn is_asked(&self, key: PairKey) -> bool {
        self.asked.values().any(|asked| *asked == key)
    }

    /// Remembers that a pair was asked for.
    pub fn ask(&mut self, ticket: Ticket, key: PairKey) {
        self.asked.insert(ticket, key);
    }

    /// Takes an answer; whether the ticket was a pair's.
    pub fn answered(&mut self, ticket: Ticket, result: Result<Judgment, String>) -> bool {
        let Some(key) = self.asked.remove(&ticket) else {
            return false;
        };
        self.judged.insert(key, result.map(Arc::new));
        true
    }

    /// A pair or reason that will not be answered; whether the ticket was one's.
    pub fn cancelled(&mut self, ticket: Ticket) -> bool {
        let reason = self.reason.take_if(|reason| reason.ticket == ticket);
        self.asked.remove(&ticket).is_some() || reason.is_some()
    }

    /// What failed is tried again.
    pub fn forgive(&mut self, key: PairKey) {
        if self.judged.get(&key).is_some_and(Result::is_err) {
            self.judged.remove(&key);
        }
    }

    /// Whether anything is on its way.
    pub fn is_waiting(&self) -> bool {
        let writing = self.reason.as_ref().is_some_and(|r| r.text.is_none());
        writing || !self.asked.is_empty()
    }

    /// Nothing is on its way any more.
    pub fn forget_pending(&mut self) {
        self.asked.clear();
        self.reason.take_if(|reason| reason.text.is_none());
    }
}

impl State {
    /// The pair on the compare screen, with its texts; nothing where one response is on both sides.
    pub fn pair(&self) -> Option<(PairKey, Pair)> {
        let (left, right) = self.compare;
        let item = self.record().filter(|_| left != right)?;
        let key = (*item.keys.get(left)?, *item.keys.get(right)?);
        let text = |place: usize| item.responses.get(place).map(|r| r.text.as_str());
        Some((key, Pair::of(&item, text(left)?, text(right)?)))
    }
}
