//! Products with weights: dense in f32, or packed for the processor's own kernels.

use std::ops::Range;

use super::{Bench, TASK_ROWS};
use crate::kernel::{Format, Linear, View, ViewMut, linear, matmul, vector};

/// Some columns of a row-major buffer.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// Width of a whole row.
    pub stride: usize,
    pub from: usize,
    pub count: usize,
}

impl Columns {
    /// All of them.
    pub fn all(count: usize) -> Self {
        Columns {
            stride: count,
            from: 0,
            count,
        }
    }

    fn rows(&self, buffer: &[f32]) -> usize {
        buffer.len() / self.stride.max(1)
    }

    fn view<'a>(&self, buffer: &'a [f32]) -> View<'a> {
        View::new(
            &buffer[self.from..],
            self.rows(buffer),
            self.count,
            self.stride,
        )
    }

    fn view_mut<'a>(&self, buffer: &'a mut [f32]) -> ViewMut<'a> {
        let rows = self.rows(buffer);
        ViewMut::new(&mut buffer[self.from..], rows, self.count, self.stride)
    }

    /// A stretch of these columns.
    fn part(&self, of: Range<usize>) -> Self {
        Columns {
            stride: self.stride,
            from: self.from + of.start,
            count: of.len(),
        }
    }
}

/// Rows for each thread.
fn share(bench: &Bench, rows: usize) -> usize {
    rows.div_ceil(bench.pool.threads()).max(TASK_ROWS)
}

/// `out = keep · out + scale · x · right`, rows shared out among the threads; `right` is
/// `[x's columns, out's columns]`.
pub fn product(
    bench: &Bench,
    (out, to): (&mut [f32], Columns),
    keep: f32,
    (x, of): (&[f32], Columns),
    right: View<'_>,
    scale: f32,
) {
    let rows = share(bench, of.rows(x));
    let parts = out
        .chunks_mut(rows * to.stride)
        .zip(x.chunks(rows * of.stride));
    bench
        .pool
        .each(parts.collect(), |(out, x): (&mut [f32], &[f32])| {
            matmul(to.view_mut(out), keep, of.view(x), right, scale);
        });
}

/// `grad += scale · goᵀ · x`, the gradient of a weight `[outputs, inputs]`, outputs shared out among the threads.
pub fn weight_gradient(
    bench: &Bench,
    grad: &mut [f32],
    (go, outputs): (&[f32], Columns),
    (x, inputs): (&[f32], Columns),
    scale: f32,
) {
    let each = outputs
        .count
        .div_ceil(bench.pool.threads())
        .next_multiple_of(8);
    let parts: Vec<_> = grad
        .chunks_mut(each * inputs.count)
        .enumerate()
        .map(|(n, part)| (n * each, part))
        .collect();
    bench
        .pool
        .each(parts, |(first, part): (usize, &mut [f32])| {
            let rows = part.len() / inputs.count;
            matmul(
                ViewMut::dense(part, rows, inputs.count),
                1.0,
                outputs.part(first..first + rows).view(go).t(),
                inputs.view(x),
                scale,
            );
        });
}

/// A weight matrix `[outputs, inputs]` with an optional bias.
pub struct Weight {
    pub outputs: usize,
    pub inputs: usize,
    /// Its place among the parameters; `None` where only the packed form is kept.
    pub dense: Option<Range<usize>>,
    pub bias: Option<Range<usize>>,
    packed: Option<Packed>,
}

/// For both directions.
struct Packed {
    forward: Linear,
    backward: Linear,
}

impl Packed {
    fn new(weights: &[f32], outputs: usize, inputs: usize, format: Format) -> Self {
        let mut turned = vec![0.0; weights.len()];
        for (row, weights) in weights.chunks(inputs).enumerate() {
            for (to, w) in turned[row..].iter_mut().step_by(outputs).zip(weights) {
                *to = *w;
            }
        }
        Packed {
            forward: Linear::pack(weights, outputs, inputs, format),
            backward: Linear::pack(&turned, inputs, outputs, format),
        }
    }
}

