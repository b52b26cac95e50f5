//! Several responses written by the judge's model, each scored, best first.

use super::{judge_is_ready, picker};
use crate::data::{Subject, SubjectKey};
use crate::run::live::{Command, Lane, Sampling, Ticket};
use crate::tui::effect::Effect;
use crate::tui::state::{DraftId, Listed, Origin, Pending, Sample, Samples, State, Tone};

/// How many are written.
const COUNT: usize = 4;

/// Opens the samples of the record; they are written the first time.
pub fn open(state: &mut State) -> Vec<Effect> {
    let Some(record) = state.record_index() else {
        return Vec::new();
    };
    let there = state.samples.as_ref().is_some_and(|s| s.record == record);
    if there {
        picker::open(state, Listed::Samples);
        return Vec::new();
    }
    if !judge_is_ready(state) {
        return Vec::new();
    }
    let Some(item) = state.item(record) else {
        return Vec::new();
    };
    let mut effects = vec![Effect::Judge(Command::CancelBatch)];
    state.scores.drop_batch();
    if let Some(old) = state.samples.take() {
        let unwritten = old.all.iter().filter(|sample| sample.text.is_none());
        effects.extend(unwritten.map(|s| Effect::Judge(Command::Cancel(s.ticket))));
    }
    let mut all = Vec::new();
    for _ in 0..COUNT {
        let ticket = state.ticket();
        let sampling = Sampling {
            seed: state.generated,
            ..Sampling::default()
        };
        state.generated += 1;
        all.push(Sample {
            ticket,
            text: None,
            key: None,
            trouble: None,
        });
        effects.push(Effect::Judge(Command::Generate {
            ticket,
            instruction: item.task(),
            sampling,
        }));
    }
    state.samples = Some(Samples { record, all });
    picker::open(state, Listed::Samples);
    effects
}

/// A sample is written: it is scored. `None` where the ticket is no sample's.
pub fn written(state: &mut State, ticket: Ticket, text: &str) -> Option<Vec<Effect>> {
    let samples = state.samples.as_mut()?;
    let record = samples.record;
    let sample = samples.all.iter_mut().find(|s| s.ticket == ticket)?;
    sample.text = Some(text.to_owned());
    let item = state.library.get(record)?;
    sample.key = Some(SubjectKey::of(&item, text));
    // The schedule asks for its score.
    Some(Vec::new())
}

/// Asks for scores of samples that have none, whatever became of an earlier asking.
pub fn ask_missing(state: &mut State) -> Vec<Effect> {
    let Some(samples) = &state.samples else {
        return Vec::new();
    };
    let Some(item) = state.library.get(samples.record) else {
        return Vec::new();
    };
    let written = samples.all.iter();
    let written = written.filter_map(|s| Some((s.key?, s.text.clone()?)));
    let missing: Vec<(SubjectKey, String)> = written
        .filter(|(key, _)| {
            let scores = &state.scores;
            let known = scores.card(*key).is_some() || scores.failure(*key).is_some();
            !known && !scores.is_pending(*key)
        })
        .collect();
    let mut effects = Vec::new();
    for (key, text) in missing {
        let subject = Subject::of(&item, &text);
        let ticket = state.ticket();
        let lane = Lane::Batch;
        let pending = Pending {
            key,
            lane,
            row: None,
            dropped: false,
        };
        state.scores.ask(ticket, pending);
        effects.push(Effect::Judge(Command::Score {
            ticket,
            subject,
            lane,
        }));
    }
    effects
}

/// Whether the ticket was a sample's, which has failed or was stopped.
pub fn failed(state: &mut State, ticket: Ticket, cause: &str) -> bool {
    let samples = state.samples.as_mut().map(|s| s.all.iter_mut());
    let sample = samples.and_then(|mut all| all.find(|s| s.ticket == ticket));
    match sample {
        Some(sample) => {
            sample.trouble = Some(cause.to_owned());
            true
        }
        None => false,
    }
}

/// Takes a sample as one's own draft.
pub fn take(state: &mut State, place: usize) {
    let Some(samples) = &state.samples else {
        return;
    };
    let record = samples.record;
    let text = samples.all.get(place).and_then(|s| s.text.clone());
    let (Some(text), Some(item)) = (text, state.item(record)) else {
        state.say(Tone::Plain, "It is still being written.");
        return;
    };
    state.origins.insert(record, Origin::Own);
    state.ensure_draft();
    let id = DraftId {
        record,
        origin: Origin::Own,
    };
    if let Some(draft) = state.drafts.get_mut(&id) {
        draft.replace(&item, &text);
    }
}
