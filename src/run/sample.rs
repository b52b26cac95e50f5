//! Texts of a policy: several for each record.

use std::collections::HashMap;

use crate::data::{Record, Subject};
use crate::engine::Engine;
use crate::engine::line::EngineGone;
use crate::judge::writing::{Request, write};
use crate::judge::{Judge, dialogue};
use crate::model::sampling::Sampling;
use crate::stats::bootstrap::SplitMix64;

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
    let requests = distinct.iter().map(|record| {
        let mut seeds = seeds(sampling.seed, record);
        let prompt = dialogue::request(&Subject::of(record, ""), policy);
        Ok(Request {
            prompt: prompt.map_err(|error| error.to_string())?,
            draws: (0..count)
                .map(|_| Sampling {
                    seed: seeds.next_u64(),
                    ..sampling
                })
                .collect(),
        })
    });
    let written = write(engine, policy, requests, progress)?;
    let texts: Vec<Result<Vec<String>, String>> = written
        .into_iter()
        .map(|texts| Ok(texts?.into_iter().map(|written| written.text).collect()))
        .collect();
    Ok(own.into_iter().map(|at| texts[at].clone()).collect())
}

/// The seeds of a record's texts.
fn seeds(seed: u64, record: &Record) -> SplitMix64 {
    let own = u64::from_str_radix(&record.instruction_hash(), 16).unwrap_or_default();
    SplitMix64(seed ^ own)
}
