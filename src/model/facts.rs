//! A loaded model: what computes, and what others need to know to write its prompts.

use std::path::PathBuf;
use std::sync::Arc;

use candle_core::Device;

use super::base::Base;
use super::bert::Bert;
use super::chat::ChatTemplate;
use super::decoder::Decoder;
use super::decoder::compute::Compute;
use super::safetensors_folder::SafetensorsFolder;
use super::served::{Abilities, Need};
use super::spec::Located;
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
    /// What its server offers, where it is on one: its ids are then characters.
    pub served: Option<Abilities>,
}

impl Facts {
    /// Why a need cannot be met whatever the prompt, and what helps; `None` where it can, or where only the model's
    /// weights tell.
    pub fn lacks(&self, need: Need) -> Option<String> {
        let why = self.served.as_ref()?.lacks(need)?;
        Some(format!("{}: {why}", self.name))
    }
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
        progress("tokenizer", 0, 0);
        let config = at.path.join("config.json");
        if at.path.is_dir() && files::read_json(&config)?["model_type"] == "bert" {
            return Self::load_bert(&at, name, place, &mut progress);
        }
        let base = Base::open(&at)?;
        let hash = base
            .tensors
            .hash_with(&mut |done, total| progress("weights", done, total))?;
        let compute = Arc::clone(&place.compute);
        let mut count = |done, total| progress("preparing", done, total);
        let decoder = Decoder::load(compute, base.config.clone(), &*base.tensors, &mut count)?;
        Ok(Model {
            facts: Arc::new(base.facts(name, hash, decoder.parameters()).0),
            network: Network::Decoder(Box::new(decoder)),
        })
    }

    fn load_bert(
        at: &Located,
        name: &str,
        place: &Place<C>,
        progress: &mut dyn FnMut(&str, u64, u64),
    ) -> Result<Self> {
        let folder = &at.path;
        if !at.adapters.is_empty() {
            return Err(ModelError::Unsupported {
                path: folder.to_owned(),
                cause: "is an encoder, and adapters are for decoders".into(),
            });
        }
        let tokenizer = Tokenizer::read(&folder.join("tokenizer.json"))?;
        let tensors = SafetensorsFolder::open(folder)?;
        let hash = tensors.hash_with(&mut |done, total| progress("weights", done, total))?;
        let bert = Bert::load(folder, Arc::clone(&place.encoders), &tensors)?;
        Ok(Model {
            facts: Arc::new(Facts {
                name: spec::short_name(name),
                path: folder.to_owned(),
                hash,
                tokenizer,
                chat: ChatTemplate::read(folder)?,
                context: bert.max_tokens,
                parameters: bert.parameters,
                end_tokens: Vec::new(),
                is_decoder: false,
                served: None,
            }),
            network: Network::Bert(Box::new(bert)),
        })
    }
}
