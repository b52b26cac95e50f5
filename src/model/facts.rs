//! A loaded model: what computes, and what others need to know to write its prompts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;

use super::adapter::{Adapted, Adapter};
use super::architecture::DecoderConfig;
use super::bert::Bert;
use super::chat::ChatTemplate;
use super::decoder::Decoder;
use super::decoder::compute::Compute;
use super::gguf;
use super::safetensors_folder::SafetensorsFolder;
use super::tensors::Tensors;
use super::tokenizer::Tokenizer;
use super::{ModelError, Result, files, spec};

/// What computes.
pub enum Network<C: Compute> {
    /// Writes, judges and embeds.
    Decoder(Box<Decoder<C>>),
    /// Embeds.
    Bert(Box<Bert<C>>),
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

/// Where models compute.
pub struct Place<C> {
    compute: Arc<C>,
    /// Encoders are small and their vectors are compared with those of other programs: f32 unless a
    /// format was asked for.
    encoders: Arc<C>,
}

impl<C: Compute> Place<C> {
    /// A place for models, its format chosen by whoever starts the program or not.
    ///
    /// # Errors
    /// What the device says.
    pub fn new(compute: C, is_chosen: bool) -> Result<Self> {
        let exact = match is_chosen {
            true => None,
            false => Some(Arc::new(compute.exact()?)),
        };
        let compute = Arc::new(compute);
        Ok(Place {
            encoders: exact.unwrap_or_else(|| Arc::clone(&compute)),
            compute,
        })
    }
}

/// A model ready to compute.
pub struct Model<C: Compute> {
    pub network: Network<C>,
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

impl<C: Compute> Model<C> {
    /// Loads the model that a string names. `progress(stage, done, total)` is called with bytes.
    ///
    /// # Errors
    /// Everything that can be wrong with a name, a folder, its files or their contents.
    pub fn load(
        name: &str,
        place: &Place<C>,
        mut progress: impl FnMut(&str, u64, u64),
    ) -> Result<Self> {
        let at = spec::locate(name, &mut |p| progress("downloading", p.done, p.total))?;
        let adapter = at.adapter.as_deref().map(Adapter::read).transpose()?;
        let name = spec::short_name(name);
        match at.path.is_file() {
            true => Self::load_gguf(&at.path, &name, adapter, place, &mut progress),
            false => Self::load_folder(&at.path, &name, adapter, place, &mut progress),
        }
    }

    /// A decoder on its device, its adapter merged, and the hash of both.
    fn decoder(
        config: DecoderConfig,
        tensors: impl Tensors,
        adapter: Option<Adapter>,
        place: &Place<C>,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<(Decoder<C>, String)> {
        let load = |tensors: &dyn Tensors, progress: &mut dyn FnMut(&str, u64, u64)| {
            let hash = tensors.hash_with(&mut |done, total| progress("weights", done, total))?;
            let compute = Arc::clone(&place.compute);
            let mut count = |done, total| progress("preparing", done, total);
            Ok((Decoder::load(compute, config, tensors, &mut count)?, hash))
        };
        match adapter {
            None => load(&tensors, progress),
            Some(adapter) => load(&Adapted::new(tensors, adapter)?, progress),
        }
    }

    fn load_gguf(
        path: &Path,
        name: &str,
        adapter: Option<Adapter>,
        place: &Place<C>,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Self> {
        progress("tokenizer", 0, 0);
        let file = gguf::open(path)?;
        let chat = file.chat();
        let (context, end_tokens) = (file.config.context, file.config.end_tokens.clone());
        let (decoder, hash) = Self::decoder(file.config, file.tensors, adapter, place, progress)?;
        Ok(Model {
            facts: Arc::new(Facts {
                name: name.to_owned(),
                path: path.to_owned(),
                hash,
                tokenizer: file.tokenizer,
                chat,
                context,
                parameters: decoder.parameters(),
                end_tokens,
                is_decoder: true,
            }),
            network: Network::Decoder(Box::new(decoder)),
        })
    }

    fn load_folder(
        folder: &Path,
        name: &str,
        adapter: Option<Adapter>,
        place: &Place<C>,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Self> {
        let config_path = folder.join("config.json");
        let tokenizer_path = folder.join("tokenizer.json");
        let kind = files::read_json(&config_path)?["model_type"].clone();
        progress("tokenizer", 0, 0);
        let tokenizer = Tokenizer::read(&tokenizer_path)?;
        let chat = ChatTemplate::read(folder)?;
        let (network, hash, context, parameters, end_tokens) = if kind == "bert" {
            if adapter.is_some() {
                return Err(ModelError::Unsupported {
                    path: folder.to_owned(),
                    cause: "is an encoder, and adapters are for decoders".into(),
                });
            }
            let tensors = SafetensorsFolder::open(folder)?;
            let hash = tensors.hash_with(&mut |done, total| progress("weights", done, total))?;
            let bert = Bert::load(folder, Arc::clone(&place.encoders), &tensors)?;
            let (context, parameters) = (bert.max_tokens, bert.parameters);
            let network = Network::Bert(Box::new(bert));
            (network, hash, context, parameters, Vec::new())
        } else {
            let config = DecoderConfig::read(&config_path)?;
            let (context, ends) = (config.context, config.end_tokens.clone());
            let tensors = SafetensorsFolder::open(folder)?;
            let (decoder, hash) = Self::decoder(config, tensors, adapter, place, progress)?;
            let parameters = decoder.parameters();
            let network = Network::Decoder(Box::new(decoder));
            (network, hash, context, parameters, ends)
        };
        let is_decoder = matches!(network, Network::Decoder(_));
        Ok(Model {
            network,
            facts: Arc::new(Facts {
                name: name.to_owned(),
                path: folder.to_owned(),
                hash,
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
