//! Rating responses: nothing moves on before it is on disk.

use super::picker;
use crate::store::{Event, Kind};
use crate::tui::effect::{Effect, Keep};
use crate::tui::message::Kept;
use crate::tui::state::{Listed, Purpose, Row, State, Tone};

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
    let current = state.annotate.row();
    let key = current.and_then(|row| state.row_key(row.0, row.1));
    let said = key.and_then(|key| state.said(key));
    if state.annotate.row().is_some()
        && state.annotate.journal.is_some()
        && !said.is_some_and(|s| s.labels.contains_key(&name))
    {
        state.say(Tone::Plain, format!("There is no {name} to take back."));
        return Vec::new();
    }
    set(state, Kind::Label, |event| event.name = Some(name))
}

/// Keeps a comment on a response.
pub fn comment(state: &mut State, row: Row, text: String) -> Vec<Effect> {
    say_of(state, Some(row), Kind::Comment, |event| {
        event.text = Some(text);
    })
}

/// Lets a comment be typed on the response on screen, or on the one rated last: a digit moves on at once.
pub fn ask_comment(state: &mut State, last: bool) {
    if !is_ready(state) || (!last && !is_seen(state)) {
        return;
    }
    let row = match last {
        false => state.annotate.row(),
        true => state.rated_last().map(|(row, _)| row),
    };
    let Some(row) = row else {
        let said = match last {
            false => "There is nothing to comment.",
            true => "Nothing is rated yet that could be commented.",
        };
        state.say(Tone::Plain, said);
        return;
    };
    let key = state.row_key(row.0, row.1);
    let said = key.and_then(|key| state.said(key)?.comment.clone());
    picker::ask(state, Purpose::Comment(row), said.unwrap_or_default());
}

/// Lets the annotator be named.
pub fn ask_annotator(state: &mut State) {
    picker::ask(state, Purpose::Annotator, String::new());
}

/// Somebody else annotates; without a name, or with the same one, nobody else.
pub fn annotator(state: &mut State, name: &str) -> Vec<Effect> {
    let name = name.trim();
    if name.is_empty() || name == state.annotate.annotator {
        let still = format!("Still {}.", state.annotate.annotator);
        state.say(Tone::Plain, still);
        return Vec::new();
    }
    name.clone_into(&mut state.annotate.annotator);
    state.compare_anew();
    state.annotate.wish = None;
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

/// Says something of the response on screen.
fn set(state: &mut State, kind: Kind, fill: impl FnOnce(&mut Event)) -> Vec<Effect> {
    if !is_seen(state) {
        return Vec::new();
    }
    say_of(state, state.annotate.row(), kind, fill)
}

/// Whether the response to be rated was on screen when the key was pressed, which was meant for what was; says so if not.
fn is_seen(state: &mut State) -> bool {
    let seen = state.is_drawn();
    if !seen {
        let said = "Another response has just come on screen: look at it first.";
        state.say(Tone::Warning, said);
    }
    seen
}

fn say_of(
    state: &mut State,
    row: Option<Row>,
    kind: Kind,
    fill: impl FnOnce(&mut Event),
) -> Vec<Effect> {
    if !is_ready(state) {
        return Vec::new();
    }
    let Some(mut event) = row.and_then(|row| state.event(row, kind)) else {
        state.say(Tone::Plain, "There is nothing to rate.");
        return Vec::new();
    };
    fill(&mut event);
    // Another's place: this is where somebody is now.
    state.annotate.wish = None;
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
    if state.annotate.returns() {
        state.say(Tone::Plain, "The data are still read up to where you were.");
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
    state.annotate.known.clear();
    state.annotate.said_to = 0;
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
                && let Some(row) = state.row_of(event.subject)
            {
                // What was typed is still there to be kept.
                picker::ask(state, Purpose::Comment(row), text);
            }
            state.log(format!("Not kept: {cause}"));
            state.say(Tone::Warning, format!("Not kept: {cause}"));
        }
        Kept::Event { ticket, event } => event_kept(state, ticket, *event),
    }
}

/// An event is on disk: it counts, and what was waited for goes on.
fn event_kept(state: &mut State, ticket: u64, event: Event) {
    let waiting = &mut state.annotate.waiting;
    let ours = waiting.take_if(|(waiting, _)| *waiting == ticket).is_some();
    let (kind, subject, value) = (event.kind, event.subject, event.value);
    let mut row = state.row_of(subject);
    if row.is_none() {
        // Said before and taken back, so that it was not looked for.
        state.annotate.said_to = 0;
    }
    let said = ours.then(|| undone(state, &event)).flatten();
    let record = event.record.clone();
    if let Some(journal) = &mut state.annotate.journal {
        journal.add(event);
    }
    match row {
        Some(row) => drop(state.annotate.known.insert(row, subject)),
        None => {
            state.look_for_said();
            row = state.row_of(subject);
        }
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
            let at = row.and_then(|row| state.place_of(row));
            let elsewhere = match at {
                Some(at) => {
                    state.annotate.at = at;
                    ""
                }
                None => ", which is not in this queue",
            };
            // A response's id may be the generator's name.
            let place = row.and_then(|row| state.row_name(row)).unwrap_or(record);
            let said = said.unwrap_or_default();
            state.say(Tone::Plain, format!("{said} {place}{elsewhere}."));
        }
    }
}

/// What an undo or a redo does, said before it is done.
fn undone(state: &State, event: &Event) -> Option<String> {
    let journal = state.annotate.journal.as_ref()?;
    let (word, target) = match event.kind {
        Kind::Undo => ("Undone", journal.last_done(&event.annotator)?),
        Kind::Redo => ("Done again", journal.last_undone(&event.annotator)?),
        _ => return None,
    };
    let what = match (target.kind, target.value) {
        (Kind::Label, Some(value)) => {
            format!("{} {value} of", target.name.as_deref().unwrap_or("label"))
        }
        (Kind::Label, None) => "taking a label back from".to_owned(),
        (Kind::Comment, _) => "the comment on".to_owned(),
        _ => "the skip of".to_owned(),
    };
    Some(format!("{word}: {what}"))
}
