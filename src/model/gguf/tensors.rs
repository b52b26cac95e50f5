//! The weights of a GGUF file under Hugging Face's names and in its layout.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::super::file_bytes::{FileBytes, hexadecimal};
use super::super::tensors::Tensors;
use super::super::{ModelError, Result};
use super::header::Entry;
use super::names::{Change, Family, is_rotary};

/// Named tensors of one file.
pub struct GgufTensors {
    file: FileBytes,
    /// By Hugging Face's name.
    tensors: BTreeMap<String, (Entry, Change)>,
    /// Other files that shape the output (a tokenizer beside the weights), hashed first.
    extra: Vec<PathBuf>,
}

impl GgufTensors {
    /// Names and checks a file's tensors.
    ///
    /// # Errors
    /// A tensor that has no place in the architecture: its model computes something else.
    pub(super) fn new(
        file: FileBytes,
        entries: &BTreeMap<String, Entry>,
        family: Family,
        heads: usize,
        kv_heads: usize,
        extra: Vec<PathBuf>,
    ) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, entry) in entries {
            if is_rotary(name) {
                continue;
            }
            let wrong = |cause: String| ModelError::Unsupported {
                path: file.path().to_owned(),
                cause: format!("tensor `{name}`: {cause}"),
            };
            let Some((renamed, change)) = family.hugging_face(name, heads, kv_heads) else {
                return Err(wrong(
                    "has no place in this architecture as Juror computes it".into(),
                ));
            };
            if let Change::Interleaved { heads } = change
                && (heads == 0 || !entry.shape[0].is_multiple_of(2 * heads))
            {
                let rows = entry.shape[0];
                return Err(wrong(format!(
                    "{rows} rows do not divide into {heads} heads"
                )));
            }
            tensors.insert(renamed, (entry.clone(), change));
        }
        Ok(GgufTensors {
            file,
            tensors,
            extra,
        })
    }

    fn find(&self, name: &str) -> Result<&(Entry, Change)> {
        self.tensors.get(name).ok_or_else(|| {
            ModelError::file(self.file.path(), format!("there is no tensor `{name}`"))
        })
    }
}

impl Tensors for GgufTensors {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|(entry, _)| entry.shape.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        let (entry, change) = self.find(name)?;
        let mut values = values(&self.file, name, entry)?;
        match *change {
            Change::None => (),
            Change::PlusOne => values.iter_mut().for_each(|v| *v -= 1.0),
            Change::Interleaved { heads } => values = apart(&values, entry.shape[0], heads),
        }
        Ok(values)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn hash_with(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String> {
        let mut hasher = Sha256::new();
        for path in &self.extra {
            hasher.update(std::fs::read(path).map_err(|e| ModelError::file(path, e))?);
        }
        let (mut done, total) = (0, self.file.size());
        progress(0, total);
        self.file.hash(&mut hasher, &mut |bytes| {
            done += bytes;
            progress(done, total);
        })?;
        Ok(hexadecimal(hasher))
    }
}

/// A tensor's values as they lie in the file.
///
/// # Errors
/// A type that is not decoded, or bytes that cannot be read.
pub(super) fn values(file: &FileBytes, name: &str, entry: &Entry) -> Result<Vec<f32>> {
    let what = format!("tensor `{name}`");
    let Some(format) = entry.kind.format else {
        return Err(ModelError::Unsupported {
            path: file.path().to_owned(),
            cause: format!("{what} is stored as {}, which is not read", entry.kind.name),
        });
    };
    format.read(file, entry.offset, entry.values, &what)
}

/// Undoes the interleaving: within each head, even rows are the first half, odd rows the second.
pub(super) fn apart<T: Copy>(values: &[T], rows: usize, heads: usize) -> Vec<T> {
    let (width, half) = (values.len() / rows, rows / heads / 2);
    let mut out = Vec::with_capacity(values.len());
    for row in 0..rows {
        let (head, inner) = (row / (2 * half), row % (2 * half));
        let from = head * 2 * half + inner % half * 2 + inner / half;
        out.extend_from_slice(&values[from * width..(from + 1) * width]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_apart() {
        // Two heads of four rows; the converter's order of rows 0..8.
        let stored = [0, 2, 1, 3, 4, 6, 5, 7];
        assert_eq!(apart(&stored, 8, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
