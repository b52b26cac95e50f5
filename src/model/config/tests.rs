mod refusals;

use super::*;
use std::f64::consts::TAU;

const SIZES: &str = r#"{
    "vocab_size": 100, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5, "eos_token_id": [1, 5], "tie_word_embeddings": false,
    "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true}"#;

/// The sizes above under a model type, with `more` on top.
fn config(kind: &str, more: Value) -> Value {
    let mut config: Value = serde_json::from_str(SIZES).unwrap();
    config["model_type"] = json!(kind);
    let fields = config.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    config
}

fn read_value(config: &Value) -> Result<DecoderConfig> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    DecoderConfig::read(&path)
}

/// A transformers 5 file: what transformers 4 called otherwise, renamed.
fn renewed(mut config: Value) -> Value {
    let fields = config.as_object_mut().unwrap();
    let dtype = fields.remove("torch_dtype").unwrap();
    fields.insert("dtype".into(), dtype);
    let theta = fields.remove("rope_theta").unwrap();
    let mut rope = match fields.remove("rope_scaling") {
        Some(Value::Object(rope)) => rope,
        _ => serde_json::Map::new(),
    };
    if let Some(kind) = rope.remove("type") {
        rope.insert("rope_type".into(), kind);
    }
    rope.entry("rope_type").or_insert(json!("default"));
    rope.insert("rope_theta".into(), theta);
    if let Some(part) = fields.remove("partial_rotary_factor") {
        rope.insert("partial_rotary_factor".into(), part);
    }
    let rope = match fields.remove("rope_local_base_freq") {
        None => Value::Object(rope),
        Some(local) => json!({
            "sliding_attention": {"rope_type": "default", "rope_theta": local},
            "full_attention": rope,
        }),
    };
    fields.insert("rope_parameters".into(), rope);
    config
}

/// Reads both generations of a configuration, which must say the same.
fn both(kind: &str, more: Value) -> DecoderConfig {
    let old = config(kind, more);
    let new = read_value(&renewed(old.clone())).unwrap();
    let old = read_value(&old).unwrap();
    assert_eq!(old, new);
    old
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got / want - 1.0).abs() < 1e-7, "{got} is not {want}");
    }
}

fn windows_of(config: &DecoderConfig) -> Vec<Option<usize>> {
    config.layers.iter().map(|l| l.window).collect()
}

#[test]
fn llama() {
    let c = both("llama", json!({"rope_theta": 1e4}));
    assert_eq!((c.head_dim, c.kv_heads, c.context), (8, 2, 4096));
    assert_eq!(c.end_tokens, [1, 5]);
    assert_eq!(c.head, Head::Language { tied: false });
    close(&[c.attention_scale], &[8f64.powf(-0.5)]);
    assert_eq!(windows_of(&c), [None; 4]);
    close(&c.ropes[0].frequencies, &[1.0, 1e-1, 1e-2, 1e-3]);
    assert!(!c.qkv_bias && !c.output_bias && !c.ffn_bias && !c.norm_adds_one);
    let more = json!({"rope_theta": 1e4, "attention_bias": true, "mlp_bias": true});
    let biased = both("llama", more);
    assert!(biased.qkv_bias && biased.output_bias && biased.ffn_bias);
    let mut all_heads = config("llama", json!({"rope_theta": 1e4}));
    let fields = all_heads.as_object_mut().unwrap();
    fields.remove("num_key_value_heads");
    assert_eq!(read_value(&all_heads).unwrap().kv_heads, 4);
}

#[test]
fn llama_3_slows_what_is_slow() {
    let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 1024});
    let c = both("llama", json!({"rope_theta": 1e4, "rope_scaling": scaling}));
    let turns = 1024.0 * 1e-2 / TAU;
    let keep = (turns - 1.0) / 3.0;
    let middle = 1e-2 * (keep + (1.0 - keep) / 8.0);
    close(&c.ropes[0].frequencies, &[1.0, 1e-1, middle, 1e-3 / 8.0]);
}

