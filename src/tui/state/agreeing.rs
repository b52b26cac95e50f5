//! How far the annotator goes together with the judge, the labels in the data and other annotators.

use std::collections::{BTreeMap, HashSet};

use super::reading::{distribution, scaled};
use super::{Row, ShownMode, State};
use crate::stats::evaluation::{
    Agreement, Correlations, Rows, Settings, agreement, correlations, raters,
};

/// Draws for the intervals; few, because they are made again after every label.
const ROUNDS: usize = 200;
/// Many labels have narrow intervals, and no time to draw them again after each.
const MANY: usize = 1000;
/// Figures of fewer rows say nothing.
pub const FEW: usize = 5;

/// How far labels and somebody else's ratings go together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Together {
    pub rows: usize,
    pub correlations: Correlations,
    pub agreement: Option<Agreement>,
    /// What it was made of, and whether intervals were drawn.
    columns: Columns,
    has_intervals: bool,
}

/// How far the annotator goes together with everybody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreed {
    /// Of the comparison that it is of.
    number: u64,
    pub with_judge: Together,
    pub with_others: Vec<(String, Together)>,
}

/// What the annotator, the judge and others said of the same texts. Drawing its intervals takes longer than a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    number: u64,
    judged: Columns,
    others: BTreeMap<String, Columns>,
}

impl Comparison {
    /// Counts it, with intervals; what has not changed since an earlier count is taken from there.
    pub fn count(self, earlier: Agreed) -> Agreed {
        self.count_by(earlier, true)
    }

    fn count_by(self, earlier: Agreed, intervals: bool) -> Agreed {
        let mut known: BTreeMap<_, _> = earlier.with_others.into_iter().collect();
        let others = self.others.into_iter().map(|(who, columns)| {
            let found = together(known.remove(&who), columns, Other::Person, intervals);
            (who, found)
        });
        Agreed {
            number: self.number,
            with_judge: together(
                Some(earlier.with_judge),
                self.judged,
                Other::Judge,
                intervals,
            ),
            with_others: others.collect(),
        }
    }

    /// Whether there is enough of anything.
    fn has_intervals(&self) -> bool {
        let mut all = self.others.values().chain([&self.judged]);
        all.any(|columns| columns.0.len() >= FEW)
    }

    fn is_of_the_same(&self, other: &Comparison) -> bool {
        (&self.judged, &self.others) == (&other.judged, &other.others)
    }
}

/// What a comparison rests on: as long as that is the same, so is the comparison.
#[derive(Clone, Debug, PartialEq)]
struct Basis {
    annotator: String,
    label: String,
    mode: ShownMode,
    /// Events of the annotator, rows that somebody labelled, rows scored.
    counts: [usize; 3],
}

impl Basis {
    /// Whether the same is asked, of more or fewer rows perhaps.
    fn asks_the_same(&self, other: &Basis) -> bool {
        (&self.annotator, &self.label, self.mode) == (&other.annotator, &other.label, other.mode)
    }
}

/// What was compared last.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    of: Option<Basis>,
    last: Comparison,
    /// The first comparison of who compares what: those before are of somebody else.
    since: u64,
    /// Whether the last one is to be handed out.
    is_new: bool,
}

/// Values of somebody else, one's own, and records.
type Columns = (Vec<f64>, Vec<f64>, Vec<usize>);

/// Whose values they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    /// A score in `[0, 1]`, brought to the labels' scale.
    Judge,
    /// Labels on the same scale.
    Person,
}

impl State {
    /// Brings the agreement up to date: over everything that the annotator has labelled, whatever the queue is.
    pub fn count_agreement(&mut self) {
        let Some(journal) = &self.annotate.journal else {
            return;
        };
        let name = &self.annotate.annotator;
        let basis = Basis {
            annotator: name.clone(),
            label: self.annotate.name.clone(),
            mode: self.mode,
            counts: [
                journal.done_by(name).len(),
                self.annotate.known.len(),
                self.scores.rows().len(),
            ],
        };
        let before = self.annotate.compared.of.as_ref();
        if before == Some(&basis) {
            return;
        }
        let is_same = before.is_some_and(|before| before.asks_the_same(&basis));
        self.read_labels();
        let (rated, judged, others) = self.columns();
        let annotate = &mut self.annotate;
        annotate.rated = rated;
        let compared = &mut annotate.compared;
        compared.of = Some(basis);
        let new = Comparison {
            number: compared.last.number + 1,
            judged,
            others,
        };
        if is_same && new.is_of_the_same(&compared.last) {
            return;
        }
        compared.is_new = new.has_intervals();
        if !is_same || !compared.is_new {
            // What is on screen is of somebody else, or of nobody; intervals come later.
            compared.since = new.number;
            annotate.agreed = new.clone().count_by(Agreed::default(), false);
        }
        compared.last = new;
    }

