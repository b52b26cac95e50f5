//! Moving what is good, and letting a threshold be found.

use crate::stats::threshold::Found;
use crate::tui::state::{State, Tone};

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
            state.say(
                Tone::Plain,
                format!(
                    "At most {target:.0} % of the answered are bad, with 95 % confidence: found on {rows} records of \
                     one half; figures are of all."
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
