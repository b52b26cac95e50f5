//! GGUF files: a whole model, weights, shape and tokenizer, in one file.

mod config;
mod ggml;
mod header;
mod names;
mod pretokenizer;
mod rope;
mod sentencepiece;
mod tensors;
mod value;
mod vocabulary;
mod write;

#[cfg(test)]
mod malformed;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use tensors::GgufTensors;
pub use write::{Kind, Written, write};

use super::architecture::DecoderConfig;
use super::chat::ChatTemplate;
use super::file_bytes::FileBytes;
use super::tokenizer::Tokenizer;
use super::{ModelError, Result, files};
use header::Header;
use names::Family;
use vocabulary::Vocabulary;

/// A model from a GGUF file; weights are read when they are asked for.
pub struct Gguf {
    pub config: DecoderConfig,
    pub tensors: GgufTensors,
    /// From the tokenizer.json beside the file, if there is one of this model's, or from the file.
    pub tokenizer: Tokenizer,
    /// Jinja source.
    pub chat_template: Option<String>,
    /// The tokens' texts.
    pub bos: Option<String>,
    pub eos: Option<String>,
}

impl Gguf {
    /// The chat template, ready to render.
    pub fn chat(&self) -> Option<ChatTemplate> {
        let source = self.chat_template.clone()?;
        let token = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(ChatTemplate::new(
            source,
            token(&self.bos),
            token(&self.eos),
        ))
    }
}

/// Opens a file and reads everything but the weights.
///
/// # Errors
/// A damaged file, an architecture or a tokenizer that is not known, named.
pub fn open(path: &Path) -> Result<Gguf> {
    let file = FileBytes::open(path)?;
    let header = Header::read(&file)?;
    let (family, config, vocabulary) = configure(&file, &header)?;
    let Header { metadata, tensors } = header;
    let beside = path.with_file_name("tokenizer.json");
    let published = match beside.is_file() {
        true => published(&beside, &vocabulary)?,
        false => None,
    };
    let (tokenizer, extra) = match published {
        Some(tokenizer) => (tokenizer, vec![beside]),
        None => (own(&vocabulary, &metadata)?, Vec::new()),
    };
    let (heads, kv_heads) = (config.heads, config.kv_heads);
    Ok(Gguf {
        tensors: GgufTensors::new(file, &tensors, family, heads, kv_heads, extra)?,
        config,
        tokenizer,
        chat_template: metadata.text("tokenizer.chat_template")?.map(str::to_owned),
        bos: vocabulary.text(vocabulary.bos),
        eos: vocabulary.text(vocabulary.eos),
    })
}

/// What a head says of the model, bar its weights and how texts are split.
fn configure(file: &FileBytes, header: &Header) -> Result<(Family, DecoderConfig, Vocabulary)> {
    let Header { metadata, tensors } = header;
    let unsupported = |cause: String| ModelError::Unsupported {
        path: file.path().to_owned(),
        cause,
    };
    if let Some(parts) = metadata.size("split.count")?
        && parts > 1
    {
        return Err(unsupported(format!(
            "is one of {parts} parts; join them with `llama-gguf-split --merge`"
        )));
    }
    let key = "general.architecture";
    let missing = || metadata.wrong(key, "a text");
    let architecture = metadata.text(key)?.ok_or_else(missing)?;
    let family = Family::of(architecture).ok_or_else(|| {
        let known = Family::ALL.map(|(name, _)| name).join(", ");
        unsupported(format!(
            "architecture `{architecture}` is not computed ({known} are)"
        ))
    })?;
    let vocabulary = Vocabulary::read(metadata)?;
    let source = config::Source {
        family,
        architecture,
        metadata,
        tensors,
    };
    let config = config::read(&source, vocabulary.ends.clone(), &|name| {
        let entry = tensors.get(name);
        entry.map(|e| tensors::values(file, name, e)).transpose()
    })?;
    if vocabulary.tokens.len() > config.vocab {
        let (tokens, rows) = (vocabulary.tokens.len(), config.vocab);
        let cause = format!("has {tokens} tokens, but an embedding for {rows}");
        return Err(ModelError::file(file.path(), cause));
    }
    Ok((family, config, vocabulary))
}

fn own(vocabulary: &Vocabulary, metadata: &value::Metadata) -> Result<Tokenizer> {
    let json = vocabulary.tokenizer_json(metadata)?;
    Tokenizer::from_json(&json).map_err(|e| ModelError::file(metadata.path(), e))
}

/// The tokenizer.json beside the file, unless it plainly belongs to another model: a folder may
/// hold files of many.
fn published(path: &Path, vocabulary: &Vocabulary) -> Result<Option<Tokenizer>> {
    let json = files::read_json(path)?;
    let tokenizer = Tokenizer::from_json(&json).map_err(|e| ModelError::file(path, e))?;
    let known = (0u32..).zip(&vocabulary.tokens).zip(&vocabulary.kinds);
    let normal = known.filter(|(_, kind)| **kind == vocabulary::TokenKind::Normal);
    let (mut all, mut equal) = (0usize, 0usize);
    for ((id, token), _) in normal {
        all += 1;
        equal += usize::from(tokenizer.id(token) == Some(id));
    }
    Ok((equal * 10 >= all * 9).then_some(tokenizer))
}
