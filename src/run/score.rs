//! Scoring a data set: plans go in, rows come out in input order.

mod finished;

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Map;

use super::kept::KeptScores;
use super::row::{self, Distribution, Named, Row};
use crate::data::{
    DataError, LabelDistribution, Record, Response, ScoreCard, Shard, Subject, SubjectKey, Verdict,
};
use crate::engine::line::{Answered, EngineGone, Line};
use crate::engine::remote::Usage;
use crate::engine::{Engine, Outcome, Task};
use crate::judge::attribution::{Attribution, Omissions};
use crate::judge::{Judge, Plan, Scored, Signals};
use crate::model::served::Need;
use crate::stats::preset::Preset;

/// What the judge sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// The reference; a record without one is an error.
    Reference,
    /// Never the reference.
    Free,
    /// The reference where there is one.
    #[default]
    Auto,
}

/// Why a record without a reference is not judged.
pub(super) const NO_REFERENCE: &str = "there is no reference, and the judge is to be shown one: use --mode free or auto, \
     with a template that does without";
/// Why a mode is not judged.
pub(super) const NO_TEMPLATE: &str =
    "the judge has no template for this mode: give one with --template";

impl Mode {
    /// Whether a judge is to be shown the reference of a record.
    pub(super) fn shows_reference(self, judge: &Judge, record: &Record) -> bool {
        match self {
            Mode::Reference => true,
            Mode::Free => false,
            // The mode whose template there is, where there is only one.
            Mode::Auto if judge.templates().free.is_none() => true,
            Mode::Auto => record.reference.is_some() && judge.templates().reference.is_some(),
        }
    }

    /// Whether a judge has no template for it.
    pub fn lacks_template(self, judge: &Judge) -> bool {
        match self {
            Mode::Reference => judge.templates().reference.is_none(),
            Mode::Free => judge.templates().free.is_none(),
            Mode::Auto => false,
        }
    }
}

/// As what scores of a mode and these signals are kept.
pub(super) fn kept_as(mode: Mode, signals: &[Signal]) -> String {
    let mut signals: Vec<&str> = signals.iter().map(|s| s.name()).collect();
    signals.sort_unstable();
    format!("scored {mode:?} {}", signals.join(" "))
}

/// A number about a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Signal {
    /// Self-evaluation in the run's mode.
    SelfEval,
    /// With the reference shown.
    SelfEvalRef,
    /// Without it.
    SelfEvalFree,
    /// Of response and reference.
    Cosine,
    /// Self-evaluation and cosine as one.
    Fused,
    /// Perplexity of the response given the instruction, under the policy.
    Ppl,
    /// Mean cosine with what the policy writes instead.
    Vro,
    /// What the judge's reward head says.
    Reward,
    /// Read out of what the judge writes.
    Generated,
}

impl Signal {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Signal::SelfEval => "self_eval",
            Signal::SelfEvalRef => "self_eval_ref",
            Signal::SelfEvalFree => "self_eval_free",
            Signal::Cosine => "cosine",
            Signal::Fused => "fused",
            Signal::Ppl => "ppl",
            Signal::Vro => "vro",
            Signal::Reward => "reward",
            Signal::Generated => "generated",
        }
    }
}

/// What to score and how.
#[derive(Clone, Debug)]
pub struct ScoreRun {
    pub mode: Mode,
    pub signals: Vec<Signal>,
    /// Stop at the first response that cannot be scored.
    pub strict: bool,
    /// Answer or decline by this threshold on a signal.
    pub cut: Option<Preset>,
    /// Tell what each sentence is worth.
    pub attribute: bool,
    /// Which part of the data the records are.
    pub shard: Shard,
}

