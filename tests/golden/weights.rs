//! The weights of the golden models: hashes of names and indices, the same here and in
//! architectures.py to the last bit, so that they need not be stored.

use std::path::{Path, PathBuf};

use juror::model::architecture::{DecoderConfig, Head};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{here, ids, json, numbers};

/// FNV-1a.
fn name_seed(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |h, byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Output `index` of splitmix64.
fn splitmix(seed: u64, index: u64) -> u64 {
    let z = seed.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The ids of a golden prompt.
pub fn prompt_ids(seed: u64, len: usize, vocab: usize) -> Vec<u32> {
    (0..len as u64)
        .map(|i| ((splitmix(seed, i) >> 32) % vocab as u64) as u32)
        .collect()
}

/// A tensor's values: `offset + scale · u`, `u` uniform in `[-1, 1)` in steps of 2⁻²³.
fn values(name: &str, count: usize, offset: f32, scale: f32) -> Vec<f32> {
    let seed = name_seed(name);
    let half = (1u32 << 23) as f32;
    (0..count as u64)
        .map(|i| {
            let u = ((splitmix(seed, i) >> 40) as f32 - half) / half;
            // Two roundings, as in numpy; no fused multiply-add.
            offset + scale * u
        })
        .collect()
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Names, shapes and values of the tensors of such a list.
pub fn listed(tensors: &Value) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let each = tensors.as_array().unwrap().iter().map(|tensor| {
        let name = tensor[0].as_str().unwrap();
        let shape: Vec<usize> = ids(&tensor[1]).iter().map(|n| *n as usize).collect();
        let of = |i: usize| tensor[i].as_f64().unwrap() as f32;
        let values = values(name, shape.iter().product(), of(2), of(3));
        (name.to_owned(), shape, values)
    });
    each.collect()
}

/// The tensors that a golden file lists, in its order.
fn tensors(golden: &Value) -> Vec<Tensor> {
    let each = listed(&golden["tensors"]).into_iter();
    each.map(|(name, shape, values)| Tensor {
        name,
        shape,
        bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
    })
    .collect()
}

/// Writes the model of a golden file that holds its configuration, too.
pub fn write_listed(golden: &Value, folder: &Path) {
    let config = golden["config"].as_str().unwrap();
    std::fs::write(folder.join("config.json"), config).unwrap();
    write_tensors(golden, folder);
}

fn write_tensors(golden: &Value, folder: &Path) {
    let tensors = tensors(golden);
    let named = tensors.iter().map(|t| {
        let view = TensorView::new(Dtype::F32, t.shape.clone(), &t.bytes).unwrap();
        (t.name.as_str(), view)
    });
    safetensors::serialize_to_file(named, None, &folder.join("model.safetensors")).unwrap();
}

/// The golden numbers of a case, beside its configuration `CASE.config.json`.
pub fn golden(config_json: &Path) -> Value {
    let name = config_json.file_name().unwrap().to_str().unwrap();
    let case = name.strip_suffix(".config.json").unwrap();
    json(config_json.with_file_name(format!("{case}.json")))
}

/// Writes `config.json` and `model.safetensors` of the golden model whose configuration this is.
pub fn write_model(config_json: &Path, folder: &Path) {
    std::fs::copy(config_json, folder.join("config.json")).unwrap();
    write_tensors(&golden(config_json), folder);
}

/// The configurations of all golden models.
pub fn cases() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(here("architectures")).unwrap();
    let mut paths: Vec<PathBuf> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".config.json"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

#[test]
fn weights_equal_those_that_transformers_computed_with() {
    for case in cases() {
        let golden = golden(&case);
        let tensors = tensors(&golden);
        let first: Vec<f64> = tensors[0].bytes[..16]
            .chunks(4)
            .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
            .collect();
        assert_eq!(golden["first_weights"][0], tensors[0].name);
        assert_eq!(first, numbers(&golden["first_weights"][1]));
        let mut hash = Sha256::new();
        tensors.iter().for_each(|t| hash.update(&t.bytes));
        let hash: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(golden["sha256"], hash, "{}", case.display());
        let prompt = &golden["prompt"];
        let length = prompt["length"].as_u64().unwrap() as usize;
        let config = DecoderConfig::read(&case).unwrap();
        let prompt_ids = prompt_ids(prompt["seed"].as_u64().unwrap(), length, config.vocab);
        assert_eq!(prompt_ids[..8], ids(&prompt["first"]));
    }
}

#[test]
fn a_written_model_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let case = here("architectures/qwen2-reward.config.json");
    write_model(&case, folder.path());
    let bytes = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let score = read.tensor("score.weight").unwrap();
    assert_eq!((score.dtype(), score.shape()), (Dtype::F32, &[3, 64][..]));
    let config = DecoderConfig::read(&folder.path().join("config.json")).unwrap();
    assert_eq!(config.head, Head::Reward { labels: 3 });
}

/// Transformers computes its frequencies in f32.
fn nearly(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got / want - 1.0).abs() < 1e-6, "{got} is not {want}");
    }
}

#[test]
fn configurations_rotate_as_transformers_does() {
    for case in cases() {
        let config = DecoderConfig::read(&case).unwrap();
        let golden = golden(&case);
        let ropes = golden["ropes"].as_array().unwrap();
        for (got, want) in config.ropes.iter().zip(ropes) {
            nearly(&got.frequencies, &numbers(&want["frequencies"]));
            nearly(&[got.scale], &[want["scale"].as_f64().unwrap()]);
            if let (Some((_, got)), Some(want)) = (&got.long, want.get("long")) {
                nearly(got, &numbers(want));
            }
            assert!(got.long.is_some() || want.get("long").is_none());
        }
    }
}
