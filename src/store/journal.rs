//! Annotations as events, and what they come to.
//!
//! A label, a comment or a skip sets something about a response for one annotator; undo and redo are events too. Folding
//! them is pure: the same events in the same order always come to the same, on every machine they are copied to.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Result, Store};
use crate::data::SubjectKey;

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Gave the label `name` a value; without a value, took it back.
    Label,
    /// Wrote a comment; an empty one takes it back.
    Comment,
    /// Passed over the response.
    Skip,
    /// Took back the event `target`.
    Undo,
    /// Did the event `target` again.
    Redo,
}

impl Kind {
    const ALL: [(Kind, &'static str); 5] = [
        (Kind::Label, "label"),
        (Kind::Comment, "comment"),
        (Kind::Skip, "skip"),
        (Kind::Undo, "undo"),
        (Kind::Redo, "redo"),
    ];

    #[cfg(test)]
    pub(super) const ALL_FOR_TESTS: [Kind; 5] = [
        Kind::Label,
        Kind::Comment,
        Kind::Skip,
        Kind::Undo,
        Kind::Redo,
    ];

    /// As it is stored.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(kind, _)| *kind == self);
        found.map_or("label", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == word);
        found.map(|(kind, _)| *kind)
    }
}

/// One thing an annotator did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Tells it wherever it is copied to.
    pub uid: String,
    /// Milliseconds since 1970.
    pub at: i64,
    pub annotator: String,
    /// The texts, as 32 hexadecimal digits.
    #[serde(with = "as_hex")]
    pub subject: SubjectKey,
    /// Ids for people to find them by.
    pub record: String,
    pub response: String,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The `uid` of what is undone or redone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Since the response was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Whether judge and generator were hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<bool>,
}

mod as_hex {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::data::SubjectKey;

    pub fn serialize<S: Serializer>(key: &SubjectKey, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&format!("{:032x}", key.0))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<SubjectKey, D::Error> {
        let text = String::deserialize(input)?;
        let key = u128::from_str_radix(&text, 16);
        key.map(SubjectKey).map_err(serde::de::Error::custom)
    }
}

/// What one annotator has said of one response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub labels: BTreeMap<String, f64>,
    pub comment: Option<String>,
    pub skipped: bool,
    /// When it was last changed, in milliseconds since 1970.
    pub at: i64,
}

impl Said {
    /// Takes what an event says.
    fn take(&mut self, event: &Event) {
        self.at = event.at;
        match (event.kind, &event.name) {
            (Kind::Label, Some(name)) => {
                match event.value {
                    Some(value) => drop(self.labels.insert(name.clone(), value)),
                    None => drop(self.labels.remove(name)),
                }
                self.skipped = false;
            }
            (Kind::Comment, _) => {
                self.comment = event.text.clone().filter(|text| !text.trim().is_empty());
            }
            (Kind::Skip, _) => self.skipped = true,
            _ => {}
        }
    }

    /// Whether nothing is said (any more).
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.comment.is_none() && !self.skipped
    }
}

/// All annotations.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    said: HashMap<SubjectKey, BTreeMap<String, Said>>,
    /// Events that set something, by annotator, in order.
    done: HashMap<String, Vec<Event>>,
    /// Those undone, the latest last.
    undone: HashMap<String, Vec<Event>>,
    /// Those undone before something new was done: a redo from elsewhere may still mean one of them.
    buried: HashMap<String, Event>,
}

