//! A llama-family decoder on candle: tokens in, hidden states and keys and values out.

use std::collections::HashMap;

use candle_core::{D, DType, Device, IndexOp, Tensor};
use candle_nn::{ops, rotary_emb};

use super::architecture::{Activation, Head, Norms, QueryKeyNorm};
use super::config::DecoderConfig;
use super::{ModelError, Result};

struct Layer {
    attention_norm: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    ffn_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// The weights, in f32.
pub struct Decoder {
    config: DecoderConfig,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Tensor,
    cos: Tensor,
    sin: Tensor,
    device: Device,
}

/// Keys and values of a sequence's tokens so far, a pair of `[1, kv_heads, tokens, head_dim]` a
/// layer. Cloning shares the memory.
#[derive(Clone, Debug, Default)]
pub struct State {
    layers: Vec<(Tensor, Tensor)>,
    len: usize,
}

impl State {
    /// Tokens in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no tokens.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The state after its first `len` tokens.
    ///
    /// # Errors
    /// What the tensor library says.
    pub fn prefix(&self, len: usize) -> Result<State> {
        let len = len.min(self.len);
        let layers = self
            .layers
            .iter()
            .map(|(k, v)| Ok((k.narrow(2, 0, len)?, v.narrow(2, 0, len)?)))
            .collect::<Result<_>>()?;
        Ok(State { layers, len })
    }

