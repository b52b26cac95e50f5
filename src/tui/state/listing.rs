//! Which records are listed, and in which order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::reading::{Decision, distribution, scaled};
use super::{Row, State};
use crate::data::{ScoreCard, Verdict};
use crate::judge::suspect::Detector;
use crate::stats::ranks;

/// A quick view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quick {
    /// Every record.
    #[default]
    All,
    /// Records of which a response is declined.
    Declined,
    /// Records of which a response is answered and bad, or declined and good.
    Disagreements,
    /// Records of which a response could not be scored.
    Errors,
    /// Records of which a response has no label.
    Unlabelled,
    /// Records of which a response has something aimed at the judge.
    Suspicious,
    /// Records selected as training data.
    Selected,
    /// What was opened from another screen.
    Picked,
}

impl Quick {
    const ALL: [Quick; 8] = [
        Quick::All,
        Quick::Declined,
        Quick::Disagreements,
        Quick::Errors,
        Quick::Unlabelled,
        Quick::Suspicious,
        Quick::Selected,
        Quick::Picked,
    ];

    /// As the list's title says.
    pub fn word(self) -> &'static str {
        match self {
            Quick::All => "all",
            Quick::Declined => "declined",
            Quick::Disagreements => "disagreements",
            Quick::Errors => "errors",
            Quick::Unlabelled => "unlabelled",
            Quick::Suspicious => "suspicious",
            Quick::Selected => "selected",
            Quick::Picked => "picked",
        }
    }

    /// The next one of those there are, or the one before.
    pub fn step(self, forward: bool, is_there: impl Fn(Quick) -> bool) -> Self {
        let there: Vec<Quick> = Self::ALL.into_iter().filter(|q| is_there(*q)).collect();
        let at = there.iter().position(|quick| *quick == self).unwrap_or(0);
        let step = if forward { 1 } else { there.len() - 1 };
        there[(at + step) % there.len()]
    }

    /// Whether it follows from scores.
    pub fn needs_scores(self) -> bool {
        matches!(self, Quick::Declined | Quick::Disagreements | Quick::Errors)
    }
}

/// Only records with this value in this field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    pub field: String,
    pub value: String,
}

/// What the list is ordered by; a record counts by its highest response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// The order of the data, or of the matches.
    #[default]
    Data,
    SelfEval,
    SelfEvalFree,
    Cosine,
    Fused,
    /// How far judge and label are apart.
    Disagreement,
    Label(String),
    /// Characters of the response.
    Length,
    /// The score of a selection of training data.
    Selection,
}

impl SortBy {
    /// As it is chosen by.
    pub fn word(&self) -> &str {
        match self {
            SortBy::Data => "order of the data",
            SortBy::SelfEval => "self-eval",
            SortBy::SelfEvalFree => "self-eval without reference",
            SortBy::Cosine => "cosine",
            SortBy::Fused => "fused",
            SortBy::Disagreement => "disagreement",
            SortBy::Label(name) => name,
            SortBy::Length => "length",
            SortBy::Selection => "selection",
        }
    }

    /// Whether it follows from scores.
    pub fn needs_scores(&self) -> bool {
        !matches!(
            self,
            SortBy::Data | SortBy::Label(_) | SortBy::Length | SortBy::Selection
        )
    }
}

/// What the data themselves are searched for, off the drawing thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// Later ones have larger numbers.
    pub number: u64,
    /// Of so many records.
    pub records: usize,
    pub query: String,
    pub facets: Vec<Facet>,
    pub unlabelled: bool,
    /// Only records of which a response has something that this finds.
    pub suspicious: Option<Arc<Detector>>,
    /// A label or the length, largest first unless reversed.
    pub sort: Option<SortBy>,
    pub reverse: bool,
}

impl Search {
    /// Whether it finds everything in its order.
    pub fn is_idle(&self) -> bool {
        let nothing = self.query.trim().is_empty() && self.facets.is_empty();
        nothing && !self.narrows() && self.sort.is_none()
    }

    /// Whether records are left out for what their responses are.
    pub fn narrows(&self) -> bool {
        self.unlabelled || self.suspicious.is_some()
    }
}

