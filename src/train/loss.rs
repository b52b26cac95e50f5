//! Losses on the final hidden states: cross-entropy against soft targets, and a contrastive loss
//! on mean-pooled embeddings.

use std::ops::Range;

use super::pack::{Ask, AskKind, Firm, Pack};
use crate::kernel::{View, ViewMut, matmul, vector};

/// Rows of logits held at a time.
const CHUNK: usize = 64;

/// Temperature of the contrastive loss.
const TEMPERATURE: f32 = 0.05;

/// Weights of one term of each loss beside a judgment's 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Auxiliary {
    pub contrast: f32,
    pub relevance: f32,
    pub found: f32,
    pub surface: f32,
}

/// A loss on the residual stream that the last block sees.
pub type Probe = fn(&Pack, &[f32], &[f32], usize, f32, &mut [f32], &mut LossSums);

/// Weighted sums of losses, and the weights they are to be divided by.
#[derive(Clone, Copy, Debug, Default)]
pub struct LossSums {
    pub language: f64,
    pub language_count: f64,
    pub judgment: f64,
    pub judgment_count: f64,
    pub contrast: f64,
    pub contrast_count: f64,
    pub relevance: f64,
    pub relevance_count: f64,
    pub found: f64,
    pub found_count: f64,
    pub surface: f64,
    pub surface_count: f64,
}

impl LossSums {
    /// Adds another part of the batch.
    pub fn add(&mut self, other: &LossSums) {
        self.language += other.language;
        self.language_count += other.language_count;
        self.judgment += other.judgment;
        self.judgment_count += other.judgment_count;
        self.contrast += other.contrast;
        self.contrast_count += other.contrast_count;
        self.relevance += other.relevance;
        self.relevance_count += other.relevance_count;
        self.found += other.found;
        self.found_count += other.found_count;
        self.surface += other.surface;
        self.surface_count += other.surface_count;
    }
}

/// Probabilities over the vocabulary at each asked row, `visit`ed one row at a time with the ask's
/// index. `hidden` is `[tokens, dim]` after the last norm.
fn each_distribution(
    asks: &[Ask],
    hidden: &[f32],
    embedding: &[f32],
    dim: usize,
    mut visit: impl FnMut(Range<usize>, &[f32], &mut [f32]),
) {
    let vocab = embedding.len() / dim;
    let mut states = vec![0.0; CHUNK * dim];
    let mut logits = vec![0.0; CHUNK * vocab];
    for start in (0..asks.len()).step_by(CHUNK) {
        let range = start..(start + CHUNK).min(asks.len());
        let n = range.len();
        for (state, ask) in states.chunks_mut(dim).zip(&asks[range.clone()]) {
            state.copy_from_slice(&hidden[ask.row * dim..(ask.row + 1) * dim]);
        }
        matmul(
            ViewMut::dense(&mut logits[..n * vocab], n, vocab),
            0.0,
            View::dense(&states[..n * dim], n, dim),
            View::dense(embedding, vocab, dim).t(),
            1.0,
        );
        for row in logits[..n * vocab].chunks_mut(vocab) {
            let max = vector::max(row);
            let sum = vector::exp_shifted(row, max);
            let inverse = 1.0 / sum;
            row.iter_mut().for_each(|p| *p *= inverse);
        }
        visit(range, &states[..n * dim], &mut logits[..n * vocab]);
    }
}

/// The probabilities of `tokens` at each asked row, `[asks][tokens]`.
pub fn probabilities(
    asks: &[Ask],
    hidden: &[f32],
    embedding: &[f32],
    dim: usize,
    tokens: &[u32],
) -> Vec<Vec<f32>> {
    let vocab = embedding.len() / dim;
    let mut all = Vec::with_capacity(asks.len());
    each_distribution(asks, hidden, embedding, dim, |_, _, rows| {
        for row in rows.chunks(vocab) {
            all.push(tokens.iter().map(|t| row[*t as usize]).collect());
        }
    });
    all
}