impl ScoreRun {
    /// Why a signal cannot be had of a judge's models, and what helps; `None` where all can.
    pub fn lacks(&self, judge: &Judge) -> Option<String> {
        let cast = judge.cast();
        self.signals.iter().find_map(|signal| {
            let cause = match signal {
                Signal::SelfEval | Signal::SelfEvalRef | Signal::SelfEvalFree => {
                    cast.judge.lacks(Need::Labels)
                }
                Signal::Cosine => cast.embedder.lacks(Need::Embedding),
                Signal::Fused => {
                    let labels = cast.judge.lacks(Need::Labels);
                    labels.or_else(|| cast.embedder.lacks(Need::Embedding))
                }
                Signal::Ppl => cast.policy.lacks(Need::LogProbs),
                Signal::Vro => {
                    let texts = cast.policy.lacks(Need::Text);
                    texts.or_else(|| cast.embedder.lacks(Need::Embedding))
                }
                Signal::Reward => cast.judge.lacks(Need::Reward),
                Signal::Generated => cast.judge.lacks(Need::Text),
            };
            cause.map(|cause| format!("{}: {cause}", signal.name()))
        })
    }
}

/// Figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub rows: usize,
    /// Those of them that an interrupted run had written.
    pub resumed: usize,
    /// Rows that could not be read or scored.
    pub errors: usize,
    /// Those among `rows`.
    #[serde(skip)]
    pub failed: usize,
    pub truncated: usize,
    /// Those that the threshold answers, where there is one.
    pub answered: usize,
    /// Those of a mode that the threshold was not calibrated for: they have no verdict.
    pub undecided: usize,
    /// How far the scores are from those that the threshold was calibrated on: the population stability
    /// index.
    pub drift: Option<f64>,
    /// What it may be by chance.
    pub drift_tolerance: Option<f64>,
    pub prompt_tokens: usize,
    /// Those of rows that were not known from an earlier run.
    #[serde(skip)]
    pub fresh_tokens: usize,
    pub computed_tokens: usize,
    pub load_s: f64,
    pub score_s: f64,
    pub tokens_per_s: f64,
    /// What servers were asked for, where a model is on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Served>,
}

/// What servers were asked for, and what they left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Served {
    #[serde(flatten)]
    pub usage: Usage,
    pub cost: f64,
    /// Rows of which a label was not among the likeliest tokens: it counts as 0.
    pub incomplete: usize,
    /// What such labels may hold together at most, in the row where that is most.
    pub missing: f64,
}

impl Served {
    /// Of two judges together.
    #[must_use]
    pub fn and(self, other: Served) -> Served {
        Served {
            usage: self.usage.and(other.usage),
            cost: self.cost + other.cost,
            incomplete: self.incomplete + other.incomplete,
            missing: self.missing.max(other.missing),
        }
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// A row could not be scored and `strict` is set.
    #[error("{id} / {response_id}: {cause}")]
    Row {
        id: String,
        response_id: String,
        cause: String,
    },
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// What an interrupted run has written is not what this one would have.
    #[error(
        "row {row} of what the interrupted run has written does not belong here: {cause}; go on with the same data and \
         settings, or delete that file to start anew"
    )]
    Resume { row: usize, cause: String },
    /// The output could not be written.
    #[error("cannot write the results")]
    Write(#[from] io::Error),
    /// A signal that cannot be had of these models, whatever the row.
    #[error("{0}")]
    Unable(String),
    /// The engine went away.
    #[error(transparent)]
    Engine(#[from] EngineGone),
}

/// Plans that may be with the engine at a time.
const AHEAD: usize = 256;

/// Records as they come.
pub type Records<'r> = &'r mut dyn Iterator<Item = Result<Arc<Record>, DataError>>;

/// Records that are in memory.
pub fn held(records: &[Record]) -> impl Iterator<Item = Result<Arc<Record>, DataError>> {
    records.iter().map(|record| Ok(Arc::new(record.clone())))
}

/// One response in line.
struct Item {
    record: Arc<Record>,
    /// Which of the record's responses.
    place: usize,
    with_reference: bool,
    state: State,
}

enum State {
    /// The engine computes it, with prompts that leave sentences out.
    Planned(Box<Plan>, Option<Omissions>),
    /// Known, or not to be had.
    Ready(Result<Box<Found>, String>),
}

/// What the engine said of a response.
struct Found {
    scored: Scored,
    attribution: Option<Attribution>,
}

/// Scores every response of the records and writes a line for each.
pub struct Scorer<'a> {
    judge: &'a Judge,
    engine: &'a Engine,
    run: &'a ScoreRun,
    judge_name: Named,
    template_name: Named,
    embedder_name: Named,
    fusion: String,
    summary: Summary,
    /// What the threshold was put to.
    cut_values: Vec<f64>,
    /// What the policy wrote to each record, where `vro` is wanted.
    samples: Vec<Result<Vec<String>, String>>,
    /// Scores of earlier runs, where they can be taken as they are.
    kept: Option<RefCell<KeptScores>>,
    /// Told of the first row that cannot be scored.
    first_failure: Box<dyn Fn(&str) + 'a>,
    /// Rows that an interrupted run has written, in order.
    finished: Box<dyn Iterator<Item = io::Result<String>> + 'a>,
}

