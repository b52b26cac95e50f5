//! LoRA adapters in PEFT's format, merged into a model's weights as they are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::tensors::Tensors;
use super::{ModelError, Result, files};
use crate::kernel::{View, ViewMut, matmul};

/// What PEFT puts before a base model's tensor names.
const PREFIX: &str = "base_model.model.";

/// Fields of `adapter_config.json` that are computed, or that change no number once an adapter is
/// trained.
const UNDERSTOOD: [&str; 24] = [
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
    "unsloth_fixed",
];

/// One weight's low-rank change.
struct Pair {
    /// `rank × inputs`
    a: Vec<f32>,
    /// `outputs × rank`
    b: Vec<f32>,
    rank: usize,
    inputs: usize,
    outputs: usize,
    scale: f32,
}

/// An adapter by itself.
pub struct Adapter {
    weights: PathBuf,
    /// By the name of the base tensor that each changes.
    pairs: BTreeMap<String, Pair>,
    hash: String,
}

/// `adapter_config.json`, checked.
struct Config<'a> {
    path: &'a Path,
    json: &'a Map<String, Value>,
}

impl Config<'_> {
    fn unsupported(&self, cause: String) -> ModelError {
        ModelError::Unsupported {
            path: self.path.to_owned(),
            cause,
        }
    }

    fn get(&self, name: &str) -> &Value {
        self.json.get(name).unwrap_or(&Value::Null)
    }

    /// Refuses what changes numbers and is not computed here, known or not.
    fn check(&self) -> Result<()> {
        let is = |name: &str, good: &[&str]| match self.get(name) {
            Value::Null => true,
            Value::String(text) => good.contains(&text.as_str()),
            _ => false,
        };
        if !is("peft_type", &["LORA"]) {
            return Err(self.unsupported(format!(
                "`peft_type` {} is not computed (\"LORA\" is)",
                self.get("peft_type")
            )));
        }
        if !is("bias", &["none"]) {
            return Err(self.unsupported(format!(
                "`bias` {} is not computed: merge the adapter into its model with PEFT's merge_and_unload",
                self.get("bias")
            )));
        }
        // The others start from changed base weights.
        let start = self.get("init_lora_weights");
        if !start.is_boolean() && !is("init_lora_weights", &["gaussian", "eva", "orthogonal"]) {
            return Err(self.unsupported(format!(
                "`init_lora_weights` {start} changes the base model's weights: convert the adapter with \
                 PEFT's path_initial_model_for_weight_conversion"
            )));
        }
        for (name, value) in self.json {
            let empty = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty(),
                Value::String(text) => text.is_empty(),
                _ => false,
            };
            if !empty && !UNDERSTOOD.contains(&name.as_str()) {
                return Err(self.unsupported(format!(
                    "`{name}: {value}` is not computed: merge the adapter into its model with PEFT's \
                     merge_and_unload and name the result"
                )));
            }
        }
        Ok(())
    }

    fn number(&self, name: &str, value: &Value) -> Result<f64> {
        let good = value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
        good.ok_or_else(|| {
            ModelError::file(
                self.path,
                format!("`{name}` is {value}, a positive number expected"),
            )
        })
    }

    /// A number that may be set for some modules: the first pattern that a module's name ends with.
    fn of_module(&self, name: &str, patterns: &str, module: &str) -> Result<f64> {
        let map = match self.get(patterns) {
            Value::Null => None,
            Value::Object(map) => Some(map),
            other => {
                let cause = format!("`{patterns}` is {other}, an object expected");
                return Err(ModelError::file(self.path, cause));
            }
        };
        for (pattern, value) in map.into_iter().flatten() {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
            let bare = pattern.trim_start_matches('^');
            if !bare.chars().all(plain) {
                return Err(self.unsupported(format!(
                    "`{patterns}`: the expression `{pattern}` is not computed (names of modules are)"
                )));
            }
            let ends = |whole: &str| {
                whole
                    .strip_suffix(bare)
                    .is_some_and(|r| r.is_empty() || r.ends_with('.'))
            };
            let fits = match bare.len() < pattern.len() {
                true => module == bare,
                false => ends(module),
            };
            if fits {
                return self.number(&format!("{patterns}.{pattern}"), value);
            }
        }
        self.number(name, self.get(name))
    }

    /// α/r, or α/√r where the adapter was stabilised by rank.
    fn scale(&self, module: &str, rank: usize) -> Result<f32> {
        let r = self.of_module("r", "rank_pattern", module)?;
        if r != rank as f64 {
            let cause = format!("`r` is {r} for {module}, but its lora_A has {rank} rows");
            return Err(ModelError::file(self.path, cause));
        }
        let alpha = self.of_module("lora_alpha", "alpha_pattern", module)?;
        let stabilised = self.get("use_rslora") == &Value::Bool(true);
        Ok((alpha / if stabilised { r.sqrt() } else { r }) as f32)
    }

    /// PEFT ignores tensors of modules that are no target; here that is an error.
    fn is_target(&self, module: &str) -> bool {
        let Value::Array(targets) = self.get("target_modules") else {
            return true;
        };
        let mut names = targets.iter().filter_map(Value::as_str);
        names.any(|t| {
            module
                .strip_suffix(t)
                .is_some_and(|r| r.is_empty() || r.ends_with('.'))
        })
    }
}

