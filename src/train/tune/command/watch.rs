//! Who hears of a training.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::Told;
use crate::train::tune::log::{Eval, Step, TrainingLog, asked_to_stop};
use crate::train::tune::objective::Figures;
use crate::train::tune::run::{Observer, Taken};

/// Brings what happens to the log and to whoever started it.
pub struct Watch<'a> {
    pub log: TrainingLog,
    pub tell: &'a mut dyn FnMut(Told<'_>),
    pub stop: &'a AtomicBool,
    pub output: &'a Path,
    /// Steps of all iterations.
    pub total: usize,
    /// Steps and tokens of the iterations before.
    pub before: (usize, u64),
    pub last: Option<Taken>,
    pub figures: Figures,
}

impl Watch<'_> {
    /// What comes now is about the next iteration; the one that is over had so many steps and tokens.
    pub fn next(&mut self, steps: usize, tokens: u64) {
        self.before = (self.before.0 + steps, self.before.1 + tokens);
    }
}

impl Observer for Watch<'_> {
    fn taken(&mut self, taken: &Taken) -> Result<()> {
        let taken = &Taken {
            step: taken.step + self.before.0,
            // All steps are the same share of one.
            epoch: taken.epoch * (1.0 + self.before.0 as f64 / taken.step.max(1) as f64),
            tokens: taken.tokens + self.before.1,
            ..taken.clone()
        };
        let parts = taken.figures.iter().filter(|(name, _)| **name != "loss");
        self.log.step(Step {
            step: taken.step,
            epoch: taken.epoch,
            loss: taken.figures.get("loss").copied().unwrap_or(f64::NAN),
            parts: parts
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            learning_rate: taken.learning_rate,
            grad_norm: taken.grad_norm,
            tokens: taken.tokens,
            tokens_per_s: taken.tokens_per_s,
        })?;
        (self.tell)(Told::Taken(taken, self.total));
        self.last = Some(taken.clone());
        Ok(())
    }

    fn evaluated(&mut self, step: usize, figures: &Figures) -> Result<()> {
        let step = step + self.before.0;
        let named = figures.iter();
        self.log.eval(Eval {
            step,
            figures: named
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
        })?;
        (self.tell)(Told::Evaluated(step, figures));
        self.figures = figures.clone();
        Ok(())
    }

    fn saved(&mut self, step: usize) -> Result<()> {
        Ok(self.log.saved(step + self.before.0)?)
    }

    fn stops(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed) || asked_to_stop(self.output)
    }
}
