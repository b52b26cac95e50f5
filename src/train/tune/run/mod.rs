//! The training loop: steps, checkpoints, evaluation, and what ends it.

pub mod checkpoint;
pub mod order;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::adam::{Adam, AdamSettings, clip};
use super::memory::Passes;
use super::net::{Net, Tape};
use super::objective::{Desk, Figures};
use super::ops::Bench;
use super::ops::dropout::mix;
use super::schedule::Schedule;
use checkpoint::Progress;
use order::{Steps, shuffled};

/// What is learned, item by item.
pub trait Task {
    /// Tokens of an item, or as many as it may come to have.
    fn tokens(&self, item: usize) -> usize;

    /// Tokens that the last step has learned from, its items being these.
    fn learned(&self, items: &[usize]) -> usize {
        items.iter().map(|item| self.tokens(*item)).sum()
    }

    /// Called before each step and each evaluation, with the steps taken so far.
    ///
    /// # Errors
    /// What stands in the way of going on from there.
    fn prepare(&mut self, _taken: usize) -> Result<()> {
        Ok(())
    }

    /// Loss of some items, its gradient added to that of the desk.
    ///
    /// # Errors
    /// What stands in the way of computing it.
    fn step(&mut self, desk: &mut Desk<'_>, items: &[usize]) -> Result<Figures>;

    /// Figures of what is set aside for evaluation, where there is any.
    ///
    /// # Errors
    /// As [`Task::step`].
    fn evaluate(&mut self, desk: &mut Desk<'_>) -> Result<Option<Figures>>;

    /// What an item is called in messages.
    fn name(&self, item: usize) -> String;

    /// What there is to say about the data in the end, where anything is, in a sentence.
    fn report(&self) -> Option<String> {
        None
    }
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// From 1.
    pub step: usize,
    /// Epochs done, with their fractions.
    pub epoch: f64,
    pub figures: Figures,
    pub learning_rate: f64,
    /// Length of the gradient before clipping.
    pub grad_norm: f64,
    /// Tokens so far.
    pub tokens: u64,
    /// Since this process began.
    pub tokens_per_s: f64,
}

/// Who is told how it goes.
pub trait Observer {
    /// # Errors
    /// What keeps it from being written down.
    fn taken(&mut self, taken: &Taken) -> Result<()>;

    /// # Errors
    /// As [`Observer::taken`].
    fn evaluated(&mut self, step: usize, figures: &Figures) -> Result<()>;

    /// # Errors
    /// As [`Observer::taken`].
    fn saved(&mut self, step: usize) -> Result<()>;

    /// Whether to stop after this step.
    fn stops(&mut self) -> bool;
}

/// How a run goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub output: PathBuf,
    /// The model that it starts from, as it was named, and its folder.
    pub base: (String, PathBuf),
    pub seed: u64,
    pub steps: Steps,
    pub schedule: Schedule,
    pub adam: AdamSettings,
    /// Longest gradient.
    pub clip: f64,
    /// Steps between checkpoints; one is made at the end in any case.
    pub save_every: Option<usize>,
    pub evaluate_every: Option<usize>,
    pub passes: Passes,
    /// Tells the settings and the data that shape the result.
    pub settings: String,
}

/// A loss or a gradient that is not a number.
#[derive(Debug, thiserror::Error)]
#[error(
    "step {step}: its {what} is {value}, and nothing can be learned from that. Its batch: {batch}. A smaller \
     learning_rate, a longer warm-up or a look at these rows may help"
)]
pub struct NotFinite {
    pub step: usize,
    pub what: &'static str,
    pub value: f64,
    pub batch: String,
}

/// How a run ended, unless with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// The last checkpoint is of the last step taken.
    Cancelled,
}

/// A run on its way.
struct Run<'a> {
    plan: &'a Plan,
    net: &'a mut Net,
    bench: &'a Bench,
    adam: Adam,
    tape: Tape,
    grads: Vec<f32>,
    progress: Progress,
}

/// Trains `net`; with `resume`, from the newest checkpoint on, with the result of a run that was never interrupted.
///
/// # Errors
/// A loss that is not a number (the weights before that step are kept as a checkpoint), and everything that data and
/// disk can do.
pub fn train(
    plan: &Plan,
    net: &mut Net,
    bench: &Bench,
    task: &mut dyn Task,
    observer: &mut dyn Observer,
    resume: bool,
) -> Result<End> {
    let (count, spared) = (net.trained().len(), net.spared());
    let mut run = Run {
        plan,
        bench,
        adam: Adam::new(plan.adam, count, spared),
        net,
        tape: Tape::default(),
        grads: vec![0.0; count],
        progress: Progress {
            settings: plan.settings.clone(),
            ..Progress::default()
        },
    };
    checkpoint::sweep(&plan.output);
    if let (true, Some(folder)) = (resume, checkpoint::newest(&plan.output)) {
        run.progress = checkpoint::load(&folder, run.net, &mut run.adam, &plan.settings)?;
    }
    run.go(task, observer)
}

