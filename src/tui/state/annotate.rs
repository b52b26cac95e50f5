//! One response after the other, to be rated by a person.

use std::collections::BTreeMap;

use super::agreeing::Compared;
use super::queue::MadeOf;
use super::{Agreed, Queue, QueuePlace, Row, State};
use crate::data::SubjectKey;
use crate::store::journal::Said;
use crate::store::{Event, Journal, Kind};
use crate::tui::layout::Screen;

/// Pauses longer than this do not count into the pace, in milliseconds.
const PAUSE: i64 = 5 * 60 * 1000;
/// Labels that the pace is taken over.
const PACE_OVER: usize = 30;

/// The work of one annotator.
#[derive(Clone, Debug, Default)]
pub struct Annotate {
    /// Everything that was ever said; `None` while it is read, or where it cannot be.
    pub journal: Option<Journal>,
    /// Why nothing can be kept.
    pub trouble: Option<String>,
    pub annotator: String,
    /// Whether the name, and whether the scale was given at the start.
    pub given: bool,
    pub scale_given: bool,
    /// The label that digits set.
    pub name: String,
    /// The least and the largest digit.
    pub scale: (u8, u8),
    /// Judge, generator and others' labels are hidden.
    pub blind: bool,
    pub order: Queue,
    pub seed: u64,
    pub queue: Vec<Row>,
    pub at: usize,
    /// What the queue was made of.
    pub made_of: Option<MadeOf>,
    /// The queue was asked about the records before this one.
    pub walked: usize,
    /// Where the person was when the program ended, until the queue has come to that, or they went elsewhere.
    pub wish: Option<QueuePlace>,
    /// Responses of the data that somebody has said something of, among the records before `said_to`.
    pub known: BTreeMap<Row, SubjectKey>,
    pub said_to: usize,
    /// When the response came on screen, in milliseconds.
    pub shown_at: i64,
    pub shown: Option<SubjectKey>,
    /// What the last frame has shown to be rated: data that come may have put something else there since.
    pub(super) drawn: Option<Row>,
    /// Whether it was looked at without being blind.
    pub peeked: bool,
    /// An event that is not on disk yet.
    pub waiting: Option<(u64, Box<Event>)>,
    /// How many texts are labelled, agreement with the judge and the others, and what it was made of.
    pub rated: usize,
    pub agreed: Agreed,
    pub(super) compared: Compared,
    /// What the data say of labelled responses under a label.
    pub in_data: (String, BTreeMap<Row, Option<f64>>),
}

impl Annotate {
    /// The response to be rated; none until the queue has come to where the annotator was: what was on screen before
    /// that would be another.
    pub fn row(&self) -> Option<Row> {
        self.queue.get(self.at).filter(|_| !self.returns()).copied()
    }

    /// Whether the queue has yet to come to where the annotator was.
    pub fn returns(&self) -> bool {
        let wish = self.wish.as_ref();
        wish.is_some_and(|wish| wish.annotator == self.annotator)
    }
}

impl State {
    /// A frame was drawn: what it shows to be rated was seen.
    pub fn note_drawn(&mut self) {
        let rates = self.screen == Screen::Annotate;
        self.annotate.drawn = self.annotate.row().filter(|_| rates);
    }

    /// Whether the response to be rated was on screen already.
    pub fn is_drawn(&self) -> bool {
        self.annotate.drawn == self.annotate.row()
    }

    /// What the annotator has said of a response.
    pub fn said(&self, key: SubjectKey) -> Option<&Said> {
        let annotate = &self.annotate;
        annotate.journal.as_ref()?.said(&annotate.annotator, key)
    }

    /// The responses of the data that the annotator has labelled.
    pub fn labelled(&self) -> impl Iterator<Item = (Row, SubjectKey)> {
        let label = &self.annotate.name;
        let known = self.annotate.known.iter().map(|(row, key)| (*row, *key));
        known.filter(move |(_, key)| {
            let said = self.said(*key);
            said.is_some_and(|said| said.labels.contains_key(label))
        })
    }

    /// A row with these texts, that on screen before others.
    pub fn row_of(&self, subject: SubjectKey) -> Option<Row> {
        let current = self.annotate.row();
        let current = current.filter(|row| self.row_key(row.0, row.1) == Some(subject));
        let mut known = self.annotate.known.iter();
        current.or_else(|| known.find(|(_, key)| **key == subject).map(|(row, _)| *row))
    }

    /// The response that the annotator rated or skipped last, and whether that was blind.
    pub fn rated_last(&self) -> Option<(Row, Option<bool>)> {
        let annotate = &self.annotate;
        let events = annotate.journal.as_ref()?.done_by(&annotate.annotator);
        let rates = |e: &&Event| match e.kind {
            Kind::Label => e.value.is_some(),
            kind => kind == Kind::Skip,
        };
        let last = events.iter().rev().find(rates)?;
        Some((self.row_of(last.subject)?, last.blind))
    }

    /// What a person calls a response: never its own id, which may be the generator's name.
    pub fn row_name(&self, row: Row) -> Option<String> {
        let item = self.item(row.0)?;
        Some(match item.responses.len() {
            1 => item.id.clone(),
            _ => format!("{}, response {}", item.id, row.1 + 1),
        })
    }

    /// Labels an hour over the latest ones, pauses left out.
    pub fn pace(&self) -> Option<f64> {
        let journal = self.annotate.journal.as_ref()?;
        let events = journal.done_by(&self.annotate.annotator);
        let labels = events.iter().rev().filter(|e| e.kind == Kind::Label);
        let times: Vec<i64> = labels.take(PACE_OVER).map(|e| e.at).collect();
        let gaps = times.windows(2).map(|two| two[0] - two[1]);
        let gaps: Vec<i64> = gaps.filter(|gap| (1..PAUSE).contains(gap)).collect();
        let sum: i64 = gaps.iter().sum();
        (gaps.len() >= 2 && sum > 0).then(|| 3_600_000.0 * gaps.len() as f64 / sum as f64)
    }

    /// An event about a response; about the one on screen, with how long and how it was looked at.
    pub fn event(&mut self, row: Row, kind: Kind) -> Option<Event> {
        let (record, response) = row;
        let item = self.item(record)?;
        let subject = item.keys.get(response).copied()?;
        let (seconds, blind) = match self.annotate.row() == Some(row) {
            true => (
                Some((self.clock - self.annotate.shown_at).max(0) as f64 / 1000.0),
                Some(self.annotate.blind && !self.annotate.peeked),
            ),
            false => (None, self.rated_last().and_then(|(_, blind)| blind)),
        };
        self.next_event += 1;
        Some(Event {
            uid: format!("{:016x}-{}", self.session, self.next_event),
            at: self.clock,
            annotator: self.annotate.annotator.clone(),
            subject,
            record: item.id.clone(),
            response: item.responses.get(response)?.id.clone(),
            kind,
            name: None,
            value: None,
            text: None,
            target: None,
            seconds,
            blind,
        })
    }
}
