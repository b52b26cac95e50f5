//! What judgments of pairs say: who wins how often, ratings, win rates at equal length, agreement with people,
//! and how far the order of the two decides.

pub mod bradley_terry;
pub mod difficulty;
pub mod length_controlled;
pub mod logistic;
pub mod position;
pub mod verdicts;
pub mod win_rates;

pub use bradley_terry::{Missing, Ratings, ratings};
pub use win_rates::WinMatrix;

/// Comparisons of two generators, in columns of equal length.
#[derive(Clone, Copy, Debug)]
pub struct Games<'a> {
    /// Generators, from 0.
    pub one: &'a [usize],
    pub other: &'a [usize],
    /// What `one` won: 1, 0, ½ for a tie, or a probability.
    pub won: &'a [f64],
    /// Rows of one instruction are drawn together.
    pub instruction: &'a [usize],
    /// How many generators there are.
    pub generators: usize,
}

/// Draws of the bootstrap, and where they start.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// 0 for no intervals.
    pub rounds: usize,
    pub seed: u64,
}
