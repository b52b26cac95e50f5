//! The decoder forward: packed sequences over a tree of shared prefixes, one for every
//! architecture ([`DecoderConfig`]) and every device ([`Compute`]).

pub mod accelerator;
pub mod compute;
pub mod cpu;
pub mod pass;

use std::sync::Arc;

use compute::{AttentionAt, Compute};
use pass::Pass;

use super::architecture::{DecoderConfig, Head, Norms, QueryKeyNorm};
use super::tensors::{Reader, Tensors};
use super::{ModelError, Result};

struct Layer<C: Compute> {
    before_attention: Option<C::Vector>,
    query_norm: Option<C::Vector>,
    key_norm: Option<C::Vector>,
    /// Queries, keys and values side by side.
    qkv: C::Matrix,
    output: C::Matrix,
    after_attention: Option<C::Vector>,
    before_ffn: Option<C::Vector>,
    /// Gate and up side by side.
    gate_up: C::Matrix,
    down: C::Matrix,
    after_ffn: Option<C::Vector>,
}

/// A decoder on a device.
pub struct Decoder<C: Compute> {
    device: Arc<C>,
    config: DecoderConfig,
    embedding: C::Table,
    layers: Vec<Layer<C>>,
    norm: C::Vector,
    head: C::Matrix,
    parameters: u64,
}

