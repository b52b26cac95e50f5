//! A model written as GGUF computes what it did before, and its tokenizer splits as it did.

use std::path::Path;
use std::sync::Arc;

use juror::kernel::Format;
use juror::model::decoder::Decoder;
use juror::model::decoder::cpu::Cpu;
use juror::model::gguf::{self, Gguf, Kind};
use juror::model::safetensors_folder::SafetensorsFolder;
use juror::model::tokenizer::Tokenizer;
use serde_json::json;

use super::{forward, weights};

fn load(file: Gguf) -> Decoder<Cpu> {
    let device = Arc::new(Cpu::new(2, Format::F32));
    Decoder::load(device, file.config, &file.tensors, &mut |_, _| ()).unwrap()
}

/// One token a byte, a merge, then names.
fn tokenizer(size: usize) -> serde_json::Value {
    // The first 94 printable characters stand for themselves.
    let name = |id: usize| match u8::try_from(id + 33) {
        Ok(byte) if byte < 127 => char::from(byte).to_string(),
        Ok(127) => "te".to_owned(),
        _ => format!("token{id}"),
    };
    let vocab: serde_json::Map<String, serde_json::Value> =
        (0..size).map(|id| (name(id), json!(id))).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "post_processor": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                          "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                    "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "ignore_merges": false,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": [["t", "e"]]},
    })
}

fn write(folder: &Path, kind: Kind) -> juror::model::Result<Gguf> {
    let tensors = SafetensorsFolder::open(folder)?;
    let to = folder.join("model.gguf");
    gguf::write(folder, &tensors, "a model", kind, &to, &mut |_, _| ())?;
    // What the file says of the tokenizer has to be enough.
    let alone = tempfile::tempdir().unwrap();
    let moved = alone.path().join("model.gguf");
    std::fs::rename(&to, &moved).unwrap();
    gguf::open(&moved)
}

#[test]
fn every_architecture_that_fits_is_written_and_read_back() {
    let mut written = Vec::new();
    for case in weights::cases() {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        weights::write_model(&case, folder.path());
        let before = forward::open(folder.path(), Format::F32, 2);
        let vocab = before.config().vocab;
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, tokenizer(vocab).to_string()).unwrap();
        let file = match write(folder.path(), Kind::F32) {
            Ok(file) => file,
            Err(error) => {
                let error = error.to_string();
                assert!(
                    ["reward", "smollm3", "RoPE scaling"]
                        .iter()
                        .any(|why| error.contains(why)),
                    "{name}: {error}"
                );
                continue;
            }
        };
        let text = "a text, to be split: 12 3";
        let published = Tokenizer::read(&path).unwrap();
        let ids = |tokenizer: &Tokenizer| tokenizer.encode_data(text, true).unwrap().ids;
        assert_eq!(ids(&file.tokenizer), ids(&published), "{name}");
        let after = load(file);
        // Long enough for windows and long RoPE to matter.
        let prompt = weights::prompt_ids(7, 700, vocab);
        let (want, _) = forward::hidden(&before, &prompt, &[]).unwrap();
        let (got, _) = forward::hidden(&after, &prompt, &[]).unwrap();
        let largest = want.iter().map(|w| w.abs()).fold(0.0, f32::max);
        let pairs = want.iter().zip(&got);
        let worst = pairs.map(|(w, g)| (w - g).abs()).fold(0.0, f32::max) / largest;
        // Angles are worked out once in f32 and once in f64.
        assert!(worst < 2e-4, "{name}: {worst}");
        written.push(name);
    }
    assert!(written.len() >= 11, "{written:?}");
}

#[test]
fn fewer_bits_are_near() {
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data/starter");
    let before = forward::open(&starter, Format::F32, 2);
    let tensors = SafetensorsFolder::open(&starter).unwrap();
    let prompt = weights::prompt_ids(3, 200, before.config().vocab);
    let (want, _) = forward::hidden(&before, &prompt, &[]).unwrap();
    let length = |x: &[f32]| x.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
    let mut last = 0.0;
    for (kind, most) in [
        (Kind::F16, 0.003),
        (Kind::Q8_0, 0.03),
        (Kind::Q6K, 0.08),
        (Kind::Q5K, 0.15),
        (Kind::Q4K, 0.3),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("starter.gguf");
        let written =
            gguf::write(&starter, &tensors, "starter", kind, &to, &mut |_, _| ()).unwrap();
        assert_eq!(written.bytes, std::fs::metadata(&to).unwrap().len());
        if let Some(from) = written.needs_tokenizer {
            std::fs::copy(from, folder.path().join("tokenizer.json")).unwrap();
        }
        let after = load(gguf::open(&to).unwrap());
        let (got, _) = forward::hidden(&after, &prompt, &[]).unwrap();
        let apart: Vec<f32> = want.iter().zip(&got).map(|(w, g)| w - g).collect();
        let apart = length(&apart) / length(&want);
        println!("{kind:?}: {apart:.4}, {} bytes", written.bytes);
        assert!(last < apart && apart < most, "{kind:?}: {apart}");
        last = apart;
    }
}
