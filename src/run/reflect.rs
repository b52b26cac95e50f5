//! Selective reflection: a teacher rewrites samples, a student's numbers decide which form is kept.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::ControlFlow;

use super::budget::Budget;
use super::ifd::{IfdError, Measured, Texts, measure};
use super::ledger::{self, Ledger};
use super::writer::{Refusal, Reply, Writer};
use crate::engine::Engine;
use crate::engine::line::EngineGone;
use crate::judge::student::Student;
use crate::method::reflection::reply::{self, Cause};
use crate::method::reflection::request::{Reflection, Requests};
use crate::method::reflection::selection::{Candidates, Decision, Form, select, takes_question};

/// Prompts in a row that a server does not answer before the run ends: each was tried several times.
const GIVE_UP_AFTER: usize = 16;

/// How to reflect.
#[derive(Clone, Debug)]
pub struct Settings {
    pub requests: Requests,
    /// Longest reply in tokens.
    pub max_tokens: usize,
    /// Ask for a better response only to the instruction that is chosen.
    pub only_needed: bool,
    /// Drop also what ends in the original or in Q*.
    pub as_released: bool,
    /// Stop where the teacher refuses a prompt.
    pub strict: bool,
}

/// One sample on its way.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Texts of each form there is, in the order of [`Form::ALL`].
    pub forms: [Option<Texts>; 4],
    /// The student's numbers of each.
    pub measured: [Option<Measured>; 4],
    /// Why a form was asked for and is not there.
    pub causes: [Option<Cause>; 4],
}

impl Sample {
    /// A sample before anything was asked.
    pub fn new(texts: Texts) -> Self {
        Sample {
            forms: [Some(texts), None, None, None],
            ..Sample::default()
        }
    }

    fn candidates(&self) -> Candidates {
        let of = |found: &Option<Measured>| found.as_ref().map(|found| found.statistics);
        [0, 1, 2, 3].map(|at| of(&self.measured[at]))
    }

    /// Which form is kept, or why none.
    pub fn decision(&self, as_released: bool) -> Decision {
        select(&self.candidates(), as_released)
    }
}

/// Why a run ended early; what was replied so far is in the journal.
#[derive(Debug, thiserror::Error)]
pub enum ReflectError {
    /// The teacher cannot be asked.
    #[error("the teacher: {0}")]
    Teacher(String),
    /// The student's side.
    #[error(transparent)]
    Student(#[from] IfdError),
    /// The journal cannot be written.
    #[error("cannot write the journal: {0}")]
    Journal(#[from] io::Error),
    /// The engine went away.
    #[error(transparent)]
    Engine(#[from] EngineGone),
}

/// Stages of a run, for whoever shows how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Teacher,
    Student,
}

/// Told of the stage, how much of it is done, how much there is, and what the teacher took so far.
pub type Progress<'a> = &'a mut dyn FnMut(Stage, usize, usize, &Budget);

/// Everything that a run works with.
pub struct Reflector<'a> {
    pub writer: &'a Writer<'a>,
    pub student: &'a Student,
    pub engine: &'a Engine,
    pub settings: &'a Settings,
    pub ledger: Ledger,
    pub budget: Budget,
    /// Tokens of the student's prompts that were not known.
    pub student_tokens: usize,
    pub truncated: usize,
    /// What the teacher said where it did not answer a prompt, once each.
    pub refusals: BTreeMap<String, usize>,
    pub progress: Progress<'a>,
}

/// A form to be made, out of another.
struct Wanted {
    sample: usize,
    on: Reflection,
    from: Form,
    to: Form,
}

impl Reflector<'_> {
    /// Makes the forms of all samples and measures them.
    ///
    /// # Errors
    /// See [`ReflectError`].
    pub fn run(&mut self, samples: &mut [Sample]) -> Result<(), ReflectError> {
        let all = 0..samples.len();
        let better = |sample, from, to| Wanted {
            sample,
            on: Reflection::Response,
            from,
            to,
        };
        let mut wanted: Vec<Wanted> = all
            .clone()
            .map(|sample| Wanted {
                sample,
                on: Reflection::Instruction,
                from: Form::Original,
                to: Form::Question,
            })
            .collect();
        if !self.settings.only_needed {
            wanted.extend(
                all.clone()
                    .map(|sample| better(sample, Form::Original, Form::Answer)),
            );
            self.reflect(samples, &wanted)?;
            let asked = all.filter(|at| samples[*at].forms[Form::Question as usize].is_some());
            wanted = asked
                .map(|sample| better(sample, Form::Question, Form::Both))
                .collect();
            self.reflect(samples, &wanted)?;
            return self.measure(samples);
        }
        self.reflect(samples, &wanted)?;
        self.measure(samples)?;
        let chosen = |sample: usize| match takes_question(&samples[sample].candidates()) {
            true => better(sample, Form::Question, Form::Both),
            false => better(sample, Form::Original, Form::Answer),
        };
        let wanted: Vec<Wanted> = all.map(chosen).collect();
        self.reflect(samples, &wanted)?;
        self.measure(samples)
    }

