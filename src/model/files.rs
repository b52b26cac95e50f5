//! Reading a model folder's files, with their sizes known beforehand for progress.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

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
