//! `config.json` of a decoder, as transformers 4 and 5 write it.
//!
//! A number that is not written is not guessed, except where transformers 4 itself left out what
//! equals its configuration class's default; those places say so. A field that is not known is an
//! error, because it may change the numbers.

mod fields;
mod rope;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Value, json};

pub use super::architecture::DecoderConfig;
use super::architecture::{Activation, Head, LayerKind, Norms, QueryKeyNorm, Rope};
use super::{Result, files};
use fields::Fields;
use rope::Surroundings;

/// What `model_type` may say.
const KNOWN: [(&str, Family); 10] = [
    ("llama", Family::Llama),
    ("mistral", Family::Mistral),
    ("qwen2", Family::Qwen2),
    ("qwen3", Family::Qwen3),
    ("gemma2", Family::Gemma2),
    ("gemma3_text", Family::Gemma3),
    ("gemma3", Family::Gemma3),
    ("phi3", Family::Phi3),
    ("olmo2", Family::Olmo2),
    ("smollm3", Family::SmolLm3),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Gemma2,
    Gemma3,
    Phi3,
    Olmo2,
    SmolLm3,
}

impl Family {
    fn is_gemma(self) -> bool {
        matches!(self, Family::Gemma2 | Family::Gemma3)
    }
}

impl DecoderConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// A missing, malformed or unknown field, or a value that is not computed, named.
    pub fn read(path: &Path) -> Result<Self> {
        let json = files::read_json(path)?;
        let top = Fields::of(path, &json)?;
        let kind = top
            .text("model_type")?
            .ok_or_else(|| top.wrong("model_type", "the architecture's name"))?;
        let family = KNOWN.iter().find(|(name, _)| *name == kind);
        let Some(&(_, family)) = family else {
            let names = KNOWN.map(|(name, _)| name).join(", ");
            return Err(top.unsupported(format!(
                "architecture `{kind}` is not computed (known: {names})"
            )));
        };
        let head = head(&top)?;
        let mut config = if kind == "gemma3" {
            let text = gemma3_text(&top)?;
            decoder(&Fields::of(path, &text)?, kind, family, head)?
        } else {
            decoder(&top, kind, family, head)?
        };
        config.end_tokens = end_tokens(path, &json);
        Ok(config)
    }
}

/// The name of a decoder's tensor as if the decoder had been saved alone, or nothing for a tensor
/// of something else: gemma 3 with eyes keeps its decoder among others, under a name that changed.
pub fn decoder_tensor(name: &str) -> Option<String> {
    const OTHERS: [&str; 4] = [
        "vision_tower.",
        "multi_modal_projector.",
        "model.vision_tower.",
        "model.multi_modal_projector.",
    ];
    if OTHERS.iter().any(|other| name.starts_with(other)) {
        return None;
    }
    if let Some(rest) = name.strip_prefix("model.language_model.") {
        return Some(format!("model.{rest}"));
    }
    let name = name.strip_prefix("language_model.").unwrap_or(name);
    Some(name.to_owned())
}

/// Gemma 3's configuration with eyes, as if it were of the text alone. Transformers writes only
/// what differs from `Gemma3TextConfig`'s defaults into the inner object, so these hold.
fn gemma3_text(top: &Fields) -> Result<Value> {
    let mut text = json!({
        "vocab_size": 262_208, "hidden_size": 2304, "intermediate_size": 9216,
        "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
        "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": 131_072, "rms_norm_eps": 1e-6,
        "query_pre_attn_scalar": 256, "sliding_window": 4096,
        "attn_logit_softcapping": null, "final_logit_softcapping": null,
    });
    let inner = top.inside("text_config")?;
    inner.ok_or_else(|| top.wrong("text_config", "an object"))?;
    for name in [
        "mm_tokens_per_image",
        "boi_token_index",
        "eoi_token_index",
        "image_token_index",
        "boi_token_id",
        "eoi_token_id",
        "image_token_id",
    ] {
        top.value(name);
    }
    if let (Some(all), Some(written)) = (text.as_object_mut(), top.value("text_config").as_object())
    {
        all.extend(written.clone());
        if !all.contains_key("rope_parameters") {
            all.entry("rope_theta").or_insert(json!(1e6));
            all.entry("rope_local_base_freq").or_insert(json!(1e4));
        }
        if let Value::Bool(tied) = top.value("tie_word_embeddings") {
            all.insert("tie_word_embeddings".into(), json!(tied));
        }
    }
    top.finish()?;
    Ok(text)
}

