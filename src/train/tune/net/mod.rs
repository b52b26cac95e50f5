//! A decoder that can be trained: its weights, its forward over a pack, and its backward.

mod backward;
mod forward;
mod load;
#[cfg(test)]
mod oracle;
#[cfg(test)]
pub(super) mod tests;

use std::ops::Range;

use half::bf16;

use super::lora::{Lora, LoraConfig, Module, Place, Scratch, Site};
use super::ops::dropout::mix;
use super::ops::product::Weight;
use super::ops::rope::Rotation;
use crate::kernel::Format;
use crate::model::architecture::DecoderConfig;

/// What of a model is trained.
#[derive(Clone, Debug, PartialEq)]
pub enum Trained {
    /// Every weight.
    All,
    /// An adapter; the weights stay.
    Adapter(LoraConfig),
}

/// A tensor among the parameters, under Hugging Face's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub range: Range<usize>,
}

/// Token embeddings.
enum Embedding {
    Dense(Range<usize>),
    /// Of a frozen model in half the bytes.
    Half(Vec<bf16>),
}

struct Layer {
    before_attention: Option<Range<usize>>,
    query_norm: Option<Range<usize>>,
    key_norm: Option<Range<usize>>,
    qkv: Weight,
    output: Weight,
    after_attention: Option<Range<usize>>,
    before_ffn: Option<Range<usize>>,
    gate_up: Weight,
    down: Weight,
    after_ffn: Option<Range<usize>>,
}

/// A decoder with its weights.
pub struct Net {
    pub config: DecoderConfig,
    /// Everything that is kept in f32. Where all weights are trained, these are the master weights.
    pub parameters: Vec<f32>,
    /// What lies where among them.
    pub tensors: Vec<Tensor>,
    embedding: Embedding,
    layers: Vec<Layer>,
    norm: Range<usize>,
    pub(super) head: Weight,
    pub adapter: Option<Lora>,
    format: Format,
    /// Projections that an adapter may change.
    pub modules: Vec<Module>,
}

impl Net {
    /// The numbers that are trained.
    pub fn trained(&self) -> &[f32] {
        match &self.adapter {
            Some(adapter) => &adapter.values,
            None => &self.parameters,
        }
    }

    /// Changes the numbers that are trained.
    pub fn change(&mut self, change: impl FnOnce(&mut [f32])) {
        match &mut self.adapter {
            Some(adapter) => change(&mut adapter.values),
            None => {
                change(&mut self.parameters);
                self.repack();
            }
        }
    }

    /// Stretches of what is trained that do not decay: norms and biases.
    pub fn spared(&self) -> Vec<Range<usize>> {
        let vectors = self.tensors.iter().filter(|t| t.shape.len() == 1);
        match self.all() {
            true => vectors.map(|t| t.range.clone()).collect(),
            false => Vec::new(),
        }
    }

    /// Packs weights that are multiplied in another format than they are trained in.
    fn repack(&mut self) {
        if self.format == Format::F32 {
            return;
        }
        let (parameters, format) = (&self.parameters, self.format);
        for layer in &mut self.layers {
            for weight in [
                &mut layer.qkv,
                &mut layer.output,
                &mut layer.gate_up,
                &mut layer.down,
            ] {
                weight.repack(parameters, format);
            }
        }
        self.head.repack(parameters, format);
    }

    /// The token embeddings, `[vocab, dim]`; nothing where they are kept in half the bytes.
    pub fn table(&self) -> &[f32] {
        &self.parameters[self.table_at()]
    }

    /// Where these are among the parameters.
    pub fn table_at(&self) -> Range<usize> {
        match &self.embedding {
            Embedding::Dense(at) => at.clone(),
            Embedding::Half(_) => 0..0,
        }
    }

    /// Whether every weight is trained.
    pub fn all(&self) -> bool {
        self.adapter.is_none()
    }

    /// Weights of a norm as they multiply.
    fn norm_weight(&self, at: &Range<usize>) -> Vec<f32> {
        let plus = f32::from(u8::from(self.config.norm_adds_one));
        let weights = self.parameters[at.clone()].iter();
        weights.map(|w| w + plus).collect()
    }

    /// Floats that [`Tape`] keeps for a token in one layer.
    pub fn kept_floats(&self) -> usize {
        let c = &self.config;
        let qkv = (c.heads + 2 * c.kv_heads) * c.head_dim;
        2 * c.dim + qkv + c.heads * (c.head_dim + 1) + 2 * c.ffn
    }
}

/// Activations of one layer that its backward needs.
#[derive(Default)]
struct Kept {
    /// Residual stream coming in, `[tokens, dim]`.
    input: Vec<f32>,
    /// Queries, keys and values before their norms, where they have any.
    raw: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    log_sums: Vec<f32>,
    /// What attention adds, before its norm, where it has one.
    attention_out: Vec<f32>,
    /// Residual stream after attention.
    middle: Vec<f32>,
    gate_up: Vec<f32>,
    /// What the feed-forward block adds, before its norm, where it has one.
    ffn_out: Vec<f32>,
}

/// How a pass is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Without the adapter.
    pub base: bool,
    /// Seeds what is dropped; without one, nothing is.
    pub dropout: Option<u64>,
    /// Keep the layers' inputs alone and compute the rest again on the way back.
    pub recompute: bool,
    /// Nothing is kept: there is no way back.
    pub forget: bool,
}

impl Manner {
    /// To see what comes out, and no way back.
    pub fn looking() -> Self {
        Manner {
            forget: true,
            ..Manner::default()
        }
    }

    /// The same without the adapter.
    pub fn base() -> Self {
        Manner {
            base: true,
            ..Manner::looking()
        }
    }

    /// Where an adapter is asked.
    fn place(self, layer: usize, site: Site) -> Place {
        Place {
            layer,
            site,
            key: self.dropout.map(|seed| mix(seed, layer as u64)),
        }
    }

    /// Whose buffers a layer uses.
    fn slot(self, layer: usize) -> usize {
        match self.recompute || self.forget {
            true => 0,
            false => layer,
        }
    }
}

/// What a forward pass leaves behind; buffers are kept between passes.
#[derive(Default)]
pub struct Tape {
    manner: Manner,
    layers: Vec<Kept>,
    /// Residual streams coming in, where the rest is computed again.
    inputs: Vec<Vec<f32>>,
    stream: Vec<f32>,
    /// After the last norm, `[tokens, dim]`.
    pub hidden: Vec<f32>,
    rotations: Vec<Rotation>,
    rotated: (usize, bool),
    normed: Vec<f32>,
    inner: Vec<f32>,
    wide: Vec<f32>,
    lora: Scratch,
}
