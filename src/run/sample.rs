//! Texts of a policy: several for each record.

use std::collections::HashMap;

use super::line::{EngineGone, Line};
use crate::data::{Record, Subject};
use crate::engine::{Ask, Engine, Outcome, Role, Task};
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
) -> Result<Vec<Result<Vec<String>, String>>, EngineGone> {
    let policy = &judge.cast().policy;
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
    let mut texts: Vec<Result<Vec<String>, String>> = Vec::new();
    let mut line = Line::new(engine, AHEAD);
    let mut next = distinct.iter();
    loop {
        while line.has_room()
            && let Some(record) = next.next()
        {
            let request = dialogue::request(&Subject::of(record, ""), policy);
            let mut seeds = seeds(sampling.seed, record);
            let mut task = |ids: &Vec<u32>| Task {
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
            match request {
                Ok(ids) => line.push(Ok(()), (0..count).map(|_| task(&ids)).collect()),
                Err(error) => line.push(Err(error.to_string()), Vec::new()),
            }
        }
        let Some((asked, answered)) = line.pop()? else {
            break;
        };
        let written = asked.and(answered).and_then(|outcomes| {
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
        texts.push(written);
        progress(texts.len());
    }
    Ok(own.into_iter().map(|at| texts[at].clone()).collect())
}

/// The seeds of a record's texts.
fn seeds(seed: u64, record: &Record) -> SplitMix64 {
    let own = u64::from_str_radix(&record.instruction_hash(), 16).unwrap_or_default();
    SplitMix64(seed ^ own)
}
