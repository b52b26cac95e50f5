//! Optimisers over the flat parameter vector: AdamW, and Muon for the matrices inside blocks.

use serde::{Deserialize, Serialize};

use super::shape::{Shape, Tensor};
use crate::kernel::{View, ViewMut, matmul, vector};

/// Which rule the matrices inside blocks follow; embeddings and norms always follow AdamW.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// AdamW (Loshchilov & Hutter 2019).
    AdamW,
    /// Momentum made orthogonal by Newton–Schulz iterations (Jordan et al. 2024), scaled to the
    /// size of an AdamW update (Liu et al. 2025).
    #[default]
    Muon,
}

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.98;
const EPSILON: f32 = 1e-8;
const MOMENTUM: f32 = 0.95;

/// Running moments; what a checkpoint must hold beside the weights.
#[derive(Clone, Debug)]
pub struct Optimizer {
    tensors: Vec<Tensor>,
    rule: Rule,
    weight_decay: f32,
    /// First moments (AdamW) or momentum (Muon).
    pub first: Vec<f32>,
    /// Second moments; unused for tensors that follow Muon.
    pub second: Vec<f32>,
    /// Steps taken.
    pub steps: u64,
}

impl Optimizer {
    /// Moments at zero.
    pub fn new(shape: &Shape, rule: Rule, weight_decay: f32) -> Self {
        let len = shape.layout().len;
        Optimizer {
            tensors: shape.tensors(),
            rule,
            weight_decay,
            first: vec![0.0; len],
            second: vec![0.0; len],
            steps: 0,
        }
    }

    /// Scales the gradient to at most length `clip`, then takes one step. Gives back the
    /// gradient's length before clipping.
    pub fn step(&mut self, weights: &mut [f32], grads: &mut [f32], rate: f32, clip: f32) -> f32 {
        let length = grads
            .chunks(1 << 16)
            .map(|g| f64::from(vector::dot(g, g)))
            .sum::<f64>()
            .sqrt() as f32;
        if length > clip {
            let scale = clip / length;
            grads.iter_mut().for_each(|g| *g *= scale);
        }
        self.steps += 1;
        for tensor in &self.tensors {
            let at = tensor.range.clone();
            let (weights, grads) = (&mut weights[at.clone()], &grads[at.clone()]);
            let decay = if tensor.rows > 1 {
                self.weight_decay
            } else {
                0.0
            };
            if self.rule == Rule::Muon && tensor.is_hidden_matrix() {
                muon(weights, grads, &mut self.first[at], tensor, rate, decay);
            } else {
                let (first, second) = (&mut self.first[at.clone()], &mut self.second[at]);
                adamw(weights, grads, first, second, self.steps, rate, decay);
            }
        }
        length
    }
}

fn adamw(
    weights: &mut [f32],
    grads: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    steps: u64,
    rate: f32,
    decay: f32,
) {
    let steps = i32::try_from(steps).unwrap_or(i32::MAX);
    let (unbias1, unbias2) = (1.0 - BETA1.powi(steps), 1.0 - BETA2.powi(steps));
    for (((w, g), m), v) in weights.iter_mut().zip(grads).zip(first).zip(second) {
        *m = BETA1 * *m + (1.0 - BETA1) * g;
        *v = BETA2 * *v + (1.0 - BETA2) * g * g;
        let update = (*m / unbias1) / ((*v / unbias2).sqrt() + EPSILON);
        *w -= rate * (update + decay * *w);
    }
}

fn muon(
    weights: &mut [f32],
    grads: &[f32],
    momentum: &mut [f32],
    tensor: &Tensor,
    rate: f32,
    decay: f32,
) {
    let mut update = vec![0.0; grads.len()];
    for ((m, g), u) in momentum.iter_mut().zip(grads).zip(&mut update) {
        *m = MOMENTUM * *m + g;
        *u = g + MOMENTUM * *m;
    }
    orthogonalize(&mut update, tensor.rows, tensor.cols);
    let scale = 0.2 * (tensor.rows.max(tensor.cols) as f32).sqrt();
    for (w, u) in weights.iter_mut().zip(&update) {
        *w -= rate * (scale * u + decay * *w);
    }
}

/// Replaces a `rows × cols` matrix by (nearly) the orthogonal matrix closest to it: five
/// Newton–Schulz iterations with the quintic coefficients of Jordan et al.
fn orthogonalize(x: &mut Vec<f32>, rows: usize, cols: usize) {
    const A: f32 = 3.4445;
    const B: f32 = -4.775;
    const C: f32 = 2.0315;
    let norm = vector::dot(x, x).sqrt() + 1e-7;
    x.iter_mut().for_each(|v| *v /= norm);
    // The Gram matrix is taken on the smaller side: X Xᵀ · X or X · Xᵀ X.
    let wide = rows <= cols;
    let n = rows.min(cols);
    let (mut gram, mut poly) = (vec![0.0; n * n], vec![0.0; n * n]);
    let mut next = vec![0.0; x.len()];
    for _ in 0..5 {
        let m = View::dense(x, rows, cols);
        let (left, right) = if wide { (m, m.t()) } else { (m.t(), m) };
        matmul(ViewMut::dense(&mut gram, n, n), 0.0, left, right, 1.0);
        poly.copy_from_slice(&gram);
        let g = View::dense(&gram, n, n);
        matmul(ViewMut::dense(&mut poly, n, n), B, g, g, C);
        next.copy_from_slice(x);
        let p = View::dense(&poly, n, n);
        let (left, right) = if wide { (p, m) } else { (m, p) };
        matmul(ViewMut::dense(&mut next, rows, cols), A, left, right, 1.0);
        std::mem::swap(x, &mut next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthogonalized_rows_have_nearly_unit_length() {
        for (rows, cols) in [(6, 20), (20, 6), (8, 8)] {
            let mut x: Vec<f32> = (0..rows * cols)
                .map(|i| {
                    ((i * 7919 % 1013) as f32 / 1013.0 - 0.5) * if i % 3 == 0 { 4.0 } else { 1.0 }
                })
                .collect();
            orthogonalize(&mut x, rows, cols);
            let n = rows.min(cols);
            // Singular values end up in about [0.7, 1.2]: so does every norm of the short side.
            let total = vector::dot(&x, &x) / n as f32;
            assert!((0.5..1.5).contains(&total), "{total}");
        }
    }

    #[test]
    fn both_rules_descend_a_quadratic() {
        let shape = Shape {
            vocab: 5,
            dim: 8,
            layers: 1,
            heads: 2,
            ffn: 12,
            context: 4,
            rope_theta: 1e4,
            norm_eps: 1e-5,
        };
        for rule in [Rule::AdamW, Rule::Muon] {
            let mut weights: Vec<f32> = (0..shape.layout().len)
                .map(|i| (i as f32 * 0.37).sin())
                .collect();
            let mut optimizer = Optimizer::new(&shape, rule, 0.0);
            let start = vector::dot(&weights, &weights);
            for _ in 0..800 {
                let mut grads = weights.clone();
                optimizer.step(&mut weights, &mut grads, 0.01, 1.0);
            }
            assert!(vector::dot(&weights, &weights) < 0.2 * start, "{rule:?}");
        }
    }
}
