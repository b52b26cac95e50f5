//! A loaded model: what computes, and what others need to know to write its prompts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::bert::Bert;
use super::chat::ChatTemplate;
use super::config::DecoderConfig;
use super::decoder::Decoder;
use super::tokenizer::Tokenizer;
use super::{ModelError, Result, files, spec};

/// What computes.
pub enum Network {
    /// Writes, judges and embeds.
    Decoder(Box<Decoder>),
    /// Embeds.
    Bert(Box<Bert>),
}

/// Everything about a model but its weights; shared with those who make prompts.
pub struct Facts {
    /// As shown.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// SHA-256 over configuration, tokenizer and weights, in hexadecimal.
    pub hash: String,
    pub tokenizer: Tokenizer,
    pub chat: Option<ChatTemplate>,
    /// Longest sequence in tokens.
    pub context: usize,
    /// Number of weights.
    pub parameters: u64,
    /// Ids that end a text.
    pub end_tokens: Vec<u32>,
    /// Whether it can judge and write.
    pub is_decoder: bool,
}

/// A model ready to compute.
pub struct Model {
    pub network: Network,
    pub facts: Arc<Facts>,
}

/// The device that a name means: `auto` (the best there is), `cpu`, `cuda[:N]`, `metal`.
///
/// # Errors
/// A device that this machine, or this build of Juror, does not have.
pub fn device(name: &str) -> Result<Device> {
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    let wrong = |cause: &str| ModelError::Text(format!("device `{name}`: {cause}"));
    let number: usize = number
        .parse()
        .map_err(|_| wrong("a number expected after the colon"))?;
    let device = match kind {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Device::new_cuda(number),
        "metal" => Device::new_metal(number),
        "auto" if candle_core::utils::cuda_is_available() => Device::new_cuda(0),
        "auto" if candle_core::utils::metal_is_available() => Device::new_metal(0),
        "auto" => Ok(Device::Cpu),
        _ => return Err(wrong("auto, cpu, cuda, cuda:N or metal expected")),
    };
    device.map_err(|e| wrong(&e.to_string()))
}

/// Tensors of a decoder saved as a bare `LlamaModel` lack the prefix.
fn with_prefix(
    tensors: std::collections::HashMap<String, Tensor>,
) -> std::collections::HashMap<String, Tensor> {
    if tensors.contains_key("model.embed_tokens.weight") {
        return tensors;
    }
    let named = |(name, t): (String, Tensor)| match name.as_str() {
        "lm_head.weight" => (name, t),
        _ => (format!("model.{name}"), t),
    };
    tensors.into_iter().map(named).collect()
}

impl Model {
    /// Loads the model that a string names. `progress(stage, done, total)` is called with bytes.
    ///
    /// # Errors
    /// Everything that can be wrong with a name, a folder, its files or their contents.
    pub fn load(
        name: &str,
        device: &Device,
        mut progress: impl FnMut(&str, u64, u64),
    ) -> Result<Model> {
        let folder = spec::resolve_with(name, &mut |p| progress("downloading", p.done, p.total))?;
        Self::load_folder(&folder, &spec::short_name(name), device, &mut progress)
    }

    fn load_folder(
        folder: &Path,
        name: &str,
        device: &Device,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Model> {
        let config_path = folder.join("config.json");
        let tokenizer_path = folder.join("tokenizer.json");
        let kind = files::read_json(&config_path)?["model_type"].clone();
        progress("tokenizer", 0, 0);
        let tokenizer = Tokenizer::read(&tokenizer_path)?;
        let chat = ChatTemplate::read(folder)?;
        let weights = files::weight_files(folder)?;
        let mut extra = vec![config_path.clone(), tokenizer_path];
        let shaping = ["tokenizer_config.json", "chat_template.jinja"].map(|n| folder.join(n));
        extra.extend(shaping.into_iter().filter(|p| p.is_file()));
        let loaded = files::load(&weights, &extra, device, |done, total| {
            progress("weights", done, total);
        })?;
        progress("preparing", 0, 0);
        let (network, context, parameters, end_tokens) = if kind == "bert" {
            let bert = Bert::new(folder, loaded.tensors, device)?;
            let (context, parameters) = (bert.max_tokens, bert.parameters);
            (
                Network::Bert(Box::new(bert)),
                context,
                parameters,
                Vec::new(),
            )
        } else {
            let config = DecoderConfig::read(&config_path)?;
            let (context, ends) = (config.context, config.end_tokens.clone());
            let decoder = Decoder::new(config, &with_prefix(loaded.tensors), device)?;
            let parameters = decoder.parameters();
            (
                Network::Decoder(Box::new(decoder)),
                context,
                parameters,
                ends,
            )
        };
        let is_decoder = matches!(network, Network::Decoder(_));
        Ok(Model {
            network,
            facts: Arc::new(Facts {
                name: name.to_owned(),
                path: folder.to_owned(),
                hash: loaded.hash,
                tokenizer,
                chat,
                context,
                parameters,
                end_tokens,
                is_decoder,
            }),
        })
    }
}
