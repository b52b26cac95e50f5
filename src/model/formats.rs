//! The number formats that weights are stored in, and their way to f32.
//!
//! Block formats are ggml's; sums and products are taken in the same order as its reference code
//! does, so that values are equal to the last bit.

use half::{bf16, f16};
use rayon::prelude::*;

use super::Result;
use super::file_bytes::FileBytes;

/// How a tensor's values lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// Blocks that one thread decodes at a time, and bytes that are read at a time.
const BLOCKS_A_TASK: usize = 512;
const BYTES_A_STEP: usize = 4 << 20;

fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

impl Format {
    /// Values in a block, and its bytes.
    pub fn block(self) -> (usize, usize) {
        match self {
            Format::F32 => (1, 4),
            Format::F16 | Format::Bf16 => (1, 2),
            Format::Q4_0 => (32, 18),
            Format::Q4_1 => (32, 20),
            Format::Q5_0 => (32, 22),
            Format::Q5_1 => (32, 24),
            Format::Q8_0 => (32, 34),
            Format::Q4K => (256, 144),
            Format::Q5K => (256, 176),
            Format::Q6K => (256, 210),
        }
    }

    /// Reads `values` values, a whole number of blocks, from `offset` on.
    ///
    /// # Errors
    /// What the file says; `what` names the tensor.
    pub fn read(
        self,
        file: &FileBytes,
        offset: u64,
        values: usize,
        what: &str,
    ) -> Result<Vec<f32>> {
        let (a_block, bytes) = self.block();
        let size = (values / a_block) as u64 * bytes as u64;
        file.check(offset, size, what)?;
        let mut out = vec![0.0; values];
        let step = (BYTES_A_STEP / bytes).max(1);
        let mut buffer = vec![0; bytes * step.min(values / a_block)];
        let mut at = offset;
        for part in out.chunks_mut(a_block * step) {
            let buffer = &mut buffer[..part.len() / a_block * bytes];
            file.read_into(at, buffer, what)?;
            at += buffer.len() as u64;
            part.par_chunks_mut(a_block * BLOCKS_A_TASK)
                .zip(buffer.par_chunks(bytes * BLOCKS_A_TASK))
                .for_each(|(out, bytes)| self.decode(bytes, out));
        }
        Ok(out)
    }

    /// Decodes whole blocks.
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) {
        let (values, size) = self.block();
        let one = match self {
            Format::F32 => |b: &[u8], y: &mut [f32]| {
                y[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            },
            Format::F16 => |b: &[u8], y: &mut [f32]| y[0] = half(b, 0),
            Format::Bf16 => {
                |b: &[u8], y: &mut [f32]| y[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32()
            }
            Format::Q4_0 => |b: &[u8], y: &mut [f32]| nibbles(&b[2..], None, half(b, 0), -8.0, y),
            Format::Q4_1 => q4_1,
            Format::Q5_0 => {
                |b: &[u8], y: &mut [f32]| nibbles(&b[6..], Some(&b[2..6]), half(b, 0), -16.0, y)
            }
            Format::Q5_1 => q5_1,
            Format::Q8_0 => q8_0,
            Format::Q4K => q4_k,
            Format::Q5K => q5_k,
            Format::Q6K => q6_k,
        };
        for (block, out) in bytes.chunks_exact(size).zip(out.chunks_exact_mut(values)) {
            one(block, out);
        }
    }
}

/// The quants of a block of 32: low nibbles first, then high ones, a fifth bit from `high`.
fn quants(low: &[u8], high: Option<&[u8]>) -> [u8; 32] {
    let bits = high.map_or(0, |h| u32::from_le_bytes([h[0], h[1], h[2], h[3]]));
    std::array::from_fn(|i| {
        let nibble = (low[i % 16] >> (4 * (i / 16))) & 0xF;
        nibble | ((((bits >> i) & 1) as u8) << 4)
    })
}

/// `d · (q + shift)`.
fn nibbles(low: &[u8], high: Option<&[u8]>, d: f32, shift: f32, out: &mut [f32]) {
    for (y, q) in out.iter_mut().zip(quants(low, high)) {
        *y = d * (f32::from(q) + shift);
    }
}

fn q4_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    for (y, q) in out.iter_mut().zip(quants(&block[4..], None)) {
        *y = d * f32::from(q) + m;
    }
}

fn q5_1(block: &[u8], out: &mut [f32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    for (y, q) in out.iter_mut().zip(quants(&block[8..], Some(&block[4..8]))) {
        *y = d * f32::from(q) + m;
    }
}

fn q8_0(block: &[u8], out: &mut [f32]) {
    let d = half(block, 0);
    for (y, q) in out.iter_mut().zip(&block[2..]) {
        *y = d * f32::from(*q as i8);
    }
}

/// The scale and minimum, six bits each, of a K block's group of 32.
fn scale_and_min(scales: &[u8], group: usize) -> (f32, f32) {
    let (scale, min) = match group {
        0..4 => (scales[group] & 63, scales[group + 4] & 63),
        _ => (
            (scales[group + 4] & 0xF) | ((scales[group - 4] >> 6) << 4),
            (scales[group + 4] >> 4) | ((scales[group] >> 6) << 4),
        ),
    };
    (f32::from(scale), f32::from(min))
}

fn q4_k(block: &[u8], out: &mut [f32]) {
    let (d, min) = (half(block, 0), half(block, 2));
    let (scales, low) = (&block[4..16], &block[16..]);
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let (s, m) = scale_and_min(scales, group);
        let (d, m) = (d * s, min * m);
        // Two groups share 32 bytes.
        for (y, q) in out.iter_mut().zip(&low[group / 2 * 32..]) {
            *y = d * f32::from((q >> (4 * (group % 2))) & 0xF) - m;
        }
    }
}

fn q5_k(block: &[u8], out: &mut [f32]) {
    let (d, min) = (half(block, 0), half(block, 2));
    let (scales, high, low) = (&block[4..16], &block[16..48], &block[48..]);
    for (group, out) in out.chunks_exact_mut(32).enumerate() {
        let (s, m) = scale_and_min(scales, group);
        let (d, m) = (d * s, min * m);
        let low = &low[group / 2 * 32..];
        for ((y, q), h) in out.iter_mut().zip(low).zip(high) {
            let q = ((q >> (4 * (group % 2))) & 0xF) | (((h >> group) & 1) << 4);
            *y = d * f32::from(q) - m;
        }
    }
}

fn q6_k(block: &[u8], out: &mut [f32]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = half(block, 208);
    for (i, y) in out.iter_mut().enumerate() {
        // Each half of the block: four runs of 32 values over 64 low and 32 high bytes.
        let (part, run, l) = (i / 128, i / 32 % 4, i % 32);
        let nibble = (low[part * 64 + run % 2 * 32 + l] >> (4 * (run / 2))) & 0xF;
        let bits = (high[part * 32 + l] >> (2 * run)) & 3;
        let q = i32::from(nibble | (bits << 4)) - 32;
        *y = d * f32::from(scales[i / 16] as i8) * q as f32;
    }
}
