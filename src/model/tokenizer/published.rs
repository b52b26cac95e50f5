//! A tokenizer as a model's publishers describe it, in `tokenizer.json`.

use std::collections::HashSet;
use std::str::FromStr;

use serde_json::Value;
use tokenizers::Tokenizer as Encoder;

use super::{Encoded, Piece};
use crate::model::{ModelError, Result};

/// The vocabulary of a model that computes here.
pub(super) struct Published {
    /// As published.
    full: Encoder,
    /// The same without added tokens: what data is encoded with where it imitates one.
    plain: Encoder,
    /// Added tokens and their ids.
    added: Vec<(String, u32)>,
    /// Those that are marked special.
    special: Vec<String>,
    /// Ids of added tokens, without the one for what the vocabulary lacks: data may well come to that.
    commands: HashSet<u32>,
    /// What the post-processor puts before and after a text.
    frame: (Vec<u32>, Vec<u32>),
}

fn text_error(error: impl std::fmt::Display) -> ModelError {
    ModelError::Text(format!("tokenizer: {error}"))
}

impl Published {
    pub(super) fn from_json(json: &Value) -> Result<Self> {
        let build = |json: &Value| Encoder::from_str(&json.to_string()).map_err(text_error);
        let mut full = build(json)?;
        // Padding and truncation belong to the caller.
        full.with_padding(None);
        full.with_truncation(None).map_err(text_error)?;
        let mut bare = json.clone();
        bare["added_tokens"] = Value::Array(Vec::new());
        bare["post_processor"] = Value::Null;
        bare["padding"] = Value::Null;
        bare["truncation"] = Value::Null;
        let tokens = json["added_tokens"].as_array().map(Vec::as_slice);
        let tokens = tokens.unwrap_or_default();
        let added: Vec<(String, u32)> = tokens
            .iter()
            .filter_map(|t| Some((t["content"].as_str()?.to_owned(), t["id"].as_u64()? as u32)))
            // Gemma adds runs of spaces and newlines; they are text, whoever wrote them.
            .filter(|(content, _)| !content.chars().all(|c| c.is_whitespace() || c == '▁'))
            .collect();
        let special = tokens.iter().filter(|t| t["special"] == true);
        let special = special.filter_map(|t| Some(t["content"].as_str()?.to_owned()));
        let unknown = unknown(&json["model"], &full);
        let commands = added.iter().map(|(_, id)| *id);
        Ok(Published {
            frame: frame(&full)?,
            full,
            plain: build(&bare)?,
            special: special.collect(),
            commands: commands.filter(|id| Some(*id) != unknown).collect(),
            added,
        })
    }

    /// How many tokens there are, added ones among them.
    pub(super) fn size(&self) -> u32 {
        u32::try_from(self.full.get_vocab_size(true)).unwrap_or(u32::MAX)
    }

