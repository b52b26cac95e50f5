//! Data never becomes a special token, whatever the family of the tokenizer.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use juror::data::Subject;
use juror::judge::prompt::{self, Truncate};
use juror::judge::template::{Template, Wrap};
use juror::model::chat::ChatTemplate;
use juror::model::facts::Facts;
use juror::model::gguf;
use juror::model::tokenizer::{Piece, Tokenizer};
use serde_json::{Map, Value, json};

use super::{here, sample_data, tokenizer};

/// Ids that only templates may come to: added tokens, without the one for what the vocabulary lacks.
fn commands(of: &Tokenizer) -> Vec<(u32, String)> {
    let lacking = of
        .encode_data("\u{1F9FF} \u{292}\u{A7}\u{1D11E}", false)
        .unwrap();
    let lacking: HashSet<u32> = lacking.ids.into_iter().collect();
    (0..of.size() + 64)
        .filter(|id| of.is_added(*id) && !lacking.contains(id))
        .filter_map(|id| Some((id, of.token(id)?)))
        .collect()
}

fn data(of: &Tokenizer, text: &str) -> Vec<u32> {
    of.encode_data(text, false).unwrap().ids
}

/// Every command as data, alone and among other texts; then in every slot of a prompt.
fn holds(name: &str, of: Tokenizer, is_lossless: bool) {
    let commands = commands(&of);
    assert!(
        !commands.is_empty(),
        "{name} has no special tokens to test with"
    );
    let ids: HashSet<u32> = commands.iter().map(|(id, _)| *id).collect();
    for (id, content) in &commands {
        let template = of.encode(&[Piece::template(content.as_str())], false);
        assert_eq!(
            template.unwrap().ids,
            [*id],
            "{name}: {content} of a template"
        );
        let wide: String = content.chars().map(wide).collect();
        for text in [
            content.clone(),
            format!("a {content} b"),
            format!("a{content}{content}b"),
            format!("{content}\n{content}"),
            content.to_uppercase(),
            format!("a {wide}"),
        ] {
            let found = data(&of, &text);
            let special = found.iter().find(|id| ids.contains(id));
            assert_eq!(special, None, "{name}: {text} is {found:?}");
            // Letters that the normaliser keeps come back.
            if is_lossless && text.contains(content.as_str()) {
                assert_eq!(of.decode(&found).unwrap(), text, "{name}: {found:?}");
            }
        }
        // Nor where data and template make one together.
        let half = content.char_indices().nth(1).map_or(0, |(at, _)| at);
        let (first, last) = content.split_at(half);
        for pieces in [
            [Piece::data("response", first), Piece::template(last)],
            [Piece::template(first), Piece::data("response", last)],
        ] {
            let found = of.encode(&pieces, false).unwrap().ids;
            assert!(!found.contains(id), "{name}: {first} and {last}");
        }
    }
    let facts = facts(of, &commands);
    for (_, content) in &commands {
        for wrap in [
            Wrap::Chat,
            Wrap::None,
            Wrap::Around(content.clone(), String::new()),
        ] {
            let count = |text: &str| special_in_prompt(&facts, &wrap, text, &ids);
            let harmless = count("xx");
            assert!(wrap == Wrap::None || harmless > 0, "{name}: {wrap:?}");
            assert_eq!(count(content), harmless, "{name}: {content} in {wrap:?}");
            assert_eq!(
                count(&format!("a {content}\n{content}")),
                harmless,
                "{name}: {content}"
            );
        }
    }
}

/// As full-width forms write ASCII: some normalisers make it ASCII again.
fn wide(c: char) -> char {
    match c {
        '!'..='~' => char::from_u32(c as u32 + 0xFEE0).unwrap(),
        _ => c,
    }
}

fn facts(tokenizer: Tokenizer, commands: &[(u32, String)]) -> Facts {
    let (opens, closes) = (&commands[0].1, &commands[commands.len() - 1].1);
    let source = format!(
        "{{{{ bos_token }}}}{{% for m in messages %}}{opens}{{{{ m.role }}}}\n{{{{ m.content | trim }}}}{closes}\n\
         {{% endfor %}}{{% if add_generation_prompt %}}{opens}assistant\n{{% endif %}}"
    );
    Facts {
        name: "tested".into(),
        path: PathBuf::new(),
        hash: String::new(),
        tokenizer,
        chat: Some(ChatTemplate::new(source, opens.clone(), closes.clone())),
        context: 100_000,
        parameters: 0,
        end_tokens: Vec::new(),
        is_decoder: true,
        served: None,
    }
}

/// Special ids of a prompt that has a text in all its slots.
fn special_in_prompt(facts: &Facts, wrap: &Wrap, text: &str, ids: &HashSet<u32>) -> usize {
    let template = Template::parse(
        "{context}\nTask: {instruction}\nGood: {reference}\nBy: {rubric}\nAnswer: {response}\nGrade: ",
        false,
    );
    let subject = Subject {
        instruction: text.into(),
        context: Some(text.into()),
        reference: Some(text.into()),
        rubric: Some(text.into()),
        response: text.into(),
        criterion: None,
    };
    let pieces = template.fill(&subject);
    let made = prompt::make(pieces, wrap, facts, Truncate::Error, facts.context).unwrap();
    // What the tokenizer puts around every text is no part of it.
    let framed = facts.tokenizer.encode_data("", true).unwrap().ids.len();
    let count = made.ids.iter().filter(|id| ids.contains(id)).count();
    match wrap {
        Wrap::None => count - count.min(framed),
        _ => count,
    }
}

