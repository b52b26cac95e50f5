//! Writing a model as one GGUF file, its matrices quantised: what [`super::open`] and llama.cpp read.

mod shape;
mod tokens;

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value as Meta};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::super::architecture::{DecoderConfig, Head};
use super::super::tensors::Tensors;
use super::super::{ModelError, Result, files};
use super::names::{Change, Family};
use crate::data::atomic::AtomicFile;

/// Metadata of a file under way.
pub(super) type Metadata = BTreeMap<String, Meta>;

/// How matrices are stored; norms and biases stay f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32,
    F16,
    Bf16,
    /// 8 bits and a scale for each 32 weights.
    Q8_0,
    /// 6, 5 or 4 bits in blocks of 256 with scales of their own; matrices whose rows do not divide into
    /// blocks, the embedding and the head become Q8_0.
    Q6K,
    Q5K,
    Q4K,
    /// 4 bits and a scale for each 32 weights; the embedding and the head become Q8_0.
    Q4_0,
}

impl Kind {
    /// All, by the names llama.cpp has for them.
    pub const ALL: [(&'static str, Kind); 8] = [
        ("f32", Kind::F32),
        ("f16", Kind::F16),
        ("bf16", Kind::Bf16),
        ("q8_0", Kind::Q8_0),
        ("q6_k", Kind::Q6K),
        ("q5_k", Kind::Q5K),
        ("q4_k", Kind::Q4K),
        ("q4_0", Kind::Q4_0),
    ];

    /// ggml's type, and its number for a file of mostly that.
    fn ggml(self) -> (GgmlDType, u32) {
        match self {
            Kind::F32 => (GgmlDType::F32, 0),
            Kind::F16 => (GgmlDType::F16, 1),
            Kind::Bf16 => (GgmlDType::BF16, 32),
            Kind::Q8_0 => (GgmlDType::Q8_0, 7),
            Kind::Q6K => (GgmlDType::Q6K, 18),
            Kind::Q5K => (GgmlDType::Q5K, 16),
            Kind::Q4K => (GgmlDType::Q4K, 14),
            Kind::Q4_0 => (GgmlDType::Q4_0, 2),
        }
    }

    /// The type of one tensor.
    fn of(self, name: &str, shape: &[usize]) -> GgmlDType {
        let (wanted, _) = self.ggml();
        let [_, inputs] = shape else {
            return GgmlDType::F32;
        };
        // A row of the embedding is looked up as it is, and the head decides: both keep 8 bits.
        let outer = matches!(name, "token_embd.weight" | "output.weight");
        let wanted = match self {
            Kind::Q6K | Kind::Q5K | Kind::Q4K | Kind::Q4_0 if outer => GgmlDType::Q8_0,
            _ => wanted,
        };
        let fits = |kind: &GgmlDType| inputs.is_multiple_of(kind.block_size());
        let candidates = [wanted, GgmlDType::Q8_0, GgmlDType::F16];
        candidates.into_iter().find(fits).unwrap_or(GgmlDType::F32)
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub bytes: u64,
    /// Set where the file cannot say how texts are split: this tokenizer.json has to stand beside it.
    pub needs_tokenizer: Option<PathBuf>,
}

/// Writes the model of a folder in Hugging Face layout; `tensors` are its weights (an adapter merged,
/// say). `progress(done, total)` counts tensors. The file appears when it is whole.
///
/// # Errors
/// An architecture that GGUF has no place for, a tensor that cannot be read, a disk that is full.
pub fn write(
    folder: &Path,
    tensors: &dyn Tensors,
    name: &str,
    kind: Kind,
    to: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Written> {
    let config_path = folder.join("config.json");
    let config = DecoderConfig::read(&config_path)?;
    let raw = files::read_json(&config_path)?;
    let unsupported = |cause: String| ModelError::Unsupported {
        path: folder.to_owned(),
        cause,
    };
    let family = family(&config).map_err(&unsupported)?;
    let mut metadata = Metadata::new();
    let text = |text: &str| Meta::String(text.to_owned());
    let (_, file_type) = kind.ggml();
    metadata.insert("general.architecture".into(), text(family.name()));
    metadata.insert("general.name".into(), text(name));
    metadata.insert("general.file_type".into(), Meta::U32(file_type));
    metadata.insert("general.quantization_version".into(), Meta::U32(2));
    let rotary = shape::describe(family, &config, &raw, &mut metadata).map_err(&unsupported)?;
    let tokenizer_path = folder.join("tokenizer.json");
    let known = tokens::describe(folder, &tokenizer_path, &raw, config.vocab, &mut metadata)?;

    let mut quantised: Vec<(String, QTensor)> = Vec::new();
    for (name, factors) in rotary {
        let shape = [factors.len()];
        quantised.push((name.to_owned(), tensor(factors, &shape, GgmlDType::F32)?));
    }
    let places = places(family, &config);
    let tied = config.head == Head::Language { tied: true };
    let names = tensors.names();
    for (done, theirs) in names.iter().enumerate() {
        progress(done, names.len());
        // Old checkpoints keep the angles, which follow from the configuration.
        if theirs.ends_with("rotary_emb.inv_freq") || (tied && theirs == "lm_head.weight") {
            continue;
        }
        let Some((ours, change)) = places.get(theirs) else {
            let cause = format!(
                "tensor `{theirs}` has no place in a GGUF file of architecture `{}`",
                family.name()
            );
            return Err(unsupported(cause));
        };
        let shape = tensors.shape(theirs).unwrap_or_default();
        let values = changed(tensors.read(theirs)?, &shape, *change);
        let kind = kind.of(ours, &shape);
        quantised.push((ours.clone(), tensor(values, &shape, kind)?));
    }
    progress(names.len(), names.len());
    let bytes = save(to, &metadata, &quantised)?;
    Ok(Written {
        bytes,
        needs_tokenizer: (!known).then_some(tokenizer_path),
    })
}

/// The family of a configuration that was read from `config.json`.
fn family(config: &DecoderConfig) -> std::result::Result<Family, String> {
    let kind = config.architecture.as_str();
    if !matches!(config.head, Head::Language { .. }) {
        return Err("has a reward head, which GGUF files that are read have no place for".into());
    }
    match kind {
        "mistral" => Some(Family::Llama),
        "gemma3_text" => Some(Family::Gemma3),
        kind => Family::of(kind),
    }
    .ok_or_else(|| {
        let known = Family::ALL.map(|(name, _)| name).join(", ");
        format!("architecture `{kind}` is not written as GGUF (mistral, {known} are)")
    })
}

/// Every tensor that the architecture may have, by Hugging Face's name: GGUF's, and what is done to it.
fn places(family: Family, config: &DecoderConfig) -> BTreeMap<String, (String, Change)> {
    let outer = ["token_embd.weight", "output_norm.weight", "output.weight"].map(String::from);
    let inner = (0..config.layers.len()).flat_map(|layer| {
        Family::MODULES.into_iter().flat_map(move |module| {
            ["weight", "bias"].map(|kind| format!("blk.{layer}.{module}.{kind}"))
        })
    });
    outer
        .into_iter()
        .chain(inner)
        .filter_map(|ours| {
            let (theirs, change) = family.hugging_face(&ours, config.heads, config.kv_heads)?;
            Some((theirs, (ours, change)))
        })
        .collect()
}

/// What the file wants in place of Hugging Face's values.
fn changed(mut values: Vec<f32>, shape: &[usize], change: Change) -> Vec<f32> {
    match change {
        Change::None => values,
        Change::PlusOne => {
            values.iter_mut().for_each(|v| *v += 1.0);
            values
        }
        Change::Interleaved { heads } => together(&values, shape[0], heads),
    }
}

/// Interleaves the two halves of each head's rows: undone when the file is read.
fn together(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    let (width, half) = (values.len() / rows, rows / heads / 2);
    let mut out = Vec::with_capacity(values.len());
    for row in 0..rows {
        let (head, inner) = (row / (2 * half), row % (2 * half));
        let from = head * 2 * half + inner % 2 * half + inner / 2;
        out.extend_from_slice(&values[from * width..(from + 1) * width]);
    }
    out
}

fn tensor(values: Vec<f32>, shape: &[usize], kind: GgmlDType) -> Result<QTensor> {
    let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
    Ok(QTensor::quantize(&tensor, kind)?)
}

/// Writes beside `to` and moves it there; the number of bytes.
fn save(to: &Path, metadata: &Metadata, tensors: &[(String, QTensor)]) -> Result<u64> {
    let written = || -> candle_core::Result<u64> {
        let metadata: Vec<(&str, &Meta)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let mut file = AtomicFile::create(to)?;
        gguf_file::write(&mut file, &metadata, &tensors)?;
        let bytes = file.seek(SeekFrom::End(0))?;
        file.finish()?;
        Ok(bytes)
    };
    written().map_err(|e| ModelError::file(to, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::tensors::apart;
    use super::*;

    #[test]
    fn interleaving_is_undone_when_read() {
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let stored = together(&values, 12, 3);
        assert_eq!(stored[..8], [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]);
        assert_eq!(apart(&stored, 12, 3), values);
    }

    #[test]
    fn what_does_not_divide_into_blocks_is_kept_wider() {
        let of = |kind: Kind, inputs| kind.of("blk.0.ffn_up.weight", &[8, inputs]);
        assert_eq!(of(Kind::Q4K, 512), GgmlDType::Q4K);
        assert_eq!(of(Kind::Q4K, 576), GgmlDType::Q8_0);
        assert_eq!(of(Kind::Q4_0, 40), GgmlDType::F16);
        assert_eq!(Kind::Q4K.of("output.weight", &[8, 512]), GgmlDType::Q8_0);
        assert_eq!(Kind::Q8_0.of("output_norm.weight", &[512]), GgmlDType::F32);
    }
}
