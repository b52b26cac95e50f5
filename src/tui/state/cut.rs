//! Where to cut: every labelled decision, sorted once, so that a move of the cut is a look-up.

use std::collections::BTreeMap;

use super::reading::{Decision, ShownMode, Signal};
use super::{Scores, State};
use crate::data::{Facts, Library};
use crate::stats::bootstrap::{SplitMix64, is_fitted_on};
use crate::stats::threshold::{Confusion, Found, pac};
use crate::stats::{auroc, coverage};

/// With fewer scored rows than this, every new one is counted at once.
const FEW: usize = 4096;

/// Confidence of a solved threshold.
pub const CONFIDENCE: f64 = 0.95;

/// Which responses are good.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Good {
    /// The label; `None` where no response has one.
    pub label: Option<String>,
    /// Labels from this one on are good.
    pub from: f64,
    /// How far one key moves it.
    pub step: f64,
    /// Whether a person moved it.
    pub chosen: bool,
}

impl Good {
    /// By the label that most responses have: good from two thirds of its range on.
    pub fn of(facts: &Facts) -> Self {
        let most = facts.labels.iter().max_by_key(|(_, (count, ..))| *count);
        let Some((name, (_, low, high))) = most else {
            return Good::default();
        };
        let step = if high - low >= 3.0 { 1.0 } else { 0.05 };
        let from = low + (high - low) * 2.0 / 3.0;
        Good {
            label: Some(name.clone()),
            from: (from / step).round() * step,
            step,
            chosen: false,
        }
    }
}

impl Good {
    /// As a preset says: labels of this name, from a value on.
    pub fn given(name: &str, good: &str, facts: &Facts) -> Option<Self> {
        let from: f64 = good.strip_prefix(">=")?.trim().parse().ok()?;
        let (_, low, high) = facts.labels.get(name)?;
        let step = if high - low >= 3.0 { 1.0 } else { 0.05 };
        Some(Good {
            label: Some(name.to_owned()),
            from,
            step,
            chosen: true,
        })
    }
}

/// Labelled decisions of some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Rising.
    values: Vec<f64>,
    /// How many of `values[at..]` are bad, for each place and the end.
    bad_from: Vec<usize>,
}

impl Part {
    fn new(mut rows: Vec<(f64, bool)>) -> Self {
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut bad_from = vec![0; rows.len() + 1];
        for (at, (_, bad)) in rows.iter().enumerate().rev() {
            bad_from[at] = bad_from[at + 1] + usize::from(*bad);
        }
        Part {
            values: rows.into_iter().map(|(value, _)| value).collect(),
            bad_from,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What a threshold does to them.
    pub fn at(&self, threshold: f64) -> Confusion {
        let from = self.values.partition_point(|value| *value < threshold);
        let bad = |at: usize| self.bad_from.get(at).copied().unwrap_or(0);
        let answered = self.len() - from;
        Confusion {
            answered_good: answered - bad(from),
            answered_bad: bad(from),
            declined_good: from - (bad(0) - bad(from)),
            declined_bad: bad(0) - bad(from),
        }
    }

    /// Good and bad rows in each of `bins` equal parts of `[0, 1]`.
    pub fn histogram(&self, bins: usize) -> Vec<(usize, usize)> {
        let edge = |bin: usize| match bin {
            0 => 0,
            bin if bin == bins => self.len(),
            bin => {
                let border = bin as f64 / bins as f64;
                self.values.partition_point(|value| *value < border)
            }
        };
        let bad = |at: usize| self.bad_from.get(at).copied().unwrap_or(0);
        (0..bins)
            .map(|bin| {
                let (from, to) = (edge(bin), edge(bin + 1));
                let own = bad(from) - bad(to);
                (to - from - own, own)
            })
            .collect()
    }

    /// Risk among the answered, by rising coverage, at about `points` thresholds: `(coverage, risk)`.
    pub fn curve(&self, points: usize) -> Vec<(f64, f64)> {
        let all = self.len();
        let step = (all / points.max(1)).max(1);
        let risk = |answered: usize| {
            let threshold = self.values[all - answered];
            let found = self.at(threshold);
            Some((found.coverage()?, found.risk()?))
        };
        let places = (1..=all).filter(|n| n % step == 0 || *n == all);
        places.filter_map(risk).collect()
    }
}

/// One category.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    pub name: String,
    pub part: Part,
}

/// A threshold that was solved for, and everything that it holds for.
#[derive(Clone, Debug, PartialEq)]
pub struct Solved {
    pub threshold: f64,
    pub target: f64,
    good: (Option<String>, f64),
    reading: (ShownMode, bool),
    identity: Option<String>,
}

impl Solved {
    /// That of a state which has just been solved.
    pub fn now(state: &State) -> Self {
        Solved {
            threshold: state.threshold,
            target: state.target,
            good: (state.good.label.clone(), state.good.from),
            reading: (state.mode, state.alone),
            identity: state.identity.clone(),
        }
    }

