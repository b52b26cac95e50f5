//! What a configuration asks to be learned, as the loop takes it.

use std::collections::BTreeMap;

use anyhow::Result;

use super::example::Example;
use super::judge_rows::JudgePair;
use super::objective::judge::Weights;
use super::objective::prefer::Loss;
use super::objective::{Desk, Figures, foresee, judge, prefer};
use super::pair_rows::PreferencePair;
use super::run::Task;
use crate::stats::correlation::pearson;

/// Examples whose answers are to be foreseen.
pub struct Foreseeing {
    pub examples: Vec<Example>,
    pub evaluation: Vec<Example>,
}

impl Task for Foreseeing {
    fn tokens(&self, item: usize) -> usize {
        self.examples[item].ids.len()
    }

    fn step(&mut self, desk: &mut Desk<'_>, items: &[usize]) -> Result<Figures> {
        let batch: Vec<&Example> = items.iter().map(|at| &self.examples[*at]).collect();
        Ok(foresee::step(desk, &batch)?)
    }

    fn evaluate(&mut self, desk: &mut Desk<'_>) -> Result<Option<Figures>> {
        if self.evaluation.is_empty() {
            return Ok(None);
        }
        let all: Vec<&Example> = self.evaluation.iter().collect();
        Ok(Some(foresee::loss(desk, &all)?))
    }

    fn name(&self, item: usize) -> String {
        format!("example {}", item + 1)
    }
}

/// A judge with its reference and without.
pub struct Judging {
    pub pairs: Vec<JudgePair>,
    pub evaluation: Vec<JudgePair>,
    pub weights: Weights,
}

impl Judging {
    /// The digits' tokens, as far as the pairs have them.
    fn digits(&self) -> Vec<(f64, u32)> {
        let all = self.pairs.iter().chain(&self.evaluation);
        let known: BTreeMap<u8, u32> = all
            .filter_map(|pair| {
                let at = pair.teacher.targets.first()?.start;
                Some((pair.digit, pair.teacher.ids[at]))
            })
            .collect();
        known
            .into_iter()
            .map(|(digit, token)| (f64::from(digit), token))
            .collect()
    }
}

impl Task for Judging {
    fn tokens(&self, item: usize) -> usize {
        let pair = &self.pairs[item];
        pair.teacher.ids.len() + pair.student.ids.len()
    }

    fn step(&mut self, desk: &mut Desk<'_>, items: &[usize]) -> Result<Figures> {
        let batch: Vec<&JudgePair> = items.iter().map(|at| &self.pairs[*at]).collect();
        Ok(judge::step(desk, &batch, self.weights)?)
    }

    fn evaluate(&mut self, desk: &mut Desk<'_>) -> Result<Option<Figures>> {
        if self.evaluation.is_empty() {
            return Ok(None);
        }
        let digits = self.digits();
        let wanted: Vec<f64> = self.evaluation.iter().map(|p| f64::from(p.digit)).collect();
        let mut figures = Figures::new();
        for (loss, correlation, of) in [
            ("loss_ref", "pearson_ref", true),
            ("loss", "pearson", false),
        ] {
            let examples: Vec<&Example> = self
                .evaluation
                .iter()
                .map(|pair| if of { &pair.teacher } else { &pair.student })
                .collect();
            figures.insert(loss, foresee::loss(desk, &examples)?["loss"]);
            let expected = judge::expected(desk, &examples, &digits)?;
            if let Some(r) = pearson(&expected, &wanted) {
                figures.insert(correlation, r);
            }
        }
        Ok(Some(figures))
    }

    fn name(&self, item: usize) -> String {
        format!("id {}", self.pairs[item].id)
    }
}

/// Pairs of answers that are given.
pub struct Preferring {
    pub pairs: Vec<PreferencePair>,
    pub evaluation: Vec<PreferencePair>,
    pub loss: Loss,
    pub beta: f64,
}

impl Task for Preferring {
    fn tokens(&self, item: usize) -> usize {
        self.pairs[item].tokens()
    }

    fn step(&mut self, desk: &mut Desk<'_>, items: &[usize]) -> Result<Figures> {
        let batch: Vec<&PreferencePair> = items.iter().map(|at| &self.pairs[*at]).collect();
        Ok(prefer::step(desk, &batch, self.loss, self.beta)?)
    }

    fn evaluate(&mut self, desk: &mut Desk<'_>) -> Result<Option<Figures>> {
        if self.evaluation.is_empty() {
            return Ok(None);
        }
        let all: Vec<&PreferencePair> = self.evaluation.iter().collect();
        Ok(Some(prefer::loss(desk, &all, self.loss, self.beta)?))
    }

    fn name(&self, item: usize) -> String {
        format!("pair {}", self.pairs[item].id)
    }
}
