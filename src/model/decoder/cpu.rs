//! The forward's operations on the CPU, over the kernels of [`crate::kernel`].
//!
//! A row's result depends on that row and on what it attends to alone: neither the other rows of a
//! pass, nor the number of threads, nor where a prefix was cut changes a bit of it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::compute::{AttentionAt, Compute};
use super::pass::{Keys, Link, Pass};
use crate::kernel::Pool;
use crate::kernel::attend::{Scratch, Stretch, attend};
use crate::kernel::linear::{Activations, Format, Linear, linear};
use crate::kernel::vector;
use crate::model::Result;
use crate::model::architecture::{Activation, DecoderConfig, Rope};

/// Rows of queries that one task attends for.
const QUERY_ROWS: usize = 32;

/// Rows an element-wise task works on.
const TASK_ROWS: usize = 16;

/// The CPU, with its threads.
pub struct Cpu {
    pool: Pool,
    format: Format,
    activations: Mutex<Activations>,
}

impl Cpu {
    /// `threads` compute, weights are kept as `format`.
    pub fn new(threads: usize, format: Format) -> Self {
        Cpu {
            pool: Pool::new(threads.max(1)),
            format,
            activations: Mutex::new(Activations::new()),
        }
    }

    /// The format of its weights.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Calls `f` on every item, on all threads.
    fn spread<T: Send>(&self, items: Vec<T>, f: impl Fn(T) + Sync) {
        if let [_] = items[..] {
            items.into_iter().for_each(f);
            return;
        }
        let slots: Vec<Mutex<Option<T>>> = items.into_iter().map(|i| Mutex::new(Some(i))).collect();
        self.pool.run(slots.len(), |at| {
            let item = slots[at]
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(item) = item {
                f(item);
            }
        });
    }
}

/// Activations, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub values: Vec<f32>,
    pub width: usize,
}

impl Rows {
    fn count(&self) -> usize {
        self.values.len() / self.width.max(1)
    }
}

/// A packed weight matrix and its bias.
pub struct Matrix {
    weights: Linear,
    bias: Option<Vec<f32>>,
}

/// Token embeddings; in half the bytes where the weights are.
pub enum Table {
    F32(Vec<f32>, usize),
    Bf16(Vec<half::bf16>, usize),
}

/// Keys and values of one layer, each `[kv_heads][capacity][head_dim]`.
#[derive(Clone, Debug)]
struct LayerKeys {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// Keys and values of a stretch of tokens.
#[derive(Clone, Debug)]
pub struct CpuKeys {
    layers: Vec<LayerKeys>,
    kv_heads: usize,
    head_dim: usize,
    capacity: usize,
    len: usize,
}

impl CpuKeys {
    fn with_capacity(layers: usize, kv_heads: usize, head_dim: usize, capacity: usize) -> Self {
        let size = kv_heads * capacity * head_dim;
        let empty = || LayerKeys {
            keys: vec![0.0; size],
            values: vec![0.0; size],
        };
        CpuKeys {
            layers: (0..layers).map(|_| empty()).collect(),
            kv_heads,
            head_dim,
            capacity,
            len: 0,
        }
    }

    /// The elements of some tokens for one head.
    fn at(&self, head: usize, tokens: &Range<usize>) -> Range<usize> {
        let base = head * self.capacity;
        (base + tokens.start) * self.head_dim..(base + tokens.end) * self.head_dim
    }

    fn copied(&self, tokens: Range<usize>, capacity: usize) -> Self {
        let (layers, heads, dim) = (self.layers.len(), self.kv_heads, self.head_dim);
        let mut copy = Self::with_capacity(layers, heads, dim, capacity);
        copy.len = tokens.len();
        let to = 0..tokens.len();
        for (layer, own) in self.layers.iter().enumerate() {
            for head in 0..heads {
                let (from, to) = (self.at(head, &tokens), copy.at(head, &to));
                let new = &mut copy.layers[layer];
                new.keys[to.clone()].copy_from_slice(&own.keys[from.clone()]);
                new.values[to].copy_from_slice(&own.values[from]);
            }
        }
        copy
    }

    /// Makes room for `more` tokens; grows by doubling, so that a generation copies seldom.
    fn reserve(&mut self, more: usize) {
        if self.len + more > self.capacity {
            let capacity = (self.len + more).max(2 * self.capacity);
            *self = self.copied(0..self.len, capacity);
        }
    }
}

impl Keys for CpuKeys {
    fn len(&self) -> usize {
        self.len
    }

