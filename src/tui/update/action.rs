//! What actions do outside overlays.

use super::{cut, editing, judge, moves, overlay};
use crate::tui::effect::Effect;
use crate::tui::keymap::Action;
use crate::tui::layout::{Pane, Screen};
use crate::tui::state::{Draft, DraftId, Origin, State, Tone};

/// Does an action.
pub fn run(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => return quit(state),
        Action::Cancel => return cancel(state),
        Action::Back => return back(state),
        Action::Accept => state.filter.open = false,
        Action::Explore => show(state, Screen::Explore),
        Action::Judge => show(state, Screen::Judge),
        Action::Threshold => show(state, Screen::Threshold),
        Action::GoodUp => cut::move_good(state, 1.0),
        Action::GoodDown => cut::move_good(state, -1.0),
        Action::Solve => cut::solve(state),
        Action::NextTarget => cut::next_target(state),
        Action::Help => overlay::help(state),
        Action::Errors => overlay::errors(state),
        Action::Themes => overlay::themes(state),
        Action::Down => moves::by(state, 1),
        Action::Up => moves::by(state, -1),
        Action::HalfDown => moves::by_half(state, 1),
        Action::HalfUp => moves::by_half(state, -1),
        Action::Top => moves::to_end(state, false),
        Action::Bottom => moves::to_end(state, true),
        Action::NextRecord => moves::record(state, 1),
        Action::PreviousRecord => moves::record(state, -1),
        Action::NextMatch => moves::around(state, true),
        Action::PreviousMatch => moves::around(state, false),
        Action::NextResponse => response(state, 1),
        Action::PreviousResponse => response(state, -1),
        Action::NextPane => pane(state, 1),
        Action::PreviousPane => pane(state, state.screen.panes().len() - 1),
        Action::Filter => filter(state),
        Action::ToggleMode => state.mode = state.mode.other(),
        Action::ThresholdUp => threshold(state, 1),
        Action::ThresholdDown => threshold(state, -1),
        Action::ThresholdUpMore => threshold(state, 5),
        Action::ThresholdDownMore => threshold(state, -5),
        Action::Edit => editing::edit(state),
        Action::Generate => return judge::generate(state),
        Action::Copy => return copy(state),
        Action::Paste => {
            let text = state.register.clone();
            if text.is_empty() {
                state.say(Tone::Plain, "Nothing was copied yet.");
            } else {
                return editing::paste(state, &text);
            }
        }
    }
    Vec::new()
}

/// Shows a screen.
pub fn show(state: &mut State, screen: Screen) {
    if state.screen != screen {
        state.screen = screen;
        state.focus = screen.panes()[0];
        state.typing = false;
        state.filter.open = false;
    }
}

/// Goes through the panes; one step less than all of them is one back.
fn pane(state: &mut State, steps: usize) {
    let panes = state.screen.panes();
    let at = panes.iter().position(|pane| *pane == state.focus);
    state.focus = panes[(at.unwrap_or(0) + steps) % panes.len()];
}

/// Moves among the responses; on the judge screen one's own draft stands before them.
fn response(state: &mut State, step: isize) {
    let count = state.record().map_or(0, |record| record.responses.len());
    match state.screen {
        Screen::Threshold => return,
        Screen::Explore => {
            if let Some(next) = state.response.checked_add_signed(step) {
                state.response = next.min(count.saturating_sub(1));
            }
        }
        Screen::Judge => {
            let Some(DraftId { record, origin }) = state.draft_id() else {
                return;
            };
            let place = match origin {
                Origin::Own => 0,
                Origin::Response(place) => place + 1,
            };
            let next = place.saturating_add_signed(step).min(count);
            let origin = match next {
                0 => Origin::Own,
                next => Origin::Response(next - 1),
            };
            state.origins.insert(record, origin);
            if let Origin::Response(place) = origin {
                state.response = place;
            }
        }
    }
    state.card_scroll = 0;
}

fn threshold(state: &mut State, hundredths: i32) {
    let now = (state.threshold * 100.0).round() as i32;
    state.threshold = f64::from((now + hundredths).clamp(0, 100)) / 100.0;
}

fn filter(state: &mut State) {
    show(state, Screen::Explore);
    state.focus = Pane::List;
    state.filter.open = true;
}

/// One step out.
fn back(state: &mut State) -> Vec<Effect> {
    if state.generation.is_some() {
        return judge::stop_generation(state);
    }
    if state.typing {
        state.typing = false;
    } else if state.filter.open || !state.filter.query.is_empty() {
        state.filter.open = false;
        state.filter.query.clear();
        moves::refilter(state);
    } else if state.screen != Screen::Explore {
        show(state, Screen::Explore);
    } else {
        state.focus = Pane::List;
    }
    Vec::new()
}

/// Leaves, after a second press where texts were typed that nothing keeps.
fn quit(state: &mut State) -> Vec<Effect> {
    let edited = state.drafts.values().any(Draft::is_changed);
    if edited && !state.asked_to_quit {
        state.asked_to_quit = true;
        state.say(
            Tone::Warning,
            "Edited responses are not kept; q again quits.",
        );
        return Vec::new();
    }
    vec![Effect::Quit]
}

/// Stops what is going on; with nothing going on, leaves when pressed again.
fn cancel(state: &mut State) -> Vec<Effect> {
    if state.generation.is_some() {
        return judge::stop_generation(state);
    }
    if state.typing || state.filter.open {
        state.typing = false;
        state.filter.open = false;
    } else if state.asked_to_quit {
        return vec![Effect::Quit];
    }
    state.asked_to_quit = true;
    state.say(Tone::Plain, "Ctrl-C again quits.");
    Vec::new()
}

fn copy(state: &mut State) -> Vec<Effect> {
    let text = match state.screen {
        Screen::Explore | Screen::Threshold => state
            .record()
            .and_then(|record| Some(record.responses.get(state.response)?.text.clone())),
        Screen::Judge => state.draft().map(|draft| draft.text()),
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Vec::new();
    };
    let count = text.chars().count();
    state.say(
        Tone::Plain,
        format!("Copied the response, {count} characters."),
    );
    state.register = text.clone();
    vec![Effect::Copy(text)]
}
