//! A tokenizer for the golden models: a token a byte, and a `<s>` before every text.

use std::path::Path;

use serde_json::{Map, Value, json};

pub const BOS: u32 = 1;

/// The id of a byte.
pub fn id(byte: u8) -> u32 {
    u32::from(byte) + 3
}

/// What the tokenizer makes of a text.
pub fn ids(text: &str) -> Vec<u32> {
    std::iter::once(BOS).chain(text.bytes().map(id)).collect()
}

/// Writes `tokenizer.json`, and with a chat template `tokenizer_config.json`.
pub fn write(folder: &Path, chat_template: Option<&str>) {
    let mut vocab = Map::new();
    let special = ["<unk>", "<s>", "</s>"];
    for (id, token) in special.iter().enumerate() {
        vocab.insert((*token).into(), id.into());
    }
    // GPT-2's letters for bytes: those that cannot be seen follow at 256.
    let mut unseen = 256;
    for byte in 0..=255u8 {
        let is_seen = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..);
        let letter = match is_seen {
            true => char::from(byte),
            false => {
                unseen += 1;
                char::from_u32(unseen - 1).unwrap()
            }
        };
        vocab.insert(letter.into(), id(byte).into());
    }
    let added: Vec<Value> = special
        .iter()
        .enumerate()
        .map(|(id, content)| {
            json!({"id": id, "content": content, "special": true, "single_word": false,
                   "lstrip": false, "rstrip": false, "normalized": false})
        })
        .collect();
    let (bos, text) = (
        json!({"SpecialToken": {"id": "<s>", "type_id": 0}}),
        json!({"Sequence": {"id": "A", "type_id": 0}}),
    );
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": bytes, "decoder": bytes,
        "post_processor": {
            "type": "TemplateProcessing", "single": [bos, text], "pair": [bos, text],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}}
        },
        "model": {"type": "BPE", "vocab": vocab, "merges": []}
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    if let Some(template) = chat_template {
        let config = json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": template});
        std::fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
    }
}