impl<'a> Scorer<'a> {
    /// A run on a loaded judge.
    pub fn new(judge: &'a Judge, engine: &'a Engine, run: &'a ScoreRun) -> Self {
        let facts = &judge.cast().judge;
        Scorer {
            judge_name: Named {
                name: facts.name.clone(),
                hash: facts.hash.clone(),
            },
            template_name: Named {
                name: judge.templates().name.clone(),
                hash: judge.templates().hash(),
            },
            embedder_name: Named {
                name: judge.cast().embedder.name.clone(),
                hash: judge.cast().embedder.hash.clone(),
            },
            fusion: judge.source().fusion,
            judge,
            engine,
            run,
            summary: Summary::default(),
            cut_values: Vec::new(),
            samples: Vec::new(),
            kept: None,
            first_failure: Box::new(|_| ()),
            finished: Box::new(std::iter::empty()),
        }
    }

    /// Takes the rows that an interrupted run has written: they are counted, not computed or written again.
    #[must_use]
    pub fn with_finished(mut self, rows: impl Iterator<Item = io::Result<String>> + 'a) -> Self {
        self.finished = Box::new(rows);
        self
    }

    /// Takes what the policy wrote to each record, or why it did not: the signal `vro` compares with it.
    #[must_use]
    pub fn with_samples(mut self, samples: Vec<Result<Vec<String>, String>>) -> Self {
        self.samples = samples;
        self
    }

    /// Takes scores of earlier runs, and keeps those of this one. What the policy draws and what sentences are worth is
    /// always computed.
    #[must_use]
    pub fn with_kept(mut self, mut kept: KeptScores) -> Self {
        if self.run.attribute || self.run.signals.contains(&Signal::Vro) {
            return self;
        }
        kept.made_by(self.judge, &kept_as(self.run.mode, &self.run.signals));
        self.kept = Some(kept.into());
        self
    }

    /// Calls `tell` with the first row that cannot be scored and why; the others are in the output.
    #[must_use]
    pub fn on_first_failure(mut self, tell: impl Fn(&str) + 'a) -> Self {
        self.first_failure = Box::new(tell);
        self
    }