    fn slice(&self, tokens: Range<usize>) -> Self {
        let len = tokens.len();
        self.copied(tokens, len)
    }

    fn bytes_per_token(&self) -> usize {
        2 * size_of::<f32>() * self.layers.len() * self.kv_heads * self.head_dim
    }
}

/// Cosine and sine of a position's angles, as Hugging Face computes them: frequency, position and
/// their product in f32.
pub(super) fn angles(rope: &Rope, long: bool, position: usize) -> Vec<(f32, f32)> {
    let frequencies = match &rope.long {
        Some((_, frequencies)) if long => frequencies,
        _ => &rope.frequencies,
    };
    frequencies
        .iter()
        .map(|frequency| {
            let angle = f64::from(position as f32 * *frequency as f32);
            let turned = |x: f64| x as f32 * rope.scale as f32;
            (turned(angle.cos()), turned(angle.sin()))
        })
        .collect()
}

/// Rotates the first `2 · angles` dimensions of a head, the half-split way.
fn rotate(head: &mut [f32], angles: &[(f32, f32)]) {
    let half = angles.len();
    let (left, right) = head[..2 * half].split_at_mut(half);
    for ((a, b), (cos, sin)) in left.iter_mut().zip(right).zip(angles) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

/// Norms `x` in place: each head by itself, or all of it at once.
fn norm_heads(x: &mut [f32], weight: Option<&Vec<f32>>, eps: f32) {
    let Some(weight) = weight else { return };
    for part in x.chunks_mut(weight.len()) {
        let before = part.to_vec();
        vector::rms_norm(part, &before, weight, eps);
    }
}

/// Some asking rows of one segment, and where their result goes.
struct QueryTask<'a> {
    segment: usize,
    /// Rows of the pass.
    rows: &'a [usize],
    out: &'a mut [f32],
}

impl Cpu {
    /// Norms and rotates queries and keys in place.
    fn turn(
        &self,
        at: &AttentionAt<'_, Vec<f32>>,
        qkv: &mut Rows,
        pass: &Pass<CpuKeys>,
        starts: &[usize],
    ) {
        let c = at.config;
        let eps = c.norm_eps as f32;
        let rope = &c.ropes[c.layers[at.layer].rope];
        let keys_end = (c.heads + c.kv_heads) * c.head_dim;
        let positions: Vec<usize> = pass
            .segments
            .iter()
            .zip(starts)
            .flat_map(|(segment, start)| *start..start + segment.ids.len())
            .collect();
        let size = TASK_ROWS * qkv.width;
        let width = qkv.width;
        let tasks = qkv.values.chunks_mut(size).zip(positions.chunks(TASK_ROWS));
        self.spread(
            tasks.collect(),
            |(rows, positions): (&mut [f32], &[usize])| {
                for (row, position) in rows.chunks_mut(width).zip(positions) {
                    let (queries, keys) = row[..keys_end].split_at_mut(c.heads * c.head_dim);
                    norm_heads(queries, at.query_norm, eps);
                    norm_heads(keys, at.key_norm, eps);
                    let angles = angles(rope, pass.long, *position);
                    for head in row[..keys_end].chunks_mut(c.head_dim) {
                        rotate(head, &angles);
                    }
                }
            },
        );
    }
}

/// Copies the new tokens' keys and values to their segments.
fn keep(
    at: &AttentionAt<'_, Vec<f32>>,
    qkv: &Rows,
    pass: &mut Pass<CpuKeys>,
    rows: &[Range<usize>],
) {
    let c = at.config;
    let (q_dim, kv_dim) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    for (segment, rows) in pass.segments.iter_mut().zip(rows) {
        let store = &mut segment.keys;
        store.reserve(rows.len());
        for (token, row) in (store.len..).zip(rows.clone()) {
            let row = &qkv.values[row * qkv.width + q_dim..(row + 1) * qkv.width];
            let (keys, values) = row.split_at(kv_dim);
            for head in 0..c.kv_heads {
                let to = store.at(head, &(token..token + 1));
                let from = head * c.head_dim..(head + 1) * c.head_dim;
                let layer = &mut store.layers[at.layer];
                layer.keys[to.clone()].copy_from_slice(&keys[from.clone()]);
                layer.values[to].copy_from_slice(&values[from]);
            }
        }
    }
}

/// What a segment's tokens can see, of one head: its chain and itself.
fn stretches<'a>(
    pass: &'a Pass<CpuKeys>,
    segment: usize,
    layer: usize,
    head: usize,
) -> Vec<Stretch<'a>> {
    let stretch = |keys: &'a CpuKeys, tokens: Range<usize>| {
        let at = keys.at(head, &tokens);
        let layer = &keys.layers[layer];
        Stretch {
            keys: &layer.keys[at.clone()],
            values: &layer.values[at],
        }
    };
    let own = &pass.segments[segment];
    let chain = own.chain.iter().map(|link| match link {
        Link::Known(known) => stretch(&known.keys, known.tokens.clone()),
        Link::Within(other) => {
            let other = &pass.segments[*other];
            let held = other.keys.len;
            stretch(&other.keys, held..held + other.ids.len())
        }
    });
    let itself = stretch(&own.keys, 0..own.keys.len + own.ids.len());
    chain.chain([itself]).collect()
}

