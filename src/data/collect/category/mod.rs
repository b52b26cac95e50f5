//! Common, coding or academic: a small linear classifier over hashed words, with its weights on board.
//!
//! `cargo bench --bench categories` trains it and tells its accuracy; `benches/README.md` has the figures.

mod features;
pub mod train;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use features::features;

/// Places that features are hashed to.
pub const PLACES: usize = 1 << 15;

/// What a task is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Everyday tasks: writing, advice, planning, small talk.
    Common,
    /// Programs, queries, shells, and questions about them.
    Coding,
    /// Mathematics, sciences, humanities: what is taught and examined.
    Academic,
}

impl Category {
    /// All of them, in the order of the classifier.
    pub const ALL: [Category; 3] = [Category::Common, Category::Coding, Category::Academic];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Category::Common => "common",
            Category::Coding => "coding",
            Category::Academic => "academic",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Category {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Category::ALL
            .into_iter()
            .find(|category| category.name() == text);
        found.ok_or_else(|| format!("`{text}`: common, coding or academic expected"))
    }
}

/// Weights of the classifier in eight bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// What a step of the eight bits is worth, and what is added, by category.
    scale: [f32; 3],
    bias: [f32; 3],
    /// Category by category.
    steps: Vec<i8>,
}

/// Bytes before the steps.
const HEAD: usize = 24;

impl Weights {
    /// Rounds weights, category by category.
    pub fn of(weights: &[Vec<f32>; 3], bias: [f32; 3]) -> Self {
        let mut scale = [1.0; 3];
        let mut steps = Vec::with_capacity(3 * PLACES);
        for (weights, scale) in weights.iter().zip(&mut scale) {
            let most = weights
                .iter()
                .fold(0.0f32, |most, weight| most.max(weight.abs()));
            if most > 0.0 {
                *scale = most / 127.0;
            }
            steps.extend(weights.iter().map(|weight| (weight / *scale).round() as i8));
        }
        Weights { scale, bias, steps }
    }

    /// As they stand in a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = self.scale.iter().chain(&self.bias);
        let mut bytes: Vec<u8> = head.flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend(self.steps.iter().map(|step| *step as u8));
        bytes
    }

    /// Out of a file; `None` where it is of another size.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, steps) = bytes.split_at_checked(HEAD)?;
        let mut numbers = [0.0; 6];
        for (number, bytes) in numbers.iter_mut().zip(head.chunks_exact(4)) {
            *number = f32::from_le_bytes(bytes.try_into().ok()?);
        }
        let [a, b, c, d, e, f] = numbers;
        (steps.len() == 3 * PLACES).then(|| Weights {
            scale: [a, b, c],
            bias: [d, e, f],
            steps: steps.iter().map(|step| *step as i8).collect(),
        })
    }

    /// The most likely category, and how likely it is.
    pub fn classify(&self, task: &str) -> (Category, f32) {
        let (places, value) = features(task);
        let mut scores = [0.0; 3];
        for (at, score) in scores.iter_mut().enumerate() {
            let own = self
                .steps
                .get(at * PLACES..(at + 1) * PLACES)
                .unwrap_or_default();
            let sum: i32 = places
                .iter()
                .filter_map(|place| own.get(*place as usize))
                .map(|s| i32::from(*s))
                .sum();
            *score = self.bias[at] + sum as f32 * self.scale[at] * value;
        }
        let shares = softmax(scores);
        let mut best = 0;
        for at in 1..3 {
            if shares[at] > shares[best] {
                best = at;
            }
        }
        (Category::ALL[best], shares[best])
    }
}

/// Probabilities out of scores.
fn softmax(scores: [f32; 3]) -> [f32; 3] {
    let most = scores.into_iter().fold(f32::MIN, f32::max);
    let powers = scores.map(|score| (score - most).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// The category of a task by the classifier on board, and its probability.
pub fn classify(task: &str) -> (Category, f32) {
    static WEIGHTS: LazyLock<Option<Weights>> =
        LazyLock::new(|| Weights::from_bytes(include_bytes!("weights.bin")));
    match WEIGHTS.as_ref() {
        Some(weights) => weights.classify(task),
        None => (Category::Common, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_on_board_and_round_trip() {
        let weights = Weights::from_bytes(include_bytes!("weights.bin")).unwrap();
        assert_eq!(Weights::from_bytes(&weights.to_bytes()), Some(weights));
        assert_eq!(Weights::from_bytes(&[0; 30]), None);
    }

    #[test]
    fn plain_cases() {
        for (task, want) in [
            (
                "Write a Python function that reverses a linked list.",
                Category::Coding,
            ),
            (
                "Write a birthday card for my grandmother.",
                Category::Common,
            ),
            (
                "Prove that the square root of two is irrational.",
                Category::Academic,
            ),
        ] {
            assert_eq!(classify(task).0, want, "{task}");
        }
    }
}
