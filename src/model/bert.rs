//! Encoders of the BERT family as sentence embedders (the layout of all-MiniLM-L6-v2).

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::decoder::compute::Compute;
use super::tensors::{Reader, Tensors};
use super::{ModelError, Result, files};

/// What `config.json` says.
#[derive(Deserialize)]
struct Config {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".into()
}

/// A layer norm's weight and bias.
struct Norm<C: Compute>(C::Vector, C::Vector);

struct Layer<C: Compute> {
    /// Queries, keys and values side by side.
    qkv: C::Matrix,
    attended: C::Matrix,
    after_attention: Norm<C>,
    up: C::Matrix,
    down: C::Matrix,
    after_ffn: Norm<C>,
}

/// A loaded encoder.
pub struct Bert<C: Compute> {
    device: Arc<C>,
    words: C::Table,
    /// Those of the first kind of text added.
    positions: C::Table,
    norm: Norm<C>,
    layers: Vec<Layer<C>>,
    eps: f64,
    heads: usize,
    /// Width of its hidden states.
    pub dim: usize,
    /// Longest text in tokens, the two special ones included.
    pub max_tokens: usize,
    vocab: usize,
    pub parameters: u64,
}

impl<C: Compute> Bert<C> {
    /// Builds it from a folder's configuration and its tensors.
    ///
    /// # Errors
    /// A malformed configuration, a part that is not computed, a missing tensor, named.
    pub fn load(folder: &Path, device: Arc<C>, tensors: &dyn Tensors) -> Result<Self> {
        let path = folder.join("config.json");
        let json = files::read_json(&path)?;
        let c: Config = serde_json::from_value(json).map_err(|e| ModelError::file(&path, e))?;
        let refused = |cause: String| ModelError::Unsupported {
            path: path.clone(),
            cause,
        };
        if c.hidden_act != "gelu" {
            let cause = format!("hidden_act `{}` is not computed (gelu is)", c.hidden_act);
            return Err(refused(cause));
        }
        if c.position_embedding_type != "absolute" {
            return Err(refused(format!(
                "position_embedding_type `{}` is not computed (absolute is)",
                c.position_embedding_type
            )));
        }
        if c.num_attention_heads == 0 || !c.hidden_size.is_multiple_of(c.num_attention_heads) {
            return Err(refused(format!(
                "hidden_size {} does not divide into {} heads",
                c.hidden_size, c.num_attention_heads
            )));
        }
        let mut reader = Reader::new(tensors);
        // Whole models keep the encoder under a name of its own.
        let prefix = match reader.has("bert.embeddings.word_embeddings.weight") {
            true => "bert.",
            false => "",
        };
        let at = format!("{prefix}embeddings");
        let dim = c.hidden_size;
        let table = |reader: &mut Reader<'_>, name: &str, rows| {
            reader.take(&format!("{at}.{name}_embeddings.weight"), &[rows, dim])
        };
        let words = table(&mut reader, "word", c.vocab_size)?;
        let words = device.table(&words, c.vocab_size, dim)?;
        let mut positions = table(&mut reader, "position", c.max_position_embeddings)?;
        let kinds = table(&mut reader, "token_type", c.type_vocab_size)?;
        for row in positions.chunks_mut(dim) {
            row.iter_mut().zip(&kinds).for_each(|(p, k)| *p += k);
        }
        let positions = device.table(&positions, c.max_position_embeddings, dim)?;
        let norm = norm(&*device, &mut reader, &at, dim)?;
        let layers = (0..c.num_hidden_layers)
            .map(|layer| {
                let at = format!("{prefix}encoder.layer.{layer}");
                read_layer(&*device, &mut reader, &at, &c)
            })
            .collect::<Result<_>>()?;
        let sentence = files::read_json(&folder.join("sentence_bert_config.json"));
        let limit = sentence.ok().and_then(|j| j["max_seq_length"].as_u64());
        let max_tokens = limit.map_or(c.max_position_embeddings, |n| n as usize);
        Ok(Bert {
            words,
            positions,
            norm,
            layers,
            eps: c.layer_norm_eps,
            heads: c.num_attention_heads,
            dim,
            max_tokens: max_tokens.min(c.max_position_embeddings),
            vocab: c.vocab_size,
            parameters: reader.parameters,
            device,
        })
    }

    /// Hidden states of the last layer of some texts, computed together: `[ids of all, dim]`.
    ///
    /// # Errors
    /// A text that is too long, an id outside the vocabulary, what the device says.
    pub fn forward(&self, texts: &[&[u32]]) -> Result<Vec<f32>> {
        let (mut ids, mut places, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            if text.len() > self.max_tokens {
                return Err(ModelError::Text(format!(
                    "{} tokens do not fit into the encoder's context of {}",
                    text.len(),
                    self.max_tokens
                )));
            }
            if let Some(id) = text.iter().find(|id| **id as usize >= self.vocab) {
                return Err(ModelError::Text(format!(
                    "token id {id} is outside the encoder's vocabulary of {}",
                    self.vocab
                )));
            }
            ranges.push(ids.len()..ids.len() + text.len());
            ids.extend_from_slice(text);
            places.extend(0..text.len() as u32);
        }
        let hidden = self.hidden(&ids, &places, &ranges)?;
        self.device.read(&hidden)
    }

    fn hidden(&self, ids: &[u32], places: &[u32], texts: &[Range<usize>]) -> Result<C::Rows> {
        let device = &*self.device;
        let mut x = device.embed(&self.words, ids, 1.0)?;
        device.add(&mut x, &device.embed(&self.positions, places, 1.0)?)?;
        let norm = |x: &C::Rows, Norm(weight, bias): &Norm<C>| {
            device.layer_norm(x, weight, bias, self.eps)
        };
        let mut x = norm(&x, &self.norm)?;
        for layer in &self.layers {
            let qkv = device.product(&x, &layer.qkv)?;
            let seen = device.attend_among(&qkv, self.heads, texts)?;
            device.add(&mut x, &device.product(&seen, &layer.attended)?)?;
            x = norm(&x, &layer.after_attention)?;
            let up = device.gelu(device.product(&x, &layer.up)?)?;
            device.add(&mut x, &device.product(&up, &layer.down)?)?;
            x = norm(&x, &layer.after_ffn)?;
        }
        Ok(x)
    }
}