/// Attends for some rows of a segment, whose first row in the pass is `first` and stands at position
/// `start`.
fn answer(
    at: &AttentionAt<'_, Vec<f32>>,
    qkv: &Rows,
    pass: &Pass<CpuKeys>,
    start: usize,
    first: usize,
    task: QueryTask<'_>,
) {
    let c = at.config;
    let (dim, share) = (c.head_dim, c.heads / c.kv_heads);
    let q_dim = c.heads * dim;
    let window = c.layers[at.layer].window;
    // Queries that share a key-value head are stacked.
    let visible: Vec<Range<usize>> = task
        .rows
        .iter()
        .flat_map(|row| {
            let end = start + row - first + 1;
            let from = window.map_or(0, |w| end.saturating_sub(w));
            std::iter::repeat_n(from..end, share)
        })
        .collect();
    let stacked = task.rows.len() * share;
    let mut queries = vec![0.0; stacked * dim];
    let mut answers = vec![0.0; stacked * dim];
    let mut scratch = Scratch::default();
    for head in 0..c.kv_heads {
        let columns = head * share * dim..(head + 1) * share * dim;
        for (row, to) in task.rows.iter().zip(queries.chunks_mut(share * dim)) {
            let row = &qkv.values[row * qkv.width..(row + 1) * qkv.width];
            to.copy_from_slice(&row[columns.clone()]);
        }
        attend(
            &queries,
            dim,
            stacked,
            dim,
            &stretches(pass, task.segment, at.layer, head),
            &visible,
            c.attention_scale as f32,
            c.attention_cap.map(|cap| cap as f32),
            &mut answers,
            dim,
            &mut scratch,
        );
        for (out, from) in task.out.chunks_mut(q_dim).zip(answers.chunks(share * dim)) {
            out[columns.clone()].copy_from_slice(from);
        }
    }
}

impl Compute for Cpu {
    type Matrix = Matrix;
    type Vector = Vec<f32>;
    type Table = Table;
    type Rows = Rows;
    type Keys = CpuKeys;

    fn matrix(
        &self,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
        bias: Option<Vec<f32>>,
    ) -> Result<Matrix> {
        Ok(Matrix {
            weights: Linear::pack(weights, outputs, inputs, self.format),
            bias,
        })
    }

    fn vector(&self, weights: Vec<f32>) -> Result<Vec<f32>> {
        Ok(weights)
    }

    fn table(&self, weights: &[f32], _: usize, width: usize) -> Result<Table> {
        Ok(match self.format {
            Format::F32 => Table::F32(weights.to_vec(), width),
            _ => {
                let rounded = weights.iter().map(|w| half::bf16::from_f32(*w)).collect();
                Table::Bf16(rounded, width)
            }
        })
    }

    fn keys(&self, config: &DecoderConfig, capacity: usize) -> Result<CpuKeys> {
        let layers = config.layers.len();
        Ok(CpuKeys::with_capacity(
            layers,
            config.kv_heads,
            config.head_dim,
            capacity,
        ))
    }

    fn embed(&self, table: &Table, ids: &[u32], scale: f64) -> Result<Rows> {
        let scale = scale as f32;
        let (Table::F32(_, width) | Table::Bf16(_, width)) = table;
        let mut values = Vec::with_capacity(ids.len() * width);
        for id in ids {
            let at = *id as usize * width..(*id as usize + 1) * width;
            match table {
                Table::F32(all, _) => values.extend(all[at].iter().map(|x| x * scale)),
                Table::Bf16(all, _) => values.extend(all[at].iter().map(|x| x.to_f32() * scale)),
            }
        }
        Ok(Rows {
            values,
            width: *width,
        })
    }