    /// Asks for forms, once more where a reply cannot be read.
    fn reflect(&mut self, samples: &mut [Sample], wanted: &[Wanted]) -> Result<(), ReflectError> {
        let mut left: Vec<usize> = (0..wanted.len()).collect();
        for again in [false, true] {
            let prompt = |at: &usize| {
                let Wanted {
                    sample, on, from, ..
                } = wanted[*at];
                let texts = samples[sample].forms[from as usize].as_ref();
                texts.map(|texts| {
                    let instruction = merged(texts);
                    self.settings
                        .requests
                        .text(on, &instruction, &texts.response, again)
                })
            };
            let prompts: Vec<String> = left.iter().filter_map(prompt).collect();
            let replies = self.replies(&prompts)?;
            let mut unread = Vec::new();
            for (at, reply) in left.into_iter().zip(replies) {
                let Wanted {
                    sample,
                    on,
                    from,
                    to,
                } = wanted[at];
                let sample = &mut samples[sample];
                let made = reply.and_then(|reply| {
                    let instruction = sample.forms[from as usize].as_ref().map(merged);
                    let instruction = instruction.unwrap_or_default();
                    let (instruction, response) = match on {
                        Reflection::Instruction => {
                            reply::instruction_of(&reply.text, reply.is_cut)?
                        }
                        Reflection::Response => {
                            (instruction, reply::response_of(&reply.text, reply.is_cut)?)
                        }
                    };
                    Ok(Texts {
                        instruction,
                        input: None,
                        response,
                    })
                });
                match made {
                    Ok(texts) => {
                        sample.forms[to as usize] = Some(texts);
                        sample.causes[to as usize] = None;
                    }
                    // The first reply's fault stays where the second was not to be had.
                    Err(Cause::OverCap | Cause::Failed | Cause::TooLong) if again => (),
                    Err(cause) => {
                        sample.causes[to as usize] = Some(cause);
                        if !matches!(cause, Cause::OverCap | Cause::Failed | Cause::TooLong) {
                            unread.push(at);
                        }
                    }
                }
            }
            left = unread;
        }
        Ok(())
    }