/// Which records are listed.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What was typed.
    pub query: String,
    /// Whether it is being typed.
    pub open: bool,
    pub quick: Quick,
    pub facets: Vec<Facet>,
    pub sort: SortBy,
    pub reverse: bool,
    /// What was opened from another screen: its name, and the records.
    pub picked: Option<(String, Arc<Vec<u32>>)>,
    /// What was searched for last, and whether more may be found.
    pub asked: Search,
    pub searching: bool,
    /// The records that the search found, in its order; `None`: all.
    pub found: Option<Arc<Vec<u32>>>,
    /// The last search has found nothing yet.
    pub fresh: bool,
    /// The cursor is on the best match so far.
    pub at_best: bool,
    /// The row that was gone to last because judge and label disagree.
    pub jumped: Option<Row>,
    /// The records that are listed; `None`: all.
    pub order: Option<Vec<u32>>,
    /// How many rows were scored when `order` was made.
    pub scored: usize,
}

impl Listing {
    /// The search that is wanted now, if it is another than the last one.
    pub fn wanted(&self, records: usize, detector: &Arc<Detector>) -> Option<Search> {
        let by_data = matches!(self.sort, SortBy::Label(_) | SortBy::Length);
        let wanted = Search {
            number: self.asked.number + 1,
            records,
            query: self.query.clone(),
            facets: self.facets.clone(),
            unlabelled: self.quick == Quick::Unlabelled,
            suspicious: (self.quick == Quick::Suspicious).then(|| Arc::clone(detector)),
            sort: by_data.then(|| self.sort.clone()),
            reverse: by_data && self.reverse,
        };
        let same = Search {
            number: wanted.number,
            ..self.asked.clone()
        };
        // More records change nothing where nothing is searched for.
        let idle = wanted.is_idle() && same.is_idle();
        (wanted != same && !idle).then_some(wanted)
    }

    /// Takes a search: what it will find is not known yet, unless it is everything.
    pub fn ask(&mut self, search: Search) -> bool {
        let idle = search.is_idle();
        self.searching = !idle;
        self.asked = search;
        if idle {
            self.found = None;
        }
        !idle
    }

    /// Where a record is listed, of so many records.
    pub fn position_of(&self, record: usize, records: usize) -> Option<usize> {
        match &self.order {
            None => (record < records).then_some(record),
            Some(order) => order.iter().position(|listed| *listed as usize == record),
        }
    }

    /// Whether the list narrows or orders anything.
    pub fn is_narrowed(&self) -> bool {
        self.order.is_some()
    }

    /// Whether it follows from scores, so that all are wanted.
    pub fn needs_scores(&self) -> bool {
        self.quick.needs_scores() || self.sort.needs_scores()
    }
}

impl State {
    /// Makes the list anew; the cursor stays on its record where that is still listed.
    pub fn relist(&mut self) {
        let record = self.listed_record();
        let order = self.listed_order();
        self.listing.order = order;
        self.listing.scored = self.scores.noted().len();
        let at = record.and_then(|record| match &self.listing.order {
            None => Some(record),
            Some(order) => order.iter().position(|r| *r as usize == record),
        });
        match at {
            Some(at) => self.cursor = at,
            None => {
                self.cursor = self.cursor.min(self.listed().saturating_sub(1));
                self.response = 0;
            }
        }
    }

    fn listed_order(&self) -> Option<Vec<u32>> {
        let listing = &self.listing;
        let keep: Option<HashSet<u32>> = match listing.quick {
            Quick::All | Quick::Unlabelled | Quick::Suspicious => None,
            Quick::Declined => Some(self.records_where(|state, row, card| {
                let _ = row;
                let decision = Decision::of(card, state.mode, state.alone);
                decision.is_some_and(|d| d.verdict(state.threshold) == Verdict::Decline)
            })),
            Quick::Disagreements => Some(self.records_where(|state, row, card| {
                let decision = Decision::of(card, state.mode, state.alone);
                let good = state.is_good(row);
                decision.zip(good).is_some_and(|(decision, good)| {
                    good != (decision.verdict(state.threshold) == Verdict::Answer)
                })
            })),
            Quick::Errors => Some(self.scores.failed_rows().map(|(at, _)| at as u32).collect()),
            Quick::Selected => {
                let selection = self.selection.as_ref();
                Some(selection.map_or_else(HashSet::new, |of| of.taken().collect()))
            }
            Quick::Picked => {
                let picked = listing.picked.as_ref();
                Some(picked.map_or_else(HashSet::new, |(_, of)| of.iter().copied().collect()))
            }
        };
        let by_score = listing.sort.needs_scores() || listing.sort == SortBy::Selection;
        if keep.is_none() && !by_score {
            let natural = listing.sort == SortBy::Data && listing.reverse;
            return match (&listing.found, natural) {
                (Some(found), false) => Some(found.to_vec()),
                (Some(found), true) => Some(found.iter().rev().copied().collect()),
                (None, true) => Some((0..self.facts.records as u32).rev().collect()),
                (None, false) => None,
            };
        }
        let kept = |record: &u32| keep.as_ref().is_none_or(|keep| keep.contains(record));
        let in_order = match (&listing.picked, listing.quick) {
            (Some((_, picked)), Quick::Picked) if listing.found.is_none() => Some(picked),
            _ => None,
        };
        let mut order: Vec<u32> = match in_order.or(listing.found.as_ref()) {
            Some(found) => found.iter().copied().filter(kept).collect(),
            None => (0..self.facts.records as u32).filter(kept).collect(),
        };
        if by_score {
            let values = self.record_values();
            let value = |record: &u32| values.get(record).copied();
            order.sort_by(|a, b| match (value(a), value(b)) {
                (Some(a), Some(b)) if listing.reverse => a.total_cmp(&b),
                (Some(a), Some(b)) => b.total_cmp(&a),
                // What is not scored comes last, either way.
                (a, b) => b.is_some().cmp(&a.is_some()),
            });
        } else if listing.reverse && listing.sort == SortBy::Data {
            order.reverse();
        }
        Some(order)
    }

