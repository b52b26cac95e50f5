//! What the judge says, and having a response written.

use super::action::show;
use super::{inspect, judge_is_ready, pairs, samples};
use crate::run::live::{Command, Event, JudgeInfo, Sampling, Ticket};
use crate::stats::preset::Preset;
use crate::tui::effect::Effect;
use crate::tui::layout::{Pane, Screen};
use crate::tui::state::{DraftId, Generation, JudgeStatus, Origin, ShownMode, State, Tone};

/// Takes an event. Events of tickets that are not waited for change nothing.
pub fn event(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Loading { stage, done, total } => {
            state.judge = JudgeStatus::Loading { stage, done, total };
        }
        Event::Ready(info) => {
            state.take_identity(&info.identity);
            state.log(format!("{} is ready", info.name));
            if let Some(template) = &mut state.template {
                template.trouble = None;
            }
            if let Some(preset) = state.preset.take() {
                take_preset(state, &preset, &info);
            }
            state.judge = JudgeStatus::Ready(info);
            state.take_detector();
        }
        Event::LoadFailed { cause, cure } => {
            state.log(format!("No judge: {cause} {cure}"));
            state.judge = JudgeStatus::Failed { cause, cure };
        }
        Event::TemplateFailed { cause } => {
            if let Some(template) = &mut state.template {
                template.trouble = Some(cause);
            }
        }
        Event::Attributed {
            ticket,
            attribution,
        } => inspect::attributed(state, ticket, attribution),
        Event::Inspected { ticket, inspection } => inspect::inspected(state, ticket, inspection),
        Event::Paired {
            ticket, judgment, ..
        } => pairs::paired(state, ticket, *judgment),
        Event::Reasoned { ticket, text } => {
            pairs::reasoned(state, ticket, Ok(text));
        }
        Event::Scored {
            ticket,
            card,
            seconds,
        } => state.scores.scored(ticket, card, seconds),
        Event::Token { ticket, text } => token(state, ticket, &text),
        Event::Generated { ticket, text } => match samples::written(state, ticket, &text) {
            Some(effects) => return effects,
            None => generated(state, ticket, &text),
        },
        Event::Cancelled { ticket } => {
            inspect::failed(state, ticket, None);
            state.pairs.cancelled(ticket);
            if !state.scores.cancelled(ticket) && !samples::failed(state, ticket, "stopped") {
                end_generation(state, ticket);
            }
        }
        Event::Failed { ticket, error } => {
            if inspect::failed(state, ticket, Some(&error))
                || pairs::failed(state, ticket, &error)
                || samples::failed(state, ticket, &error)
            {
                return Vec::new();
            }
            let score = state.scores.failed(ticket, error.clone());
            if score {
                state.log(format!("Not scored: {error}"));
                if state.scores.failed_rows().count() == 1 {
                    let hint = "L shows all that happens";
                    state.say(Tone::Warning, format!("Not scored: {error} ({hint})"));
                }
            } else if end_generation(state, ticket) {
                state.log(format!("Not written: {error}"));
                state.say(Tone::Warning, format!("Not written: {error}"));
            }
        }
    }
    Vec::new()
}

/// Cuts where a preset says, if it is for this judge.
fn take_preset(state: &mut State, preset: &Preset, info: &JudgeInfo) {
    let shown = ["fused", "self_eval", "self_eval_ref", "self_eval_free"];
    if let Some(cause) = preset.mismatch(&shown, &info.identity, &info.source) {
        state.say(Tone::Warning, format!("The preset is not used: {cause}"));
        return;
    }
    state.good_given = Some((preset.label.clone(), preset.good.clone()));
    state.take_good();
    let (low, high) = info.scale;
    state.alone = preset.signal != "fused";
    state.threshold = match state.alone {
        true => (preset.threshold - low) / (high - low),
        false => preset.threshold,
    };
    if preset.signal == "self_eval_free" {
        state.mode = ShownMode::Free;
    }
}

