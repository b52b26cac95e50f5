//! A pack with what is learned from it. Several responses to one instruction are siblings under it, so that the
//! instruction is computed once.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut, Range};

use super::tune::pack as tokens;

/// A row whose next-token distribution is asked for, with the soft target it is trained on.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Row of the pack.
    pub row: usize,
    /// Token ids and their probabilities (summing to one).
    pub target: Vec<(u32, f32)>,
    /// Factor on its loss.
    pub weight: f32,
    /// Where its loss is counted.
    pub kind: AskKind,
    /// A rating that should take a side, too.
    pub firm: Option<Firm>,
}

/// The absolute error of the expected label: what is least at the median of the ratings that are
/// possible, where cross-entropy is least at all of them side by side. Half a chance of a 0 and half of
/// an 8 are then no 4.
#[derive(Clone, Debug)]
pub struct Firm {
    /// Token ids of the labels 0, 1, …
    pub labels: Vec<u32>,
    /// The expected label that is right.
    pub quality: f32,
    /// Factor on the error.
    pub weight: f32,
}

/// What a loss term teaches, for separate figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskKind {
    /// The next token of a text.
    Language,
    /// A rating or a choice.
    Judgment,
}

/// One forward and backward pass.
#[derive(Clone, Debug, Default)]
pub struct Pack {
    pub tokens: tokens::Pack,
    /// Segments that are whole texts, so that the end marker follows.
    pub ending: BTreeSet<usize>,
    /// Segments whose words stand for others, so that they teach no language.
    pub veiled: BTreeSet<usize>,
    /// Rows with a loss.
    pub asks: Vec<Ask>,
    /// Segments whose mean-pooled embeddings should lie close together, against all other pairs
    /// of the pack.
    pub twins: Vec<(usize, usize)>,
    /// Rows of responses, and whether they are about the task they stand under: what the probe of
    /// [`loss::relevance`](super::loss::relevance) is to find there.
    pub relevant: Vec<(Range<usize>, bool)>,
    /// Rows of responses, and whether their token stands in the reference: what
    /// [`loss::found`](super::loss::found) is to find there.
    pub in_reference: Vec<(usize, bool)>,
    /// The same of the instruction.
    pub in_task: Vec<(usize, bool)>,
    /// Rated rows and the standardised surface features of the response rated there
    /// ([`loss::surface`](super::loss::surface)).
    pub surfaces: Vec<(usize, Vec<f32>)>,
}

impl Deref for Pack {
    type Target = tokens::Pack;

    fn deref(&self) -> &tokens::Pack {
        &self.tokens
    }
}

impl DerefMut for Pack {
    fn deref_mut(&mut self) -> &mut tokens::Pack {
        &mut self.tokens
    }
}
