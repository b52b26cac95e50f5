//! The angles by which RoPE turns queries and keys.

use crate::model::architecture::Rope;

/// Cosine and sine of one angle, as Hugging Face computes them: frequency, position and their product
/// in f32.
fn turned(frequency: f64, scale: f64, position: usize) -> (f32, f32) {
    let angle = f64::from(position as f32 * frequency as f32);
    let scaled = |x: f64| x as f32 * scale as f32;
    (scaled(angle.cos()), scaled(angle.sin()))
}

/// Cosine and sine of a position's angles.
pub fn angles(rope: &Rope, long: bool, position: usize) -> Vec<(f32, f32)> {
    let frequencies = match &rope.long {
        Some((_, frequencies)) if long => frequencies,
        _ => &rope.frequencies,
    };
    let one = |frequency: &f64| turned(*frequency, rope.scale, position);
    frequencies.iter().map(one).collect()
}

/// Cosines and sines of the first positions' angles.
pub struct Turns {
    pub(super) frequencies: Vec<f64>,
    pub(super) scale: f64,
    /// `[position][frequency]`.
    pub(super) cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Turns {
    pub fn new(frequencies: &[f64], scale: f64, positions: usize) -> Self {
        let size = positions * frequencies.len();
        let mut new = Turns {
            frequencies: frequencies.to_vec(),
            scale,
            cos: Vec::with_capacity(size),
            sin: Vec::with_capacity(size),
        };
        for position in 0..positions {
            for frequency in frequencies {
                let (cos, sin) = turned(*frequency, scale, position);
                new.cos.push(cos);
                new.sin.push(sin);
            }
        }
        new
    }

    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let half = self.frequencies.len();
        let at = position * half..(position + 1) * half;
        (&self.cos[at.clone()], &self.sin[at])
    }
}
