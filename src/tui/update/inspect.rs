//! Looking closer: what the judge sees, and what each sentence is worth.

use super::judge_is_ready;
use crate::data::{Subject, SubjectKey};
use crate::judge::attribution::Attribution;
use crate::judge::inspect::Inspection;
use crate::run::live::{Command, Ticket};
use crate::tui::effect::Effect;
use crate::tui::layout::Screen;
use crate::tui::state::{Overlay, ShownMode, State, Tone};

/// The texts under the cursor.
fn subject(state: &State) -> Option<(SubjectKey, Subject)> {
    let (key, _) = state.current()?;
    let record = state.record()?;
    let text = match state.screen {
        Screen::Judge => state.draft()?.text(),
        _ => record.responses.get(state.response)?.text.clone(),
    };
    Some((key, Subject::of(&record, &text)))
}

fn with_reference(state: &State, subject: &Subject) -> bool {
    state.mode == ShownMode::Reference && subject.reference.is_some()
}

/// Shows the prompt's tokens and what is likely behind them.
pub fn inspect(state: &mut State) -> Vec<Effect> {
    if state.is_blind() {
        state.say(Tone::Plain, "Blind: b shows what the judge thinks.");
        return Vec::new();
    }
    if !judge_is_ready(state) {
        return Vec::new();
    }
    let Some((_, subject)) = subject(state) else {
        state.say(Tone::Plain, "There is no response to look at.");
        return Vec::new();
    };
    let ticket = state.ticket();
    state.asked_inspection = Some(ticket);
    state.inspection = None;
    state.overlay = Some(Overlay::Inspect { scroll: 0 });
    let with_reference = with_reference(state, &subject);
    vec![Effect::Judge(Command::Inspect {
        ticket,
        subject,
        with_reference,
    })]
}

/// Takes what the judge sees.
pub fn inspected(state: &mut State, ticket: Ticket, inspection: Box<Inspection>) {
    if state.asked_inspection == Some(ticket) {
        state.asked_inspection = None;
        state.inspection = Some(inspection);
    }
}

/// Marks each sentence by its worth, or no longer.
pub fn attribute(state: &mut State) -> Vec<Effect> {
    if state.attributing && state.screen == Screen::Explore {
        state.attributing = false;
        return Vec::new();
    }
    if !judge_is_ready(state) {
        return Vec::new();
    }
    state.attributing = true;
    state.diff = false;
    ask(state)
}

/// Asks for what the sentences under the cursor are worth, where that is not known.
pub fn ask(state: &mut State) -> Vec<Effect> {
    let Some((key, subject)) = subject(state) else {
        return Vec::new();
    };
    let with_reference = with_reference(state, &subject);
    let key = (key, with_reference);
    let asked = state.asked_worth.is_some_and(|(_, asked)| asked == key);
    if asked || state.attributions.contains_key(&key) {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if let Some((old, _)) = state.asked_worth.take() {
        effects.push(Effect::Judge(Command::Cancel(old)));
    }
    let ticket = state.ticket();
    state.asked_worth = Some((ticket, key));
    effects.push(Effect::Judge(Command::Attribute {
        ticket,
        subject,
        with_reference,
    }));
    effects
}

/// Takes what the sentences are worth.
pub fn attributed(state: &mut State, ticket: Ticket, attribution: Attribution) {
    if let Some((_, key)) = state.asked_worth.filter(|(asked, _)| *asked == ticket) {
        state.asked_worth = None;
        state.attributions.insert(key, attribution);
    }
}

/// Whether the ticket was one of these, which came to nothing.
pub fn failed(state: &mut State, ticket: Ticket, cause: Option<&str>) -> bool {
    let worth = state.asked_worth.is_some_and(|(asked, _)| asked == ticket);
    let prompt = state.asked_inspection == Some(ticket);
    if worth {
        state.asked_worth = None;
        state.attributing = false;
    }
    if prompt {
        state.asked_inspection = None;
        if matches!(state.overlay, Some(Overlay::Inspect { .. })) {
            state.overlay = None;
        }
    }
    if let (true, Some(cause)) = (worth || prompt, cause) {
        state.log(cause.to_owned());
        state.say(Tone::Warning, cause.to_owned());
    }
    worth || prompt
}