impl<C: Compute> Decoder<C> {
    /// Takes its weights out of `tensors`, one at a time; `progress(done, total)` counts layers.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape than the configuration says, or cannot be read.
    pub fn load(
        device: Arc<C>,
        config: DecoderConfig,
        tensors: &dyn Tensors,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self> {
        let c = &config;
        let mut reader = Reader::new(tensors);
        let total = c.layers.len() as u64 + 1;
        progress(0, total);
        let table = reader.take("model.embed_tokens.weight", &[c.vocab, c.dim])?;
        let embedding = device.table(&table, c.vocab, c.dim)?;
        let head = match c.head {
            Head::Language { tied: true } => device.matrix(&table, c.vocab, c.dim, None)?,
            Head::Language { tied: false } => {
                drop(table);
                let head = reader.take("lm_head.weight", &[c.vocab, c.dim])?;
                device.matrix(&head, c.vocab, c.dim, None)?
            }
            Head::Reward { labels } => {
                drop(table);
                let head = reader.take("score.weight", &[labels, c.dim])?;
                device.matrix(&head, labels, c.dim, None)?
            }
        };
        let mut layers = Vec::with_capacity(c.layers.len());
        for at in 0..c.layers.len() {
            progress(at as u64 + 1, total);
            layers.push(layer(&*device, c, &mut reader, at)?);
        }
        let norm = vector(&*device, c, &mut reader, "model.norm", c.dim)?;
        progress(total, total);
        Ok(Decoder {
            parameters: reader.parameters,
            device,
            embedding,
            layers,
            norm,
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
        self.parameters
    }

    /// Its device.
    pub fn device(&self) -> &C {
        &self.device
    }

    /// Room for the keys and values of `capacity` tokens.
    ///
    /// # Errors
    /// What the device says.
    pub fn keys(&self, capacity: usize) -> Result<C::Keys> {
        self.device.keys(&self.config, capacity)
    }

    /// Runs a pass: the wanted hidden states after the last norm, `[wanted, dim]`; the segments'
    /// keys and values are there afterwards. `pause` is called before every layer and may stop it.
    ///
    /// # Errors
    /// Sequences longer than the context, ids outside the vocabulary, what the device or `pause`
    /// says.
    pub fn forward<E: From<ModelError>>(
        &self,
        pass: &mut Pass<C::Keys>,
        pause: &mut dyn FnMut() -> std::result::Result<(), E>,
    ) -> std::result::Result<C::Rows, E> {
        let c = &self.config;
        self.check(pass)?;
        let wanted = pass.wanted_rows();
        let ids: Vec<u32> = pass.segments.iter().flat_map(|s| &s.ids).copied().collect();
        let device = &*self.device;
        let mut x = device.embed(&self.embedding, &ids, c.embedding_scale)?;
        let eps = c.norm_eps;
        for (at, layer) in self.layers.iter().enumerate() {
            pause()?;
            // Above the last layer's keys and values, only what is wanted is computed.
            let is_last = at + 1 == self.layers.len();
            let asking = (is_last && wanted.len() < ids.len()).then_some(wanted.as_slice());
            let normed = match &layer.before_attention {
                Some(norm) => device.product(&device.norm(&x, norm, eps)?, &layer.qkv),
                None => device.product(&x, &layer.qkv),
            };
            let about = AttentionAt {
                config: c,
                layer: at,
                query_norm: layer.query_norm.as_ref(),
                key_norm: layer.key_norm.as_ref(),
                asking,
            };
            let attended = device.attend(&about, normed?, pass)?;
            if let Some(rows) = asking {
                x = device.pick(&x, rows)?;
            }
            let mut y = device.product(&attended, &layer.output)?;
            if let Some(norm) = &layer.after_attention {
                y = device.norm(&y, norm, eps)?;
            }
            device.add(&mut x, &y)?;
            let both = match &layer.before_ffn {
                Some(norm) => device.product(&device.norm(&x, norm, eps)?, &layer.gate_up),
                None => device.product(&x, &layer.gate_up),
            };
            let mut y = device.product(&device.gate(both?, c.activation)?, &layer.down)?;
            if let Some(norm) = &layer.after_ffn {
                y = device.norm(&y, norm, eps)?;
            }
            device.add(&mut x, &y)?;
        }
        device.grown(pass);
        Ok(device.norm(&x, &self.norm, eps)?)
    }

    /// Logits of the head for hidden states, `[rows, vocab]` (or `[rows, labels]` of a reward head);
    /// of the outputs `of` alone, `[rows, of]`.
    ///
    /// # Errors
    /// Outputs that the head does not have; what the device says.
    pub fn logits(&self, hidden: &C::Rows, of: Option<&[u32]>) -> Result<Vec<f32>> {
        let outputs = match self.config.head {
            Head::Language { .. } => self.config.vocab,
            Head::Reward { labels } => labels,
        };
        let product = match of {
            None => self.device.product(hidden, &self.head),
            Some(ids) => match ids.iter().find(|id| **id as usize >= outputs) {
                Some(id) => Err(ModelError::Text(format!(
                    "token id {id} is outside the head's {outputs} outputs"
                ))),
                None => self.device.product_of(hidden, &self.head, ids),
            },
        };
        let mut logits = self.device.read(&product?)?;
        if let Some(cap) = self.config.final_cap {
            let cap = cap as f32;
            logits.iter_mut().for_each(|l| *l = cap * (*l / cap).tanh());
        }
        Ok(logits)
    }

    fn check(&self, pass: &Pass<C::Keys>) -> Result<()> {
        let c = &self.config;
        for (at, segment) in pass.segments.iter().enumerate() {
            let end = pass.start(at) + segment.ids.len();
            if end > c.context {
                return Err(ModelError::Text(format!(
                    "{end} tokens do not fit into the model's context of {}",
                    c.context
                )));
            }
            if let Some(id) = segment.ids.iter().find(|id| **id as usize >= c.vocab) {
                return Err(ModelError::Text(format!(
                    "token id {id} is outside the model's vocabulary of {}",
                    c.vocab
                )));
            }
        }
        Ok(())
    }
}

fn vector<C: Compute>(
    device: &C,
    c: &DecoderConfig,
    reader: &mut Reader<'_>,
    name: &str,
    len: usize,
) -> Result<C::Vector> {
    let mut weights = reader.take(&format!("{name}.weight"), &[len])?;
    if c.norm_adds_one {
        weights.iter_mut().for_each(|w| *w += 1.0);
    }
    device.vector(weights)
}

fn layer<C: Compute>(
    device: &C,
    c: &DecoderConfig,
    reader: &mut Reader<'_>,
    at: usize,
) -> Result<Layer<C>> {
    let (q_dim, kv_dim) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let base = format!("model.layers.{at}");
    let attention = format!("{base}.self_attn");
    let mlp = format!("{base}.mlp");
    let norm = |reader: &mut Reader<'_>, there: bool, name: &str, len: usize| {
        there
            .then(|| vector(device, c, reader, &format!("{base}.{name}"), len))
            .transpose()
    };
    let (pre, post, both) = (
        c.norms == Norms::Pre,
        c.norms == Norms::Post,
        c.norms == Norms::PreAndPost,
    );
    let before_attention = norm(reader, pre || both, "input_layernorm", c.dim)?;
    let after_attention = norm(reader, post || both, "post_attention_layernorm", c.dim)?;
    let before_ffn = match pre {
        true => norm(reader, true, "post_attention_layernorm", c.dim)?,
        false => norm(reader, both, "pre_feedforward_layernorm", c.dim)?,
    };
    let after_ffn = norm(reader, post || both, "post_feedforward_layernorm", c.dim)?;
    let (query_len, key_len) = match c.query_key_norm {
        QueryKeyNorm::Whole => (q_dim, kv_dim),
        _ => (c.head_dim, c.head_dim),
    };
    let normed = c.query_key_norm != QueryKeyNorm::None;
    let query_norm = norm(reader, normed, "self_attn.q_norm", query_len)?;
    let key_norm = norm(reader, normed, "self_attn.k_norm", key_len)?;
    let parts = [("q_proj", q_dim), ("k_proj", kv_dim), ("v_proj", kv_dim)];
    let (weights, outputs) = reader.stacked(&attention, "qkv_proj", &parts, c.dim)?;
    let bias = reader.biases(&attention, &parts, c.qkv_bias)?;
    let qkv = device.matrix(&weights, outputs, c.dim, bias)?;
    let weights = reader.take(&format!("{attention}.o_proj.weight"), &[c.dim, q_dim])?;
    let bias = reader.biases(&attention, &[("o_proj", c.dim)], c.output_bias)?;
    let output = device.matrix(&weights, c.dim, q_dim, bias)?;
    let parts = [("gate_proj", c.ffn), ("up_proj", c.ffn)];
    let (weights, outputs) = reader.stacked(&mlp, "gate_up_proj", &parts, c.dim)?;
    let bias = reader.biases(&mlp, &parts, c.ffn_bias)?;
    let gate_up = device.matrix(&weights, outputs, c.dim, bias)?;
    let weights = reader.take(&format!("{mlp}.down_proj.weight"), &[c.dim, c.ffn])?;
    let bias = reader.biases(&mlp, &[("down_proj", c.dim)], c.ffn_bias)?;
    let down = device.matrix(&weights, c.dim, c.ffn, bias)?;
    Ok(Layer {
        before_attention,
        query_norm,
        key_norm,
        qkv,
        output,
        after_attention,
        before_ffn,
        gate_up,
        down,
        after_ffn,
    })
}
