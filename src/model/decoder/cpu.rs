//! The forward's operations on the CPU, over the kernels of [`crate::kernel`].
//!
//! A row's result depends on that row and on what it attends to alone: neither the other rows of a
//! pass, nor the number of threads, nor where a prefix was cut changes a bit of it.

mod attention;
mod keys;
mod turns;

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compute::{AttentionAt, Compute};
use super::pass::Pass;
use crate::kernel::Pool;
use crate::kernel::linear::{Activations, Format, Linear, linear, linear_picked};
use crate::kernel::vector;
use crate::model::Result;
use crate::model::architecture::{Activation, DecoderConfig};
use attention::among;
pub use keys::CpuKeys;
use turns::Turns;
pub use turns::angles;

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
        self.pool
            .each(tasks.collect(), |(out, x): (&mut [f32], &[f32])| {
                for (out, x) in out.chunks_mut(width).zip(x.chunks(width)) {
                    f(out, x);
                }
            });
        result
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
        self.pool.each(tasks, vector::gelu);
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
        self.pool
            .each(tasks, |(text, out): (Range<usize>, &mut [f32])| {
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
            self.pool.each(tasks, |rows: &mut [f32]| {
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
        self.pool.each(tasks, |(out, both): (&mut [f32], &[f32])| {
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
        self.pool
            .each(tasks.collect(), |(x, y): (&mut [f32], &[f32])| {
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
        Ok(self.attended(at, qkv, pass))
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
