//! What to ask the judge next: the texts under the cursor at once, then those the cursor is likely
//! to come to.

use crate::data::Subject;
use crate::run::live::{Command, Lane};
use crate::tui::effect::Effect;
use crate::tui::layout::Screen;
use crate::tui::state::{JudgeStatus, Pending, State, SubjectKey};

/// How many scores are asked for ahead of the cursor.
const AHEAD: usize = 24;
/// Characters written between two scores of a response being generated.
const WRITTEN: usize = 24;
/// How many records ahead are looked at where the list is not on screen.
const RECORDS_AHEAD: usize = 12;

/// Asks for what is missing.
pub fn schedule(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    if !matches!(state.judge, JudgeStatus::Ready(_)) {
        return effects;
    }
    let idle = state.scores.interactive().is_none();
    match &mut state.generation {
        None => {
            under_cursor(state, &mut effects);
            let explaining = state.attributing && state.screen == Screen::Explore;
            if explaining && state.scores.interactive().is_none() {
                effects.extend(super::inspect::ask(state));
            }
            effects.extend(super::samples::ask_missing(state));
            effects.extend(super::pairs::ask(state));
            ahead(state, &mut effects);
        }
        // Each score waits its turn between two tokens: a few words at a time keep the writing quick.
        Some(generation) if idle && generation.chars >= generation.scored + WRITTEN => {
            generation.scored = generation.chars;
            under_cursor(state, &mut effects);
        }
        Some(_) => (),
    }
    effects
}

fn under_cursor(state: &mut State, effects: &mut Vec<Effect>) {
    let current = state.current();
    let key = current.map(|(key, _)| key);
    if key != state.considered {
        // Coming back to a text that failed tries it again.
        state.considered = key;
        if let Some(key) = key {
            state.scores.forgive(key);
        }
    }
    let Some((key, row)) = current else {
        return;
    };
    let known = state.scores.card(key).is_some() || state.scores.failure(key).is_some();
    let asked = state.scores.interactive().is_some_and(|(_, k)| k == key);
    if state.second.is_some()
        && let Some(subject) = current_subject(state)
    {
        effects.extend(super::judges::ask(state, key, subject));
    }
    if known || asked {
        return;
    }
    let Some(command_subject) = current_subject(state) else {
        return;
    };
    let waiting: Vec<_> = state
        .scores
        .wanted()
        .filter(|(_, pending)| pending.key == key)
        .map(|(ticket, _)| ticket)
        .collect();
    for ticket in waiting {
        state.scores.drop_ticket(ticket);
        effects.push(Effect::Judge(Command::Cancel(ticket)));
    }
    let ticket = state.ticket();
    let lane = Lane::Interactive;
    state.scores.ask(ticket, pending(key, lane, row));
    effects.push(Effect::Judge(Command::Score {
        ticket,
        subject: command_subject,
        lane,
    }));
}

fn current_subject(state: &State) -> Option<Subject> {
    let record = state.record()?;
    match state.screen {
        Screen::Judge => {
            let draft = state.draft()?;
            // The row's own text, where the draft is still that.
            let same = record
                .responses
                .iter()
                .zip(&record.keys)
                .find(|(_, key)| **key == draft.key);
            match same {
                Some((response, _)) => Some(Subject::of(&record, &response.text)),
                None => Some(Subject::of(&record, &draft.text())),
            }
        }
        _ => {
            let response = record.responses.get(state.response)?;
            Some(Subject::of(&record, &response.text))
        }
    }
}

fn ahead(state: &mut State, effects: &mut Vec<Effect>) {
    let everything = state.screen == Screen::Threshold
        || state.runs.job.is_some()
        || state.listing.needs_scores()
        || (state.screen == Screen::Annotate && state.annotate.order.needs_scores());
    let mut wanted = match state.screen {
        Screen::Judge if state.template.is_some() => pinned(state),
        // What is on screen goes before the rest.
        _ if everything && state.screen != Screen::Threshold => wanted_ahead(state),
        _ if everything => all_missing(state),
        _ => wanted_ahead(state),
    };
    // Every key changes a template that is being edited, and with it all scores.
    let editing = state.screen == Screen::Judge && state.template.is_some();
    if everything && wanted.is_empty() && (!editing || state.runs.job.is_some()) {
        wanted = all_missing(state);
    }
    let mut outstanding = 0;
    let mut still_wanted = 0;
    for (_, pending) in state.scores.wanted() {
        if pending.lane == Lane::Batch {
            outstanding += 1;
            let near = wanted.iter().any(|(key, _)| *key == pending.key);
            still_wanted += usize::from(near);
        }
    }
    if outstanding > 0 && still_wanted == 0 && !wanted.is_empty() {
        // The cursor jumped: nothing that waits is near it.
        state.scores.drop_batch();
        effects.push(Effect::Judge(Command::CancelBatch));
        outstanding = 0;
    }
    for (key, row) in wanted {
        if outstanding >= AHEAD {
            break;
        }
        if state.scores.is_pending(key) {
            continue;
        }
        let (record, response) = row;
        let Some(record) = state.item(record) else {
            continue;
        };
        let Some(response) = record.responses.get(response) else {
            continue;
        };
        let subject = Subject::of(&record, &response.text);
        let ticket = state.ticket();
        let lane = Lane::Batch;
        state.scores.ask(ticket, pending(key, lane, Some(row)));
        effects.push(Effect::Judge(Command::Score {
            ticket,
            subject,
            lane,
        }));
        outstanding += 1;
    }
}

