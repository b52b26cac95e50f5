//! Editing the judge's template, with live scores of the record under the cursor and of a pinned set.

use std::path::PathBuf;

use super::action::show;
use super::{jobs, picker};
use crate::run::live::Command;
use crate::tui::effect::{Effect, Write};
use crate::tui::layout::{Pane, Screen};
use crate::tui::state::{JudgeStatus, Purpose, State, TemplateEdit, Tone};

/// Most rows that can be pinned: all of them are scored again after every change.
const PINNED: usize = 24;

/// Opens the template in the editor.
pub fn edit(state: &mut State) {
    let JudgeStatus::Ready(info) = &state.judge else {
        state.say(
            Tone::Warning,
            "A template belongs to a judge, and there is none.",
        );
        return;
    };
    if state.template.is_none() {
        let edit = TemplateEdit::new(&info.template.1, state.identity.clone(), &state.theme);
        state.template = Some(edit);
    }
    show(state, Screen::Judge);
    state.focus = Pane::Editor;
    state.typing = true;
}

/// Closes the editor; the template as it stands stays in use.
pub fn close(state: &mut State) -> Vec<Effect> {
    state.typing = false;
    // What no file has yet stays at hand.
    if state.template.as_ref().is_some_and(|t| t.is_unsaved()) && !state.asked_to_close {
        state.asked_to_close = true;
        state.say(
            Tone::Warning,
            "The edited template is in no file: w saves it, Esc again closes it.",
        );
        return Vec::new();
    }
    let changed = state.template.take().is_some_and(|t| t.sent != t.original);
    if changed {
        state.say(
            Tone::Plain,
            "The edited template stays in use until the judge is loaded again (M); t edits on.",
        );
    }
    Vec::new()
}

/// Lets a file for the template be named.
pub fn ask_file(state: &mut State) {
    match state.template {
        Some(_) => picker::ask(state, Purpose::Template, "template.toml".into()),
        None => state.say(
            Tone::Plain,
            "No template is being edited: t on Judge edits it.",
        ),
    }
}

/// Saves the template for `--template`.
pub fn save(state: &mut State, path: PathBuf) -> Vec<Effect> {
    let Some(template) = &mut state.template else {
        return Vec::new();
    };
    let text = template.text();
    template.saved = Some(text.clone());
    vec![Effect::Write(Box::new(Write::Template { path, text }))]
}

/// Pins the response under the cursor, or lets it go.
pub fn pin(state: &mut State) {
    let Some((_, Some(row))) = state.current() else {
        state.say(Tone::Plain, "Only responses of the data can be pinned.");
        return;
    };
    match state.pinned.iter().position(|pinned| *pinned == row) {
        Some(at) => {
            state.pinned.remove(at);
            state.say(Tone::Plain, format!("{} pinned.", state.pinned.len()));
        }
        None if state.pinned.len() >= PINNED => {
            state.say(Tone::Warning, format!("At most {PINNED} can be pinned."));
        }
        None => {
            state.pinned.push(row);
            state.say(
                Tone::Plain,
                format!(
                    "{} pinned: scored again with every template.",
                    state.pinned.len()
                ),
            );
        }
    }
}

/// Tells the judge of a template that has changed.
pub fn send(state: &mut State) -> Vec<Effect> {
    let identity = state.identity.clone();
    let Some(template) = &mut state.template else {
        return Vec::new();
    };
    let text = template.text();
    if text == template.sent {
        return Vec::new();
    }
    template.sent.clone_from(&text);
    template.last = identity;
    let mut effects = jobs::leave(state);
    effects.push(Effect::Judge(Command::Template { text }));
    effects
}