    /// Bytes its keys and values take.
    pub fn bytes(&self) -> usize {
        let size = |t: &Tensor| t.elem_count() * t.dtype().size_in_bytes();
        self.layers.iter().map(|(k, v)| size(k) + size(v)).sum()
    }
}

/// `x · weightᵀ` for `[tokens, inputs]` and `[outputs, inputs]`.
fn linear(x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
    x.matmul(&weight.t()?)
}

fn tied(config: &DecoderConfig) -> bool {
    config.head == Head::Language { tied: true }
}

/// What is read from configurations and not computed here.
fn refuse_uncomputed(c: &DecoderConfig) -> Result<()> {
    let rotated = |c: &DecoderConfig| match &c.ropes[..] {
        [rope] => {
            rope.frequencies.len() * 2 == c.head_dim && rope.long.is_none() && rope.scale == 1.0
        }
        _ => false,
    };
    let limits = [
        (c.norms == Norms::Pre && !c.norm_adds_one, "these norms"),
        (c.query_key_norm == QueryKeyNorm::None, "norms of queries"),
        (!c.qkv_bias && !c.output_bias && !c.ffn_bias, "biases"),
        (c.activation == Activation::Silu, "this activation"),
        (c.embedding_scale == 1.0, "scaled embeddings"),
        (
            c.attention_cap.is_none() && c.final_cap.is_none(),
            "soft caps",
        ),
        (c.layers.iter().all(|l| l.window.is_none()), "windows"),
        (rotated(c), "this rotary embedding"),
        (matches!(c.head, Head::Language { .. }), "reward heads"),
    ];
    match limits.iter().find(|(fits, _)| !fits) {
        None => Ok(()),
        Some((_, what)) => Err(ModelError::Text(format!(
            "architecture `{}`: {what} cannot be computed yet",
            c.architecture
        ))),
    }
}

impl Decoder {
    /// Takes the weights it needs out of `tensors`.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape, named.
    pub fn new(
        config: DecoderConfig,
        tensors: &HashMap<String, Tensor>,
        device: &Device,
    ) -> Result<Self> {
        refuse_uncomputed(&config)?;
        let take = |name: String, shape: &[usize]| -> Result<Tensor> {
            let tensor = tensors
                .get(&name)
                .ok_or_else(|| ModelError::Text(format!("the weights have no tensor `{name}`")))?;
            if tensor.dims() != shape {
                let dims = tensor.dims();
                return Err(ModelError::Text(format!(
                    "tensor `{name}` is {dims:?}, {shape:?} expected by config.json"
                )));
            }
            Ok(tensor.to_dtype(DType::F32)?.to_device(device)?)
        };
        let c = &config;
        let (q_dim, kv_dim) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let layers = (0..c.layers.len())
            .map(|i| {
                let at = |part: &str| format!("model.layers.{i}.{part}.weight");
                Ok(Layer {
                    attention_norm: take(at("input_layernorm"), &[c.dim])?,
                    q: take(at("self_attn.q_proj"), &[q_dim, c.dim])?,
                    k: take(at("self_attn.k_proj"), &[kv_dim, c.dim])?,
                    v: take(at("self_attn.v_proj"), &[kv_dim, c.dim])?,
                    output: take(at("self_attn.o_proj"), &[c.dim, q_dim])?,
                    ffn_norm: take(at("post_attention_layernorm"), &[c.dim])?,
                    gate: take(at("mlp.gate_proj"), &[c.ffn, c.dim])?,
                    up: take(at("mlp.up_proj"), &[c.ffn, c.dim])?,
                    down: take(at("mlp.down_proj"), &[c.dim, c.ffn])?,
                })
            })
            .collect::<Result<_>>()?;
        let embedding = take("model.embed_tokens.weight".into(), &[c.vocab, c.dim])?;
        let head = match tied(c) {
            true => embedding.clone(),
            false => take("lm_head.weight".into(), &[c.vocab, c.dim])?,
        };
        // Angles in f64, whatever the weights' precision.
        let half = c.head_dim / 2;
        let mut cos = Vec::with_capacity(c.context * half);
        let mut sin = Vec::with_capacity(c.context * half);
        for position in 0..c.context {
            for rate in &c.ropes[0].frequencies {
                let angle = position as f64 * rate;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        Ok(Decoder {
            norm: take("model.norm.weight".into(), &[c.dim])?,
            cos: Tensor::from_vec(cos, (c.context, half), device)?,
            sin: Tensor::from_vec(sin, (c.context, half), device)?,
            device: device.clone(),
            embedding,
            layers,
            head,
            config,
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Number of weights (a tied head counted once).
    pub fn parameters(&self) -> u64 {
        let c = &self.config;
        let heads = (2 * c.heads + 2 * c.kv_heads) * c.head_dim * c.dim;
        let layer = heads + 3 * c.ffn * c.dim + 2 * c.dim;
        let ends = c.vocab * c.dim * if tied(c) { 1 } else { 2 };
        (c.layers.len() * layer + ends + c.dim) as u64
    }

    /// Runs `ids` after the tokens of `past`: hidden states after the last norm,
    /// `[ids, dim]`, and the state with them added.
    ///
    /// # Errors
    /// Sequences longer than the context, ids outside the vocabulary, or what the tensor library
    /// says.
    pub fn forward(&self, ids: &[u32], past: &State) -> Result<(Tensor, State)> {
        let c = &self.config;
        let (n, start) = (ids.len(), past.len);
        if start + n > c.context {
            return Err(ModelError::Text(format!(
                "{} tokens do not fit into the model's context of {}",
                start + n,
                c.context
            )));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= c.vocab) {
            return Err(ModelError::Text(format!(
                "token id {id} is outside the model's vocabulary of {}",
                c.vocab
            )));
        }
        let ids = Tensor::new(ids, &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        let (cos, sin) = (self.cos.narrow(0, start, n)?, self.sin.narrow(0, start, n)?);
        let mask = self.mask(n, start)?;
        let eps = c.norm_eps as f32;
        let mut layers = Vec::with_capacity(c.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let normed = ops::rms_norm(&x, &layer.attention_norm, eps)?;
            let by_head = |t: Tensor, heads: usize| -> candle_core::Result<Tensor> {
                t.reshape((1, n, heads, c.head_dim))?
                    .transpose(1, 2)?
                    .contiguous()
            };
            let q = rotary_emb::rope(&by_head(linear(&normed, &layer.q)?, c.heads)?, &cos, &sin)?;
            let k = rotary_emb::rope(
                &by_head(linear(&normed, &layer.k)?, c.kv_heads)?,
                &cos,
                &sin,
            )?;
            let v = by_head(linear(&normed, &layer.v)?, c.kv_heads)?;
            let (k, v) = match past.layers.get(i) {
                Some((past_k, past_v)) => (
                    Tensor::cat(&[past_k, &k], 2)?,
                    Tensor::cat(&[past_v, &v], 2)?,
                ),
                None => (k, v),
            };
            let attended = self.attend(&q, &k, &v, mask.as_ref())?;
            layers.push((k, v));
            x = (x + linear(&attended, &layer.output)?)?;
            let normed = ops::rms_norm(&x, &layer.ffn_norm, eps)?;
            let inner = (ops::silu(&linear(&normed, &layer.gate)?)? * linear(&normed, &layer.up)?)?;
            x = (x + linear(&inner, &layer.down)?)?;
        }
        let hidden = ops::rms_norm(&x, &self.norm, eps)?;
        let state = State {
            layers,
            len: start + n,
        };
        Ok((hidden, state))
    }

    /// `[n, start + n]`: 0 where a query may look, −∞ where it may not; nothing for one query.
    fn mask(&self, n: usize, start: usize) -> Result<Option<Tensor>> {
        if n == 1 {
            return Ok(None);
        }
        let all = start + n;
        let mask: Vec<f32> = (0..n)
            .flat_map(|i| {
                (0..all).map(move |j| {
                    if j > start + i {
                        f32::NEG_INFINITY
                    } else {
                        0.0
                    }
                })
            })
            .collect();
        Ok(Some(Tensor::from_vec(mask, (n, all), &self.device)?))
    }

    /// Scaled dot-product attention; `[n, heads · head_dim]` comes out.
    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let c = &self.config;
        let n = q.dim(2)?;
        let share = c.heads / c.kv_heads;
        // Query heads that share a key-value head are stacked, so keys are not copied.
        let q = q.reshape((c.kv_heads, share * n, c.head_dim))?;
        let (k, v) = (k.squeeze(0)?.contiguous()?, v.squeeze(0)?.contiguous()?);
        let scale = 1.0 / (c.head_dim as f64).sqrt();
        let scores = (q.matmul(&k.t()?)? * scale)?;
        let all = k.dim(1)?;
        let scores = match mask {
            Some(mask) => scores
                .reshape((c.heads, n, all))?
                .broadcast_add(mask)?
                .reshape((c.kv_heads, share * n, all))?,
            None => scores,
        };
        let attended = ops::softmax_last_dim(&scores)?.matmul(&v)?;
        Ok(attended
            .reshape((c.heads, n, c.head_dim))?
            .transpose(0, 1)?
            .reshape((n, c.heads * c.head_dim))?)
    }

    /// Log-probabilities over the vocabulary after the last of `hidden`'s rows, in f64.
    ///
    /// # Errors
    /// What the tensor library says.
    pub fn next_log_probs(&self, hidden: &Tensor) -> Result<Vec<f64>> {
        let last = hidden.i(hidden.dim(0)? - 1)?.unsqueeze(0)?;
        let logits: Vec<f32> = linear(&last, &self.head)?.squeeze(0)?.to_vec1()?;
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
        let log_sum = f64::from(max) + sum.ln();
        Ok(logits.iter().map(|l| f64::from(*l) - log_sum).collect())
    }

    /// The sum of the rows of hidden states, `[dim]`, for mean pooling.
    ///
    /// # Errors
    /// What the tensor library says.
    pub fn sum_rows(hidden: &Tensor) -> Result<Vec<f32>> {
        let rows = hidden.dim(D::Minus2)?;
        let ones = Tensor::ones((1, rows), DType::F32, hidden.device())?;
        Ok(ones.matmul(hidden)?.squeeze(0)?.to_vec1()?)
    }
}
