//! A decoder's shape from GGUF metadata and the table of tensors.

use std::collections::BTreeMap;

use super::super::architecture::{Activation, DecoderConfig, Head, LayerKind};
use super::super::{ModelError, Result};
use super::header::Entry;
use super::names::Family;
use super::rope;
use super::value::Metadata;

/// Sizes above this are no model's, and products of a few of them still fit.
const LARGEST: usize = 1 << 24;
const WIDEST_HEAD: usize = 1 << 16;

/// What configuring needs.
pub struct Source<'a> {
    pub family: Family,
    /// `general.architecture`: the prefix of keys.
    pub architecture: &'a str,
    pub metadata: &'a Metadata,
    pub tensors: &'a BTreeMap<String, Entry>,
}

impl Source<'_> {
    /// The architecture's own key.
    pub fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// An optional positive size.
    pub fn optional(&self, name: &str) -> Result<Option<usize>> {
        let key = self.key(name);
        match self.metadata.size(&key)? {
            Some(0) => Err(self.metadata.wrong(&key, "a positive number")),
            Some(n) if n > LARGEST => Err(self.metadata.wrong(&key, "a plausible number")),
            found => Ok(found),
        }
    }

    /// A positive size.
    pub fn size(&self, name: &str) -> Result<usize> {
        let missing = || self.metadata.wrong(&self.key(name), "a positive number");
        self.optional(name)?.ok_or_else(missing)
    }

    /// A number of this architecture.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.metadata.number(&self.key(name))
    }

    /// A count of heads: one number, or one a layer where all are the same.
    fn heads(&self, name: &str) -> Result<Option<usize>> {
        let key = self.key(name);
        if !self.metadata.is_array(&key) {
            return self.optional(name);
        }
        let each = self.metadata.numbers(&key)?.unwrap_or_default();
        match each.first() {
            Some(first) if each.iter().all(|n| n == first) && (1.0..1e6).contains(first) => {
                Ok(Some(*first as usize))
            }
            _ => Err(self.unsupported(format!("`{key}` differs between layers"))),
        }
    }

    /// Something that is not computed.
    pub fn unsupported(&self, cause: String) -> ModelError {
        ModelError::Unsupported {
            path: self.metadata.path().to_owned(),
            cause,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Rows and width of the embedding.
    fn embedding(&self) -> Result<(usize, usize)> {
        let path = self.metadata.path();
        match self.tensors.get("token_embd.weight").map(|e| &e.shape[..]) {
            Some(&[vocab, dim]) if vocab <= LARGEST => Ok((vocab, dim)),
            Some(shape) => Err(ModelError::file(
                path,
                format!("tensor `token_embd.weight` has shape {shape:?}"),
            )),
            None => Err(ModelError::file(
                path,
                "there is no tensor `token_embd.weight`",
            )),
        }
    }

    /// The window of each layer that has one.
    fn windows(&self, layers: usize) -> Result<Vec<Option<usize>>> {
        let key = self.key("attention.sliding_window");
        let window = match self.metadata.size(&key)? {
            // Written as zero where a model of the family has none.
            Some(0) => None,
            None if self.family == Family::Gemma2 => Some(4096),
            found => found,
        };
        let Some(window) = window else {
            return Ok(vec![None; layers]);
        };
        let key = self.key("attention.sliding_window_pattern");
        if self.metadata.is_array(&key) {
            let each = self.metadata.numbers(&key)?.unwrap_or_default();
            if each.len() < layers {
                return Err(self
                    .metadata
                    .wrong(&key, &format!("one value for each of {layers} layers")));
            }
            let window = |on: &f64| (*on != 0.0).then_some(window);
            return Ok(each[..layers].iter().map(window).collect());
        }
        // Every so many layers, the last sees everything; 1 would mean that all do.
        let period = match (self.metadata.size(&key)?, self.family) {
            (Some(period), _) => period,
            (None, Family::Gemma2) => 2,
            (None, Family::Gemma3) => 6,
            (None, Family::Olmo2) => 4,
            (None, _) => 0,
        };
        let sees_all = |layer: usize| period > 0 && (layer + 1).is_multiple_of(period);
        Ok((0..layers)
            .map(|layer| (!sees_all(layer)).then_some(window))
            .collect())
    }

    /// The factor on query · key.
    fn attention_scale(&self, sizes: (usize, usize, usize), layers: usize) -> Result<f64> {
        let (dim, heads, head_dim) = sizes;
        if let Some(scale) = self.number("attention.scale")?
            && scale != 0.0
        {
            return Ok(scale);
        }
        // The 27B models, known by their depth as llama.cpp knows them, were trained with another
        // width than their heads have; the file does not say so.
        let by = match (self.family, layers) {
            (Family::Gemma2, 46) | (Family::Gemma3, 62) => dim / heads,
            _ => head_dim,
        };
        Ok(1.0 / (by as f64).sqrt())
    }
}

/// Reads the shape; `rotary` reads a tensor of factors of the rotary embedding by its GGUF name.
///
/// # Errors
/// A missing or impossible value, or a part that is not computed, named.
pub fn read(
    s: &Source,
    end_tokens: Vec<u32>,
    rotary: &dyn Fn(&str) -> Result<Option<Vec<f32>>>,
) -> Result<DecoderConfig> {
    if s.metadata.size(&s.key("expert_count"))?.unwrap_or(0) > 0 {
        return Err(s.unsupported("a mixture of experts is not computed".into()));
    }
    if s.metadata.flag(&s.key("attention.causal"))? == Some(false) {
        return Err(s.unsupported("attention in both directions is not computed".into()));
    }
    let (vocab, dim) = s.embedding()?;
    if s.size("embedding_length")? != dim {
        let key = s.key("embedding_length");
        return Err(s
            .metadata
            .wrong(&key, &format!("{dim}, as the embedding has it,")));
    }
    let layers = s.size("block_count")?;
    if layers > s.tensors.len() {
        let key = s.key("block_count");
        return Err(s.metadata.wrong(&key, "no more layers than tensors"));
    }
    let heads = s.heads("attention.head_count")?;
    let heads = heads.ok_or_else(|| {
        s.metadata
            .wrong(&s.key("attention.head_count"), "a positive number")
    })?;
    let kv_heads = s.heads("attention.head_count_kv")?.unwrap_or(heads);
    let head_dim = match s.optional("attention.key_length")? {
        Some(length) => length,
        None => dim / heads,
    };
    let value_dim = s.optional("attention.value_length")?.unwrap_or(head_dim);
    if !heads.is_multiple_of(kv_heads)
        || !(2..=WIDEST_HEAD).contains(&head_dim)
        || head_dim % 2 == 1
        || value_dim != head_dim
    {
        return Err(s.unsupported(format!(
            "{heads} heads, {kv_heads} key-value heads and widths {head_dim} and {value_dim} do \
             not fit together"
        )));
    }
    let windows = s.windows(layers)?;
    let ropes = rope::read(s, head_dim, rotary)?;
    let gemma = s.family.is_gemma();
    let cap = |name: &str, usual: f64| -> Result<Option<f64>> {
        let cap = match (s.number(name)?, s.family) {
            (None, Family::Gemma2) => Some(usual),
            (found, _) => found,
        };
        Ok(cap.filter(|c| *c > 0.0))
    };
    let attention_cap = match s.family {
        Family::Gemma2 => cap("attn_logit_softcapping", 50.0)?,
        _ => None,
    };
    let final_cap = match gemma {
        true => cap("final_logit_softcapping", 30.0)?,
        false => None,
    };
    let epsilon = "attention.layer_norm_rms_epsilon";
    let norm_eps = s.number(epsilon)?.filter(|e| *e > 0.0);
    let norm_eps =
        norm_eps.ok_or_else(|| s.metadata.wrong(&s.key(epsilon), "a positive number"))?;
    let ffn = s.size("feed_forward_length")?;
    fit(s, layers, [dim, heads * head_dim, kv_heads * head_dim, ffn])?;
    let first = |name: &str| s.has(&format!("blk.0.{name}.bias"));
    Ok(DecoderConfig {
        architecture: s.architecture.to_owned(),
        vocab,
        dim,
        ffn,
        heads,
        kv_heads,
        head_dim,
        context: s.size("context_length")?,
        norm_eps,
        norm_adds_one: gemma,
        norms: s.family.norms(),
        query_key_norm: s.family.query_key_norm(),
        qkv_bias: first("attn_q") || first("attn_qkv"),
        output_bias: first("attn_output"),
        ffn_bias: ["ffn_gate", "ffn_up", "ffn_down"].into_iter().any(first),
        activation: match gemma {
            true => Activation::GeluTanh,
            false => Activation::Silu,
        },
        embedding_scale: match gemma {
            true => (dim as f64).sqrt(),
            false => 1.0,
        },
        attention_scale: s.attention_scale((dim, heads, head_dim), layers)?,
        attention_cap,
        final_cap,
        layers: windows
            .into_iter()
            .map(|window| LayerKind {
                window,
                rope: ropes.of(window),
            })
            .collect(),
        ropes: ropes.all,
        head: Head::Language {
            tied: !s.has("output.weight"),
        },
        end_tokens,
    })
}

/// That the layers' matrices have the shapes that the metadata speaks of: a wrong number of heads
/// would otherwise only show in what the model says.
fn fit(s: &Source, layers: usize, [dim, queries, keys, ffn]: [usize; 4]) -> Result<()> {
    let up = match s.family {
        Family::Phi3 => 2 * ffn,
        _ => ffn,
    };
    let expected = [
        ("attn_q", [queries, dim]),
        ("attn_k", [keys, dim]),
        ("attn_v", [keys, dim]),
        ("attn_qkv", [queries + 2 * keys, dim]),
        ("attn_output", [dim, queries]),
        ("ffn_gate", [ffn, dim]),
        ("ffn_up", [up, dim]),
        ("ffn_down", [dim, ffn]),
    ];
    for (layer, (name, shape)) in (0..layers).flat_map(|l| expected.map(|e| (l, e))) {
        let name = format!("blk.{layer}.{name}.weight");
        // One that is missing is named when it is asked for.
        let found = s.tensors.get(&name).map(|entry| &entry.shape);
        if let Some(found) = found.filter(|found| **found != shape) {
            let cause = format!("tensor `{name}` has shape {found:?}, {shape:?} expected");
            return Err(ModelError::file(s.metadata.path(), cause));
        }
    }
    Ok(())
}
