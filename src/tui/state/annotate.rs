//! One response after the other, to be rated by a person.

use std::collections::BTreeMap;

use super::reading::{Decision, distribution, scaled};
use super::{DataStatus, Row, State};
use crate::data::SubjectKey;
use crate::stats::bootstrap::SplitMix64;
use crate::stats::evaluation::{Agreement, Correlations, Rows, Settings, agreement, correlations};
use crate::store::{Event, Journal, Kind};

/// Of more records than this, a queue takes a sample.
const SAMPLED: usize = 20_000;
/// Draws for the intervals; few, because they are made again after every label.
const ROUNDS: usize = 200;
/// Pauses longer than this do not count into the pace, in milliseconds.
const PAUSE: i64 = 5 * 60 * 1000;
/// Labels that the pace is taken over.
const PACE_OVER: usize = 30;

/// The order in which responses come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queue {
    /// Shuffled, the same way for the same seed.
    #[default]
    Random,
    /// As the data have them, only those without a label.
    Unlabelled,
    /// Nearest to the cut first.
    NearCut,
    /// Those first where judge and label are furthest apart.
    Disagreeing,
}

impl Queue {
    /// All of them, as they are offered.
    pub const ALL: [Queue; 4] = [
        Queue::Random,
        Queue::Unlabelled,
        Queue::NearCut,
        Queue::Disagreeing,
    ];

    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Queue::Random => "random",
            Queue::Unlabelled => "unlabelled",
            Queue::NearCut => "near the cut",
            Queue::Disagreeing => "most disagreeing",
        }
    }

    /// Whether it follows from scores.
    pub fn needs_scores(self) -> bool {
        matches!(self, Queue::NearCut | Queue::Disagreeing)
    }
}

/// How far labels and judge go together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Together {
    pub rows: usize,
    pub correlations: Correlations,
    pub agreement: Option<Agreement>,
}

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
    /// Of the same responses.
    pub keys: Vec<SubjectKey>,
    pub at: usize,
    /// What the queue was made of.
    pub made_of: Option<(usize, Queue, u64, String)>,
    /// When the response came on screen, in milliseconds.
    pub shown_at: i64,
    pub shown: Option<SubjectKey>,
    /// Whether it was looked at without being blind.
    pub peeked: bool,
    /// An event that is not on disk yet.
    pub waiting: Option<(u64, Box<Event>)>,
    /// Agreement with the judge, and of how many events and scores it was made.
    pub with_judge: Together,
    pub with_others: Vec<(String, Together)>,
    pub counted: Option<(usize, usize, bool, Queue, String)>,
}

impl Annotate {
    /// The response to be rated.
    pub fn row(&self) -> Option<Row> {
        self.queue.get(self.at).copied()
    }
}

impl State {
    /// Makes the queue where it is not made of what is there now.
    pub fn ensure_queue(&mut self) {
        let annotate = &self.annotate;
        let scored = match annotate.order.needs_scores() {
            // Made again while it is short of rows, then left alone: a queue that changes under the hand confuses.
            true => self.scores.rows().len().min(64),
            false => 0,
        };
        let of = (
            self.facts.records + scored,
            annotate.order,
            annotate.seed,
            annotate.annotator.clone(),
        );
        if annotate.made_of.as_ref() == Some(&of) || annotate.journal.is_none() {
            return;
        }
        // A sample of many is drawn once, from all of them.
        if self.data == DataStatus::Loading && self.facts.records > SAMPLED {
            return;
        }
        let keyed = self.make_queue().into_iter();
        let keyed = keyed.filter_map(|row| Some((row, self.row_key(row.0, row.1)?)));
        let (queue, keys): (Vec<Row>, Vec<SubjectKey>) = keyed.unzip();
        let current = self.annotate.row();
        self.annotate.made_of = Some(of);
        self.annotate.at = 0;
        self.annotate.queue = queue;
        self.annotate.keys = keys;
        match current.and_then(|row| self.annotate.queue.iter().position(|r| *r == row)) {
            Some(at) => self.annotate.at = at,
            None => drop(self.to_unsaid(0)),
        }
    }

    fn make_queue(&self) -> Vec<Row> {
        match self.annotate.order {
            Queue::Random => {
                let mut draw = SplitMix64(self.annotate.seed);
                let mut records: Vec<usize> = match self.facts.records {
                    few if few <= SAMPLED => (0..few).collect(),
                    many => (0..SAMPLED).map(|_| draw.below(many)).collect(),
                };
                records.sort_unstable();
                records.dedup();
                let mut rows: Vec<Row> = records
                    .into_iter()
                    .flat_map(|at| (0..self.responses_of(at)).map(move |place| (at, place)))
                    .collect();
                for last in (1..rows.len()).rev() {
                    rows.swap(last, draw.below(last + 1));
                }
                rows
            }
            Queue::Unlabelled => {
                let records = self.library.iter().take(SAMPLED);
                let rows = records.flat_map(|(at, item)| {
                    let free = |place: &usize| {
                        let said = self.said(item.keys.get(*place).copied());
                        item.responses[*place].labels.is_empty() && !said
                    };
                    let places = (0..item.responses.len()).filter(free);
                    places.map(move |place| (at, place)).collect::<Vec<_>>()
                });
                rows.collect()
            }
            Queue::NearCut => {
                let mut rows: Vec<(f64, Row)> = Vec::new();
                for (row, key) in self.scores.rows() {
                    let card = self.scores.card(*key);
                    let decision = card.and_then(|c| Decision::of(c, self.mode, self.alone));
                    rows.extend(decision.map(|d| ((d.value - self.threshold).abs(), *row)));
                }
                rows.sort_by(|a, b| a.0.total_cmp(&b.0));
                rows.into_iter().map(|(_, row)| row).collect()
            }
            Queue::Disagreeing => {
                let all = self.disagreements();
                all.into_iter().map(|(row, _)| row).collect()
            }
        }
    }

