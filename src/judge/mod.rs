//! What a score is: scale, template, prompt, distribution, similarity, fusion. Prompts are made
//! here, off the model's thread; nothing here computes with a model.

pub mod assess;
pub mod attribution;
pub mod dialogue;
pub mod fusion;
pub mod generating;
pub mod inspect;
pub mod pairwise;
pub mod plan;
pub mod prompt;
pub mod rating;
pub mod scale;
pub mod similarity;
pub mod student;
pub mod suspect;
pub mod template;
pub mod tournament;
pub mod writing;

pub use assess::{Judge, Scored, Setup};
pub use plan::{Plan, Signals};
pub use scale::Scale;
pub use template::{Subject, Template, TemplateSet};

/// Why something cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// A template file that cannot be used.
    #[error("template {name}: {cause}")]
    Template { name: String, cause: String },
    /// A prompt that cannot be made.
    #[error("{0}")]
    Prompt(String),
    /// The tokenizer or chat template refused.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, JudgeError>;