fn decoder(f: &Fields, kind: &str, family: Family, head: Option<usize>) -> Result<DecoderConfig> {
    let (dim, heads) = (f.size("hidden_size")?, f.size("num_attention_heads")?);
    let kv_heads = kv_heads(f, family, heads)?;
    let head_dim = match (f.optional_size("head_dim")?, family) {
        (Some(head_dim), _) => head_dim,
        // Their configuration classes do not derive it from the other sizes.
        (None, Family::Qwen3) => 128,
        (None, Family::Gemma2 | Family::Gemma3) => 256,
        (None, _) => dim / heads,
    };
    if head_dim == 0 || !heads.is_multiple_of(kv_heads) || !head_dim.is_multiple_of(2) {
        return Err(f.unsupported(format!(
            "{heads} heads, {kv_heads} key-value heads and width {head_dim} do not fit together"
        )));
    }
    let context = f.size("max_position_embeddings")?;
    let around = Surroundings {
        top: f,
        head_dim,
        context,
        is_phi: family == Family::Phi3,
    };
    let layers = f.size("num_hidden_layers")?;
    let windows = windows(f, family, layers)?;
    let (layers, ropes) = match family {
        Family::Gemma3 => {
            let kinds = windows.iter().map(|window| LayerKind {
                window: *window,
                rope: usize::from(window.is_none()),
            });
            (kinds.collect(), rope::local_and_global(&around)?.into())
        }
        Family::SmolLm3 => with_unrotated(f, &windows, rope::only(&around)?)?,
        _ => {
            let kinds = windows.iter().map(|&window| LayerKind { window, rope: 0 });
            (kinds.collect(), vec![rope::only(&around)?])
        }
    };
    // Before the biases were written, there were none.
    let attention_bias = match family {
        Family::Mistral | Family::Qwen2 | Family::Phi3 => false,
        _ => f.flag("attention_bias", false)?,
    };
    let tied = f.flag(
        "tie_word_embeddings",
        // Transformers 4 did not write `true` for those whose class says so.
        family.is_gemma() || family == Family::SmolLm3,
    )?;
    let final_cap = match family {
        Family::Gemma2 => f.number_or_null("final_logit_softcapping")?,
        Family::Gemma3 => f.optional_number("final_logit_softcapping")?,
        _ => None,
    };
    let config = DecoderConfig {
        architecture: kind.to_owned(),
        vocab: f.size("vocab_size")?,
        dim,
        ffn: f.size("intermediate_size")?,
        heads,
        kv_heads,
        head_dim,
        context,
        norm_eps: f.number("rms_norm_eps")?,
        norm_adds_one: family.is_gemma(),
        norms: match family {
            Family::Gemma2 | Family::Gemma3 => Norms::PreAndPost,
            Family::Olmo2 => Norms::Post,
            _ => Norms::Pre,
        },
        query_key_norm: match family {
            Family::Qwen3 | Family::Gemma3 => QueryKeyNorm::PerHead,
            Family::Olmo2 => QueryKeyNorm::Whole,
            _ => QueryKeyNorm::None,
        },
        qkv_bias: attention_bias || family == Family::Qwen2,
        output_bias: attention_bias,
        ffn_bias: match family {
            Family::Llama | Family::SmolLm3 => f.flag("mlp_bias", false)?,
            _ => false,
        },
        activation: activation(f, family)?,
        embedding_scale: match family.is_gemma() {
            true => (dim as f64).sqrt(),
            false => 1.0,
        },
        attention_scale: match family.is_gemma() {
            true => f.number("query_pre_attn_scalar")?.sqrt().recip(),
            false => (head_dim as f64).sqrt().recip(),
        },
        attention_cap: match family {
            Family::Gemma2 => f.number_or_null("attn_logit_softcapping")?,
            // Gemma 3's forward never uses it; null is harmless, a number would be ambiguous.
            _ => None,
        },
        // A sequence classifier's labels are not capped.
        final_cap: final_cap.filter(|_| head.is_none()),
        layers,
        ropes,
        head: match head {
            Some(labels) => Head::Reward { labels },
            None => Head::Language { tied },
        },
        end_tokens: Vec::new(),
    };
    f.finish()?;
    Ok(config)
}

