//! The forward's operations on the CPU, over the kernels of [`crate::kernel`].
//!
//! A row's result depends on that row and on what it attends to alone: neither the other rows of a
//! pass, nor the number of threads, nor where a prefix was cut changes a bit of it.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compute::{AttentionAt, Compute};
use super::pass::{Keys, Link, Pass};
use crate::kernel::Pool;
use crate::kernel::attend::{Scratch, Stretch, attend};
use crate::kernel::linear::{Activations, Format, Linear, linear, linear_picked};
use crate::kernel::vector;
use crate::model::Result;
use crate::model::architecture::{Activation, DecoderConfig, Rope};

/// Rows of queries that one task attends for, at most and, where there are few, at least.
const QUERY_ROWS: usize = 64;
const FEW_ROWS: usize = 8;
/// Attention tasks per thread below which they are made smaller.
const TASKS: usize = 2;

/// Rows an element-wise task works on.
const TASK_ROWS: usize = 16;

/// The CPU, with its threads.
pub struct Cpu {
    pool: Arc<Pool>,
    format: Format,
    activations: Mutex<Activations>,
    turns: Mutex<Vec<Arc<Turns>>>,
    spare: Arc<Spare>,
}

/// Buffers of activations no longer needed: fresh memory of that size would cost a page fault every
/// 4 KiB.
#[derive(Debug, Default)]
struct Spare(Mutex<Vec<Vec<f32>>>);

impl Spare {
    /// Buffers kept.
    const MOST: usize = 8;

    /// `len` numbers, whichever.
    fn take(&self, len: usize) -> Vec<f32> {
        let mut all = lock(&self.0);
        let fitting = all.iter().enumerate().filter(|(_, b)| b.capacity() >= len);
        let best = fitting.min_by_key(|(_, b)| b.capacity()).map(|(at, _)| at);
        let Some(at) = best else {
            drop(all);
            return vec![0.0; len];
        };
        let mut buffer = all.swap_remove(at);
        drop(all);
        buffer.resize(len, 0.0);
        buffer
    }