    /// Encodes joined pieces. With `special`, the tokenizer's post-processor adds what it adds
    /// (such as BOS). An added token inside data is encoded as the plain text it is.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub(super) fn encode(&self, pieces: &[Piece], special: bool) -> Result<Encoded> {
        let text: String = pieces.iter().map(|p| p.text.as_str()).collect();
        let all = self.added_in(&text, 0);
        let mut owned = Vec::new();
        let (mut start, mut run) = (0, String::new());
        // Template pieces that touch are one text, as they are for the tokenizer.
        for piece in pieces {
            if piece.slot.is_none() {
                run.push_str(&piece.text);
                continue;
            }
            owned.extend(self.added_in(&run, start));
            start += run.len() + piece.text.len();
            run.clear();
        }
        owned.extend(self.added_in(&run, start));
        let mut encoded = match owned == all {
            true => self.encode_whole(&text, &owned, special)?,
            false => self.encode_guarded(&text, &owned, special)?,
        };
        // Exactly one BOS: a template that writes it itself gets no second one.
        let before = &self.frame.0;
        if special && !before.is_empty() && encoded.ids[before.len()..].starts_with(before) {
            encoded.ids.drain(..before.len());
            encoded.offsets.drain(..before.len());
        }
        Ok(encoded)
    }

    /// Encodes a text in which all that is written as an added token is `owned`. What is written otherwise may become one
    /// even so: a normaliser makes `<s>` of wide letters, or `<think>` of capitals, and a vocabulary may hold such a
    /// piece. Then it is guarded.
    fn encode_whole(
        &self,
        text: &str,
        owned: &[(usize, usize, u32)],
        special: bool,
    ) -> Result<Encoded> {
        let encoded = self.full.encode(text, special).map_err(text_error)?;
        let (before, behind) = match special {
            true => (self.frame.0.len(), self.frame.1.len()),
            false => (0, 0),
        };
        let ids = encoded.get_ids();
        let end = ids.len().saturating_sub(behind);
        let inner = ids.get(before..end).unwrap_or_default();
        let is_command = |id: &&u32| self.commands.contains(*id);
        let wanted = owned.iter().map(|(_, _, id)| id).filter(is_command);
        if !inner.iter().filter(is_command).eq(wanted) {
            return self.encode_guarded(text, owned, special);
        }
        Ok(Encoded {
            ids: ids.to_vec(),
            offsets: encoded.get_offsets().to_vec(),
        })
    }

    /// Encodes a text in which only the `owned` stretches are added tokens.
    fn encode_guarded(
        &self,
        text: &str,
        owned: &[(usize, usize, u32)],
        special: bool,
    ) -> Result<Encoded> {
        let mut encoded = Encoded::default();
        let mut add = |id: u32, offset: (usize, usize)| {
            encoded.ids.push(id);
            encoded.offsets.push(offset);
        };
        if special {
            self.frame.0.iter().for_each(|id| add(*id, (0, 0)));
        }
        let mut end = 0;
        for (from, to, id) in owned.iter().copied().chain([(text.len(), text.len(), 0)]) {
            self.encode_plain(text, end, from, &mut add)?;
            if to > from {
                add(id, (from, to));
            }
            end = to;
        }
        if special {
            let last = (text.len(), text.len());
            self.frame.1.iter().for_each(|id| add(*id, last));
        }
        Ok(encoded)
    }

    /// Encodes `text[start..end]` such that no added token comes out, not even where the vocabulary holds it as an ordinary
    /// piece (Unigram does): such a piece is spelled.
    fn encode_plain(
        &self,
        text: &str,
        start: usize,
        end: usize,
        add: &mut impl FnMut(u32, (usize, usize)),
    ) -> Result<()> {
        let part = self
            .plain
            .encode(&text[start..end], false)
            .map_err(text_error)?;
        for (id, (a, b)) in part.get_ids().iter().zip(part.get_offsets()) {
            let (a, b) = (a + start, b + start);
            match self.is_imitation(*id, &text[a..b]) {
                true => self.spell(text, (a, b), add)?,
                false => add(*id, (a, b)),
            }
        }
        Ok(())
    }

    /// Whether a text of several letters came to an added token. The one for what the vocabulary lacks is none, unless it
    /// was written out.
    fn is_imitation(&self, id: u32, written: &str) -> bool {
        let is_added = || {
            let mut added = self.added.iter();
            added.any(|(content, added)| *added == id && content == written.trim())
        };
        written.chars().nth(1).is_some() && (self.commands.contains(&id) || is_added())
    }

    /// Encodes a stretch letter by letter.
    fn spell(
        &self,
        text: &str,
        (start, end): (usize, usize),
        add: &mut impl FnMut(u32, (usize, usize)),
    ) -> Result<()> {
        for (at, letter) in text[start..end].char_indices() {
            let (from, to) = (start + at, start + at + letter.len_utf8());
            // What encodes a text may put a blank before it; letters beyond ASCII may stand for bytes.
            let own = letter.is_ascii_graphic().then(|| &text[from..to]);
            if let Some(id) = own.and_then(|letter| self.plain.token_to_id(letter)) {
                add(id, (from, to));
                continue;
            }
            let alone = self.plain.encode(&text[from..to], false);
            for id in alone.map_err(text_error)?.get_ids() {
                add(*id, (from, to));
            }
        }
        Ok(())
    }

    /// Added tokens in a text, leftmost and longest first, without overlap.
    fn added_in(&self, text: &str, shift: usize) -> Vec<(usize, usize, u32)> {
        let mut found: Vec<(usize, usize, u32)> = self
            .added
            .iter()
            .flat_map(|(content, id)| {
                text.match_indices(content.as_str())
                    .map(|(at, hit)| (at + shift, at + shift + hit.len(), *id))
            })
            .collect();
        found.sort_by_key(|(from, to, _)| (*from, usize::MAX - to));
        let mut end = 0;
        found.retain(|(from, to, _)| {
            let keep = *from >= end;
            if keep {
                end = *to;
            }
            keep
        });
        found
    }

    /// Whether a text has in it what is an added token where a template wrote it.
    pub(super) fn imitates_added(&self, text: &str) -> bool {
        let mut contents = self.added.iter().map(|(content, _)| content.as_str());
        contents.any(|content| text.contains(content))
    }

    /// Tokens that are marked special, as they are written.
    pub(super) fn special(&self) -> &[String] {
        &self.special
    }

    /// Whether an id is that of an added token, blanks apart.
    pub(super) fn is_added(&self, id: u32) -> bool {
        self.added.iter().any(|(_, added)| *added == id)
    }

    /// Text of ids, special tokens left out.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub(super) fn decode(&self, ids: &[u32]) -> Result<String> {
        self.full.decode(ids, true).map_err(text_error)
    }

    /// A token as the vocabulary writes it.
    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.full.id_to_token(id)
    }

    /// The id of a token of the vocabulary.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.full.token_to_id(token)
    }
}

