//! What stretches aimed at the judge are worth: responses as they are, without these, with a neutral sentence more, and
//! with attacks.

mod row;
mod summary;

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use super::kept::KeptScores;
use super::row::Named;
use super::score::{Mode, NO_REFERENCE, NO_TEMPLATE, Records, Signal, in_mode, kept_as, mode_name};
use crate::data::{DataError, Record, Subject, SubjectKey, Verdict};
use crate::engine::line::{Answered, EngineGone, Line};
use crate::engine::{Engine, Outcome, Task};
use crate::judge::suspect::{Detector, Span, without};
use crate::judge::{Judge, Plan, Scored, Signals};
use crate::model::served::Need;
use row::{Row, Scores};
pub use summary::{AttackFigures, Figures, Summary};
use summary::{Observed, Observer};

/// Says nothing of the answer: what it changes is what one more line changes.
pub const NEUTRAL: &str = "This line is the last one of the text.";

/// What to ask.
#[derive(Clone, Debug)]
pub struct ProbeRun {
    pub mode: Mode,
    /// Responses without anything aimed at the judge, too.
    pub all: bool,
    /// Stop at the first response that cannot be scored.
    pub strict: bool,
    /// Put behind the response, a blank line between.
    pub neutral: String,
    /// Texts that are put behind the response and in its place.
    pub attacks: Vec<String>,
    /// From which self-evaluation on to answer.
    pub cut: Option<Cut>,
    /// Of the bootstrap.
    pub rounds: usize,
    pub seed: u64,
}

/// A threshold on the self-evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    pub threshold: f64,
    /// It holds for rows of these modes; none: for all.
    pub modes: Vec<String>,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A response could not be scored and `strict` is set.
    #[error("{id} / {response_id}: {cause}")]
    Row {
        id: String,
        response_id: String,
        cause: String,
    },
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The output could not be written.
    #[error("cannot write the results: {0}")]
    Write(#[from] io::Error),
    /// Scores cannot be had of this judge, whatever the row.
    #[error("{0}")]
    Unable(String),
    /// The engine went away.
    #[error(transparent)]
    Engine(#[from] EngineGone),
}

/// Records that may be with the engine at a time.
const AHEAD: usize = 64;

/// A form of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AsIs,
    Without,
    Neutral,
    /// With an attack behind it, by its number.
    Appended(usize),
    /// The attack alone.
    Instead(usize),
}

/// One form on its way.
struct Look {
    form: Form,
    key: SubjectKey,
    state: LookState,
}

enum LookState {
    Planned(Box<Plan>),
    Ready(Result<Box<Scored>, String>),
}

/// A response on its way.
struct Asked {
    place: usize,
    spans: Vec<Span>,
    looks: Vec<Look>,
}

/// A record in line: the forms of all its responses share one job, and with it what they begin with.
struct Item {
    record: Arc<Record>,
    with_reference: bool,
    asked: Vec<Asked>,
}

/// Scores responses in several forms and writes a line for each.
pub struct Prober<'a> {
    judge: &'a Judge,
    engine: &'a Engine,
    run: &'a ProbeRun,
    detector: Detector,
    judge_name: Named,
    template_name: Named,
    kept: Option<RefCell<KeptScores>>,
    observer: Observer,
    first_failure: Box<dyn Fn(&str) + 'a>,
}

impl<'a> Prober<'a> {
    /// A run on a loaded judge.
    pub fn new(judge: &'a Judge, engine: &'a Engine, run: &'a ProbeRun) -> Self {
        let facts = &judge.cast().judge;
        Prober {
            judge_name: Named {
                name: facts.name.clone(),
                hash: facts.hash.clone(),
            },
            template_name: Named {
                name: judge.templates().name.clone(),
                hash: judge.templates().hash(),
            },
            detector: Detector::of(judge.templates(), &facts.tokenizer),
            judge,
            engine,
            run,
            kept: None,
            observer: Observer::default(),
            first_failure: Box::new(|_| ()),
        }
    }