/// A tensor of the adapter's file with its shape.
struct Part {
    values: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl Adapter {
    /// Reads an adapter's folder.
    ///
    /// # Errors
    /// Missing or damaged files; settings that are not computed; named.
    pub fn read(folder: &Path) -> Result<Self> {
        let (config_path, weights) = (
            folder.join("adapter_config.json"),
            folder.join("adapter_model.safetensors"),
        );
        let json = files::read_json(&config_path)?;
        let json = json
            .as_object()
            .ok_or_else(|| ModelError::file(&config_path, "no JSON object"))?;
        let config = Config {
            path: &config_path,
            json,
        };
        config.check()?;
        let bytes = std::fs::read(&weights).map_err(|e| ModelError::file(&weights, e))?;
        let mut hasher = Sha256::new();
        hasher.update(std::fs::read(&config_path).map_err(|e| ModelError::file(&config_path, e))?);
        hasher.update(&bytes);
        let mut parts: BTreeMap<String, [Option<Part>; 2]> = BTreeMap::new();
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| ModelError::file(&weights, e))?;
        for (name, tensor) in tensors {
            let unknown = || {
                let cause = format!(
                    "tensor `{name}` is no lora_A or lora_B of a linear layer, which alone are computed"
                );
                ModelError::file(&weights, cause)
            };
            let inner = name.strip_prefix(PREFIX).ok_or_else(unknown)?;
            let (module, side) = match inner.strip_suffix(".lora_A.weight") {
                Some(module) => (module, 0),
                None => (inner.strip_suffix(".lora_B.weight").ok_or_else(unknown)?, 1),
            };
            let (rows, cols) = tensor.dims2().map_err(|_| unknown())?;
            let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            let part = Part { values, rows, cols };
            parts.entry(module.to_owned()).or_default()[side] = Some(part);
        }
        let mut pairs = BTreeMap::new();
        for (module, sides) in parts {
            let wrong = |cause: &str| ModelError::file(&weights, format!("{module}: {cause}"));
            let [Some(a), Some(b)] = sides else {
                return Err(wrong("lora_A or lora_B is missing"));
            };
            if a.rows != b.cols {
                return Err(wrong("lora_A and lora_B differ in rank"));
            }
            if !config.is_target(&module) {
                return Err(wrong(
                    "not among the `target_modules` of adapter_config.json",
                ));
            }
            let pair = Pair {
                scale: config.scale(&module, a.rows)?,
                rank: a.rows,
                inputs: a.cols,
                outputs: b.rows,
                a: a.values,
                b: b.values,
            };
            pairs.insert(format!("{module}.weight"), pair);
        }
        if pairs.is_empty() {
            return Err(ModelError::file(
                &weights,
                "no tensors: the adapter changes nothing",
            ));
        }
        Ok(Adapter {
            weights,
            pairs,
            hash: hex::encode(hasher.finalize()),
        })
    }

    /// How many weights it changes.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Never, of one that was read.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// A model's weights with an adapter merged in.
pub struct Adapted<T: Tensors> {
    base: T,
    adapter: Adapter,
}

impl<T: Tensors> Adapted<T> {
    /// # Errors
    /// An adapter tensor whose base tensor is missing or has another shape, named.
    pub fn new(base: T, adapter: Adapter) -> Result<Self> {
        for (name, pair) in &adapter.pairs {
            let cause = match base.shape(name) {
                None => format!("it changes `{name}`, which the model does not have"),
                Some(shape) if shape != [pair.outputs, pair.inputs] => format!(
                    "it changes `{name}` of {} × {}, but the model's is {shape:?}",
                    pair.outputs, pair.inputs
                ),
                Some(_) => continue,
            };
            let cause = format!("{cause}: the adapter belongs to another model");
            return Err(ModelError::file(&adapter.weights, cause));
        }
        Ok(Adapted { base, adapter })
    }
}

impl<T: Tensors> Tensors for Adapted<T> {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.base.shape(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        let mut weight = self.base.read(name)?;
        let Some(pair) = self.adapter.pairs.get(name) else {
            return Ok(weight);
        };
        if weight.len() != pair.outputs * pair.inputs {
            let cause = format!(
                "`{name}` has {} values, not those of its shape",
                weight.len()
            );
            return Err(ModelError::Text(cause));
        }
        matmul(
            ViewMut::dense(&mut weight, pair.outputs, pair.inputs),
            1.0,
            View::dense(&pair.b, pair.outputs, pair.rank),
            View::dense(&pair.a, pair.rank, pair.inputs),
            pair.scale,
        );
        Ok(weight)
    }

    fn names(&self) -> Vec<String> {
        self.base.names()
    }

    fn hash_with(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String> {
        let both = [self.base.hash_with(progress)?, self.adapter.hash.clone()];
        Ok(hex::encode(
            Sha256::new().chain_update(both.join("+")).finalize(),
        ))
    }
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;
