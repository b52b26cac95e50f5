//! The gated activation: `activation(gate) · up`.

use super::{Bench, TASK_ROWS};
use crate::kernel::vector;
use crate::model::architecture::Activation;

/// `out` is `[rows, width]`, `gate_up` `[rows, 2 · width]` with gate and up side by side.
pub fn forward(
    bench: &Bench,
    activation: Activation,
    out: &mut [f32],
    gate_up: &[f32],
    width: usize,
) {
    let parts = out
        .chunks_mut(TASK_ROWS * width)
        .zip(gate_up.chunks(2 * TASK_ROWS * width))
        .collect();
    bench.pool.each(parts, |(out, both): (&mut [f32], &[f32])| {
        for (out, both) in out.chunks_mut(width).zip(both.chunks(2 * width)) {
            match activation {
                Activation::Silu => vector::swiglu(out, both),
                Activation::GeluTanh => vector::geglu_tanh(out, both),
            }
        }
    });
}

/// Backward of [`forward`]: `gate_up` becomes its own gradient.
pub fn backward(
    bench: &Bench,
    activation: Activation,
    gate_up: &mut [f32],
    grad_out: &[f32],
    width: usize,
) {
    let parts = gate_up
        .chunks_mut(2 * TASK_ROWS * width)
        .zip(grad_out.chunks(TASK_ROWS * width))
        .collect();
    bench
        .pool
        .each(parts, |(both, grad): (&mut [f32], &[f32])| {
            for (both, grad) in both.chunks_mut(2 * width).zip(grad.chunks(width)) {
                match activation {
                    Activation::Silu => vector::swiglu_backward(both, grad),
                    Activation::GeluTanh => vector::geglu_tanh_backward(both, grad),
                }
            }
        });
}
