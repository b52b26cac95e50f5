//! AdamW (Loshchilov & Hutter 2019), as torch computes it.

use std::ops::Range;

use super::ops::Bench;
use crate::kernel::vector;

/// Numbers that one task works on.
const SIZE: usize = 1 << 16;

/// Settings of the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    pub betas: (f64, f64),
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for AdamSettings {
    fn default() -> Self {
        AdamSettings {
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// The rule with its moments, which a checkpoint holds.
pub struct Adam {
    settings: AdamSettings,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    /// Steps taken.
    pub steps: u64,
    /// Stretches that do not decay: norms and biases.
    spared: Vec<Range<usize>>,
}

impl Adam {
    /// Moments at zero, for `len` numbers.
    pub fn new(settings: AdamSettings, len: usize, spared: Vec<Range<usize>>) -> Self {
        Adam {
            settings,
            first: vec![0.0; len],
            second: vec![0.0; len],
            steps: 0,
            spared,
        }
    }

    /// One step at a learning rate.
    pub fn step(&mut self, bench: &Bench, weights: &mut [f32], grads: &[f32], rate: f64) {
        self.steps += 1;
        let s = self.settings;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (beta1, beta2) = (s.betas.0 as f32, s.betas.1 as f32);
        let size = (rate / (1.0 - s.betas.0.powi(power))) as f32;
        let root = (1.0 - s.betas.1.powi(power)).sqrt() as f32;
        let (epsilon, kept) = (s.epsilon as f32, (1.0 - rate * s.weight_decay) as f32);
        let spared = &self.spared;
        let parts = weights
            .chunks_mut(SIZE)
            .zip(grads.chunks(SIZE))
            .zip(
                self.first
                    .chunks_mut(SIZE)
                    .zip(self.second.chunks_mut(SIZE)),
            )
            .enumerate()
            .collect();
        bench
            .pool
            .each(parts, |(n, ((weights, grads), (first, second)))| {
                if s.weight_decay > 0.0 {
                    decay(weights, n * SIZE, spared, kept);
                }
                let moments = first.iter_mut().zip(second);
                for ((w, g), (m, v)) in weights.iter_mut().zip(grads).zip(moments) {
                    *m += (1.0 - beta1) * (g - *m);
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    *w -= size * *m / (v.sqrt() / root + epsilon);
                }
            });
    }
}

/// Shrinks the weights from number `from` on, but not what is spared.
fn decay(weights: &mut [f32], from: usize, spared: &[Range<usize>], kept: f32) {
    let (mut at, end) = (from, from + weights.len());
    let first = spared.partition_point(|range| range.end <= from);
    for range in &spared[first..] {
        let stop = range.start.clamp(at, end);
        weights[at - from..stop - from]
            .iter_mut()
            .for_each(|w| *w *= kept);
        at = range.end.clamp(stop, end);
        if at == end {
            return;
        }
    }
    weights[at - from..].iter_mut().for_each(|w| *w *= kept);
}

/// Shortens a gradient to at most `most`, as torch's `clip_grad_norm_` does; gives back its length before.
pub fn clip(bench: &Bench, grads: &mut [f32], most: f64) -> f64 {
    let mut sums = vec![0.0; grads.len().div_ceil(SIZE)];
    let parts = grads.chunks(SIZE).zip(&mut sums).collect();
    bench.pool.each(parts, |(grads, sum): (&[f32], &mut f64)| {
        *sum = grads
            .chunks(1024)
            .map(|g| f64::from(vector::dot(g, g)))
            .sum();
    });
    let length = sums.iter().sum::<f64>().sqrt();
    let factor = most / (length + 1e-6);
    if factor < 1.0 {
        let parts = grads.chunks_mut(SIZE).collect();
        bench.pool.each(parts, |grads: &mut [f32]| {
            grads.iter_mut().for_each(|g| *g *= factor as f32);
        });
    }
    length
}
