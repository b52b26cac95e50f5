//! Responses of a policy: several for each record.

use std::collections::HashMap;
use std::sync::mpsc::channel;

use super::score::ScoreError;
use crate::data::{Record, Response, Subject};
use crate::engine::{Answer, Ask, Engine, Job, Lane, Outcome, Role, Task};
use crate::judge::{Judge, dialogue};
use crate::model::sampling::Sampling;
use crate::stats::bootstrap::SplitMix64;

/// Records with the engine at a time.
const AHEAD: usize = 32;

/// Writes `count` responses to each record, ids from 1 on, behind those it has. A record's texts depend on
/// the seed and its instruction alone, not on what else is asked. `progress` is called after each record.
///
/// Records that no response can be written to are given back with the cause.
///
/// # Errors
/// The engine went away.
pub fn sample(
    judge: &Judge,
    engine: &Engine,
    records: &mut [Record],
    (count, sampling): (usize, Sampling),
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<(usize, String)>, ScoreError> {
    let policy = &judge.cast().policy;
    let (replies, answers) = channel();
    let (mut next, mut done, mut waiting) = (0, 0, HashMap::new());
    let mut failed = Vec::new();
    while done < records.len() {
        while waiting.len() < AHEAD && next < records.len() {
            let record = &records[next];
            next += 1;
            let ids = match dialogue::request(&Subject::of(record, ""), policy) {
                Ok(ids) => ids,
                Err(error) => {
                    failed.push((next - 1, error.to_string()));
                    done += 1;
                    continue;
                }
            };
            let mut seeds = seeds(sampling.seed, record);
            let task = |_| Task {
                role: Role::Policy,
                ids: ids.clone(),
                ask: Ask::Generate {
                    sampling: Sampling {
                        seed: seeds.next_u64(),
                        ..sampling
                    },
                    end: policy.end_tokens.clone(),
                },
            };
            engine.submit(Job {
                id: next as u64 - 1,
                lane: Lane::Batch,
                tasks: (0..count).map(task).collect(),
                reply: replies.clone(),
            });
            waiting.insert(next as u64 - 1, next - 1);
        }
        if waiting.is_empty() {
            continue;
        }
        let (id, outcomes) = match answers.recv().map_err(|_| ScoreError::Engine)? {
            Answer::Token { .. } => continue,
            Answer::Cancelled { .. } => return Err(ScoreError::Engine),
            Answer::Done { id, outcomes, .. } => (id, Ok(outcomes)),
            Answer::Failed { id, cause } => (id, Err(cause)),
        };
        let Some(at) = waiting.remove(&id) else {
            continue;
        };
        let texts = outcomes.and_then(|outcomes| {
            let written = outcomes.iter().filter_map(|outcome| match outcome {
                Outcome::Generated { ids, .. } => Some(policy.tokenizer.decode(ids)),
                _ => None,
            });
            let texts: Result<Vec<String>, _> = written.collect();
            texts.map_err(|e| e.to_string())
        });
        match texts {
            Ok(texts) => records[at]
                .responses
                .extend(texts.iter().enumerate().map(|(n, text)| Response {
                    id: (n + 1).to_string(),
                    generator: Some(policy.name.clone()),
                    text: text.trim().to_owned(),
                    ..Response::default()
                })),
            Err(cause) => failed.push((at, cause)),
        }
        done += 1;
        progress(done);
    }
    Ok(failed)
}

/// The seeds of a record's texts.
fn seeds(seed: u64, record: &Record) -> SplitMix64 {
    let own = u64::from_str_radix(&record.instruction_hash(), 16).unwrap_or_default();
    SplitMix64(seed ^ own)
}
