//! Attention over a pack, by blocks of queries: forward, and a backward that computes the probabilities again from
//! each row's log-sum-exp instead of keeping them (Dao 2023).

use std::ops::Range;

use super::Bench;
use crate::kernel::{View, ViewMut, matmul, vector};
use crate::model::architecture::DecoderConfig;
use crate::train::tune::pack::{Pack, Segment, Tree};

/// Queries handled at a time.
const BLOCK: usize = 64;

/// What a layer's attention is like.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    pub count: usize,
    /// Of keys and values; each serves `count / kv_count` heads of queries.
    pub kv_count: usize,
    pub width: usize,
    /// Factor on query · key.
    pub scale: f32,
    /// Scores become `cap · tanh(score / cap)`.
    pub cap: Option<f32>,
    /// A token sees itself and the `window − 1` tokens before.
    pub window: Option<usize>,
}

impl Heads {
    /// Those of a layer.
    pub fn of(config: &DecoderConfig, layer: usize) -> Self {
        Heads {
            count: config.heads,
            kv_count: config.kv_heads,
            width: config.head_dim,
            scale: config.attention_scale as f32,
            cap: config.attention_cap.map(|cap| cap as f32),
            window: config.layers.get(layer).and_then(|kind| kind.window),
        }
    }

    /// Width of a row of queries, keys and values side by side.
    pub fn stride(&self) -> usize {
        (self.count + 2 * self.kv_count) * self.width
    }

    /// Width of a row that comes out.
    pub fn out(&self) -> usize {
        self.count * self.width
    }

    fn group(&self) -> usize {
        self.count / self.kv_count
    }
}

/// Queries `rows` of a segment, the rows of keys they see any of, and the position of the first.
struct Block {
    rows: Range<usize>,
    keys: Vec<Range<usize>>,
    total: usize,
    first_key: usize,
    first_query: usize,
}

impl Block {
    fn new(segment: &Segment, from: usize, window: Option<usize>) -> Self {
        let to = (from + BLOCK).min(segment.rows.end);
        let first_query = segment.first_position + from - segment.rows.start;
        let unseen = window.map_or(0, |window| (first_query + 1).saturating_sub(window));
        let (mut keys, mut skip) = (Vec::new(), unseen);
        let own = segment.rows.start..to;
        for range in segment.sees.iter().cloned().chain([own]) {
            let cut = skip.min(range.len());
            skip -= cut;
            if cut < range.len() {
                keys.push(range.start + cut..range.end);
            }
        }
        Block {
            rows: from..to,
            total: keys.iter().map(Range::len).sum(),
            keys,
            first_key: unseen,
            first_query,
        }
    }

    /// Which of the keys the `n`-th query sees.
    fn seen(&self, n: usize, window: Option<usize>) -> Range<usize> {
        let at = self.first_query + n;
        let from = window.map_or(0, |window| (at + 1).saturating_sub(window));
        from.max(self.first_key) - self.first_key..at + 1 - self.first_key
    }
}

fn blocks(segment: &Segment, window: Option<usize>) -> impl Iterator<Item = Block> + '_ {
    let starts = segment.rows.clone().step_by(BLOCK);
    starts.map(move |from| Block::new(segment, from, window))
}

/// Some columns of rows of a `[rows, stride]` buffer.
fn part<'a>(
    data: &'a [f32],
    rows: &Range<usize>,
    stride: usize,
    at: usize,
    width: usize,
) -> View<'a> {
    View::new(&data[rows.start * stride + at..], rows.len(), width, stride)
}

fn part_mut<'a>(
    data: &'a mut [f32],
    rows: &Range<usize>,
    stride: usize,
    at: usize,
    width: usize,
) -> ViewMut<'a> {
    let from = rows.start * stride + at;
    ViewMut::new(&mut data[from..], rows.len(), width, stride)
}

/// `[queries, keys]` of query · key · scale of one head.
fn scores(heads: &Heads, qkv: &[f32], block: &Block, head: usize, into: &mut [f32]) {
    let (stride, width) = (heads.stride(), heads.width);
    let queries = part(qkv, &block.rows, stride, head * width, width);
    let key = (heads.count + head / heads.group()) * width;
    let mut col = 0;
    for keys in &block.keys {
        let k = part(qkv, keys, stride, key, width);
        let out = ViewMut::new(&mut into[col..], block.rows.len(), keys.len(), block.total);
        matmul(out, 0.0, queries, k.t(), heads.scale);
        col += keys.len();
    }
}

