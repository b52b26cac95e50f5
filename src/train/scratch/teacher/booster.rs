//! Gradient-boosted trees on what a teacher sees, each asked only about instructions that it was not fitted on.

use anyhow::{Result, anyhow};
use forust_ml::gradientbooster::GrowPolicy;
use forust_ml::objective::ObjectiveType;
use forust_ml::{GradientBooster, Matrix};
use rayon::prelude::*;

/// Trees that have seen an answer know its label: their rating of it is the label again, noise and all.
const FOLDS: usize = 5;

/// One booster for each fold of the instructions, fitted on the others.
pub struct Boosters(Vec<GradientBooster>);

/// What the trees say, and with settings that were good on held-out training instructions.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    /// A number.
    Quality,
    /// The logarithm of the odds of a target that is 0 or 1.
    Odds,
}

impl Says {
    fn booster(self, seed: u64) -> GradientBooster {
        let booster = GradientBooster::default()
            .set_learning_rate(0.03)
            .set_max_depth(8)
            .set_nbins(64)
            .set_l2(5.0)
            .set_subsample(0.7)
            .set_initialize_base_score(true)
            .set_parallel(false)
            .set_seed(seed);
        let mut booster = match self {
            Says::Quality => booster
                .set_objective_type(ObjectiveType::SquaredLoss)
                .set_iterations(500)
                .set_max_leaves(31)
                .set_min_leaf_weight(60.0)
                .set_colsample_bytree(0.4),
            // A row weighs a quarter at even odds.
            Says::Odds => booster
                .set_objective_type(ObjectiveType::LogLoss)
                .set_iterations(150)
                .set_max_leaves(8)
                .set_min_leaf_weight(8.0)
                .set_colsample_bytree(0.3),
        };
        booster.grow_policy = GrowPolicy::LossGuide;
        booster
    }
}

impl std::fmt::Debug for Boosters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let trees = self.0.first().map_or(0, |booster| booster.trees.len());
        write!(f, "Boosters({} of {trees} trees)", self.0.len())
    }
}

impl Boosters {
    /// Fits on rows of columns, with a target each; `groups` are the instructions' numbers.
    ///
    /// # Errors
    /// When the trees cannot be fitted.
    pub fn fit(says: Says, rows: &[Vec<f64>], targets: &[f64], groups: &[usize]) -> Result<Self> {
        let one = |fold: usize| {
            let kept: Vec<usize> = (0..rows.len())
                .filter(|row| groups[*row] % FOLDS != fold)
                .collect();
            let wide = rows.first().map_or(0, Vec::len);
            let columns: Vec<f64> = (0..wide)
                .flat_map(|column| kept.iter().map(move |row| rows[*row][column]))
                .collect();
            let own: Vec<f64> = kept.iter().map(|row| targets[*row]).collect();
            let mut booster = says.booster(fold as u64);
            booster
                .fit_unweighted(&Matrix::new(&columns, kept.len(), wide), &own, None)
                .map_err(|e| anyhow!("boosted trees: {e}"))?;
            Ok(booster)
        };
        let all = (0..FOLDS).into_par_iter().map(one);
        all.collect::<Result<_>>().map(Boosters)
    }

    /// What the trees that were not fitted on the instruction of this number say of an answer.
    pub fn say(&self, columns: &[f64], group: usize) -> f64 {
        let booster = &self.0[group % FOLDS];
        let said = booster.predict(&Matrix::new(columns, 1, columns.len()), false);
        said.first().copied().unwrap_or(0.0)
    }
}