fn norm<C: Compute>(device: &C, reader: &mut Reader<'_>, at: &str, dim: usize) -> Result<Norm<C>> {
    let weight = reader.take(&format!("{at}.LayerNorm.weight"), &[dim])?;
    let bias = reader.take(&format!("{at}.LayerNorm.bias"), &[dim])?;
    Ok(Norm(device.vector(weight)?, device.vector(bias)?))
}

fn dense<C: Compute>(
    device: &C,
    reader: &mut Reader<'_>,
    at: &str,
    (outputs, inputs): (usize, usize),
) -> Result<C::Matrix> {
    let weights = reader.take(&format!("{at}.weight"), &[outputs, inputs])?;
    let bias = reader.take(&format!("{at}.bias"), &[outputs])?;
    device.matrix(&weights, outputs, inputs, Some(bias))
}

fn read_layer<C: Compute>(
    device: &C,
    reader: &mut Reader<'_>,
    at: &str,
    c: &Config,
) -> Result<Layer<C>> {
    let (dim, ffn) = (c.hidden_size, c.intermediate_size);
    let attention = format!("{at}.attention.self");
    let parts = [("query", dim), ("key", dim), ("value", dim)];
    let (weights, outputs) = reader.stacked(&attention, "qkv", &parts, dim)?;
    let bias = reader.biases(&attention, &parts, true)?;
    let output = format!("{at}.attention.output");
    Ok(Layer {
        qkv: device.matrix(&weights, outputs, dim, bias)?,
        attended: dense(device, reader, &format!("{output}.dense"), (dim, dim))?,
        after_attention: norm(device, reader, &output, dim)?,
        up: dense(
            device,
            reader,
            &format!("{at}.intermediate.dense"),
            (ffn, dim),
        )?,
        down: dense(device, reader, &format!("{at}.output.dense"), (dim, ffn))?,
        after_ffn: norm(device, reader, &format!("{at}.output"), dim)?,
    })
}