impl Run<'_> {
    fn go(&mut self, task: &mut dyn Task, observer: &mut dyn Observer) -> Result<End> {
        let (plan, started, before) = (self.plan, Instant::now(), self.progress.tokens);
        let (mut order, mut of) = (Vec::new(), usize::MAX);
        let total = plan.steps.total();
        let mut saved = self.progress.step;
        let every = |each: Option<usize>, step: usize| {
            each.is_some_and(|each| each > 0 && step.is_multiple_of(each))
        };
        while self.progress.step < total {
            let (epoch, places) = plan.steps.of(self.progress.step);
            if of != epoch {
                order = shuffled(plan.steps.items, plan.seed, epoch);
                of = epoch;
            }
            let items = &order[places];
            let (figures, norm) = match self.gradient(task, items) {
                Ok(found) => found,
                Err(error) => return Err(self.keep(error, saved, observer)),
            };
            let rate = plan.schedule.rate(self.progress.step);
            let (adam, bench, grads) = (&mut self.adam, self.bench, &self.grads);
            self.net
                .change(|weights| adam.step(bench, weights, grads, rate));
            self.progress.step += 1;
            self.progress.tokens += task.learned(items) as u64;
            let step = self.progress.step;
            let learned = (self.progress.tokens - before) as f64;
            observer.taken(&Taken {
                step,
                epoch: step as f64 / plan.steps.per_epoch().max(1) as f64,
                figures,
                learning_rate: rate,
                grad_norm: norm,
                tokens: self.progress.tokens,
                tokens_per_s: learned / started.elapsed().as_secs_f64().max(1e-9),
            })?;
            if every(plan.evaluate_every, step) || step == total {
                match self.evaluation(task) {
                    Ok(Some(figures)) => observer.evaluated(step, &figures)?,
                    Ok(None) => (),
                    Err(error) => return Err(self.keep(error, saved, observer)),
                }
            }
            let stops = step < total && observer.stops();
            if every(plan.save_every, step) || step == total || stops {
                self.save(observer)?;
                saved = step;
            }
            if stops {
                return Ok(End::Cancelled);
            }
        }
        Ok(End::Done)
    }

    fn desk(&mut self, seed: Option<u64>) -> Desk<'_> {
        Desk {
            net: self.net,
            bench: self.bench,
            tape: &mut self.tape,
            grads: &mut self.grads,
            seed,
            pass_tokens: self.plan.passes.tokens,
            pass_units: self.plan.passes.units,
            recompute: self.plan.passes.recompute,
        }
    }

    fn evaluation(&mut self, task: &mut dyn Task) -> Result<Option<Figures>> {
        task.prepare(self.progress.step)?;
        task.evaluate(&mut self.desk(None))
    }

    /// Figures and the clipped gradient of a step.
    fn gradient(&mut self, task: &mut dyn Task, items: &[usize]) -> Result<(Figures, f64)> {
        self.grads.fill(0.0);
        task.prepare(self.progress.step)?;
        let seed = mix(self.plan.seed, 1 << 32 | self.progress.step as u64);
        let figures = task.step(&mut self.desk(Some(seed)), items)?;
        let norm = clip(self.bench, &mut self.grads, self.plan.clip);
        let all = figures.iter().map(|(name, value)| (*name, *value));
        let mut all = all.chain([("gradient", norm)]);
        let Some((what, value)) = all.find(|(_, value)| !value.is_finite()) else {
            return Ok((figures, norm));
        };
        let names: Vec<String> = items.iter().take(8).map(|item| task.name(*item)).collect();
        let more = match items.len() {
            0..=8 => String::new(),
            all => format!(" and {} more", all - 8),
        };
        Err(NotFinite {
            step: self.progress.step + 1,
            what,
            value,
            batch: names.join(", ") + &more,
        }
        .into())
    }

    /// Keeps the weights before a step that failed.
    fn keep(
        &self,
        error: anyhow::Error,
        saved: usize,
        observer: &mut dyn Observer,
    ) -> anyhow::Error {
        if saved == self.progress.step {
            return error;
        }
        match self.save(observer) {
            Ok(()) => error.context(format!(
                "stopped; the weights of step {} are kept in {}",
                self.progress.step,
                self.plan.output.display()
            )),
            Err(other) => error.context(format!("stopped, and {other:#}")),
        }
    }

    fn save(&self, observer: &mut dyn Observer) -> Result<()> {
        let (name, folder) = &self.plan.base;
        checkpoint::save(
            &self.plan.output,
            self.net,
            (name, folder),
            &self.adam,
            &self.progress,
        )
        .context("training stopped")?;
        observer.saved(self.progress.step)
    }
}