/// Some classes take all heads where nothing is written, others a number; null means all in each.
fn kv_heads(f: &Fields, family: Family, heads: usize) -> Result<usize> {
    let name = "num_key_value_heads";
    let silent = matches!(family, Family::Llama | Family::Phi3 | Family::Olmo2);
    match silent {
        true => Ok(f.optional_size(name)?.unwrap_or(heads)),
        false => Ok(f.size_or_null(name)?.unwrap_or(heads)),
    }
}

fn activation(f: &Fields, family: Family) -> Result<Activation> {
    // Gemma's files have one of the two names or both; the second is what transformers obeys.
    let (name, otherwise) = match family.is_gemma() {
        true if f.has("hidden_activation") => ("hidden_activation", "gelu_pytorch_tanh"),
        true => ("hidden_act", "gelu_pytorch_tanh"),
        false => ("hidden_act", "silu"),
    };
    if family.is_gemma() {
        f.value("hidden_act");
    }
    match f.text(name)?.unwrap_or(otherwise) {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        _ => Err(f.not_computed(name, "silu and gelu_pytorch_tanh are")),
    }
}

/// The window of every layer.
fn windows(f: &Fields, family: Family, layers: usize) -> Result<Vec<Option<usize>>> {
    let all = |window| Ok(vec![window; layers]);
    // What holds where `layer_types` is not written.
    let by_default: Box<dyn Fn(usize) -> bool>;
    let window = match family {
        Family::Llama | Family::Olmo2 => return all(None),
        Family::Mistral => return all(f.size_or_null("sliding_window")?),
        // Its class's default is none.
        Family::Phi3 => return all(f.optional_size("sliding_window")?),
        Family::Qwen2 | Family::Qwen3 | Family::SmolLm3 => {
            f.value("sliding_window");
            let uses = f.flag("use_sliding_window", false)?;
            let from = f.optional_count("max_window_layers")?;
            let window = match uses {
                true => f.size_or_null("sliding_window")?,
                false => None,
            };
            let unrotated = match family {
                Family::SmolLm3 => unrotated(f, layers)?,
                _ => Vec::new(),
            };
            let smollm = family == Family::SmolLm3;
            if window.is_some() && !smollm && from.is_none() && !f.has("layer_types") {
                return Err(f.wrong("max_window_layers", "an integer"));
            }
            by_default = Box::new(move |i| match smollm {
                true => window.is_some() && unrotated[i],
                false => window.is_some() && from.is_some_and(|from| i >= from),
            });
            window
        }
        Family::Gemma2 => {
            by_default = Box::new(|i| i.is_multiple_of(2));
            f.size_or_null("sliding_window")?
        }
        Family::Gemma3 => {
            // The class's default, and what newer files keep under the second name.
            let outer = f.optional_size("sliding_window_pattern")?;
            let inner = f.optional_size("_sliding_window_pattern")?;
            let pattern = outer.or(inner).unwrap_or(6);
            by_default = Box::new(move |i| !(i + 1).is_multiple_of(pattern));
            f.size_or_null("sliding_window")?
        }
    };
    let slides: Vec<bool> = match f.value("layer_types") {
        Value::Null => (0..layers).map(by_default).collect(),
        Value::Array(types) if types.len() == layers => types
            .iter()
            .map(|kind| match kind.as_str() {
                Some("sliding_attention") => Ok(true),
                Some("full_attention") => Ok(false),
                _ => Err(f.not_computed(
                    "layer_types",
                    "a list of sliding_attention and full_attention is",
                )),
            })
            .collect::<Result<_>>()?,
        _ => {
            let expected = format!("a list with an entry for each of {layers} layers");
            return Err(f.wrong("layer_types", &expected));
        }
    };
    if slides.contains(&true) && window.is_none() {
        return Err(f.wrong("sliding_window", "the window that `layer_types` speaks of"));
    }
    Ok(slides
        .iter()
        .map(|slides| window.filter(|_| *slides))
        .collect())
}