#[test]
fn linear_and_yarn_scaling() {
    let linear = json!({"type": "linear", "factor": 2.0});
    let c = both("llama", json!({"rope_theta": 1e4, "rope_scaling": linear}));
    close(&c.ropes[0].frequencies, &[0.5, 5e-2, 5e-3, 5e-4]);
    let yarn = json!({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024});
    let c = both("qwen2", json!({"rope_theta": 1e4, "rope_scaling": yarn}));
    // Between dimensions 0 (32 turns: 0.7, rounded down) and 3 (one turn: 2.2, rounded up).
    let blend = |f: f64, i: f64| f * (1.0 - i / 3.0) + f / 4.0 * i / 3.0;
    let want = [1.0, blend(1e-1, 1.0), blend(1e-2, 2.0), 1e-3 / 4.0];
    close(&c.ropes[0].frequencies, &want);
    close(&[c.ropes[0].scale], &[0.1 * 4f64.ln() + 1.0]);
    let given = json!({"type": "yarn", "factor": 4.0, "attention_factor": 1.5});
    let c = both("qwen2", json!({"rope_theta": 1e4, "rope_scaling": given}));
    assert_eq!(c.ropes[0].scale, 1.5);
}

#[test]
fn mistral() {
    let c = both("mistral", json!({"rope_theta": 1e4, "sliding_window": 7}));
    assert_eq!(windows_of(&c), [Some(7); 4]);
    let c = both(
        "mistral",
        json!({"rope_theta": 1e4, "sliding_window": null}),
    );
    assert_eq!(windows_of(&c), [None; 4]);
}

#[test]
fn qwen() {
    let off = json!({"rope_theta": 1e6, "use_sliding_window": false, "sliding_window": 9,
        "max_window_layers": 1});
    let c = both("qwen2", off.clone());
    assert!(c.qkv_bias && !c.output_bias);
    assert_eq!(windows_of(&c), [None; 4]);
    assert_eq!(c.query_key_norm, QueryKeyNorm::None);
    let mut on = off;
    on["use_sliding_window"] = json!(true);
    let c = both("qwen2", on.clone());
    assert_eq!(windows_of(&c), [None, Some(9), Some(9), Some(9)]);
    let (s, full) = ("sliding_attention", "full_attention");
    on["layer_types"] = json!([s, full, s, full]);
    let c = both("qwen3", on);
    assert_eq!(windows_of(&c), [Some(9), None, Some(9), None]);
    assert_eq!((c.qkv_bias, c.head_dim), (false, 128));
    assert_eq!(c.query_key_norm, QueryKeyNorm::PerHead);
}

fn gemma2() -> Value {
    json!({"rope_theta": 1e4, "head_dim": 8, "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 16,
        "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "sliding_window": 64,
        "cache_implementation": "hybrid"})
}

#[test]
fn gemma_2() {
    let c = both("gemma2", gemma2());
    assert_eq!(windows_of(&c), [Some(64), None, Some(64), None]);
    assert_eq!((c.attention_cap, c.final_cap), (Some(50.0), Some(30.0)));
    assert_eq!((c.attention_scale, c.embedding_scale), (0.25, 32f64.sqrt()));
    assert_eq!(
        (c.activation, c.norms),
        (Activation::GeluTanh, Norms::PreAndPost)
    );
    assert!(c.norm_adds_one);
    let mut silent = config("gemma2", gemma2());
    let fields = silent.as_object_mut().unwrap();
    for name in ["tie_word_embeddings", "head_dim", "hidden_activation"] {
        fields.remove(name);
    }
    let c = read_value(&silent).unwrap();
    assert_eq!((c.head, c.head_dim), (Head::Language { tied: true }, 256));
    assert_eq!(c.activation, Activation::GeluTanh);
}

