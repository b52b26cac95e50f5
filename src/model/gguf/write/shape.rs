//! A decoder's shape as GGUF metadata: the inverse of [`super::super::config`] and [`super::super::rope`].

use candle_core::quantized::gguf_file::Value as Meta;
use serde_json::Value;

use super::super::super::architecture::{DecoderConfig, LayerKind, Rope};
use super::super::names::Family;
use super::Metadata;

/// Factors of the rotary embedding, to be written as tensors.
type Factors = Vec<(&'static str, Vec<f32>)>;

/// Why a model cannot be written.
type Cause = String;

/// Describes a decoder; gives back the tensors of its rotary embedding. `raw` is its `config.json`.
pub fn describe(
    family: Family,
    c: &DecoderConfig,
    raw: &Value,
    metadata: &mut Metadata,
) -> Result<Factors, Cause> {
    let mut set = |name: &str, value: Meta| {
        metadata.insert(format!("{}.{name}", family.name()), value);
    };
    let size = |n: usize| Meta::U32(n as u32);
    set("vocab_size", size(c.vocab));
    set("context_length", size(c.context));
    set("embedding_length", size(c.dim));
    set("block_count", size(c.layers.len()));
    set("feed_forward_length", size(c.ffn));
    set("attention.head_count", size(c.heads));
    set("attention.head_count_kv", size(c.kv_heads));
    set("attention.key_length", size(c.head_dim));
    set("attention.value_length", size(c.head_dim));
    let epsilon = Meta::F32(c.norm_eps as f32);
    set("attention.layer_norm_rms_epsilon", epsilon);
    let usual = 1.0 / (c.head_dim as f64).sqrt();
    if (c.attention_scale / usual - 1.0).abs() > 1e-9 {
        set("attention.scale", Meta::F32(c.attention_scale as f32));
    }
    if family == Family::Gemma2 {
        let cap = c.attention_cap.unwrap_or(0.0) as f32;
        set("attn_logit_softcapping", Meta::F32(cap));
    }
    if family.is_gemma() {
        let cap = c.final_cap.unwrap_or(0.0) as f32;
        set("final_logit_softcapping", Meta::F32(cap));
    }
    windows(c, &mut set)?;
    ropes(family, c, raw, &mut set)
}

/// Which layers see a window of the text only.
fn windows(c: &DecoderConfig, set: &mut impl FnMut(&str, Meta)) -> Result<(), Cause> {
    let windows: Vec<usize> = c.layers.iter().filter_map(|l| l.window).collect();
    let window = windows.first().copied().unwrap_or(0);
    if windows.iter().any(|w| *w != window) {
        return Err("its layers have windows of several sizes, GGUF one".into());
    }
    set("attention.sliding_window", Meta::U32(window as u32));
    if windows.is_empty() {
        return Ok(());
    }
    let each = c.layers.iter().map(|l| Meta::Bool(l.window.is_some()));
    let pattern = Meta::Array(each.collect());
    set("attention.sliding_window_pattern", pattern);
    Ok(())
}

/// `rope_theta` of a configuration in the old or the new form.
fn theta(raw: &Value) -> Option<f64> {
    let text = match &raw["text_config"] {
        Value::Null => raw,
        inner => inner,
    };
    let parameters = &text["rope_parameters"];
    [
        &parameters["rope_theta"],
        &parameters["full_attention"]["rope_theta"],
        &text["rope_theta"],
    ]
    .into_iter()
    .find_map(Value::as_f64)
}

/// The base that unscaled frequencies have: `frequencies[i] = base^(−i / len)`.
fn base_of(frequencies: &[f64]) -> Option<f64> {
    let count = frequencies.len() as f64;
    frequencies.get(1).map(|f| f.powf(-count))
}

/// By what the frequencies of a base are divided; `None` where all are as they are.
fn factors(base: f64, frequencies: &[f64]) -> Option<Vec<f32>> {
    let count = frequencies.len() as f64;
    let plain = |i: usize| base.powf(-(i as f64) / count);
    let all: Vec<f32> = frequencies
        .iter()
        .enumerate()
        .map(|(i, f)| (plain(i) / f) as f32)
        .collect();
    all.iter().any(|f| (f - 1.0).abs() > 1e-6).then_some(all)
}

fn ropes(
    family: Family,
    c: &DecoderConfig,
    raw: &Value,
    set: &mut impl FnMut(&str, Meta),
) -> Result<Factors, Cause> {
    // Layers that see everything use the global one, where there are two.
    let first = c.layers.iter().find(|l| l.window.is_none());
    let index = first.or(c.layers.first()).map_or(0, |l| l.rope);
    let Some(global) = c.ropes.get(index) else {
        return Err("it has no rotary embedding".into());
    };
    let Some(base) = theta(raw).or_else(|| base_of(&global.frequencies)) else {
        return Err("the base of its rotary embedding is not known".into());
    };
    let dims = Meta::U32(2 * global.frequencies.len() as u32);
    set("rope.dimension_count", dims);
    set("rope.freq_base", Meta::F32(base as f32));
    let others: Vec<usize> = c
        .layers
        .iter()
        .map(|l| l.rope)
        .filter(|r| *r != index)
        .collect();
    if let Some(local) = others.first().and_then(|other| c.ropes.get(*other)) {
        let of_windows = |l: &LayerKind| (l.rope == index) == l.window.is_none();
        if others.iter().any(|other| *other != others[0]) || !c.layers.iter().all(of_windows) {
            return Err("its rotary embeddings do not follow its windows".into());
        }
        let own = base_of(&local.frequencies).filter(|_| family == Family::Gemma3);
        let Some(own) = own.filter(|own| factors(*own, &local.frequencies).is_none()) else {
            return Err("the rotary embedding of some of its layers has no place in GGUF".into());
        };
        set("rope.freq_base_swa", Meta::F32(own as f32));
    }
    scaling(family, global, base, set)
}

fn scaling(
    family: Family,
    rope: &Rope,
    base: f64,
    set: &mut impl FnMut(&str, Meta),
) -> Result<Factors, Cause> {
    let mut text = |kind: &str| set("rope.scaling.type", Meta::String(kind.into()));
    if let Some((from, long)) = &rope.long {
        let ones = |f: &[f64]| factors(base, f).unwrap_or_else(|| vec![1.0; f.len()]);
        let both = vec![
            ("rope_factors_short.weight", ones(&rope.frequencies)),
            ("rope_factors_long.weight", ones(long)),
        ];
        text("longrope");
        let original = "rope.scaling.original_context_length";
        set(original, Meta::U32(*from as u32));
        set("rope.scaling.attn_factor", Meta::F32(rope.scale as f32));
        return Ok(both);
    }
    if rope.scale != 1.0 {
        return Err("its RoPE scaling (of cosine and sine too) is not written as GGUF".into());
    }
    let Some(all) = factors(base, &rope.frequencies) else {
        return Ok(Vec::new());
    };
    let first = all.first().copied().unwrap_or(1.0);
    if all.iter().all(|f| (f / first - 1.0).abs() < 1e-6) {
        text("linear");
        set("rope.scaling.factor", Meta::F32(first));
        return Ok(Vec::new());
    }
    match family {
        Family::Llama => Ok(vec![("rope_freqs.weight", all)]),
        _ => Err("its RoPE scaling is not written as GGUF".into()),
    }
}
