//! One forward pass: stretches of new tokens, each behind a chain of tokens that are known already.

use std::ops::Range;
use std::sync::Arc;

/// Keys and values of a stretch of tokens in every layer, on some device.
pub trait Keys: Sized + Send + Sync {
    /// Tokens in it.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of some of its tokens.
    fn slice(&self, tokens: Range<usize>) -> Self;

    /// Bytes a token takes.
    fn bytes_per_token(&self) -> usize;
}

/// Part of a stretch whose keys and values are known.
#[derive(Debug)]
pub struct Known<K> {
    pub keys: Arc<K>,
    pub tokens: Range<usize>,
}

impl<K> Clone for Known<K> {
    fn clone(&self) -> Self {
        Known {
            keys: Arc::clone(&self.keys),
            tokens: self.tokens.clone(),
        }
    }
}

/// What a segment continues.
#[derive(Clone, Debug)]
pub enum Link<K> {
    /// Tokens of earlier passes.
    Known(Known<K>),
    /// All tokens of an earlier segment of the same pass.
    Within(usize),
}

/// Of which of a segment's tokens the hidden states are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    None,
    Last,
    All,
}

/// New tokens in a row.
#[derive(Debug)]
pub struct Segment<K> {
    pub ids: Vec<u32>,
    /// What comes before them, from the first token of the sequence on.
    pub chain: Vec<Link<K>>,
    pub wanted: Wanted,
    /// Their keys and values; the tokens it holds already (a generation's) stand between the chain
    /// and `ids`.
    pub keys: K,
}

/// Segments computed together.
#[derive(Debug)]
pub struct Pass<K> {
    pub segments: Vec<Segment<K>>,
    /// Whether the sequences count as long for a RoPE that tells short and long ones apart.
    pub long: bool,
}

impl<K: Keys> Pass<K> {
    /// Number of new tokens.
    pub fn tokens(&self) -> usize {
        self.segments.iter().map(|s| s.ids.len()).sum()
    }

    /// Tokens before a segment's first new one.
    pub fn start(&self, segment: usize) -> usize {
        let segment = &self.segments[segment];
        let before: usize = segment
            .chain
            .iter()
            .map(|link| match link {
                Link::Known(known) => known.tokens.len(),
                Link::Within(other) => self.segments[*other].ids.len(),
            })
            .sum();
        before + segment.keys.len()
    }

    /// Rows of each segment among all new tokens.
    pub fn rows(&self) -> Vec<Range<usize>> {
        let mut at = 0;
        self.segments
            .iter()
            .map(|s| {
                let rows = at..at + s.ids.len();
                at = rows.end;
                rows
            })
            .collect()
    }

    /// Rows whose hidden states are wanted, in order.
    pub fn wanted_rows(&self) -> Vec<usize> {
        let rows = self.rows();
        let of = |(segment, rows): (&Segment<K>, Range<usize>)| match segment.wanted {
            Wanted::None => rows.end..rows.end,
            Wanted::Last => rows.end.saturating_sub(1)..rows.end,
            Wanted::All => rows,
        };
        self.segments.iter().zip(rows).flat_map(of).collect()
    }
}

/// Keys and values without a model, for tests of what handles them.
#[cfg(test)]
pub mod fake {
    use super::{Keys, Range};

    /// Keys that are the tokens themselves.
    #[derive(Debug)]
    pub struct Ids(pub Vec<u32>);

    impl Keys for Ids {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn slice(&self, tokens: Range<usize>) -> Self {
            Ids(self.0[tokens].to_vec())
        }

        fn bytes_per_token(&self) -> usize {
            1
        }
    }
}
