//! Reading a model folder's files, with their sizes known beforehand for progress.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ModelError, Result};

/// A whole JSON file.
///
/// # Errors
/// Unreadable or malformed, named.
pub fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).map_err(|e| ModelError::file(path, e))?;
    serde_json::from_str(&text).map_err(|e| ModelError::file(path, e))
}

/// The weight files of a folder: those the index names, or every `.safetensors`.
///
/// # Errors
/// When there is none.
pub fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let index = folder.join("model.safetensors.index.json");
    let mut names = BTreeSet::new();
    if index.is_file() {
        let json = read_json(&index)?;
        let map = json["weight_map"].as_object();
        let map = map.ok_or_else(|| ModelError::file(&index, "no object `weight_map`"))?;
        names.extend(map.values().filter_map(Value::as_str).map(str::to_owned));
    } else {
        let entries = std::fs::read_dir(folder).map_err(|e| ModelError::file(folder, e))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".safetensors") && !name.starts_with("adapter_") {
                names.insert(name);
            }
        }
    }
    if names.is_empty() {
        return Err(ModelError::file(
            folder,
            "no *.safetensors file (weights in other formats cannot be read yet)",
        ));
    }
    Ok(names.into_iter().map(|n| folder.join(n)).collect())
}

/// Every tensor of the files, and the hash of their bytes and of `extra` files'.
pub struct Loaded {
    pub tensors: HashMap<String, Tensor>,
    pub hash: String,
}

/// Reads all files, calling `progress(done, total)` in bytes as it goes.
///
/// # Errors
/// Unreadable or damaged files, named.
pub fn load(
    files: &[PathBuf],
    extra: &[PathBuf],
    device: &Device,
    mut progress: impl FnMut(u64, u64),
) -> Result<Loaded> {
    let size = |p: &PathBuf| std::fs::metadata(p).map(|m| m.len()).unwrap_or(0);
    let total: u64 = files.iter().map(size).sum();
    let mut hasher = Sha256::new();
    for path in extra {
        hasher.update(std::fs::read(path).map_err(|e| ModelError::file(path, e))?);
    }
    let (mut tensors, mut done) = (HashMap::new(), 0u64);
    progress(0, total);
    for path in files {
        let mut file = File::open(path).map_err(|e| ModelError::file(path, e))?;
        let mut bytes = Vec::with_capacity(size(path) as usize);
        loop {
            let read = file
                .by_ref()
                .take(16 << 20)
                .read_to_end(&mut bytes)
                .map_err(|e| ModelError::file(path, e))?;
            done += read as u64;
            progress(done, total);
            if read == 0 {
                break;
            }
        }
        hasher.update(&bytes);
        let part = candle_core::safetensors::load_buffer(&bytes, device)
            .map_err(|e| ModelError::file(path, e))?;
        tensors.extend(part);
    }
    let digest = hasher.finalize();
    let hash = digest.iter().map(|b| format!("{b:02x}")).collect();
    Ok(Loaded { tensors, hash })
}
