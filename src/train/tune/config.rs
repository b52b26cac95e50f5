//! `juror train judge|sft|jsft|self --config F.toml`: what a run is made with, the file's words and the defaults.
//!
//! Paths are relative to where the program runs. Defaults are the papers' (methods.md §1, §4, §5); where a paper says
//! nothing, they are Juror's own choice. [`Config::to_toml`] shows all of them.

mod check;
mod file;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::memory::Recompute;
use super::schedule::Course;

use crate::kernel::Format;

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Self-J's judge, a teacher with the reference and a student without it.
    Judge,
    /// Instruction tuning.
    Sft,
    /// Instruction tuning and judgments of pairs.
    Jsft,
    /// On-policy self-training.
    SelfTraining,
}

impl Kind {
    /// As in `juror train NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Judge => "judge",
            Kind::Sft => "sft",
            Kind::Jsft => "jsft",
            Kind::SelfTraining => "self",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A configuration that cannot be used: file, line where there is one, cause and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {cause}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ConfigError {
    pub file: String,
    /// From 1.
    pub line: Option<usize>,
    pub cause: String,
}

/// How long the learning rate rises from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Warmup {
    /// Optimiser steps.
    #[serde(rename = "warmup_steps")]
    Steps(u64),
    /// Share of all steps, from 0 to 1.
    #[serde(rename = "warmup_ratio")]
    Ratio(f64),
}

impl Warmup {
    /// Steps of a run of `total` steps; of a share, the next whole number, as Hugging Face's trainer has it.
    pub fn steps(self, total: u64) -> u64 {
        match self {
            Warmup::Steps(steps) => steps,
            Warmup::Ratio(share) => (share * total as f64).ceil() as u64,
        }
    }
}

/// What is computed in; master weights are f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    #[default]
    F32,
    Bf16,
}

impl Dtype {
    /// As matrices are multiplied.
    pub fn format(self) -> Format {
        match self {
            Dtype::F32 => Format::F32,
            Dtype::Bf16 => Format::Bf16,
        }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::Bf16 => 2,
        }
    }
}

/// What is learned from a pair of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PreferenceLoss {
    #[default]
    Sigmoid,
    Hinge,
    Ipo,
}

/// Log-probabilities of an answer for `ipo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpoForm {
    /// Of all tokens together, as the paper has it.
    #[default]
    Sum,
    /// Of a token, on average, as trl has it.
    Mean,
}

/// A low-rank adapter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lora {
    #[serde(rename = "lora_r")]
    pub r: usize,
    /// The adapter's product is scaled by `alpha / r`.
    #[serde(rename = "lora_alpha")]
    pub alpha: f64,
    /// Share of an adapter's inputs that are 0 in a step.
    #[serde(rename = "lora_dropout")]
    pub dropout: f64,
    /// Names of projections, such as `q_proj`, each once.
    #[serde(rename = "lora_target_modules")]
    pub target_modules: Vec<String>,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Any model, `MODEL[+ADAPTER…]`.
    pub model: String,
    /// The run's folder.
    pub output: PathBuf,
    pub seed: u64,
    pub epochs: u64,
    /// Examples of an optimiser step (of `train judge`: pairs of teacher and student).
    pub batch_size: usize,
    /// Examples of one forward and backward pass; it divides `batch_size`.
    pub micro_batch_size: usize,
    pub learning_rate: f64,
    #[serde(flatten)]
    pub warmup: Warmup,
    pub scheduler: Course,
    pub weight_decay: f64,
    /// Longest gradient; 0: any length.
    pub max_grad_norm: f64,
    /// Tokens of the longest example.
    pub cutoff_len: usize,
    pub dtype: Dtype,
    pub threads: usize,
    pub activation_checkpointing: Recompute,
    /// Optimiser steps after which it ends, whatever `epochs` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Data of the task's kind that nothing is learned from; of `train judge`, two files, with reference and without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub eval_data: Vec<PathBuf>,
    /// Optimiser steps between evaluations; `None` without data for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_steps: Option<u64>,
    /// Optimiser steps between checkpoints.
    pub save_steps: u64,
    /// Whether TensorBoard's event files are written.
    pub tensorboard: bool,
    /// `None`: all parameters are trained.
    #[serde(flatten)]
    pub lora: Option<Lora>,
    #[serde(flatten)]
    pub task: Task,
}

