//! What actions do outside overlays.

use super::{
    annotate, cut, editing, inspect, jobs, judge, judges, listing, moves, overlay, pairs, picker,
    samples, template, trainings,
};
use crate::tui::effect::Effect;
use crate::tui::keymap::Action;
use crate::tui::layout::{Pane, Screen};
use crate::tui::state::{Document, Draft, DraftId, Listed, Origin, Quick, State, Tone};

/// Does an action.
pub fn run(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => return quit(state),
        Action::Cancel => return cancel(state),
        Action::Back => return back(state),
        Action::Accept => {
            state.listing.open = false;
            listing::say_nothing_found(state);
        }
        Action::Explore => show(state, Screen::Explore),
        Action::Judge => show(state, Screen::Judge),
        Action::Compare => show(state, Screen::Compare),
        Action::Threshold => show(state, Screen::Threshold),
        Action::Annotate => show(state, Screen::Annotate),
        Action::Runs => show(state, Screen::Runs),
        Action::Palette => picker::open(state, Listed::Palette),
        Action::External => return editing::external(state),
        Action::Suspend => return vec![Effect::Suspend],
        Action::Undo if state.screen == Screen::Annotate => return annotate::undo(state, false),
        Action::Redo if state.screen == Screen::Annotate => return annotate::undo(state, true),
        Action::Undo => return editing::undo(state, false),
        Action::Redo => return editing::undo(state, true),
        Action::Export => picker::open(state, Listed::Export),
        Action::Judges => judges::choose(state),
        Action::SecondJudge => return judges::second(state),
        Action::Report => jobs::ask_report(state),
        Action::QuickMode => listing::quick(state, true),
        Action::QuickModeBack => listing::quick(state, false),
        Action::Facets => return listing::facets(state),
        Action::Sort => picker::open(state, Listed::Sort),
        Action::SortReverse => listing::reverse(state),
        Action::SelectMore => listing::select(state, 1),
        Action::SelectLess => listing::select(state, -1),
        Action::Columns => picker::open(state, Listed::Columns),
        Action::Diff => diff(state),
        Action::Attribute => return inspect::attribute(state),
        Action::Disagreeing => listing::most_disagreeing(state),
        Action::Samples => return samples::open(state),
        Action::Why => return pairs::why(state),
        Action::Bracket => pairs::bracket(state),
        Action::Template => template::edit(state),
        Action::Inspect => return inspect::inspect(state),
        Action::Pin => template::pin(state),
        Action::SaveTemplate => template::ask_file(state),
        Action::SavePreset => jobs::ask_preset(state),
        Action::OpenRecords if state.screen == Screen::Runs => {
            match state.chosen_training().is_some() {
                true => trainings::open(state),
                false => jobs::open_changed(state),
            }
        }
        Action::OpenRecords => cut::open_records(state),
        Action::NextBin => cut::mark_bin(state, 1),
        Action::PreviousBin => cut::mark_bin(state, -1),
        Action::Comment => annotate::ask_comment(state, false),
        Action::CommentLast => annotate::ask_comment(state, true),
        Action::Skip => return annotate::skip(state),
        Action::ClearLabel => return annotate::clear(state),
        Action::Blind => state.annotate.blind = !state.annotate.blind,
        Action::Queue => annotate::ask_queue(state),
        Action::Annotator => annotate::ask_annotator(state),
        Action::ScoreAll => return jobs::start(state),
        Action::Retry => return jobs::retry(state),
        Action::StopJob => return trainings::stop(state),
        Action::Forget => return trainings::forget(state),
        Action::NextTraining => trainings::go(state, true),
        Action::PreviousTraining => trainings::go(state, false),
        Action::MarkRun => return jobs::mark(state),
        Action::Log => overlay::log(state),
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

/// The screen that an action shows.
pub fn screen_of(action: Action) -> Option<Screen> {
    Some(match action {
        Action::Explore => Screen::Explore,
        Action::Judge => Screen::Judge,
        Action::Compare => Screen::Compare,
        Action::Threshold => Screen::Threshold,
        Action::Annotate => Screen::Annotate,
        Action::Runs => Screen::Runs,
        _ => return None,
    })
}

fn diff(state: &mut State) {
    state.diff = !state.diff;
    if state.diff {
        state.attributing = false;
    }
    let said = match (state.diff, lacks(state)) {
        (true, Some(what)) => format!("Marks are on; {what}."),
        (true, None) => "What the two do not share is marked.".to_owned(),
        (false, _) => "Plain texts.".to_owned(),
    };
    state.say(Tone::Plain, said);
}

/// Why nothing can be marked where one is.
fn lacks(state: &State) -> Option<&'static str> {
    let record = state.record()?;
    match state.screen {
        Screen::Explore if record.responses.is_empty() => Some("this record has no response"),
        Screen::Explore if !Document::has_other(&record) => {
            Some("this record has no reference to compare with")
        }
        Screen::Compare if state.pair().is_none() => {
            Some("this record has no other response to compare with")
        }
        Screen::Judge => Some("explore and compare show them"),
        _ => None,
    }
}

