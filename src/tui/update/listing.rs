//! What narrows and orders the list.

use std::collections::HashSet;
use std::sync::Arc;

use super::{action, moves, picker};
use crate::tui::effect::Effect;
use crate::tui::finder::FacetCount;
use crate::tui::layout::{Pane, Screen};
use crate::tui::state::{Listed, Quick, Row, SortBy, State, Tone};

/// The next quick view.
pub fn quick(state: &mut State, forward: bool) {
    let is_there = |quick| match quick {
        Quick::Picked => state.listing.picked.is_some(),
        Quick::Selected => state.selection.is_some(),
        _ => true,
    };
    state.listing.quick = state.listing.quick.step(forward, is_there);
    to_top(state);
}

/// Takes more or less of the records as training data: a hundredth of all at a time, one at least.
pub fn select(state: &mut State, direction: isize) {
    let Some(selection) = &mut state.selection else {
        state.say(
            Tone::Plain,
            "No selection was given: name its scores with --selection.",
        );
        return;
    };
    let (_, rows) = selection.count();
    selection.take_more(direction * (rows / 100).max(1) as isize);
    let (count, _) = selection.count();
    let said = match selection.least() {
        Some(least) => format!("{count} of {rows} are selected: a score of {least:.3} or more."),
        None => format!("None of {rows} is selected."),
    };
    if state.listing.quick == Quick::Selected {
        state.relist();
    }
    state.say(Tone::Plain, said);
}

/// Turns the order around.
pub fn reverse(state: &mut State) {
    state.listing.reverse = !state.listing.reverse;
    to_top(state);
}

/// Shows the list from its first record on.
pub fn to_top(state: &mut State) {
    state.relist();
    state.cursor = 0;
    state.list_top = 0;
    state.response = 0;
}

/// Opens the facets; they are counted the first time.
pub fn facets(state: &mut State) -> Vec<Effect> {
    picker::open(state, Listed::Facets);
    let counted = state.facet_counts.is_some() && state.counted_records == state.facts.records;
    if counted {
        return Vec::new();
    }
    state.counted_records = state.facts.records;
    vec![Effect::CountFacets]
}

/// Takes the facets.
pub fn counted(state: &mut State, facets: Arc<Vec<FacetCount>>) {
    state.facet_counts = Some(facets);
}

/// Takes what a search found; what an older one found is let go.
pub fn found(state: &mut State, number: u64, records: Arc<Vec<u32>>, complete: bool) {
    if number != state.listing.asked.number {
        return;
    }
    let first = state.listing.found.is_none() || state.listing.fresh;
    state.listing.fresh = false;
    state.listing.found = Some(records);
    state.listing.searching = !complete;
    // A query goes to its best match.
    let to_best = first && !state.listing.query.trim().is_empty();
    if to_best || state.listing.at_best {
        to_top(state);
    } else {
        state.relist();
    }
    state.listing.at_best = to_best || (state.listing.at_best && !complete);
    say_nothing_found(state);
}

/// Says so where nothing matches what is typed: the list that says it too may be out of sight.
pub fn say_nothing_found(state: &mut State) {
    let query = state.listing.query.trim();
    if !query.is_empty() && !state.listing.searching && state.listed() == 0 {
        let said = format!("Nothing matches {query:?}; Esc lists everything again.");
        state.say(Tone::Plain, said);
    }
}

/// Asks for a search where another is wanted than the last.
pub fn search(state: &mut State) -> Vec<Effect> {
    let Some(search) = state
        .listing
        .wanted(state.facts.records, state.suspects.detector())
    else {
        return Vec::new();
    };
    state.listing.fresh = true;
    match state.listing.ask(search.clone()) {
        true => vec![Effect::Find(search)],
        false => {
            state.relist();
            // The number goes up even so: what an older search still finds is let go.
            Vec::new()
        }
    }
}

/// Shows some records alone.
pub fn open_records(state: &mut State, title: String, rows: &[Row]) {
    if rows.is_empty() {
        state.say(Tone::Plain, format!("No record: {title}."));
        return;
    }
    let mut seen = HashSet::new();
    let each = rows.iter().map(|(record, _)| *record as u32);
    let records: Vec<u32> = each.filter(|record| seen.insert(*record)).collect();
    let response = rows.first().map_or(0, |(_, response)| *response);
    state.listing.picked = Some((title, Arc::new(records)));
    state.listing.quick = Quick::Picked;
    state.listing.query.clear();
    state.listing.facets.clear();
    state.listing.sort = SortBy::Data;
    state.listing.reverse = false;
    // What was found by the query before counts no more.
    state.listing.found = None;
    action::show(state, Screen::Explore);
    state.focus = Pane::List;
    to_top(state);
    state.response = response;
}

/// Goes to the record where judge and label disagree most; from there to the next.
pub fn most_disagreeing(state: &mut State) {
    let all = state.disagreements();
    if all.is_empty() {
        state.say(
            Tone::Plain,
            "Nothing that is scored has a label to disagree with.",
        );
        return;
    }
    let here = state.record_index().map(|record| (record, state.response));
    // On from the one that was shown last, if that is still on screen.
    let last = state.listing.jumped.filter(|row| Some(*row) == here);
    let at = last.and_then(|last| all.iter().position(|(row, _)| *row == last));
    let at = at.map_or(0, |at| (at + 1) % all.len());
    let ((record, response), apart) = all[at];
    state.listing.jumped = Some((record, response));
    if state
        .listing
        .position_of(record, state.facts.records)
        .is_none()
    {
        state.listing.quick = Quick::All;
        state.listing.query.clear();
        state.listing.facets.clear();
        state.listing.found = None;
        state.relist();
    }
    if let Some(position) = state.listing.position_of(record, state.facts.records) {
        moves::go(state, position);
        state.response = response;
    }
    let higher = if apart > 0.0 { "judge" } else { "label" };
    state.say(
        Tone::Plain,
        format!(
            "{} of {}: the {higher} ranks it {:.0} % of the rows higher.",
            at + 1,
            all.len(),
            100.0 * apart.abs()
        ),
    );
}