    /// Takes scores of earlier runs, of `juror score --signals self_eval` among them, and keeps those of this one.
    #[must_use]
    pub fn with_kept(mut self, mut kept: KeptScores) -> Self {
        kept.made_by(self.judge, &kept_as(self.run.mode, &[Signal::SelfEval]));
        self.kept = Some(kept.into());
        self
    }

    /// Calls `tell` with the first row that cannot be scored and why; the others are in the output.
    #[must_use]
    pub fn on_first_failure(mut self, tell: impl Fn(&str) + 'a) -> Self {
        self.first_failure = Box::new(tell);
        self
    }

    /// Runs to the end; `progress(responses looked at, rows, prompt tokens)` is called after each record.
    ///
    /// # Errors
    /// See [`ProbeError`].
    pub fn run(
        mut self,
        records: Records<'_>,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(usize, usize, usize),
    ) -> Result<Summary, ProbeError> {
        if let Some(cause) = self.judge.cast().judge.lacks(Need::Labels) {
            return Err(ProbeError::Unable(format!("self_eval: {cause}")));
        }
        let started = Instant::now();
        let mut line = Line::new(self.engine, AHEAD);
        let mut more = true;
        loop {
            while more && line.has_room() {
                match records.next() {
                    Some(record) => {
                        let (item, tasks) = self.hand_in(record?);
                        line.push(item, tasks);
                    }
                    None => more = false,
                }
            }
            let Some((item, answered)) = line.pop()? else {
                break;
            };
            self.finish(item, answered, out)?;
            let found = &self.observer;
            progress(found.responses, found.rows, found.prompt_tokens);
        }
        out.flush()?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(self.observer.summary(self.run, seconds))
    }

    /// Makes the prompts of a record: those of every response that is to be looked at.
    fn hand_in(&self, record: Arc<Record>) -> (Item, Vec<Task>) {
        let with_reference = self.run.mode.shows_reference(self.judge, &record);
        let mut tasks = Vec::new();
        let mut asked = Vec::new();
        for (place, response) in record.responses.iter().enumerate() {
            let spans = self.detector.spans(&record, &response.text);
            if spans.is_empty() && !self.run.all && self.run.attacks.is_empty() {
                continue;
            }
            let forms = self.forms(&response.text, &spans);
            let looks = forms
                .into_iter()
                .map(|(form, text)| {
                    let subject = Subject::of(&record, &text);
                    Look {
                        form,
                        key: SubjectKey::of_subject(&subject),
                        state: self.plan(&subject, with_reference, &mut tasks),
                    }
                })
                .collect();
            asked.push(Asked {
                place,
                spans,
                looks,
            });
        }
        let item = Item {
            record,
            with_reference,
            asked,
        };
        (item, tasks)
    }

    /// The forms of a response, those that begin alike one after the other.
    fn forms(&self, text: &str, spans: &[Span]) -> Vec<(Form, String)> {
        let behind = |more: &str| format!("{}\n\n{more}", text.trim_end());
        let mut forms = vec![
            (Form::AsIs, text.to_owned()),
            (Form::Neutral, behind(&self.run.neutral)),
        ];
        if !spans.is_empty() {
            forms.push((Form::Without, without(text, spans)));
        }
        for (number, attack) in self.run.attacks.iter().enumerate() {
            forms.push((Form::Appended(number), behind(attack)));
            forms.push((Form::Instead(number), attack.clone()));
        }
        forms
    }

    fn plan(&self, subject: &Subject, with_reference: bool, tasks: &mut Vec<Task>) -> LookState {
        let templates = self.judge.templates();
        let template = match with_reference {
            true => &templates.reference,
            false => &templates.free,
        };
        if with_reference && subject.reference.is_none() {
            return LookState::Ready(Err(NO_REFERENCE.into()));
        }
        if template.is_none() {
            return LookState::Ready(Err(NO_TEMPLATE.into()));
        }
        if let Some(kept) = &self.kept {
            let found: Option<Scored> = kept.borrow_mut().find(SubjectKey::of_subject(subject));
            if let Some(scored) = found {
                let scored = Scored {
                    computed_tokens: 0,
                    ..scored
                };
                return LookState::Ready(Ok(Box::new(scored)));
            }
        }
        let want = Signals {
            self_eval_ref: with_reference,
            self_eval_free: !with_reference,
            cosine: false,
            fuse_free: !with_reference,
            ..Signals::default()
        };
        match self.judge.plan(subject, want) {
            Ok(mut plan) => {
                tasks.append(&mut plan.tasks);
                LookState::Planned(Box::new(plan))
            }
            Err(error) => LookState::Ready(Err(error.to_string())),
        }
    }

