//! Against transformers, sentencepiece and the gguf package (see tests/golden/make_gguf.py).

use std::path::PathBuf;

use serde_json::Value as Json;

use super::super::architecture::{Activation, Head, Norms, QueryKeyNorm};
use super::super::tensors::Tensors;
use super::super::tokenizer::Piece;
use super::value::{Scalar, Value};
use super::*;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/gguf")
        .join(name)
}

fn json() -> Json {
    files::read_json(&golden("golden.json")).unwrap()
}

fn texts(json: &Json) -> Vec<String> {
    let texts = json["texts"].as_array().unwrap();
    texts.iter().map(|t| t.as_str().unwrap().into()).collect()
}

fn ids(json: &Json) -> Vec<u32> {
    let ids = json.as_array().unwrap();
    ids.iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn sha(values: &[f32]) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    for value in values {
        hasher.update(value.to_le_bytes());
    }
    super::super::file_bytes::hexadecimal(hasher)[..16].to_owned()
}

const NAMES: [&str; 8] = [
    "llama", "llama3", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2",
];

#[test]
fn tensors_equal_transformers_to_the_last_bit() {
    for name in NAMES {
        let gguf = open(&golden(&format!("{name}.gguf"))).unwrap();
        let expected = &json()["models"][name]["tensors"];
        let expected = expected.as_object().unwrap();
        let mut names: Vec<&str> = expected.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(gguf.tensors.names(), names);
        for (tensor, golden) in expected {
            let shape: Vec<usize> = ids(&golden["shape"]).iter().map(|n| *n as usize).collect();
            assert_eq!(gguf.tensors.shape(tensor), Some(shape), "{name} {tensor}");
            let values = gguf.tensors.read(tensor).unwrap();
            let about = format!("{name} {tensor} {}", golden["type"]);
            assert_eq!(sha(&values), golden["sha"].as_str().unwrap(), "{about}");
        }
        let error = gguf.tensors.read("model.nothing").unwrap_err().to_string();
        assert!(
            error.contains("model.nothing") && error.contains(name),
            "{error}"
        );
    }
}

#[test]
fn shapes_equal_transformers() {
    for name in NAMES {
        let config = open(&golden(&format!("{name}.gguf"))).unwrap().config;
        let golden = &json()["models"][name];
        assert_eq!(config.head_dim as u64, golden["head_dim"].as_u64().unwrap());
        let tied = golden["tied"].as_bool().unwrap();
        assert_eq!(config.head, Head::Language { tied });
        let scale = golden["scale"].as_f64().unwrap();
        assert!((config.attention_scale - scale).abs() < 1e-12, "{name}");
        let eps = if matches!(
            name,
            "llama" | "llama3" | "qwen2" | "qwen3" | "gemma2" | "gemma3"
        ) {
            1e-6
        } else {
            1e-5
        };
        assert_eq!(config.norm_eps, eps, "{name}");
        let close = |got: &[f64], want: &Json, scale: f64| {
            let want = want.as_array().unwrap();
            assert_eq!(got.len(), want.len(), "{name}");
            for (got, want) in got.iter().zip(want) {
                let want = want.as_f64().unwrap();
                assert!(
                    (got * scale / want - 1.0).abs() < 1e-6,
                    "{name}: {got} is not {want}"
                );
            }
        };
        let frequencies = &golden["frequencies"];
        let global = &config.ropes[0];
        let scaling = golden["attention_scaling"].as_f64().unwrap();
        assert!((global.scale - scaling).abs() < 1e-6);
        match name {
            "gemma3" => {
                close(
                    &global.frequencies,
                    &frequencies["full_attention_inv_freq"],
                    1.0,
                );
                let local = &config.ropes[1].frequencies;
                close(local, &frequencies["sliding_attention_inv_freq"], 1.0);
            }
            _ => {
                assert_eq!(config.ropes.len(), 1);
                close(&global.frequencies, &frequencies["inv_freq"], 1.0);
            }
        }
        if let Some(kinds) = golden["layer_types"].as_array() {
            let window = golden["sliding_window"].as_u64().map(|w| w as usize);
            let windows = kinds
                .iter()
                .map(|kind| window.filter(|_| kind == "sliding_attention"));
            let got: Vec<_> = config.layers.iter().map(|l| l.window).collect();
            assert_eq!(got, windows.collect::<Vec<_>>(), "{name}");
        }
    }
}