/// Attention of every sequence. `qkv` is `[tokens, stride]`, rotated; `out` `[tokens, heads · width]`; `log_sums`
/// `[tokens, heads]` is kept for the way back.
pub fn forward(
    bench: &Bench,
    heads: &Heads,
    pack: &Pack,
    qkv: &[f32],
    out: &mut [f32],
    log_sums: &mut [f32],
) {
    let (mut outs, mut sums, mut tasks) = (out, log_sums, Vec::new());
    for segment in &pack.segments {
        for block in blocks(segment, heads.window) {
            let (own, rest) = outs.split_at_mut(block.rows.len() * heads.out());
            let (own_sums, other_sums) = sums.split_at_mut(block.rows.len() * heads.count);
            (outs, sums) = (rest, other_sums);
            tasks.push((block, own, own_sums));
        }
    }
    bench.pool.each(tasks, |(block, out, sums)| {
        forward_block(heads, qkv, &block, out, sums);
    });
}

fn forward_block(heads: &Heads, qkv: &[f32], block: &Block, out: &mut [f32], sums: &mut [f32]) {
    let (rows, width) = (block.rows.len(), heads.width);
    let mut p = vec![0.0; rows * block.total];
    for head in 0..heads.count {
        scores(heads, qkv, block, head, &mut p);
        for (n, p) in p.chunks_mut(block.total).enumerate() {
            let seen = block.seen(n, heads.window);
            p[..seen.start].fill(0.0);
            p[seen.end..].fill(0.0);
            let p = &mut p[seen];
            if let Some(cap) = heads.cap {
                p.iter_mut().for_each(|s| *s = cap * (*s / cap).tanh());
            }
            let max = vector::max(p);
            let sum = vector::exp_shifted(p, max);
            let share = 1.0 / sum;
            p.iter_mut().for_each(|p| *p *= share);
            sums[n * heads.count + head] = max + sum.ln();
        }
        let value = (heads.count + heads.kv_count + head / heads.group()) * width;
        let (mut col, mut keep) = (0, 0.0);
        for keys in &block.keys {
            let v = part(qkv, keys, heads.stride(), value, width);
            let p = View::new(&p[col..], rows, keys.len(), block.total);
            let to = ViewMut::new(&mut out[head * width..], rows, width, heads.out());
            matmul(to, keep, p, v, 1.0);
            (col, keep) = (col + keys.len(), 1.0);
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

/// Backward of [`forward`]: `grad_qkv` is written whole.
pub fn backward(
    bench: &Bench,
    heads: &Heads,
    pack: &Pack,
    saved: &Saved<'_>,
    grad_qkv: &mut [f32],
) {
    let trees = pack.trees();
    // One head of keys with the heads of queries that it serves, side by side in a buffer of its own.
    let own = (heads.group() + 2) * heads.width;
    let mut all = vec![0.0; pack.len() * own * heads.kv_count];
    let (mut rest, mut tasks) = (all.as_mut_slice(), Vec::new());
    for tree in &trees {
        for kv in 0..heads.kv_count {
            let (grads, others) = rest.split_at_mut(tree.rows.len() * own);
            rest = others;
            tasks.push((tree, kv, grads));
        }
    }
    bench.pool.each(tasks, |(tree, kv, grads)| {
        backward_tree(heads, pack, (tree, kv), saved, grads);
    });
    let (mut rest, mut from, mut tasks) = (grad_qkv, all.as_slice(), Vec::new());
    for tree in &trees {
        let (rows, others) = rest.split_at_mut(tree.rows.len() * heads.stride());
        let (grads, other_grads) = from.split_at(tree.rows.len() * own * heads.kv_count);
        (rest, from) = (others, other_grads);
        tasks.push((rows, grads));
    }
    bench
        .pool
        .each(tasks, |(rows, grads): (&mut [f32], &[f32])| {
            gather(heads, rows, grads);
        });
}

/// Brings the heads' own gradients into the order of queries, keys, values.
fn gather(heads: &Heads, rows: &mut [f32], grads: &[f32]) {
    let (width, group) = (heads.width, heads.group());
    let own = (group + 2) * width;
    let count = rows.len() / heads.stride();
    for (kv, grads) in grads.chunks(count * own).enumerate() {
        for (row, grad) in rows.chunks_mut(heads.stride()).zip(grads.chunks(own)) {
            let mut put = |at: usize, from: Range<usize>| {
                row[at * width..][..from.len()].copy_from_slice(&grad[from]);
            };
            put(kv * group, 0..group * width);
            put(heads.count + kv, group * width..(group + 1) * width);
            put(heads.count + heads.kv_count + kv, (group + 1) * width..own);
        }
    }
}

/// The gradients of one head of keys and values, and of the queries that it serves, in one tree.
fn backward_tree(
    heads: &Heads,
    pack: &Pack,
    (tree, kv): (&Tree, usize),
    saved: &Saved<'_>,
    grads: &mut [f32],
) {
    let (stride, width, group) = (heads.stride(), heads.width, heads.group());
    let own = (group + 2) * width;
    let (mut p, mut g, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
    for segment in &pack.segments[tree.segments.clone()] {
        for block in blocks(segment, heads.window) {
            let (rows, n) = (block.rows.len(), block.total);
            let here =
                |rows: &Range<usize>| rows.start - tree.rows.start..rows.end - tree.rows.start;
            for of_group in 0..group {
                let head = kv * group + of_group;
                super::sized(&mut p, rows * n);
                super::sized(&mut g, rows * n);
                scores(heads, saved.qkv, &block, head, &mut p);
                let grad_out = part(
                    saved.grad_out,
                    &block.rows,
                    heads.out(),
                    head * width,
                    width,
                );
                let value = (heads.count + heads.kv_count + kv) * width;
                let mut col = 0;
                for keys in &block.keys {
                    let v = part(saved.qkv, keys, stride, value, width);
                    let to = ViewMut::new(&mut g[col..], rows, keys.len(), n);
                    matmul(to, 0.0, grad_out, v.t(), 1.0);
                    col += keys.len();
                }
                for (at, (p, g)) in p.chunks_mut(n).zip(g.chunks_mut(n)).enumerate() {
                    let row = block.rows.start + at;
                    let place = row * heads.out() + head * width;
                    let place = place..place + width;
                    let shift = vector::dot(&saved.grad_out[place.clone()], &saved.out[place]);
                    let seen = block.seen(at, heads.window);
                    for unseen in [0..seen.start, seen.end..n] {
                        p[unseen.clone()].fill(0.0);
                        g[unseen].fill(0.0);
                    }
                    let (p, g) = (&mut p[seen.clone()], &mut g[seen]);
                    slopes.clear();
                    if let Some(cap) = heads.cap {
                        for s in p.iter_mut() {
                            let t = (*s / cap).tanh();
                            slopes.push(1.0 - t * t);
                            *s = cap * t;
                        }
                    }
                    vector::exp_shifted(p, saved.log_sums[row * heads.count + head]);
                    vector::softmax_backward(g, p, shift, heads.scale);
                    g.iter_mut().zip(&slopes).for_each(|(g, slope)| *g *= slope);
                }
                let queries = part(saved.qkv, &block.rows, stride, head * width, width);
                let key = (heads.count + kv) * width;
                let mut col = 0;
                for keys in &block.keys {
                    let p = View::new(&p[col..], rows, keys.len(), n);
                    let g = View::new(&g[col..], rows, keys.len(), n);
                    let k = part(saved.qkv, keys, stride, key, width);
                    let (asks, seen) = (here(&block.rows), here(keys));
                    let to = part_mut(grads, &asks, own, of_group * width, width);
                    matmul(to, 1.0, g, k, 1.0);
                    let to = part_mut(grads, &seen, own, group * width, width);
                    matmul(to, 1.0, g.t(), queries, 1.0);
                    let to = part_mut(grads, &seen, own, (group + 1) * width, width);
                    matmul(to, 1.0, p.t(), grad_out, 1.0);
                    col += keys.len();
                }
            }
        }
    }
}