    /// What the engine says of each form: its outcomes come in the order of the forms.
    fn read(&self, asked: &mut [Asked], answered: &Answered) {
        let mut outcomes: &[Outcome] = answered.as_ref().map_or(&[], Vec::as_slice);
        for look in asked.iter_mut().flat_map(|asked| &mut asked.looks) {
            let LookState::Planned(plan) = &look.state else {
                continue;
            };
            let (own, others) = outcomes.split_at(plan.len().min(outcomes.len()));
            outcomes = others;
            let scored = match answered {
                Ok(_) => self.judge.read(plan, own).map_err(|e| e.to_string()),
                Err(cause) => Err(cause.clone()),
            };
            if let (Some(kept), Ok(scored)) = (&self.kept, &scored)
                && scored.trouble.is_none()
            {
                kept.borrow_mut().keep(look.key, scored);
            }
            look.state = LookState::Ready(scored.map(Box::new));
        }
    }

    fn finish(
        &mut self,
        mut item: Item,
        answered: Answered,
        out: &mut dyn Write,
    ) -> Result<(), ProbeError> {
        self.read(&mut item.asked, &answered);
        let record = &item.record;
        self.observer.responses += record.responses.len();
        for asked in &item.asked {
            let Some(response) = record.responses.get(asked.place) else {
                continue;
            };
            let (scores, error) = self.scores(asked, item.with_reference);
            let mode = mode_name(item.with_reference && record.reference.is_some());
            let cut = self.run.cut.as_ref();
            let cut = cut.filter(|cut| cut.modes.is_empty() || cut.modes.iter().any(|m| m == mode));
            let verdict =
                |score: Option<f64>| Some(Verdict::of(score?, cut.map(|cut| cut.threshold)?));
            let observed = Observed {
                kinds: asked.spans.iter().map(|span| span.kind).collect(),
                instruction: record.instruction_hash(),
                verdicts: (verdict(scores.as_is), verdict(scores.without)),
                scores,
            };
            let row = Row::new((record, response), &asked.spans, &observed)
                .made_by(mode, &self.judge_name, &self.template_name)
                .with_error(error.as_deref());
            serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            self.observer.add(observed, error.is_some());
            let Some(cause) = error else { continue };
            if self.observer.failed == 1 {
                (self.first_failure)(&format!("{} / {}: {cause}", record.id, response.id));
            }
            if self.run.strict {
                return Err(ProbeError::Row {
                    id: record.id.clone(),
                    response_id: response.id.clone(),
                    cause,
                });
            }
        }
        Ok(())
    }

    /// The scores of a response's forms, and why the first that is missing is.
    fn scores(&self, asked: &Asked, with_reference: bool) -> (Scores, Option<String>) {
        let mut scores = Scores::new(self.run.attacks.len());
        let mut error = None;
        for look in &asked.looks {
            let found = match &look.state {
                LookState::Ready(Ok(scored)) => {
                    scores.prompt_tokens += scored.card.prompt_tokens;
                    scores.computed_tokens += scored.computed_tokens;
                    scores.truncated |= scored.truncated;
                    let found = in_mode(&scored.card, with_reference);
                    let mean = found.map(|distribution| distribution.mean());
                    let missing = scored.trouble.clone();
                    mean.ok_or(missing.unwrap_or_else(|| "there is no self_eval".into()))
                }
                LookState::Ready(Err(cause)) => Err(cause.clone()),
                LookState::Planned(_) => Err("the engine did not say".into()),
            };
            match found {
                Ok(score) => scores.set(look.form, score),
                Err(cause) => drop(error.get_or_insert(cause)),
            }
        }
        (scores, error)
    }
}
