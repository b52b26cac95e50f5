//! Trees whose rarer words stand for other words, the same ones throughout the tree.
//!
//! A small decoder learns the instructions of a few thousand trees by heart, and what it knows of them
//! says nothing about new ones. Under a veil no instruction is known: what is left are length, structure
//! and which words of the reference an answer has, and those carry over.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use tokenizers::Tokenizer;

/// The first token that may be veiled lies between these ids: earlier ones are markers, bytes, digits
/// and the commonest pieces.
const FIRST: std::ops::Range<u32> = 400..2500;

/// Tokens change places within blocks of this many neighbours by frequency.
const BLOCK: usize = 512;

/// Draws exchanges of tokens.
#[derive(Debug)]
pub struct Veil {
    size: u32,
    /// Ids of words and pieces of words that may stand for each other, by rising id: by whether a space
    /// comes first and by the case of the first letter.
    kinds: Vec<Vec<u32>>,
}

impl Veil {
    /// Sorts the vocabulary. A byte-level BPE's ids rise as frequencies fall.
    pub fn new(tokenizer: &Tokenizer) -> Self {
        let size = tokenizer.get_vocab_size(true) as u32;
        let mut kinds: BTreeMap<(bool, bool), Vec<u32>> = BTreeMap::new();
        for id in FIRST.start..size {
            let Some(token) = tokenizer.id_to_token(id) else {
                continue;
            };
            let word = token.strip_prefix('Ġ').unwrap_or(&token);
            if word.len() >= 2 && word.bytes().all(|b| b.is_ascii_alphabetic()) {
                let capital = word.starts_with(|c: char| c.is_ascii_uppercase());
                let kind = (word.len() < token.len(), capital);
                kinds.entry(kind).or_default().push(id);
            }
        }
        Veil {
            size,
            kinds: kinds.into_values().collect(),
        }
    }

    /// What each id becomes: a permutation of the vocabulary.
    pub fn draw(&self, rng: &mut SmallRng) -> Vec<u32> {
        let first = rng.random_range(FIRST);
        let mut becomes: Vec<u32> = (0..self.size).collect();
        for kind in &self.kinds {
            let from = kind.partition_point(|id| *id < first);
            exchange(&kind[from..], &mut becomes, rng);
        }
        becomes
    }
}

fn exchange(ids: &[u32], becomes: &mut [u32], rng: &mut impl Rng) {
    for block in ids.chunks(BLOCK) {
        let mut others = block.to_vec();
        others.shuffle(rng);
        for (id, other) in block.iter().zip(others) {
            becomes[*id as usize] = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn rarer_tokens_change_places_and_the_others_stay() {
        let veil = Veil {
            size: 4000,
            kinds: vec![(400..3000).collect(), (3000..4000).collect()],
        };
        let becomes = veil.draw(&mut SmallRng::seed_from_u64(1));
        let mut sorted = becomes.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..4000).collect::<Vec<_>>());
        assert!((0..400).all(|id| becomes[id as usize] == id));
        let moved = (3000..4000).filter(|id| becomes[*id as usize] != *id);
        assert!(moved.count() > 900);
        assert!(becomes[3000..].iter().all(|id| *id >= 3000));
    }
}