/// Shows a screen.
pub fn show(state: &mut State, screen: Screen) {
    if state.screen != screen {
        // The response one was looking at is one of the two.
        let (left, right) = state.compare;
        let here = state.response;
        if screen == Screen::Compare && ![left, right].contains(&here) {
            state.compare = (usize::from(here == 0), here);
            state.compare_scroll = (0, 0);
        }
        state.screen = screen;
        state.focus = screen.panes()[0];
        state.typing = false;
        state.listing.open = false;
        state.card_scroll = 0;
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
        Screen::Threshold | Screen::Annotate | Screen::Runs => return,
        Screen::Compare => {
            let (left, right) = &mut state.compare;
            let (side, scroll) = match state.focus {
                Pane::Right => (right, &mut state.compare_scroll.1),
                _ => (left, &mut state.compare_scroll.0),
            };
            *side = side
                .saturating_add_signed(step)
                .min(count.saturating_sub(1));
            *scroll = 0;
        }
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
    state.listing.open = true;
}

/// One step out.
fn back(state: &mut State) -> Vec<Effect> {
    if state.generation.is_some() {
        return judge::stop_generation(state);
    }
    if state.focus == Pane::Training {
        state.focus = Pane::Runs;
    } else if state.typing {
        state.typing = false;
    } else if state.listing.open || !state.listing.query.is_empty() {
        state.listing.open = false;
        state.listing.query.clear();
    } else if state.template.is_some() && state.screen == Screen::Judge {
        return template::close(state);
    } else if state.screen != Screen::Explore {
        show(state, Screen::Explore);
    } else if state.listing.quick != Quick::All || !state.listing.facets.is_empty() {
        state.listing.quick = Quick::All;
        state.listing.facets.clear();
        state.relist();
    } else {
        state.focus = Pane::List;
    }
    Vec::new()
}

/// Leaves, after a second press where texts were typed that nothing keeps.
fn quit(state: &mut State) -> Vec<Effect> {
    let edited = state.drafts.values().any(Draft::is_changed);
    let template = state.template.as_ref().is_some_and(|t| t.is_unsaved());
    let job = state.runs.job.is_some();
    if job && !state.asked_to_quit {
        state.asked_to_quit = true;
        let said =
            "Everything is being scored; q again quits. What is scored is not computed again.";
        state.say(Tone::Warning, said);
        return Vec::new();
    }
    if template && !state.asked_to_quit {
        state.asked_to_quit = true;
        let said = "The edited template is in no file: w on Judge saves it, q again quits.";
        state.say(Tone::Warning, said);
        return Vec::new();
    }
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
    if state.runs.job.is_some() {
        return jobs::stop(state);
    }
    if state.typing || state.listing.open {
        state.typing = false;
        state.listing.open = false;
    } else if state.asked_to_quit {
        return vec![Effect::Quit];
    }
    state.asked_to_quit = true;
    state.say(Tone::Plain, "Ctrl-C again quits.");
    Vec::new()
}

fn copy(state: &mut State) -> Vec<Effect> {
    let text = match state.screen {
        Screen::Judge => state.draft().map(|draft| draft.text()),
        screen => {
            let place = match (screen, state.focus) {
                (Screen::Compare, Pane::Right) => state.compare.1,
                (Screen::Compare, _) => state.compare.0,
                _ => state.response,
            };
            let record = state.record();
            record.and_then(|record| Some(record.responses.get(place)?.text.clone()))
        }
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
