//! A decoder as it lies on disk, before it is on any device.

use std::path::{Path, PathBuf};

use super::adapter::{Adapted, Adapter};
use super::architecture::DecoderConfig;
use super::chat::ChatTemplate;
use super::facts::Facts;
use super::safetensors_folder::SafetensorsFolder;
use super::spec::Located;
use super::tensors::Tensors;
use super::tokenizer::Tokenizer;
use super::{Result, gguf, spec};

/// A decoder's files, adapters merged into its weights where some are named.
pub struct Base {
    /// Its folder, or its GGUF file.
    pub path: PathBuf,
    pub config: DecoderConfig,
    pub tokenizer: Tokenizer,
    pub chat: Option<ChatTemplate>,
    pub tensors: Box<dyn Tensors>,
}

impl Base {
    /// Opens what a name has led to.
    ///
    /// # Errors
    /// Everything that can be wrong with a folder or its files; an adapter of another model.
    pub fn open(at: &Located) -> Result<Self> {
        let path: &Path = &at.path;
        if path.is_file() {
            let file = gguf::open(path)?;
            return Ok(Base {
                path: path.to_owned(),
                chat: file.chat(),
                config: file.config,
                tokenizer: file.tokenizer,
                tensors: merged(Box::new(file.tensors), &at.adapters)?,
            });
        }
        Ok(Base {
            path: path.to_owned(),
            tokenizer: Tokenizer::read(&path.join("tokenizer.json"))?,
            chat: ChatTemplate::read(path)?,
            config: DecoderConfig::read(&path.join("config.json"))?,
            tensors: merged(Box::new(SafetensorsFolder::open(path)?), &at.adapters)?,
        })
    }

    /// Finds and opens `MODEL[+ADAPTER…]`.
    ///
    /// # Errors
    /// As [`Base::open`]; names that lead nowhere.
    pub fn named(name: &str) -> Result<Self> {
        Self::open(&spec::locate(name, &mut |_| ())?)
    }

    /// What others need to know of it, and its weights.
    pub fn facts(self, name: &str, hash: String, parameters: u64) -> (Facts, Box<dyn Tensors>) {
        let facts = Facts {
            name: spec::short_name(name),
            path: self.path,
            hash,
            tokenizer: self.tokenizer,
            chat: self.chat,
            context: self.config.context,
            parameters,
            end_tokens: self.config.end_tokens,
            is_decoder: true,
            served: None,
        };
        (facts, self.tensors)
    }
}

/// Weights with adapters merged in, one after another.
///
/// # Errors
/// An adapter that cannot be read, or that is another model's.
pub fn merged(mut tensors: Box<dyn Tensors>, adapters: &[PathBuf]) -> Result<Box<dyn Tensors>> {
    for adapter in adapters {
        tensors = Box::new(Adapted::new(tensors, Adapter::read(adapter)?)?);
    }
    Ok(tensors)
}
