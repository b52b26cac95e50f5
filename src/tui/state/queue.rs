//! The order in which responses come to be rated, and where in it the person is.
//!
//! A queue grows with the data, a slice for each message: who rates is never made to wait, and stays at the response that
//! is on screen.

use super::reading::Decision;
use super::{DataStatus, QueuePlace, Row, State};
use crate::data::SubjectKey;
use crate::stats::bootstrap::SplitMix64;

/// Responses that are looked at for one message.
const SLICE: usize = 1 << 17;
/// A queue holds no more responses; of more it is a sample.
const MOST: usize = 1_000_000;
/// Scored rows from which on a queue made of scores is left alone for long.
const SETTLED: usize = 64;

/// The order in which responses come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queue {
    /// Shuffled, the same way for the same seed.
    #[default]
    Random,
    /// As the data have them, only those that the annotator has neither labelled nor skipped.
    Unlabelled,
    /// As the data have them, those that the annotator skipped.
    Skipped,
    /// Nearest to the cut first.
    NearCut,
    /// Those first where judge and label are furthest apart.
    Disagreeing,
}

impl Queue {
    /// All of them, as they are offered.
    pub const ALL: [Queue; 5] = [
        Queue::Random,
        Queue::Unlabelled,
        Queue::Skipped,
        Queue::NearCut,
        Queue::Disagreeing,
    ];

    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Queue::Random => "random",
            Queue::Unlabelled => "unlabelled",
            Queue::Skipped => "skipped",
            Queue::NearCut => "near the cut",
            Queue::Disagreeing => "most disagreeing",
        }
    }

    /// What is to be known before it is chosen.
    pub fn note(self) -> &'static str {
        match self {
            Queue::Random => "",
            Queue::Unlabelled | Queue::Skipped => "by you",
            Queue::NearCut | Queue::Disagreeing => "of what is scored",
        }
    }

    /// Reads a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.word() == word)
    }

    /// Whether it follows from scores.
    pub fn needs_scores(self) -> bool {
        matches!(self, Queue::NearCut | Queue::Disagreeing)
    }

    /// How much of what is scored it is made of: it is made again when that changes.
    fn stage(self, scored: usize) -> usize {
        match self {
            // A queue that changes under the hand confuses: again only when there is twice as much.
            Queue::NearCut if scored > SETTLED => SETTLED + scored.ilog2() as usize,
            Queue::NearCut | Queue::Disagreeing => scored.min(SETTLED),
            _ => 0,
        }
    }
}

/// What a queue was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeOf {
    order: Queue,
    seed: u64,
    annotator: String,
    label: String,
    stage: usize,
}

/// Where a row stands in a shuffled queue: whatever is there already, more rows come in between.
fn rank(seed: u64, row: Row) -> (u64, Row) {
    let record = SplitMix64(seed).after(row.0 as u64).next_u64();
    let place = SplitMix64(record).after(row.1 as u64).next_u64();
    (place, row)
}

impl State {
    /// Makes the queue where it is not made of what is there now, and extends it.
    pub fn ensure_queue(&mut self) {
        if self.annotate.journal.is_none() {
            return;
        }
        self.look_for_said();
        let annotate = &mut self.annotate;
        let of = MadeOf {
            order: annotate.order,
            seed: annotate.seed,
            annotator: annotate.annotator.clone(),
            label: annotate.name.clone(),
            stage: annotate.order.stage(self.scores.rows().len()),
        };
        let current = annotate.row();
        let again = annotate.made_of.as_ref() != Some(&of);
        if again {
            annotate.made_of = Some(of);
            annotate.queue.clear();
            annotate.walked = 0;
        }
        let more = match self.annotate.order.needs_scores() {
            true if again => {
                self.annotate.queue = self.scored_queue();
                true
            }
            true => false,
            false => self.extend_queue(),
        };
        if self.annotate.returns() {
            self.find_wish();
        } else if again || more {
            self.find_place(current);
        }
    }

    /// Whether there are responses that the queue was not asked about yet.
    pub fn queue_is_behind(&self) -> bool {
        let annotate = &self.annotate;
        let behind = |at: usize| at < self.facts.records;
        let walks = !annotate.order.needs_scores() && behind(annotate.walked);
        annotate.journal.is_some() && (walks || behind(annotate.said_to))
    }

    /// Whether to look at the records from one on: while data come, small parts wait for more, so that what there is
    /// already is not gone through for each of them.
    fn is_due(&self, from: usize) -> bool {
        let new = self.facts.records.saturating_sub(from);
        new > 0 && (self.data != DataStatus::Loading || new >= from / 8)
    }

    /// Takes the next responses into the queue; whether there were any.
    fn extend_queue(&mut self) -> bool {
        let from = self.annotate.walked;
        if !self.is_due(from) {
            return false;
        }
        let order = self.annotate.order;
        let mut new: Vec<Row> = Vec::new();
        let to = self.facts.records;
        let walked = self.library.keys(from, to, SLICE, |record, keys| {
            let belongs = |key: &SubjectKey| match order {
                Queue::Unlabelled => !self.is_labelled(*key) && !self.is_skipped(*key),
                Queue::Skipped => self.is_skipped(*key),
                _ => true,
            };
            let places = keys.iter().enumerate();
            let belonging = places.filter(|(_, key)| belongs(key));
            new.extend(belonging.map(|(place, _)| (record, place)));
        });
        let annotate = &mut self.annotate;
        annotate.walked = walked;
        annotate.queue.append(&mut new);
        if order == Queue::Random {
            let seed = annotate.seed;
            // What is in order already is merged, not sorted again.
            annotate.queue.sort_by_key(|row| rank(seed, *row));
        }
        annotate.queue.truncate(MOST);
        true
    }