impl Weight {
    /// One that lies among the parameters.
    pub fn dense(outputs: usize, inputs: usize, at: Range<usize>) -> Self {
        Weight {
            outputs,
            inputs,
            dense: Some(at),
            bias: None,
            packed: None,
        }
    }

    /// One that is kept packed alone.
    pub fn packed(weights: &[f32], outputs: usize, inputs: usize, format: Format) -> Self {
        Weight {
            outputs,
            inputs,
            dense: None,
            bias: None,
            packed: Some(Packed::new(weights, outputs, inputs, format)),
        }
    }

    /// Packs it anew from the parameters, which have changed.
    pub fn repack(&mut self, parameters: &[f32], format: Format) {
        if let Some(at) = &self.dense {
            let weights = &parameters[at.clone()];
            self.packed = Some(Packed::new(weights, self.outputs, self.inputs, format));
        }
    }

    /// One row of a matrix that is kept packed, for embeddings.
    pub fn row(&self, parameters: &[f32], row: usize, into: &mut [f32]) {
        match (&self.dense, &self.packed) {
            (Some(at), _) => {
                let from = at.start + row * self.inputs;
                into.copy_from_slice(&parameters[from..from + self.inputs]);
            }
            (None, Some(packed)) => packed.forward.row(row, into),
            (None, None) => into.fill(0.0),
        }
    }

    fn run(bench: &Bench, linear_: &Linear, x: &[f32], out: &mut [f32]) {
        let mut activations = bench.activations();
        let (rows, inputs) = (x.len() / linear_.inputs().max(1), linear_.inputs());
        activations.set_on(&bench.pool, x, rows, inputs, linear_.format());
        linear(&bench.pool, &activations, linear_, out);
    }

    /// `out = x · Wᵀ + bias`; `x` is `[rows, inputs]`, `out` `[rows, outputs]`.
    pub fn forward(&self, bench: &Bench, parameters: &[f32], x: &[f32], out: &mut [f32]) {
        match (&self.packed, &self.dense) {
            (Some(packed), _) => Self::run(bench, &packed.forward, x, out),
            (None, Some(at)) => {
                let w = View::dense(&parameters[at.clone()], self.outputs, self.inputs);
                let (to, of) = (Columns::all(self.outputs), Columns::all(self.inputs));
                product(bench, (out, to), 0.0, (x, of), w.t(), 1.0);
            }
            (None, None) => out.fill(0.0),
        }
        if let Some(bias) = &self.bias {
            let bias = &parameters[bias.clone()];
            let parts = out.chunks_mut(TASK_ROWS * self.outputs).collect();
            bench.pool.each(parts, |rows: &mut [f32]| {
                for row in rows.chunks_mut(self.outputs) {
                    vector::add_scaled(row, bias, 1.0);
                }
            });
        }
    }

    /// `grad_x = grad_out · W`.
    pub fn backward(
        &self,
        bench: &Bench,
        parameters: &[f32],
        grad_out: &[f32],
        grad_x: &mut [f32],
    ) {
        match (&self.packed, &self.dense) {
            (Some(packed), _) => Self::run(bench, &packed.backward, grad_out, grad_x),
            (None, Some(at)) => {
                let w = View::dense(&parameters[at.clone()], self.outputs, self.inputs);
                let (to, of) = (Columns::all(self.inputs), Columns::all(self.outputs));
                product(bench, (grad_x, to), 0.0, (grad_out, of), w, 1.0);
            }
            (None, None) => grad_x.fill(0.0),
        }
    }

    /// Adds the gradients of weight and bias to `grads`, which lies as the parameters do.
    pub fn learn(&self, bench: &Bench, grad_out: &[f32], x: &[f32], grads: &mut [f32]) {
        if let Some(at) = &self.dense {
            weight_gradient(
                bench,
                &mut grads[at.clone()],
                (grad_out, Columns::all(self.outputs)),
                (x, Columns::all(self.inputs)),
                1.0,
            );
        }
        if let Some(bias) = &self.bias {
            let sum = &mut grads[bias.clone()];
            for row in grad_out.chunks(self.outputs) {
                vector::add_scaled(sum, row, 1.0);
            }
        }
    }
}
