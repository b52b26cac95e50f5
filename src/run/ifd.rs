//! A student's statistics of many pairs: prompts go in ahead, numbers come out in order.

use std::io;

use serde::Serialize;

use crate::data::{Record, Response};
use crate::engine::Engine;
use crate::engine::line::{EngineGone, Line};
use crate::judge::student::{Losses, Pair, Plan, Student};
use crate::method::reflection::statistics::Statistics;
use crate::stats::auc::auroc;

/// Pairs with the engine at a time.
const AHEAD: usize = 256;

/// A pair with texts of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Texts {
    pub instruction: String,
    pub input: Option<String>,
    pub response: String,
}

impl Texts {
    /// Of a response to a record; turns before it belong to its instruction.
    pub fn of(record: &Record, response: Option<&Response>) -> Self {
        let instruction = match &record.context {
            Some(context) => format!("{context}\n\n{}", record.instruction),
            None => record.instruction.clone(),
        };
        Texts {
            instruction,
            input: record.input.clone(),
            response: response.map(|r| r.text.clone()).unwrap_or_default(),
        }
    }

    /// The same by reference.
    pub fn pair(&self) -> Pair<'_> {
        Pair {
            instruction: &self.instruction,
            input: self.input.as_deref(),
            response: &self.response,
        }
    }
}

/// What is known of a pair.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    pub statistics: Statistics,
    /// Why something is undefined.
    pub error: Option<String>,
    pub truncated: bool,
    /// Tokens of its prompts, and how many of them were computed.
    pub tokens: usize,
    pub computed: usize,
}

impl Measured {
    /// Nothing is known.
    pub fn failed(cause: String) -> Self {
        Measured {
            error: Some(cause),
            ..Measured::default()
        }
    }

    fn of(plan: Plan, outcomes: &[crate::engine::Outcome]) -> Self {
        let (truncated, tokens) = (plan.truncated, plan.tokens);
        let (losses, computed) = plan.read(outcomes);
        Measured {
            error: told(&losses),
            statistics: Statistics::of(losses.map(Result::ok)),
            truncated,
            tokens,
            computed,
        }
    }
}

/// Every cause once.
fn told(losses: &Losses) -> Option<String> {
    let mut causes: Vec<&str> = Vec::new();
    for cause in losses.iter().filter_map(|loss| loss.as_ref().err()) {
        if !causes.contains(&cause.as_str()) {
            causes.push(cause);
        }
    }
    (!causes.is_empty()).then(|| causes.join("; "))
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum IfdError {
    /// What was found could not be passed on.
    #[error("cannot write the results")]
    Write(#[from] io::Error),
    /// The engine went away.
    #[error(transparent)]
    Engine(#[from] EngineGone),
}

/// Measures pairs and hands each on, in order.
///
/// # Errors
/// The engine went away; what `done` says.
pub fn measure<T, E: From<IfdError>>(
    student: &Student,
    engine: &Engine,
    pairs: impl IntoIterator<Item = (T, Texts)>,
    done: &mut dyn FnMut(T, Measured) -> Result<(), E>,
) -> Result<(), E> {
    let mut pairs = pairs.into_iter();
    let mut line = Line::new(engine, AHEAD);
    loop {
        while line.has_room()
            && let Some((item, texts)) = pairs.next()
        {
            match student.plan(&texts.pair()) {
                Ok(mut plan) => {
                    let tasks = std::mem::take(&mut plan.tasks);
                    line.push((item, Ok(plan)), tasks);
                }
                Err(error) => line.push((item, Err(error.to_string())), Vec::new()),
            }
        }
        let Some(((item, plan), answered)) = line.pop().map_err(IfdError::from)? else {
            return Ok(());
        };
        let measured = plan.and_then(|plan| Ok(Measured::of(plan, &answered?)));
        done(item, measured.unwrap_or_else(Measured::failed))?;
    }
}

/// How well a number tells the rows that somebody picked out from the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// Area under the receiver operating characteristic; the higher number is the likelier pick.
    pub auroc: Option<f64>,
    /// Rows that are ranked, and those among them that were picked.
    pub rows: usize,
    pub picked: usize,
    /// Rows that have the number at 1 or above, or not at all.
    pub set_aside: usize,
}

/// Ranks rows by a number; `below_one` sets aside what is not below 1.
pub fn ranking(values: &[Option<f64>], picked: &[bool], below_one: bool) -> Ranking {
    let rows: Vec<(f64, bool)> = values
        .iter()
        .zip(picked)
        .filter_map(|(value, picked)| Some(((*value)?, *picked)))
        .filter(|(value, _)| !below_one || *value < 1.0)
        .collect();
    let (scores, kept): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
    Ranking {
        auroc: auroc(&scores, &kept),
        rows: scores.len(),
        picked: kept.iter().filter(|picked| **picked).count(),
        set_aside: values.len() - scores.len(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_one_or_undefined_is_set_aside() {
        let values = [Some(0.9), Some(0.5), Some(1.0), None, Some(0.7)];
        let found = ranking(&values, &[true, false, true, false, false], true);
        assert_eq!(
            (found.auroc, found.rows, found.picked, found.set_aside),
            (Some(1.0), 3, 1, 2)
        );
        assert_eq!(
            ranking(&values, &[true, false, true, false, false], false).set_aside,
            1
        );
    }
}