    /// Runs to the end; `progress(rows, prompt_tokens)` is called after each row.
    ///
    /// # Errors
    /// See [`ScoreError`].
    pub fn run(
        mut self,
        records: Records<'_>,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Summary, ScoreError> {
        if let Some(cause) = self.run.lacks(self.judge) {
            return Err(ScoreError::Unable(cause));
        }
        let started = Instant::now();
        let mut responses = records.enumerate().flat_map(|(at, record)| {
            let (record, failed) = match record {
                Ok(record) => (record, None),
                Err(error) => (Arc::default(), Some(Err(error))),
            };
            let count = record.responses.len();
            let each = (0..count).map(move |place| Ok((at, record.clone(), place)));
            each.chain(failed)
        });
        let mut line = Line::new(self.engine, AHEAD);
        loop {
            while line.has_room()
                && let Some(next) = responses.next()
            {
                let (at, record, place) = next?;
                if let Some(row) = self.finished.next() {
                    self.count_finished(&row?, &record, place)?;
                    continue;
                }
                let (item, tasks) = self.hand_in(record, place, self.samples.get(at));
                line.push(item, tasks);
            }
            let Some((item, answered)) = line.pop()? else {
                break;
            };
            let item = self.read_item(item, answered);
            self.write(item, out)?;
            progress(self.summary.rows, self.summary.prompt_tokens);
        }
        out.flush()?;
        if self.finished.next().is_some() {
            let cause = "the data end before it".into();
            let row = self.summary.rows + 1;
            return Err(ScoreError::Resume { row, cause });
        }
        let spread = self
            .run
            .cut
            .as_ref()
            .and_then(|preset| preset.scores.as_ref());
        self.summary.drift = spread.and_then(|spread| spread.drift(&self.cut_values));
        self.summary.drift_tolerance = spread.map(|spread| spread.tolerance(self.cut_values.len()));
        if let Some(usage) = self.engine.usage() {
            self.summary.server.get_or_insert_default().usage = usage;
        }
        self.summary.score_s = started.elapsed().as_secs_f64();
        self.summary.tokens_per_s = self.summary.fresh_tokens as f64 / self.summary.score_s;
        Ok(self.summary)
    }

    /// Whether the judge is to be shown the reference.
    fn with_reference(&self, record: &Record) -> bool {
        self.run.mode.shows_reference(self.judge, record)
    }

    /// Makes the prompts of a response.
    fn hand_in(
        &self,
        record: Arc<Record>,
        place: usize,
        samples: Option<&Result<Vec<String>, String>>,
    ) -> (Item, Vec<Task>) {
        let none = Response::default();
        let owner = record.clone();
        let response = owner.responses.get(place).unwrap_or(&none);
        let with_reference = self.with_reference(&record);
        // Where nobody is shown it, a reference may be missing.
        let shown = with_reference && record.reference.is_some();
        let item = |state| Item {
            record: record.clone(),
            place,
            with_reference: shown,
            state,
        };
        let ready = |result| (item(State::Ready(result)), Vec::new());
        let wants = |s: Signal| self.run.signals.contains(&s);
        let fused = wants(Signal::Fused);
        let in_mode = wants(Signal::SelfEval) || fused;
        let by_template = in_mode
            || wants(Signal::Generated)
            || (wants(Signal::Reward) && self.judge.rewards_by_template());
        let is_asked = by_template || self.run.mode == Mode::Reference;
        if with_reference && record.reference.is_none() && is_asked {
            return ready(Err(NO_REFERENCE.into()));
        }
        let want = Signals {
            self_eval_ref: wants(Signal::SelfEvalRef) || (in_mode && with_reference),
            self_eval_free: wants(Signal::SelfEvalFree) || (in_mode && !with_reference),
            cosine: wants(Signal::Cosine) || fused,
            ppl: wants(Signal::Ppl),
            reward: wants(Signal::Reward),
            generated: wants(Signal::Generated),
            fuse_free: !with_reference,
        };
        let templates = self.judge.templates();
        let template = match with_reference {
            true => &templates.reference,
            false => &templates.free,
        };
        if by_template && template.is_none() {
            return ready(Err(NO_TEMPLATE.into()));
        }
        let subject = Subject::of(&record, &response.text);
        if let Some(kept) = &self.kept {
            let found: Option<Scored> = kept.borrow_mut().find(SubjectKey::of_subject(&subject));
            if let Some(scored) = found {
                let scored = Scored {
                    computed_tokens: 0,
                    ..scored
                };
                let attribution = None;
                return ready(Ok(Box::new(Found {
                    scored,
                    attribution,
                })));
            }
        }
        let plan = self.judge.plan(&subject, want).and_then(|mut plan| {
            match samples {
                Some(Ok(texts)) => self.judge.compare(&mut plan, &response.text, texts)?,
                Some(Err(cause)) => plan.add_trouble(format!("vro: {cause}")),
                None => (),
            }
            let asked = self
                .run
                .attribute
                .then(|| self.judge.omissions(&subject, with_reference));
            Ok((plan, asked.transpose()?))
        });
        match plan {
            Err(error) => ready(Err(error.to_string())),
            Ok((mut plan, mut omissions)) => {
                let mut tasks = std::mem::take(&mut plan.tasks);
                if let Some(omissions) = &mut omissions {
                    tasks.append(&mut omissions.tasks);
                }
                (item(State::Planned(Box::new(plan), omissions)), tasks)
            }
        }
    }