/// Cross-entropy `−Σ_t target_t · ln p_t` at the asked rows. Adds to `grad_hidden` and
/// `grad_embedding`.
pub fn cross_entropy(
    asks: &[Ask],
    hidden: &[f32],
    embedding: &[f32],
    dim: usize,
    grad_hidden: &mut [f32],
    grad_embedding: &mut [f32],
    sums: &mut LossSums,
) {
    let vocab = embedding.len() / dim;
    let mut grad_states = vec![0.0; CHUNK * dim];
    each_distribution(asks, hidden, embedding, dim, |range, states, rows| {
        let n = range.len();
        for (row, ask) in rows.chunks_mut(vocab).zip(&asks[range.clone()]) {
            let mut loss = 0.0;
            for (token, p) in &ask.target {
                loss -= f64::from(*p) * f64::from(row[*token as usize].max(1e-30)).ln();
            }
            match ask.kind {
                AskKind::Language => {
                    sums.language += loss;
                    sums.language_count += 1.0;
                }
                AskKind::Judgment => {
                    sums.judgment += loss;
                    sums.judgment_count += 1.0;
                }
            }
            let pulls = ask.firm.as_ref().map(|firm| absolute_error(row, firm));
            for (token, p) in &ask.target {
                row[*token as usize] -= p;
            }
            row.iter_mut().for_each(|p| *p *= ask.weight);
            for (token, pull) in pulls.into_iter().flatten() {
                row[token as usize] += pull;
            }
        }
        let grad_logits = View::dense(rows, n, vocab);
        matmul(
            ViewMut::dense(&mut grad_states[..n * dim], n, dim),
            0.0,
            grad_logits,
            View::dense(embedding, vocab, dim),
            1.0,
        );
        matmul(
            ViewMut::dense(grad_embedding, vocab, dim),
            1.0,
            grad_logits.t(),
            View::dense(states, n, dim),
            1.0,
        );
        for (grad, ask) in grad_states.chunks(dim).zip(&asks[range]) {
            vector::add_scaled(
                &mut grad_hidden[ask.row * dim..(ask.row + 1) * dim],
                grad,
                1.0,
            );
        }
    });
}

/// The gradient of `weight · |E − quality|` in the labels' logits, `E` the label that a row of
/// probabilities expects among the labels.
fn absolute_error(row: &[f32], firm: &Firm) -> Vec<(u32, f32)> {
    let among: Vec<f32> = firm.labels.iter().map(|l| row[*l as usize]).collect();
    let mass = among.iter().sum::<f32>().max(1e-30);
    let weighed = among.iter().enumerate().map(|(label, p)| label as f32 * p);
    let expected = weighed.sum::<f32>() / mass;
    // Within a tenth of a label it is right.
    let error = expected - firm.quality;
    let side = firm.weight * (10.0 * error).clamp(-1.0, 1.0);
    let pull = |(label, p): (usize, &f32)| side * p / mass * (label as f32 - expected);
    let pulls = among.iter().enumerate().map(pull);
    firm.labels.iter().copied().zip(pulls).collect()
}

/// Whether each token of a response belongs to the task, read along a fixed direction of the
/// normalised residual stream that the last block sees (`[tokens, dim]`, `inverse` its 1/rms): the
/// logistic loss. A rating is one label for hundreds of tokens; this tells every token what the
/// rating will ask of it. Adds `weight` times the gradient to `grad_stream`.
pub fn relevance(
    pack: &Pack,
    stream: &[f32],
    inverse: &[f32],
    dim: usize,
    weight: f32,
    grad_stream: &mut [f32],
    sums: &mut LossSums,
) {
    let each = |(rows, is): &(Range<usize>, bool)| rows.clone().map(|row| (row, *is)).collect();
    let rows: Vec<(usize, bool)> = pack.relevant.iter().flat_map::<Vec<_>, _>(each).collect();
    sums.relevance += yes_or_no(0, &rows, stream, inverse, dim, weight, grad_stream);
    sums.relevance_count += rows.len() as f64;
}

