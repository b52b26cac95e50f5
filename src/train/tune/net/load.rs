//! A decoder's weights out of its files.

use std::ops::Range;

use half::bf16;

use super::{Embedding, Layer, Net, Tensor, Trained};
use crate::kernel::Format;
use crate::model::architecture::{DecoderConfig, Head, Norms, QueryKeyNorm};
use crate::model::tensors::{Reader, Tensors};
use crate::model::{ModelError, Result};
use crate::train::shape::Layout;
use crate::train::tune::lora::{Lora, Module, Site};
use crate::train::tune::ops::product::Weight;

/// Where read weights go.
struct Builder<'a> {
    reader: Reader<'a>,
    parameters: Vec<f32>,
    tensors: Vec<Tensor>,
    modules: Vec<Module>,
    /// The format of matrices that are kept packed alone.
    packed: Option<Format>,
}

impl Builder<'_> {
    fn keep(&mut self, name: String, shape: &[usize], values: &[f32]) -> Range<usize> {
        let start = self.parameters.len();
        self.parameters.extend_from_slice(values);
        let range = start..self.parameters.len();
        self.tensors.push(Tensor {
            name,
            shape: shape.to_vec(),
            range: range.clone(),
        });
        range
    }

    fn vector(&mut self, there: bool, name: &str, len: usize) -> Result<Option<Range<usize>>> {
        if !there {
            return Ok(None);
        }
        let name = format!("{name}.weight");
        let values = self.reader.take(&name, &[len])?;
        Ok(Some(self.keep(name, &[len], &values)))
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Weight> {
        self.side_by_side("", &[(name, outputs)], "", inputs, false, None)
    }

    /// Projections side by side, or what they are fused into in the file, as one product.
    fn side_by_side(
        &mut self,
        at: &str,
        parts: &[(&str, usize)],
        fused: &str,
        inputs: usize,
        biased: bool,
        place: Option<(usize, Site)>,
    ) -> Result<Weight> {
        let outputs: usize = parts.iter().map(|(_, n)| n).sum();
        let whole = [(fused, outputs)];
        let is_fused = !fused.is_empty() && self.reader.has(&format!("{at}.{fused}.weight"));
        let parts = if is_fused { &whole[..] } else { parts };
        let (mut all, start, mut from) = (Vec::new(), self.parameters.len(), 0);
        for (part, n) in parts {
            let module = match at {
                "" => (*part).to_owned(),
                at => format!("{at}.{part}"),
            };
            let name = format!("{module}.weight");
            let values = self.reader.take(&name, &[*n, inputs])?;
            match self.packed {
                None => drop(self.keep(name, &[*n, inputs], &values)),
                Some(_) => all.extend(values),
            }
            if let Some((layer, site)) = place {
                self.modules.push(Module {
                    name: module,
                    layer,
                    site,
                    from,
                    outputs: *n,
                    inputs,
                });
            }
            from += n;
        }
        let mut weight = match self.packed {
            None => Weight::dense(outputs, inputs, start..self.parameters.len()),
            Some(format) => Weight::packed(&all, outputs, inputs, format),
        };
        if biased {
            let start = self.parameters.len();
            for (part, n) in parts {
                let name = format!("{at}.{part}.bias");
                let values = self.reader.take(&name, &[*n])?;
                self.keep(name, &[*n], &values);
            }
            weight.bias = Some(start..self.parameters.len());
        }
        Ok(weight)
    }
}

impl Net {
    /// Takes a decoder's weights out of `tensors`; products are computed in `format` (f32 or bf16).
    ///
    /// # Errors
    /// A model without a language head, a tensor that is missing or has another shape, a target of the adapter that
    /// the model does not have.
    pub fn load(
        config: DecoderConfig,
        tensors: &dyn Tensors,
        trained: Trained,
        format: Format,
        seed: u64,
    ) -> Result<Self> {
        let Head::Language { tied } = config.head else {
            let cause = "a reward model has no language head to train: name a language model";
            return Err(ModelError::Text(cause.into()));
        };
        let frozen = trained != Trained::All;
        let mut build = Builder {
            reader: Reader::new(tensors),
            parameters: Vec::new(),
            tensors: Vec::new(),
            modules: Vec::new(),
            packed: (frozen && format != Format::F32).then_some(format),
        };
        let (vocab, dim) = (config.vocab, config.dim);
        let name = "model.embed_tokens.weight";
        let table = build.reader.take(name, &[vocab, dim])?;
        let (embedding, head) = match build.packed {
            Some(format) => {
                let half = table.iter().map(|w| bf16::from_f32(*w)).collect();
                let head = tied.then(|| Weight::packed(&table, vocab, dim, format));
                (Embedding::Half(half), head)
            }
            None => {
                let at = build.keep(name.into(), &[vocab, dim], &table);
                let head = tied.then(|| Weight::dense(vocab, dim, at.clone()));
                (Embedding::Dense(at), head)
            }
        };
        drop(table);
        let head = match head {
            Some(head) => head,
            None => build.matrix("lm_head", vocab, dim)?,
        };
        let layers = (0..config.layers.len())
            .map(|at| layer(&mut build, &config, at))
            .collect::<Result<_>>()?;
        let norm = build.vector(true, "model.norm", dim)?.unwrap_or_default();
        let adapter = match trained {
            Trained::All => None,
            Trained::Adapter(wanted) => {
                let lora = Lora::new(wanted, &build.modules, seed);
                Some(lora.map_err(ModelError::Text)?)
            }
        };
        let mut net = Net {
            config,
            parameters: build.parameters,
            tensors: build.tensors,
            embedding,
            layers,
            norm,
            head,
            adapter,
            format,
            modules: build.modules,
        };
        if !frozen {
            net.repack();
        }
        Ok(net)
    }
}

