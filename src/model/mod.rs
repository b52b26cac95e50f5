//! What computes: finding a model by name, reading it, running it. No queue, no prompts.

pub mod adapter;
pub mod architecture;
pub mod base;
pub mod bert;
pub mod chat;
pub mod config;
pub mod decoder;
pub mod facts;
pub mod file_bytes;
pub mod files;
pub mod formats;
pub mod gguf;
pub mod hub;
pub mod pooling;
pub mod safetensors_folder;
pub mod sampling;
pub mod served;
pub mod spec;
pub mod summary;
pub mod tensors;
pub mod tokenizer;

use std::path::PathBuf;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The name leads nowhere.
    #[error("model `{spec}`: {cause}\n  {cure}")]
    Spec {
        spec: String,
        cause: String,
        cure: String,
    },
    /// A file is missing or damaged.
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: String },
    /// A part of the configuration that this engine does not compute.
    #[error("{}: {cause}", path.display())]
    Unsupported { path: PathBuf, cause: String },
    /// A tokenizer or template refused its input.
    #[error("{0}")]
    Text(String),
    /// A tensor operation failed.
    #[error("computing: {0}")]
    Compute(#[from] candle_core::Error),
}

impl ModelError {
    /// A file error in words.
    pub fn file(path: impl Into<PathBuf>, cause: impl ToString) -> Self {
        ModelError::File {
            path: path.into(),
            cause: cause.to_string(),
        }
    }
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, ModelError>;
