//! What a training leaves: an adapter in PEFT's format, or a whole model in Hugging Face's layout.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

use super::lora::Lora;
use super::net::Net;
use crate::data::atomic;

/// Files of an adapter: its numbers and its settings.
pub const ADAPTER: [&str; 2] = ["adapter_model.safetensors", "adapter_config.json"];

/// Names, shapes and numbers of what a file holds.
pub type Named<'a> = Vec<(String, Vec<usize>, &'a [f32])>;

/// Numbers as a safetensors file in f32.
///
/// # Errors
/// A shape that does not fit its numbers.
pub fn safetensors(named: &Named<'_>, facts: HashMap<String, String>) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> = named
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = named.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        Ok((
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), bytes)?,
        ))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    Ok(safetensors::serialize(views, Some(facts))?)
}

/// Reads numbers of such a file into the places that `named` lists.
///
/// # Errors
/// A file that cannot be read, lacks a tensor or has it in another shape.
pub fn read_into(path: &Path, named: Vec<(String, &mut [f32])>) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let damaged = || anyhow!("{} is damaged", path.display());
    let file = SafeTensors::deserialize(&bytes).map_err(|_| damaged())?;
    for (name, into) in named {
        let tensor = file
            .tensor(&name)
            .map_err(|_| anyhow!("{}: tensor `{name}` is not there", path.display()))?;
        if tensor.dtype() != Dtype::F32 || tensor.data().len() != into.len() * 4 {
            bail!(
                "{}: tensor `{name}` has another size: it belongs to another training",
                path.display()
            );
        }
        for (value, four) in into.iter_mut().zip(tensor.data().as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*four);
        }
    }
    Ok(())
}

impl Lora {
    /// Its tensors under PEFT's names.
    pub fn named(&self) -> Named<'_> {
        let rank = self.config.rank;
        self.parts
            .iter()
            .flat_map(|part| {
                let name = |side| format!("base_model.model.{}.{side}.weight", part.module.name);
                [
                    (
                        name("lora_A"),
                        vec![rank, part.module.inputs],
                        &self.values[part.a.clone()],
                    ),
                    (
                        name("lora_B"),
                        vec![part.module.outputs, rank],
                        &self.values[part.b.clone()],
                    ),
                ]
            })
            .collect()
    }

    /// `adapter_config.json`.
    fn settings(&self, base: &str) -> serde_json::Value {
        json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.config.rank,
            "lora_alpha": self.config.alpha,
            "lora_dropout": self.config.dropout,
            "target_modules": self.config.targets,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "modules_to_save": null,
            "use_rslora": false,
            "use_dora": false,
        })
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    atomic::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn pytorch() -> HashMap<String, String> {
    [("format".to_owned(), "pt".to_owned())].into()
}

/// Copies what shapes a model beside its weights: configuration, tokenizer, templates.
fn copy_beside(from: &Path, to: &Path) -> Result<()> {
    let place = || format!("cannot read {}", from.display());
    for entry in fs::read_dir(from).with_context(place)? {
        let path = entry.with_context(place)?.path();
        let kind = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        let is_index = path.to_string_lossy().ends_with(".index.json");
        let shapes = ["json", "jinja", "yaml", "toml", "txt", "model"].contains(&kind);
        if let (true, false, Some(name)) = (shapes && path.is_file(), is_index, path.file_name()) {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            write(&to.join(name), &bytes)?;
        }
    }
    Ok(())
}

/// Writes what was trained into a folder: an adapter, or the whole model with the files that shape the base.
///
/// # Errors
/// What the file system says, with the path.
pub fn write_model(net: &Net, base: &str, base_folder: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if let Some(adapter) = &net.adapter {
        let config = serde_json::to_vec_pretty(&adapter.settings(base))?;
        let weights = safetensors(&adapter.named(), pytorch())?;
        write(&folder.join(ADAPTER[0]), &weights)?;
        return write(&folder.join(ADAPTER[1]), &config);
    }
    copy_beside(base_folder, folder)?;
    let named = net
        .tensors
        .iter()
        .map(|t| {
            (
                t.name.clone(),
                t.shape.clone(),
                &net.parameters[t.range.clone()],
            )
        })
        .collect();
    write(
        &folder.join("model.safetensors"),
        &safetensors(&named, pytorch())?,
    )
}
