//! Choosing the next token.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// How to write text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token.
    pub temperature: f64,
    /// The smallest set of tokens whose probabilities reach this is sampled from.
    pub top_p: f64,
    /// Same seed, same text.
    pub seed: u64,
    /// Longest text, in tokens.
    pub max_tokens: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature: 0.8,
            top_p: 0.95,
            seed: 0,
            max_tokens: 256,
        }
    }
}

/// Draws tokens one after the other.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    rng: SmallRng,
}

impl Sampler {
    /// A fresh stream of draws.
    pub fn new(sampling: Sampling) -> Self {
        Sampler {
            sampling,
            rng: SmallRng::seed_from_u64(sampling.seed),
        }
    }

    /// The next token from log-probabilities over the vocabulary.
    pub fn draw(&mut self, log_probs: &[f64]) -> u32 {
        let likeliest = (0..log_probs.len()).max_by(|a, b| log_probs[*a].total_cmp(&log_probs[*b]));
        let likeliest = likeliest.unwrap_or(0);
        if self.sampling.temperature <= 0.0 {
            return likeliest as u32;
        }
        let max = log_probs[likeliest];
        let mut weights: Vec<(usize, f64)> = log_probs
            .iter()
            .enumerate()
            .map(|(i, l)| (i, ((l - max) / self.sampling.temperature).exp()))
            .collect();
        let total: f64 = weights.iter().map(|w| w.1).sum();
        let (kept, count) = nucleus(&mut weights, self.sampling.top_p * total);
        let mut draw = self.rng.random_range(0.0..1.0) * kept;
        for (id, w) in &weights[..count] {
            draw -= w;
            if draw <= 0.0 {
                return *id as u32;
            }
        }
        likeliest as u32
    }
}

/// Sorts as many of the heaviest to the front as reach `least` together: their weight, and how many. Most
/// vocabularies are long and most weights nothing, so that sorting them all is a waste.
fn nucleus(weights: &mut [(usize, f64)], least: f64) -> (f64, usize) {
    const OFTEN_ENOUGH: usize = 512;
    let falling = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let reach = |sorted: &[(usize, f64)]| {
        let mut kept = 0.0;
        let found = sorted.iter().position(|(_, w)| {
            kept += w;
            kept >= least
        });
        (kept, found.map(|last| last + 1))
    };
    if weights.len() > OFTEN_ENOUGH {
        weights.select_nth_unstable_by(OFTEN_ENOUGH, falling);
        weights[..OFTEN_ENOUGH].sort_unstable_by(falling);
        if let (kept, Some(count)) = reach(&weights[..OFTEN_ENOUGH]) {
            return (kept, count);
        }
    }
    weights.sort_unstable_by(falling);
    let (kept, count) = reach(weights);
    (kept, count.unwrap_or(weights.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(p: &[f64]) -> Vec<f64> {
        p.iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn temperature_zero_takes_the_likeliest() {
        let sampling = Sampling {
            temperature: 0.0,
            ..Sampling::default()
        };
        assert_eq!(Sampler::new(sampling).draw(&log(&[0.2, 0.5, 0.3])), 1);
    }

    #[test]
    fn draws_follow_the_probabilities_within_top_p() {
        let sampling = Sampling {
            temperature: 1.0,
            top_p: 0.85,
            seed: 4,
            max_tokens: 1,
        };
        let mut sampler = Sampler::new(sampling);
        let mut counts = [0; 3];
        for _ in 0..4000 {
            counts[sampler.draw(&log(&[0.6, 0.1, 0.3])) as usize] += 1;
        }
        assert_eq!(counts[1], 0, "outside the nucleus");
        assert!((f64::from(counts[0]) / 4000.0 - 2.0 / 3.0).abs() < 0.03);
    }

    #[test]
    fn a_nucleus_is_found_without_sorting_all() {
        let weight = |i: usize| (i, ((i * 7919) % 5000) as f64);
        for share in [0.001, 0.1, 0.9, 1.0] {
            let mut found: Vec<_> = (0..5000).map(weight).collect();
            let mut sorted = found.clone();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
            let least = share * sorted.iter().map(|w| w.1).sum::<f64>();
            let (kept, count) = nucleus(&mut found, least);
            assert_eq!(found[..count], sorted[..count]);
            assert!(kept >= least && kept - sorted[count - 1].1 < least);
        }
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let run = |seed| {
            let mut s = Sampler::new(Sampling {
                seed,
                ..Sampling::default()
            });
            (0..50)
                .map(|_| s.draw(&log(&[0.25; 4])))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
