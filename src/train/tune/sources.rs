//! The data that a configuration names, as what is learned.

use std::path::Path;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use super::config::{Config, JudgeTask, Task as Wanted};
use super::example::Example;
use super::judge_rows::{self, JudgePair};
use super::objective::judge::Weights;
use super::run::Task;
use super::tasks::Judging;
use crate::model::facts::Facts;

/// What is learned, ready for the loop.
pub struct Lesson {
    pub task: Box<dyn Task>,
    pub items: usize,
    /// What there is to say about the data, a sentence each.
    pub notes: Vec<String>,
    /// Of everything that is learned.
    pub hash: [u8; 32],
}

/// Reads it.
///
/// # Errors
/// Files that cannot be read, that do not fit together, or from which nothing can be learned.
pub fn read(config: &Config, facts: &Facts) -> Result<Lesson> {
    match &config.task {
        Wanted::Judge(wanted) => judge(config, wanted, facts),
        _ => bail!("not yet"),
    }
}

fn judge(config: &Config, wanted: &JudgeTask, facts: &Facts) -> Result<Lesson> {
    let read =
        |with: &Path, without: &Path| judge_rows::read(with, without, facts, config.cutoff_len);
    let rows = read(&wanted.with_reference, &wanted.reference_free)?;
    let mut notes = vec![format!("{} pairs of teacher and student", rows.pairs.len())];
    if rows.cut > 0 {
        notes.push(format!(
            "{} prompts are longer than cutoff_len = {} and lost their middle",
            rows.cut, config.cutoff_len
        ));
    }
    if rows.imitating > 0 {
        notes.push(format!(
            "{} prompts hold what looks like a special token; it is read as plain text",
            rows.imitating
        ));
    }
    let evaluation = match &config.eval_data[..] {
        [] => Vec::new(),
        [with, without] => read(with, without)?.pairs,
        _ => bail!("eval_data: two files are expected, with reference and without"),
    };
    let hash = digest(
        rows.pairs
            .iter()
            .flat_map(|pair: &JudgePair| [&pair.teacher, &pair.student]),
    );
    Ok(Lesson {
        items: rows.pairs.len(),
        notes,
        hash,
        task: Box::new(Judging {
            pairs: rows.pairs,
            evaluation,
            weights: Weights {
                free: wanted.alpha as f32,
                divergence: wanted.alpha_for_kd as f32,
            },
        }),
    })
}

fn digest<'a>(examples: impl Iterator<Item = &'a Example>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for example in examples {
        let ids = example.ids.iter().flat_map(|id| id.to_le_bytes());
        hash.update(ids.collect::<Vec<u8>>());
        for target in &example.targets {
            hash.update(
                [target.start as u64, target.end as u64]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
        }
        hash.update([0xFF; 8]);
    }
    hash.finalize().into()
}
