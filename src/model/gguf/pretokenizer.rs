//! How byte-level vocabularies split a text before merging, by llama.cpp's names for it.
//!
//! The file only names the rule. The patterns are those of the models' own tokenizer.json.

use serde_json::{Value, json};

/// One rule.
pub struct Rule {
    pub normalizer: Value,
    pub pre_tokenizer: Value,
    /// A piece that is in the vocabulary as a whole is taken as it is.
    pub ignore_merges: bool,
    /// Whether a BOS is put first unless the file says otherwise.
    pub add_bos: bool,
}

const CONTRACTIONS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Words that carry capitals first and small letters after, with and without contractions.
const CASED: [&str; 2] = [
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
];
const CASED_REST: &str = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn split(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
           "use_regex": use_regex})
}

fn sequence(mut parts: Vec<Value>, last: Value) -> Value {
    parts.push(last);
    json!({"type": "Sequence", "pretokenizers": parts})
}

/// OpenAI's pattern of 2022 with so many digits to a piece.
fn words(digits: &str) -> Value {
    let pattern = format!(
        r"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    );
    sequence(vec![split(&pattern)], byte_level(false))
}

fn rule(pre_tokenizer: Value) -> Rule {
    Rule {
        normalizer: Value::Null,
        pre_tokenizer,
        ignore_merges: false,
        add_bos: false,
    }
}

/// The names that [`find`] knows, for messages.
pub const KNOWN: &str = "llama-bpe, dbrx, smaug-bpe, qwen2, deepseek-r1-qwen, smollm, starcoder, \
                         refact, gpt-2, phi-2, olmo, tekken, gpt-4o and default";

/// The rule that a name stands for.
pub fn find(name: &str) -> Option<Rule> {
    let nfc = json!({"type": "NFC"});
    Some(match name {
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" => Rule {
            ignore_merges: true,
            add_bos: true,
            ..rule(words("{1,3}"))
        },
        // Also what Phi-4 and OLMo 2 are labelled with.
        "dbrx" | "smaug-bpe" => rule(words("{1,3}")),
        "qwen2" => Rule {
            normalizer: nfc,
            ..rule(words(""))
        },
        "deepseek-r1-qwen" => rule(words("")),
        "smollm" | "starcoder" | "refact" => {
            let digits = json!({"type": "Digits", "individual_digits": true});
            rule(sequence(vec![digits], byte_level(true)))
        }
        "gpt-2" | "phi-2" => rule(byte_level(true)),
        "olmo" => Rule {
            normalizer: nfc,
            ..rule(byte_level(true))
        },
        "tekken" => {
            let pattern = format!(r"{}|{}|\p{{N}}|{CASED_REST}", CASED[0], CASED[1]);
            Rule {
                ignore_merges: true,
                add_bos: true,
                ..rule(sequence(vec![split(&pattern)], byte_level(false)))
            }
        }
        "gpt-4o" | "llama4" => {
            let [small, capital] = CASED.map(|word| format!("{word}{CONTRACTIONS}?"));
            let pattern = format!(r"{small}|{capital}|\p{{N}}{{1,3}}|{CASED_REST}");
            rule(sequence(vec![split(&pattern)], byte_level(false)))
        }
        "default" => {
            let each = [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"];
            rule(sequence(each.map(split).to_vec(), byte_level(false)))
        }
        _ => return None,
    })
}

/// The first known name of a rule that splits texts like a tokenizer.json's.
pub fn name_of(
    normalizer: &Value,
    pre_tokenizer: &Value,
    ignore_merges: bool,
) -> Option<&'static str> {
    let names = KNOWN.split([',', ' ']).map(str::trim);
    let same = |name: &&str| {
        find(name).is_some_and(|rule| {
            rule.ignore_merges == ignore_merges
                && rule.normalizer == *normalizer
                && what_counts(&rule.pre_tokenizer) == what_counts(pre_tokenizer)
        })
    };
    names.filter(|name| !name.is_empty()).find(same)
}

/// A pre-tokenizer without what does not change where a text is split.
fn what_counts(pre_tokenizer: &Value) -> Value {
    let mut value = pre_tokenizer.clone();
    match &mut value {
        Value::Object(fields) => {
            fields.remove("trim_offsets");
            fields.values_mut().for_each(|v| *v = what_counts(v));
        }
        Value::Array(parts) => parts.iter_mut().for_each(|v| *v = what_counts(v)),
        _ => (),
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found() {
        for name in KNOWN
            .split([',', ' '])
            .filter(|n| !n.is_empty() && *n != "and")
        {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(find("kimi-k2").is_none());
    }
}
