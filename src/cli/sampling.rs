//! How a policy writes, on every command that lets it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::ProgressBar;

use super::output::write_to;
use crate::data::DataSet;
use crate::data::write::write_jsonl;
use crate::engine::Engine;
use crate::judge::Judge;
use crate::model::sampling::Sampling;
use crate::run::sample::sample;

#[derive(Args)]
pub struct SamplingArguments {
    /// How the policy draws; 0 takes the likeliest token
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// It draws from the smallest set of tokens whose probabilities reach this
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// Longest response of the policy, in tokens
    #[arg(long, default_value_t = 512)]
    max_tokens: usize,
    /// Where to keep the records with all responses that the policy wrote
    #[arg(long, value_name = "OUT.jsonl")]
    samples: Option<PathBuf>,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SamplingArguments {
    /// Lets the policy write `count` responses to each record that has none.
    ///
    /// # Errors
    /// Settings out of their range; an engine that stopped; samples that cannot be written.
    pub fn fill(
        &self,
        count: usize,
        set: &mut DataSet,
        (judge, engine): (&Judge, &Engine),
        bar: &ProgressBar,
    ) -> Result<()> {
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            bail!("--temperature {}: 0 or more expected", self.temperature);
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            bail!("--top-p {}: more than 0 and at most 1 expected", self.top_p);
        }
        let is_bare = |at: &usize| set.records[*at].responses.is_empty();
        let bare: Vec<usize> = (0..set.records.len()).filter(is_bare).collect();
        let mut asked: Vec<_> = bare
            .iter()
            .map(|at| std::mem::take(&mut set.records[*at]))
            .collect();
        if !asked.is_empty() {
            bar.set_length(asked.len() as u64);
            bar.set_message("writing");
            let sampling = Sampling {
                temperature: self.temperature,
                top_p: self.top_p,
                seed: self.seed,
                max_tokens: self.max_tokens,
            };
            let failed = sample(judge, engine, &mut asked, (count, sampling), &mut |done| {
                bar.set_position(done as u64);
            })?;
            for (at, cause) in &failed {
                bar.suspend(|| eprintln!("juror: {}: {cause}", asked[*at].id));
            }
        }
        for (at, record) in bare.into_iter().zip(asked) {
            set.records[at] = record;
        }
        match &self.samples {
            Some(path) => write_to(path, |out| Ok(write_jsonl(&set.records, out)?)),
            None => Ok(()),
        }
    }
}
