//! The forward's operations on candle's tensors, for CUDA and Metal (and, to test them, the CPU).
//!
//! Weights, and the keys and values that are kept, are in the format asked for; activations, norms,
//! rotations, scores and softmax are `f32`. Unlike the CPU's, a row's result may differ in its last
//! bits with the rows that are computed beside it.

mod joint;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{D, DType, Device, Tensor};
use candle_nn::{ops, rotary_emb};

use super::compute::{AttentionAt, Compute};
use super::cpu::angles;
use super::pass::{Keys, Link, Pass};
use crate::kernel::Format;
use crate::model::architecture::{Activation, DecoderConfig, Rope};
use crate::model::{ModelError, Result};
use joint::{Joint, LIMITS, Shape, Source};

/// Results remembered from layer to layer: models with two windows and two ropes need a few.
const REMEMBERED: usize = 8;

/// The latest few results of something, by what they were computed from.
struct Memory<K, V>(Mutex<Vec<(K, Arc<V>)>>);

impl<K: PartialEq, V> Memory<K, V> {
    fn new() -> Self {
        Memory(Mutex::new(Vec::new()))
    }

    fn get(&self, key: K, make: impl FnOnce(&K) -> Result<V>) -> Result<Arc<V>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = held.iter().find(|(k, _)| *k == key) {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make(&key)?);
        if held.len() == REMEMBERED {
            held.remove(0);
        }
        held.push((key, Arc::clone(&value)));
        Ok(value)
    }
}

/// What a pass's rotation depends on.
#[derive(PartialEq)]
struct Turn {
    rope: Rope,
    long: bool,
    positions: Vec<usize>,
}

/// A device of candle's.
pub struct Accelerator {
    device: Device,
    dtype: DType,
    joints: Memory<Shape, Joint>,
    /// Cosines and sines, each `[rows, pairs]`.
    turns: Memory<Turn, (Tensor, Tensor)>,
}

impl Accelerator {
    /// Weights are kept on `device` as `format`.
    ///
    /// # Errors
    /// A format that only the CPU has.
    pub fn new(device: Device, format: Format) -> Result<Self> {
        let dtype = match format {
            Format::F32 => DType::F32,
            Format::Bf16 => DType::BF16,
            Format::Int8 => {
                return Err(ModelError::Text(
                    "int8 is for the CPU; other devices take f32 or bf16".into(),
                ));
            }
        };
        Ok(Accelerator {
            device,
            dtype,
            joints: Memory::new(),
            turns: Memory::new(),
        })
    }

    fn tensor(&self, values: &[f32], rows: usize, width: usize) -> Result<Tensor> {
        // Rounded on the host: half the bytes to carry.
        Ok(match self.dtype {
            DType::BF16 => {
                let rounded: Vec<_> = values.iter().map(|w| half::bf16::from_f32(*w)).collect();
                Tensor::from_vec(rounded, (rows, width), &self.device)?
            }
            _ => Tensor::from_slice(values, (rows, width), &self.device)?,
        })
    }

    fn indices(&self, rows: &[usize]) -> Result<Tensor> {
        let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        Ok(Tensor::new(rows, &self.device)?)
    }

    /// Norms and rotates heads, `[rows, heads, head_dim]`.
    fn rotated(
        &self,
        at: &AttentionAt<'_, Tensor>,
        x: &Tensor,
        positions: &[usize],
        long: bool,
    ) -> Result<Tensor> {
        let rope = &at.config.ropes[at.config.layers[at.layer].rope];
        let turn = Turn {
            rope: rope.clone(),
            long,
            positions: positions.to_vec(),
        };
        let pairs = match &rope.long {
            Some((_, frequencies)) if long => frequencies.len(),
            _ => rope.frequencies.len(),
        };
        if pairs == 0 {
            return Ok(x.clone());
        }
        let turns = self.turns.get(turn, |turn| {
            let all = turn.positions.iter();
            let (cos, sin): (Vec<f32>, Vec<f32>) = all
                .flat_map(|position| angles(&turn.rope, turn.long, *position))
                .unzip();
            let shape = (turn.positions.len(), pairs);
            let cos = Tensor::from_vec(cos, shape, &self.device)?;
            Ok((cos, Tensor::from_vec(sin, shape, &self.device)?))
        })?;
        let (cos, sin) = &*turns;
        let (rotated, dim) = (2 * pairs, at.config.head_dim);
        let part = x.narrow(D::Minus1, 0, rotated)?.contiguous()?;
        let part = rotary_emb::rope_thd(&part.unsqueeze(0)?, cos, sin)?.squeeze(0)?;
        if rotated == dim {
            return Ok(part);
        }
        let rest = x.narrow(D::Minus1, rotated, dim - rotated)?.contiguous()?;
        Ok(Tensor::cat(&[part, rest], D::Minus1)?.contiguous()?)
    }

