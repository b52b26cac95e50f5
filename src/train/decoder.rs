//! The decoder's forward pass over a pack and its hand-written backward.

use super::attention::{self, Heads, Saved, Scratch};
use super::loss::{self, Auxiliary, LossSums};
use super::pack::Pack;
use super::shape::{LayerAt, Layout, Shape};
use crate::kernel::{View, ViewMut, matmul, vector};

/// Activations of one block that its backward pass needs.
#[derive(Debug, Default)]
struct Kept {
    /// Residual stream coming in, `[tokens, dim]`.
    input: Vec<f32>,
    input_inverse: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    log_sums: Vec<f32>,
    /// Residual stream after attention.
    middle: Vec<f32>,
    middle_inverse: Vec<f32>,
    gate_up: Vec<f32>,
}

/// Everything one thread needs to run packs; buffers are kept between calls.
#[derive(Debug)]
pub struct Worker {
    shape: Shape,
    layout: Layout,
    /// `[context, head_dim / 2]` pairs of cosine and sine.
    rotations: Vec<(f32, f32)>,
    kept: Vec<Kept>,
    stream: Vec<f32>,
    stream_inverse: Vec<f32>,
    /// After the last norm, `[tokens, dim]`.
    hidden: Vec<f32>,
    normed: Vec<f32>,
    inner: Vec<f32>,
    grad_stream: Vec<f32>,
    grad_wide: Vec<f32>,
    grad_inner: Vec<f32>,
    scratch: Scratch,
}

fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.clear();
    buffer.resize(len, 0.0);
    buffer
}

/// `out = keep · out + x · weightᵀ`, `weight` as `[outputs, inputs]`.
fn linear(out: &mut [f32], keep: f32, x: &[f32], weight: &[f32], inputs: usize) {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    matmul(
        ViewMut::dense(out, rows, outputs),
        keep,
        View::dense(x, rows, inputs),
        View::dense(weight, outputs, inputs).t(),
        1.0,
    );
}

/// `grad_x = grad_out · weight`; `grad_weight += grad_outᵀ · x`.
fn linear_backward(
    grad_x: &mut [f32],
    grad_weight: &mut [f32],
    grad_out: &[f32],
    x: &[f32],
    weight: &[f32],
    inputs: usize,
) {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    let grad_out = View::dense(grad_out, rows, outputs);
    matmul(
        ViewMut::dense(grad_x, rows, inputs),
        0.0,
        grad_out,
        View::dense(weight, outputs, inputs),
        1.0,
    );
    matmul(
        ViewMut::dense(grad_weight, outputs, inputs),
        1.0,
        grad_out.t(),
        View::dense(x, rows, inputs),
        1.0,
    );
}

fn norm_rows(out: &mut [f32], inverse: &mut Vec<f32>, x: &[f32], weight: &[f32], eps: f32) {
    inverse.clear();
    for (out, x) in out.chunks_mut(weight.len()).zip(x.chunks(weight.len())) {
        inverse.push(vector::rms_norm(out, x, weight, eps));
    }
}

/// The normed rows again, from what was kept.
fn renorm_rows(out: &mut [f32], inverse: &[f32], x: &[f32], weight: &[f32]) {
    let dim = weight.len();
    for ((out, x), r) in out.chunks_mut(dim).zip(x.chunks(dim)).zip(inverse) {
        for ((o, x), w) in out.iter_mut().zip(x).zip(weight) {
            *o = x * r * w;
        }
    }
}

fn norm_rows_backward(
    grad_x: &mut [f32],
    grad_weight: &mut [f32],
    grad_out: &[f32],
    x: &[f32],
    weight: &[f32],
    inverse: &[f32],
) {
    let dim = weight.len();
    for (((gx, go), x), r) in grad_x
        .chunks_mut(dim)
        .zip(grad_out.chunks(dim))
        .zip(x.chunks(dim))
        .zip(inverse)
    {
        vector::rms_norm_backward(gx, grad_weight, go, x, weight, *r);
    }
}

