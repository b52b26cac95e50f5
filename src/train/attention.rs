//! Attention over a pack, by blocks of queries: forward, and a backward that recomputes the
//! probabilities from the row-wise log-sum-exp instead of storing them.

use std::ops::Range;

use super::pack::Segment;
use crate::kernel::{View, ViewMut, matmul, vector};

/// Queries handled at a time.
const BLOCK: usize = 128;

/// Sizes shared by all calls for a model.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Width of one.
    pub width: usize,
}

impl Heads {
    fn dim(&self) -> usize {
        self.count * self.width
    }
}

/// Reusable buffers, grown on demand.
#[derive(Debug, Default)]
pub struct Scratch {
    probabilities: Vec<f32>,
    gradients: Vec<f32>,
}

fn grown(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Queries `rows` of a segment, the row ranges they see, and how many keys that is.
struct Block {
    rows: Range<usize>,
    /// Row ranges of keys; the last is the segment itself up to the last query.
    keys: Vec<Range<usize>>,
    /// Keys before the segment's own.
    before: usize,
    total: usize,
}

fn blocks(segment: &Segment) -> impl Iterator<Item = Block> + '_ {
    let before: usize = segment.sees.iter().map(Range::len).sum();
    segment.rows.clone().step_by(BLOCK).map(move |start| {
        let rows = start..(start + BLOCK).min(segment.rows.end);
        let own = segment.rows.start..rows.end;
        let total = before + own.len();
        let mut keys = segment.sees.clone();
        keys.push(own);
        Block {
            rows,
            keys,
            before,
            total,
        }
    })
}

impl Block {
    /// How many keys the query in row `row` may see.
    fn visible(&self, row: usize, segment: &Segment) -> usize {
        self.before + (row - segment.rows.start) + 1
    }
}

/// `rows` of one head's part of a `[tokens, stride]` buffer.
fn part<'a>(
    data: &'a [f32],
    rows: &Range<usize>,
    stride: usize,
    at: usize,
    width: usize,
) -> View<'a> {
    View::new(&data[rows.start * stride + at..], rows.len(), width, stride)
}

/// As [`part`], to write to.
fn part_mut<'a>(
    data: &'a mut [f32],
    rows: &Range<usize>,
    stride: usize,
    at: usize,
    width: usize,
) -> ViewMut<'a> {
    ViewMut::new(
        &mut data[rows.start * stride + at..],
        rows.len(),
        width,
        stride,
    )
}

/// Attention of every segment. `qkv` is `[tokens, 3·dim]` with positions already applied, `out`
/// `[tokens, dim]`, `log_sums` `[heads, tokens]` (kept for the backward pass).
pub fn forward(
    heads: Heads,
    segments: &[Segment],
    qkv: &[f32],
    out: &mut [f32],
    log_sums: &mut [f32],
    scratch: &mut Scratch,
) {
    let (dim, width) = (heads.dim(), heads.width);
    let tokens = log_sums.len() / heads.count;
    let scale = 1.0 / (width as f32).sqrt();
    for segment in segments {
        for block in blocks(segment) {
            let n = block.total;
            let p = grown(&mut scratch.probabilities, block.rows.len() * n);
            for head in 0..heads.count {
                let at = head * width;
                let queries = part(qkv, &block.rows, 3 * dim, at, width);
                let mut col = 0;
                for keys in &block.keys {
                    let k = part(qkv, keys, 3 * dim, dim + at, width);
                    let scores = ViewMut::new(&mut p[col..], block.rows.len(), keys.len(), n);
                    matmul(scores, 0.0, queries, k.t(), scale);
                    col += keys.len();
                }
                for (row, p) in block.rows.clone().zip(p.chunks_mut(n)) {
                    let (seen, hidden) = p.split_at_mut(block.visible(row, segment));
                    let max = vector::max(seen);
                    let sum = vector::exp_shifted(seen, max);
                    let inverse = 1.0 / sum;
                    seen.iter_mut().for_each(|p| *p *= inverse);
                    hidden.fill(0.0);
                    log_sums[head * tokens + row] = max + sum.ln();
                }
                let (mut col, mut keep) = (0, 0.0);
                for keys in &block.keys {
                    let v = part(qkv, keys, 3 * dim, 2 * dim + at, width);
                    let p = View::new(&p[col..], block.rows.len(), keys.len(), n);
                    matmul(part_mut(out, &block.rows, dim, at, width), keep, p, v, 1.0);
                    (col, keep) = (col + keys.len(), 1.0);
                }
            }
        }
    }
}

/// What the forward pass left behind, and the gradient that comes in.
pub struct Saved<'a> {
    pub qkv: &'a [f32],
    pub out: &'a [f32],
    pub log_sums: &'a [f32],
    pub grad_out: &'a [f32],
}

/// Backward of [`forward`]: adds to `grad_qkv`, which must hold zeros.
pub fn backward(
    heads: Heads,
    segments: &[Segment],
    saved: &Saved<'_>,
    grad_qkv: &mut [f32],
    scratch: &mut Scratch,
) {
    let (dim, width) = (heads.dim(), heads.width);
    let tokens = saved.log_sums.len() / heads.count;
    let scale = 1.0 / (width as f32).sqrt();
    for segment in segments {
        for block in blocks(segment) {
            let (n, rows) = (block.total, block.rows.len());
            let p = grown(&mut scratch.probabilities, rows * n);
            let g = grown(&mut scratch.gradients, rows * n);
            for head in 0..heads.count {
                let at = head * width;
                let queries = part(saved.qkv, &block.rows, 3 * dim, at, width);
                let grad_out = part(saved.grad_out, &block.rows, dim, at, width);
                let mut col = 0;
                for keys in &block.keys {
                    let k = part(saved.qkv, keys, 3 * dim, dim + at, width);
                    let v = part(saved.qkv, keys, 3 * dim, 2 * dim + at, width);
                    let scores = ViewMut::new(&mut p[col..], rows, keys.len(), n);
                    matmul(scores, 0.0, queries, k.t(), scale);
                    let grads = ViewMut::new(&mut g[col..], rows, keys.len(), n);
                    matmul(grads, 0.0, grad_out, v.t(), 1.0);
                    col += keys.len();
                }
                for ((row, p), g) in block.rows.clone().zip(p.chunks_mut(n)).zip(g.chunks_mut(n)) {
                    let (seen, hidden) = p.split_at_mut(block.visible(row, segment));
                    vector::exp_shifted(seen, saved.log_sums[head * tokens + row]);
                    hidden.fill(0.0);
                    let here = row * dim + at..row * dim + at + width;
                    let shift = vector::dot(&saved.grad_out[here.clone()], &saved.out[here]);
                    vector::softmax_backward(g, p, shift, scale);
                }
                let mut col = 0;
                for keys in &block.keys {
                    let p = View::new(&p[col..], rows, keys.len(), n);
                    let g = View::new(&g[col..], rows, keys.len(), n);
                    let k = part(saved.qkv, keys, 3 * dim, dim + at, width);
                    let grad_q = part_mut(grad_qkv, &block.rows, 3 * dim, at, width);
                    matmul(grad_q, 1.0, g, k, 1.0);
                    let grad_k = part_mut(grad_qkv, keys, 3 * dim, dim + at, width);
                    matmul(grad_k, 1.0, g.t(), queries, 1.0);
                    let grad_v = part_mut(grad_qkv, keys, 3 * dim, 2 * dim + at, width);
                    matmul(grad_v, 1.0, p.t(), grad_out, 1.0);
                    col += keys.len();
                }
            }
        }
    }
}
