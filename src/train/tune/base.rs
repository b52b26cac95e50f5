//! The model that training starts from.

use std::path::PathBuf;

use crate::model::adapter::{Adapted, Adapter};
use crate::model::architecture::DecoderConfig;
use crate::model::chat::ChatTemplate;
use crate::model::safetensors_folder::SafetensorsFolder;
use crate::model::tensors::Tensors;
use crate::model::tokenizer::Tokenizer;
use crate::model::{Result, gguf, spec};

/// A decoder as it lies on disk, an adapter merged into it where one is named.
pub struct Base {
    /// As it was named.
    pub name: String,
    /// Its folder, or its GGUF file.
    pub path: PathBuf,
    pub config: DecoderConfig,
    pub tokenizer: Tokenizer,
    pub chat: Option<ChatTemplate>,
    pub tensors: Box<dyn Tensors>,
}

impl Base {
    /// Opens `MODEL[+ADAPTER]`.
    ///
    /// # Errors
    /// Everything that can be wrong with a name, a folder or its files; an adapter of another model.
    pub fn open(name: &str) -> Result<Self> {
        let at = spec::locate(name, &mut |_| ())?;
        let adapter = at.adapter.as_deref().map(Adapter::read).transpose()?;
        let name = name.to_owned();
        if at.path.is_file() {
            let file = gguf::open(&at.path)?;
            return Ok(Base {
                name,
                chat: file.chat(),
                config: file.config,
                tokenizer: file.tokenizer,
                tensors: adapted(file.tensors, adapter)?,
                path: at.path,
            });
        }
        Ok(Base {
            name,
            config: DecoderConfig::read(&at.path.join("config.json"))?,
            tokenizer: Tokenizer::read(&at.path.join("tokenizer.json"))?,
            chat: ChatTemplate::read(&at.path)?,
            tensors: adapted(SafetensorsFolder::open(&at.path)?, adapter)?,
            path: at.path,
        })
    }
}

fn adapted(tensors: impl Tensors + 'static, adapter: Option<Adapter>) -> Result<Box<dyn Tensors>> {
    Ok(match adapter {
        None => Box::new(tensors),
        Some(adapter) => Box::new(Adapted::new(tensors, adapter)?),
    })
}
