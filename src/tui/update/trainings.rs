//! Looking at trainings, stopping and forgetting them.

use super::jobs;
use crate::tui::effect::{Attend, Effect};
use crate::tui::keymap::{Action, Layer, sequence_label};
use crate::tui::layout::Pane;
use crate::tui::state::{RunRow, Standing, State, Tone, Watched};

/// What tells a row from others.
#[derive(PartialEq)]
enum RowKey {
    Run(i64),
    Training(String),
}

fn keys(state: &State) -> Vec<RowKey> {
    let rows = state.run_rows();
    let key = |row: &RunRow<'_>| match row {
        RunRow::Scoring(run) => RowKey::Run(run.id),
        RunRow::Training(watched) => RowKey::Training(watched.training.output.clone()),
    };
    rows.iter().map(key).collect()
}

/// Changes the rows; the cursor stays on what it was on.
pub fn change(state: &mut State, change: impl FnOnce(&mut State)) {
    let chosen = keys(state).into_iter().nth(state.runs.chosen);
    change(state);
    let now = keys(state);
    let place = chosen.and_then(|key| now.iter().position(|other| *other == key));
    let last = now.len().saturating_sub(1);
    state.runs.chosen = place.unwrap_or(state.runs.chosen).min(last);
}

/// Takes the trainings as they are now.
pub fn taken(state: &mut State, watched: Vec<Watched>) {
    match state.runs.trainings.is_none() {
        // Nobody has chosen yet: the newest row is.
        true => state.runs.trainings = Some(watched),
        false => change(state, |state| state.runs.trainings = Some(watched)),
    }
    if state.focus == Pane::Training && state.chosen_training().is_none() {
        state.focus = Pane::Runs;
    }
}

/// Shows the training under the cursor on the whole screen.
pub fn open(state: &mut State) {
    state.card_scroll = 0;
    state.focus = match state.focus {
        Pane::Training => Pane::Runs,
        _ => Pane::Training,
    };
}

/// Goes to another training, past all runs between.
pub fn go(state: &mut State, forward: bool) {
    let rows = state.run_rows();
    let is_training = |place: &usize| matches!(rows.get(*place), Some(RunRow::Training(_)));
    let chosen = state.runs.chosen;
    let found = match forward {
        true => (chosen + 1..rows.len()).find(is_training),
        false => (0..chosen).rev().find(is_training),
    };
    match found {
        Some(place) => {
            state.runs.chosen = place;
            state.card_scroll = 0;
        }
        None => {
            let which = if forward { "earlier" } else { "later" };
            state.say(Tone::Plain, format!("There is no {which} training."));
        }
    }
}

/// Whether the same was asked for by the key before; if not, it is now, with what there is to say.
fn is_asked(state: &mut State, action: Action, output: &str, said: &str) -> bool {
    let asked = (action, output.to_owned());
    if state.runs.asked.as_ref() == Some(&asked) {
        state.runs.asked = None;
        return true;
    }
    state.runs.asked = Some(asked);
    let keys = state.keymap.hint(Layer::Runs, action);
    let key = keys.map_or_else(String::new, |(keys, _)| {
        sequence_label(keys, state.glyphs.ascii)
    });
    state.say(Tone::Warning, format!("{key} again {said}"));
    false
}

/// Stops the training under the cursor, after a second press; with none that runs there, the job.
pub fn stop(state: &mut State) -> Vec<Effect> {
    let Some(watched) = state.chosen_training() else {
        return jobs::stop(state);
    };
    let output = watched.training.output.clone();
    match (watched.is_running(), watched.stopping) {
        (false, _) if state.runs.job.is_some() => return jobs::stop(state),
        (false, _) => state.say(Tone::Plain, "This training is not running."),
        (true, true) => state.say(
            Tone::Plain,
            "It is asked to stop already: it ends after this step.",
        ),
        (true, false) => {
            let said = "stops this training; a checkpoint is kept.";
            if is_asked(state, Action::StopJob, &output, said) {
                return vec![Effect::Attend(Attend::Stop(output))];
            }
        }
    }
    Vec::new()
}

/// Takes the training under the cursor from the list, after a second press where there is something left of it.
pub fn forget(state: &mut State) -> Vec<Effect> {
    let Some(watched) = state.chosen_training() else {
        state.say(Tone::Plain, "Only trainings can be taken from the list.");
        return Vec::new();
    };
    let (output, gone) = (
        watched.training.output.clone(),
        watched.standing == Standing::Gone,
    );
    if watched.is_running() {
        state.say(Tone::Warning, "It is running: stop it first.");
        return Vec::new();
    }
    let said = "takes it from the list; its files stay.";
    if gone || is_asked(state, Action::Forget, &output, said) {
        return vec![Effect::Attend(Attend::Forget(output))];
    }
    Vec::new()
}