    fn give(&self, buffer: Vec<f32>) {
        let mut all = lock(&self.0);
        all.push(buffer);
        if all.len() > Self::MOST {
            let sizes = all.iter().enumerate().map(|(at, b)| (b.capacity(), at));
            if let Some((_, at)) = sizes.min() {
                all.swap_remove(at);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cpu {
    /// `threads` compute, weights are kept as `format`.
    pub fn new(threads: usize, format: Format) -> Self {
        Self::on(Arc::new(Pool::new(threads.max(1))), format)
    }

    fn on(pool: Arc<Pool>, format: Format) -> Self {
        Cpu {
            pool,
            format,
            activations: Mutex::new(Activations::new()),
            turns: Mutex::default(),
            spare: Arc::default(),
        }
    }

    /// Rows whose numbers are still to be written.
    fn blank(&self, rows: usize, width: usize) -> Rows {
        Rows {
            values: self.spare.take(rows * width),
            width,
            spare: Some(Arc::clone(&self.spare)),
        }
    }

    /// The format of its weights.
    pub fn format(&self) -> Format {
        self.format
    }

    /// A row for each, as wide.
    fn each_row(&self, x: &Rows, f: impl Fn(&mut [f32], &[f32]) + Sync) -> Rows {
        let width = x.width;
        let mut result = self.blank(x.count(), width);
        let size = TASK_ROWS * width;
        let tasks = result.values.chunks_mut(size).zip(x.values.chunks(size));
        self.spread(tasks.collect(), |(out, x): (&mut [f32], &[f32])| {
            for (out, x) in out.chunks_mut(width).zip(x.chunks(width)) {
                f(out, x);
            }
        });
        result
    }

    /// Calls `f` on every item, on all threads.
    fn spread<T: Send>(&self, items: Vec<T>, f: impl Fn(T) + Sync) {
        if let [_] = items[..] {
            items.into_iter().for_each(f);
            return;
        }
        let slots: Vec<Mutex<Option<T>>> = items.into_iter().map(|i| Mutex::new(Some(i))).collect();
        self.pool.run(slots.len(), |at| {
            let item = lock(&slots[at]).take();
            if let Some(item) = item {
                f(item);
            }
        });
    }
}

/// Activations, row-major.
#[derive(Debug)]
pub struct Rows {
    values: Vec<f32>,
    width: usize,
    /// Where the buffer goes in the end.
    spare: Option<Arc<Spare>>,
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(spare) = self.spare.take() {
            spare.give(std::mem::take(&mut self.values));
        }
    }
}

impl Rows {
    /// Rows of given numbers.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        Rows {
            values,
            width,
            spare: None,
        }
    }

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

/// Cosine and sine of one angle, as Hugging Face computes them: frequency, position and their product
/// in f32.
fn turned(frequency: f64, scale: f64, position: usize) -> (f32, f32) {
    let angle = f64::from(position as f32 * frequency as f32);
    let scaled = |x: f64| x as f32 * scale as f32;
    (scaled(angle.cos()), scaled(angle.sin()))
}

/// Cosine and sine of a position's angles.
pub(super) fn angles(rope: &Rope, long: bool, position: usize) -> Vec<(f32, f32)> {
    let frequencies = match &rope.long {
        Some((_, frequencies)) if long => frequencies,
        _ => &rope.frequencies,
    };
    let one = |frequency: &f64| turned(*frequency, rope.scale, position);
    frequencies.iter().map(one).collect()
}

/// Cosines and sines of the first positions' angles.
struct Turns {
    frequencies: Vec<f64>,
    scale: f64,
    /// `[position][frequency]`.
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Turns {
    fn new(frequencies: &[f64], scale: f64, positions: usize) -> Self {
        let size = positions * frequencies.len();
        let mut new = Turns {
            frequencies: frequencies.to_vec(),
            scale,
            cos: Vec::with_capacity(size),
            sin: Vec::with_capacity(size),
        };
        for position in 0..positions {
            for frequency in frequencies {
                let (cos, sin) = turned(*frequency, scale, position);
                new.cos.push(cos);
                new.sin.push(sin);
            }
        }
        new
    }

    fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let half = self.frequencies.len();
        let at = position * half..(position + 1) * half;
        (&self.cos[at.clone()], &self.sin[at])
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
    /// Heads of keys and values.
    heads: Range<usize>,
    /// Of each row what these heads give, side by side.
    out: &'a mut [f32],
}

/// What attending needs beside its operands; kept by each thread.
#[derive(Default)]
struct Room {
    queries: Vec<f32>,
    answers: Vec<f32>,
    scratch: Scratch,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

impl Cpu {
    /// The angles of at least `positions` positions; worked out once for all layers and passes.
    fn turns(&self, rope: &Rope, long: bool, positions: usize) -> Arc<Turns> {
        let frequencies = match &rope.long {
            Some((_, frequencies)) if long => frequencies,
            _ => &rope.frequencies,
        };
        let mut all = lock(&self.turns);
        let same = |t: &Arc<Turns>| t.frequencies == *frequencies && t.scale == rope.scale;
        let place = all.iter().position(same);
        if let Some(place) = place {
            if all[place].cos.len() >= positions * frequencies.len() {
                return Arc::clone(&all[place]);
            }
            all.swap_remove(place);
        }
        let positions = positions.next_power_of_two();
        let new = Arc::new(Turns::new(frequencies, rope.scale, positions));
        all.push(Arc::clone(&new));
        new
    }

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
        let end = positions.iter().max().map_or(0, |last| last + 1);
        let turns = self.turns(rope, pass.long, end);
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
                    let (cos, sin) = turns.at(*position);
                    for head in row[..keys_end].chunks_mut(c.head_dim) {
                        vector::rotate(head, cos, sin);
                    }
                }
            },
        );
    }
}

