//! Texts of a policy: several for each record.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::channel;

use super::score::ScoreError;
use crate::data::{Record, Subject};
use crate::engine::{Answer, Ask, Engine, Job, Lane, Outcome, Role, Task};
use crate::judge::{Judge, dialogue};
use crate::model::sampling::Sampling;
use crate::stats::bootstrap::SplitMix64;

/// Records with the engine at a time.
const AHEAD: usize = 32;

/// Lets the policy write `count` texts to each record: they depend on the seed and the record's instruction alone, not
/// on what else is asked. What cannot be written is given back with its cause. `progress` is called after each
/// record.
///
/// # Errors
/// The engine went away.
pub fn sample(
    judge: &Judge,
    engine: &Engine,
    records: &[&Record],
    (count, sampling): (usize, Sampling),
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Result<Vec<String>, String>>, ScoreError> {
    let policy = &judge.cast().policy;
    let (replies, answers) = channel();
    // Records of one instruction get the same texts: these are written once.
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut distinct = Vec::new();
    let own: Vec<usize> = records
        .iter()
        .map(|record| {
            *places.entry(record.instruction_hash()).or_insert_with(|| {
                distinct.push(*record);
                distinct.len() - 1
            })
        })
        .collect();
    let records = distinct;
    let mut texts: Vec<Option<Result<Vec<String>, String>>> = vec![None; records.len()];
    let (mut next, mut done, mut waiting) = (0, 0, HashSet::new());
    while done < records.len() {
        while waiting.len() < AHEAD && next < records.len() {
            let (at, record) = (next, records[next]);
            next += 1;
            let ids = match dialogue::request(&Subject::of(record, ""), policy) {
                Ok(ids) => ids,
                Err(error) => {
                    texts[at] = Some(Err(error.to_string()));
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
                id: at as u64,
                lane: Lane::Batch,
                tasks: (0..count).map(task).collect(),
                reply: replies.clone(),
            });
            waiting.insert(at as u64);
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
        if !waiting.remove(&id) {
            continue;
        }
        let written = outcomes.and_then(|outcomes| {
            let ids = outcomes.iter().filter_map(|outcome| match outcome {
                Outcome::Generated { ids, .. } => Some(ids),
                _ => None,
            });
            let text = |ids: &Vec<u32>| {
                let text = policy.tokenizer.decode(ids).map_err(|e| e.to_string())?;
                Ok(text.trim().to_owned())
            };
            ids.map(text).collect()
        });
        texts[id as usize] = Some(written);
        done += 1;
        progress(done);
    }
    let missing = || Err("nothing was written".to_owned());
    Ok(own
        .into_iter()
        .map(|at| texts[at].clone().unwrap_or_else(missing))
        .collect())
}

/// The seeds of a record's texts.
fn seeds(seed: u64, record: &Record) -> SplitMix64 {
    let own = u64::from_str_radix(&record.instruction_hash(), 16).unwrap_or_default();
    SplitMix64(seed ^ own)
}
