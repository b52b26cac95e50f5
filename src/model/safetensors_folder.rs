//! The weights of a folder in Hugging Face layout, read tensor by tensor.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::file_bytes::{FileBytes, hexadecimal};
use super::formats::Format;
use super::tensors::Tensors;
use super::{ModelError, Result, files};

/// One tensor.
struct Entry {
    /// Index into the files.
    file: usize,
    shape: Vec<usize>,
    dtype: Dtype,
    /// From the file's start.
    offset: u64,
    /// As the file calls it.
    stored: String,
}

/// Named tensors of a folder's `.safetensors` files.
pub struct SafetensorsFolder {
    files: Vec<FileBytes>,
    tensors: BTreeMap<String, Entry>,
    /// Other files that shape the output, hashed first.
    extra: Vec<PathBuf>,
}

/// As the safetensors crate has it.
const LARGEST_HEADER: u64 = 100_000_000;

/// A header: names and places. Read by hand because the crate's reader wants the whole file in
/// memory and lets a name stand twice.
struct Header(BTreeMap<String, TensorInfo>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Header, M::Error> {
                let mut found = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let info = map
                        .next_value()
                        .map_err(|e| M::Error::custom(format!("tensor `{name}`: {e}")))?;
                    if found.contains_key(&name) {
                        return Err(M::Error::custom(format!("tensor `{name}` stands twice")));
                    }
                    found.insert(name, info);
                }
                Ok(Header(found))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The files beside the weights that shape the output, in the order in which they are hashed.
pub fn shaping_files(folder: &Path) -> Vec<PathBuf> {
    let always = ["config.json", "tokenizer.json"].map(|name| folder.join(name));
    let maybe = ["tokenizer_config.json", "chat_template.jinja"].map(|name| folder.join(name));
    let present = maybe.into_iter().filter(|path| path.is_file());
    always.into_iter().chain(present).collect()
}

impl SafetensorsFolder {
    /// Reads the headers of a folder's weight files.
    ///
    /// # Errors
    /// Missing, cut short or damaged files, with the file and the tensor.
    pub fn open(folder: &Path) -> Result<Self> {
        let paths = files::weight_files(folder)?;
        let mut opened = Vec::new();
        let mut tensors = BTreeMap::new();
        for path in &paths {
            if path.parent() != Some(folder) {
                return Err(ModelError::file(path, "lies outside of the model's folder"));
            }
            let file = FileBytes::open(path)?;
            for (name, entry) in entries(&file, opened.len())? {
                if tensors.insert(name.clone(), entry).is_some() {
                    let cause = format!("tensor `{name}` stands in another file too");
                    return Err(ModelError::file(path, cause));
                }
            }
            opened.push(file);
        }
        promised(folder, &paths, &tensors)?;
        Ok(SafetensorsFolder {
            files: opened,
            tensors: renamed(tensors),
            extra: shaping_files(folder),
        })
    }

    fn find(&self, name: &str) -> Result<(&Entry, &FileBytes)> {
        let found = self.tensors.get(name);
        let found = found.and_then(|entry| Some((entry, self.files.get(entry.file)?)));
        found.ok_or_else(|| {
            let path = self.files.first().map(|f| f.path().to_owned());
            let folder = path.unwrap_or_default();
            let folder = folder.parent().unwrap_or(&folder).to_owned();
            ModelError::file(folder, format!("there is no tensor `{name}`"))
        })
    }
}

impl Tensors for SafetensorsFolder {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|entry| entry.shape.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        let (entry, file) = self.find(name)?;
        let what = format!("tensor `{}`", entry.stored);
        let format = match entry.dtype {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            other => {
                return Err(ModelError::Unsupported {
                    path: file.path().to_owned(),
                    cause: format!("{what} is stored as {other:?}; F32, F16 and BF16 are read"),
                });
            }
        };
        format.read(file, entry.offset, entry.shape.iter().product(), &what)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn hash_with(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String> {
        let mut hasher = Sha256::new();
        for path in &self.extra {
            hasher.update(std::fs::read(path).map_err(|e| ModelError::file(path, e))?);
        }
        let (mut done, total) = (0, self.files.iter().map(FileBytes::size).sum());
        progress(0, total);
        for file in &self.files {
            file.hash(&mut hasher, &mut |bytes| {
                done += bytes;
                progress(done, total);
            })?;
        }
        Ok(hexadecimal(hasher))
    }
}

/// The tensors of one file, each within it.
fn entries(file: &FileBytes, index: usize) -> Result<Vec<(String, Entry)>> {
    let wrong = |cause: String| ModelError::file(file.path(), cause);
    let length = file.read(0, 8, "the header's length")?;
    let length = length.try_into().map(u64::from_le_bytes);
    let length = length.map_err(|_| wrong("the header's length cannot be read".into()))?;
    if length > LARGEST_HEADER {
        return Err(wrong(format!(
            "a header of {length} bytes; {LARGEST_HEADER} are possible (is it a safetensors file?)"
        )));
    }
    let header = file.read(8, length, "the header")?;
    let Header(found) =
        serde_json::from_slice(&header).map_err(|e| wrong(format!("the header: {e}")))?;
    let mut entries = Vec::with_capacity(found.len());
    for (stored, info) in found {
        let what = format!("tensor `{stored}`");
        let (start, end) = info.data_offsets;
        let values = info
            .shape
            .iter()
            .try_fold(1usize, |n, len| n.checked_mul(*len));
        let bits = values.and_then(|n| n.checked_mul(info.dtype.bitsize()));
        let length = end.checked_sub(start);
        if bits.is_none() || bits.map(|b| b.div_ceil(8)) != length {
            let cause = format!(
                "{what}: offsets {start} to {end} do not fit shape {:?} of {:?}",
                info.shape, info.dtype
            );
            return Err(wrong(cause));
        }
        let offset = (8 + length_of(&header)).checked_add(start as u64);
        let offset = offset.ok_or_else(|| wrong(format!("{what}: its offset overflows")))?;
        file.check(offset, (end - start) as u64, &what)?;
        let entry = Entry {
            file: index,
            shape: info.shape,
            dtype: info.dtype,
            offset,
            stored: stored.clone(),
        };
        entries.push((stored, entry));
    }
    Ok(entries)
}

fn length_of(header: &[u8]) -> u64 {
    header.len() as u64
}

/// That each tensor of the index, if there is one, stands in the file that it names.
fn promised(folder: &Path, paths: &[PathBuf], tensors: &BTreeMap<String, Entry>) -> Result<()> {
    let index = folder.join("model.safetensors.index.json");
    if !index.is_file() {
        return Ok(());
    }
    let json = files::read_json(&index)?;
    for (name, file) in json["weight_map"].as_object().into_iter().flatten() {
        let there = tensors
            .get(name)
            .and_then(|entry| paths.get(entry.file)?.file_name());
        if there.is_none() || there.and_then(|n| n.to_str()) != Value::as_str(file) {
            let cause = format!("tensor `{name}` is not in {file}, where the index has it");
            return Err(ModelError::file(&index, cause));
        }
    }
    Ok(())
}

/// Names as a language model on its own has them: a bare `LlamaModel` lacks the `model.`, and one
/// that is part of a larger model stands under that.
fn renamed(tensors: BTreeMap<String, Entry>) -> BTreeMap<String, Entry> {
    const EMBEDDING: &str = "embed_tokens.weight";
    let prefixes = [
        "model.",
        "",
        "language_model.model.",
        "model.language_model.",
    ];
    let holds = |prefix: &&&str| tensors.contains_key(&format!("{prefix}{EMBEDDING}"));
    let Some(prefix) = prefixes.iter().find(holds).filter(|p| **p != "model.") else {
        return tensors;
    };
    let rename = |name: String| {
        let outer = name.strip_prefix("language_model.").unwrap_or(&name);
        match name.strip_prefix(prefix) {
            _ if ["lm_head.", "score."]
                .iter()
                .any(|head| outer.starts_with(head)) =>
            {
                outer.to_owned()
            }
            Some(inner) => format!("model.{inner}"),
            None => name,
        }
    };
    tensors
        .into_iter()
        .map(|(name, entry)| (rename(name), entry))
        .collect()
}

#[cfg(test)]
mod tests;