    /// Whether it is still about what is on screen.
    pub fn holds(&self, state: &State) -> bool {
        let target = self.target;
        *self
            == Solved {
                target,
                ..Solved::now(state)
            }
    }
}

/// A part of the screen behind which there are records.
#[derive(Clone, Debug, PartialEq)]
pub enum Bin {
    /// Scores from one value to below another.
    Scores(f64, f64),
    /// What the cut does to rows.
    Cell(Cell),
    /// A category.
    Slice(String),
}

/// One of the four counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    AnsweredGood,
    AnsweredBad,
    DeclinedGood,
    DeclinedBad,
}

impl Cell {
    /// All of them, row by row.
    pub const ALL: [Cell; 4] = [
        Cell::AnsweredGood,
        Cell::AnsweredBad,
        Cell::DeclinedGood,
        Cell::DeclinedBad,
    ];

    /// As the list's title says.
    pub fn word(self) -> &'static str {
        match self {
            Cell::AnsweredGood => "answered, good",
            Cell::AnsweredBad => "answered, bad",
            Cell::DeclinedGood => "declined, good",
            Cell::DeclinedBad => "declined, bad",
        }
    }
}

/// Everything that the cut is seen against.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cut {
    pub all: Part,
    /// By category, where records have some.
    pub slices: Vec<Slice>,
    /// What the values are; `None` before there is one.
    pub signal: Option<Signal>,
    /// Scored rows without the label.
    pub unlabelled: usize,
    /// That a bad row lies below a good one.
    pub auroc: Option<f64>,
    pub excess_aurc: Option<f64>,
    /// One row of each record of the half that calibrates, drawn.
    fitted: Vec<(f64, bool)>,
    /// The rows of the other half.
    pub others: Part,
    /// Scored rows when this was made, and how they were read.
    made_of: Option<(usize, ShownMode, bool, Good)>,
}

impl Cut {
    /// Whether it is worth making anew: something else is asked, a good share more is scored, or all that was waited
    /// for is.
    pub fn is_old(&self, scores: &Scores, mode: ShownMode, alone: bool, good: &Good) -> bool {
        let rows = scores.rows().len();
        match &self.made_of {
            Some((had, m, a, g)) if (*m, *a) == (mode, alone) && g == good => {
                let more = rows.saturating_sub(*had);
                let few = rows < FEW || scores.queue() == 0;
                rows < *had || more > had / 64 || more > 0 && few
            }
            _ => true,
        }
    }

    /// Gathers the decisions of all scored rows.
    pub fn new(
        library: &Library,
        scores: &Scores,
        (mode, alone): (ShownMode, bool),
        good: &Good,
    ) -> Self {
        let mut cut = Cut {
            made_of: Some((scores.rows().len(), mode, alone, good.clone())),
            ..Cut::default()
        };
        let mut rows: Vec<(f64, bool)> = Vec::new();
        let mut by: BTreeMap<String, Vec<(f64, bool)>> = BTreeMap::new();
        let mut others: Vec<(f64, bool)> = Vec::new();
        // Rows of one record are not independent, and the first ones may be of one generator: a drawn one stands
        // for its record.
        let mut drawn: BTreeMap<usize, (u64, (f64, bool))> = BTreeMap::new();
        for ((at, place), key) in scores.rows() {
            let card = scores.card(*key);
            let Some(decision) = card.and_then(|card| Decision::of(card, mode, alone)) else {
                continue;
            };
            cut.signal.get_or_insert(decision.signal);
            let item = library.get(*at);
            let response = item.as_ref().and_then(|item| item.responses.get(*place));
            let label = response.zip(good.label.as_ref());
            let Some(label) = label.and_then(|(response, name)| response.labels.get(name)) else {
                cut.unlabelled += 1;
                continue;
            };
            let row = (decision.value, *label < good.from);
            rows.push(row);
            if is_fitted_on(*at, 0) {
                let number = SplitMix64((*at as u64) << 20 ^ *place as u64).next_u64();
                let held = drawn.entry(*at).or_insert((number, row));
                if number < held.0 {
                    *held = (number, row);
                }
            } else {
                others.push(row);
            }
            if let Some(category) = item.as_ref().and_then(|item| item.category.as_ref()) {
                match by.get_mut(category) {
                    Some(rows) => rows.push(row),
                    None => drop(by.insert(category.clone(), vec![row])),
                }
            }
        }
        let (values, is_bad): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
        let is_good: Vec<bool> = is_bad.iter().map(|bad| !bad).collect();
        let loss: Vec<f64> = is_bad.iter().map(|bad| f64::from(u8::from(*bad))).collect();
        cut.auroc = auroc(&values, &is_good);
        cut.excess_aurc = coverage::curve(&values, &loss).map(|found| found.excess_aurc);
        cut.all = Part::new(rows);
        cut.others = Part::new(others);
        cut.fitted = drawn.into_values().map(|(_, row)| row).collect();
        let slice = |(name, rows): (String, Vec<(f64, bool)>)| Slice {
            name,
            part: Part::new(rows),
        };
        cut.slices = by.into_iter().map(slice).collect();
        cut
    }