impl Net {
    /// A decoder whose weights lie in one vector already, as the starter's training has them.
    pub fn dense(config: DecoderConfig, layout: &Layout, weights: Vec<f32>) -> Self {
        let (dim, ffn) = (config.dim, config.ffn);
        let layers = layout.layers.iter().map(|at| Layer {
            before_attention: Some(at.attention_norm.clone()),
            query_norm: None,
            key_norm: None,
            qkv: Weight::dense(3 * dim, dim, at.qkv.clone()),
            output: Weight::dense(dim, dim, at.output.clone()),
            after_attention: None,
            before_ffn: Some(at.ffn_norm.clone()),
            gate_up: Weight::dense(2 * ffn, dim, at.gate_up.clone()),
            down: Weight::dense(dim, ffn, at.down.clone()),
            after_ffn: None,
        });
        Net {
            embedding: Embedding::Dense(layout.embedding.clone()),
            head: Weight::dense(config.vocab, dim, layout.embedding.clone()),
            layers: layers.collect(),
            norm: layout.norm.clone(),
            parameters: weights,
            tensors: Vec::new(),
            adapter: None,
            format: Format::F32,
            modules: Vec::new(),
            config,
        }
    }
}

fn layer(build: &mut Builder<'_>, c: &DecoderConfig, at: usize) -> Result<Layer> {
    let (q, kv) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let base = format!("model.layers.{at}");
    let (attention, mlp) = (format!("{base}.self_attn"), format!("{base}.mlp"));
    let name = |norm: &str| format!("{base}.{norm}");
    let pre = c.norms == Norms::Pre;
    let (before, after) = (c.norms != Norms::Post, !pre);
    let both = c.norms == Norms::PreAndPost;
    let normed = c.query_key_norm != QueryKeyNorm::None;
    let (query_len, key_len) = match c.query_key_norm {
        QueryKeyNorm::Whole => (q, kv),
        _ => (c.head_dim, c.head_dim),
    };
    let before_attention = build.vector(before, &name("input_layernorm"), c.dim)?;
    let after_attention = build.vector(after, &name("post_attention_layernorm"), c.dim)?;
    let before_ffn = match pre {
        true => build.vector(true, &name("post_attention_layernorm"), c.dim)?,
        false => build.vector(both, &name("pre_feedforward_layernorm"), c.dim)?,
    };
    let after_ffn = build.vector(after, &name("post_feedforward_layernorm"), c.dim)?;
    let query_norm = build.vector(normed, &name("self_attn.q_norm"), query_len)?;
    let key_norm = build.vector(normed, &name("self_attn.k_norm"), key_len)?;
    Ok(Layer {
        before_attention,
        query_norm,
        key_norm,
        qkv: build.side_by_side(
            &attention,
            &[("q_proj", q), ("k_proj", kv), ("v_proj", kv)],
            "qkv_proj",
            c.dim,
            c.qkv_bias,
            Some((at, Site::Qkv)),
        )?,
        output: build.side_by_side(
            &attention,
            &[("o_proj", c.dim)],
            "",
            q,
            c.output_bias,
            Some((at, Site::Output)),
        )?,
        after_attention,
        before_ffn,
        gate_up: build.side_by_side(
            &mlp,
            &[("gate_proj", c.ffn), ("up_proj", c.ffn)],
            "gate_up_proj",
            c.dim,
            c.ffn_bias,
            Some((at, Site::GateUp)),
        )?,
        down: build.side_by_side(
            &mlp,
            &[("down_proj", c.dim)],
            "",
            c.ffn,
            c.ffn_bias,
            Some((at, Site::Down)),
        )?,
        after_ffn,
    })
}
