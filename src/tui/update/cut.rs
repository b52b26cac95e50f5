//! Moving what is good, and letting a threshold be found.

use super::listing;
use crate::data::Verdict;
use crate::stats::threshold::Found;
use crate::tui::layout::Pane;
use crate::tui::state::{Bin, Cell, Decision, Row, Solved, State, Tone};

/// Risks that a threshold is solved for, one after the other.
const TARGETS: [f64; 5] = [0.05, 0.1, 0.2, 0.3, 0.4];

/// Good labels begin this many steps higher.
pub fn move_good(state: &mut State, steps: f64) {
    if state.good.label.is_some() {
        let moved = state.good.from + steps * state.good.step;
        // Steps of a hundredth stay hundredths.
        state.good.from = (moved * 100.0).round() / 100.0;
        state.good.chosen = true;
    } else {
        state.say(
            Tone::Warning,
            "No response has a label, so none is good or bad.",
        );
    }
}

/// The next target.
pub fn next_target(state: &mut State) {
    let at = TARGETS.iter().position(|target| *target == state.target);
    state.target = TARGETS[at.map_or(0, |at| (at + 1) % TARGETS.len())];
    solve(state);
}

/// Puts the cut where the risk among the answered stays below the target.
pub fn solve(state: &mut State) {
    let (found, rows) = state.cut.solved(state.target);
    let target = 100.0 * state.target;
    match found {
        Found::Threshold(threshold) => {
            state.threshold = threshold;
            state.solved = Some(Solved::now(state));
            // What calibrated is not what is reported.
            let held = state.cut.others.at(threshold);
            let risk = held.risk().map_or_else(String::new, |risk| {
                format!(" On the other half {:.1} % are.", 100.0 * risk)
            });
            state.say(
                Tone::Plain,
                format!(
                    "At most {target:.0} % of the answered are bad, with 95 % confidence: found on one response of each \
                     of {rows} records.{risk}"
                ),
            );
        }
        Found::NeedsLabels(labels) => state.say(
            Tone::Warning,
            format!(
                "{target:.0} % bad is not to be promised with {rows} labelled records in the half that calibrates; about \
                 {labels} would be needed."
            ),
        ),
        Found::NotReachable => state.say(
            Tone::Warning,
            format!("No cut has as few as {target:.0} % bad among the answered."),
        ),
    }
}

/// Bins that keys step through.
const BINS: usize = 20;

/// Marks the bin to the right or the left; the first one marked is that of the cut.
pub fn mark_bin(state: &mut State, step: isize) {
    if state.focus == Pane::Figures {
        return mark_cell(state, step);
    }
    let at = match &state.marked {
        Some(Bin::Scores(from, _)) => ((from * BINS as f64).round() as usize)
            .saturating_add_signed(step)
            .min(BINS - 1),
        _ => ((state.threshold * BINS as f64) as usize).min(BINS - 1),
    };
    mark_scores(
        state,
        at as f64 / BINS as f64,
        (at + 1) as f64 / BINS as f64,
    );
}

/// Marks the scores from one value to another.
pub fn mark_scores(state: &mut State, from: f64, to: f64) {
    state.marked = Some(Bin::Scores(from, to));
    let rows = behind(state).len();
    state.say(
        Tone::Plain,
        format!("{rows} with a score from {from:.2} to {to:.2}; Enter opens them."),
    );
}

/// Marks the next count, or category, or the one before.
pub fn mark_cell(state: &mut State, step: isize) {
    let slices = state
        .cut
        .slices
        .iter()
        .map(|slice| Bin::Slice(slice.name.clone()));
    let all: Vec<Bin> = Cell::ALL.into_iter().map(Bin::Cell).chain(slices).collect();
    let at = state
        .marked
        .as_ref()
        .and_then(|bin| all.iter().position(|b| b == bin));
    let next = at.map_or(0, |at| at.saturating_add_signed(step).min(all.len() - 1));
    state.marked = all.get(next).cloned();
}

/// Opens the records behind what is marked.
pub fn open_records(state: &mut State) {
    let Some(bin) = state.marked.clone() else {
        state.say(
            Tone::Plain,
            "Mark a bin with [ and ], or a count with Tab and j.",
        );
        return;
    };
    let title = match bin {
        Bin::Scores(from, to) => format!("score {from:.2} to {to:.2}"),
        Bin::Cell(cell) => cell.word().to_owned(),
        Bin::Slice(name) => name,
    };
    let rows = behind(state);
    listing::open_records(state, title, &rows);
}

/// The rows behind what is marked, in the order of the data.
fn behind(state: &State) -> Vec<Row> {
    let Some(bin) = &state.marked else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (row, key) in state.scores.rows() {
        let card = state.scores.card(*key);
        let Some(decision) = card.and_then(|c| Decision::of(c, state.mode, state.alone)) else {
            continue;
        };
        let Some(good) = state.is_good(*row) else {
            continue;
        };
        let answered = decision.verdict(state.threshold) == Verdict::Answer;
        let is_behind = match bin {
            Bin::Scores(from, to) => {
                decision.value >= *from
                    && (decision.value < *to || (*to >= 1.0 && decision.value <= 1.0))
            }
            Bin::Cell(cell) => {
                let (wants_answered, wants_good) = match cell {
                    Cell::AnsweredGood => (true, true),
                    Cell::AnsweredBad => (true, false),
                    Cell::DeclinedGood => (false, true),
                    Cell::DeclinedBad => (false, false),
                };
                (answered, good) == (wants_answered, wants_good)
            }
            Bin::Slice(name) => {
                let item = state.item(row.0);
                item.is_some_and(|item| item.category.as_ref() == Some(name))
            }
        };
        if is_behind {
            found.push(*row);
        }
    }
    found
}
