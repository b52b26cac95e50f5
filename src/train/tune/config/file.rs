//! The file as it is written: every key of every kind of training, and what stands for those that are absent.

use std::path::PathBuf;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Course, Dtype, IpoForm, Kind, PreferenceLoss, Recompute, Warmup};

/// One path or several.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths(pub Vec<PathBuf>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Paths;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a path or a list of paths")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Paths, E> {
                Ok(Paths(vec![path.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paths, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element::<String>()? {
                    paths.push(path.into());
                }
                Ok(Paths(paths))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// All keys. Those of other kinds are refused before this is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub model: Option<String>,
    pub output: Option<PathBuf>,
    pub seed: Option<u64>,
    pub epochs: Option<u64>,
    pub batch_size: Option<usize>,
    pub micro_batch_size: Option<usize>,
    pub learning_rate: Option<f64>,
    pub warmup_steps: Option<u64>,
    pub warmup_ratio: Option<f64>,
    pub scheduler: Option<Course>,
    pub weight_decay: Option<f64>,
    pub max_grad_norm: Option<f64>,
    pub cutoff_len: Option<usize>,
    pub dtype: Option<Dtype>,
    pub threads: Option<usize>,
    pub activation_checkpointing: Option<Recompute>,
    pub max_steps: Option<u64>,
    pub eval_data: Option<Paths>,
    pub eval_steps: Option<u64>,
    pub save_steps: Option<u64>,
    pub tensorboard: Option<bool>,
    pub lora_r: Option<usize>,
    pub lora_alpha: Option<f64>,
    pub lora_dropout: Option<f64>,
    pub lora_target_modules: Option<Vec<String>>,

    pub with_reference: Option<PathBuf>,
    pub reference_free: Option<PathBuf>,
    pub alpha: Option<f64>,
    pub alpha_for_kd: Option<f64>,
    pub special_tokens: Option<bool>,

    pub data: Option<Paths>,
    pub fields: Option<Vec<String>>,
    pub wrap: Option<String>,

    pub sft_data: Option<Paths>,
    pub pairs: Option<Paths>,
    pub labels: Option<Vec<String>>,
    pub rationale: Option<bool>,
    pub templates: Option<String>,
    pub principles: Option<Vec<String>>,

    pub prompts: Option<Paths>,
    pub loss: Option<PreferenceLoss>,
    pub ipo: Option<IpoForm>,
    pub beta: Option<f64>,
    pub iterations: Option<u64>,
    pub max_new_tokens: Option<usize>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
}

/// Keys of every kind of training.
pub(super) const COMMON: [&str; 25] = [
    "model",
    "output",
    "seed",
    "epochs",
    "batch_size",
    "micro_batch_size",
    "learning_rate",
    "warmup_steps",
    "warmup_ratio",
    "scheduler",
    "weight_decay",
    "max_grad_norm",
    "cutoff_len",
    "dtype",
    "threads",
    "activation_checkpointing",
    "max_steps",
    "eval_data",
    "eval_steps",
    "save_steps",
    "tensorboard",
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "lora_target_modules",
];

/// Keys of one kind alone, or of some.
pub(super) fn own_keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Judge => &[
            "with_reference",
            "reference_free",
            "alpha",
            "alpha_for_kd",
            "wrap",
            "special_tokens",
        ],
        Kind::Sft => &["data", "fields", "wrap"],
        Kind::Jsft => &[
            "sft_data",
            "pairs",
            "labels",
            "rationale",
            "templates",
            "principles",
            "fields",
            "wrap",
        ],
        Kind::SelfTraining => &[
            "prompts",
            "pairs",
            "loss",
            "ipo",
            "beta",
            "iterations",
            "max_new_tokens",
            "temperature",
            "top_p",
            "templates",
            "principles",
            "fields",
        ],
    }
}

/// What stands for absent keys.
pub(super) struct Defaults {
    pub epochs: u64,
    pub batch_size: usize,
    /// The largest that divides the batch and is not above this.
    pub micro_batch_size: usize,
    pub learning_rate: f64,
    pub warmup: Warmup,
    pub scheduler: Course,
    pub cutoff_len: usize,
    /// `None`: all parameters are trained.
    pub lora_r: Option<usize>,
    pub lora_alpha: f64,
    pub lora_dropout: f64,
}

/// Of all parameters: what instruction tuning has (methods.md §5).
pub(super) const FULL_LEARNING_RATE: f64 = 2e-5;

/// The papers' values (methods.md §1, §4, §5). Where these say nothing (batches of `jsft` and `self`, adapters of `sft`
/// and `jsft`), they are Juror's choice. Without `lora_r` all parameters are trained, but in self-training: its judge is
/// the same model without its adapter.
pub(super) fn defaults(kind: Kind) -> Defaults {
    let tuning = Defaults {
        epochs: 3,
        batch_size: 128,
        micro_batch_size: 4,
        learning_rate: FULL_LEARNING_RATE,
        warmup: Warmup::Ratio(0.03),
        scheduler: Course::Cosine,
        cutoff_len: 2048,
        lora_r: None,
        lora_alpha: 16.0,
        lora_dropout: 0.05,
    };
    match kind {
        Kind::Judge => Defaults {
            epochs: 2,
            micro_batch_size: 16,
            learning_rate: 3e-4,
            warmup: Warmup::Steps(100),
            scheduler: Course::Linear,
            cutoff_len: 1024,
            ..tuning
        },
        Kind::Sft => tuning,
        Kind::Jsft => Defaults {
            epochs: 1,
            ..tuning
        },
        Kind::SelfTraining => Defaults {
            batch_size: 64,
            learning_rate: 5e-6,
            warmup: Warmup::Ratio(0.1),
            scheduler: Course::Constant,
            lora_r: Some(8),
            lora_dropout: 0.0,
            ..tuning
        },
    }
}
