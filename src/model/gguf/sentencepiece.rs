//! SentencePiece's BPE with scores, as the merges of a tokenizer.json.
//!
//! SentencePiece joins whichever neighbours make the piece of the highest score. A list of merges
//! says the same where every way of making a piece stands in it, ordered by the piece's score.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::{ModelError, Result};
use super::value::Metadata;
use super::vocabulary::{TokenKind, Vocabulary, is_added};

/// Ways of making a piece are counted by its length, squared; real pieces stay far below.
const LONGEST: usize = 1024;
const SCORES: &str = "tokenizer.ggml.scores";

/// Everything but vocabulary and added tokens.
///
/// # Errors
/// Scores that are missing or do not fit the tokens.
pub fn parts(
    vocabulary: &Vocabulary,
    ids: &HashMap<&str, u32>,
    metadata: &Metadata,
) -> Result<Value> {
    let scores = metadata.numbers(SCORES)?;
    let scores = scores.ok_or_else(|| metadata.wrong(SCORES, "an array of numbers"))?;
    if scores.len() != vocabulary.tokens.len() {
        let expected = format!("{} numbers, one a token,", vocabulary.tokens.len());
        return Err(metadata.wrong(SCORES, &expected));
    }
    let prefix = metadata
        .flag("tokenizer.ggml.add_space_prefix")?
        .unwrap_or(true);
    let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let normalizer = match prefix {
        true => json!({"type": "Sequence",
                       "normalizers": [{"type": "Prepend", "prepend": "▁"}, spaces]}),
        false => spaces,
    };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Ok(json!({
        "normalizer": normalizer,
        "pre_tokenizer": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {"type": "BPE", "dropout": null, "unk_token": vocabulary.unknown(),
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                  "merges": merges(vocabulary, ids, &scores, metadata)?},
        "add_bos": true,
    }))
}

/// Every pair of pieces whose joint text is a piece, in the order that transformers gives them:
/// high scores first, then long left parts, then long right ones.
fn merges(
    vocabulary: &Vocabulary,
    ids: &HashMap<&str, u32>,
    scores: &[f64],
    metadata: &Metadata,
) -> Result<Vec<Value>> {
    // Control tokens and bytes are never the outcome or a part of a merge.
    let is_text = |id: u32| {
        let (token, kind) = (
            &vocabulary.tokens[id as usize],
            vocabulary.kinds[id as usize],
        );
        !is_added(token, kind) && !matches!(kind, TokenKind::Byte | TokenKind::Unused)
    };
    let part = |text: &str| ids.get(text).copied().filter(|id| is_text(*id));
    let mut merges = Vec::new();
    for (id, piece) in (0u32..)
        .zip(&vocabulary.tokens)
        .filter(|(id, _)| is_text(*id))
    {
        if piece.len() > LONGEST {
            let cause = format!("token {id} is {} bytes long", piece.len());
            return Err(ModelError::file(metadata.path(), cause));
        }
        let length = piece.chars().count();
        let first = merges.len();
        for (left_length, (at, _)) in piece.char_indices().enumerate().skip(1) {
            let (left, right) = piece.split_at(at);
            if let (Some(l), Some(r)) = (part(left), part(right)) {
                let sizes = (Reverse(left_length), Reverse(length - left_length));
                merges.push((scores[id as usize], sizes, (l, r), left, right));
            }
        }
        merges[first..].sort_by_key(|merge| merge.2);
    }
    // Stable: of equals, the earlier piece stays first.
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Ok(merges
        .iter()
        .map(|(_, _, _, left, right)| json!([left, right]))
        .collect())
}