/// Whether each rarer token of a response is found in the reference, and in the instruction: the same
/// along two more directions, of the stream that the last block but one sees. An answer's agreement with
/// its reference is counted out of this; a rating alone takes long to teach where to look.
pub fn found(
    pack: &Pack,
    stream: &[f32],
    inverse: &[f32],
    dim: usize,
    weight: f32,
    grad_stream: &mut [f32],
    sums: &mut LossSums,
) {
    for (which, rows) in [(1001, &pack.in_reference), (1002, &pack.in_task)] {
        sums.found += yes_or_no(which, rows, stream, inverse, dim, weight, grad_stream);
        sums.found_count += rows.len() as f64;
    }
}

/// The logistic loss of reading yes or no off some rows along a fixed direction.
fn yes_or_no(
    which: u32,
    rows: &[(usize, bool)],
    stream: &[f32],
    inverse: &[f32],
    dim: usize,
    weight: f32,
    grad_stream: &mut [f32],
) -> f64 {
    let ones = vec![1.0; dim];
    let mut unused = vec![0.0; dim];
    // The length makes the probe's output about ±4.
    let probe = direction(which, dim, 4.0);
    let mut grad = vec![0.0; dim];
    let mut loss = 0.0;
    for (row, is) in rows {
        let at = row * dim..(row + 1) * dim;
        let z = vector::dot(&probe, &stream[at.clone()]) * inverse[*row];
        let p = 1.0 / (1.0 + (-z).exp());
        let (target, hit) = if *is { (1.0, p) } else { (0.0, 1.0 - p) };
        loss -= f64::from(hit.max(1e-30)).ln();
        for (g, a) in grad.iter_mut().zip(&probe) {
            *g = weight * (p - target) * a;
        }
        let grad_x = &mut grad_stream[at.clone()];
        let x = &stream[at];
        vector::rms_norm_backward(grad_x, &mut unused, &grad, x, &ones, inverse[*row]);
    }
    loss
}

/// A fixed direction of the given length: signs from the bits of a scrambled counter.
fn direction(which: u32, dim: usize, length: f32) -> Vec<f32> {
    let each = length / (dim as f32).sqrt();
    let sign = |i: u32| {
        let mixed = (i.wrapping_add(which.wrapping_mul(65_537))).wrapping_mul(2_654_435_769);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b);
        if (mixed >> 16) & 1 == 0 { each } else { -each }
    };
    (0..dim as u32).map(sign).collect()
}

/// The surface features of a response, each read along a fixed direction of the normalised residual
/// stream that the last block sees at the rated position: squared error. A rating is one noisy number; these are
/// many exact ones, and what they measure carries over to new instructions. Adds `weight` times the
/// gradient to `grad_stream`.
pub fn surface(
    pack: &Pack,
    stream: &[f32],
    inverse: &[f32],
    dim: usize,
    weight: f32,
    grad_stream: &mut [f32],
    sums: &mut LossSums,
) {
    let ones = vec![1.0; dim];
    let mut unused = vec![0.0; dim];
    let most = pack.surfaces.iter().map(|(_, f)| f.len()).max();
    let probes: Vec<Vec<f32>> = (1..=most.unwrap_or(0) as u32)
        .map(|which| direction(which, dim, 1.0))
        .collect();
    for (row, features) in &pack.surfaces {
        let at = row * dim..(row + 1) * dim;
        let mut grad = vec![0.0; dim];
        for (probe, feature) in probes.iter().zip(features) {
            let error = vector::dot(probe, &stream[at.clone()]) * inverse[*row] - feature;
            sums.surface += f64::from(0.5 * error * error);
            sums.surface_count += 1.0;
            vector::add_scaled(&mut grad, probe, weight * error);
        }
        let x = &stream[at.clone()];
        let grad_x = &mut grad_stream[at];
        vector::rms_norm_backward(grad_x, &mut unused, &grad, x, &ones, inverse[*row]);
    }
}

/// The mean of a segment's rows, normalised to length one, and the length before.
pub fn pooled(hidden: &[f32], rows: &Range<usize>, dim: usize) -> (Vec<f32>, f32) {
    let mut mean = vec![0.0; dim];
    for row in hidden[rows.start * dim..rows.end * dim].chunks(dim) {
        vector::add_scaled(&mut mean, row, 1.0 / rows.len() as f32);
    }
    let length = vector::dot(&mean, &mean).sqrt().max(1e-12);
    mean.iter_mut().for_each(|x| *x /= length);
    (mean, length)
}