impl Journal {
    /// Of events in their order.
    pub fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let mut journal = Journal::default();
        for event in events {
            journal.fold(event);
        }
        for (who, events) in &journal.done {
            for event in events {
                let by = journal.said.entry(event.subject).or_default();
                by.entry(who.clone()).or_default().take(event);
            }
        }
        for by in journal.said.values_mut() {
            by.retain(|_, said| !said.is_empty());
        }
        journal.said.retain(|_, by| !by.is_empty());
        journal
    }

    /// Takes one more event.
    pub fn add(&mut self, event: Event) {
        let who = event.annotator.clone();
        if let Some(subject) = self.fold(event) {
            self.settle(&who, subject);
        }
    }

    /// Does, undoes or redoes; whose texts it was about.
    fn fold(&mut self, event: Event) -> Option<SubjectKey> {
        let who = event.annotator.clone();
        let done = self.done.entry(who.clone()).or_default();
        let undone = self.undone.entry(who.clone()).or_default();
        let subject = match event.kind {
            Kind::Label | Kind::Comment | Kind::Skip => {
                let subject = event.subject;
                let old = undone.drain(..);
                self.buried.extend(old.map(|e| (e.uid.clone(), e)));
                done.push(event);
                subject
            }
            Kind::Undo => {
                let at = done
                    .iter()
                    .rposition(|e| Some(&e.uid) == event.target.as_ref());
                let event = done.remove(at?);
                let subject = event.subject;
                undone.push(event);
                subject
            }
            Kind::Redo => {
                let at = undone
                    .iter()
                    .rposition(|e| Some(&e.uid) == event.target.as_ref());
                let event = match at {
                    Some(at) => undone.remove(at),
                    None => self.buried.remove(event.target.as_ref()?)?,
                };
                let subject = event.subject;
                done.push(event);
                subject
            }
        };
        Some(subject)
    }

    /// Says anew what the events of an annotator come to for a response.
    fn settle(&mut self, who: &str, subject: SubjectKey) {
        let mut said = Said::default();
        let events = self.done.get(who).into_iter().flatten();
        for event in events.filter(|event| event.subject == subject) {
            said.take(event);
        }
        let all = self.said.entry(subject).or_default();
        match said.is_empty() {
            true => drop(all.remove(who)),
            false => drop(all.insert(who.to_owned(), said)),
        }
        if all.is_empty() {
            self.said.remove(&subject);
        }
    }

    /// What one annotator has said of a response.
    pub fn said(&self, annotator: &str, subject: SubjectKey) -> Option<&Said> {
        self.said.get(&subject)?.get(annotator)
    }

    /// What all have said of a response, by name.
    pub fn of_subject(&self, subject: SubjectKey) -> impl Iterator<Item = (&str, &Said)> {
        let all = self.said.get(&subject).into_iter().flatten();
        all.map(|(name, said)| (name.as_str(), said))
    }

    /// Everything that is said.
    pub fn all(&self) -> impl Iterator<Item = (SubjectKey, &str, &Said)> {
        self.said.iter().flat_map(|(subject, by)| {
            let each = by.iter();
            each.map(|(name, said)| (*subject, name.as_str(), said))
        })
    }

    /// What an undo would take back.
    pub fn last_done(&self, annotator: &str) -> Option<&Event> {
        self.done.get(annotator)?.last()
    }

    /// What a redo would do again.
    pub fn last_undone(&self, annotator: &str) -> Option<&Event> {
        self.undone.get(annotator)?.last()
    }

    /// What an annotator did that stands, in order.
    pub fn done_by(&self, annotator: &str) -> &[Event] {
        self.done.get(annotator).map_or(&[], Vec::as_slice)
    }

    /// The names of all who said something.
    pub fn annotators(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.all().map(|(_, name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Store {
    /// All events in their order.
    ///
    /// # Errors
    /// What the database says.
    pub fn events(&self) -> Result<Vec<Event>> {
        self.read(|connection| {
            let mut all = connection.prepare(
                "SELECT uid, at, annotator, subject, record, response, kind, name, value, text, target, seconds, blind
                 FROM events ORDER BY at, id",
            )?;
            let rows = all.query_map([], |row| {
                let subject: [u8; 16] = row.get(3)?;
                let kind: String = row.get(6)?;
                Ok(Event {
                    uid: row.get(0)?,
                    at: row.get(1)?,
                    annotator: row.get(2)?,
                    subject: SubjectKey(u128::from_be_bytes(subject)),
                    record: row.get(4)?,
                    response: row.get(5)?,
                    kind: Kind::parse(&kind).unwrap_or(Kind::Skip),
                    name: row.get(7)?,
                    value: row.get(8)?,
                    text: row.get(9)?,
                    target: row.get(10)?,
                    seconds: row.get(11)?,
                    blind: row.get(12)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Adds events, all or none; those already there (by `uid`) are left as they are. How many were new.
    ///
    /// # Errors
    /// What the database says.
    pub fn add_events(&mut self, events: &[Event]) -> Result<usize> {
        self.write(|transaction| add(transaction, events))
    }

    /// Adds what an annotator does now; gives it back as it is kept. What is said last counts, so it is never kept as
    /// earlier than what the same annotator said before, though the clock may have been put back meanwhile.
    ///
    /// # Errors
    /// What the database says.
    pub fn add_now(&mut self, event: Event) -> Result<Event> {
        let known = self.latest.get(&event.annotator).copied();
        let known = known.unwrap_or_default();
        let (latest, event) = self.write(|transaction| {
            let mut newer = transaction.prepare_cached(
                "SELECT MAX(id), MAX(at) FROM events WHERE annotator = ?1 AND id > ?2",
            )?;
            let (id, at): (Option<i64>, Option<i64>) = newer
                .query_row(params![event.annotator, known.id], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let latest = Latest {
                id: id.unwrap_or(known.id),
                at: known.at.max(at),
            };
            let event = Event {
                at: latest.at.map_or(event.at, |at| at.max(event.at)),
                ..event
            };
            add(transaction, std::slice::from_ref(&event))?;
            Ok((latest, event))
        })?;
        self.latest.insert(event.annotator.clone(), latest);
        Ok(event)
    }
}

/// The time of an annotator's latest event among those up to an `id`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latest {
    id: i64,
    at: Option<i64>,
}

fn add(transaction: &Transaction<'_>, events: &[Event]) -> rusqlite::Result<usize> {
    let mut one = transaction.prepare_cached(
        "INSERT OR IGNORE INTO events (uid, at, annotator, subject, record, response, kind, name, value, text,
         target, seconds, blind) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let mut new = 0;
    for e in events {
        new += one.execute(params![
            e.uid,
            e.at,
            e.annotator,
            e.subject.0.to_be_bytes(),
            e.record,
            e.response,
            e.kind.word(),
            e.name,
            e.value,
            e.text,
            e.target,
            e.seconds,
            e.blind,
        ])?;
    }
    Ok(new)
}
