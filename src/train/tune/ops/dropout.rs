//! Dropout whose mask is a hash of where it is, so that a layer computed twice drops the same.

use super::{Bench, TASK_ROWS};

/// What is dropped, and how.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Share of the numbers that become 0; the others grow by `1 / (1 − rate)`.
    pub rate: f32,
    /// Tells this place in this step from all others.
    pub key: u64,
}

/// SplitMix64 (Steele et al. 2014) at a place.
pub fn mix(key: u64, at: u64) -> u64 {
    let mut z = key.wrapping_add(at.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Dropout {
    /// The factor of each number: 0 or `1 / (1 − rate)`.
    fn factors(self, first: usize, mut each: impl FnMut(usize, f32), count: usize) {
        // Four draws of sixteen bits come out of one hash.
        let limit = (f64::from(self.rate) * 65536.0).round() as u64;
        let kept = 1.0 / (1.0 - self.rate);
        for at in (0..count).step_by(4) {
            let bits = mix(self.key, ((first + at) / 4) as u64);
            for i in 0..4.min(count - at) {
                let draw = bits >> (16 * i) & 0xFFFF;
                each(at + i, if draw < limit { 0.0 } else { kept });
            }
        }
    }

    /// `out = x · mask`, rows of `width`.
    pub fn forward(self, bench: &Bench, out: &mut [f32], x: &[f32], width: usize) {
        let size = (TASK_ROWS * width).next_multiple_of(4);
        let parts: Vec<_> = out
            .chunks_mut(size)
            .zip(x.chunks(size))
            .enumerate()
            .collect();
        bench
            .pool
            .each(parts, |(n, (out, x)): (usize, (&mut [f32], &[f32]))| {
                self.factors(n * size, |i, factor| out[i] = x[i] * factor, x.len());
            });
    }

    /// `grad_x += grad · mask`: the backward of [`Dropout::forward`].
    pub fn backward(self, bench: &Bench, grad_x: &mut [f32], grad: &[f32], width: usize) {
        let size = (TASK_ROWS * width).next_multiple_of(4);
        let parts: Vec<_> = grad_x
            .chunks_mut(size)
            .zip(grad.chunks(size))
            .enumerate()
            .collect();
        bench
            .pool
            .each(parts, |(n, (gx, g)): (usize, (&mut [f32], &[f32]))| {
                self.factors(n * size, |i, factor| gx[i] += g[i] * factor, g.len());
            });
    }
}