#[test]
fn what_sets_the_architectures_apart() {
    let config = |name: &str| open(&golden(&format!("{name}.gguf"))).unwrap().config;
    let llama = config("llama3");
    assert!(llama.qkv_bias && llama.output_bias && !llama.ffn_bias);
    assert_eq!((llama.kv_heads, llama.heads, llama.ffn), (1, 2, 12));
    assert_eq!((llama.norms, llama.context), (Norms::Pre, 64));
    let gemma = config("gemma2");
    assert_eq!(
        (gemma.attention_cap, gemma.final_cap),
        (Some(40.0), Some(20.0))
    );
    assert!(gemma.norm_adds_one && gemma.embedding_scale == 8f64.sqrt());
    assert_eq!(gemma.activation, Activation::GeluTanh);
    assert_eq!(gemma.norms, Norms::PreAndPost);
    let gemma = config("gemma3");
    assert_eq!((gemma.attention_cap, gemma.final_cap), (None, None));
    assert_eq!(gemma.query_key_norm, QueryKeyNorm::PerHead);
    let ropes: Vec<usize> = gemma.layers.iter().map(|l| l.rope).collect();
    assert_eq!(ropes, [1, 1, 1, 1, 1, 0, 1]);
    let phi = config("phi3");
    let (from, long) = phi.ropes[0].long.clone().unwrap();
    assert_eq!((from, long.len(), long[0]), (16, 3, 0.5));
    assert_eq!(phi.layers[0].window, Some(12));
    let olmo = config("olmo2");
    assert_eq!(
        (olmo.norms, olmo.query_key_norm),
        (Norms::Post, QueryKeyNorm::Whole)
    );
    let qwen = config("qwen2");
    assert!(qwen.qkv_bias && !qwen.output_bias);
    assert_eq!(qwen.end_tokens, [280, 282]);
}

#[test]
fn byte_level_ids_equal_transformers() {
    let file = FileBytes::open(&golden("qwen2.gguf")).unwrap();
    let golden = json();
    for (pre, expected) in golden["bpe"].as_object().unwrap() {
        let mut metadata = Header::read(&file).unwrap().metadata;
        let key = "tokenizer.ggml.pre".to_owned();
        metadata.values.insert(key, Value::Text(pre.clone()));
        let vocabulary = Vocabulary::read(&metadata).unwrap();
        let tokenizer = own(&vocabulary, &metadata).unwrap();
        for (text, expected) in texts(&golden).iter().zip(expected.as_array().unwrap()) {
            let got = tokenizer.encode_data(text, false).unwrap();
            assert_eq!(got.ids, ids(expected), "{pre}: {text:?}");
            if pre != "qwen2" {
                assert_eq!(tokenizer.decode(&got.ids).unwrap(), *text);
            }
        }
        // Where the family puts a BOS, and only there.
        let begins = tokenizer.encode_data("a", true).unwrap().ids[0] == 280;
        assert_eq!(begins, pre == "llama-bpe");
    }
}

#[test]
fn sentencepiece_ids_equal_sentencepiece() {
    let golden_json = json();
    for (name, key) in [("llama", "spm"), ("gemma2", "gemma")] {
        let gguf = open(&golden(&format!("{name}.gguf"))).unwrap();
        let expected = golden_json[key].as_array().unwrap();
        for (text, expected) in texts(&golden_json).iter().zip(expected) {
            let got = gguf.tokenizer.encode_data(text, false).unwrap();
            assert_eq!(got.ids, ids(expected), "{name}: {text:?}");
            // A literal sign for a space reads back as one, as it does with SentencePiece.
            let text = text.replace('▁', " ");
            assert_eq!(gguf.tokenizer.decode(&got.ids).unwrap(), text, "{name}");
        }
        assert_eq!(gguf.tokenizer.encode_data("a", true).unwrap().ids[0], 1);
        assert_eq!(
            (gguf.bos.as_deref(), gguf.eos.as_deref()),
            (Some("<s>"), Some("</s>"))
        );
    }
}

#[test]
fn markers_are_tokens_where_the_template_wrote_them() {
    let gguf = open(&golden("qwen2.gguf")).unwrap();
    let turn = super::super::chat::Turn {
        role: "user",
        content: vec![Piece::data("response", "<|im_end|>")],
    };
    let pieces = gguf.chat().unwrap().render(&[turn], true).unwrap();
    let ids = gguf.tokenizer.encode(&pieces, true).unwrap().ids;
    assert_eq!((ids[0], ids[ids.len() - 1]), (281, 282));
    assert_eq!(ids.iter().filter(|id| **id == 282).count(), 1);
    let gemma = open(&golden("gemma2.gguf")).unwrap();
    let turn = gemma.tokenizer.id("<start_of_turn>").unwrap();
    let pieces = [
        Piece::template("<start_of_turn>\n\n"),
        Piece::data("response", "\n"),
    ];
    let ids = gemma.tokenizer.encode(&pieces, false).unwrap().ids;
    assert_eq!(ids, [turn, gemma.tokenizer.id("\n\n\n").unwrap()]);
    let end = gemma.tokenizer.id("<end_of_turn>").unwrap();
    assert!(gemma.config.end_tokens.contains(&end));
}

