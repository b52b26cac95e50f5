//! Choosing from a list, and typing a line.

use std::path::PathBuf;
use std::sync::Arc;

use super::{action, annotate, jobs, judges, listing, samples};
use crate::tui::effect::{Effect, Write};
use crate::tui::key::{Code, Key};
use crate::tui::keymap::Action;
use crate::tui::state::{Column, Exported, Listed, Overlay, Pick, Purpose, State, Tone};

/// Opens a list.
pub fn open(state: &mut State, listed: Listed) {
    let entries = state.entries(&listed, "");
    let chosen = entries.iter().position(|entry| entry.on).unwrap_or(0);
    state.overlay = Some(Overlay::Pick {
        listed,
        query: String::new(),
        chosen,
    });
}

/// Opens a line to type.
pub fn ask(state: &mut State, purpose: Purpose, text: String) {
    state.overlay = Some(Overlay::Line { purpose, text });
}

/// Does an action while a list or a line is open.
pub fn run(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Back | Action::Cancel => state.overlay = None,
        Action::Down => by(state, 1),
        Action::Up => by(state, -1),
        Action::HalfDown => by(state, 10),
        Action::HalfUp => by(state, -10),
        Action::Accept => return accept(state),
        screen if action::screen_of(screen).is_some() => {
            state.overlay = None;
            return action::run(state, screen);
        }
        _ => {}
    }
    Vec::new()
}

fn by(state: &mut State, lines: isize) {
    let count = match &state.overlay {
        Some(Overlay::Pick { listed, query, .. }) => state.entries(listed, query).len(),
        _ => return,
    };
    if let Some(Overlay::Pick { chosen, .. }) = &mut state.overlay {
        *chosen = chosen
            .saturating_add_signed(lines)
            .min(count.saturating_sub(1));
    }
}

/// Takes a key of what is typed.
pub fn key(state: &mut State, key: Key) {
    let text = match &mut state.overlay {
        Some(Overlay::Pick { query, chosen, .. }) => {
            *chosen = 0;
            query
        }
        Some(Overlay::Line { text, .. }) => text,
        _ => return,
    };
    type_into(text, key);
}

/// Types a key into a line; whether it changed.
pub fn type_into(text: &mut String, key: Key) -> bool {
    match (key.code, key.ctrl) {
        (Code::Backspace, false) => drop(text.pop()),
        (Code::Char('u'), true) => text.clear(),
        (Code::Char('w'), true) | (Code::Backspace, true) => {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
        }
        _ => match key.typed() {
            Some(c) => text.push(c),
            None => return false,
        },
    }
    true
}

/// Pasted text goes into the line.
pub fn paste(state: &mut State, pasted: &str) -> bool {
    let line = crate::tui::text::clean(pasted).replace(['\n', '\t'], " ");
    match &mut state.overlay {
        Some(Overlay::Pick { query, chosen, .. }) => {
            *chosen = 0;
            query.push_str(line.trim());
        }
        Some(Overlay::Line { text, .. }) => text.push_str(line.trim()),
        _ => return false,
    }
    true
}

/// Takes the line under the cursor, or what was typed.
pub fn accept(state: &mut State) -> Vec<Effect> {
    match state.overlay.take() {
        Some(Overlay::Line { purpose, text }) => take_line(state, purpose, text),
        Some(Overlay::Pick {
            listed,
            query,
            chosen,
        }) => {
            let entry = state.entries(&listed, &query).into_iter().nth(chosen);
            let Some(entry) = entry else {
                state.overlay = Some(Overlay::Pick {
                    listed,
                    query,
                    chosen,
                });
                return Vec::new();
            };
            let stays = matches!(entry.pick, Pick::Column(_) | Pick::Facet(_));
            if stays {
                state.overlay = Some(Overlay::Pick {
                    listed: listed.clone(),
                    query,
                    chosen,
                });
            }
            take(state, &listed, entry.pick)
        }
        other => {
            state.overlay = other;
            Vec::new()
        }
    }
}

fn take(state: &mut State, listed: &Listed, pick: Pick) -> Vec<Effect> {
    match pick {
        Pick::Do(action) => return action::run(state, action),
        Pick::Facet(facet) => {
            let facets = &mut state.listing.facets;
            match facets.iter().position(|known| *known == facet) {
                Some(at) => drop(facets.remove(at)),
                None => {
                    // Two values of one field would leave nothing.
                    facets.retain(|known| known.field != facet.field);
                    facets.push(facet);
                }
            }
            state.relist();
        }
        Pick::Sort(by) => {
            state.listing.sort = by;
            state.listing.reverse = false;
            listing::to_top(state);
        }
        Pick::Column(column) => {
            let columns = &mut state.columns;
            match columns.iter().position(|known| *known == column) {
                Some(at) => drop(columns.remove(at)),
                None => columns.push(column),
            }
            let place = |c: &Column| Column::ALL.iter().position(|(known, _)| known == c);
            columns.sort_by_key(place);
        }
        Pick::Queue(order) => {
            state.annotate.order = order;
            state.annotate.made_of = None;
            state.annotate.wish = None;
            state.annotate.queue.clear();
            state.ensure_queue();
        }
        Pick::Judge(name) => {
            let second = matches!(listed, Listed::Judges { second: true });
            return judges::load(state, second, name);
        }
        Pick::Sample(place) => samples::take(state, place),
        Pick::Export(what) => ask(
            state,
            Purpose::Export(what),
            format!("{}.jsonl", what.word()),
        ),
    }
    Vec::new()
}

fn take_line(state: &mut State, purpose: Purpose, text: String) -> Vec<Effect> {
    let path = PathBuf::from(text.trim());
    let named = !text.trim().is_empty();
    match purpose {
        Purpose::Comment(row) => return annotate::comment(state, row, text),
        Purpose::Annotator => return annotate::annotator(state, &text),
        _ if !named => state.say(Tone::Warning, "A file has a name."),
        Purpose::Preset => return jobs::save_preset(state, path),
        Purpose::Report => return jobs::report(state, path),
        Purpose::Export(what) => {
            let records = state.listing.order.clone().map(Arc::new);
            let label = match what {
                Exported::Pairs => state.good.label.clone(),
                _ => None,
            };
            return vec![Effect::Write(Box::new(Write::Export {
                path,
                what,
                library: state.library.clone(),
                records,
                label,
            }))];
        }
    }
    Vec::new()
}
