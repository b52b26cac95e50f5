//! How a policy writes, on every command that lets it.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::ProgressBar;

use super::output::write_to;
use crate::data::write::write_jsonl;
use crate::data::{DataSet, Record, Response};
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
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SamplingArguments {
    /// Lets the policy write `count` responses to each record that has none, and keeps all records where told to.
    ///
    /// # Errors
    /// Settings out of their range; an engine that stopped; samples that cannot be written.
    pub fn fill(
        &self,
        count: usize,
        set: &mut DataSet,
        (judge, engine): (&Judge, &Engine),
        bar: &ProgressBar,
        keep: Option<&Path>,
    ) -> Result<()> {
        let bare: Vec<&Record> = set
            .records
            .iter()
            .filter(|r| r.responses.is_empty())
            .collect();
        if !bare.is_empty() {
            let texts = self.texts(count, &bare, (judge, engine), bar)?;
            let generator = &judge.cast().policy.name;
            let records = set.records.iter_mut().filter(|r| r.responses.is_empty());
            for (record, texts) in records.zip(texts) {
                let texts = texts.unwrap_or_else(|cause| {
                    bar.suspend(|| note!("juror: {}: {cause}", record.id));
                    Vec::new()
                });
                let response = |(n, text): (usize, String)| Response {
                    id: (n + 1).to_string(),
                    generator: Some(generator.clone()),
                    text,
                    ..Response::default()
                };
                record.responses = texts.into_iter().enumerate().map(response).collect();
            }
        }
        match keep {
            Some(path) => write_to(path, |out| Ok(write_jsonl(&set.records, out)?)),
            None => Ok(()),
        }
    }
    /// Texts of the policy to each record.
    ///
    /// # Errors
    /// Settings out of their range; an engine that stopped.
    pub fn texts(
        &self,
        count: usize,
        records: &[&Record],
        (judge, engine): (&Judge, &Engine),
        bar: &ProgressBar,
    ) -> Result<Vec<Result<Vec<String>, String>>> {
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            bail!("--temperature {}: 0 or more expected", self.temperature);
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            bail!("--top-p {}: more than 0 and at most 1 expected", self.top_p);
        }
        bar.set_length(records.len() as u64);
        bar.set_message("writing");
        let sampling = Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            seed: self.seed,
            max_tokens: self.max_tokens,
        };
        let settings = (count, sampling);
        let texts = sample(judge, engine, records, settings, &mut |done| {
            bar.set_position(done as u64);
        })?;
        bar.set_position(0);
        Ok(texts)
    }
}
