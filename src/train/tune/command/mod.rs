//! A training from its configuration to the model it leaves.

mod iterations;
mod stage;
mod watch;

use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};

use super::config::Config;
use super::log::{Reason, Start, TrainingLog};
use super::objective::Figures;
use super::run::checkpoint::{self, Progress};
use super::run::{End, NotFinite, Taken};
use crate::data::{atomic, time};
use stage::Stage;
use watch::Watch;

/// What is said while it goes on.
pub enum Told<'a> {
    /// What was loaded, and how it will be learned: a sentence.
    Note(String),
    /// One of so many steps.
    Taken(&'a Taken, usize),
    Evaluated(usize, &'a Figures),
}

/// A training that has ended.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Outcome {
    /// `done` or `cancelled`.
    pub end: &'static str,
    pub steps: usize,
    pub tokens: u64,
    pub tokens_per_s: f64,
    pub loss: Option<f64>,
    /// Figures of the last evaluation.
    pub evaluation: std::collections::BTreeMap<String, f64>,
    /// Names the model that it has left, adapters and all.
    pub model: String,
}

/// Runs a training, with `resume` on from its newest checkpoint; `stop` ends it behind the step under way.
///
/// # Errors
/// A configuration, data or a model that cannot be used; an output that holds another training; a loss that is not a
/// number; a full disk. What was learned until the last checkpoint is kept.
pub fn run(
    config: &Config,
    resume: bool,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Outcome> {
    let output = &config.output;
    let all = iterations::of(config);
    let begun = all
        .iter()
        .rposition(|config| checkpoint::newest(&config.output).is_some());
    if !resume && (begun.is_some() || output.join(super::log::FILE).exists()) {
        bail!(
            "{} holds a training already: --resume goes on with it; or name another `output`",
            output.display()
        );
    }
    let at = begun.unwrap_or(0);
    let stage = Stage::load(&all[at], tell)?;
    let each = stage.plan.steps.total();
    let mut before = (0, 0);
    for config in &all[..at] {
        let reached = reached(config)?;
        before = (before.0 + reached.step, before.1 + reached.tokens);
    }
    let here = reached(&all[at])?;
    if let Some(folder) = checkpoint::newest(&all[at].output) {
        // Before anything is changed.
        here.check(&folder, &stage.plan.settings)?;
    }
    let from = before.0 + here.step;
    std::fs::create_dir_all(output).with_context(|| format!("cannot make {}", output.display()))?;
    let start = Start {
        command: config.kind().name().to_owned(),
        model: config.model.clone(),
        steps: all.len() * each,
        started: time::rfc3339(crate::store::now()).unwrap_or_default(),
        config_hash: stage.plan.settings.clone(),
        from,
    };
    let log = match begun {
        Some(_) => TrainingLog::resume(output, start, from)?,
        None => TrainingLog::create(output, start)?,
    };
    let path = output.join("config.toml");
    atomic::write(&path, config.to_toml().as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut watch = Watch {
        log,
        tell,
        stop,
        output,
        total: all.len() * each,
        before,
        last: None,
        figures: Figures::new(),
    };
    let ended = go_on(&all, at, stage, &mut watch, resume);
    let Watch {
        log, last, figures, ..
    } = watch;
    match ended {
        Ok((end, model)) => {
            let (reason, word) = match end {
                End::Done => (Reason::Done, "done"),
                End::Cancelled => (Reason::Cancelled, "cancelled"),
            };
            log.end(reason, "")?;
            Ok(Outcome {
                end: word,
                steps: last.as_ref().map_or(all.len() * each, |taken| taken.step),
                tokens: last.as_ref().map_or(0, |taken| taken.tokens),
                tokens_per_s: last.as_ref().map_or(0.0, |taken| taken.tokens_per_s),
                loss: last.and_then(|taken| taken.figures.get("loss").copied()),
                evaluation: figures
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                model,
            })
        }
        Err(error) => {
            let reason = match error.is::<NotFinite>() {
                true => Reason::Nan,
                false => Reason::Error,
            };
            // The error itself is what matters; a log that cannot be written to adds nothing.
            let _ = log.end(reason, format!("{error:#}"));
            Err(error)
        }
    }
}

/// How far a training has come, by its newest checkpoint.
fn reached(config: &Config) -> Result<Progress> {
    let newest = checkpoint::newest(&config.output);
    let there = newest.as_deref().map(checkpoint::progress).transpose()?;
    Ok(there.unwrap_or_default())
}

/// Trains one after the other, from the one at `at` on, whose stage is loaded. Gives back what the model is called that
/// is there then.
fn go_on(
    all: &[Config],
    at: usize,
    stage: Stage,
    watch: &mut Watch<'_>,
    resume: bool,
) -> Result<(End, String)> {
    let mut end = stage.train(watch, resume)?;
    let mut last = at;
    for (place, config) in all.iter().enumerate().skip(at + 1) {
        if end == End::Cancelled {
            break;
        }
        let reached = reached(&all[last])?;
        watch.next(reached.step, reached.tokens);
        end = Stage::load(config, watch.tell)?.train(watch, resume)?;
        last = place;
    }
    Ok((end, iterations::name(&all[last])))
}
