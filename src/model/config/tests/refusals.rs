//! Every configuration that is refused, and how the refusal names what is wrong.

use super::*;

#[test]
fn what_is_wrong_is_named() {
    let scaled = |scaling: Value| json!({"rope_theta": 1e4, "rope_scaling": scaling});
    let set = |name: &str, value: Value| {
        let mut more = json!({"rope_theta": 1e4});
        more[name] = value;
        more
    };
    let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0,
        "high_freq_factor": 4.0});
    let mut gemma = gemma3();
    gemma["attn_logit_softcapping"] = json!(50.0);
    let mut uncapped = gemma2();
    uncapped
        .as_object_mut()
        .unwrap()
        .remove("attn_logit_softcapping");
    let mut gelu = gemma2();
    gelu["hidden_activation"] = json!("gelu");
    let long = |factors: usize| {
        json!({"rope_theta": 1e4, "original_max_position_embeddings": 512,
            "rope_scaling": {"type": "longrope", "short_factor": vec![1.0; factors],
                "long_factor": vec![1.0; 4]}})
    };
    let mut nowhere = long(4);
    nowhere
        .as_object_mut()
        .unwrap()
        .remove("original_max_position_embeddings");
    let slides = json!({"rope_theta": 1e4, "layer_types": ["sliding_attention", "full_attention",
        "full_attention", "full_attention"]});
    let cases: Vec<(&str, Value, &str)> = vec![
        (
            "gpt_oss",
            json!({}),
            "architecture `gpt_oss` is not computed (known: llama, mistral",
        ),
        (
            "llama",
            json!({}),
            "`rope_theta` is missing (a positive number expected)",
        ),
        (
            "llama",
            set("vocab_size", json!("many")),
            "`vocab_size` is \"many\", a positive",
        ),
        ("llama", set("rope_theta", json!(-1)), "`rope_theta` is -1"),
        (
            "llama",
            set("tie_word_embeddings", json!("yes")),
            "`tie_word_embeddings` is \"yes\"",
        ),
        (
            "llama",
            set("num_key_value_heads", json!(3)),
            "do not fit together",
        ),
        (
            "llama",
            set("hidden_act", json!("relu")),
            "`hidden_act` is \"relu\"",
        ),
        (
            "llama",
            set("residual_multiplier", json!(0.2)),
            "`residual_multiplier` (0.2)",
        ),
        (
            "llama",
            set("sliding_window", json!(64)),
            "`sliding_window` (64)",
        ),
        (
            "llama",
            set("quantization_config", json!({"bits": 4})),
            "`quantization_config`",
        ),
        (
            "llama",
            set("architectures", json!(["LlamaForTokenClassification"])),
            "`architectures`",
        ),
        (
            "llama",
            set("partial_rotary_factor", json!(0.5)),
            "`partial_rotary_factor` is 0.5",
        ),
        (
            "llama",
            set("rope_scaling", json!(8)),
            "`rope_scaling` is 8, an object",
        ),
        (
            "llama",
            scaled(json!({"type": "dynamic", "factor": 2.0})),
            "`rope_scaling.type` is",
        ),
        (
            "llama",
            scaled(json!({"type": "linear"})),
            "`rope_scaling.factor` is missing",
        ),
        (
            "llama",
            scaled(json!({"type": "linear", "factor": 2.0, "x": 1})),
            "`rope_scaling.x`",
        ),
        (
            "llama",
            scaled(llama3),
            "`rope_scaling.high_freq_factor` is 4.0, more than",
        ),
        (
            "mistral",
            json!({"rope_theta": 1e4}),
            "`sliding_window` is missing",
        ),
        (
            "mistral",
            json!({"rope_theta": 1e4, "sliding_window": null, "attention_bias": true}),
            "`attention_bias` (true)",
        ),
        ("qwen2", slides, "`sliding_window` is missing"),
        ("qwen2", set("mlp_bias", json!(true)), "`mlp_bias` (true)"),
        (
            "qwen2",
            set("layer_types", json!(["full_attention"])),
            "`layer_types` is",
        ),
        (
            "qwen2",
            set("layer_types", json!([1, 2, 3, 4])),
            "`layer_types` is [1,2,3,4]",
        ),
        ("gemma2", uncapped, "`attn_logit_softcapping` is missing"),
        ("gemma2", gelu, "`hidden_activation` is \"gelu\""),
        ("gemma3_text", gemma, "`attn_logit_softcapping` (50.0)"),
        ("gemma3", json!({}), "`text_config` is missing"),
        (
            "phi3",
            long(3),
            "`rope_scaling.short_factor` is [1.0,1.0,1.0], a list of 4",
        ),
        (
            "phi3",
            nowhere,
            "`original_max_position_embeddings` is missing",
        ),
        (
            "phi3",
            scaled(json!({"type": "linear", "factor": 2.0})),
            "default and longrope are",
        ),
        (
            "smollm3",
            set("no_rope_layers", json!([1])),
            "`no_rope_layers` is [1]",
        ),
    ];
    for (kind, more, expected) in cases {
        let error = read_value(&config(kind, more)).unwrap_err().to_string();
        assert!(error.contains(expected), "{kind}: {error}");
        assert!(error.contains("config.json"), "{error}");
    }
    let mut untyped = config("llama", json!({"rope_theta": 1e4}));
    untyped.as_object_mut().unwrap().remove("model_type");
    let error = read_value(&untyped).unwrap_err().to_string();
    assert!(error.contains("`model_type` is missing"), "{error}");
    let twice = json!({"rope_scaling": {"rope_type": "default"},
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}});
    let error = read_value(&config("llama", twice)).unwrap_err().to_string();
    assert!(error.contains("beside `rope_parameters`"), "{error}");
    let mut nested = gemma2();
    nested.as_object_mut().unwrap().remove("rope_theta");
    nested["rope_parameters"] = json!({"rope_theta": 1e4, "full_attention": {}});
    let error = read_value(&config("gemma2", nested))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`rope_parameters.full_attention`"),
        "{error}"
    );
}