    /// Keys and values of a layer from some sources, each `[kv_heads, tokens, head_dim]`.
    fn gathered(
        at: &AttentionAt<'_, Tensor>,
        new: &Tensor,
        pass: &Pass<AcceleratorKeys>,
        sources: &[Source],
    ) -> Result<(Tensor, Tensor)> {
        let parts = sources
            .iter()
            .map(|source| match source {
                Source::New(rows) => Ok(new.narrow(0, rows.start, rows.len())?),
                Source::Held { segment, tokens } => {
                    pass.segments[*segment].keys.of(at.layer, 0..*tokens)
                }
                Source::Known { segment, link } => match &pass.segments[*segment].chain[*link] {
                    Link::Known(known) => known.keys.of(at.layer, known.tokens.clone()),
                    Link::Within(_) => Err(lost()),
                },
            })
            .collect::<Result<Vec<_>>>()?;
        let all = Tensor::cat(&parts, 0)?;
        let (heads, dim) = (at.config.kv_heads, at.config.head_dim);
        let of = |which: usize| -> Result<Tensor> {
            let half = all.narrow(1, which * heads * dim, heads * dim)?;
            let by_head = half.reshape((all.dim(0)?, heads, dim))?.transpose(0, 1)?;
            Ok(by_head.contiguous()?.to_dtype(DType::F32)?)
        };
        Ok((of(0)?, of(1)?))
    }

    /// Attends for rows of queries, `[rows, heads, head_dim]`, scaled.
    fn answer(
        c: &DecoderConfig,
        queries: &Tensor,
        (keys, values): &(Tensor, Tensor),
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (rows, tokens) = (queries.dim(0)?, keys.dim(1)?);
        // Queries that share a key-value head are stacked.
        let stacked = (c.kv_heads, c.heads / c.kv_heads * rows, c.head_dim);
        let queries = queries.transpose(0, 1)?.contiguous()?.reshape(stacked)?;
        let mut scores = queries.matmul(&keys.t()?)?;
        if let Some(cap) = c.attention_cap {
            scores = ((scores * (1.0 / cap))?.tanh()? * cap)?;
        }
        if let Some(mask) = mask {
            let by_row = scores.reshape((c.heads, rows, tokens))?;
            scores = by_row.broadcast_add(mask)?.reshape(scores.shape())?;
        }
        let answers = ops::softmax_last_dim(&scores)?.matmul(values)?;
        let answers = answers.reshape((c.heads, rows, c.head_dim))?;
        let answers = answers.transpose(0, 1)?.contiguous()?;
        Ok(answers.reshape((rows, c.heads * c.head_dim))?)
    }
}

fn lost() -> ModelError {
    ModelError::Text("keys and values of earlier tokens are lost".into())
}

/// A weight matrix `[outputs, inputs]` and its bias.
pub struct Matrix {
    weights: Tensor,
    bias: Option<Tensor>,
}

/// Activations, `[rows, width]`; no tensor where there are no rows, which candle does not like.
#[derive(Clone)]
pub struct Rows {
    tensor: Option<Tensor>,
    width: usize,
}

