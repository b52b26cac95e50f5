//! The tokenizer inside a GGUF file, written out as the tokenizer.json that it came from.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::{ModelError, Result};
use super::value::Metadata;
use super::{pretokenizer, sentencepiece};

/// Kinds of tokens, by ggml's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// Tokens of a file, and what stands for a text's ends.
pub struct Vocabulary {
    pub tokens: Vec<String>,
    pub kinds: Vec<TokenKind>,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    /// Ids that end a text.
    pub ends: Vec<u32>,
    unknown: Option<u32>,
    sentencepiece: bool,
}

const TOKENS: &str = "tokenizer.ggml.tokens";
const MODEL: &str = "tokenizer.ggml.model";

/// What ends a turn or a text in the families that are read, whichever the file calls its EOS.
const ENDS: [&str; 7] = [
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
];

impl Vocabulary {
    /// Reads tokens and special ids.
    ///
    /// # Errors
    /// Missing or contradictory values, named.
    pub fn read(metadata: &Metadata) -> Result<Self> {
        let model = metadata.text(MODEL)?;
        let sentencepiece = match model {
            Some("gpt2") => false,
            Some("llama") => true,
            Some(other) => {
                return Err(ModelError::Unsupported {
                    path: metadata.path().to_owned(),
                    cause: format!(
                        "tokenizer model `{other}` is not read (gpt2 and llama are); put the \
                         model's tokenizer.json beside the file"
                    ),
                });
            }
            None => return Err(metadata.wrong(MODEL, "gpt2 or llama")),
        };
        let tokens = metadata.texts(TOKENS)?;
        let tokens = tokens.ok_or_else(|| metadata.wrong(TOKENS, "an array of texts"))?;
        let id = |name: &str, usual: Option<u32>| -> Result<Option<u32>> {
            let key = format!("tokenizer.ggml.{name}_token_id");
            match metadata.id(&key)? {
                Some(id) if id as usize >= tokens.len() => {
                    let expected = format!("an id below {}", tokens.len());
                    Err(metadata.wrong(&key, &expected))
                }
                None => Ok(usual.filter(|id| sentencepiece && (*id as usize) < tokens.len())),
                found => Ok(found),
            }
        };
        let (bos, eos) = (id("bos", Some(1))?, id("eos", Some(2))?);
        let unknown = id("unknown", Some(0))?;
        let also = [id("eot", None)?, id("eom", None)?];
        let kinds = kinds(metadata, tokens.len(), [bos, eos, unknown])?;
        let named = (0u32..)
            .zip(tokens)
            .zip(&kinds)
            .filter_map(|((id, token), kind)| {
                let special = matches!(kind, TokenKind::Control | TokenKind::UserDefined);
                (special && ENDS.contains(&token.as_str())).then_some(id)
            });
        let mut ends: Vec<u32> = named.chain(eos).chain(also.into_iter().flatten()).collect();
        ends.sort_unstable();
        ends.dedup();
        Ok(Vocabulary {
            tokens: written(tokens, &kinds, sentencepiece),
            kinds,
            bos,
            eos,
            ends,
            unknown,
            sentencepiece,
        })
    }

    /// A token's text.
    pub fn text(&self, id: Option<u32>) -> Option<String> {
        self.tokens.get(id? as usize).cloned()
    }

    /// The tokenizer as Hugging Face writes it.
    ///
    /// # Errors
    /// Missing or contradictory values, and a way of splitting that is not known, named.
    pub fn tokenizer_json(&self, metadata: &Metadata) -> Result<Value> {
        let mut vocab = Map::new();
        let mut ids: HashMap<&str, u32> = HashMap::with_capacity(self.tokens.len());
        for (id, token) in (0u32..).zip(&self.tokens) {
            if let Some(first) = ids.insert(token, id) {
                let cause = format!("tokens {first} and {id} are both {token:?}");
                return Err(ModelError::file(metadata.path(), cause));
            }
            vocab.insert(token.clone(), id.into());
        }
        let mut json = match self.sentencepiece {
            true => sentencepiece::parts(self, &ids, metadata)?,
            false => byte_level(metadata)?,
        };
        json["model"]["vocab"] = Value::Object(vocab);
        let add_bos = json["add_bos"].as_bool().unwrap_or(false);
        let add_bos = metadata
            .flag("tokenizer.ggml.add_bos_token")?
            .unwrap_or(add_bos);
        let add_eos = metadata
            .flag("tokenizer.ggml.add_eos_token")?
            .unwrap_or(false);
        let needed = |on: bool, id: Option<u32>, key: &str| match (on, id) {
            (true, None) => Err(metadata.wrong(key, "a token id")),
            (on, id) => Ok(self.text(id).filter(|_| on).zip(id)),
        };
        let before = needed(add_bos, self.bos, "tokenizer.ggml.bos_token_id")?;
        let after = needed(add_eos, self.eos, "tokenizer.ggml.eos_token_id")?;
        Ok(json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": self.added(),
            "normalizer": json["normalizer"].take(),
            "pre_tokenizer": json["pre_tokenizer"].take(),
            "post_processor": frame(before, after),
            "decoder": json["decoder"].take(),
            "model": json["model"].take(),
        }))
    }

    /// The token for what the vocabulary lacks.
    pub fn unknown(&self) -> Option<String> {
        let id = self.unknown?;
        let is = self.kinds.get(id as usize) == Some(&TokenKind::Unknown);
        self.text(Some(id)).filter(|_| is)
    }

    /// Tokens that are found in a text before anything else.
    fn added(&self) -> Vec<Value> {
        let each = (0u32..).zip(self.tokens.iter().zip(&self.kinds));
        each.filter(|(_, (token, kind))| is_added(token, **kind))
            .map(|(id, (token, kind))| {
                json!({"id": id, "content": token, "single_word": false, "lstrip": false,
                       "rstrip": false, "normalized": false,
                       "special": *kind != TokenKind::UserDefined})
            })
            .collect()
    }
}