    /// Whether the annotator is done with a response.
    fn said(&self, key: Option<SubjectKey>) -> bool {
        let annotate = &self.annotate;
        let said = annotate
            .journal
            .as_ref()
            .zip(key)
            .and_then(|(journal, key)| journal.said(&annotate.annotator, key));
        said.is_some_and(|said| said.skipped || said.labels.contains_key(&annotate.name))
    }

    /// Goes to the first response from a place on, around the end, that nothing was said of; stays where there is none.
    pub fn to_unsaid(&mut self, from: usize) -> bool {
        let count = self.annotate.queue.len();
        let mut places = (0..count).map(|step| (from + step) % count.max(1));
        let next = places.find(|at| !self.said(self.annotate.keys.get(*at).copied()));
        match next {
            Some(at) => self.annotate.at = at,
            None => self.annotate.at = from.min(count.saturating_sub(1)),
        }
        next.is_some()
    }

    /// How many responses of the queue are done.
    pub fn said_count(&self) -> usize {
        let keys = self.annotate.keys.iter();
        keys.filter(|key| self.said(Some(**key))).count()
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

    /// An event about the response on screen.
    pub fn event(&mut self, kind: Kind) -> Option<Event> {
        let (record, response) = self.annotate.row()?;
        let item = self.item(record)?;
        let subject = item.keys.get(response).copied()?;
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
            seconds: Some((self.clock - self.annotate.shown_at).max(0) as f64 / 1000.0),
            blind: Some(self.annotate.blind && !self.annotate.peeked),
        })
    }

    /// Brings the agreement up to date.
    pub fn count_agreement(&mut self) {
        let Some(journal) = &self.annotate.journal else {
            return;
        };
        let name = &self.annotate.annotator;
        let of = (
            journal.done_by(name).len(),
            self.scores.rows().len(),
            self.mode == super::ShownMode::Free,
            self.annotate.order,
            format!("{name} {}", self.annotate.name),
        );
        if self.annotate.counted.as_ref() == Some(&of) {
            return;
        }
        let label = &self.annotate.name;
        let (mut judged, mut rated, mut cluster) = (Vec::new(), Vec::new(), Vec::new());
        let mut others: BTreeMap<String, Columns> = BTreeMap::new();
        let from_data = format!("{label} in the data");
        let rows = self.annotate.queue.iter().zip(&self.annotate.keys);
        for ((record, response), key) in rows {
            let key = *key;
            let Some(own) = journal
                .said(name, key)
                .and_then(|said| said.labels.get(label))
            else {
                continue;
            };
            let card = self.scores.card(key);
            if let Some(shown) = card.and_then(|card| distribution(card, self.mode)) {
                judged.push(scaled(shown));
                rated.push(*own);
                cluster.push(*record);
            }
            let mut add = |who: &str, value: f64| {
                let columns = others.entry(who.to_owned()).or_default();
                columns.0.push(value);
                columns.1.push(*own);
                columns.2.push(*record);
            };
            for (who, said) in journal.of_subject(key).filter(|(who, _)| who != name) {
                if let Some(value) = said.labels.get(label) {
                    add(who, *value);
                }
            }
            let item = self.item(*record);
            let response = item.as_ref().and_then(|item| item.responses.get(*response));
            if let Some(value) = response.and_then(|response| response.labels.get(label)) {
                add(&from_data, *value);
            }
        }
        let (low, high) = self.annotate.scale;
        let ends = (f64::from(low), f64::from(high));
        let with_judge = together(&judged, &rated, &cluster, Some((0.0, 1.0)));
        let with_others = others.into_iter().map(|(who, (theirs, own, cluster))| {
            let found = together(&theirs, &own, &cluster, Some(ends));
            (who, found)
        });
        let with_others = with_others.collect();
        self.annotate.counted = Some(of);
        self.annotate.with_judge = with_judge;
        self.annotate.with_others = with_others;
    }
}

/// Values of somebody else, one's own, and records.
type Columns = (Vec<f64>, Vec<f64>, Vec<usize>);

fn together(
    score: &[f64],
    label: &[f64],
    cluster: &[usize],
    scale: Option<(f64, f64)>,
) -> Together {
    let cluster = crate::stats::group_ids(cluster.iter());
    let rows = Rows {
        score,
        label,
        cluster: &cluster,
    };
    let settings = Settings {
        // Many labels have narrow intervals, and no time to draw them again after each.
        rounds: if score.len() <= 1000 { ROUNDS } else { 0 },
        seed: 0,
        scale,
    };
    Together {
        rows: score.len(),
        correlations: correlations(&rows, &settings),
        agreement: agreement(&rows, &settings),
    }
}
