//! Packed trees of token sequences: what one forward and backward pass works on.
//!
//! A segment is a stretch of tokens that sees itself causally and its ancestors whole. Several
//! responses to one instruction are siblings under it, so the instruction is computed once.

use std::ops::Range;

/// A stretch of tokens in a [`Pack`].
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its rows in the pack.
    pub rows: Range<usize>,
    /// Rows of its ancestors that it sees, root first.
    pub sees: Vec<Range<usize>>,
    /// Position of its first token.
    pub first_position: usize,
    /// Whether it is a whole text, so that the end marker follows.
    pub ends: bool,
    /// Whether its words stand for others, so that it teaches no language.
    pub veiled: bool,
}

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
    /// Token ids.
    pub ids: Vec<u32>,
    /// Position of each token in its own sequence.
    pub positions: Vec<usize>,
    /// The segments, ancestors before descendants.
    pub segments: Vec<Segment>,
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

impl Pack {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Adds tokens as a child of `parent` (or a new root), and gives back the segment's index.
    pub fn add(&mut self, parent: Option<usize>, tokens: &[u32]) -> usize {
        let start = self.ids.len();
        let rows = start..start + tokens.len();
        let (sees, first_position) = match parent {
            None => (Vec::new(), 0),
            Some(p) => {
                let p = &self.segments[p];
                let mut sees = p.sees.clone();
                sees.push(p.rows.clone());
                (sees, p.first_position + p.rows.len())
            }
        };
        self.ids.extend_from_slice(tokens);
        self.positions
            .extend(first_position..first_position + tokens.len());
        self.segments.push(Segment {
            rows,
            sees,
            first_position,
            ends: false,
            veiled: false,
        });
        self.segments.len() - 1
    }

    /// The last row of a segment.
    pub fn last_row(&self, segment: usize) -> usize {
        self.segments[segment].rows.end.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_see_their_ancestors_and_continue_their_positions() {
        let mut pack = Pack::default();
        let root = pack.add(None, &[1, 2, 3]);
        let a = pack.add(Some(root), &[4, 5]);
        let b = pack.add(Some(root), &[6]);
        let leaf = pack.add(Some(a), &[7]);
        assert_eq!(pack.positions, [0, 1, 2, 3, 4, 3, 5]);
        assert_eq!(pack.segments[b].sees.first(), Some(&(0..3)));
        assert_eq!(pack.segments[b].sees.len(), 1);
        assert_eq!(pack.segments[leaf].sees, [0..3, 3..5]);
        assert_eq!(pack.last_row(a), 4);
    }
}