impl Rows {
    /// Applies `f` unless there are no rows.
    fn map(&self, width: usize, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Rows> {
        let tensor = self.tensor.as_ref().map(f).transpose()?;
        Ok(Rows { tensor, width })
    }
}

/// Keys and values of a stretch of tokens.
#[derive(Debug)]
pub struct AcceleratorKeys {
    /// Keys and values of each token side by side, `[capacity, 2 · kv_heads · head_dim]`; nothing
    /// while there are none.
    layers: Vec<Option<Tensor>>,
    capacity: usize,
    len: usize,
    bytes_per_token: usize,
}

impl AcceleratorKeys {
    fn of(&self, layer: usize, tokens: Range<usize>) -> Result<Tensor> {
        let all = self.layers[layer].as_ref().ok_or_else(lost)?;
        Ok(all.narrow(0, tokens.start, tokens.len())?)
    }

    /// Puts new tokens behind those it holds.
    fn keep(&mut self, layer: usize, new: &Tensor) -> Result<()> {
        let (count, width) = new.dims2()?;
        let total = self.len + count;
        if self.len == 0 && count >= self.capacity {
            // A copy: a view would hold on to the whole pass.
            self.layers[layer] = Some(new.force_contiguous()?);
            return Ok(());
        }
        let held = self.layers[layer].take();
        let room = held.as_ref().map_or(0, |t| t.dims()[0]);
        let held = match held {
            Some(held) if room >= total => held,
            held => {
                // Grows by doubling, so that a generation copies seldom.
                let capacity = total.max(2 * room).max(self.capacity);
                let grown = Tensor::zeros((capacity, width), new.dtype(), new.device())?;
                if let Some(held) = held.filter(|_| self.len > 0) {
                    grown.slice_set(&held.narrow(0, 0, self.len)?, 0, 0)?;
                }
                grown
            }
        };
        // Nothing else sees this storage but views of the tokens before.
        held.slice_set(&new.contiguous()?, 0, self.len)?;
        self.layers[layer] = Some(held);
        Ok(())
    }
}

impl Keys for AcceleratorKeys {
    fn len(&self) -> usize {
        self.len
    }

    fn slice(&self, tokens: Range<usize>) -> Self {
        let copied = |layer: &Option<Tensor>| {
            let view = layer.as_ref()?.narrow(0, tokens.start, tokens.len()).ok()?;
            // Where there is no memory for a copy, the view serves.
            Some(view.force_contiguous().unwrap_or(view))
        };
        AcceleratorKeys {
            layers: match tokens.is_empty() {
                true => self.layers.iter().map(|_| None).collect(),
                false => self.layers.iter().map(copied).collect(),
            },
            capacity: tokens.len(),
            len: tokens.len(),
            bytes_per_token: self.bytes_per_token,
        }
    }

    fn bytes_per_token(&self) -> usize {
        self.bytes_per_token
    }
}

impl Compute for Accelerator {
    type Matrix = Matrix;
    type Vector = Tensor;
    type Table = Tensor;
    type Rows = Rows;
    type Keys = AcceleratorKeys;

    fn exact(&self) -> Result<Accelerator> {
        Accelerator::new(self.device.clone(), Format::F32)
    }

    fn matrix(
        &self,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
        bias: Option<Vec<f32>>,
    ) -> Result<Matrix> {
        Ok(Matrix {
            weights: self.tensor(weights, outputs, inputs)?,
            bias: bias.map(|bias| self.vector(bias)).transpose()?,
        })
    }

    fn vector(&self, weights: Vec<f32>) -> Result<Tensor> {
        Ok(Tensor::new(weights, &self.device)?)
    }

    fn table(&self, weights: &[f32], rows: usize, width: usize) -> Result<Tensor> {
        self.tensor(weights, rows, width)
    }

    fn keys(&self, config: &DecoderConfig, capacity: usize) -> Result<AcceleratorKeys> {
        let (layers, width) = (config.layers.len(), 2 * config.kv_heads * config.head_dim);
        Ok(AcceleratorKeys {
            layers: (0..layers).map(|_| None).collect(),
            capacity,
            len: 0,
            bytes_per_token: layers * width * self.dtype.size_in_bytes(),
        })
    }