    fn norm(&self, x: &Rows, weight: &Vec<f32>, eps: f64) -> Result<Rows> {
        let width = x.width;
        let mut values = vec![0.0; x.values.len()];
        let size = TASK_ROWS * width;
        let tasks = values.chunks_mut(size).zip(x.values.chunks(size)).collect();
        self.spread(tasks, |(out, x): (&mut [f32], &[f32])| {
            for (out, x) in out.chunks_mut(width).zip(x.chunks(width)) {
                vector::rms_norm(out, x, weight, eps as f32);
            }
        });
        Ok(Rows { values, width })
    }

    fn product(&self, x: &Rows, weight: &Matrix) -> Result<Rows> {
        let (rows, width) = (x.count(), weight.weights.outputs());
        let mut values = vec![0.0; rows * width];
        let activations = &mut *self
            .activations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        activations.set(&x.values, rows, x.width, self.format);
        linear(&self.pool, activations, &weight.weights, &mut values);
        if let Some(bias) = &weight.bias {
            for row in values.chunks_mut(width) {
                vector::add_scaled(row, bias, 1.0);
            }
        }
        Ok(Rows { values, width })
    }

    fn gate(&self, both: Rows, activation: Activation) -> Result<Rows> {
        let width = both.width / 2;
        let mut values = vec![0.0; both.count() * width];
        let tasks = values
            .chunks_mut(TASK_ROWS * width)
            .zip(both.values.chunks(TASK_ROWS * both.width))
            .collect();
        self.spread(tasks, |(out, both): (&mut [f32], &[f32])| {
            for (out, both) in out.chunks_mut(width).zip(both.chunks(2 * width)) {
                match activation {
                    Activation::Silu => vector::swiglu(out, both),
                    Activation::GeluTanh => vector::geglu_tanh(out, both),
                }
            }
        });
        Ok(Rows { values, width })
    }

    fn add(&self, x: &mut Rows, y: &Rows) -> Result<()> {
        let size = TASK_ROWS * x.width;
        let tasks = x.values.chunks_mut(size).zip(y.values.chunks(size));
        self.spread(tasks.collect(), |(x, y): (&mut [f32], &[f32])| {
            vector::add_scaled(x, y, 1.0);
        });
        Ok(())
    }

    fn pick(&self, x: &Rows, rows: &[usize]) -> Result<Rows> {
        let mut values = Vec::with_capacity(rows.len() * x.width);
        for row in rows {
            values.extend_from_slice(&x.values[row * x.width..(row + 1) * x.width]);
        }
        Ok(Rows {
            values,
            width: x.width,
        })
    }

    fn attend(
        &self,
        at: &AttentionAt<'_, Vec<f32>>,
        qkv: Rows,
        pass: &mut Pass<CpuKeys>,
    ) -> Result<Rows> {
        let rows = pass.rows();
        let starts: Vec<usize> = (0..pass.segments.len()).map(|s| pass.start(s)).collect();
        let mut qkv = qkv;
        self.turn(at, &mut qkv, pass, &starts);
        keep(at, &qkv, pass, &rows);

        let c = at.config;
        let q_dim = c.heads * c.head_dim;
        let all: Vec<usize>;
        let asking = match at.asking {
            Some(asking) => asking,
            None => {
                all = (0..qkv.count()).collect();
                &all
            }
        };
        let mut values = vec![0.0; asking.len() * q_dim];
        let (mut tasks, mut rest, mut out) = (Vec::new(), asking, values.as_mut_slice());
        for (segment, rows) in rows.iter().enumerate() {
            let count = rest.partition_point(|row| *row < rows.end);
            let (own, others) = rest.split_at(count);
            rest = others;
            for rows in own.chunks(QUERY_ROWS) {
                let (part, others) = out.split_at_mut(rows.len() * q_dim);
                out = others;
                tasks.push(QueryTask {
                    segment,
                    rows,
                    out: part,
                });
            }
        }
        let pass = &*pass;
        self.spread(tasks, |task| {
            let first = rows[task.segment].start;
            answer(at, &qkv, pass, starts[task.segment], first, task);
        });
        Ok(Rows {
            values,
            width: q_dim,
        })
    }

    fn grown(&self, pass: &mut Pass<CpuKeys>) {
        for segment in &mut pass.segments {
            segment.keys.len += segment.ids.len();
        }
    }

    fn read(&self, x: &Rows) -> Result<Vec<f32>> {
        Ok(x.values.clone())
    }

    fn rows(&self, values: Vec<f32>, width: usize) -> Result<Rows> {
        Ok(Rows { values, width })
    }
}
