//! Reading a JSON object field by field, with errors that name the file and the field, and with a
//! record of what was read: a field that nobody asked for may change the numbers.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::super::{ModelError, Result};

/// Fields that never change what a finished model computes: training, sampling, bookkeeping.
const HARMLESS: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_from_model_config",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "cache_implementation",
    // Splits the feed-forward block's rows into parts that are computed one after another.
    "chunk_size_feed_forward",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "embd_pdrop",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "hidden_dropout",
    "id2label",
    "initializer_range",
    "is_llama_config",
    "keys_to_ignore_at_inference",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "model_type",
    "name_or_path",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    // Splits matrices among machines in training.
    "pretraining_tp",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
    "vision_config",
];

/// Fields that change nothing as long as they say `false`, `null`, `[]` or `{}`.
const HARMLESS_WHEN_OFF: &[&str] = &[
    "add_cross_attention",
    "attention_bias",
    "attn_logit_softcapping",
    "clip_qkv",
    "cross_attention_hidden_size",
    "final_logit_softcapping",
    "is_decoder",
    "is_encoder_decoder",
    "mlp_bias",
    "per_layer_config",
    "pruned_heads",
    "quantization_config",
    "rope_interleaved",
    "rope_scaling",
    "sliding_window",
    "use_bidirectional_attention",
    "use_mrope",
    "use_sliding_window",
];

/// A JSON object of a file.
pub(super) struct Fields<'a> {
    path: &'a Path,
    /// What leads to it: nothing, or `rope_scaling.`.
    within: String,
    json: &'a Map<String, Value>,
    asked: RefCell<BTreeSet<String>>,
}

/// A value as an error shows it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        _ => false,
    }
}

impl<'a> Fields<'a> {
    /// The fields of a whole file.
    pub fn of(path: &'a Path, json: &'a Value) -> Result<Self> {
        let json = json
            .as_object()
            .ok_or_else(|| ModelError::file(path, "an object expected"))?;
        Ok(Fields {
            path,
            within: String::new(),
            json,
            asked: RefCell::default(),
        })
    }

    /// The fields of an object within; `None` where it is absent or null.
    pub fn inside(&self, name: &str) -> Result<Option<Fields<'a>>> {
        match self.value(name) {
            Value::Null => Ok(None),
            Value::Object(json) => Ok(Some(Fields {
                path: self.path,
                within: format!("{}{name}.", self.within),
                json,
                asked: RefCell::default(),
            })),
            _ => Err(self.wrong(name, "an object")),
        }
    }

    /// A field, `Null` where it is absent.
    pub fn value(&self, name: &str) -> &'a Value {
        self.asked.borrow_mut().insert(name.to_owned());
        self.json.get(name).unwrap_or(&Value::Null)
    }

    /// Whether it is there, null or not.
    pub fn has(&self, name: &str) -> bool {
        self.json.contains_key(name)
    }

    /// Why a field cannot be used.
    pub fn wrong(&self, name: &str, expected: &str) -> ModelError {
        let within = &self.within;
        let cause = match self.json.get(name) {
            None => format!("`{within}{name}` is missing ({expected} expected)"),
            Some(found) => format!("`{within}{name}` is {}, {expected} expected", shown(found)),
        };
        ModelError::file(self.path, cause)
    }

    /// A field whose value is understood and not computed.
    pub fn not_computed(&self, name: &str, known: &str) -> ModelError {
        let within = &self.within;
        let found = shown(self.value(name));
        self.unsupported(format!(
            "`{within}{name}` is {found}, which is not computed ({known})"
        ))
    }

    /// Anything else that is not computed.
    pub fn unsupported(&self, cause: String) -> ModelError {
        ModelError::Unsupported {
            path: self.path.to_owned(),
            cause,
        }
    }

    pub fn size(&self, name: &str) -> Result<usize> {
        self.optional_size(name)?
            .ok_or_else(|| self.wrong(name, "a positive integer"))
    }

    /// `None` where it is absent or null.
    pub fn optional_size(&self, name: &str) -> Result<Option<usize>> {
        match self.value(name) {
            Value::Null => Ok(None),
            value => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) if n > 0 => Ok(Some(n)),
                _ => Err(self.wrong(name, "a positive integer")),
            },
        }
    }

    /// An integer that may be zero; `None` where it is absent or null.
    pub fn optional_count(&self, name: &str) -> Result<Option<usize>> {
        match self.value(name) {
            Value::Null => Ok(None),
            value => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) => Ok(Some(n)),
                None => Err(self.wrong(name, "an integer")),
            },
        }
    }

    /// A positive integer or null, where silence would mean a default that changed over time.
    pub fn size_or_null(&self, name: &str) -> Result<Option<usize>> {
        match self.has(name) {
            true => self.optional_size(name),
            false => Err(self.wrong(name, "a positive integer, or null for none,")),
        }
    }

    pub fn number(&self, name: &str) -> Result<f64> {
        self.optional_number(name)?
            .ok_or_else(|| self.wrong(name, "a positive number"))
    }

    /// `None` where it is absent or null. Every number of a configuration is positive.
    pub fn optional_number(&self, name: &str) -> Result<Option<f64>> {
        match self.value(name) {
            Value::Null => Ok(None),
            value => match value.as_f64() {
                Some(x) if x > 0.0 => Ok(Some(x)),
                _ => Err(self.wrong(name, "a positive number")),
            },
        }
    }

    /// A positive number or null; not silence.
    pub fn number_or_null(&self, name: &str) -> Result<Option<f64>> {
        match self.has(name) {
            true => self.optional_number(name),
            false => Err(self.wrong(name, "a positive number, or null for none,")),
        }
    }

    /// `otherwise` where it is absent or null.
    pub fn flag(&self, name: &str, otherwise: bool) -> Result<bool> {
        match self.value(name) {
            Value::Null => Ok(otherwise),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.wrong(name, "true or false")),
        }
    }

    /// `None` where it is absent or null.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.value(name) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(self.wrong(name, "a text")),
        }
    }

    /// A list of `len` positive numbers.
    pub fn numbers(&self, name: &str, len: usize) -> Result<Vec<f64>> {
        let read = || -> Option<Vec<f64>> {
            let items = self.value(name).as_array()?.iter();
            items.map(|v| v.as_f64().filter(|x| *x > 0.0)).collect()
        };
        read()
            .filter(|numbers| numbers.len() == len)
            .ok_or_else(|| self.wrong(name, &format!("a list of {len} positive numbers")))
    }

    /// Refuses what was never asked for and is not known to be harmless.
    pub fn finish(&self) -> Result<()> {
        let asked = self.asked.borrow();
        for (name, value) in self.json {
            let known = asked.contains(name)
                || HARMLESS.contains(&name.as_str())
                || HARMLESS_WHEN_OFF.contains(&name.as_str()) && is_off(value);
            if !known {
                let within = &self.within;
                return Err(self.unsupported(format!(
                    "the field `{within}{name}` ({}) is not known here and may change what the \
                     model computes",
                    shown(value)
                )));
            }
        }
        Ok(())
    }
}
