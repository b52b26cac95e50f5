//! Typing and pasting responses.

use tui_textarea::{Input, Key as EditorKey};

use super::action::show;
use super::picker;
use crate::tui::effect::{Effect, Target};
use crate::tui::key::{Code, Key};
use crate::tui::layout::{Pane, Screen};
use crate::tui::state::{Origin, State, Tone};
use crate::tui::text::clean;

/// Opens the response under the cursor in the editor.
pub fn edit(state: &mut State) {
    let Some(record) = state.record_index() else {
        return;
    };
    if state.screen != Screen::Judge {
        let has_response = state.record().is_some_and(|r| !r.responses.is_empty());
        let origin = if has_response {
            Origin::Response(state.response)
        } else {
            Origin::Own
        };
        state.origins.insert(record, origin);
        show(state, Screen::Judge);
    }
    type_here(state);
}

fn type_here(state: &mut State) {
    if state.template.is_some() {
        state.focus = Pane::Editor;
        state.typing = true;
        return;
    }
    state.ensure_draft();
    if state.draft().is_some() {
        state.focus = Pane::Editor;
        state.typing = true;
    }
}

/// Hands the text of the editor, or the response, to the person's own editor.
pub fn external(state: &mut State) -> Vec<Effect> {
    if let Some(template) = state
        .template
        .as_ref()
        .filter(|_| state.screen == Screen::Judge)
    {
        let text = template.text();
        let target = Target::Template;
        return vec![Effect::External { text, target }];
    }
    edit(state);
    state.typing = false;
    let text = state.draft().map(|draft| draft.text());
    let target = state.draft_id().map(Target::Draft);
    let both = text.zip(target);
    let effect = both.map(|(text, target)| Effect::External { text, target });
    effect.into_iter().collect()
}

/// Takes the text that the person's own editor left.
pub fn edited(state: &mut State, target: Target, text: Result<String, String>) -> Vec<Effect> {
    let text = match text {
        Ok(text) => clean(text.trim_end_matches('\n')),
        Err(cause) => {
            state.log(cause.clone());
            state.say(Tone::Warning, cause);
            return Vec::new();
        }
    };
    match target {
        Target::Template => {
            if let Some(template) = &mut state.template {
                template.replace(&text);
            }
        }
        Target::Draft(id) => {
            let record = state.item(id.record);
            if let (Some(draft), Some(record)) = (state.drafts.get_mut(&id), record)
                && draft.text() != text
            {
                draft.replace(&record, &text);
            }
        }
    }
    Vec::new()
}

/// Takes back the last change of the draft, or makes it again.
pub fn undo(state: &mut State, again: bool) -> Vec<Effect> {
    let Some(id) = state.draft_id().filter(|_| state.screen == Screen::Judge) else {
        return Vec::new();
    };
    let record = state.item(id.record);
    if let (Some(draft), Some(record)) = (state.drafts.get_mut(&id), record) {
        draft.undo(&record, again);
    }
    Vec::new()
}

/// Takes a key of the editor.
pub fn key(state: &mut State, key: Key) -> Vec<Effect> {
    if let Some(template) = state
        .template
        .as_mut()
        .filter(|_| state.screen == Screen::Judge)
    {
        if let Some(input) = input(key) {
            template.area.input(input);
        }
        return Vec::new();
    }
    if state.generation.is_some() {
        state.say(Tone::Plain, "A response is being written; Esc stops it.");
        return Vec::new();
    }
    let (Some(input), Some(id)) = (input(key), state.draft_id()) else {
        return Vec::new();
    };
    let record = state.item(id.record);
    if let (Some(draft), Some(record)) = (state.drafts.get_mut(&id), record) {
        draft.input(&record, input);
    }
    Vec::new()
}

/// Takes pasted text: into the filter while it is typed, otherwise into the editor, as a response
/// of one's own where none is being edited.
pub fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    if state.overlay.is_some() {
        picker::paste(state, text);
        return Vec::new();
    }
    if state.listing.open {
        let line = clean(text).replace(['\n', '\t'], " ");
        state.listing.query.push_str(line.trim());
        return Vec::new();
    }
    if let Some(template) = state
        .template
        .as_mut()
        .filter(|_| state.screen == Screen::Judge)
    {
        template.area.insert_str(clean(text));
        return Vec::new();
    }
    if state.generation.is_some() {
        state.say(Tone::Plain, "A response is being written; Esc stops it.");
        return Vec::new();
    }
    if !matches!(state.screen, Screen::Explore | Screen::Judge) {
        // What one is in the middle of there is not left by a slip.
        state.say(
            Tone::Plain,
            "Nothing takes a paste here; explore and judge do.",
        );
        return Vec::new();
    }
    let Some(record) = state.record_index() else {
        return Vec::new();
    };
    if !state.typing {
        if state.screen != Screen::Judge {
            state.origins.insert(record, Origin::Own);
        }
        show(state, Screen::Judge);
        type_here(state);
    }
    let record = state.item(record);
    let draft = state.draft_id().and_then(|id| state.drafts.get_mut(&id));
    if let (Some(draft), Some(record)) = (draft, record) {
        draft.insert(&record, text);
    }
    Vec::new()
}

fn input(key: Key) -> Option<Input> {
    let code = match key.code {
        Code::Char(c) => EditorKey::Char(c),
        Code::Enter => EditorKey::Enter,
        Code::Tab => EditorKey::Tab,
        Code::Backspace => EditorKey::Backspace,
        Code::Delete => EditorKey::Delete,
        Code::Left => EditorKey::Left,
        Code::Right => EditorKey::Right,
        Code::Up => EditorKey::Up,
        Code::Down => EditorKey::Down,
        Code::Home => EditorKey::Home,
        Code::End => EditorKey::End,
        Code::PageUp => EditorKey::PageUp,
        Code::PageDown => EditorKey::PageDown,
        Code::Esc | Code::BackTab | Code::F(_) => return None,
    };
    Some(Input {
        key: code,
        ctrl: key.ctrl,
        alt: key.alt,
        shift: key.shift,
    })
}