/// Whether a token is one that only a template writes. Gemma's runs of spaces and newlines, which
/// its vocabulary calls user-defined, are text like any other.
pub fn is_added(token: &str, kind: TokenKind) -> bool {
    match kind {
        TokenKind::Control | TokenKind::Unknown => true,
        TokenKind::UserDefined => !is_blank(token),
        _ => false,
    }
}

fn is_blank(token: &str) -> bool {
    token.chars().all(|c| c == '▁' || c.is_whitespace())
}

/// Tokens as they stand in a tokenizer.json: a name for empty ones, and the sign for a space in
/// SentencePiece's where a text will have it, and only there.
fn written(tokens: &[String], kinds: &[TokenKind], sentencepiece: bool) -> Vec<String> {
    let one = |(id, (token, kind)): (usize, (&String, &TokenKind))| match kind {
        _ if token.is_empty() => format!("[EMPTY_{id}]"),
        TokenKind::UserDefined if sentencepiece && is_blank(token) => token.replace(' ', "▁"),
        TokenKind::UserDefined if sentencepiece => token.replace('▁', " "),
        _ => token.clone(),
    };
    tokens.iter().zip(kinds).enumerate().map(one).collect()
}

fn kinds(metadata: &Metadata, count: usize, special: [Option<u32>; 3]) -> Result<Vec<TokenKind>> {
    let key = "tokenizer.ggml.token_type";
    let Some(numbers) = metadata.numbers(key)? else {
        let mut kinds = vec![TokenKind::Normal; count];
        let [bos, eos, unknown] = special;
        let each = [
            (unknown, TokenKind::Unknown),
            (bos, TokenKind::Control),
            (eos, TokenKind::Control),
        ];
        for (id, kind) in each {
            if let Some(slot) = id.and_then(|id| kinds.get_mut(id as usize)) {
                *slot = kind;
            }
        }
        return Ok(kinds);
    };
    if numbers.len() != count {
        return Err(metadata.wrong(key, &format!("{count} numbers, one a token,")));
    }
    Ok(numbers
        .iter()
        .map(|n| match *n as i64 {
            2 => TokenKind::Unknown,
            3 => TokenKind::Control,
            4 => TokenKind::UserDefined,
            5 => TokenKind::Unused,
            6 => TokenKind::Byte,
            _ => TokenKind::Normal,
        })
        .collect())
}

/// Everything but vocabulary and added tokens of a byte-level tokenizer.
fn byte_level(metadata: &Metadata) -> Result<Value> {
    let key = "tokenizer.ggml.pre";
    let unknown = |cause: String| ModelError::Unsupported {
        path: metadata.path().to_owned(),
        cause: format!("{cause}; put the model's tokenizer.json beside the file"),
    };
    let Some(name) = metadata.text(key)? else {
        let cause = format!("the file does not say how texts are split (`{key}` is missing)");
        return Err(unknown(cause));
    };
    let Some(rule) = pretokenizer::find(name) else {
        return Err(unknown(format!(
            "the way of splitting texts `{name}` (`{key}`) is not known ({} are)",
            pretokenizer::KNOWN
        )));
    };
    let key = "tokenizer.ggml.merges";
    let merges = metadata.texts(key)?;
    let merges = merges.ok_or_else(|| metadata.wrong(key, "an array of texts"))?;
    let pair = |merge: &String| {
        // A part may begin with what separates them.
        let at = merge.char_indices().skip(1).find(|(_, c)| *c == ' ')?.0;
        Some(json!([&merge[..at], &merge[at + 1..]]))
    };
    let merges: Option<Vec<Value>> = merges.iter().map(pair).collect();
    let merges = merges.ok_or_else(|| metadata.wrong(key, "pairs separated by a space"))?;
    Ok(json!({
        "normalizer": rule.normalizer,
        "pre_tokenizer": rule.pre_tokenizer,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                    "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false,
                  "ignore_merges": rule.ignore_merges, "merges": merges},
        "add_bos": rule.add_bos,
    }))
}

/// The post-processor that puts tokens before and after a text.
fn frame(before: Option<(String, u32)>, after: Option<(String, u32)>) -> Value {
    if before.is_none() && after.is_none() {
        return Value::Null;
    }
    let mut special = Map::new();
    let mut piece = |token: &Option<(String, u32)>, kind: u32| {
        token.as_ref().map(|(token, id)| {
            special.insert(
                token.clone(),
                json!({"id": token, "ids": [id], "tokens": [token]}),
            );
            json!({"SpecialToken": {"id": token, "type_id": kind}})
        })
    };
    let mut around = |letter: &str, kind: u32| -> Vec<Value> {
        let text = json!({"Sequence": {"id": letter, "type_id": kind}});
        let parts = [piece(&before, kind), Some(text), piece(&after, kind)];
        parts.into_iter().flatten().collect()
    };
    let single = around("A", 0);
    let pair = [around("A", 0), around("B", 1)].concat();
    json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special})
}
