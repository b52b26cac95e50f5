//! Embeddings of a sample of texts, and how far each is from its nearest.

use crate::engine::line::{EngineGone, Line};
use crate::engine::{Ask, Engine, Outcome, Role, Task};
use crate::judge::similarity::{Long, encode};
use crate::model::facts::Facts;
use crate::model::pooling;
use crate::stats::bootstrap::SplitMix64;
use crate::stats::selection;

/// Texts with the engine at a time.
const AHEAD: usize = 128;

/// A seeded sample of `count` places out of these, in their order.
pub fn sample(places: &[usize], count: usize, seed: u64) -> Vec<usize> {
    let mut random = SplitMix64(seed);
    let mut all = places.to_vec();
    let count = count.min(all.len());
    for at in 0..count {
        let other = at + random.below(all.len() - at);
        all.swap(at, other);
    }
    all.truncate(count);
    all.sort_unstable();
    all
}

/// Novelty (mean cosine distance to the nearest other) of these texts by the engine's embedder; those that cannot be
/// embedded, such as blank ones, are left out. `progress` is called after each text.
///
/// # Errors
/// The engine went away.
pub fn novelty(
    engine: &Engine,
    (embedder, limit): (&Facts, Option<usize>),
    texts: &[&str],
    progress: &mut dyn FnMut(),
) -> Result<Option<f64>, EngineGone> {
    let mut line = Line::new(engine, AHEAD);
    let mut next = texts.iter();
    let mut vectors = Vec::with_capacity(texts.len());
    loop {
        while line.has_room()
            && let Some(text) = next.next()
        {
            let chunks = match text.trim().is_empty() {
                true => Vec::new(),
                false => encode(embedder, text, limit, Long::Chunk).unwrap_or_default(),
            };
            let (ids, weights): (Vec<_>, Vec<usize>) = chunks.into_iter().unzip();
            let task = |ids| Task {
                role: Role::Embedder,
                ids,
                ask: Ask::Embed,
            };
            line.push(weights, ids.into_iter().map(task).collect());
        }
        let Some((weights, answered)) = line.pop()? else {
            return Ok(selection::novelty(&vectors));
        };
        progress();
        let Ok(outcomes) = answered else { continue };
        let chunks = outcomes.into_iter().zip(weights);
        let chunks: Vec<(Vec<f32>, usize)> = chunks
            .filter_map(|(outcome, tokens)| match outcome {
                Outcome::Embedding { vector, .. } => Some((vector, tokens)),
                _ => None,
            })
            .collect();
        if !chunks.is_empty() {
            vectors.push(pooling::average(&chunks));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_seeded_and_in_order() {
        let places: Vec<usize> = (10..30).collect();
        let some = sample(&places, 5, 1);
        assert_eq!(some.len(), 5);
        assert!(some.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(some, sample(&places, 5, 1));
        assert_ne!(some, sample(&places, 5, 2));
        assert_eq!(sample(&places, 50, 1), places);
    }
}
