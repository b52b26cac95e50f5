//! What is learned from: tokens, and which of them are to be foreseen.

use std::ops::Range;

/// A sequence of tokens with the stretches that a loss is taken of. The target at `i` is foreseen from all tokens
/// before it, so no stretch begins at 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    pub ids: Vec<u32>,
    /// In ascending order, apart from one another.
    pub targets: Vec<Range<usize>>,
}

impl Example {
    /// A prompt and the answer to it, all of which is to be learned.
    pub fn answer(prompt: &[u32], answer: &[u32]) -> Self {
        let ids: Vec<u32> = prompt.iter().chain(answer).copied().collect();
        let whole = prompt.len().max(1)..ids.len();
        Example {
            targets: vec![whole].into_iter().filter(|t| !t.is_empty()).collect(),
            ids,
        }
    }

    /// Tokens that a loss is taken of.
    pub fn target_count(&self) -> usize {
        self.targets.iter().map(Range::len).sum()
    }
}
