//! Rating responses: nothing moves on before it is on disk.

use super::picker;
use crate::store::{Event, Kind};
use crate::tui::effect::{Effect, Keep};
use crate::tui::message::Kept;
use crate::tui::state::{Listed, Overlay, Purpose, State, Tone};

/// Takes a digit: rates the response on screen.
pub fn digit(state: &mut State, digit: u8) -> Vec<Effect> {
    let (low, high) = state.annotate.scale;
    if !(low..=high).contains(&digit) {
        state.say(
            Tone::Warning,
            format!("{digit} is not on the scale from {low} to {high}."),
        );
        return Vec::new();
    }
    let name = state.annotate.name.clone();
    set(state, Kind::Label, |event| {
        event.name = Some(name);
        event.value = Some(f64::from(digit));
    })
}

/// Passes over the response on screen.
pub fn skip(state: &mut State) -> Vec<Effect> {
    set(state, Kind::Skip, |_| ())
}

/// Takes the label of the response on screen back.
pub fn clear(state: &mut State) -> Vec<Effect> {
    let name = state.annotate.name.clone();
    set(state, Kind::Label, |event| event.name = Some(name))
}

/// Keeps a comment.
pub fn comment(state: &mut State, text: String) -> Vec<Effect> {
    set(state, Kind::Comment, |event| event.text = Some(text))
}

/// Lets a comment be typed.
pub fn ask_comment(state: &mut State) {
    if !is_ready(state) {
        return;
    }
    let said = state.annotate.row().and_then(|(record, response)| {
        let key = state.row_key(record, response)?;
        let journal = state.annotate.journal.as_ref()?;
        journal
            .said(&state.annotate.annotator, key)?
            .comment
            .clone()
    });
    state.overlay = Some(Overlay::Line {
        purpose: Purpose::Comment,
        text: said.unwrap_or_default(),
    });
}

/// Lets the annotator be named.
pub fn ask_annotator(state: &mut State) {
    state.overlay = Some(Overlay::Line {
        purpose: Purpose::Annotator,
        text: state.annotate.annotator.clone(),
    });
}

/// Somebody else annotates.
pub fn annotator(state: &mut State, name: &str) -> Vec<Effect> {
    let name = name.trim();
    if name.is_empty() {
        state.say(Tone::Warning, "An annotator has a name.");
        return Vec::new();
    }
    name.clone_into(&mut state.annotate.annotator);
    state.annotate.counted = None;
    state.annotate.queue.clear();
    let key = "annotator".into();
    let value = name.to_owned();
    vec![Effect::Keep(Keep::Remember { key, value })]
}

/// Chooses the order in which responses come.
pub fn ask_queue(state: &mut State) {
    picker::open(state, Listed::Queue);
}

/// Takes back what this annotator did last, or does it again.
pub fn undo(state: &mut State, again: bool) -> Vec<Effect> {
    if !is_ready(state) {
        return Vec::new();
    }
    let who = state.annotate.annotator.clone();
    let journal = state.annotate.journal.as_ref();
    let last = journal.and_then(|journal| match again {
        false => journal.last_done(&who),
        true => journal.last_undone(&who),
    });
    let Some(last) = last.cloned() else {
        let what = if again { "do again" } else { "undo" };
        state.say(Tone::Plain, format!("There is nothing to {what}."));
        return Vec::new();
    };
    state.next_event += 1;
    let event = Event {
        uid: format!("{:016x}-{}", state.session, state.next_event),
        at: state.clock,
        kind: if again { Kind::Redo } else { Kind::Undo },
        name: None,
        value: None,
        text: None,
        target: Some(last.uid.clone()),
        seconds: None,
        blind: None,
        ..last
    };
    keep(state, event)
}

fn set(state: &mut State, kind: Kind, fill: impl FnOnce(&mut Event)) -> Vec<Effect> {
    if !is_ready(state) {
        return Vec::new();
    }
    let Some(mut event) = state.event(kind) else {
        state.say(Tone::Plain, "There is nothing to rate.");
        return Vec::new();
    };
    fill(&mut event);
    keep(state, event)
}

fn keep(state: &mut State, event: Event) -> Vec<Effect> {
    let ticket = state.ticket();
    let event = Box::new(event);
    state.annotate.waiting = Some((ticket, event.clone()));
    vec![Effect::Keep(Keep::Event { ticket, event })]
}