    /// What is to be counted beside the drawing, if something new is.
    pub fn to_compare(&mut self) -> Option<Comparison> {
        let compared = &mut self.annotate.compared;
        std::mem::take(&mut compared.is_new).then(|| compared.last.clone())
    }

    /// Takes a count, unless it is of somebody else.
    pub fn take_agreed(&mut self, agreed: Agreed) {
        if agreed.number >= self.annotate.compared.since {
            self.annotate.agreed = agreed;
        }
    }

    /// What was compared is no longer what there is.
    pub fn compare_anew(&mut self) {
        self.annotate.compared.of = None;
    }

    /// How many texts are labelled, and what the judge and each of the others say of them; texts that stand in the data
    /// twice count once.
    fn columns(&self) -> (usize, Columns, BTreeMap<String, Columns>) {
        let annotate = &self.annotate;
        let (name, label) = (&annotate.annotator, &annotate.name);
        let from_data = format!("{label} in the data");
        let mut judged = Columns::default();
        let mut others: BTreeMap<String, Columns> = BTreeMap::new();
        let mut seen = HashSet::new();
        for (row, key) in &annotate.known {
            let own = self.said(*key).and_then(|said| said.labels.get(label));
            let (Some(own), true) = (own.copied(), seen.insert(*key)) else {
                continue;
            };
            let add = |columns: &mut Columns, value: f64| {
                columns.0.push(value);
                columns.1.push(own);
                columns.2.push(row.0);
            };
            let card = self.scores.card(*key);
            if let Some(shown) = card.and_then(|card| distribution(card, self.mode)) {
                add(&mut judged, scaled(shown));
            }
            let people = annotate.journal.iter().flat_map(|j| j.of_subject(*key));
            for (who, said) in people.filter(|(who, _)| who != name) {
                if let Some(value) = said.labels.get(label) {
                    add(others.entry(who.to_owned()).or_default(), *value);
                }
            }
            if let Some(Some(value)) = annotate.in_data.1.get(row) {
                add(others.entry(from_data.clone()).or_default(), *value);
            }
        }
        (seen.len(), judged, others)
    }

    /// Reads what the data say of labelled responses: once, because a record may have to come from its file.
    fn read_labels(&mut self) {
        let label = &self.annotate.name;
        if self.annotate.in_data.0 != *label {
            self.annotate.in_data = (label.clone(), BTreeMap::new());
        }
        let missing: Vec<Row> = self
            .labelled()
            .map(|(row, _)| row)
            .filter(|row| !self.annotate.in_data.1.contains_key(row))
            .collect();
        for row in missing {
            let item = self.item(row.0);
            let response = item.as_ref().and_then(|item| item.responses.get(row.1));
            let value = response.and_then(|r| r.labels.get(&self.annotate.name).copied());
            self.annotate.in_data.1.insert(row, value);
        }
    }
}

fn together(
    old: Option<Together>,
    columns: Columns,
    other: Other,
    has_intervals: bool,
) -> Together {
    let is_it = |old: &Together| old.columns == columns && old.has_intervals == has_intervals;
    if let Some(old) = old.filter(is_it) {
        return old;
    }
    let (score, label, cluster) = &columns;
    if score.len() < FEW {
        return Together {
            rows: score.len(),
            columns,
            has_intervals,
            ..Together::default()
        };
    }
    let cluster = crate::stats::group_ids(cluster.iter());
    let rows = Rows {
        score,
        label,
        cluster: &cluster,
    };
    let draws = has_intervals && score.len() <= MANY;
    let settings = Settings {
        rounds: if draws { ROUNDS } else { 0 },
        seed: 0,
        scale: (other == Other::Judge).then_some((0.0, 1.0)),
    };
    Together {
        rows: score.len(),
        correlations: correlations(&rows, &settings),
        agreement: match other {
            Other::Judge => agreement(&rows, &settings),
            Other::Person => raters(&rows, &settings),
        },
        columns,
        has_intervals,
    }
}
