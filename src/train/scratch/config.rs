//! `juror train scratch --config F.toml`: what the file says.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::train::optimizer::Rule;

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder for checkpoints, the log and the finished model.
    pub output: PathBuf,
    /// Folder with the judge data.
    pub data: PathBuf,
    /// Folder of a model of this very shape to go on from, with its tokenizer, as a training of this kind exports it;
    /// without it, from nothing.
    #[serde(default)]
    pub start: Option<PathBuf>,
    /// Same seed and thread count, same weights.
    #[serde(default)]
    pub seed: u64,
    /// Threads that compute.
    #[serde(default = "two")]
    pub threads: usize,
    pub model: Model,
    pub training: Training,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub mix: Mix,
}

fn two() -> usize {
    2
}

fn ten_thousand() -> f32 {
    10_000.0
}

fn one() -> f32 {
    1.0
}

/// Sizes of the tokenizer and the decoder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub vocab: usize,
    pub dim: usize,
    pub layers: usize,
    pub heads: usize,
    pub ffn: usize,
    pub context: usize,
    /// RoPE's base: the higher, the more of a head's dimensions compare tokens wherever they stand.
    #[serde(default = "ten_thousand")]
    pub rope_theta: f32,
}

/// How long and how fast.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Tokens in all.
    pub tokens: u64,
    /// The first of them teach language alone.
    #[serde(default)]
    pub language_tokens: u64,
    /// Over the last of them the learning rate falls to zero.
    pub decay_tokens: u64,
    /// Tokens of one optimiser step.
    pub step_tokens: usize,
    /// Tokens of one forward and backward pass.
    pub pack_tokens: usize,
    pub learning_rate: f32,
    #[serde(default)]
    pub warmup_steps: u64,
    #[serde(default)]
    pub rule: Rule,
    #[serde(default)]
    pub weight_decay: f32,
    /// Longest gradient.
    pub clip: f32,
    /// Weight of a language-model position beside a judgment's 1, after the language-only start.
    pub language_weight: f32,
    /// Share of positions with a language-model loss.
    pub language_share: f32,
    /// Weight of one term of the contrastive loss.
    pub contrast_weight: f32,
    /// Weight of telling one token whether it belongs to the task.
    #[serde(default)]
    pub relevance_weight: f32,
    /// Weight of telling whether one token stands in the reference or the instruction.
    #[serde(default)]
    pub found_weight: f32,
    /// Weight of telling one surface feature of a response.
    #[serde(default)]
    pub surface_weight: f32,
    /// Share of the teacher's rating in the target of a rated response; the rest is its label.
    #[serde(default)]
    pub teacher_share: f64,
    /// Share of rated responses that are shortened, and of references that are exchanged for another
    /// response; their target is the teacher's rating alone.
    #[serde(default)]
    pub altered_share: f64,
    /// Weight of a made-up failure beside a decent answer's 1. Failures are made up far more often than
    /// judges meet them; at weight 1 the starter doubts every answer by that much.
    #[serde(default = "one")]
    pub failure_weight: f32,
    /// Share of the trees of plain instruction data that show the answer as reference: their decent
    /// answers are its words in another order, their failures everything else.
    #[serde(default)]
    pub copied_share: f64,
    /// Weight of the absolute error of made-up answers beside short references, times the answer's own
    /// weight.
    #[serde(default)]
    pub firm_weight: f32,
    /// Share of the rated trees with a reference that are drawn among brief references alone: beside
    /// those, a judge that has learned from made-up failures takes every fuller answer for one.
    #[serde(default)]
    pub brief_share: f64,
    /// Share of the trees whose rarer words stand for other words: see [`veil`](super::veil).
    #[serde(default)]
    pub veiled_share: f64,
    /// Share of the trees of plain instruction data with a text that asks the judge for a good rating instead of
    /// answering; a third of it where answers have labels.
    #[serde(default)]
    pub addressed_share: f64,
    /// How far the labels of each instruction are moved towards the source's mean.
    #[serde(default)]
    pub flatten: f64,
    /// Minutes between checkpoints.
    pub checkpoint_minutes: f64,
    /// Steps between evaluations on tuning rows.
    pub evaluate_steps: u64,
}

/// Longest texts, in tokens; longer ones lose their middle.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub instruction: usize,
    pub reference: usize,
    pub response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            instruction: 300,
            reference: 800,
            response: 800,
        }
    }
}

/// Relative frequency of each kind of tree among the judgment trees.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Ratings with the reference shown, rows labelled beside a reference.
    pub rated_ref: f64,
    /// Ratings without it.
    pub rated_free: f64,
    /// Plain instruction data with made-up failures.
    pub instruct: f64,
    /// The first sentences of references and answers, with made-up failures.
    pub short: f64,
    /// One of two answers beside the other, rated by the teacher.
    pub peer: f64,
    /// Choices between two responses.
    pub pair: f64,
    /// Embedding twins.
    pub twins: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Mix {
            rated_ref: 0.25,
            rated_free: 0.12,
            instruct: 0.28,
            short: 0.3,
            peer: 0.0,
            pair: 0.05,
            twins: 0.05,
        }
    }
}
