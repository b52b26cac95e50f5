//! Several sequences in one pass; those that begin alike may share their beginning.

use std::ops::Range;

/// A stretch of tokens that sees itself causally and its ancestors whole.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its rows in the pack.
    pub rows: Range<usize>,
    /// Rows of its ancestors, root first: with its own they are one sequence.
    pub sees: Vec<Range<usize>>,
    /// Position of its first token.
    pub first_position: usize,
}

/// Tokens for one forward and backward pass, without cross-talk between sequences.
#[derive(Clone, Debug, Default)]
pub struct Pack {
    pub ids: Vec<u32>,
    /// Position of each token in its own sequence.
    pub positions: Vec<usize>,
    /// Ancestors before descendants.
    pub segments: Vec<Segment>,
}

/// Segments that share rows with one another and with no others.
#[derive(Clone, Debug)]
pub struct Tree {
    pub segments: Range<usize>,
    pub rows: Range<usize>,
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

    /// Adds tokens behind a segment (or as a sequence of their own), and gives back the new segment's index.
    pub fn add(&mut self, behind: Option<usize>, tokens: &[u32]) -> usize {
        let start = self.ids.len();
        let rows = start..start + tokens.len();
        let (sees, first_position) = match behind.and_then(|at| self.segments.get(at)) {
            None => (Vec::new(), 0),
            Some(parent) => {
                let mut sees = parent.sees.clone();
                sees.push(parent.rows.clone());
                (sees, parent.first_position + parent.rows.len())
            }
        };
        self.ids.extend_from_slice(tokens);
        self.positions
            .extend(first_position..first_position + tokens.len());
        self.segments.push(Segment {
            rows,
            sees,
            first_position,
        });
        self.segments.len() - 1
    }

    /// The last row of a segment.
    pub fn last_row(&self, segment: usize) -> usize {
        self.segments[segment].rows.end.saturating_sub(1)
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.positions.iter().max().map_or(0, |last| last + 1)
    }

    /// Its trees in order. Segments between a tree's first and last belong to it.
    pub fn trees(&self) -> Vec<Tree> {
        let mut trees: Vec<Tree> = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let root = segment.sees.first().map_or(segment.rows.start, |r| r.start);
            let mut tree = Tree {
                segments: at..at + 1,
                rows: segment.rows.clone(),
            };
            while let Some(last) = trees.pop_if(|last| last.rows.end > root) {
                tree.segments.start = last.segments.start;
                tree.rows.start = last.rows.start;
            }
            trees.push(tree);
        }
        trees
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_rows_is_one_tree() {
        let mut pack = Pack::default();
        let a = pack.add(None, &[1, 2, 3]);
        let b = pack.add(Some(a), &[4]);
        pack.add(Some(a), &[5, 6]);
        pack.add(Some(b), &[7]);
        let c = pack.add(None, &[8]);
        pack.add(Some(c), &[9]);
        assert_eq!(pack.positions, [0, 1, 2, 3, 3, 4, 4, 0, 1]);
        let trees = pack.trees();
        let rows: Vec<_> = trees.iter().map(|t| t.rows.clone()).collect();
        assert_eq!(rows, [0..7, 7..9]);
        assert_eq!(trees[0].segments, 0..4);
        assert_eq!(pack.segments[3].sees, [0..3, 3..4]);
    }
}