fn gemma3() -> Value {
    json!({"rope_theta": 1e6, "rope_local_base_freq": 1e4, "head_dim": 8, "sliding_window": 64,
        "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 16,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0}})
}

#[test]
fn gemma_3() {
    let mut fields = gemma3();
    fields["sliding_window_pattern"] = json!(3);
    let c = both("gemma3_text", fields);
    assert_eq!(windows_of(&c), [Some(64), Some(64), None, Some(64)]);
    let ropes: Vec<usize> = c.layers.iter().map(|l| l.rope).collect();
    assert_eq!(ropes, [0, 0, 1, 0]);
    assert_eq!(
        (c.ropes[0].frequencies[0], c.ropes[1].frequencies[0]),
        (1.0, 0.125)
    );
    close(&[c.ropes[0].frequencies[1]], &[1e-1]);
    assert_eq!(c.query_key_norm, QueryKeyNorm::PerHead);
    assert_eq!((c.attention_cap, c.final_cap), (None, None));
    assert_eq!(windows_of(&both("gemma3_text", gemma3())), [Some(64); 4]);
}

#[test]
fn gemma_3_with_eyes() {
    let config = json!({"model_type": "gemma3", "eos_token_id": [1, 106],
        "architectures": ["Gemma3ForConditionalGeneration"], "mm_tokens_per_image": 256,
        "image_token_index": 262_144, "vision_config": {"model_type": "siglip_vision_model"},
        "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "sliding_window": 1024,
            "intermediate_size": 10240, "num_hidden_layers": 7,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0}}});
    let c = read_value(&config).unwrap();
    assert_eq!(
        (c.dim, c.heads, c.vocab, c.head_dim),
        (2560, 8, 262_208, 256)
    );
    assert_eq!(
        c.layers[5],
        LayerKind {
            window: None,
            rope: 1
        }
    );
    assert_eq!(
        c.layers[6],
        LayerKind {
            window: Some(1024),
            rope: 0
        }
    );
    assert_eq!(
        (c.head, c.end_tokens),
        (Head::Language { tied: true }, vec![1, 106])
    );
    for (name, want) in [
        (
            "language_model.model.norm.weight",
            Some("model.norm.weight"),
        ),
        (
            "model.language_model.norm.weight",
            Some("model.norm.weight"),
        ),
        ("language_model.lm_head.weight", Some("lm_head.weight")),
        ("model.norm.weight", Some("model.norm.weight")),
        ("vision_tower.x", None),
        ("model.multi_modal_projector.x", None),
    ] {
        assert_eq!(decoder_tensor(name).as_deref(), want);
    }
}

#[test]
fn phi_3() {
    let more = json!({"rope_theta": 1e4, "sliding_window": 2047,
        "original_max_position_embeddings": 4096});
    let c = both("phi3", more);
    assert_eq!(windows_of(&c), [Some(2047); 4]);
    for name in ["longrope", "su", "yarn"] {
        let long = json!({"rope_theta": 1e4, "partial_rotary_factor": 0.5, "sliding_window": null,
            "original_max_position_embeddings": 1024,
            "rope_scaling": {"type": name, "short_factor": [1.0, 2.0], "long_factor": [4.0, 5.0]}});
        let c = both("phi3", long);
        let rope = &c.ropes[0];
        close(&rope.frequencies, &[1.0, 1e-2 / 2.0]);
        let (from, long) = rope.long.clone().unwrap();
        assert_eq!(from, 1024);
        close(&long, &[1.0 / 4.0, 1e-2 / 5.0]);
        close(&[rope.scale], &[(1.0 + 4f64.ln() / 1024f64.ln()).sqrt()]);
    }
}

#[test]
fn olmo_2() {
    let c = both("olmo2", json!({"rope_theta": 5e5, "attention_bias": false}));
    assert_eq!(
        (c.norms, c.query_key_norm),
        (Norms::Post, QueryKeyNorm::Whole)
    );
}

#[test]
fn smollm_3_rests_in_every_fourth_layer() {
    let more = json!({"rope_theta": 2e6, "no_rope_layer_interval": 4, "max_window_layers": 28});
    let c = both("smollm3", more.clone());
    let ropes: Vec<usize> = c.layers.iter().map(|l| l.rope).collect();
    assert_eq!(ropes, [0, 0, 0, 1]);
    assert!(c.ropes[1].frequencies.is_empty());
    let mut marked = more;
    marked["no_rope_layers"] = json!([1, 0, 1, 1]);
    assert_eq!(both("smollm3", marked).layers[1].rope, 1);
}

#[test]
fn reward_heads() {
    let base = json!({"rope_theta": 1e4, "architectures": ["LlamaForSequenceClassification"]});
    assert_eq!(both("llama", base.clone()).head, Head::Reward { labels: 2 });
    let mut one = base.clone();
    one["id2label"] = json!({"0": "LABEL_0"});
    assert_eq!(both("llama", one).head, Head::Reward { labels: 1 });
    let mut three = base;
    three["num_labels"] = json!(3);
    assert_eq!(both("qwen2", three).head, Head::Reward { labels: 3 });
    let mut gemma = gemma2();
    gemma["architectures"] = json!(["Gemma2ForSequenceClassification"]);
    assert_eq!(both("gemma2", gemma).final_cap, None);
}

#[test]
fn end_tokens_come_from_both_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let config = config("llama", json!({"rope_theta": 1e4}));
    std::fs::write(&path, config.to_string()).unwrap();
    let generation = json!({"eos_token_id": [5, 9]}).to_string();
    std::fs::write(folder.path().join("generation_config.json"), generation).unwrap();
    assert_eq!(DecoderConfig::read(&path).unwrap().end_tokens, [1, 5, 9]);
}