/// InfoNCE in both directions over the pack's twins (van den Oord et al. 2018), cosine over a
/// temperature of 0.05. Adds `weight` times its gradient to `grad_hidden`.
pub fn contrast(
    pack: &Pack,
    hidden: &[f32],
    dim: usize,
    weight: f32,
    grad_hidden: &mut [f32],
    sums: &mut LossSums,
) {
    let n = pack.twins.len();
    if n < 2 {
        return;
    }
    let side = |of: fn(&(usize, usize)) -> usize| -> Vec<(Range<usize>, Vec<f32>, f32)> {
        pack.twins
            .iter()
            .map(|t| {
                let rows = pack.segments[of(t)].rows.clone();
                let (unit, length) = pooled(hidden, &rows, dim);
                (rows, unit, length)
            })
            .collect()
    };
    let (left, right) = (side(|t| t.0), side(|t| t.1));
    let mut grad_scores = vec![0.0f32; n * n];
    let mut scores = vec![0.0f32; n * n];
    for i in 0..n {
        for j in 0..n {
            scores[i * n + j] = vector::dot(&left[i].1, &right[j].1) / TEMPERATURE;
        }
    }
    for i in 0..n {
        for by_row in [true, false] {
            let at = |j: usize| if by_row { i * n + j } else { j * n + i };
            let max = (0..n).map(|j| scores[at(j)]).fold(f32::MIN, f32::max);
            let sum: f32 = (0..n).map(|j| (scores[at(j)] - max).exp()).sum();
            sums.contrast -= f64::from(scores[at(i)] - max - sum.ln());
            sums.contrast_count += 1.0;
            for j in 0..n {
                let p = (scores[at(j)] - max).exp() / sum;
                let hit = if i == j { 1.0 } else { 0.0 };
                grad_scores[at(j)] += weight * (p - hit) / TEMPERATURE;
            }
        }
    }
    let mut back = |one: &(Range<usize>, Vec<f32>, f32), grad_unit: Vec<f32>| {
        let (rows, unit, length) = one;
        let along = vector::dot(&grad_unit, unit);
        let scale = 1.0 / (length * rows.len() as f32);
        for row in grad_hidden[rows.start * dim..rows.end * dim].chunks_mut(dim) {
            vector::add_scaled(row, &grad_unit, scale);
            vector::add_scaled(row, unit, -along * scale);
        }
    };
    for i in 0..n {
        let mut grad = vec![0.0; dim];
        let mut grad_right = vec![0.0; dim];
        for j in 0..n {
            vector::add_scaled(&mut grad, &right[j].1, grad_scores[i * n + j]);
            vector::add_scaled(&mut grad_right, &left[j].1, grad_scores[j * n + i]);
        }
        back(&left[i], grad);
        back(&right[i], grad_right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_absolute_error_has_the_gradient_of_its_differences() {
        let logits = [0.3f32, -1.0, 0.8, 0.1, 2.0];
        let firm = Firm {
            labels: vec![2, 0, 4],
            quality: 0.2,
            weight: 0.7,
        };
        let probabilities = |logits: &[f32]| -> Vec<f32> {
            let sum: f32 = logits.iter().map(|l| l.exp()).sum();
            logits.iter().map(|l| l.exp() / sum).collect()
        };
        let loss = |logits: &[f32]| {
            let p = probabilities(logits);
            let mass = p[2] + p[0] + p[4];
            0.7 * ((p[0] + 2.0 * p[4]) / mass - 0.2).abs()
        };
        let got = absolute_error(&probabilities(&logits), &firm);
        for (token, pull) in got {
            let (mut up, mut down) = (logits, logits);
            up[token as usize] += 1e-2;
            down[token as usize] -= 1e-2;
            let want = (loss(&up) - loss(&down)) / 2e-2;
            assert!((pull - want).abs() < 1e-3, "{pull} {want}");
        }
    }
}