/// The judge went away.
pub fn gone(state: &mut State) {
    state.scores.forget_pending();
    state.generation = None;
    state.asked_worth = None;
    state.asked_inspection = None;
    state.pairs.forget_pending();
    if !matches!(state.judge, JudgeStatus::Failed { .. }) {
        state.judge = JudgeStatus::Failed {
            cause: "The judge stopped.".into(),
            cure: "Start Juror again; what is scored stays until then.".into(),
        };
    }
}

/// Has a response written into one's own draft of the record.
pub fn generate(state: &mut State) -> Vec<Effect> {
    if state.generation.is_some() {
        state.say(Tone::Plain, "A response is being written; Esc stops it.");
        return Vec::new();
    }
    if state.record().is_none() || !judge_is_ready(state) {
        return Vec::new();
    }
    let Some(index) = state.record_index() else {
        return Vec::new();
    };
    show(state, Screen::Judge);
    state.origins.insert(index, Origin::Own);
    state.focus = Pane::Editor;
    state.typing = false;
    state.ensure_draft();
    let ticket = state.ticket();
    let id = DraftId {
        record: index,
        origin: Origin::Own,
    };
    let Some(record) = state.item(index) else {
        return Vec::new();
    };
    let mut before = String::new();
    if let Some(draft) = state.drafts.get_mut(&id)
        && !draft.area.is_empty()
    {
        before = draft.text();
        draft.replace(&record, "");
    }
    state.generation = Some(Generation {
        ticket,
        draft: id,
        before,
        chars: 0,
        scored: 0,
    });
    let sampling = Sampling {
        seed: state.generated,
        ..Sampling::default()
    };
    state.generated += 1;
    // What is scored ahead waits: somebody is watching this.
    state.scores.drop_batch();
    vec![
        Effect::Judge(Command::CancelBatch),
        Effect::Judge(Command::Generate {
            ticket,
            instruction: record.task(),
            sampling,
        }),
    ]
}

/// Stops writing and keeps the text so far.
pub fn stop_generation(state: &mut State) -> Vec<Effect> {
    match state.generation.take() {
        Some(generation) => {
            keep(state, &generation);
            state.say(Tone::Plain, "Stopped; the text so far is kept.");
            vec![Effect::Judge(Command::Cancel(generation.ticket))]
        }
        None => Vec::new(),
    }
}

fn token(state: &mut State, ticket: Ticket, text: &str) {
    let Some(generation) = &mut state.generation else {
        return;
    };
    if generation.ticket != ticket {
        return;
    }
    generation.chars += text.chars().count();
    let id = generation.draft;
    let record = state.item(id.record);
    if let (Some(draft), Some(record)) = (state.drafts.get_mut(&id), record) {
        draft.append(&record, text);
    }
}

fn generated(state: &mut State, ticket: Ticket, text: &str) {
    let Some(generation) = state.generation.as_ref() else {
        return;
    };
    if generation.ticket != ticket {
        return;
    }
    let id = generation.draft;
    let record = state.item(id.record);
    if let (Some(draft), Some(record)) = (state.drafts.get_mut(&id), record)
        && draft.text() != crate::tui::text::clean(text)
    {
        draft.replace(&record, text);
    }
    end_generation(state, ticket);
    state.say(Tone::Plain, "Written.");
}

/// What was written becomes one change to what was there before, so that undo leads back to it and
/// not through every token.
fn keep(state: &mut State, generation: &Generation) {
    let Some(record) = state.item(generation.draft.record) else {
        return;
    };
    if let Some(draft) = state.drafts.get_mut(&generation.draft) {
        draft.settle(&record, &generation.before, &state.theme);
    }
}

/// Whether the ticket was that of the writing going on, which ends.
fn end_generation(state: &mut State, ticket: Ticket) -> bool {
    let ours = state
        .generation
        .as_ref()
        .is_some_and(|generation| generation.ticket == ticket);
    if ours && let Some(generation) = state.generation.take() {
        keep(state, &generation);
    }
    ours
}