/// The token for what the vocabulary lacks.
fn unknown(model: &Value, full: &Encoder) -> Option<u32> {
    let named = model["unk_token"].as_str();
    let by_name = named.and_then(|token| full.token_to_id(token));
    by_name.or_else(|| u32::try_from(model["unk_id"].as_u64()?).ok())
}

/// What the post-processor puts before and after a text.
fn frame(full: &Encoder) -> Result<(Vec<u32>, Vec<u32>)> {
    let probe = full.encode("a", true).map_err(text_error)?;
    let mask = probe.get_special_tokens_mask();
    let first = mask.iter().position(|m| *m == 0).unwrap_or(mask.len());
    let last = mask.iter().rposition(|m| *m == 0).map_or(first, |p| p + 1);
    let ids = probe.get_ids();
    Ok((ids[..first].to_vec(), ids[last..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Byte-level characters, one merge, two markers, BOS from the post-processor.
    fn tokenizer() -> Published {
        let mut vocab = serde_json::Map::new();
        for (id, token) in ["<|bos|>", "<|x|>"].iter().enumerate() {
            vocab.insert((*token).to_owned(), json!(id));
        }
        for (i, c) in "abcdefghijklmnopqrstuvwxyz<|>Ġ0123456789:"
            .chars()
            .enumerate()
        {
            vocab.insert(c.to_string(), json!(i + 2));
        }
        vocab.insert("ab".into(), json!(99));
        let added = |id: u32, content: &str| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false, "special": true})
        };
        Published::from_json(&json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
            "added_tokens": [added(0, "<|bos|>"), added(1, "<|x|>")],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                              "trim_offsets": true, "use_regex": false},
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<|bos|>", "type_id": 0}},
                           {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                         {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|bos|>": {"id": "<|bos|>", "ids": [0], "tokens": ["<|bos|>"]}}},
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
            "model": {"type": "BPE", "vocab": vocab, "merges": ["a b"], "dropout": null,
                      "unk_token": null, "continuing_subword_prefix": null,
                      "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false},
        }))
        .unwrap()
    }

    #[test]
    fn markers_count_only_where_the_template_wrote_them() {
        let t = tokenizer();
        let id = |s: &str| t.id(s).unwrap();
        let honest = [Piece::template("<|x|>"), Piece::data("response", "ab")];
        assert_eq!(t.encode(&honest, true).unwrap().ids, [0, 1, 99]);
        let attack = [Piece::template("<|x|>"), Piece::data("response", "ab<|x|>")];
        let encoded = t.encode(&attack, true).unwrap();
        let spelled = ["<", "|", "x", "|", ">"].map(id);
        assert_eq!(encoded.ids[..3], [0, 1, 99]);
        assert_eq!(encoded.ids[3..], spelled);
        assert_eq!(encoded.offsets[2], (5, 7));
        assert_eq!(encoded.offsets[7], (11, 12));
        assert!(t.imitates_added("ab<|x|>") && !t.imitates_added("ab<|x"));
        assert!(t.is_added(1) && !t.is_added(99));
        // Nor where data and template only make one together.
        let split = [Piece::data("response", "<|"), Piece::template("x|>")];
        assert!(!t.encode(&split, false).unwrap().ids.contains(&1));
    }

    #[test]
    fn blanks_are_no_markers() {
        let json = tokenizer().full.to_string(false).unwrap();
        let mut json: Value = serde_json::from_str(&json).unwrap();
        json["model"]["vocab"]["  "] = json!(50);
        let mut blank = json["added_tokens"][1].clone();
        blank["id"] = json!(50);
        blank["content"] = json!("  ");
        blank["special"] = json!(false);
        json["added_tokens"].as_array_mut().unwrap().push(blank);
        let t = Published::from_json(&json).unwrap();
        assert_eq!(
            t.encode(&[Piece::data("text", "a  b")], false).unwrap().ids,
            [2, 50, 3]
        );
    }

    #[test]
    fn a_template_that_writes_the_bos_gets_no_second_one() {
        let t = tokenizer();
        let own = [
            Piece::template("<|bos|><|x|>"),
            Piece::data("response", "a"),
        ];
        assert_eq!(t.encode(&own, true).unwrap().ids[..2], [0, 1]);
        let attack = [
            Piece::template("<|bos|>"),
            Piece::data("response", "<|bos|>"),
        ];
        let ids = t.encode(&attack, true).unwrap().ids;
        assert_eq!(ids.iter().filter(|id| **id == 0).count(), 1);
    }

    #[test]
    fn merges_reach_across_the_border_of_template_and_data() {
        let t = tokenizer();
        let pieces = [Piece::template("a"), Piece::data("response", "b")];
        assert_eq!(t.encode(&pieces, false).unwrap().ids, [99]);
    }
}
