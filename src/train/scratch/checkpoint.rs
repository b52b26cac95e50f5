//! What survives an interruption, written so that a half-written file is never taken for a whole.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::data::atomic;
use crate::train::optimizer::Optimizer;
use crate::train::shape::Shape;

/// Writes a whole file or nothing.
///
/// # Errors
/// What the file system says, with the path.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    atomic::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Progress of a run beside its weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub steps: u64,
    pub tokens: u64,
}

/// Writes weights, moments and progress.
///
/// # Errors
/// As [`write_atomically`].
pub fn save(path: &Path, weights: &[f32], optimizer: &Optimizer, progress: Progress) -> Result<()> {
    let parts = [
        ("weights", bytes_of(weights)),
        ("first", bytes_of(&optimizer.first)),
        ("second", bytes_of(&optimizer.second)),
    ];
    let mut views = Vec::new();
    for (name, bytes) in &parts {
        let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?;
        views.push((*name, view));
    }
    let facts = HashMap::from([
        ("steps".to_owned(), progress.steps.to_string()),
        ("tokens".to_owned(), progress.tokens.to_string()),
        ("optimizer_steps".to_owned(), optimizer.steps.to_string()),
    ]);
    write_atomically(path, &safetensors::serialize(views, Some(facts))?)
}

/// Reads what [`save`] wrote into buffers of the right length.
///
/// # Errors
/// A file that is damaged or of another shape.
pub fn load(path: &Path, weights: &mut [f32], optimizer: &mut Optimizer) -> Result<Progress> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let damaged = || format!("{} is not a checkpoint of this model", path.display());
    let (_, header) = SafeTensors::read_metadata(&bytes).with_context(damaged)?;
    let tensors = SafeTensors::deserialize(&bytes).with_context(damaged)?;
    for (name, into) in [
        ("weights", weights),
        ("first", optimizer.first.as_mut_slice()),
        ("second", optimizer.second.as_mut_slice()),
    ] {
        let data = tensors.tensor(name).with_context(damaged)?;
        if data.data().len() != into.len() * 4 {
            bail!("{}: {name} has another length", damaged());
        }
        for (value, four) in into.iter_mut().zip(data.data().as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*four);
        }
    }
    let fact = |name: &str| -> Result<u64> {
        let facts = header.metadata().as_ref();
        let value = facts
            .and_then(|f| f.get(name))
            .ok_or_else(|| anyhow!(damaged()))?;
        value.parse().with_context(damaged)
    };
    optimizer.steps = fact("optimizer_steps")?;
    Ok(Progress {
        steps: fact("steps")?,
        tokens: fact("tokens")?,
    })
}

/// Reads the weights that [`export`] wrote.
///
/// # Errors
/// A file that cannot be read, or weights of another shape.
pub fn import(folder: &Path, shape: &Shape, weights: &mut [f32]) -> Result<()> {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let tensors = SafeTensors::deserialize(&bytes)
        .with_context(|| format!("{}: not a safetensors file", path.display()))?;
    for tensor in shape.tensors() {
        let name = &tensor.name;
        let found = tensors.tensor(name).map_err(|_| {
            anyhow!(
                "{}: no tensor {name}: a model of another shape",
                path.display()
            )
        })?;
        let (into, data) = (&mut weights[tensor.range], found.data());
        if found.dtype() != Dtype::F16 || data.len() != into.len() * 2 {
            bail!(
                "{}: {name} is {:?} {:?}; f16 [{}, {}] is expected: name a model of the shape under [model]",
                path.display(),
                found.dtype(),
                found.shape(),
                tensor.rows,
                tensor.cols
            );
        }
        for (value, two) in into.iter_mut().zip(data.as_chunks::<2>().0) {
            *value = half::f16::from_le_bytes(*two).to_f32();
        }
    }
    Ok(())
}