    fn records_where(&self, holds: impl Fn(&State, Row, &ScoreCard) -> bool) -> HashSet<u32> {
        let rows = self.scores.rows().iter();
        rows.filter(|(row, key)| {
            let card = self.scores.card(**key);
            card.is_some_and(|card| holds(self, **row, card))
        })
        .map(|((record, _), _)| *record as u32)
        .collect()
    }

    /// Whether a row's label is a good one.
    pub fn is_good(&self, (record, response): Row) -> Option<bool> {
        let item = self.item(record)?;
        let label = item.responses.get(response)?;
        let value = label.labels.get(self.good.label.as_ref()?)?;
        Some(*value >= self.good.from)
    }

    /// What each scored record counts by.
    fn record_values(&self) -> HashMap<u32, f64> {
        let mut values: HashMap<u32, f64> = HashMap::new();
        let mut add = |(record, _): Row, value: f64| {
            let highest = values.entry(record as u32).or_insert(value);
            *highest = highest.max(value);
        };
        if self.listing.sort == SortBy::Selection {
            // Its order has ties broken.
            let selection = self.selection.iter();
            let ranked =
                selection.flat_map(|s| (0..self.facts.records).map(move |at| (at, s.of(at))));
            let scored = ranked.filter_map(|(at, scored)| Some((at, scored?.rank)));
            return scored
                .map(|(at, rank)| (at as u32, -(rank as f64)))
                .collect();
        }
        if self.listing.sort == SortBy::Disagreement {
            for (row, apart) in self.disagreements() {
                add(row, apart.abs());
            }
            return values;
        }
        for (row, key) in self.scores.rows() {
            let Some(card) = self.scores.card(*key) else {
                continue;
            };
            let value = match self.listing.sort {
                SortBy::SelfEvalFree => card.self_eval_free.as_ref().map(scaled),
                SortBy::Cosine => card.cosine,
                SortBy::Fused => card.fused,
                _ => distribution(card, self.mode).map(scaled),
            };
            if let Some(value) = value {
                add(*row, value);
            }
        }
        values
    }

    /// How far judge and label are apart, for each scored row with the label: the rank of the one minus that of the
    /// other as shares of all such rows, above 0 where the judge thinks better of it. Largest distance first.
    pub fn disagreements(&self) -> Vec<(Row, f64)> {
        let Some(name) = &self.good.label else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        let (mut judged, mut labels) = (Vec::new(), Vec::new());
        for (row, key) in self.scores.rows() {
            let card = self.scores.card(*key);
            let decision = card.and_then(|card| Decision::of(card, self.mode, self.alone));
            let item = self.item(row.0);
            let response = item.as_ref().and_then(|item| item.responses.get(row.1));
            let label = response.and_then(|response| response.labels.get(name));
            if let (Some(decision), Some(label)) = (decision, label) {
                rows.push(*row);
                judged.push(decision.value);
                labels.push(*label);
            }
        }
        let count = rows.len().max(1) as f64;
        let (judged, labels) = (ranks(&judged), ranks(&labels));
        let apart = judged.iter().zip(&labels).map(|(a, b)| (a - b) / count);
        let mut all: Vec<(Row, f64)> = rows.into_iter().zip(apart).collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        all
    }
}
