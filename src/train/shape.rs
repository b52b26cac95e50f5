//! The shape of a llama-like decoder and where each tensor lies in one flat parameter vector.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::tune::net::Net;
use crate::model::architecture::{
    Activation, DecoderConfig, Head, LayerKind, Norms, QueryKeyNorm, Rope,
};

/// Sizes of a llama-shaped decoder with tied input and output embeddings and as many key-value
/// heads as query heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Number of token ids.
    pub vocab: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads; `dim` must be a multiple of twice this number.
    pub heads: usize,
    /// Width of the gated feed-forward layer.
    pub ffn: usize,
    /// Longest position + 1.
    pub context: usize,
    /// RoPE base.
    #[serde(default = "default_theta")]
    pub rope_theta: f32,
    /// Added to the mean square in RMSNorm.
    #[serde(default = "default_eps")]
    pub norm_eps: f32,
}

fn default_theta() -> f32 {
    10_000.0
}

fn default_eps() -> f32 {
    1e-5
}

/// One named tensor of the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name in Hugging Face's llama layout.
    pub name: String,
    /// Rows (outputs) and columns (inputs); a vector has one row.
    pub rows: usize,
    /// See `rows`.
    pub cols: usize,
    /// Its place in the flat vector.
    pub range: Range<usize>,
}

impl Tensor {
    /// Whether it is a weight matrix inside a block (neither a norm nor the embedding).
    pub fn is_hidden_matrix(&self) -> bool {
        self.rows > 1 && self.name.contains(".layers.")
    }
}

/// Offsets of one block. `qkv` are three `[dim, dim]` matrices in a row, `gate_up` two
/// `[ffn, dim]`, so each can be used as one product or as its parts.
#[derive(Clone, Debug)]
pub struct LayerAt {
    pub attention_norm: Range<usize>,
    pub qkv: Range<usize>,
    pub output: Range<usize>,
    pub ffn_norm: Range<usize>,
    pub gate_up: Range<usize>,
    pub down: Range<usize>,
}

/// Where everything lies.
#[derive(Clone, Debug)]
pub struct Layout {
    pub embedding: Range<usize>,
    pub layers: Vec<LayerAt>,
    pub norm: Range<usize>,
    /// Length of the flat vector.
    pub len: usize,
}

impl Shape {
    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    /// Why this shape cannot be built, if it cannot.
    pub fn problem(&self) -> Option<String> {
        let positive = [
            self.vocab,
            self.dim,
            self.layers,
            self.heads,
            self.ffn,
            self.context,
        ];
        if positive.contains(&0) {
            return Some("every size of [model] must be at least 1".into());
        }
        if !self.dim.is_multiple_of(2 * self.heads) {
            return Some(format!(
                "dim = {} must be a multiple of 2 · heads = {}",
                self.dim,
                2 * self.heads
            ));
        }
        None
    }

    /// Offsets of all tensors.
    pub fn layout(&self) -> Layout {
        let mut end = 0;
        let mut take = |n: usize| {
            end += n;
            end - n..end
        };
        let (d, f) = (self.dim, self.ffn);
        let embedding = take(self.vocab * d);
        let layers = (0..self.layers)
            .map(|_| LayerAt {
                attention_norm: take(d),
                qkv: take(3 * d * d),
                output: take(d * d),
                ffn_norm: take(d),
                gate_up: take(2 * f * d),
                down: take(d * f),
            })
            .collect();
        let norm = take(d);
        Layout {
            embedding,
            layers,
            norm,
            len: end,
        }
    }

    /// What the decoder computes.
    fn config(&self) -> DecoderConfig {
        let (width, half) = (self.head_dim(), self.head_dim() / 2);
        let theta = f64::from(self.rope_theta);
        let frequency = |i| theta.powf(-(i as f64) / half as f64);
        DecoderConfig {
            architecture: "llama".into(),
            vocab: self.vocab,
            dim: self.dim,
            ffn: self.ffn,
            heads: self.heads,
            kv_heads: self.heads,
            head_dim: width,
            context: self.context,
            norm_eps: f64::from(self.norm_eps),
            norm_adds_one: false,
            norms: Norms::Pre,
            query_key_norm: QueryKeyNorm::None,
            qkv_bias: false,
            output_bias: false,
            ffn_bias: false,
            activation: Activation::Silu,
            embedding_scale: 1.0,
            attention_scale: (width as f64).sqrt().recip(),
            attention_cap: None,
            final_cap: None,
            layers: vec![
                LayerKind {
                    window: None,
                    rope: 0
                };
                self.layers
            ],
            ropes: vec![Rope {
                frequencies: (0..half).map(frequency).collect(),
                long: None,
                scale: 1.0,
            }],
            head: Head::Language { tied: true },
            end_tokens: Vec::new(),
        }
    }

    /// A decoder of this shape, all of whose weights (in the order of [`Shape::layout`]) are trained.
    pub fn net(&self, weights: Vec<f32>) -> Net {
        Net::dense(self.config(), &self.layout(), weights)
    }

    /// All tensors by their Hugging Face names, in the order of the flat vector.
    pub fn tensors(&self) -> Vec<Tensor> {
        let layout = self.layout();
        let (d, f) = (self.dim, self.ffn);
        let tensor = |name: String, rows: usize, cols: usize, start: usize| Tensor {
            name,
            rows,
            cols,
            range: start..start + rows * cols,
        };
        let mut all = vec![tensor(
            "model.embed_tokens.weight".into(),
            self.vocab,
            d,
            layout.embedding.start,
        )];
        for (i, at) in layout.layers.iter().enumerate() {
            let name = |part: &str| format!("model.layers.{i}.{part}.weight");
            let q = at.qkv.start;
            all.push(tensor(
                name("input_layernorm"),
                1,
                d,
                at.attention_norm.start,
            ));
            all.push(tensor(name("self_attn.q_proj"), d, d, q));
            all.push(tensor(name("self_attn.k_proj"), d, d, q + d * d));
            all.push(tensor(name("self_attn.v_proj"), d, d, q + 2 * d * d));
            all.push(tensor(name("self_attn.o_proj"), d, d, at.output.start));
            all.push(tensor(
                name("post_attention_layernorm"),
                1,
                d,
                at.ffn_norm.start,
            ));
            all.push(tensor(name("mlp.gate_proj"), f, d, at.gate_up.start));
            all.push(tensor(name("mlp.up_proj"), f, d, at.gate_up.start + f * d));
            all.push(tensor(name("mlp.down_proj"), d, f, at.down.start));
        }
        all.push(tensor("model.norm.weight".into(), 1, d, layout.norm.start));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_tile_the_flat_vector() {
        let shape = Shape {
            vocab: 11,
            dim: 8,
            layers: 2,
            heads: 2,
            ffn: 12,
            context: 16,
            rope_theta: 1e4,
            norm_eps: 1e-5,
        };
        let mut end = 0;
        for t in shape.tensors() {
            assert_eq!(t.range.start, end, "{}", t.name);
            end = t.range.end;
        }
        assert_eq!(end, shape.layout().len);
        assert!(shape.problem().is_none());
        assert!(Shape { heads: 3, ..shape }.problem().is_some());
    }
}