    fn embed(&self, table: &Tensor, ids: &[u32], scale: f64) -> Result<Rows> {
        let width = table.dim(1)?;
        if ids.is_empty() {
            let tensor = None;
            return Ok(Rows { tensor, width });
        }
        let rows = table.index_select(&Tensor::new(ids, &self.device)?, 0)?;
        let mut rows = rows.to_dtype(DType::F32)?;
        if scale != 1.0 {
            rows = (rows * scale)?;
        }
        let tensor = Some(rows);
        Ok(Rows { tensor, width })
    }

    fn norm(&self, x: &Rows, weight: &Tensor, eps: f64) -> Result<Rows> {
        x.map(x.width, |x| Ok(ops::rms_norm(x, weight, eps as f32)?))
    }

    fn layer_norm(&self, x: &Rows, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Rows> {
        let normed = |x: &Tensor| Ok(ops::layer_norm(x, weight, bias, eps as f32)?);
        x.map(x.width, normed)
    }

    fn gelu(&self, x: Rows) -> Result<Rows> {
        x.map(x.width, |x| Ok(x.gelu_erf()?))
    }

    fn attend_among(&self, qkv: &Rows, heads: usize, texts: &[Range<usize>]) -> Result<Rows> {
        let width = qkv.width / 3;
        let dim = width / heads.max(1);
        qkv.map(width, |qkv| {
            let mut answers = Vec::with_capacity(texts.len());
            for text in texts.iter().filter(|text| !text.is_empty()) {
                let part = |which: usize| -> Result<Tensor> {
                    let rows = qkv.narrow(0, text.start, text.len())?;
                    let part = rows.narrow(1, which * width, width)?;
                    let by_head = part.reshape((text.len(), heads, dim))?.transpose(0, 1)?;
                    Ok(by_head.contiguous()?)
                };
                let queries = (part(0)? * (1.0 / (dim as f64).sqrt()))?;
                let scores = queries.matmul(&part(1)?.t()?)?;
                let answer = ops::softmax_last_dim(&scores)?.matmul(&part(2)?)?;
                let answer = answer.transpose(0, 1)?.contiguous()?;
                answers.push(answer.reshape((text.len(), width))?);
            }
            Ok(Tensor::cat(&answers, 0)?)
        })
    }

    fn product(&self, x: &Rows, weight: &Matrix) -> Result<Rows> {
        x.map(weight.weights.dim(0)?, |x| {
            let y = x.to_dtype(self.dtype)?.matmul(&weight.weights.t()?)?;
            let y = y.to_dtype(DType::F32)?;
            Ok(match &weight.bias {
                Some(bias) => y.broadcast_add(bias)?,
                None => y,
            })
        })
    }

    fn product_of(&self, x: &Rows, weight: &Matrix, of: &[u32]) -> Result<Rows> {
        let picked = |x: &Tensor| x.index_select(&Tensor::new(of, x.device())?, 0);
        let part = Matrix {
            weights: picked(&weight.weights)?,
            bias: weight.bias.as_ref().map(picked).transpose()?,
        };
        self.product(x, &part)
    }

    fn gate(&self, both: Rows, activation: Activation) -> Result<Rows> {
        let width = both.width / 2;
        both.map(width, |both| {
            let gate = both.narrow(1, 0, width)?.contiguous()?;
            let gate = match activation {
                Activation::Silu => gate.silu()?,
                // Candle's is the tanh approximation.
                Activation::GeluTanh => gate.gelu()?,
            };
            Ok((gate * both.narrow(1, width, width)?)?)
        })
    }

    fn add(&self, x: &mut Rows, y: &Rows) -> Result<()> {
        if let (Some(a), Some(b)) = (&x.tensor, &y.tensor) {
            x.tensor = Some((a + b)?);
        }
        Ok(())
    }

    fn pick(&self, x: &Rows, rows: &[usize]) -> Result<Rows> {
        let (tensor, width) = (None, x.width);
        match rows {
            [] => Ok(Rows { tensor, width }),
            rows => x.map(width, |x| Ok(x.index_select(&self.indices(rows)?, 0)?)),
        }
    }

    fn attend(
        &self,
        at: &AttentionAt<'_, Tensor>,
        qkv: Rows,
        pass: &mut Pass<AcceleratorKeys>,
    ) -> Result<Rows> {
        let c = at.config;
        let (q_dim, kv_dim) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let (none, width) = (None, q_dim);
        let Some(qkv) = qkv.tensor else {
            let tensor = none;
            return Ok(Rows { tensor, width });
        };
        let count = qkv.dim(0)?;
        let part = |from: usize, len: usize| qkv.narrow(1, from, len)?.contiguous();
        let normed = |x: Tensor, heads: usize, weight: Option<&Tensor>| -> Result<Tensor> {
            let rows = x.dim(0)?;
            let x = match weight {
                // Each head by itself, or all of them at once.
                Some(weight) => {
                    let len = weight.dim(0)?;
                    let x = x.reshape((x.elem_count() / len, len))?;
                    ops::rms_norm(&x, weight, c.norm_eps as f32)?
                }
                None => x,
            };
            Ok(x.reshape((rows, heads, c.head_dim))?)
        };
        let mut positions = Vec::with_capacity(count);
        for (segment, own) in pass.segments.iter().enumerate() {
            let start = pass.start(segment);
            positions.extend(start..start + own.ids.len());
        }
        let keys = normed(part(q_dim, kv_dim)?, c.kv_heads, at.key_norm)?;
        let keys = self.rotated(at, &keys, &positions, pass.long)?;
        let keys = keys.reshape((count, kv_dim))?;
        let new = Tensor::cat(&[keys, part(q_dim + kv_dim, kv_dim)?], 1)?;
        let new = new.contiguous()?.to_dtype(self.dtype)?;
        for (rows, segment) in pass.rows().into_iter().zip(&mut pass.segments) {
            if !rows.is_empty() {
                let new = new.narrow(0, rows.start, rows.len())?;
                segment.keys.keep(at.layer, &new)?;
            }
        }

        let mut queries = part(0, q_dim)?;
        if let Some(asking) = at.asking {
            if asking.is_empty() {
                let tensor = none;
                return Ok(Rows { tensor, width });
            }
            queries = queries.index_select(&self.indices(asking)?, 0)?;
            positions = asking.iter().map(|row| positions[*row]).collect();
        }
        let queries = normed(queries, c.heads, at.query_norm)?;
        let queries = self.rotated(at, &queries, &positions, pass.long)?;
        let queries = (queries * c.attention_scale)?;
        let shape = Shape::of(pass, at.asking, c.layers[at.layer].window, c.heads);
        let joint = self
            .joints
            .get(shape, |shape| Joint::new(shape, LIMITS, &self.device))?;
        let mut answers = Vec::new();
        for group in &joint.groups {
            let known = Self::gathered(at, &new, pass, &group.sources)?;
            for chunk in &group.chunks {
                let queries = queries.narrow(0, chunk.rows.start, chunk.rows.len())?;
                answers.push(Self::answer(c, &queries, &known, chunk.mask.as_ref())?);
            }
        }
        let tensor = Some(Tensor::cat(&answers, 0)?);
        Ok(Rows { tensor, width })
    }

    fn grown(&self, pass: &mut Pass<AcceleratorKeys>) {
        for segment in &mut pass.segments {
            segment.keys.len += segment.ids.len();
        }
    }

    fn read(&self, x: &Rows) -> Result<Vec<f32>> {
        match &x.tensor {
            Some(tensor) => Ok(tensor.flatten_all()?.to_vec1()?),
            None => Ok(Vec::new()),
        }
    }

    fn rows(&self, values: Vec<f32>, width: usize) -> Result<Rows> {
        let tensor = match values.len() / width.max(1) {
            0 => None,
            rows => Some(Tensor::from_vec(values, (rows, width), &self.device)?),
        };
        Ok(Rows { tensor, width })
    }
}