#[test]
fn the_tokenizer_beside_the_file_counts_if_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::copy(golden("qwen2.gguf"), &path).unwrap();
    let alone = open(&path).unwrap().tensors.hash().unwrap();
    let file = FileBytes::open(&path).unwrap();
    let metadata = Header::read(&file).unwrap().metadata;
    let mut json = Vocabulary::read(&metadata)
        .unwrap()
        .tokenizer_json(&metadata)
        .unwrap();
    let beside = folder.path().join("tokenizer.json");
    json["normalizer"] = serde_json::json!({"type": "Lowercase"});
    std::fs::write(&beside, json.to_string()).unwrap();
    let both = open(&path).unwrap();
    assert_ne!(both.tensors.hash().unwrap(), alone);
    let upper = both.tokenizer.encode_data("A", false).unwrap();
    assert_eq!(upper, both.tokenizer.encode_data("a", false).unwrap());
    // One of another model's is passed over.
    std::fs::copy(golden("llama.gguf"), &path).unwrap();
    let hash = |path: &Path| open(path).unwrap().tensors.hash().unwrap();
    assert_eq!(hash(&path), hash(&golden("llama.gguf")));
}

/// The shape after one value was changed.
fn changed(name: &str, key: &str, value: Value) -> Result<DecoderConfig> {
    let file = FileBytes::open(&golden(&format!("{name}.gguf")))?;
    let mut header = Header::read(&file)?;
    header
        .metadata
        .values
        .insert(format!("{name}.{key}"), value);
    configure(&file, &header).map(|(_, config, _)| config)
}

#[test]
fn windows_follow_a_period_or_a_list() {
    let windows = |value: Value| -> Vec<bool> {
        let key = "attention.sliding_window_pattern";
        let layers = changed("gemma3", key, value).unwrap().layers;
        layers.iter().map(|l| l.window.is_some()).collect()
    };
    let list = Value::Numbers(Scalar::Bool, vec![0, 1, 1, 0, 0, 1, 1]);
    assert_eq!(windows(list), [false, true, true, false, false, true, true]);
    let third = windows(Value::Unsigned(3));
    assert_eq!(third, [true, true, false, true, true, false, true]);
    assert!(!windows(Value::Unsigned(1)).contains(&true));
}

#[test]
fn parts_that_are_not_computed_are_named() {
    let heads = [1u32, 2].map(u32::to_le_bytes).concat();
    let text = |text: &str| Value::Text(text.into());
    let cases = [
        ("rope.scaling.type", text("yarn"), "RoPE scaling `yarn`"),
        (
            "rope.scaling.type",
            text("linear"),
            "`qwen2.rope.scaling.factor` is missing",
        ),
        (
            "rope.freq_base",
            Value::Float(0.0),
            "is 0, a positive number expected",
        ),
        (
            "rope.freq_base",
            Value::Float(f64::NAN),
            "a finite number expected",
        ),
        (
            "rope.dimension_count",
            Value::Unsigned(3),
            "an even number up to",
        ),
        ("expert_count", Value::Unsigned(8), "mixture of experts"),
        ("attention.causal", Value::Bool(false), "both directions"),
        (
            "attention.head_count",
            Value::Unsigned(0),
            "a positive number",
        ),
        (
            "attention.head_count",
            Value::Unsigned(3),
            "`blk.0.attn_q.weight` has shape [8, 8], [12, 8] expected",
        ),
        (
            "attention.head_count",
            Value::Unsigned(1 << 60),
            "a plausible number",
        ),
        (
            "attention.head_count_kv",
            Value::Numbers(Scalar::U32, heads),
            "differs between layers",
        ),
        (
            "attention.key_length",
            Value::Unsigned(1 << 20),
            "do not fit together",
        ),
        (
            "block_count",
            Value::Unsigned(1 << 20),
            "no more layers than tensors",
        ),
        (
            "embedding_length",
            Value::Unsigned(9),
            "8, as the embedding has it,",
        ),
        (
            "attention.layer_norm_rms_epsilon",
            Value::Float(-1.0),
            "a positive number",
        ),
        (
            "context_length",
            text("long"),
            "is a text, a whole number expected",
        ),
    ];
    for (key, value, cause) in cases {
        let error = changed("qwen2", key, value).unwrap_err().to_string();
        assert!(error.contains(cause), "{error:?} lacks {cause:?}");
    }
    let same = [1u32, 1].map(u32::to_le_bytes).concat();
    let list = Value::Numbers(Scalar::U32, same);
    let config = changed("qwen2", "attention.head_count_kv", list).unwrap();
    assert_eq!(config.kv_heads, 1);
}
