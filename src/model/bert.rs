//! Encoders of the BERT family as sentence embedders (the layout of all-MiniLM-L6-v2).

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};

use super::{ModelError, Result, files};

/// A loaded encoder.
pub struct Bert {
    model: BertModel,
    device: Device,
    /// Longest text in tokens, the two special ones included.
    pub max_tokens: usize,
    pub parameters: u64,
}

impl Bert {
    /// Builds it from a folder's configuration and its tensors.
    ///
    /// # Errors
    /// A malformed configuration or a missing tensor, named.
    pub fn new(folder: &Path, tensors: HashMap<String, Tensor>, device: &Device) -> Result<Self> {
        let path = folder.join("config.json");
        let json = files::read_json(&path)?;
        let config: Config =
            serde_json::from_value(json).map_err(|e| ModelError::file(&path, e))?;
        let sentence = files::read_json(&folder.join("sentence_bert_config.json"));
        let limit = sentence.ok().and_then(|j| j["max_seq_length"].as_u64());
        let max_tokens = limit.map_or(config.max_position_embeddings, |n| n as usize);
        let parameters = tensors.values().map(|t| t.elem_count() as u64).sum();
        let weights = VarBuilder::from_tensors(tensors, DType::F32, device);
        Ok(Bert {
            model: BertModel::load(weights, &config)?,
            device: device.clone(),
            max_tokens: max_tokens.min(config.max_position_embeddings),
            parameters,
        })
    }

    /// Hidden states of the last layer, `[ids, dim]`.
    ///
    /// # Errors
    /// What the tensor library says.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(ids, &self.device)?.unsqueeze(0)?;
        let kinds = ids.zeros_like()?;
        Ok(self.model.forward(&ids, &kinds, None)?.squeeze(0)?)
    }
}