    /// Replies to prompts, in their order: those that are known, and the others as the teacher writes them.
    fn replies(&mut self, prompts: &[String]) -> Result<Vec<Result<Reply, Cause>>, ReflectError> {
        let identity = self.writer.identity();
        let max_tokens = self.settings.max_tokens;
        let longest = max_tokens.to_string();
        let of = |prompt: &String| ledger::key(&["reply", &identity, &longest, prompt]);
        let keys: Vec<String> = prompts.iter().map(of).collect();
        let mut outcomes: HashMap<&str, Result<Reply, Cause>> = HashMap::new();
        let mut open: Vec<usize> = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            if outcomes.contains_key(key.as_str()) {
                continue;
            }
            let known = self.ledger.reply(key).cloned();
            match &known {
                Some(reply) => self.budget.reuse(reply),
                None => open.push(at),
            }
            // Nobody asks where the cap does not allow it.
            outcomes.insert(key, known.ok_or(Cause::OverCap));
        }
        let (mut waiting, mut done, mut in_a_row) = (open.iter().copied().peekable(), 0, 0);
        let (mut stop, mut last): (Option<ReflectError>, String) = (None, String::new());
        let state = std::cell::RefCell::new((&mut self.budget, &mut self.progress));
        let mut next = || {
            let at = *waiting.peek()?;
            let mut state = state.borrow_mut();
            if !state.0.hold(&prompts[at], max_tokens) {
                if !state.0.holds() {
                    // Nothing will come to less than was held for: the next may be shorter.
                    while waiting
                        .next_if(|at| !state.0.hold(&prompts[*at], max_tokens))
                        .is_some()
                    {}
                    return waiting.next().map(|at| (at, prompts[at].clone()));
                }
                return None;
            }
            waiting.next().map(|at| (at, prompts[at].clone()))
        };
        let mut take = |at: usize, reply: Result<Reply, Refusal>| {
            let mut state = state.borrow_mut();
            let (budget, progress) = &mut *state;
            budget.settle(&prompts[at], max_tokens, reply.as_ref().ok());
            done += 1;
            progress(Stage::Teacher, done, open.len(), budget);
            let key = &keys[at];
            let outcome = match reply {
                Ok(reply) => {
                    in_a_row = 0;
                    if let Err(error) = self.ledger.keep_reply(key.clone(), reply.clone()) {
                        stop.get_or_insert(error.into());
                    }
                    Ok(reply)
                }
                Err(refusal) => {
                    *self.refusals.entry(refusal.cause().to_owned()).or_default() += 1;
                    let cause = refusal.cause().to_owned();
                    in_a_row = match refusal {
                        Refusal::Passing(_) => in_a_row + 1,
                        _ => 0,
                    };
                    last = refusal.cause().to_owned();
                    let is_end = match refusal {
                        Refusal::Gone(_) => true,
                        Refusal::Passing(_) => in_a_row >= GIVE_UP_AFTER,
                        _ => false,
                    };
                    if is_end || self.settings.strict {
                        stop.get_or_insert(ReflectError::Teacher(cause));
                    }
                    Err(match refusal {
                        Refusal::TooLong(_) => Cause::TooLong,
                        _ => Cause::Failed,
                    })
                }
            };
            outcomes.insert(key, outcome);
            match stop {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        };
        self.writer.write(max_tokens, &mut next, &mut take)?;
        // Where nothing at all came back, it is not the prompts.
        if stop.is_none() && done > 0 && in_a_row == done {
            stop = Some(ReflectError::Teacher(last));
        }
        match stop {
            Some(error) => Err(error),
            None => Ok(keys
                .iter()
                .map(|key| {
                    outcomes
                        .get(key.as_str())
                        .cloned()
                        .unwrap_or(Err(Cause::Failed))
                })
                .collect()),
        }
    }

    /// The student's numbers of all forms that have none.
    fn measure(&mut self, samples: &mut [Sample]) -> Result<(), ReflectError> {
        let identity = self.student.identity();
        let of = |texts: &Texts| {
            let input = texts.input.as_deref();
            let given = if input.is_some() { "input" } else { "" };
            let parts = [
                "numbers",
                &identity,
                &texts.instruction,
                given,
                input.unwrap_or_default(),
                &texts.response,
            ];
            ledger::key(&parts)
        };
        let mut open: Vec<((usize, usize, String), Texts)> = Vec::new();
        for (at, sample) in samples.iter_mut().enumerate() {
            for form in 0..Form::ALL.len() {
                if let (Some(texts), None) = (&sample.forms[form], &sample.measured[form]) {
                    let key = of(texts);
                    match self.ledger.measured(&key) {
                        Some(known) => sample.measured[form] = Some(known),
                        None => open.push(((at, form, key), texts.clone())),
                    }
                }
            }
        }
        let (total, mut done) = (open.len(), 0);
        let (ledger, budget) = (&mut self.ledger, &self.budget);
        let (tokens, truncated, progress) = (
            &mut self.student_tokens,
            &mut self.truncated,
            &mut self.progress,
        );
        measure(
            self.student,
            self.engine,
            open,
            &mut |(at, form, key), found: Measured| {
                *tokens += found.tokens;
                *truncated += usize::from(found.truncated);
                ledger.keep_measured(key, &found)?;
                samples[at].measured[form] = Some(found);
                done += 1;
                progress(Stage::Student, done, total, budget);
                Ok::<(), ReflectError>(())
            },
        )
    }
}

/// Instruction, empty line, input: teachers see one text, and what they make has no input.
pub fn merged(texts: &Texts) -> String {
    match &texts.input {
        Some(input) => format!("{}\n\n{input}", texts.instruction),
        None => texts.instruction.clone(),
    }
}