    /// The values that a threshold is solved on.
    pub fn calibrated_on(&self) -> Vec<f64> {
        self.fitted.iter().map(|(value, _)| *value).collect()
    }

    /// The lowest threshold whose risk among the answered is at most `target` with [`CONFIDENCE`], by half of the
    /// records, one row each; and how many these are.
    pub fn solved(&self, target: f64) -> (Found, usize) {
        let (values, bad): (Vec<f64>, Vec<bool>) = self.fitted.iter().copied().unzip();
        (pac(&values, &bad, target, CONFIDENCE), values.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{Record, SubjectKey};
    use crate::run::live::Lane;
    use crate::tui::state::Pending;

    proptest! {
        #[test]
        fn a_look_up_counts_as_the_rows_do(
            rows in proptest::collection::vec((0u8..=20, proptest::bool::ANY), 0..60),
            at in 0u8..=21,
        ) {
            let rows: Vec<(f64, bool)> = rows.iter().map(|(v, b)| (f64::from(*v) / 20.0, *b)).collect();
            let (values, bad): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
            let threshold = f64::from(at) / 20.0;
            let part = Part::new(rows);
            prop_assert_eq!(part.at(threshold), Confusion::of(&values, &bad, threshold));
            let bins = part.histogram(7);
            let total: usize = bins.iter().map(|(good, bad)| good + bad).sum();
            prop_assert_eq!(total, values.len());
            let wrong: usize = bins.iter().map(|(_, bad)| bad).sum();
            prop_assert_eq!(wrong, bad.iter().filter(|b| **b).count());
            // The last point answers everything.
            if let Some((coverage, risk)) = part.curve(10).last() {
                prop_assert!((coverage - 1.0).abs() < 1e-12);
                prop_assert!((risk - wrong as f64 / values.len() as f64).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_last_scores_are_counted_when_nothing_more_comes() {
        let (mode, good) = (ShownMode::Reference, Good::default());
        let cut = Cut {
            made_of: Some((10_000, mode, false, good.clone())),
            ..Cut::default()
        };
        let mut scores = Scores::default();
        let key = SubjectKey::of(&Record::default(), "");
        (0..10_010).for_each(|row| scores.note_row((row, 0), key));
        let waited = Pending {
            key,
            lane: Lane::Batch,
            row: None,
            dropped: false,
        };
        scores.ask(1, waited);
        assert!(
            !cut.is_old(&scores, mode, false, &good),
            "not for ten among thousands"
        );
        scores.forget_pending();
        assert!(cut.is_old(&scores, mode, false, &good));
        assert!(cut.is_old(&scores, mode, true, &good));
    }

    #[test]
    fn good_is_two_thirds_up_the_label() {
        let (_, facts) = Library::of(crate::tui::tests::fixture::records());
        let good = Good::of(&facts);
        assert_eq!(good.label.as_deref(), Some("rating"));
        assert_eq!((good.from.fract(), good.step), (0.0, 1.0));
        assert_eq!(Good::of(&Facts::default()), Good::default());
    }

    #[test]
    fn a_drawn_response_stands_for_its_record() {
        // The first response of each record is good, all others are bad.
        let response = |place: usize| crate::data::Response {
            text: format!("text {place}"),
            labels: [("rating".to_owned(), f64::from(u8::from(place == 0)))].into(),
            ..Default::default()
        };
        let records = (0..400).map(|at| Record {
            id: at.to_string(),
            instruction: format!("task {at}"),
            responses: (0..4).map(response).collect(),
            ..Record::default()
        });
        let (library, facts) = Library::of(records.collect());
        let mut scores = Scores::default();
        let mut ticket = 0;
        for (at, item) in library.iter() {
            for (place, key) in item.keys.iter().enumerate() {
                ticket += 1;
                let pending = Pending {
                    key: *key,
                    lane: Lane::Batch,
                    row: Some((at, place)),
                    dropped: false,
                };
                scores.ask(ticket, pending);
                let card = crate::tui::tests::fixture::card(5.0, 5.0, None);
                scores.scored(ticket, card, 0.0);
            }
        }
        let good = Good::of(&facts);
        let cut = Cut::new(&library, &scores, (ShownMode::Reference, false), &good);
        let rows = cut.calibrated_on().len();
        assert!((120..280).contains(&rows), "{rows}");
        let bad = cut.fitted.iter().filter(|(_, bad)| *bad).count();
        let share = bad as f64 / rows as f64;
        assert!((0.65..0.85).contains(&share), "{share}");
        assert!(!matches!(cut.solved(0.1).0, Found::Threshold(_)));
        assert_eq!(cut.others.len(), 4 * (400 - rows));
    }
}
