//! From pieces to token ids that fit the model, and the token ids of the labels after them.

use std::collections::BTreeMap;

use super::template::Wrap;
use super::{JudgeError, Result};
use crate::model::chat::Turn;
use crate::model::facts::Facts;
use crate::model::tokenizer::{Encoded, LONGEST, Piece};

/// What to do where a prompt does not fit: cut the response, then the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Truncate {
    /// Keep both ends.
    #[default]
    Middle,
    /// Keep the beginning.
    Tail,
    /// Refuse the row.
    Error,
}

/// A prompt ready for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Joined pieces.
    pub text: String,
    pub ids: Vec<u32>,
    /// Byte range in `text` of each id.
    pub offsets: Vec<(usize, usize)>,
    /// Byte ranges of the slots in `text`.
    pub spans: Vec<(&'static str, std::ops::Range<usize>)>,
    /// Whether something was cut.
    pub truncated: bool,
    /// What it was made of, after cutting and before wrapping.
    pub pieces: Vec<Piece>,
}

/// The pieces with what the wrap puts around them, and whether the tokenizer adds its own
/// special tokens: exactly one BOS comes out either way.
pub(crate) fn wrapped(
    pieces: Vec<Piece>,
    wrap: &Wrap,
    facts: &Facts,
) -> Result<(Vec<Piece>, bool)> {
    match wrap {
        Wrap::None => Ok((pieces, true)),
        Wrap::Around(before, after) => {
            let mut all = vec![Piece::template(before)];
            all.extend(pieces);
            all.push(Piece::template(after));
            Ok((all, true))
        }
        Wrap::Chat | Wrap::Turns => {
            let chat = facts.chat.as_ref().ok_or_else(|| {
                JudgeError::Prompt(format!(
                    "{} has no chat template: use --wrap none, or a text with {{prompt}}",
                    facts.name
                ))
            })?;
            let turn = |role, content| Turn { role, content };
            if *wrap == Wrap::Chat {
                return Ok((chat.render(&[turn("user", pieces)], true)?, false));
            }
            let is_response = |piece: &Piece| piece.slot == Some("response");
            let (response, before) = pieces.into_iter().partition(is_response);
            let turns = [turn("user", before), turn("assistant", response)];
            Ok((chat.render(&turns, false)?, false))
        }
    }
}

/// Bytes of a token that are reckoned with where a text is far too long: of what fits, nothing is lost as long as tokens
/// are no longer than this on average.
const LONGEST_TOKEN: usize = 64;

/// Makes a prompt of at most `limit` tokens.
///
/// # Errors
/// A prompt that does not fit even with response and reference cut to nothing (or at all, with
/// [`Truncate::Error`]); what tokenizer and chat template say.
pub fn make(
    mut pieces: Vec<Piece>,
    wrap: &Wrap,
    facts: &Facts,
    truncate: Truncate,
    limit: usize,
) -> Result<Prompt> {
    // A server has the only tokenizer that knows what fits.
    let cuts = truncate != Truncate::Error && facts.served.is_none();
    let mut truncated = cuts && forecut(&mut pieces, truncate, limit);
    // Each round cuts by what was measured; joining cut ends may cost a token or two more.
    for _ in 0..8 {
        let (all, special) = wrapped(pieces.clone(), wrap, facts)?;
        let encoded = facts.tokenizer.encode(&all, special)?;
        let over = encoded.ids.len().saturating_sub(limit);
        if over == 0 {
            return Ok(finished(pieces, &all, encoded, truncated));
        }
        if truncate == Truncate::Error {
            return Err(JudgeError::Prompt(format!(
                "the prompt has {} tokens, {limit} fit: allow cutting with --truncate middle",
                encoded.ids.len()
            )));
        }
        truncated = true;
        cut(&mut pieces, &all, &encoded, over, truncate)?;
    }
    Err(JudgeError::Prompt(format!(
        "the prompt does not fit into {limit} tokens even with its response cut"
    )))
}

/// Cuts each slot's text to the tokens that its model was trained with; whether any was longer.
///
/// # Errors
/// A text that is longer, with [`Truncate::Error`]; what the tokenizer says.
pub fn within(
    pieces: &mut [Piece],
    most: &BTreeMap<String, usize>,
    facts: &Facts,
    truncate: Truncate,
) -> Result<bool> {
    // A server has the only tokenizer that knows how long a text is.
    if most.is_empty() || facts.served.is_some() {
        return Ok(false);
    }
    let mut any = truncate != Truncate::Error && forecut(pieces, truncate, facts.context);
    for piece in pieces {
        let Some((slot, most)) = piece.slot.and_then(|slot| most.get_key_value(slot)) else {
            continue;
        };
        // No token is shorter than a byte.
        if piece.text.len() <= *most {
            continue;
        }
        let tokens = facts.tokenizer.encode(std::slice::from_ref(piece), false)?;
        let tokens = tokens.offsets;
        if tokens.len() <= *most {
            continue;
        }
        if truncate == Truncate::Error {
            return Err(JudgeError::Prompt(format!(
                "the {slot} has {} tokens, the judge was trained with {most} at most: allow cutting with --truncate middle",
                tokens.len()
            )));
        }
        piece.text = shortened(&piece.text, &tokens, *most, truncate);
        any = true;
    }
    Ok(any)
}

/// Cuts responses and references that are far too long before they are tokenized; whether there were any.
fn forecut(pieces: &mut [Piece], truncate: Truncate, limit: usize) -> bool {
    let most = limit.saturating_mul(LONGEST_TOKEN).min(LONGEST / 8);
    let mut any = false;
    for piece in pieces.iter_mut() {
        let is_cuttable = matches!(piece.slot, Some("response" | "reference"));
        if !is_cuttable || piece.text.len() <= 2 * most {
            continue;
        }
        let text = &piece.text;
        let (head, tail) = match truncate {
            Truncate::Middle => (most, text.len() - most),
            _ => (2 * most, text.len()),
        };
        piece.text = format!(
            "{}{}",
            &text[..floor(text, head)],
            &text[ceil(text, tail)..]
        );
        any = true;
    }
    any
}

