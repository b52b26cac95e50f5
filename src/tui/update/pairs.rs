//! Asking which of two responses is better, why, and who wins a tournament.

use super::judge_is_ready;
use crate::data::Item;
use crate::judge::pairwise::{Judgment, Pair, Winner};
use crate::judge::tournament::Tournament;
use crate::run::live::{Command, Reason, Ticket};
use crate::tui::effect::Effect;
use crate::tui::layout::Screen;
use crate::tui::state::{Bracket, Overlay, PairKey, Reasoned, State, Tone};

/// Asks for verdicts that are missing: of the pair on screen, and of a tournament's matches.
pub fn ask(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    if state.screen == Screen::Compare
        && let Some((key, pair)) = state.pair()
    {
        if state.pairs.considered.replace(key) != Some(key) {
            state.pairs.forgive(key);
            state.pairs.scroll = 0;
        }
        effects.extend(ask_one(state, key, pair));
    }
    while advance(state) {}
    effects.extend(ask_matches(state).unwrap_or_default());
    effects
}

fn ask_one(state: &mut State, key: PairKey, pair: Pair) -> Option<Effect> {
    if state.pairs.judged(key).is_some() || state.pairs.is_asked(key) {
        return None;
    }
    let ticket = state.ticket();
    state.pairs.ask(ticket, key);
    Some(Effect::Judge(Command::Pair { ticket, pair }))
}

/// Asks for the matches of the round.
fn ask_matches(state: &mut State) -> Option<Vec<Effect>> {
    let bracket = state.pairs.bracket.as_ref()?;
    let item = state.item(bracket.record)?;
    let matches = bracket.tournament.matches();
    let keyed: Vec<([usize; 2], PairKey)> = matches
        .into_iter()
        .filter_map(|places| Some((places, bracket.pair(places)?)))
        .collect();
    let mut effects = Vec::new();
    for (places, key) in keyed {
        let pair = texts(&item, places)?;
        effects.extend(ask_one(state, key, pair));
    }
    Some(effects)
}

fn texts(item: &Item, [a, b]: [usize; 2]) -> Option<Pair> {
    let text = |place: usize| item.responses.get(place).map(|r| r.text.as_str());
    Some(Pair::of(item, text(a)?, text(b)?))
}

/// Ends the round once all its verdicts are there.
fn advance(state: &mut State) -> bool {
    let pairs = &mut state.pairs;
    let Some(bracket) = &pairs.bracket else {
        return false;
    };
    let matches = bracket.tournament.matches();
    let first_wins = |places: &[usize; 2]| {
        let judgment = pairs.judged(bracket.pair(*places)?)?.ok()?;
        Some(judgment.advances() == Winner::A)
    };
    let won: Option<Vec<bool>> = matches.iter().map(first_wins).collect();
    match (won, &mut pairs.bracket) {
        (Some(won), Some(bracket)) if !won.is_empty() => {
            bracket.tournament.advance(&won);
            true
        }
        _ => false,
    }
}

/// Takes a verdict.
pub fn paired(state: &mut State, ticket: Ticket, judgment: Judgment) {
    state.pairs.answered(ticket, Ok(judgment));
}

/// Takes a reason.
pub fn reasoned(state: &mut State, ticket: Ticket, text: Result<String, String>) -> bool {
    let reason = state.pairs.reason.as_mut();
    match reason.filter(|reason| reason.ticket == ticket) {
        Some(reason) => {
            reason.text = Some(text);
            true
        }
        None => false,
    }
}

/// Whether the ticket was a pair's or a reason's, which has failed.
pub fn failed(state: &mut State, ticket: Ticket, cause: &str) -> bool {
    if reasoned(state, ticket, Err(cause.to_owned())) {
        return true;
    }
    let ours = state.pairs.answered(ticket, Err(cause.to_owned()));
    if ours {
        state.log(format!("Not compared: {cause}"));
    }
    ours
}

/// Asks why the judge says so: by the first principle, then by the next ones.
pub fn why(state: &mut State) -> Vec<Effect> {
    if !judge_is_ready(state) {
        return Vec::new();
    }
    let known = state
        .pair()
        .and_then(|(key, pair)| Some((key, pair, state.pairs.judged(key)?.ok()?.clone())));
    let Some((key, pair, judgment)) = known else {
        state.say(Tone::Plain, "There is no verdict yet to give a reason for.");
        return Vec::new();
    };
    let mut effects = Vec::new();
    let mut principle = 0;
    if let Some(old) = state.pairs.reason.take() {
        if old.key == key {
            principle = (old.principle + 1) % judgment.principles.len().max(1);
        }
        if old.text.is_none() {
            effects.push(Effect::Judge(Command::Cancel(old.ticket)));
        }
    }
    let Some(on) = judgment.principles.get(principle) else {
        return effects;
    };
    let position = match on.winner {
        Winner::A => 0,
        Winner::B => 1,
        // Of equals, the one that leads where the left one stands first.
        Winner::Tie => usize::from(on.orders[0].p_b > on.orders[0].p_a),
    };
    let ticket = state.ticket();
    state.pairs.reason = Some(Reasoned {
        key,
        principle,
        ticket,
        text: None,
    });
    effects.push(Effect::Judge(Command::Reason {
        ticket,
        reason: Reason {
            pair,
            principle,
            swapped: false,
            position,
        },
    }));
    effects
}

/// Shows the tournament among the record's responses; it is held the first time.
pub fn bracket(state: &mut State) {
    let (Some(record), Some(item)) = (state.record_index(), state.record()) else {
        return;
    };
    if item.responses.len() < 2 {
        state.say(Tone::Plain, "A tournament takes two responses or more.");
        return;
    }
    if !judge_is_ready(state) {
        return;
    }
    let here = |bracket: &Bracket| bracket.record == record && bracket.keys == item.keys;
    if !state.pairs.bracket.as_ref().is_some_and(here) {
        state.pairs.bracket = Some(Bracket {
            record,
            keys: item.keys.clone(),
            tournament: Tournament::new(0, &item.id, item.responses.len()),
        });
    }
    if let Some(bracket) = &state.pairs.bracket {
        let matches = bracket.tournament.matches();
        let keys: Vec<PairKey> = matches.iter().filter_map(|m| bracket.pair(*m)).collect();
        for key in keys {
            state.pairs.forgive(key);
        }
    }
    state.overlay = Some(Overlay::Bracket { scroll: 0 });
}
