//! Another judge in place of the first, or a second one beside it.

use super::{jobs, picker};
use crate::data::Subject;
use crate::run::live::{Command, Event, Lane};
use crate::tui::effect::Effect;
use crate::tui::state::{JudgeStatus, Listed, Pending, Second, ShownMode, State, Tone};

/// Lets a judge be chosen.
pub fn choose(state: &mut State) {
    picker::open(state, Listed::Judges { second: false });
}

/// Lets a second judge be chosen; one that is there is let go.
pub fn second(state: &mut State) -> Vec<Effect> {
    if let Some(second) = state.second.take() {
        state.say(Tone::Plain, format!("{} is let go.", second.name));
        return vec![Effect::Load {
            second: true,
            judge: None,
        }];
    }
    picker::open(state, Listed::Judges { second: true });
    Vec::new()
}

/// Has a judge loaded.
pub fn load(state: &mut State, second: bool, name: String) -> Vec<Effect> {
    let loading = JudgeStatus::Loading {
        stage: "starting".into(),
        done: 0,
        total: 0,
    };
    let mut effects = Vec::new();
    if second {
        state.second = Some(Second {
            name: name.clone(),
            status: loading,
            scores: Default::default(),
        });
    } else {
        // What it has scored so far is its own.
        effects.extend(jobs::leave(state));
        state.put_scores_away();
        state.generation = None;
        state.samples = None;
        state.template = None;
        state.mode = ShownMode::Reference;
        state.judge_name = Some(name.clone());
        state.judge = loading;
    }
    state.log(format!("Loading {name}"));
    effects.push(Effect::Load {
        second,
        judge: Some(name),
    });
    effects
}

/// The second judge says something.
pub fn event(state: &mut State, event: Event) {
    let Some(second) = &mut state.second else {
        return;
    };
    match event {
        Event::Loading { stage, done, total } => {
            second.status = JudgeStatus::Loading { stage, done, total };
        }
        Event::Ready(info) => second.status = JudgeStatus::Ready(info),
        Event::LoadFailed { cause, cure } => {
            let said = format!("{cause} {cure}");
            second.status = JudgeStatus::Failed { cause, cure };
            state.log(said);
        }
        Event::Scored {
            ticket,
            card,
            seconds,
        } => second.scores.scored(ticket, card, seconds),
        Event::Failed { ticket, error } => {
            second.scores.failed(ticket, error);
        }
        Event::Cancelled { ticket } => {
            second.scores.cancelled(ticket);
        }
        _ => {}
    }
}

/// The second judge went away.
pub fn gone(state: &mut State) {
    if let Some(second) = &mut state.second {
        second.scores.forget_pending();
        if !matches!(second.status, JudgeStatus::Failed { .. }) {
            second.status = JudgeStatus::Failed {
                cause: "The second judge stopped.".into(),
                cure: "Load it again.".into(),
            };
        }
    }
}

/// Asks the second judge for the texts under the cursor.
pub fn ask(state: &mut State, key: crate::data::SubjectKey, subject: Subject) -> Vec<Effect> {
    let ticket = state.next_ticket;
    let Some(second) = &mut state.second else {
        return Vec::new();
    };
    let ready = matches!(second.status, JudgeStatus::Ready(_));
    let known = second.scores.card(key).is_some() || second.scores.failure(key).is_some();
    if !ready || known || second.scores.is_pending(key) {
        return Vec::new();
    }
    state.next_ticket += 1;
    let lane = Lane::Interactive;
    let pending = Pending {
        key,
        lane,
        row: None,
        dropped: false,
    };
    second.scores.ask(ticket, pending);
    vec![Effect::Second(Command::Score {
        ticket,
        subject,
        lane,
    })]
}