    /// Reads what the engine computed for a response.
    fn read(
        &self,
        plan: &Plan,
        omissions: Option<&Omissions>,
        with_reference: bool,
        outcomes: &[Outcome],
    ) -> Result<Box<Found>, String> {
        let (own, left_out) = outcomes.split_at(plan.len().min(outcomes.len()));
        let scored = self.judge.read(plan, own).map_err(|e| e.to_string())?;
        let attribution = match omissions {
            None => None,
            Some(omissions) => {
                let in_mode = in_mode(&scored.card, with_reference);
                let score = in_mode.ok_or("without self_eval there is nothing to attribute")?;
                let found = self.judge.attribution(omissions, score.mean(), left_out);
                Some(found.map_err(|e| e.to_string())?)
            }
        };
        Ok(Box::new(Found {
            scored,
            attribution,
        }))
    }

    /// The item with what the engine computed for it.
    fn read_item(&self, mut item: Item, answered: Answered) -> Item {
        let State::Planned(plan, omissions) = &item.state else {
            return item;
        };
        let scored = answered.and_then(|outcomes| {
            self.read(plan, omissions.as_ref(), item.with_reference, &outcomes)
        });
        if let (Some(kept), Ok(found)) = (&self.kept, &scored)
            && found.scored.trouble.is_none()
        {
            let text = item.record.responses.get(item.place).map(|r| &r.text);
            let text = text.map_or("", String::as_str);
            let key = SubjectKey::of(&item.record, text);
            kept.borrow_mut().keep(key, &found.scored);
        }
        item.state = State::Ready(scored);
        item
    }