impl Worker {
    /// Buffers for models of this shape.
    pub fn new(shape: &Shape) -> Self {
        let half = shape.head_dim() / 2;
        let mut rotations = Vec::with_capacity(shape.context * half);
        for position in 0..shape.context {
            for i in 0..half {
                let exponent = -(i as f64) / half as f64;
                let angle = position as f64 * f64::from(shape.rope_theta).powf(exponent);
                rotations.push((angle.cos() as f32, angle.sin() as f32));
            }
        }
        Worker {
            layout: shape.layout(),
            shape: shape.clone(),
            rotations,
            kept: (0..shape.layers).map(|_| Kept::default()).collect(),
            stream: Vec::new(),
            stream_inverse: Vec::new(),
            hidden: Vec::new(),
            normed: Vec::new(),
            inner: Vec::new(),
            grad_stream: Vec::new(),
            grad_wide: Vec::new(),
            grad_inner: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    fn heads(&self) -> Heads {
        Heads {
            count: self.shape.heads,
            width: self.shape.head_dim(),
        }
    }

    /// Rotates queries and keys by their positions (RoPE, Su et al. 2021, halves layout);
    /// `direction` −1 undoes it, which is also its backward.
    fn rotate(&self, positions: &[usize], qkv: &mut [f32], direction: f32) {
        let (dim, width) = (self.shape.dim, self.shape.head_dim());
        let half = width / 2;
        for (position, row) in positions.iter().zip(qkv.chunks_mut(3 * dim)) {
            let position = (*position).min(self.shape.context - 1);
            let table = &self.rotations[position * half..(position + 1) * half];
            for head in row[..2 * dim].chunks_mut(width) {
                let (a, b) = head.split_at_mut(half);
                for ((a, b), (cos, sin)) in a.iter_mut().zip(b).zip(table) {
                    let sin = sin * direction;
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    }

    /// Runs the decoder; the hidden states after the last norm are in [`Worker::hidden`].
    pub fn forward(&mut self, weights: &[f32], pack: &Pack) {
        let (tokens, dim, ffn) = (pack.len(), self.shape.dim, self.shape.ffn);
        let eps = self.shape.norm_eps;
        let embedding = &weights[self.layout.embedding.clone()];
        sized(&mut self.stream, tokens * dim);
        for (row, id) in self.stream.chunks_mut(dim).zip(&pack.ids) {
            row.copy_from_slice(&embedding[*id as usize * dim..(*id as usize + 1) * dim]);
        }
        for layer in 0..self.shape.layers {
            let mut kept = std::mem::take(&mut self.kept[layer]);
            let at: &LayerAt = &self.layout.layers[layer];
            kept.input.clone_from(&self.stream);
            let normed = sized(&mut self.normed, tokens * dim);
            let weight = &weights[at.attention_norm.clone()];
            norm_rows(normed, &mut kept.input_inverse, &self.stream, weight, eps);
            sized(&mut kept.qkv, tokens * 3 * dim);
            linear(
                &mut kept.qkv,
                0.0,
                &self.normed,
                &weights[at.qkv.clone()],
                dim,
            );
            self.rotate(&pack.positions, &mut kept.qkv, 1.0);
            sized(&mut kept.attended, tokens * dim);
            sized(&mut kept.log_sums, tokens * self.shape.heads);
            let heads = self.heads();
            attention::forward(
                heads,
                &pack.segments,
                &kept.qkv,
                &mut kept.attended,
                &mut kept.log_sums,
                &mut self.scratch,
            );
            let output = &weights[at.output.clone()];
            linear(&mut self.stream, 1.0, &kept.attended, output, dim);
            kept.middle.clone_from(&self.stream);
            let weight = &weights[at.ffn_norm.clone()];
            norm_rows(
                &mut self.normed,
                &mut kept.middle_inverse,
                &self.stream,
                weight,
                eps,
            );
            sized(&mut kept.gate_up, tokens * 2 * ffn);
            linear(
                &mut kept.gate_up,
                0.0,
                &self.normed,
                &weights[at.gate_up.clone()],
                dim,
            );
            let inner = sized(&mut self.inner, tokens * ffn);
            for (inner, gate_up) in inner.chunks_mut(ffn).zip(kept.gate_up.chunks(2 * ffn)) {
                vector::swiglu(inner, gate_up);
            }
            linear(
                &mut self.stream,
                1.0,
                &self.inner,
                &weights[at.down.clone()],
                ffn,
            );
            self.kept[layer] = kept;
        }
        let hidden = sized(&mut self.hidden, tokens * dim);
        let weight = &weights[self.layout.norm.clone()];
        norm_rows(hidden, &mut self.stream_inverse, &self.stream, weight, eps);
    }

    /// Hidden states of the last [`Worker::forward`], `[tokens, dim]`.
    pub fn hidden(&self) -> &[f32] {
        &self.hidden
    }

    /// Probabilities of `tokens` at the asks of the pack, after [`Worker::forward`] on it.
    pub fn probabilities(&self, weights: &[f32], pack: &Pack, tokens: &[u32]) -> Vec<Vec<f32>> {
        let embedding = &weights[self.layout.embedding.clone()];
        loss::probabilities(&pack.asks, &self.hidden, embedding, self.shape.dim, tokens)
    }

    /// Forward and backward: adds the gradient of the weighted losses of the pack to `grads`.
    pub fn step(
        &mut self,
        weights: &[f32],
        grads: &mut [f32],
        pack: &Pack,
        auxiliary: Auxiliary,
    ) -> LossSums {
        let mut sums = LossSums::default();
        if pack.is_empty() {
            return sums;
        }
        self.forward(weights, pack);
        let (tokens, dim) = (pack.len(), self.shape.dim);
        let embedding_at = self.layout.embedding.clone();
        let mut grad_hidden = vec![0.0; tokens * dim];
        loss::cross_entropy(
            &pack.asks,
            &self.hidden,
            &weights[embedding_at.clone()],
            dim,
            &mut grad_hidden,
            &mut grads[embedding_at.clone()],
            &mut sums,
        );
        loss::contrast(
            pack,
            &self.hidden,
            dim,
            auxiliary.contrast,
            &mut grad_hidden,
            &mut sums,
        );
        let mut grad_stream = std::mem::take(&mut self.grad_stream);
        sized(&mut grad_stream, tokens * dim);
        norm_rows_backward(
            &mut grad_stream,
            &mut grads[self.layout.norm.clone()],
            &grad_hidden,
            &self.stream,
            &weights[self.layout.norm.clone()],
            &self.stream_inverse,
        );
        for layer in (0..self.shape.layers).rev() {
            self.layer_backward(
                layer,
                weights,
                grads,
                pack,
                &mut grad_stream,
                &mut grad_hidden,
            );
            let probes: &[(loss::Probe, f32)] = match self.shape.layers - layer {
                1 => &[
                    (loss::relevance, auxiliary.relevance),
                    (loss::surface, auxiliary.surface),
                ],
                2 => &[(loss::found, auxiliary.found)],
                _ => &[],
            };
            let kept = &self.kept[layer];
            for (loss, weight) in probes {
                loss(
                    pack,
                    &kept.input,
                    &kept.input_inverse,
                    dim,
                    *weight,
                    &mut grad_stream,
                    &mut sums,
                );
            }
        }
        let grad_embedding = &mut grads[embedding_at];
        for (grad, id) in grad_stream.chunks(dim).zip(&pack.ids) {
            let at = *id as usize * dim;
            vector::add_scaled(&mut grad_embedding[at..at + dim], grad, 1.0);
        }
        self.grad_stream = grad_stream;
        sums
    }

    /// `grad_stream` comes in as the gradient of the block's output and leaves as that of its
    /// input; `grad_normed` is scratch of the same size.
    fn layer_backward(
        &mut self,
        layer: usize,
        weights: &[f32],
        grads: &mut [f32],
        pack: &Pack,
        grad_stream: &mut [f32],
        grad_normed: &mut [f32],
    ) {
        let (tokens, dim, ffn) = (pack.len(), self.shape.dim, self.shape.ffn);
        let at = self.layout.layers[layer].clone();
        let mut kept = std::mem::take(&mut self.kept[layer]);

        // Feed-forward: down ∘ swiglu ∘ gate_up ∘ norm.
        let inner = sized(&mut self.inner, tokens * ffn);
        for (inner, gate_up) in inner.chunks_mut(ffn).zip(kept.gate_up.chunks(2 * ffn)) {
            vector::swiglu(inner, gate_up);
        }
        let grad_inner = sized(&mut self.grad_inner, tokens * ffn);
        linear_backward(
            grad_inner,
            &mut grads[at.down.clone()],
            grad_stream,
            &self.inner,
            &weights[at.down.clone()],
            ffn,
        );
        for (gate_up, grad) in kept
            .gate_up
            .chunks_mut(2 * ffn)
            .zip(self.grad_inner.chunks(ffn))
        {
            vector::swiglu_backward(gate_up, grad);
        }
        let normed = sized(&mut self.normed, tokens * dim);
        let weight = &weights[at.ffn_norm.clone()];
        renorm_rows(normed, &kept.middle_inverse, &kept.middle, weight);
        linear_backward(
            grad_normed,
            &mut grads[at.gate_up.clone()],
            &kept.gate_up,
            &self.normed,
            &weights[at.gate_up.clone()],
            dim,
        );
        norm_rows_backward(
            grad_stream,
            &mut grads[at.ffn_norm.clone()],
            grad_normed,
            &kept.middle,
            weight,
            &kept.middle_inverse,
        );

        // Attention: output ∘ attend ∘ rotate ∘ qkv ∘ norm.
        linear_backward(
            grad_normed,
            &mut grads[at.output.clone()],
            grad_stream,
            &kept.attended,
            &weights[at.output.clone()],
            dim,
        );
        let mut grad_qkv = std::mem::take(&mut self.grad_wide);
        sized(&mut grad_qkv, tokens * 3 * dim);
        let heads = self.heads();
        attention::backward(
            heads,
            &pack.segments,
            &Saved {
                qkv: &kept.qkv,
                out: &kept.attended,
                log_sums: &kept.log_sums,
                grad_out: grad_normed,
            },
            &mut grad_qkv,
            &mut self.scratch,
        );
        self.rotate(&pack.positions, &mut grad_qkv, -1.0);
        let weight = &weights[at.attention_norm.clone()];
        renorm_rows(&mut self.normed, &kept.input_inverse, &kept.input, weight);
        linear_backward(
            grad_normed,
            &mut grads[at.qkv.clone()],
            &grad_qkv,
            &self.normed,
            &weights[at.qkv.clone()],
            dim,
        );
        norm_rows_backward(
            grad_stream,
            &mut grads[at.attention_norm.clone()],
            grad_normed,
            &kept.input,
            weight,
            &kept.input_inverse,
        );
        self.grad_wide = grad_qkv;
        self.kept[layer] = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::pack::{Ask, AskKind};

    fn shape() -> Shape {
        Shape {
            vocab: 19,
            dim: 16,
            layers: 2,
            heads: 2,
            ffn: 24,
            context: 64,
            rope_theta: 100.0,
            norm_eps: 1e-5,
        }
    }

    fn weights(shape: &Shape) -> Vec<f32> {
        let mut w: Vec<f32> = (0..shape.layout().len)
            .map(|i| ((i * 7919 % 10007) as f32 / 10007.0 - 0.5) * 0.6)
            .collect();
        for t in shape.tensors().iter().filter(|t| t.rows == 1) {
            w[t.range.clone()].iter_mut().for_each(|w| *w += 1.0);
        }
        w
    }

    fn tree() -> Pack {
        let mut pack = Pack::default();
        let root = pack.add(None, &[1, 2, 3, 4, 5]);
        let a = pack.add(Some(root), &[6, 7, 8]);
        let b = pack.add(Some(root), &[9, 10]);
        let leaf = pack.add(Some(a), &[11]);
        let c = pack.add(None, &[12, 13]);
        for (segment, target) in [(leaf, vec![(3, 0.25), (4, 0.75)]), (b, vec![(7, 1.0)])] {
            pack.asks.push(Ask {
                row: pack.last_row(segment),
                target,
                weight: 0.7,
                kind: AskKind::Judgment,
                firm: None,
            });
        }
        pack.asks.push(Ask {
            row: 1,
            target: vec![(3, 1.0)],
            weight: 0.3,
            kind: AskKind::Language,
            firm: None,
        });
        pack.twins = vec![(a, b), (root, c)];
        pack.relevant = vec![(5..8, true), (8..10, false)];
        pack.in_reference = vec![(6, true), (8, false)];
        pack.in_task = vec![(7, true)];
        pack.surfaces = vec![(pack.last_row(leaf), vec![0.5, -1.0, 2.0])];
        pack
    }

    const AUXILIARY: Auxiliary = Auxiliary {
        contrast: 0.05,
        relevance: 0.2,
        found: 0.15,
        surface: 0.1,
    };

    /// The weighted loss that `step` differentiates.
    fn loss_of(worker: &mut Worker, weights: &[f32], pack: &Pack) -> f64 {
        let mut unused = vec![0.0; weights.len()];
        let mut total = 0.0;
        for ask in &pack.asks {
            let mut one = pack.clone();
            one.asks = vec![ask.clone()];
            one.twins.clear();
            one.relevant.clear();
            one.in_reference.clear();
            one.in_task.clear();
            one.surfaces.clear();
            let sums = worker.step(weights, &mut unused, &one, Auxiliary::default());
            total += (sums.language + sums.judgment) * f64::from(ask.weight);
        }
        let mut twins = pack.clone();
        twins.asks.clear();
        let sums = worker.step(weights, &mut unused, &twins, AUXILIARY);
        total + sums.contrast * 0.05 + sums.relevance * 0.2 + sums.found * 0.15 + sums.surface * 0.1
    }

    #[test]
    fn every_tensor_has_the_gradient_of_finite_differences() {
        let (shape, pack) = (shape(), tree());
        let mut worker = Worker::new(&shape);
        let base = weights(&shape);
        let mut grads = vec![0.0; base.len()];
        worker.step(&base, &mut grads, &pack, AUXILIARY);
        for tensor in shape.tensors() {
            let norm = vector::dot(&grads[tensor.range.clone()], &grads[tensor.range.clone()]);
            assert!(norm > 0.0, "{} gets no gradient", tensor.name);
            // A few entries of each tensor, among them its largest gradient.
            let largest = tensor
                .range
                .clone()
                .max_by(|a, b| grads[*a].abs().total_cmp(&grads[*b].abs()))
                .unwrap();
            let some = tensor.range.clone().step_by(tensor.range.len() / 3 + 1);
            for i in some.chain([largest]) {
                let mut moved = base.clone();
                moved[i] = base[i] + 5e-3;
                let above = loss_of(&mut worker, &moved, &pack);
                moved[i] = base[i] - 5e-3;
                let below = loss_of(&mut worker, &moved, &pack);
                let want = (above - below) / 1e-2;
                let got = f64::from(grads[i]);
                assert!(
                    (want - got).abs() < 2e-3 + 0.02 * want.abs(),
                    "{}[{i}]: finite difference {want}, gradient {got}",
                    tensor.name
                );
            }
        }
    }

    #[test]
    fn a_shared_prefix_changes_nothing() {
        let shape = shape();
        let weights = weights(&shape);
        let mut worker = Worker::new(&shape);
        let shared = tree();
        worker.forward(&weights, &shared);
        let branch = worker.hidden()[shared.last_row(3) * 16..][..16].to_vec();
        let mut alone = Pack::default();
        alone.add(None, &[1, 2, 3, 4, 5, 6, 7, 8, 11]);
        worker.forward(&weights, &alone);
        for (a, b) in branch.iter().zip(&worker.hidden()[8 * 16..]) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
