//! `config.json` of a llama-family decoder, in the forms of transformers 4 and 5.

use std::path::Path;

use serde_json::Value;

use super::{ModelError, Result, files};

/// What the decoder needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    pub vocab: usize,
    pub dim: usize,
    pub ffn: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    pub rope_theta: f64,
    pub norm_eps: f64,
    pub tied_head: bool,
    /// Ids that end a text.
    pub end_tokens: Vec<u32>,
}

struct Fields<'a> {
    path: &'a Path,
    json: &'a Value,
}

impl Fields<'_> {
    fn missing(&self, name: &str, expected: &str) -> ModelError {
        let cause = match &self.json[name] {
            Value::Null => format!("`{name}` is missing ({expected} expected)"),
            found => format!("`{name}` is {found}, {expected} expected"),
        };
        ModelError::file(self.path, cause)
    }

    fn size(&self, name: &str) -> Result<usize> {
        self.optional_size(name)?
            .ok_or_else(|| self.missing(name, "a positive integer"))
    }

    fn optional_size(&self, name: &str) -> Result<Option<usize>> {
        match &self.json[name] {
            Value::Null => Ok(None),
            value => match value.as_u64() {
                Some(n) if n > 0 => Ok(Some(n as usize)),
                _ => Err(self.missing(name, "a positive integer")),
            },
        }
    }

    fn number(&self, name: &str) -> Result<f64> {
        self.json[name]
            .as_f64()
            .ok_or_else(|| self.missing(name, "a number"))
    }

    fn flag(&self, name: &str) -> bool {
        self.json[name].as_bool().unwrap_or(false)
    }

    fn unsupported(&self, cause: String) -> ModelError {
        ModelError::Unsupported {
            path: self.path.to_owned(),
            cause,
        }
    }

    /// RoPE's base; a rescaled RoPE is refused rather than computed wrongly.
    fn rope_theta(&self) -> Result<f64> {
        for name in ["rope_parameters", "rope_scaling"] {
            let rope = &self.json[name];
            let kind = rope["rope_type"].as_str().or(rope["type"].as_str());
            if !matches!(kind, None | Some("default")) {
                let kind = kind.unwrap_or_default();
                return Err(self.unsupported(format!("RoPE scaling `{kind}` is not computed yet")));
            }
            if let Some(theta) = rope["rope_theta"].as_f64() {
                return Ok(theta);
            }
        }
        self.number("rope_theta")
    }
}

impl DecoderConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// A missing or malformed field, or an architecture that is not computed, named.
    pub fn read(path: &Path) -> Result<Self> {
        let json = files::read_json(path)?;
        let f = Fields { path, json: &json };
        let kind = json["model_type"].as_str().unwrap_or("(none)");
        if kind != "llama" {
            return Err(f.unsupported(format!(
                "architecture `{kind}` is not computed yet (llama is)"
            )));
        }
        let act = json["hidden_act"].as_str().unwrap_or("silu");
        if act != "silu" {
            return Err(f.unsupported(format!("activation `{act}` is not computed (silu is)")));
        }
        for bias in ["attention_bias", "mlp_bias"] {
            if f.flag(bias) {
                return Err(f.unsupported(format!("`{bias}: true` is not computed yet")));
            }
        }
        let (dim, heads) = (f.size("hidden_size")?, f.size("num_attention_heads")?);
        let kv_heads = f.optional_size("num_key_value_heads")?.unwrap_or(heads);
        let head_dim = f.optional_size("head_dim")?.unwrap_or(dim / heads);
        if !heads.is_multiple_of(kv_heads) || !head_dim.is_multiple_of(2) {
            return Err(f.unsupported(format!(
                "{heads} heads, {kv_heads} key-value heads and width {head_dim} do not fit together"
            )));
        }
        Ok(DecoderConfig {
            vocab: f.size("vocab_size")?,
            dim,
            ffn: f.size("intermediate_size")?,
            layers: f.size("num_hidden_layers")?,
            heads,
            kv_heads,
            head_dim,
            context: f.size("max_position_embeddings")?,
            rope_theta: f.rope_theta()?,
            norm_eps: f.number("rms_norm_eps")?,
            tied_head: f.flag("tie_word_embeddings"),
            end_tokens: end_tokens(path, &json),
        })
    }
}

/// `eos_token_id` of generation_config.json and config.json, one number or several.
fn end_tokens(path: &Path, json: &Value) -> Vec<u32> {
    let generation = path.with_file_name("generation_config.json");
    let generation = files::read_json(&generation).unwrap_or(Value::Null);
    let mut ids: Vec<u32> = [&generation["eos_token_id"], &json["eos_token_id"]]
        .into_iter()
        .flat_map(|v| match v {
            Value::Array(many) => many.clone(),
            one => vec![one.clone()],
        })
        .filter_map(|v| u32::try_from(v.as_u64()?).ok())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(change: impl Fn(&mut Value)) -> Result<DecoderConfig> {
        let mut config = json!({
            "model_type": "llama", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "eos_token_id": [1, 5], "tie_word_embeddings": true
        });
        change(&mut config);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, config.to_string()).unwrap();
        DecoderConfig::read(&path)
    }

    #[test]
    fn both_generations_are_read() {
        let old = read(|_| ()).unwrap();
        assert_eq!((old.head_dim, old.kv_heads, old.rope_theta), (4, 2, 1e4));
        assert_eq!(old.end_tokens, [1, 5]);
        let new = read(|c| {
            c.as_object_mut().unwrap().remove("rope_theta");
            c["rope_parameters"] = json!({"rope_type": "default", "rope_theta": 5e5});
        });
        assert_eq!(new.unwrap().rope_theta, 5e5);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: [(&str, Value, &str); 6] = [
            ("model_type", json!("qwen2"), "architecture `qwen2`"),
            ("rope_theta", Value::Null, "`rope_theta` is missing"),
            ("vocab_size", json!("many"), "`vocab_size` is \"many\""),
            ("rope_scaling", json!({"rope_type": "yarn"}), "`yarn`"),
            ("attention_bias", json!(true), "attention_bias"),
            ("num_key_value_heads", json!(3), "do not fit together"),
        ];
        for (field, value, expected) in cases {
            let error = read(|c| c[field] = value.clone()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