/// Writes the model as a folder in Hugging Face layout: weights in half precision,
/// configuration, tokenizer.
///
/// # Errors
/// As [`write_atomically`].
pub fn export(
    folder: &Path,
    shape: &Shape,
    weights: &[f32],
    tokenizer: &tokenizers::Tokenizer,
) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let halves: Vec<(String, Vec<usize>, Vec<u8>)> = shape
        .tensors()
        .into_iter()
        .map(|t| {
            let bytes = weights[t.range]
                .iter()
                .flat_map(|w| half::f16::from_f32(*w).to_le_bytes())
                .collect();
            let dims = if t.rows > 1 {
                vec![t.rows, t.cols]
            } else {
                vec![t.cols]
            };
            (t.name, dims, bytes)
        })
        .collect();
    let mut views = Vec::new();
    for (name, dims, bytes) in &halves {
        views.push((name, TensorView::new(Dtype::F16, dims.clone(), bytes)?));
    }
    let facts = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(facts))?;
    write_atomically(&folder.join("model.safetensors"), &bytes)?;
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab,
        "hidden_size": shape.dim,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "max_position_embeddings": shape.context,
        "rope_theta": shape.rope_theta,
        "rms_norm_eps": shape.norm_eps,
        "hidden_act": "silu",
        "tie_word_embeddings": true,
        "attention_bias": false,
        "mlp_bias": false,
        "bos_token_id": super::tokens::BOS,
        "eos_token_id": super::tokens::END,
        "torch_dtype": "float16",
    });
    let config = serde_json::to_string_pretty(&config)? + "\n";
    write_atomically(&folder.join("config.json"), config.as_bytes())?;
    let json = tokenizer
        .to_string(false)
        .map_err(|e| anyhow!("tokenizer: {e}"))?;
    write_atomically(&folder.join("tokenizer.json"), json.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::optimizer::Rule;

    fn shape() -> Shape {
        Shape {
            vocab: 5,
            dim: 8,
            layers: 1,
            heads: 2,
            ffn: 12,
            context: 4,
            rope_theta: 1e4,
            norm_eps: 1e-5,
        }
    }

    #[test]
    fn a_training_goes_on_from_what_another_exported() {
        let (shape, folder) = (shape(), tempfile::tempdir().unwrap());
        let text = "a few words, then a few more words of the same kind";
        let tokenizer = super::super::tokens::train([text].into_iter(), 300).unwrap();
        let n = shape.layout().len;
        let weights: Vec<f32> = (0..n).map(|i| i as f32 / 8.0).collect();
        export(folder.path(), &shape, &weights, &tokenizer).unwrap();
        let mut found = vec![0.0; n];
        import(folder.path(), &shape, &mut found).unwrap();
        assert_eq!(found, weights);
        let wider = Shape { ffn: 16, ..shape };
        let mut other = vec![0.0; wider.layout().len];
        let error = import(folder.path(), &wider, &mut other).unwrap_err();
        assert!(error.to_string().contains("[16, 8] is expected"), "{error}");
    }

    #[test]
    fn a_checkpoint_comes_back_bit_for_bit() {
        let shape = shape();
        let n = shape.layout().len;
        let mut weights: Vec<f32> = (0..n).map(|i| (i as f32).sin()).collect();
        let mut optimizer = Optimizer::new(&shape, Rule::Muon, 0.1);
        let mut grads = weights.clone();
        optimizer.step(&mut weights, &mut grads, 0.01, 1.0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let progress = Progress {
            steps: 7,
            tokens: 99,
        };
        save(&path, &weights, &optimizer, progress).unwrap();
        let (mut weights2, mut optimizer2) =
            (vec![0.0; n], Optimizer::new(&shape, Rule::Muon, 0.1));
        assert_eq!(
            load(&path, &mut weights2, &mut optimizer2).unwrap(),
            progress
        );
        assert_eq!(weights, weights2);
        assert_eq!(optimizer.first, optimizer2.first);
        assert_eq!(optimizer.second, optimizer2.second);
        assert_eq!(optimizer.steps, optimizer2.steps);
        fs::write(&path, b"short").unwrap();
        assert!(load(&path, &mut weights2, &mut optimizer2).is_err());
    }
}