/// Which of SmolLM 3's layers do not rotate: every fourth where nothing is written.
fn unrotated(f: &Fields, layers: usize) -> Result<Vec<bool>> {
    let every = f.optional_size("no_rope_layer_interval")?.unwrap_or(4);
    match f.value("no_rope_layers") {
        Value::Null => Ok((0..layers).map(|i| (i + 1).is_multiple_of(every)).collect()),
        // 1 stands for a layer that does rotate, in spite of the name.
        Value::Array(marks) if marks.len() >= layers => marks[..layers]
            .iter()
            .map(|mark| match mark.as_u64() {
                Some(mark @ (0 | 1)) => Ok(mark == 0),
                _ => Err(f.wrong("no_rope_layers", "a list of 0 and 1")),
            })
            .collect(),
        _ => Err(f.wrong("no_rope_layers", "a list of 0 and 1 for each layer")),
    }
}

/// Layers without rotation choose an embedding of no frequencies.
fn with_unrotated(
    f: &Fields,
    windows: &[Option<usize>],
    rope: Rope,
) -> Result<(Vec<LayerKind>, Vec<Rope>)> {
    let nothing = Rope {
        frequencies: Vec::new(),
        long: None,
        scale: 1.0,
    };
    let unrotated = unrotated(f, windows.len())?;
    let kinds = windows
        .iter()
        .zip(unrotated)
        .map(|(&window, still)| LayerKind {
            window,
            rope: usize::from(still),
        });
    Ok((kinds.collect(), vec![rope, nothing]))
}

/// The number of labels of a sequence classifier; `None` for a language model.
fn head(top: &Fields) -> Result<Option<usize>> {
    let Value::Array(names) = top.value("architectures") else {
        return Ok(None);
    };
    let mut labels = None;
    for name in names.iter().filter_map(Value::as_str) {
        if name.ends_with("ForSequenceClassification") {
            labels = Some(match top.inside("id2label")? {
                Some(_) => top.value("id2label").as_object().map_or(0, |map| map.len()),
                // Transformers does not write two, its default.
                None => top.optional_size("num_labels")?.unwrap_or(2),
            });
        } else if !["ForCausalLM", "ForConditionalGeneration", "Model"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            let known = "language models and *ForSequenceClassification are";
            return Err(top.not_computed("architectures", known));
        }
    }
    if labels == Some(0) {
        return Err(top.wrong("id2label", "at least one label"));
    }
    Ok(labels)
}

/// `eos_token_id` of generation_config.json and config.json, one number or several.
fn end_tokens(path: &Path, json: &Value) -> Vec<u32> {
    let generation = path.with_file_name("generation_config.json");
    let generation = files::read_json(&generation).unwrap_or(Value::Null);
    let everywhere = [
        &generation["eos_token_id"],
        &json["eos_token_id"],
        &json["text_config"]["eos_token_id"],
    ];
    let mut ids: Vec<u32> = everywhere
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