fn finished(pieces: Vec<Piece>, all: &[Piece], encoded: Encoded, truncated: bool) -> Prompt {
    let mut text = String::new();
    let mut spans = Vec::new();
    for piece in all {
        let start = text.len();
        text.push_str(&piece.text);
        if let Some(slot) = piece.slot {
            spans.push((slot, start..text.len()));
        }
    }
    Prompt {
        text,
        ids: encoded.ids,
        offsets: encoded.offsets,
        spans,
        truncated,
        pieces,
    }
}

/// Shortens the response, then the reference, by `over` tokens in all (a slot that stands twice loses
/// its share at both places).
fn cut(
    pieces: &mut [Piece],
    all: &[Piece],
    encoded: &Encoded,
    mut over: usize,
    truncate: Truncate,
) -> Result<()> {
    let mut any = false;
    for slot in ["response", "reference"] {
        let mut start = 0;
        let spans = all.iter().map(|piece| {
            start += piece.text.len();
            (piece, start - piece.text.len()..start)
        });
        let places: Vec<_> = spans
            .filter(|(piece, span)| piece.slot == Some(slot) && !span.is_empty())
            .collect();
        let Some((piece, span)) = places.first().filter(|_| over > 0) else {
            continue;
        };
        let tokens: Vec<(usize, usize)> = encoded
            .offsets
            .iter()
            .filter(|(a, b)| a < b && *a >= span.start && *b <= span.end)
            .map(|(a, b)| (a - span.start, b - span.start))
            .collect();
        let remove = over.div_ceil(places.len()).min(tokens.len());
        over = over.saturating_sub(remove * places.len());
        let text = shortened(&piece.text, &tokens, tokens.len() - remove, truncate);
        any |= text != piece.text;
        for own in pieces.iter_mut().filter(|p| p.slot == Some(slot)) {
            own.text.clone_from(&text);
        }
    }
    match any {
        true => Ok(()),
        false => Err(JudgeError::Prompt(
            "the prompt does not fit into the model's context, and its response and reference are \
             not what takes the room"
                .into(),
        )),
    }
}

/// The last border of characters up to a byte.
pub(super) fn floor(text: &str, mut byte: usize) -> usize {
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// The first border of characters from a byte on.
fn ceil(text: &str, mut byte: usize) -> usize {
    while byte < text.len() && !text.is_char_boundary(byte) {
        byte += 1;
    }
    byte.min(text.len())
}

/// The text with `keep` of its tokens, given as byte ranges. Several tokens may make one character,
/// and then have its range: such a character goes or stays whole, and it goes rather than stays.
pub(super) fn shortened(
    text: &str,
    tokens: &[(usize, usize)],
    keep: usize,
    truncate: Truncate,
) -> String {
    if keep == 0 {
        return String::new();
    }
    if keep >= tokens.len() {
        return text.to_owned();
    }
    let head = match truncate {
        Truncate::Middle => keep.div_ceil(2),
        _ => keep,
    };
    let begin = floor(text, tokens[head].0);
    let ending = match keep - head {
        0 => "",
        tail => &text[ceil(text, tokens[tokens.len() - tail - 1].1).max(begin)..],
    };
    format!("{}{ending}", &text[..begin])
}

/// The token ids of each label after this prompt: those by which the encoding of prompt and label
/// together extends the prompt's.
///
/// # Errors
/// A label whose encoding changes the prompt's last tokens, named.
pub fn label_tokens(
    pieces: &[Piece],
    wrap: &Wrap,
    facts: &Facts,
    prefix: &str,
    labels: &[String],
) -> Result<Vec<Vec<u32>>> {
    let (all, special) = wrapped(pieces.to_vec(), wrap, facts)?;
    let prompt = facts.tokenizer.encode(&all, special)?.ids;
    labels
        .iter()
        .map(|label| {
            let mut with = all.clone();
            with.push(Piece::template(format!("{prefix}{label}")));
            let ids = facts.tokenizer.encode(&with, special)?.ids;
            match ids.strip_prefix(prompt.as_slice()) {
                Some(tokens) if !tokens.is_empty() => Ok(tokens.to_vec()),
                _ => Err(JudgeError::Prompt(format!(
                    "label `{label}` does not follow the prompt as tokens of its own: end the \
                     template otherwise, or set --label-prefix"
                ))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_text_keeps_its_ends_or_its_beginning() {
        let text = "aa bb cc dd ee";
        let tokens: Vec<(usize, usize)> = (0..5).map(|i| (3 * i, 3 * i + 2)).collect();
        let of = |keep, how| shortened(text, &tokens, keep, how);
        assert_eq!(of(3, Truncate::Middle), "aa bb  ee");
        assert_eq!(of(3, Truncate::Tail), "aa bb cc ");
        assert_eq!(of(0, Truncate::Middle), "");
        assert_eq!(of(5, Truncate::Middle), text);
    }

    #[test]
    fn a_character_of_several_tokens_goes_whole() {
        let text = "äöüß";
        // Two tokens a character, each with the character's whole range.
        let tokens: Vec<(usize, usize)> = (0..8).map(|i| (i / 2 * 2, i / 2 * 2 + 2)).collect();
        for keep in 0..8 {
            for how in [Truncate::Middle, Truncate::Tail] {
                let short = shortened(text, &tokens, keep, how);
                assert!(short.chars().count() * 2 <= keep, "{keep} {short}");
            }
        }
    }
}
