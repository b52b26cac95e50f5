//! How far the annotator goes together with the judge, the labels in the data and other annotators.

use std::collections::{BTreeMap, HashSet};

use super::reading::{distribution, scaled};
use super::{Row, ShownMode, State};
use crate::stats::evaluation::{
    Agreement, Correlations, Rows, Settings, agreement, correlations, raters,
};

/// Draws for the intervals; few, because they are made again after every label.
const ROUNDS: usize = 200;
/// Figures of fewer rows say nothing.
pub const FEW: usize = 5;

/// How far labels and somebody else's ratings go together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Together {
    pub rows: usize,
    pub correlations: Correlations,
    pub agreement: Option<Agreement>,
    /// What it was made of.
    columns: Columns,
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
        let of = (
            journal.done_by(name).len(),
            self.annotate.known.len(),
            self.scores.rows().len(),
            self.mode == ShownMode::Free,
            format!("{name} {}", self.annotate.name),
        );
        if self.annotate.counted.as_ref() == Some(&of) {
            return;
        }
        self.read_labels();
        let (rated, judged, mut others) = self.columns();
        let annotate = &mut self.annotate;
        annotate.counted = Some(of);
        annotate.rated = rated;
        let old = std::mem::take(&mut annotate.with_judge);
        annotate.with_judge = together(Some(old), judged, Other::Judge);
        let mut old: BTreeMap<_, _> = annotate.with_others.drain(..).collect();
        let names = std::mem::take(&mut others).into_iter();
        let found = names.map(|(who, columns)| {
            let found = together(old.remove(&who), columns, Other::Person);
            (who, found)
        });
        annotate.with_others = found.collect();
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

fn together(old: Option<Together>, columns: Columns, other: Other) -> Together {
    if let Some(old) = old.filter(|old| old.columns == columns) {
        return old;
    }
    let (score, label, cluster) = &columns;
    if score.len() < FEW {
        return Together {
            rows: score.len(),
            columns,
            ..Together::default()
        };
    }
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
    }
}