/// Whether every row is scored or cannot be.
pub fn nothing_missing(state: &mut State) -> bool {
    all_missing(state).is_empty()
}

/// The pinned rows that have no score by the template as it stands.
fn pinned(state: &State) -> Vec<(SubjectKey, (usize, usize))> {
    let keyed = state
        .pinned
        .iter()
        .filter_map(|row| Some((state.row_key(row.0, row.1)?, *row)));
    let missing = |key: &SubjectKey| {
        state.scores.card(*key).is_none() && state.scores.failure(*key).is_none()
    };
    keyed.filter(|(key, _)| missing(key)).take(AHEAD).collect()
}

/// The first rows of the data that have no score.
fn all_missing(state: &mut State) -> Vec<(SubjectKey, (usize, usize))> {
    let mut wanted: Vec<(SubjectKey, (usize, usize))> = Vec::new();
    let mut complete = true;
    for record in state.sweep..state.facts.records {
        let Some(item) = state.item(record) else {
            continue;
        };
        for (response, key) in item.keys.iter().copied().enumerate() {
            if state.scores.card(key).is_some() {
                // Texts that another row had scored.
                state.scores.note_row((record, response), key);
            } else if state.scores.failure(key).is_none() && !wanted.iter().any(|(k, _)| *k == key)
            {
                wanted.push((key, (record, response)));
                complete = false;
            }
        }
        if complete {
            state.sweep = record + 1;
        }
        if wanted.len() >= AHEAD {
            break;
        }
    }
    wanted
}

/// The rows near the cursor that have no score: the other responses of its record, then the
/// records after it that are on screen.
fn wanted_ahead(state: &State) -> Vec<(SubjectKey, (usize, usize))> {
    if state.screen == Screen::Annotate {
        return wanted_to_rate(state);
    }
    let current = state.current().map(|(key, _)| key);
    let page = match state.list_height() {
        0 => RECORDS_AHEAD,
        height => height,
    };
    let mut wanted: Vec<(SubjectKey, (usize, usize))> = Vec::new();
    // What is on screen above the cursor comes last, the nearest first.
    let above = (state.list_top.min(state.cursor)..state.cursor).rev();
    for position in (state.cursor..state.cursor.saturating_add(page)).chain(above) {
        let Some(record) = state.record_at(position) else {
            continue;
        };
        let count = state.responses_of(record);
        let first = if position == state.cursor {
            state.response
        } else {
            0
        };
        for response in (first..count).chain(0..first.min(count)) {
            let Some(key) = state.row_key(record, response) else {
                continue;
            };
            let known = state.scores.card(key).is_some() || state.scores.failure(key).is_some();
            let listed = wanted.iter().any(|(other, _)| *other == key);
            if known || listed || Some(key) == current {
                continue;
            }
            wanted.push((key, (record, response)));
            if wanted.len() == AHEAD {
                return wanted;
            }
        }
    }
    wanted
}

/// The rows that come next in the queue, then those that are labelled already, which the judge is compared on.
fn wanted_to_rate(state: &State) -> Vec<(SubjectKey, (usize, usize))> {
    let annotate = &state.annotate;
    let from = match annotate.returns() {
        true => annotate.queue.len(),
        false => annotate.at,
    };
    let coming = annotate.queue.iter().skip(from).take(AHEAD);
    let keyed = coming.filter_map(|row| Some((state.row_key(row.0, row.1)?, *row)));
    let labelled = state.labelled().map(|(row, key)| (key, row));
    let missing = |key: &SubjectKey| {
        state.scores.card(*key).is_none() && state.scores.failure(*key).is_none()
    };
    let all = keyed.chain(labelled).filter(|(key, _)| missing(key));
    all.take(2 * AHEAD).collect()
}

fn pending(key: SubjectKey, lane: Lane, row: Option<(usize, usize)>) -> Pending {
    Pending {
        key,
        lane,
        row,
        dropped: false,
    }
}
