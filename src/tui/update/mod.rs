//! The one place where the state changes: a message in, effects out, nothing else touched.

mod action;
mod cut;
mod editing;
mod judge;
mod moves;
mod overlay;
mod pointer;
mod schedule;
mod themes;

use super::effect::Effect;
use super::key::{Code, Key};
use super::keymap::{Action, Layer, Lookup};
use super::message::Message;
use super::state::{DataFailure, DataStatus, Good, JudgeStatus, Loaded, State};

/// Takes a message.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    let mut effects = match message {
        Message::Key(key) => press(state, key),
        Message::Paste(text) => editing::paste(state, &text),
        Message::Mouse(mouse) => pointer::mouse(state, mouse),
        Message::Resize(width, height) => {
            state.size = (width, height);
            Vec::new()
        }
        Message::Tick => {
            state.tick += 1;
            return Vec::new();
        }
        Message::Data(result) => {
            data(state, *result);
            Vec::new()
        }
        Message::Judge(event) => judge::event(state, *event),
        Message::JudgeGone => {
            judge::gone(state);
            Vec::new()
        }
        Message::Themes { themes, error } => {
            themes::read_again(state, *themes, error);
            Vec::new()
        }
        Message::ThemeSuggested { theme, instead_of } => {
            themes::suggested(state, &theme, &instead_of);
            Vec::new()
        }
    };
    if effects.contains(&Effect::Quit) {
        return effects;
    }
    state.settle();
    effects.extend(schedule::schedule(state));
    effects
}

/// Takes a key: adds it to the sequence so far and looks what that means.
fn press(state: &mut State, key: Key) -> Vec<Effect> {
    state.notice = None;
    let asked = std::mem::take(&mut state.asked_to_quit);
    let layer = state.layer();
    state.pending_keys.push(key);
    match state.keymap.look_up(layer, &state.pending_keys) {
        Lookup::Found(action) => {
            state.pending_keys.clear();
            state.asked_to_quit = asked && matches!(action, Action::Quit | Action::Cancel);
            match layer {
                Layer::Overlay => overlay::run(state, action),
                _ => action::run(state, action),
            }
        }
        Lookup::Prefix => Vec::new(),
        Lookup::None => {
            let was_sequence = state.pending_keys.len() > 1;
            state.pending_keys.clear();
            match layer {
                // The key that breaks a sequence counts by itself.
                _ if was_sequence => press(state, key),
                Layer::Editor => editing::key(state, key),
                Layer::Prompt => {
                    prompt(state, key);
                    Vec::new()
                }
                _ => Vec::new(),
            }
        }
    }
}

/// Takes a key of the filter's text.
fn prompt(state: &mut State, key: Key) {
    let query = &mut state.filter.query;
    match (key.code, key.ctrl) {
        (Code::Backspace, false) => {
            query.pop();
        }
        (Code::Char('u'), true) => query.clear(),
        (Code::Char('w'), true) | (Code::Backspace, true) => {
            let kept = query.trim_end().rfind(' ').map_or(0, |at| at + 1);
            query.truncate(kept);
        }
        _ => match key.typed() {
            Some(c) => query.push(c),
            None => return,
        },
    }
    moves::refilter(state);
}

/// Takes the data.
fn data(state: &mut State, result: Result<Loaded, DataFailure>) {
    match result {
        Ok(loaded) => {
            let labels = state.facts.labels.len();
            state.library = loaded.library;
            state.facts = loaded.facts;
            state.errors.extend(loaded.errors);
            if loaded.complete {
                state.data = DataStatus::Ready;
            }
            if state.good.label.is_none() || (loaded.complete && !state.good.chosen) || labels == 0
            {
                state.good = Good::of(&state.facts);
            }
            state.filter.apply(&state.library);
        }
        Err(failure) => state.data = DataStatus::Failed(failure),
    }
}

/// Whether the judge can score; says so if not.
fn judge_is_ready(state: &mut State) -> bool {
    let why = match &state.judge {
        JudgeStatus::Ready(_) => return true,
        JudgeStatus::Loading { .. } => "The judge is still loading.",
        JudgeStatus::Absent | JudgeStatus::Failed { .. } => "There is no judge.",
    };
    state.say(super::state::Tone::Warning, why);
    false
}
