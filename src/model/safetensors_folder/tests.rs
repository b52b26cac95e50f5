use proptest::prelude::*;
use serde_json::json;

use super::*;

fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// A weight file of a header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), data].concat()
}

fn tensor(dtype: &str, shape: &[usize], span: (usize, usize)) -> Value {
    json!({"dtype": dtype, "shape": shape, "data_offsets": [span.0, span.1]})
}

/// Opens a folder of one file and reads all.
fn opened(bytes: &[u8]) -> Result<Vec<(String, Vec<f32>)>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
    let weights = SafetensorsFolder::open(folder.path())?;
    let each = weights.names().into_iter();
    each.map(|name| weights.read(&name).map(|values| (name, values)))
        .collect()
}

#[test]
fn values_and_hash_equal_what_is_read_whole() {
    let starter = crate::model::spec::share().unwrap();
    let starter = starter.join("sample_data/starter");
    for folder in [shared("llama"), shared("bert"), starter] {
        let weights = SafetensorsFolder::open(&folder).unwrap();
        let path = folder.join("model.safetensors");
        let whole = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
        assert_eq!(weights.names().len(), whole.len());
        for (name, tensor) in &whole {
            assert_eq!(weights.shape(name).unwrap(), tensor.dims());
            let values = tensor.to_dtype(candle_core::DType::F32).unwrap();
            let values = values.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(weights.read(name).unwrap(), values);
        }
        let Ok(hash) = weights.hash() else {
            assert!(
                !folder.join("tokenizer.json").exists(),
                "a model without its tokenizer"
            );
            continue;
        };
        let mut hasher = Sha256::new();
        for path in shaping_files(&folder).into_iter().chain([path]) {
            hasher.update(std::fs::read(path).unwrap());
        }
        assert_eq!(hash, hexadecimal(hasher));
        let mut last = (0, 0);
        let hash = weights.hash_with(&mut |done, total| last = (done, total));
        assert!(hash.is_ok() && last.0 == last.1 && last.1 > 0);
    }
}

#[test]
fn halves_become_whole_numbers() {
    let header = json!({
        "__metadata__": {"format": "pt"},
        "a": tensor("F16", &[2], (0, 4)), "b": tensor("BF16", &[1, 2], (4, 8)),
        "c": tensor("F32", &[], (8, 12)),
    });
    let data = [
        0x00, 0x3C, 0x00, 0xC0, 0x80, 0x3F, 0x00, 0xC0, 0, 0, 0x80, 0x3F,
    ];
    let read = opened(&file(&header.to_string(), &data)).unwrap();
    let expected = [
        ("a", vec![1.0, -2.0]),
        ("b", vec![1.0, -2.0]),
        ("c", vec![1.0]),
    ];
    assert_eq!(
        read,
        expected.map(|(name, values)| (name.to_owned(), values))
    );
}

#[test]
fn names_are_a_language_models_own() {
    let cases = [
        ("", "score.weight", "score.weight"),
        (
            "language_model.model.",
            "language_model.lm_head.weight",
            "lm_head.weight",
        ),
        ("model.language_model.", "lm_head.weight", "lm_head.weight"),
        ("model.", "lm_head.weight", "lm_head.weight"),
    ];
    for (prefix, head, expected) in cases {
        let header = json!({
            (format!("{prefix}embed_tokens.weight")): tensor("F32", &[1], (0, 4)),
            (format!("{prefix}layers.0.x.weight")): tensor("F32", &[1], (4, 8)),
            (head): tensor("F32", &[1], (8, 12)),
        });
        let read = opened(&file(&header.to_string(), &[0; 12])).unwrap();
        let mut names: Vec<String> = read.into_iter().map(|(name, _)| name).collect();
        names.retain(|name| name != expected);
        assert_eq!(
            names,
            ["model.embed_tokens.weight", "model.layers.0.x.weight"]
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    let one = |tensor: Value| file(&json!({"t": tensor}).to_string(), &[0; 8]);
    let cases: [(Vec<u8>, &str); 13] = [
        (Vec::new(), "the header's length: 8 bytes expected"),
        (vec![1, 0, 0, 0], "the header's length"),
        (
            (1u64 << 60).to_le_bytes().to_vec(),
            "a header of 1152921504606846976 bytes",
        ),
        (
            file("{", &[])[..8].to_vec(),
            "the header: 1 bytes expected at byte 8",
        ),
        (file("{", &[]), "the header: EOF"),
        (file("[]", &[]), "an object of tensors"),
        (
            one(tensor("F32", &[2], (0, 4))),
            "`t`: offsets 0 to 4 do not fit shape [2]",
        ),
        (
            one(tensor("F32", &[2], (8, 0))),
            "`t`: offsets 8 to 0 do not fit",
        ),
        (
            one(tensor("F32", &[1 << 40, 1 << 40], (0, 8))),
            "`t`: offsets",
        ),
        (
            one(tensor("F32", &[4], (0, 16))),
            "tensor `t`: 16 bytes expected",
        ),
        (
            one(tensor("F32", &[1], (usize::MAX - 4, usize::MAX))),
            "its offset overflows",
        ),
        (
            one(tensor("I64", &[1], (0, 8))),
            "`t` is stored as I64; F32, F16 and BF16 are read",
        ),
        (
            one(json!({"dtype": "F3", "shape": [], "data_offsets": [0, 0]})),
            "tensor `t`: unknown variant `F3`",
        ),
    ];
    for (bytes, cause) in cases {
        let error = opened(&bytes).unwrap_err().to_string();
        assert!(error.contains(cause), "{error:?} lacks {cause:?}");
        assert!(error.contains("model.safetensors"), "{error}");
    }
    let t = tensor("F32", &[], (0, 4));
    let twice = opened(&file(&format!("{{\"t\":{t},\"t\":{t}}}"), &[0; 4]));
    assert!(twice.unwrap_err().to_string().contains("`t` stands twice"));
}

#[test]
fn shards_are_held_to_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let shard = |name: &str, tensor_name: &str| {
        let header = json!({tensor_name: tensor("F32", &[1], (0, 4))});
        std::fs::write(folder.path().join(name), file(&header.to_string(), &[0; 4])).unwrap();
    };
    let index = |map: Value| {
        let path = folder.path().join("model.safetensors.index.json");
        std::fs::write(path, json!({"weight_map": map}).to_string()).unwrap();
        SafetensorsFolder::open(folder.path())
    };
    shard("1.safetensors", "a");
    shard("2.safetensors", "b");
    let both = index(json!({"a": "1.safetensors", "b": "2.safetensors"})).unwrap();
    assert_eq!(both.names(), ["a", "b"]);
    assert_eq!(both.read("b").unwrap(), [0.0]);
    let error = |map: Value| index(map).err().unwrap().to_string();
    let moved = error(json!({"a": "2.safetensors", "b": "2.safetensors"}));
    assert!(moved.contains("`a` is not in \"2.safetensors\""), "{moved}");
    let outside = error(json!({"a": "../1.safetensors"}));
    assert!(outside.contains("lies outside"), "{outside}");
    shard("2.safetensors", "a");
    let twice = error(json!({"a": "1.safetensors", "b": "2.safetensors"}));
    assert!(twice.contains("`a` stands in another file too"), "{twice}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_damaged_file_is_an_error_or_weights(
        changes in prop::collection::vec((0usize..2000, any::<u8>()), 1..6),
        cut in prop::option::of(0usize..4000),
    ) {
        let mut bytes = std::fs::read(shared("llama/model.safetensors")).unwrap();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        let _ = opened(&bytes);
    }
}
