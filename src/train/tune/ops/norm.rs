//! RMS norm (Zhang & Sennrich 2019) of rows, and of the heads within rows.

use super::{Bench, TASK_ROWS};
use crate::kernel::vector;

fn inverse(x: &[f32], eps: f32) -> f32 {
    1.0 / (vector::dot(x, x) / x.len() as f32 + eps).sqrt()
}

/// `out = x / √(mean x² + eps) · weight`, for every row of `weight.len()` numbers.
pub fn forward(bench: &Bench, out: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
    let (width, size) = (weight.len(), TASK_ROWS * weight.len());
    let parts = out.chunks_mut(size).zip(x.chunks(size)).collect();
    bench.pool.each(parts, |(out, x): (&mut [f32], &[f32])| {
        for (out, x) in out.chunks_mut(width).zip(x.chunks(width)) {
            vector::rms_norm(out, x, weight, eps);
        }
    });
}

/// Backward of [`forward`]: adds to `grad_x`, and to the weight's gradient where it is wanted.
pub fn backward(
    bench: &Bench,
    grad_x: &mut [f32],
    grad_weight: Option<&mut [f32]>,
    grad_out: &[f32],
    x: &[f32],
    weight: &[f32],
    eps: f32,
) {
    let (width, size) = (weight.len(), TASK_ROWS * weight.len());
    let tasks = x.len().div_ceil(size.max(1));
    let mut sums = vec![0.0; tasks * width];
    let rows = grad_out.chunks(size).zip(x.chunks(size));
    let parts = grad_x
        .chunks_mut(size)
        .zip(sums.chunks_mut(width))
        .zip(rows);
    bench.pool.each(parts.collect(), |((gx, sum), (go, x))| {
        let rows = go.chunks(width).zip(x.chunks(width));
        for (gx, (go, x)) in gx.chunks_mut(width).zip(rows) {
            vector::rms_norm_backward(gx, sum, go, x, weight, inverse(x, eps));
        }
    });
    if let Some(grad) = grad_weight {
        for sum in sums.chunks(width) {
            vector::add_scaled(grad, sum, 1.0);
        }
    }
}
