//! What a model is, from its headers alone: no weight is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{Content, Value as Meta};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::chat::ChatTemplate;
use super::{ModelError, Result, files};

/// A header longer than this is damage.
const HEADER: u64 = 256 << 20;

/// Facts about a model's folder or GGUF file; `None` where its files do not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// `llama`, `bert`, …
    pub architecture: Option<String>,
    /// Number of weights.
    pub parameters: Option<u64>,
    /// Longest sequence in tokens.
    pub context: Option<u64>,
    /// The weights' types, that of most weights first.
    pub dtype: Option<String>,
    /// `BPE`, `WordPiece`, …
    pub tokenizer: Option<String>,
    /// Entries of the vocabulary.
    pub vocabulary: Option<u64>,
    pub chat_template: bool,
    /// Of the weights' files.
    pub bytes: u64,
}

impl Summary {
    /// Of a folder or a GGUF file.
    ///
    /// # Errors
    /// Missing or damaged files, named.
    pub fn read(path: &Path) -> Result<Self> {
        match path.is_dir() {
            true => Self::of_folder(path),
            false => Self::of_gguf(path),
        }
    }

    fn of_folder(folder: &Path) -> Result<Self> {
        let config = files::read_json(&folder.join("config.json"))?;
        // Models of text and images keep what concerns text in an object of its own.
        let field = |name: &str| match &config[name] {
            Value::Null => &config["text_config"][name],
            value => value,
        };
        let (mut types, mut bytes) = (BTreeMap::new(), 0);
        for path in files::weight_files(folder)? {
            bytes += std::fs::metadata(&path)
                .map_err(|e| ModelError::file(&path, e))?
                .len();
            count(&path, &mut types)?;
        }
        let tokenizer = files::read_json(&folder.join("tokenizer.json")).unwrap_or_default();
        let vocabulary = match &tokenizer["model"]["vocab"] {
            Value::Object(map) => Some(map.len()),
            Value::Array(list) => Some(list.len()),
            _ => None,
        };
        Ok(Summary {
            architecture: config["model_type"].as_str().map(str::to_owned),
            parameters: Some(types.values().sum()),
            context: field("max_position_embeddings").as_u64(),
            dtype: by_weight(&types),
            tokenizer: tokenizer["model"]["type"].as_str().map(str::to_owned),
            vocabulary: vocabulary.map(|n| n as u64),
            chat_template: ChatTemplate::read(folder)?.is_some(),
            bytes,
        })
    }

    fn of_gguf(path: &Path) -> Result<Self> {
        let wrong = |e: &dyn std::fmt::Display| ModelError::file(path, e.to_string());
        let mut file = File::open(path).map_err(|e| wrong(&e))?;
        let bytes = file.metadata().map_err(|e| wrong(&e))?.len();
        let content = Content::read(&mut file).map_err(|e| wrong(&e))?;
        let get = |name: &str| content.metadata.get(name);
        let text = |name: &str| get(name).and_then(|v| v.to_string().ok()).cloned();
        let number = |value: &Meta| value.to_u64().ok().or(value.to_u32().ok().map(u64::from));
        let architecture = text("general.architecture");
        let mut types = BTreeMap::new();
        for tensor in content.tensor_infos.values() {
            let name = format!("{:?}", tensor.ggml_dtype).to_uppercase();
            *types.entry(name).or_default() += tensor.shape.elem_count() as u64;
        }
        let tokens = get("tokenizer.ggml.tokens").and_then(|v| v.to_vec().ok());
        Ok(Summary {
            context: architecture
                .as_ref()
                .and_then(|a| number(get(&format!("{a}.context_length"))?)),
            architecture,
            parameters: Some(types.values().sum()),
            dtype: by_weight(&types),
            tokenizer: text("tokenizer.ggml.model"),
            vocabulary: tokens.map(|t| t.len() as u64),
            chat_template: get("tokenizer.chat_template").is_some(),
            bytes,
        })
    }
}

/// Adds up a `.safetensors` file's weights by type.
fn count(path: &Path, types: &mut BTreeMap<String, u64>) -> Result<()> {
    let wrong = |cause: &str| ModelError::file(path, cause);
    let mut file = File::open(path).map_err(|e| ModelError::file(path, e))?;
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|e| ModelError::file(path, e))?;
    let length = u64::from_le_bytes(length);
    if length > HEADER {
        return Err(wrong(
            "its header has an impossible length: no .safetensors file, or damaged",
        ));
    }
    let mut header = Vec::new();
    let mut limited = file.take(length);
    limited
        .read_to_end(&mut header)
        .map_err(|e| ModelError::file(path, e))?;
    let header: Value = serde_json::from_slice(&header).map_err(|e| ModelError::file(path, e))?;
    let tensors = header
        .as_object()
        .ok_or_else(|| wrong("its header is no object"))?;
    for (_, tensor) in tensors.iter().filter(|(name, _)| *name != "__metadata__") {
        let (Some(dtype), Some(shape)) = (tensor["dtype"].as_str(), tensor["shape"].as_array())
        else {
            return Err(wrong("a tensor without type or shape in its header"));
        };
        let size = shape
            .iter()
            .filter_map(Value::as_u64)
            .fold(1u64, u64::saturating_mul);
        *types.entry(dtype.to_owned()).or_default() += size;
    }
    Ok(())
}

fn by_weight(types: &BTreeMap<String, u64>) -> Option<String> {
    let mut names: Vec<(&String, &u64)> = types.iter().collect();
    names.sort_by_key(|(_, weights)| std::cmp::Reverse(**weights));
    let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The hash that a loaded model states: of configuration, tokenizer and weights, or of the file.
///
/// # Errors
/// Unreadable files, named.
pub fn hash(path: &Path) -> Result<String> {
    let mut parts: Vec<PathBuf> = Vec::new();
    if path.is_dir() {
        let of = |n: &&str| path.join(n);
        parts.extend(["config.json", "tokenizer.json"].iter().map(of));
        let shaping = ["tokenizer_config.json", "chat_template.jinja"];
        parts.extend(shaping.iter().map(of).filter(|p| p.is_file()));
        parts.extend(files::weight_files(path)?);
    } else {
        parts.push(path.to_owned());
    }
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    for part in parts {
        let mut file = File::open(&part).map_err(|e| ModelError::file(&part, e))?;
        loop {
            match file
                .read(&mut buffer)
                .map_err(|e| ModelError::file(&part, e))?
            {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
    }
    Ok(hex::encode(hasher.finalize()))
}
