//! Rationales of a pair's verdicts: those of all principles are written together.

use std::sync::mpsc::channel;

use crate::engine::line::{Answered, EngineGone};
use crate::engine::{Answer, Engine, Job, Lane, Task};
use crate::judge::pairwise::rationale::{Rationale, Step};
use crate::judge::pairwise::{Judgment, Pair, PairJudge, Winner};

/// What the judge says of each principle's verdict in the first order; of a tie, about the token that it found likelier
/// there.
pub(super) fn rationales(
    judge: &PairJudge,
    engine: &Engine,
    pair: &Pair,
    judgment: &Judgment,
    max_tokens: usize,
) -> Result<Result<Vec<String>, String>, EngineGone> {
    let position = |at: usize| {
        let found = &judgment.principles[at];
        match found.winner {
            Winner::A => 0,
            Winner::B => 1,
            Winner::Tie => usize::from(found.orders[0].p_b > found.orders[0].p_a),
        }
    };
    let begun: Result<Vec<(Rationale, Task)>, _> = (0..judgment.principles.len())
        .map(|at| judge.rationale(pair, (at, false), position(at), max_tokens))
        .collect();
    let mut texts = vec![String::new(); judgment.principles.len()];
    let mut open: Vec<(usize, Rationale, Task)> = match begun {
        Ok(begun) => begun
            .into_iter()
            .enumerate()
            .map(|(at, (rationale, task))| (at, rationale, task))
            .collect(),
        Err(error) => return Ok(Err(error.to_string())),
    };
    while !open.is_empty() {
        let (going, tasks): (Vec<_>, Vec<_>) = open
            .drain(..)
            .map(|(at, rationale, task)| ((at, rationale), task))
            .unzip();
        let outcomes = match ask(engine, tasks)? {
            Ok(outcomes) => outcomes,
            Err(cause) => return Ok(Err(cause)),
        };
        for ((at, rationale), outcome) in going.into_iter().zip(&outcomes) {
            match judge.rationale_step(rationale, outcome) {
                Ok(Step::Whole(text)) => texts[at] = text,
                Ok(Step::Ask(rationale, task)) => open.push((at, *rationale, task)),
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
    }
    Ok(Ok(texts))
}

/// Computes some tasks and waits for them.
fn ask(engine: &Engine, tasks: Vec<Task>) -> Result<Answered, EngineGone> {
    let (reply, answers) = channel();
    engine.submit(Job {
        id: RATIONALE,
        lane: Lane::Batch,
        tasks,
        reply,
    });
    for answer in answers {
        match answer {
            Answer::Token { .. } => (),
            Answer::Done { outcomes, .. } => return Ok(Ok(outcomes)),
            Answer::Failed { cause, .. } => return Ok(Err(cause)),
            Answer::Cancelled { .. } => return Err(EngineGone),
        }
    }
    Err(EngineGone)
}

/// Apart from the ids of the line's jobs, which count from 0.
const RATIONALE: u64 = u64::MAX;
