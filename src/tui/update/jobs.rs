//! Scoring everything, comparing runs, and files that follow from scores.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::{judge_is_ready, listing, picker, schedule};
use crate::run::live::Command;
use crate::stats::drift::Spread;
use crate::stats::preset::Preset;
use crate::store::{Run, RunState};
use crate::tui::effect::{Effect, Keep, ReportFacts, ScoredRow, Write};
use crate::tui::state::{
    Changes, Decision, Job, JudgeStatus, Purpose, Row, ShownMode, Signal, State, Tone,
};

/// Rows of changes that are opened at once.
const OPENED: usize = 500;

/// Begins to score everything.
pub fn start(state: &mut State) -> Vec<Effect> {
    if !judge_is_ready(state) {
        return Vec::new();
    }
    if state.runs.job.is_some() {
        state.say(Tone::Plain, "Everything is being scored already.");
        return Vec::new();
    }
    if state.template.as_ref().is_some_and(|t| t.trouble.is_some()) {
        let said = "The edited template cannot be used as it stands: mend it on Judge, or close it there with Esc.";
        state.say(Tone::Warning, said);
        return Vec::new();
    }
    let JudgeStatus::Ready(info) = &state.judge else {
        return Vec::new();
    };
    let run = Run {
        id: 0,
        started: state.clock,
        ended: None,
        title: state.title.clone(),
        judge: info.name.clone(),
        template: info.template.0.clone(),
        identity: info.identity.clone(),
        mode: "auto".into(),
        output: None,
        done: 0,
        total: state.facts.responses,
        errors: 0,
        state: RunState::Running,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    state.log(format!(
        "Scoring {} responses with {}",
        run.total, run.judge
    ));
    let before = state.scores.rows().len() + state.scores.failed_rows().count();
    state.sweep = 0;
    state.runs.job = Some(Job {
        run: run.clone(),
        before,
    });
    vec![Effect::Keep(Keep::Run(Box::new(run)))]
}

/// Ends the job where nothing is left to do.
pub fn advance(state: &mut State) -> Vec<Effect> {
    let whole = state.data == super::DataStatus::Ready;
    if state.runs.job.is_some()
        && whole
        && state.scores.queue() == 0
        && schedule::nothing_missing(state)
    {
        return end(state, RunState::Done);
    }
    Vec::new()
}

/// Ends the job, if there is one, because its judge goes.
pub fn leave(state: &mut State) -> Vec<Effect> {
    match state.runs.job.is_some() {
        true => stop(state),
        false => Vec::new(),
    }
}

/// Stops the job; what is scored is kept.
pub fn stop(state: &mut State) -> Vec<Effect> {
    if state.runs.job.is_none() {
        state.say(Tone::Plain, "Nothing is running.");
        return Vec::new();
    }
    state.scores.drop_batch();
    let mut effects = vec![Effect::Judge(Command::CancelBatch)];
    effects.extend(end(state, RunState::Cancelled));
    effects
}

fn end(state: &mut State, how: RunState) -> Vec<Effect> {
    let Some(job) = state.runs.job.take() else {
        return Vec::new();
    };
    let mut run = job.run;
    // The database has given it a number meanwhile.
    let known = state.runs.all.iter().find(|r| r.started == run.started);
    run.id = known.map_or(0, |known| known.id);
    run.ended = Some(state.clock);
    run.state = how;
    run.done = state.scores.rows().len();
    run.errors = state.scores.failed_rows().count();
    run.total = state.facts.responses;
    let failed = match run.errors {
        0 => String::new(),
        errors => format!(", {errors} failed (t tries them again)"),
    };
    let said = format!("{} of {} scored{failed}.", run.done, run.total);
    state.log(said.clone());
    let tone = if run.errors > 0 {
        Tone::Warning
    } else {
        Tone::Plain
    };
    state.say(tone, said);
    let write = Write::Scores {
        run: Box::new(run),
        library: state.library.clone(),
        rows: scored_rows(state),
        threshold: state.threshold,
    };
    vec![Effect::Write(Box::new(write))]
}

/// Scores again what failed.
pub fn retry(state: &mut State) -> Vec<Effect> {
    if state.runs.job.is_some() {
        state.say(Tone::Plain, "Everything is being scored already.");
        return Vec::new();
    }
    let failed = state.scores.failed_rows().count();
    if failed == 0 {
        state.say(Tone::Plain, "Nothing has failed.");
        return Vec::new();
    }
    state.scores.forgive_all();
    start(state)
}

fn scored_rows(state: &State) -> Vec<ScoredRow> {
    let scored = state.scores.rows().iter().filter_map(|(row, key)| {
        let card = state.scores.card(*key)?;
        Some(ScoredRow {
            row: *row,
            score: Ok(card.clone()),
            decision: Decision::of(card, state.mode, state.alone).map(|d| d.value),
        })
    });
    let failed = state.scores.failed_rows().map(|row| {
        let key = state.row_key(row.0, row.1);
        let cause = key.and_then(|key| state.scores.failure(key));
        ScoredRow {
            row,
            score: Err(cause.unwrap_or("failed").to_owned()),
            decision: None,
        }
    });
    let mut rows: Vec<ScoredRow> = scored.chain(failed).collect();
    rows.sort_by_key(|row| row.row);
    rows
}

/// Marks the run under the cursor, or compares it with the marked one.
pub fn mark(state: &mut State) -> Vec<Effect> {
    let Some(run) = state.chosen_run().cloned() else {
        if state.chosen_training().is_some() {
            state.say(Tone::Plain, "Only runs that score are compared.");
        }
        return Vec::new();
    };
    let marked = state.runs.marked.take().filter(|id| *id != run.id);
    let before = marked.and_then(|id| state.runs.all.iter().find(|r| r.id == id));
    let Some(before) = before.cloned() else {
        state.runs.marked = Some(run.id);
        state.runs.changes = None;
        state.say(
            Tone::Plain,
            format!(
                "Run {} is marked: go to the other one, c there compares them.",
                run.id
            ),
        );
        return Vec::new();
    };
    // The older one is what things changed from.
    let (before, after) = match before.id < run.id {
        true => (before, run),
        false => (run, before),
    };
    state.say(Tone::Plain, "Comparing.");
    vec![Effect::CompareRuns {
        before: Box::new(before),
        after: Box::new(after),
    }]
}

/// Takes what changed between two runs.
pub fn compared(state: &mut State, between: (i64, i64), found: Result<Changes, String>) {
    match &found {
        Ok(changes) => {
            let (flips, decided) = state.flips(changes);
            let (tau, cut) = (state.glyphs.tau, state.threshold);
            let said = format!(
                "{} of {decided} verdicts are others at {tau} {cut:.2}.",
                flips.len()
            );
            state.say(Tone::Plain, said);
        }
        Err(cause) => {
            state.log(cause.clone());
            state.say(Tone::Warning, cause.clone());
        }
    }
    state.runs.changes = Some((between.0, between.1, found));
}

/// Opens the responses whose verdict is another now, and after them those that changed most.
pub fn open_changed(state: &mut State) {
    let Some((_, _, Ok(changes))) = &state.runs.changes else {
        state.say(
            Tone::Plain,
            "Mark two runs with c: what changed is opened here.",
        );
        return;
    };
    let (flips, _) = state.flips(changes);
    let flipped: HashSet<usize> = flips.iter().map(|flip| flip.place).collect();
    let others = (0..changes.rows.len()).filter(|place| !flipped.contains(place));
    let wanted: HashMap<(&str, &str), usize> = flips
        .iter()
        .map(|flip| flip.place)
        .chain(others)
        .filter_map(|place| changes.rows.get(place))
        .take(OPENED)
        .enumerate()
        .map(|(rank, row)| ((row.id.as_str(), row.response_id.as_str()), rank))
        .collect();
    let title = match flips.len() {
        0 => "changed most".to_owned(),
        count => format!("{count} flipped, changed most"),
    };
    let mut found: Vec<(usize, Row)> = Vec::new();
    for (at, item) in state.library.iter() {
        for (place, response) in item.responses.iter().enumerate() {
            if let Some(rank) = wanted.get(&(item.id.as_str(), response.id.as_str())) {
                found.push((*rank, (at, place)));
            }
        }
    }
    found.sort_unstable();
    let rows: Vec<Row> = found.into_iter().map(|(_, row)| row).collect();
    listing::open_records(state, title, &rows);
}

/// Lets a file for the preset be named.
pub fn ask_preset(state: &mut State) {
    match state.judge {
        JudgeStatus::Ready(_) => picker::ask(state, Purpose::Preset, "threshold.toml".into()),
        _ => state.say(
            Tone::Warning,
            "A preset belongs to a judge, and there is none.",
        ),
    }
}

/// Saves the cut for `juror score --threshold` and for the explorer.
pub fn save_preset(state: &mut State, path: PathBuf) -> Vec<Effect> {
    let JudgeStatus::Ready(info) = &state.judge else {
        return Vec::new();
    };
    let (low, high) = info.scale;
    let fused = state.cut.signal == Some(Signal::Fused);
    let signal = match (fused, state.mode) {
        (true, _) => "fused",
        (false, ShownMode::Free) => "self_eval_free",
        (false, ShownMode::Reference) => "self_eval",
    };
    let solved = state.solved.as_ref().filter(|solved| solved.holds(state));
    let scaled = |value: f64| match fused {
        true => value,
        false => low + value * (high - low),
    };
    // A cut set by hand is calibrated on nothing.
    let calibrated: Vec<f64> = match solved {
        Some(_) => state.cut.calibrated_on().into_iter().map(scaled).collect(),
        None => Vec::new(),
    };
    let preset = Preset {
        signal: signal.into(),
        threshold: scaled(state.threshold),
        judge: info.identity.clone(),
        fusion: fused.then(|| info.source.fusion.clone()),
        embedder: fused.then(|| info.source.embedder.clone()),
        modes: match signal {
            "self_eval_free" => Vec::new(),
            _ => state.modes_read(fused),
        },
        label: state.good.label.clone().unwrap_or_default(),
        good: format!(">={}", state.good.from),
        target_risk: solved.map(|solved| solved.target),
        target_coverage: None,
        confidence: solved.map(|_| crate::tui::state::CONFIDENCE),
        guarantee: solved.map(|_| crate::stats::threshold::Guarantee::Pac),
        calibrated_on: calibrated.len(),
        scores: Spread::of(&calibrated),
    };
    vec![Effect::Write(Box::new(Write::Preset { path, preset }))]
}

/// Lets a file for the report be named.
pub fn ask_report(state: &mut State) {
    match state.scores.rows().is_empty() {
        true => state.say(Tone::Plain, "Nothing is scored yet."),
        false => picker::ask(state, Purpose::Report, "report.html".into()),
    }
}

/// Writes a report of what is scored.
pub fn report(state: &mut State, path: PathBuf) -> Vec<Effect> {
    let (judge, template) = match &state.judge {
        JudgeStatus::Ready(info) => (info.name.clone(), info.template.0.clone()),
        _ => Default::default(),
    };
    let identity = state.identity.clone().unwrap_or_default();
    let (judge_hash, template_hash) = identity.split_once('+').unwrap_or_default();
    let signal = state.tally_signal().map_or("self-eval", Signal::word);
    let facts = ReportFacts {
        title: state.title.clone(),
        judge: (judge, judge_hash.to_owned()),
        template: (template, template_hash.to_owned()),
        modes: state.modes_read(false),
        signal: signal.into(),
        label: state.good.label.clone(),
        good: state.good.from,
        threshold: state.threshold,
    };
    vec![Effect::Write(Box::new(Write::Report {
        path,
        library: state.library.clone(),
        rows: scored_rows(state),
        facts,
    }))]
}