/// Copies the new tokens' keys and values to their segment.
fn keep(at: &AttentionAt<'_, Vec<f32>>, qkv: &Rows, store: &mut CpuKeys, rows: Range<usize>) {
    let c = at.config;
    let (q_dim, kv_dim) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    store.reserve(rows.len());
    for (token, row) in (store.len..).zip(rows) {
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
    let out_dim = task.heads.len() * share * dim;
    ROOM.with_borrow_mut(|room| {
        room.queries.resize(stacked * dim, 0.0);
        room.answers.resize(stacked * dim, 0.0);
        for (place, head) in task.heads.enumerate() {
            let columns = head * share * dim..(head + 1) * share * dim;
            let queries = room.queries.chunks_mut(share * dim);
            for (row, to) in task.rows.iter().zip(queries) {
                let row = &qkv.values[row * qkv.width..(row + 1) * qkv.width];
                to.copy_from_slice(&row[columns.clone()]);
            }
            attend(
                &room.queries,
                dim,
                stacked,
                dim,
                &stretches(pass, task.segment, at.layer, head),
                &visible,
                c.attention_scale as f32,
                c.attention_cap.map(|cap| cap as f32),
                &mut room.answers,
                dim,
                &mut room.scratch,
            );
            let columns = place * share * dim..(place + 1) * share * dim;
            let answers = room.answers.chunks(share * dim);
            for (out, from) in task.out.chunks_mut(out_dim).zip(answers) {
                out[columns.clone()].copy_from_slice(from);
            }
        }
    });
}

/// Attention of the rows of one text among themselves.
fn among(qkv: &Rows, heads: usize, text: Range<usize>, out: &mut [f32]) {
    let (width, count) = (qkv.width / 3, text.len());
    let dim = width / heads.max(1);
    let rows = &qkv.values[text.start * qkv.width..text.end * qkv.width];
    let visible = vec![0..count; count];
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    ROOM.with_borrow_mut(|room| {
        for head in 0..heads {
            keys.clear();
            values.clear();
            for row in rows.chunks(qkv.width) {
                keys.extend_from_slice(&row[width + head * dim..][..dim]);
                values.extend_from_slice(&row[2 * width + head * dim..][..dim]);
            }
            let stretch = Stretch {
                keys: &keys,
                values: &values,
            };
            attend(
                &rows[head * dim..],
                qkv.width,
                count,
                dim,
                &[stretch],
                &visible,
                1.0 / (dim as f32).sqrt(),
                None,
                &mut out[head * dim..],
                width,
                &mut room.scratch,
            );
        }
    });
}

/// From `[head][row]` to `[row][head]`, `width` numbers each.
fn side_by_side(part: &mut [f32], rows: usize, width: usize) {
    let by_head = part.to_vec();
    for (head, own) in by_head.chunks(rows * width).enumerate() {
        let places = part.chunks_mut(by_head.len() / rows);
        for (row, to) in own.chunks(width).zip(places) {
            to[head * width..(head + 1) * width].copy_from_slice(row);
        }
    }
}

impl Compute for Cpu {
    type Matrix = Matrix;
    type Vector = Vec<f32>;
    type Table = Table;
    type Rows = Rows;
    type Keys = CpuKeys;

    fn exact(&self) -> Result<Cpu> {
        Ok(Cpu::on(Arc::clone(&self.pool), Format::F32))
    }

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
        let width = *width;
        let mut x = self.blank(ids.len(), width);
        for (id, row) in ids.iter().zip(x.values.chunks_mut(width)) {
            let at = *id as usize * width..(*id as usize + 1) * width;
            match table {
                Table::F32(all, _) => {
                    let from = &all[at];
                    row.iter_mut().zip(from).for_each(|(x, w)| *x = w * scale);
                }
                Table::Bf16(all, _) => {
                    let from = all[at].iter().map(|w| w.to_f32());
                    row.iter_mut().zip(from).for_each(|(x, w)| *x = w * scale);
                }
            }
        }
        Ok(x)
    }

    fn norm(&self, x: &Rows, weight: &Vec<f32>, eps: f64) -> Result<Rows> {
        Ok(self.each_row(x, |out, x| {
            vector::rms_norm(out, x, weight, eps as f32);
        }))
    }

    fn layer_norm(&self, x: &Rows, weight: &Vec<f32>, bias: &Vec<f32>, eps: f64) -> Result<Rows> {
        Ok(self.each_row(x, |out, x| {
            vector::layer_norm(out, x, weight, bias, eps as f32);
        }))
    }

    fn gelu(&self, mut x: Rows) -> Result<Rows> {
        let tasks = x.values.chunks_mut(TASK_ROWS * x.width).collect();
        self.spread(tasks, vector::gelu);
        Ok(x)
    }

    fn attend_among(&self, qkv: &Rows, heads: usize, texts: &[Range<usize>]) -> Result<Rows> {
        let width = qkv.width / 3;
        let mut answers = self.blank(qkv.count(), width);
        let (mut rest, mut tasks) = (answers.values.as_mut_slice(), Vec::new());
        for text in texts {
            let (own, others) = rest.split_at_mut(text.len() * width);
            rest = others;
            tasks.push((text.clone(), own));
        }
        self.spread(tasks, |(text, out): (Range<usize>, &mut [f32])| {
            among(qkv, heads, text, out);
        });
        Ok(answers)
    }

    fn product(&self, x: &Rows, weight: &Matrix) -> Result<Rows> {
        let (rows, width) = (x.count(), weight.weights.outputs());
        let mut y = self.blank(rows, width);
        let activations = &mut *lock(&self.activations);
        activations.set_on(&self.pool, &x.values, rows, x.width, self.format);
        linear(&self.pool, activations, &weight.weights, &mut y.values);
        if let Some(bias) = &weight.bias {
            let tasks = y.values.chunks_mut(TASK_ROWS * width).collect();
            self.spread(tasks, |rows: &mut [f32]| {
                for row in rows.chunks_mut(width) {
                    vector::add_scaled(row, bias, 1.0);
                }
            });
        }
        Ok(y)
    }

    fn product_of(&self, x: &Rows, weight: &Matrix, of: &[u32]) -> Result<Rows> {
        let rows = x.count();
        let mut y = self.blank(rows, of.len());
        let activations = &mut *lock(&self.activations);
        activations.set_on(&self.pool, &x.values, rows, x.width, self.format);
        linear_picked(activations, &weight.weights, of, &mut y.values);
        if let Some(bias) = &weight.bias {
            for row in y.values.chunks_mut(of.len().max(1)) {
                for (y, id) in row.iter_mut().zip(of) {
                    *y += bias[*id as usize];
                }
            }
        }
        Ok(y)
    }

    fn gate(&self, both: Rows, activation: Activation) -> Result<Rows> {
        let width = both.width / 2;
        let mut gated = self.blank(both.count(), width);
        let tasks = gated
            .values
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
        Ok(gated)
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
        let mut picked = self.blank(rows.len(), x.width);
        for (row, to) in rows.iter().zip(picked.values.chunks_mut(x.width)) {
            to.copy_from_slice(&x.values[row * x.width..(row + 1) * x.width]);
        }
        Ok(picked)
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
        let stores = pass.segments.iter_mut().map(|s| &mut s.keys);
        let stores = stores.zip(rows.iter().cloned()).collect();
        self.spread(stores, |(store, rows): (&mut CpuKeys, Range<usize>)| {
            keep(at, &qkv, store, rows);
        });

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
        // Few rows (a response being typed, a token being generated) are shared out by heads, and in
        // smaller groups.
        let wanted = TASKS * self.pool.threads();
        let of = |rows: &Range<usize>| {
            let end = asking.partition_point(|row| *row < rows.end);
            (end - asking.partition_point(|row| *row < rows.start)).div_ceil(QUERY_ROWS)
        };
        let few = rows.iter().map(of).sum::<usize>() < wanted;
        let (together, heads) = match few {
            true => {
                let groups = wanted.div_ceil(c.kv_heads);
                (asking.len().div_ceil(groups).clamp(FEW_ROWS, QUERY_ROWS), 1)
            }
            false => (QUERY_ROWS, c.kv_heads),
        };
        let mut answers = self.blank(asking.len(), q_dim);
        let (mut tasks, mut rest) = (Vec::new(), asking);
        let mut out = answers.values.as_mut_slice();
        for (segment, rows) in rows.iter().enumerate() {
            let count = rest.partition_point(|row| *row < rows.end);
            let (own, others) = rest.split_at(count);
            rest = others;
            for rows in own.chunks(together) {
                let (part, others) = out.split_at_mut(rows.len() * q_dim);
                out = others;
                let size = rows.len() * (q_dim / c.kv_heads) * heads;
                for (place, part) in part.chunks_mut(size).enumerate() {
                    tasks.push(QueryTask {
                        segment,
                        rows,
                        heads: place * heads..(place + 1) * heads,
                        out: part,
                    });
                }
            }
        }
        // Groups of rows whose heads stand one after another, to be brought side by side.
        let split: Vec<usize> = match heads < c.kv_heads {
            true => tasks
                .iter()
                .step_by(c.kv_heads)
                .map(|t| t.rows.len())
                .collect(),
            false => Vec::new(),
        };
        let pass = &*pass;
        self.spread(tasks, |task| {
            let first = rows[task.segment].start;
            answer(at, &qkv, pass, starts[task.segment], first, task);
        });
        let mut rest = answers.values.as_mut_slice();
        for count in split {
            let (part, others) = rest.split_at_mut(count * q_dim);
            rest = others;
            if count > 1 {
                side_by_side(part, count, q_dim / c.kv_heads);
            }
        }
        Ok(answers)
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
        Ok(Rows::new(values, width))
    }
}