    fn write(&mut self, item: Item, out: &mut dyn Write) -> Result<(), ScoreError> {
        let State::Ready(result) = item.state else {
            return Ok(());
        };
        let (found, error) = match result {
            Ok(mut found) => {
                let trouble = found.scored.trouble.take();
                (Some(found), trouble)
            }
            Err(cause) => (None, Some(cause)),
        };
        let scored = found.as_ref().map(|found| &found.scored);
        let card = scored.map(|s| &s.card);
        let in_mode = card.and_then(|card| in_mode(card, item.with_reference));
        let mut signals = Map::new();
        for signal in &self.run.signals {
            let mean = |d: Option<&LabelDistribution>| d.map(LabelDistribution::mean);
            let value = match signal {
                Signal::SelfEval => mean(in_mode),
                Signal::SelfEvalRef => mean(card.and_then(|c| c.self_eval_ref.as_ref())),
                Signal::SelfEvalFree => mean(card.and_then(|c| c.self_eval_free.as_ref())),
                Signal::Cosine => card.and_then(|c| c.cosine),
                Signal::Fused => card.and_then(|c| c.fused),
                Signal::Ppl => scored.and_then(|s| s.ppl),
                Signal::Vro => scored.and_then(|s| s.vro),
                Signal::Reward => scored.and_then(|s| s.reward),
                Signal::Generated => scored.and_then(|s| s.generated),
            };
            signals.insert(signal.name().into(), value.into());
            if *signal == Signal::SelfEval {
                let own = match item.with_reference {
                    true => Signal::SelfEvalRef,
                    false => Signal::SelfEvalFree,
                };
                signals.insert(own.name().into(), value.into());
                let by = scored.map_or(&[][..], |s| match item.with_reference {
                    true => &s.criteria_ref,
                    false => &s.criteria_free,
                });
                let names = self.judge.templates().criteria.iter();
                for ((name, _), score) in names.zip(by) {
                    signals.insert(format!("self_eval.{name}"), (*score).into());
                }
            }
        }
        let wants_fused = self.run.signals.contains(&Signal::Fused);
        let mode = mode_name(item.with_reference);
        let cut = self.run.cut.as_ref().and_then(|preset| {
            if !preset.covers(mode) {
                self.summary.undecided += 1;
                return None;
            }
            let value = signals.get(&preset.signal)?.as_f64()?;
            Some((value, Verdict::of(value, preset.threshold)))
        });
        if let Some((value, verdict)) = cut {
            self.cut_values.push(value);
            self.summary.answered += usize::from(verdict == Verdict::Answer);
        }
        let (record, none) = (&item.record, Response::default());
        let response = record.responses.get(item.place).unwrap_or(&none);
        let (surface, list_items) = row::surface(record, response);
        let row = Row {
            id: &record.id,
            response_id: &response.id,
            instruction_hash: record.instruction_hash(),
            generator: response.generator.as_deref(),
            mode,
            signals,
            fusion: wants_fused.then_some(self.fusion.as_str()),
            embedder: [Signal::Cosine, Signal::Fused, Signal::Vro]
                .iter()
                .any(|s| self.run.signals.contains(s))
                .then_some(&self.embedder_name),
            self_eval: in_mode.map(Distribution::from),
            verdict: cut.map(|(_, verdict)| verdict.word()),
            attribution: found.as_ref().and_then(|f| f.attribution.as_ref()),
            generated: scored.and_then(|s| s.text.as_deref()),
            judge: &self.judge_name,
            template: &self.template_name,
            prompt_tokens: card.map_or(0, |c| c.prompt_tokens),
            labels: &response.labels,
            length: response.text.chars().count(),
            list_items,
            surface,
            meta: row::meta(record, response),
            error: error.clone(),
            shard: (self.run.shard != Shard::WHOLE).then(|| self.run.shard.to_string()),
        };
        serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        let summary = &mut self.summary;
        summary.rows += 1;
        summary.errors += usize::from(error.is_some());
        summary.failed += usize::from(error.is_some());
        if let (Some(cause), 1) = (&error, summary.failed) {
            (self.first_failure)(&format!("{} / {}: {cause}", record.id, response.id));
        }
        summary.prompt_tokens += row.prompt_tokens;
        if let Some(missing) = in_mode.and_then(|found| found.missing) {
            let served = summary.server.get_or_insert_default();
            served.incomplete += 1;
            served.missing = served.missing.max(missing);
        }
        if let Some(scored) = scored {
            summary.truncated += usize::from(scored.truncated);
            summary.computed_tokens += scored.computed_tokens;
            if scored.computed_tokens > 0 {
                summary.fresh_tokens += row.prompt_tokens;
            }
        }
        match error {
            Some(cause) if self.run.strict => Err(ScoreError::Row {
                id: record.id.clone(),
                response_id: response.id.clone(),
                cause,
            }),
            _ => Ok(()),
        }
    }
}

/// As rows have it.
pub(super) fn mode_name(with_reference: bool) -> &'static str {
    match with_reference {
        true => "reference",
        false => "reference-free",
    }
}

/// The distribution in the mode of the run.
pub(super) fn in_mode(card: &ScoreCard, with_reference: bool) -> Option<&LabelDistribution> {
    match with_reference {
        true => card.self_eval_ref.as_ref(),
        false => card.self_eval_free.as_ref(),
    }
}
