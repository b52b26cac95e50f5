//! Learning rates over a run, as transformers' `get_scheduler` has them: the first step uses the rate at 0.

use serde::{Deserialize, Serialize};

/// What follows the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Course {
    /// Down to 0 at the end.
    #[default]
    Linear,
    /// Half a cosine down to 0.
    Cosine,
    Constant,
}

/// The learning rate of every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    pub course: Course,
    /// Steps in which the rate rises from 0.
    pub warmup: usize,
    pub total: usize,
    pub peak: f64,
}

impl Schedule {
    /// That of a step, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let rest = self.total.saturating_sub(self.warmup).max(1) as f64;
        let done = ((step - self.warmup) as f64 / rest).min(1.0);
        self.peak
            * match self.course {
                Course::Linear => 1.0 - done,
                Course::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
                Course::Constant => 1.0,
            }
    }
}
