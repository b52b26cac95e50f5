//! Texts in chunks that an embedder can take.

use std::ops::Range;

use super::prompt::floor;
use super::{JudgeError, Result};
use crate::model::facts::Facts;

/// Bytes of a text that is embedded in chunks, at most: as much takes half a minute.
const LONGEST: usize = 4 << 20;
/// Bytes of a token that are reckoned with.
const LONGEST_TOKEN: usize = 64;

/// What to do with a text longer than the embedder takes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Long {
    /// Split at sentence borders, average the chunks weighted by their tokens.
    #[default]
    Chunk,
    /// Keep the beginning.
    Truncate,
}

/// Byte positions after sentence ends, the text's end included.
fn sentence_ends(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut ends: Vec<usize> = (0..bytes.len())
        .filter(|i| match bytes[*i] {
            b'\n' => true,
            b'.' | b'!' | b'?' => bytes.get(i + 1).is_none_or(u8::is_ascii_whitespace),
            _ => false,
        })
        .map(|i| i + 1)
        .collect();
    if ends.last() != Some(&text.len()) {
        ends.push(text.len());
    }
    ends
}

/// Token ranges of chunks of at most `limit` tokens, cut after a sentence where there is one.
fn chunks(offsets: &[(usize, usize)], ends: &[usize], limit: usize) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while offsets.len() - start > limit {
        let fits = start..start + limit;
        // The last token within reach that ends a sentence.
        let is_end = |at: usize| ends.binary_search(&at).is_ok();
        let border = fits.clone().rev().find(|t| {
            let end = offsets[*t].1;
            *t > start && (is_end(end) || end.checked_sub(1).is_some_and(is_end))
        });
        let end = border.map_or(fits.end, |t| t + 1);
        chunks.push(start..end);
        start = end;
    }
    chunks.push(start..offsets.len());
    chunks
}

/// The token ids of each chunk of a text, special tokens included, and how many tokens of the
/// text it holds.
///
/// # Errors
/// What the tokenizer says.
pub fn encode(
    facts: &Facts,
    text: &str,
    limit: Option<usize>,
    long: Long,
) -> Result<Vec<(Vec<u32>, usize)>> {
    let tokenizer = &facts.tokenizer;
    let text = match long {
        // Far more than what is kept is not tokenized.
        Long::Truncate => {
            let most = facts.context.saturating_mul(LONGEST_TOKEN).min(text.len());
            &text[..floor(text, most)]
        }
        Long::Chunk if text.len() > LONGEST => {
            return Err(JudgeError::Prompt(format!(
                "a text of {} MiB, of which up to {} are embedded in chunks: --long truncate embeds its beginning",
                text.len() >> 20,
                LONGEST >> 20
            )));
        }
        Long::Chunk => text,
    };
    let bare = tokenizer.encode_data(text, false)?;
    let whole = tokenizer.encode_data(text, true)?;
    let specials = whole.ids.len() - bare.ids.len();
    let limit = limit.unwrap_or(facts.context).min(facts.context);
    let limit = limit.saturating_sub(specials).max(1);
    if bare.ids.len() <= limit {
        return Ok(vec![(whole.ids, bare.ids.len().max(1))]);
    }
    let ranges = match long {
        Long::Chunk => chunks(&bare.offsets, &sentence_ends(text), limit),
        Long::Truncate => std::iter::once(0..limit).collect(),
    };
    ranges
        .into_iter()
        .filter(|range| !range.is_empty())
        .map(|range| {
            // The chunk's own tokens, in the frame that the tokenizer puts around a text.
            let frame = &whole.ids;
            let before = frame
                .windows(bare.ids.len())
                .position(|w| w == bare.ids)
                .unwrap_or(specials);
            let after = frame.len() - before - bare.ids.len();
            let mut ids = frame[..before].to_vec();
            ids.extend_from_slice(&bare.ids[range.clone()]);
            ids.extend_from_slice(&frame[frame.len() - after..]);
            Ok((ids, range.len()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_after_sentences() {
        let text = "Aa bb. Cc dd! Ee 3.5 ff\ngg";
        let ends = sentence_ends(text);
        assert_eq!(ends, [6, 13, 24, 26]);
        // One token a word, punctuation its own.
        let words: Vec<(usize, usize)> = vec![
            (0, 2),
            (3, 5),
            (5, 6),
            (7, 9),
            (10, 12),
            (12, 13),
            (14, 16),
            (17, 20),
            (21, 23),
            (24, 26),
        ];
        assert_eq!(chunks(&words, &ends, 5), [0..3, 3..6, 6..10]);
        assert_eq!(chunks(&words, &ends, 100).len(), 1);
        assert_eq!(chunks(&words, &[], 4), [0..4, 4..8, 8..10]);
    }
}