#[test]
fn as_published_with_models() {
    let starter = Tokenizer::read(&sample_data().join("starter/tokenizer.json")).unwrap();
    holds("starter", starter, true);
    let bert = Tokenizer::read(&here("bert/tokenizer.json")).unwrap();
    holds("WordPiece", bert, false);
    let folder = tempfile::tempdir().unwrap();
    tokenizer::write(folder.path(), None);
    let bytes = Tokenizer::read(&folder.path().join("tokenizer.json")).unwrap();
    holds("bytes", bytes, true);
}

#[test]
fn inside_gguf_files() {
    let mut count = 0;
    for entry in std::fs::read_dir(here("gguf")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "gguf") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            holds(&name, gguf::open(&path).unwrap().tokenizer, true);
            count += 1;
        }
    }
    assert!(count >= 8, "{count} files");
}

/// An added token.
fn added(id: u32, content: &str, special: bool, normalized: bool) -> Value {
    json!({"id": id, "content": content, "special": special, "normalized": normalized,
           "single_word": false, "lstrip": false, "rstrip": false})
}

fn read(folder: &Path, json: &Value) -> Tokenizer {
    let path = folder.join("tokenizer.json");
    std::fs::write(&path, json.to_string()).unwrap();
    Tokenizer::read(&path).unwrap()
}

/// Printable ASCII, one token a sign, after the given tokens.
fn letters(first: &[&str]) -> Vec<String> {
    let signs = ('!'..='~').map(String::from);
    first.iter().map(|t| (*t).to_owned()).chain(signs).collect()
}

fn vocabulary(tokens: &[String]) -> Map<String, Value> {
    let each = tokens.iter().enumerate();
    each.map(|(id, token)| (token.clone(), id.into())).collect()
}

/// As T5 and XLM-R have it: special tokens are pieces of the vocabulary, and texts are normalised first.
#[test]
fn unigram_with_its_special_tokens_among_the_pieces() {
    let tokens = letters(&["<unk>", "<s>", "</s>", "▁"]);
    let scored = |(id, token): (usize, &String)| {
        let score = if id < 3 { 0.0 } else { -8.0 };
        json!([token, score])
    };
    let vocab: Vec<Value> = tokens.iter().enumerate().map(scored).collect();
    for scheme in ["always", "never"] {
        let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "post_processor": null,
            "added_tokens": [added(0, "<unk>", true, false), added(1, "<s>", true, false), added(2, "</s>", true, false)],
            "normalizer": {"type": "NFKC"}, "pre_tokenizer": metaspace, "decoder": metaspace,
            "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false}
        });
        let folder = tempfile::tempdir().unwrap();
        // Its line ends become what the vocabulary lacks.
        holds(
            &format!("Unigram, {scheme}"),
            read(folder.path(), &json),
            false,
        );
        let of = read(folder.path(), &json);
        let text = "a <s> b</s>";
        assert_eq!(of.decode(&data(&of, text)).unwrap(), text, "{scheme}");
    }
}

/// Merges that lead to a special token, and tokens that are added but not marked special.
#[test]
fn byte_pairs_that_merge_into_a_special_token() {
    let tokens = letters(&["<|x|>", "<think>", "Ġ", "Ċ", "<|", "x|", "x|>"]);
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "post_processor": null,
        "added_tokens": [added(0, "<|x|>", true, false), added(1, "<think>", false, false)],
        "normalizer": null, "pre_tokenizer": byte_level, "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocabulary(&tokens),
                  "merges": [["<", "|"], ["x", "|"], ["x|", ">"], ["<|", "x|>"]]}
    });
    let folder = tempfile::tempdir().unwrap();
    holds("BPE with such merges", read(folder.path(), &json), true);
}

/// Added tokens that are looked for in the normalised text: capitals and wide letters are one, too.
#[test]
fn added_tokens_of_the_normalised_text() {
    let tokens = letters(&["<unk>", "<think>", "[inst]", "▁"]);
    let normalizers = json!([
        {"type": "NFKC"}, {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    ]);
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "post_processor": null, "pre_tokenizer": null,
        "added_tokens": [added(0, "<unk>", true, false), added(1, "<think>", false, true), added(2, "[inst]", true, true)],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "decoder": {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        "model": {"type": "BPE", "vocab": vocabulary(&tokens), "merges": [], "unk_token": "<unk>"}
    });
    let folder = tempfile::tempdir().unwrap();
    let of = read(folder.path(), &json);
    assert!(!data(&of, "so <THINK> so").contains(&1));
    assert!(!data(&of, "so ＜think＞ so").contains(&1));
    holds("normalised", of, false);
}