/// Whether labels can be kept; says why if not.
fn is_ready(state: &mut State) -> bool {
    if let Some(trouble) = state.annotate.trouble.clone() {
        state.say(Tone::Warning, format!("Nothing can be kept: {trouble}"));
        return false;
    }
    if state.annotate.journal.is_none() {
        state.say(Tone::Plain, "Annotations are still being read.");
        return false;
    }
    // One at a time: what comes next is not known before this one is kept.
    if state.annotate.waiting.is_some() {
        state.say(Tone::Plain, "The one before is still being saved.");
        return false;
    }
    true
}

/// Takes everything that was ever said.
pub fn opened(state: &mut State, events: Vec<Event>, annotator: Option<String>) {
    state.annotate.journal = Some(crate::store::Journal::of(events));
    if let Some(annotator) = annotator.filter(|_| !state.annotate.given) {
        state.annotate.annotator = annotator;
    }
}

/// Rates on the scale of the data's own label, where digits have it; otherwise from 0 to 9.
pub fn scale(state: &mut State) {
    if state.annotate.scale_given {
        return;
    }
    let Some(name) = state.good.label.clone() else {
        return;
    };
    let Some((_, low, high)) = state.facts.labels.get(&name).copied() else {
        return;
    };
    let whole = low.fract() == 0.0 && high.fract() == 0.0;
    if whole && low >= 0.0 && high <= 9.0 && high - low >= 1.0 {
        state.annotate.name = name;
        state.annotate.scale = match (low as u8, high as u8) {
            // Nobody happened to give the lowest or the highest.
            (1, 2..=5) => (1, 5),
            (0, high @ 1..=5) => (0, high),
            _ => (0, 9),
        };
    }
}

/// Hears of what is on disk.
pub fn kept(state: &mut State, kept: Kept) {
    match kept {
        Kept::Opened { .. } | Kept::Runs(_) | Kept::Nothing => (),
        Kept::Trouble(cause) => {
            state.annotate.waiting = None;
            state.log(format!("Not kept: {cause}"));
            state.say(Tone::Warning, format!("Not kept: {cause}"));
            state.annotate.trouble = Some(cause);
        }
        Kept::Refused { ticket, cause } => {
            let ours = |(waiting, _): &mut (u64, _)| *waiting == ticket;
            if let Some((_, event)) = state.annotate.waiting.take_if(ours)
                && let (Kind::Comment, Some(text)) = (event.kind, event.text)
            {
                // What was typed is still there to be kept.
                let purpose = Purpose::Comment;
                state.overlay = Some(Overlay::Line { purpose, text });
            }
            state.log(format!("Not kept: {cause}"));
            state.say(Tone::Warning, format!("Not kept: {cause}"));
        }
        Kept::Event { ticket, event } => {
            let waiting = &mut state.annotate.waiting;
            let ours = waiting.take_if(|(waiting, _)| *waiting == ticket).is_some();
            let (kind, subject, value) = (event.kind, event.subject, event.value);
            // An id may be the generator's name.
            let place = match state.annotate.blind {
                true => event.record.clone(),
                false => format!("{} {}", event.record, event.response),
            };
            if let Some(journal) = &mut state.annotate.journal {
                journal.add(*event);
            }
            if !ours {
                return;
            }
            match kind {
                Kind::Label | Kind::Skip if value.is_some() || kind == Kind::Skip => {
                    let next = state.annotate.at + 1;
                    if !state.to_unsaid(next % state.annotate.queue.len().max(1)) {
                        state.say(Tone::Plain, "Everything in this queue is done.");
                    }
                }
                Kind::Label | Kind::Skip | Kind::Comment => (),
                Kind::Undo | Kind::Redo => {
                    let again = if kind == Kind::Undo {
                        "Undone"
                    } else {
                        "Done again"
                    };
                    let at = state.annotate.keys.iter().position(|key| *key == subject);
                    match at {
                        Some(at) => {
                            state.annotate.at = at;
                            state.say(Tone::Plain, format!("{again}: {place}."));
                        }
                        None => state.say(
                            Tone::Plain,
                            format!("{again}: {place}, which is not in this queue."),
                        ),
                    }
                }
            }
        }
    }
}