    /// The rows of a queue that follows from scores.
    fn scored_queue(&self) -> Vec<Row> {
        if self.annotate.order == Queue::Disagreeing {
            let all = self.disagreements();
            return all.into_iter().map(|(row, _)| row).collect();
        }
        let mut rows: Vec<(f64, Row)> = Vec::new();
        for (row, key) in self.scores.rows() {
            let card = self.scores.card(*key);
            let decision = card.and_then(|c| Decision::of(c, self.mode, self.alone));
            rows.extend(decision.map(|d| ((d.value - self.threshold).abs(), *row)));
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Goes where the person was when the program ended, once the queue has come to that.
    fn find_wish(&mut self) {
        let Some(wish) = self.annotate.wish.clone() else {
            return;
        };
        let comes = match self.annotate.order.needs_scores() {
            // What is scored next is not known: it is waited for no longer than for anything.
            true => self.annotate.queue.is_empty(),
            false => wish.record >= self.annotate.walked && self.more_comes(),
        };
        if comes {
            return;
        }
        self.annotate.wish = None;
        let item = self.item(wish.record);
        let same = item.is_some_and(|item| item.id == wish.id);
        let at = self.place_of((wish.record, wish.response));
        match at.filter(|_| same) {
            Some(at) => self.annotate.at = at,
            None => drop(self.to_unsaid(0)),
        }
    }

    /// Whether the queue may have more responses later than it has now.
    pub fn more_comes(&self) -> bool {
        self.data == DataStatus::Loading || self.queue_is_behind()
    }

    /// Stays at a row, or goes to the first without a word.
    fn find_place(&mut self, current: Option<Row>) {
        match current.and_then(|row| self.place_of(row)) {
            Some(at) => self.annotate.at = at,
            None => drop(self.to_unsaid(0)),
        }
    }

    /// Where the person is in the queue, to return there; where they were, until the queue has come to that.
    pub fn queue_place(&self) -> Option<QueuePlace> {
        let annotate = &self.annotate;
        if annotate.wish.is_some() {
            return annotate.wish.clone();
        }
        let (record, response) = annotate.row()?;
        Some(QueuePlace {
            order: annotate.order.word().to_owned(),
            annotator: annotate.annotator.clone(),
            record,
            id: self.item(record)?.id.clone(),
            response,
        })
    }

    /// The place of a row in the queue.
    pub fn place_of(&self, row: Row) -> Option<usize> {
        let (queue, seed) = (&self.annotate.queue, self.annotate.seed);
        match self.annotate.order {
            Queue::Random => queue
                .binary_search_by_key(&rank(seed, row), |row| rank(seed, *row))
                .ok(),
            Queue::Unlabelled | Queue::Skipped => queue.binary_search(&row).ok(),
            Queue::NearCut | Queue::Disagreeing => queue.iter().position(|r| *r == row),
        }
    }

    fn is_labelled(&self, key: SubjectKey) -> bool {
        let said = self.said(key);
        said.is_some_and(|said| said.labels.contains_key(&self.annotate.name))
    }

    fn is_skipped(&self, key: SubjectKey) -> bool {
        self.said(key).is_some_and(|said| said.skipped)
    }

    /// Whether the annotator is done with a response; one skipped before is not done in the queue of these.
    fn is_done(&self, key: SubjectKey) -> bool {
        let passed = self.annotate.order != Queue::Skipped && self.is_skipped(key);
        passed || self.is_labelled(key)
    }

    /// Goes to the first response from a place on, around the end, that nothing was said of; stays where there is none.
    pub fn to_unsaid(&mut self, from: usize) -> bool {
        let count = self.annotate.queue.len();
        let mut next = None;
        let mut passed = Vec::new();
        for at in (0..count).map(|step| (from + step) % count) {
            let row = self.annotate.queue[at];
            match self.row_key(row.0, row.1) {
                Some(key) if self.is_done(key) => passed.push((row, key)),
                _ => {
                    next = Some(at);
                    break;
                }
            }
        }
        // Texts that stand in the data twice are found here.
        self.annotate.known.extend(passed);
        self.annotate.at = next.unwrap_or(from.min(count.saturating_sub(1)));
        next.is_some()
    }

    /// How many responses of the queue are done.
    pub fn said_count(&self) -> usize {
        let known = self.annotate.known.iter();
        let done = known.filter(|(_, key)| self.is_done(**key));
        match self.annotate.order.needs_scores() {
            false => done
                .filter(|(row, _)| self.place_of(**row).is_some())
                .count(),
            true => {
                let done: std::collections::HashSet<&Row> = done.map(|(row, _)| row).collect();
                let queue = self.annotate.queue.iter();
                queue.filter(|row| done.contains(row)).count()
            }
        }
    }

    /// Looks through the next records for responses that anybody has said something of.
    pub fn look_for_said(&mut self) {
        let from = self.annotate.said_to;
        let Some(journal) = &self.annotate.journal else {
            return;
        };
        if !self.is_due(from) {
            return;
        }
        let known = &mut self.annotate.known;
        let to = self.facts.records;
        self.annotate.said_to = self.library.keys(from, to, SLICE, |record, keys| {
            for (place, key) in keys.iter().enumerate() {
                if journal.of_subject(*key).next().is_some() {
                    known.insert((record, place), *key);
                }
            }
        });
    }
}