/// What belongs to one kind of training.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Task {
    Judge(JudgeTask),
    Sft(SftTask),
    Jsft(JsftTask),
    SelfTraining(SelfTask),
}

/// `L_ref + alpha·L_free + alpha_for_kd·KL`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgeTask {
    /// Rows as `make-training` writes them.
    pub with_reference: PathBuf,
    /// The same rows without the reference.
    pub reference_free: PathBuf,
    /// Weight of the loss without reference.
    pub alpha: f64,
    /// Weight of the distillation; 0: none.
    pub alpha_for_kd: f64,
    /// Around each prompt: `chat`, `none`, or a text with `{prompt}`.
    pub wrap: String,
    /// Whether tokens of the model's own that stand in the prompts are read as such.
    pub special_tokens: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SftTask {
    /// Any DATA.
    pub data: Vec<PathBuf>,
    #[serde(flatten)]
    pub form: Form,
}

/// How data become prompts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Form {
    /// Other names of fields, `instruction=prompt`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// `chat`, `alpaca`, `wizardlm`, `vicuna` or a text with `{instruction}`; `None`: chat where the model has a chat
    /// template, else alpaca.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrap: Option<String>,
}

/// How pairs are put before a judge.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Judging {
    /// `standard`, `system-first` or a YAML file; `None`: the model's own, else the standard ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<String>,
    /// Some of the templates'; none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principles: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JsftTask {
    /// Instruction tuning data; none: judgments alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sft_data: Vec<PathBuf>,
    /// Pairs, preferences or rated responses.
    pub pairs: Vec<PathBuf>,
    /// Fields that are ratings, where responses are rated.
    pub labels: Vec<String>,
    /// Whether the judge is taught to say why.
    pub rationale: bool,
    #[serde(flatten)]
    pub judging: Judging,
    #[serde(flatten)]
    pub form: Form,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelfTask {
    /// DATA whose instructions the policy answers. Either these or `pairs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<PathBuf>,
    /// Fixed pairs to learn from, `prompt, chosen, rejected`: nothing is sampled or judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<PathBuf>,
    pub loss: PreferenceLoss,
    pub ipo: IpoForm,
    pub beta: f64,
    /// How often pairs are made anew by what was learned.
    pub iterations: u64,
    /// Longest answer in tokens.
    pub max_new_tokens: usize,
    pub temperature: f64,
    pub top_p: f64,
    #[serde(flatten)]
    pub judging: Judging,
    /// Other names of fields, `instruction=prompt`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Unreadable, or as [`Config::parse`].
    pub fn read(kind: Kind, path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError {
            file: file.clone(),
            line: None,
            cause: format!("cannot be read: {e}; a TOML file is expected"),
        })?;
        Self::parse(kind, &file, &text)
    }

    /// Reads a text; `file` is for messages.
    ///
    /// # Errors
    /// Malformed TOML, an unknown key, one of another kind of training, one that is missing, a value that is not
    /// possible: the line, the cause and the cure.
    pub fn parse(kind: Kind, file: &str, text: &str) -> Result<Self, ConfigError> {
        check::config(kind, file, text)
    }

    pub fn kind(&self) -> Kind {
        match self.task {
            Task::Judge(_) => Kind::Judge,
            Task::Sft(_) => Kind::Sft,
            Task::Jsft(_) => Kind::Jsft,
            Task::SelfTraining(_) => Kind::SelfTraining,
        }
    }

    /// All that the run is made with, defaults among them, as a file that says the same.
    pub fn to_toml(&self) -> String {
        // Texts, numbers and lists: TOML has them all.
        let keys = toml::to_string(self).unwrap_or_default();
        let kind = self.kind();
        format!("# juror train {kind}: the configuration with every default in it\n{keys}")
    }
}
