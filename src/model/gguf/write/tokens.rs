//! A tokenizer.json as GGUF metadata: the inverse of [`super::super::vocabulary`].

use std::path::Path;

use candle_core::quantized::gguf_file::Value as Meta;
use serde_json::Value;

use super::super::super::chat::ChatTemplate;
use super::super::super::{ModelError, Result, files};
use super::super::pretokenizer;
use super::super::vocabulary::TokenKind;
use super::Metadata;

/// Describes the tokenizer; whether the file then says all there is to know. SentencePiece's scores
/// are not in a tokenizer.json, and not every way of splitting texts has a name.
///
/// # Errors
/// A tokenizer that cannot be read, is no BPE, or has more tokens than the model rows.
pub fn describe(
    folder: &Path,
    path: &Path,
    raw: &Value,
    rows: usize,
    metadata: &mut Metadata,
) -> Result<bool> {
    let json = files::read_json(path)?;
    let wrong = |cause: String| ModelError::file(path, cause);
    let model = &json["model"];
    // Old files do not name the model, which has merges all the same.
    let merges = model["merges"].as_array();
    let (Some(vocab), Some(merges)) = (model["vocab"].as_object(), merges) else {
        return Err(wrong("only BPE tokenizers are written as GGUF".into()));
    };
    let sentencepiece = model["byte_fallback"] == true;
    let mut tokens: Vec<Option<(String, TokenKind)>> = vec![None; rows];
    let mut put = |token: &str, id: Option<u64>, kind: TokenKind| {
        let slot = id.and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
        let slot = slot.ok_or_else(|| {
            wrong(format!(
                "token {token:?} has an id past the model's {rows} embeddings"
            ))
        })?;
        *slot = Some((token.to_owned(), kind));
        Ok::<(), ModelError>(())
    };
    for (token, id) in vocab {
        let is_byte = sentencepiece && token.len() == 6 && token.starts_with("<0x");
        let kind = match is_byte {
            true => TokenKind::Byte,
            false if model["unk_token"] == token.as_str() => TokenKind::Unknown,
            false => TokenKind::Normal,
        };
        put(token, id.as_u64(), kind)?;
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let token = added["content"].as_str().unwrap_or_default();
        let kind = match added["special"] == true {
            true if model["unk_token"] == token => TokenKind::Unknown,
            true => TokenKind::Control,
            false => TokenKind::UserDefined,
        };
        put(token, added["id"].as_u64(), kind)?;
    }
    let mut set = |name: &str, value: Meta| {
        metadata.insert(format!("tokenizer.{name}"), value);
    };
    let named = tokens.iter().enumerate().map(|(id, token)| match token {
        Some(token) => token.clone(),
        None => (format!("[PAD{id}]"), TokenKind::Unused),
    });
    let named: Vec<(String, TokenKind)> = named.collect();
    let text = |text: &str| Meta::String(text.to_owned());
    let texts = named.iter().map(|(token, _)| text(token)).collect();
    set("ggml.tokens", Meta::Array(texts));
    let kinds = named.iter().map(|(_, kind)| Meta::I32(number(*kind)));
    set("ggml.token_type", Meta::Array(kinds.collect()));
    for (ours, theirs) in [("bos", "bos_token_id"), ("eos", "eos_token_id")] {
        // Several may end a text; the first does in llama.cpp, which finds the others by their names.
        let id = match &raw[theirs] {
            Value::Array(several) => several.first().and_then(Value::as_u64),
            one => one.as_u64(),
        };
        if let Some(id) = id.and_then(|id| u32::try_from(id).ok()) {
            set(&format!("ggml.{ours}_token_id"), Meta::U32(id));
        }
    }
    let (before, after) = frame(&json["post_processor"]);
    set("ggml.add_bos_token", Meta::Bool(before));
    set("ggml.add_eos_token", Meta::Bool(after));
    if let Some(chat) = ChatTemplate::read(folder)? {
        set("chat_template", text(chat.source()));
    }
    if sentencepiece {
        set("ggml.model", text("llama"));
        set("ggml.scores", Meta::Array(scores(&named, merges)));
        let prefix = json["normalizer"].to_string().contains("\"Prepend\"")
            || matches!(
                json["pre_tokenizer"]["prepend_scheme"].as_str(),
                Some("always" | "first")
            );
        set("ggml.add_space_prefix", Meta::Bool(prefix));
        return Ok(false);
    }
    set("ggml.model", text("gpt2"));
    let merges: Option<Vec<Meta>> = merges.iter().map(merge).collect();
    let merges = merges.ok_or_else(|| wrong("its merges are not pairs of texts".into()))?;
    set("ggml.merges", Meta::Array(merges));
    let rule = pretokenizer::name_of(
        &json["normalizer"],
        &json["pre_tokenizer"],
        model["ignore_merges"] == true,
    );
    if let Some(name) = rule {
        set("ggml.pre", text(name));
    }
    Ok(rule.is_some())
}

fn number(kind: TokenKind) -> i32 {
    match kind {
        TokenKind::Normal => 1,
        TokenKind::Unknown => 2,
        TokenKind::Control => 3,
        TokenKind::UserDefined => 4,
        TokenKind::Unused => 5,
        TokenKind::Byte => 6,
    }
}

/// `a b`, or a pair.
fn parts(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(both) => {
            let at = both.char_indices().skip(1).find(|(_, c)| *c == ' ')?.0;
            Some((&both[..at], &both[at + 1..]))
        }
        Value::Array(pair) => match pair.as_slice() {
            [left, right] => Some((left.as_str()?, right.as_str()?)),
            _ => None,
        },
        _ => None,
    }
}

fn merge(merge: &Value) -> Option<Meta> {
    let (left, right) = parts(merge)?;
    Some(Meta::String(format!("{left} {right}")))
}

/// Minus the place of the first merge that makes a token: the order that SentencePiece's own scores
/// give, up to ties.
fn scores(tokens: &[(String, TokenKind)], merges: &[Value]) -> Vec<Meta> {
    let mut first = std::collections::HashMap::new();
    for (place, merge) in merges.iter().enumerate() {
        if let Some((left, right)) = parts(merge) {
            first.entry(format!("{left}{right}")).or_insert(place);
        }
    }
    let score = |(token, _): &(String, TokenKind)| match first.get(token) {
        Some(place) => Meta::F32(-(*place as f32)),
        None => Meta::F32(0.0),
    };
    tokens.iter().map(score).collect()
}

/// Whether special tokens are put before and after a text.
fn frame(post_processor: &Value) -> (bool, bool) {
    let all = match post_processor["processors"].as_array() {
        Some(several) => several.iter().collect(),
        None => vec![post_processor],
    };
    let (mut before, mut after) = (false, false);
    for single in all.iter().filter_map(|p| p["single"].as_array()) {
        let is_special =
            |piece: Option<&Value>| piece.is_some_and(|p| p["SpecialToken"].is_object());
        before |= is_special(single.first());
        after |= is_special(single.last());
    }
    (before, after)
}
