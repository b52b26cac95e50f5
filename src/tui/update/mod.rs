//! The one place where the state changes: a message in, effects out, nothing else touched.

mod action;
mod annotate;
mod cut;
mod editing;
mod inspect;
mod jobs;
mod judge;
mod judges;
mod listing;
mod moves;
mod overlay;
mod pairs;
mod picker;
mod pointer;
mod samples;
mod schedule;
mod template;
pub(super) mod themes;
mod trainings;

use super::effect::{Effect, Keep};
use super::key::Key;
use super::keymap::{Action, Layer, Lookup};
use super::message::{Kept, Message};
use super::state::{DataFailure, DataStatus, Good, JudgeStatus, Loaded, SortBy, State, Tone};

/// Takes a message.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    state.touched |= matches!(
        message,
        Message::Key(_) | Message::Mouse(_) | Message::Paste(_)
    );
    let mut effects = match message {
        Message::Key(key) => press(state, key),
        Message::Paste(text) => editing::paste(state, &text),
        Message::Mouse(mouse) => pointer::mouse(state, mouse),
        Message::Resize(width, height) => {
            state.size = (width, height);
            state.keep_long();
            Vec::new()
        }
        Message::Tick => {
            state.tick += 1;
            if !state.is_looking() {
                return Vec::new();
            }
            Vec::new()
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
        Message::Themes { themes, errors } => {
            themes::read_again(state, *themes, &errors);
            Vec::new()
        }
        Message::ThemeSuggested { theme, instead_of } => {
            themes::suggested(state, &theme, &instead_of);
            Vec::new()
        }
        Message::Second(event) => {
            judges::event(state, *event);
            Vec::new()
        }
        Message::SecondGone => {
            judges::gone(state);
            Vec::new()
        }
        Message::Kept(kept) => {
            remembered(state, *kept);
            Vec::new()
        }
        Message::Found {
            number,
            records,
            complete,
        } => {
            listing::found(state, number, records, complete);
            Vec::new()
        }
        Message::Facets(facets) => {
            listing::counted(state, facets);
            Vec::new()
        }
        Message::Agreed(agreed) => {
            state.take_agreed(*agreed);
            Vec::new()
        }
        Message::Edited { target, text } => editing::edited(state, target, text),
        Message::Written(result) => {
            let (tone, said) = match result {
                Ok(said) => (Tone::Plain, said),
                Err(cause) => (Tone::Warning, cause),
            };
            state.log(said.clone());
            state.say(tone, said);
            Vec::new()
        }
        Message::NoShell => {
            let said = "No shell would bring the explorer back from there; q leaves it.";
            state.say(Tone::Warning, said.to_owned());
            Vec::new()
        }
        Message::Exists { purpose, path } => {
            picker::exists(state, purpose, path);
            Vec::new()
        }
        Message::Compared { between, found } => {
            jobs::compared(state, between, *found);
            Vec::new()
        }
        Message::Trainings(watched) => {
            trainings::taken(state, watched);
            Vec::new()
        }
    };
    if effects.contains(&Effect::Quit) {
        return effects;
    }
    effects.extend(listing::search(state));
    state.settle();
    effects.extend(template::send(state));
    effects.extend(schedule::schedule(state));
    effects.extend(jobs::advance(state));
    effects.extend(place(state));
    let comparison = state.to_compare().map(Box::new);
    effects.extend(comparison.map(Effect::Compare));
    effects
}

/// Takes what the store says.
fn remembered(state: &mut State, kept: Kept) {
    match kept {
        Kept::Opened {
            events,
            annotator,
            place,
            runs,
        } => {
            state.runs.all = runs;
            state.place = place.and_then(|text| serde_json::from_str(&text).ok());
            if let Some(queue) = state.place.as_ref().and_then(|place| place.queue.clone()) {
                state.take_queue_place(queue);
            }
            if state.data == DataStatus::Ready {
                state.go_to_place();
            }
            annotate::opened(state, events, annotator);
        }
        Kept::Runs(runs) if state.chosen_training().is_some() => {
            trainings::change(state, |state| state.runs.all = runs);
        }
        Kept::Runs(runs) => state.runs.all = runs,
        kept => annotate::kept(state, kept),
    }
}

/// Remembers where the person is, where that has changed.
fn place(state: &mut State) -> Option<Effect> {
    if state.place_key.is_empty() || state.place.is_some() || state.data != DataStatus::Ready {
        return None;
    }
    let value = serde_json::to_string(&state.here()?).ok()?;
    if state.remembered.as_ref() == Some(&value) {
        return None;
    }
    let first = state.remembered.replace(value.clone()).is_none();
    let key = state.place_key.clone();
    (!first).then_some(Effect::Keep(Keep::Remember { key, value }))
}

/// Takes a key: adds it to the sequence so far and looks what that means.
fn press(state: &mut State, key: Key) -> Vec<Effect> {
    state.notice = None;
    let asked = std::mem::take(&mut state.asked_to_quit);
    let asked_to_close = std::mem::take(&mut state.asked_to_close);
    let asked_of = state.runs.asked.take();
    let layer = state.layer();
    state.pending_keys.push(key);
    match state.keymap.look_up(layer, &state.pending_keys) {
        Lookup::Found(action) => {
            state.pending_keys.clear();
            state.asked_to_quit = asked && matches!(action, Action::Quit | Action::Cancel);
            state.asked_to_close = asked_to_close && action == Action::Back;
            state.runs.asked = asked_of.filter(|(asked, _)| *asked == action);
            match (layer, &state.overlay) {
                (Layer::Overlay, _) | (Layer::Prompt, Some(_)) => overlay::run(state, action),
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
                    match state.overlay.is_some() {
                        true => picker::key(state, key),
                        false => drop(picker::type_into(&mut state.listing.query, key)),
                    }
                    Vec::new()
                }
                Layer::Annotate => match key.typed().and_then(|c| c.to_digit(10)) {
                    Some(digit) => annotate::digit(state, digit as u8),
                    None => Vec::new(),
                },
                _ => Vec::new(),
            }
        }
    }
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
            state.take_good();
            if let Some(selection) = loaded.selection {
                state.selection = Some(*selection);
                state.listing.sort = SortBy::Selection;
                if !state.touched {
                    listing::to_top(state);
                }
            }
            if loaded.complete {
                annotate::scale(state);
                state.go_to_place();
            }
            if state.listing.asked.is_idle() {
                state.relist();
            }
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
    state.say(Tone::Warning, why);
    false
}
