//! Adapters against a naive computation, and all that must be refused.

use std::collections::HashMap;

use candle_core::Tensor;
use serde_json::json;

use super::*;
use crate::model::base::merged;

const Q: &str = "model.layers.0.self_attn.q_proj";
const DOWN: &str = "model.layers.0.mlp.down_proj";

struct Base(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Tensors for Base {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.get(name).map(|(shape, _)| shape.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.0[name].1.clone())
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn hash_with(&self, _: &mut dyn FnMut(u64, u64)) -> Result<String> {
        Ok("base".into())
    }
}

fn numbers(n: usize, seed: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
        .collect()
}

/// `q_proj` of 6 × 4, `down_proj` of 4 × 5, and one that nothing changes.
fn base() -> Base {
    let of = |rows: usize, cols: usize, seed| (vec![rows, cols], numbers(rows * cols, seed));
    Base(BTreeMap::from([
        (format!("{Q}.weight"), of(6, 4, 1)),
        (format!("{DOWN}.weight"), of(4, 5, 2)),
        ("model.norm.weight".into(), (vec![4], numbers(4, 3))),
    ]))
}

fn config() -> Value {
    // As PEFT 0.17 writes it.
    json!({
        "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "org/base",
        "bias": "none", "corda_config": null, "eva_config": null, "exclude_modules": null,
        "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true,
        "layer_replication": null, "layers_pattern": null, "layers_to_transform": null,
        "loftq_config": {}, "lora_alpha": 16, "lora_bias": false, "lora_dropout": 0.05,
        "megatron_config": null, "megatron_core": "megatron.core", "modules_to_save": null,
        "peft_type": "LORA", "qalora_group_size": 16, "r": 2, "rank_pattern": {},
        "revision": null, "target_modules": ["q_proj", "down_proj"], "target_parameters": null,
        "task_type": "CAUSAL_LM", "trainable_token_indices": null, "use_dora": false,
        "use_qalora": false, "use_rslora": false
    })
}

/// Names without prefix, shapes; values by position.
fn write(config: &Value, tensors: &[(&str, usize, usize)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("adapter_config.json"),
        config.to_string(),
    )
    .unwrap();
    let map: HashMap<String, Tensor> = tensors
        .iter()
        .enumerate()
        .map(|(i, (name, rows, cols))| {
            let values = numbers(rows * cols, 10 + i);
            let tensor = Tensor::from_vec(values, (*rows, *cols), &Device::Cpu).unwrap();
            (format!("{PREFIX}{name}"), tensor)
        })
        .collect();
    candle_core::safetensors::save(&map, folder.path().join("adapter_model.safetensors")).unwrap();
    folder
}

const PARTS: [(&str, usize, usize); 4] = [
    ("model.layers.0.self_attn.q_proj.lora_A.weight", 2, 4),
    ("model.layers.0.self_attn.q_proj.lora_B.weight", 6, 2),
    ("model.layers.0.mlp.down_proj.lora_A.weight", 3, 5),
    ("model.layers.0.mlp.down_proj.lora_B.weight", 4, 3),
];

fn patterns(config: &mut Value) {
    config["rank_pattern"] = json!({"mlp.down_proj": 3});
    config["alpha_pattern"] = json!({"down_proj": 5, "proj": 1});
}

fn naive(base: &[f32], a: &[f32], b: &[f32], rank: usize, cols: usize, scale: f64) -> Vec<f32> {
    let change = |row: usize, col: usize| -> f64 {
        (0..rank)
            .map(|k| f64::from(b[row * rank + k]) * f64::from(a[k * cols + col]))
            .sum()
    };
    base.iter()
        .enumerate()
        .map(|(i, w)| (f64::from(*w) + scale * change(i / cols, i % cols)) as f32)
        .collect()
}

fn close(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() < 1e-5 * (1.0 + w.abs()), "{g} {w}");
    }
}

#[test]
fn weights_are_changed_as_peft_does() {
    for stabilised in [false, true] {
        let mut config = config();
        patterns(&mut config);
        config["use_rslora"] = json!(stabilised);
        let folder = write(&config, &PARTS);
        let adapter = Adapter::read(folder.path()).unwrap();
        assert_eq!(adapter.len(), 2);
        let adapted = Adapted::new(base(), adapter).unwrap();
        let part = |i: usize| numbers(PARTS[i].1 * PARTS[i].2, 10 + i);
        let divisor = |r: f64| if stabilised { r.sqrt() } else { r };
        let q = naive(
            &numbers(24, 1),
            &part(0),
            &part(1),
            2,
            4,
            16.0 / divisor(2.0),
        );
        close(&adapted.read(&format!("{Q}.weight")).unwrap(), &q);
        let down = naive(
            &numbers(20, 2),
            &part(2),
            &part(3),
            3,
            5,
            5.0 / divisor(3.0),
        );
        close(&adapted.read(&format!("{DOWN}.weight")).unwrap(), &down);
        assert_eq!(adapted.read("model.norm.weight").unwrap(), numbers(4, 3));
        assert_eq!(adapted.names(), base().names());
        assert_eq!(adapted.shape(&format!("{Q}.weight")), Some(vec![6, 4]));
    }
}

#[test]
fn several_are_merged_one_after_another() {
    let mut config = config();
    patterns(&mut config);
    let both = write(&config, &PARTS);
    let second = write(&self::config(), &PARTS[..2]);
    let folders = [both.path().to_owned(), second.path().to_owned()];
    let merge = |folders: &[PathBuf]| merged(Box::new(base()), folders).unwrap();
    let part = |i: usize| numbers(PARTS[i].1 * PARTS[i].2, 10 + i);
    let q = naive(&numbers(24, 1), &part(0), &part(1), 2, 4, 8.0);
    let q = naive(&q, &part(0), &part(1), 2, 4, 8.0);
    let all = merge(&folders);
    close(&all.read(&format!("{Q}.weight")).unwrap(), &q);
    // What the second leaves alone is as the first left it.
    let first = merge(&folders[..1]);
    for name in [format!("{DOWN}.weight"), "model.norm.weight".into()] {
        assert_eq!(all.read(&name).unwrap(), first.read(&name).unwrap());
    }
    assert_eq!(merge(&[]).hash().unwrap(), "base");
    let hashes = [&folders[..1], &folders[1..], &folders].map(|f| merge(f).hash().unwrap());
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
}

#[test]
fn the_hash_is_of_both() {
    let hash = |change: &dyn Fn(&mut Value)| {
        let mut config = config();
        config["rank_pattern"] = json!({"down_proj": 3});
        change(&mut config);
        let folder = write(&config, &PARTS);
        let adapter = Adapter::read(folder.path()).unwrap();
        Adapted::new(base(), adapter).unwrap().hash().unwrap()
    };
    let plain = hash(&|_| ());
    assert_eq!(plain, hash(&|_| ()));
    assert_ne!(plain, hash(&|c| c["lora_alpha"] = json!(8)));
    assert_ne!(plain, "base");
}

#[test]
fn what_is_not_computed_is_named() {
    let cases: [(&str, Value, &str); 14] = [
        ("use_dora", json!(true), "`use_dora: true`"),
        (
            "modules_to_save",
            json!(["score"]),
            "`modules_to_save: [\"score\"]`",
        ),
        ("bias", json!("all"), "`bias` \"all\""),
        ("fan_in_fan_out", json!(true), "`fan_in_fan_out: true`"),
        ("lora_bias", json!(true), "`lora_bias: true`"),
        (
            "init_lora_weights",
            json!("pissa"),
            "\"pissa\" changes the base",
        ),
        ("layer_replication", json!([[0, 2]]), "`layer_replication"),
        (
            "trainable_token_indices",
            json!([1]),
            "`trainable_token_indices",
        ),
        (
            "alora_invocation_tokens",
            json!([5]),
            "`alora_invocation_tokens",
        ),
        ("some_new_thing", json!(0.5), "`some_new_thing: 0.5`"),
        ("peft_type", json!("IA3"), "`peft_type` \"IA3\""),
        (
            "rank_pattern",
            json!({".*down.*": 3}),
            "the expression `.*down.*`",
        ),
        ("r", json!("two"), "`r` is \"two\""),
        (
            "target_modules",
            json!(["q_proj"]),
            "not among the `target_modules`",
        ),
    ];
    for (field, value, expected) in cases {
        let mut config = config();
        config["rank_pattern"] = json!({"down_proj": 3});
        config[field] = value;
        let folder = write(&config, &PARTS);
        let error = Adapter::read(folder.path()).err().unwrap().to_string();
        assert!(
            error.contains(expected) && error.contains("adapter_"),
            "{error}"
        );
    }
}

#[test]
fn tensors_that_fit_nowhere_are_named() {
    let error = |tensors: &[(&str, usize, usize)]| {
        let folder = write(&config(), tensors);
        let adapter = Adapter::read(folder.path());
        let adapted = adapter.and_then(|a| Adapted::new(base(), a));
        adapted.err().unwrap().to_string()
    };
    let ab = |module: &str, inputs: usize, outputs: usize, rank: usize| {
        let names = ["A", "B"].map(|side| format!("{module}.lora_{side}.weight"));
        error(&[
            (names[0].as_str(), rank, inputs),
            (names[1].as_str(), outputs, rank),
        ])
    };
    assert!(
        ab("model.layers.7.self_attn.q_proj", 4, 6, 2)
            .contains("layers.7.self_attn.q_proj.weight`, which the model does not have")
    );
    assert!(ab(Q, 5, 6, 2).contains("[6, 4]"));
    assert!(ab(Q, 4, 6, 3).contains("lora_A has 3 rows"));
    assert!(error(&PARTS[..1]).contains("is missing"));
    assert!(error(&[("model.embed_tokens.lora_embedding_A", 2, 9)]).contains("lora_embedding_A"));
    assert!(error(&[]).contains("changes nothing"));
}
