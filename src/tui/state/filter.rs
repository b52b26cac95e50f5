//! How the fuzzy filter reads a text.

use nucleo::pattern::{CaseMatching, Normalization, Pattern};
use nucleo::{Config, Matcher, Utf32Str};

fn pattern(query: &str) -> Pattern {
    Pattern::parse(query, CaseMatching::Smart, Normalization::Smart)
}

/// Whether every word of the query is found close together. Over a long text almost anything
/// matches when its signs may be anywhere.
pub fn is_near(pattern: &Pattern, text: Utf32Str<'_>, matcher: &mut Matcher) -> bool {
    let mut indices = Vec::new();
    pattern
        .atoms
        .iter()
        .filter(|atom| !atom.negative)
        .all(|atom| {
            indices.clear();
            if atom.indices(text, matcher, &mut indices).is_none() {
                return false;
            }
            let span = match (indices.iter().min(), indices.iter().max()) {
                (Some(first), Some(last)) => (last - first + 1) as usize,
                _ => 0,
            };
            span <= 2 * indices.len() + 2
        })
}

/// Which characters of a text the query matches, in order.
pub fn matched_chars(query: &str, text: &str) -> Vec<u32> {
    let mut indices = Vec::new();
    if query.trim().is_empty() {
        return indices;
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let text = Utf32Str::new(text, &mut buffer);
    if pattern(query)
        .indices(text, &mut matcher, &mut indices)
        .is_none()
    {
        indices.clear();
    }
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// The places of short texts that a query matches, best first; all of them where it is empty.
pub fn matching<'a>(query: &str, texts: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let pattern = pattern(query);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut found: Vec<(u32, usize)> = texts
        .enumerate()
        .filter_map(|(place, text)| {
            let text = Utf32Str::new(text, &mut buffer);
            let score = pattern.score(text, &mut matcher)?;
            is_near(&pattern, text, &mut matcher).then_some((score, place))
        })
        .collect();
    found.sort_by_key(|(score, place)| (std::cmp::Reverse(*score), *place));
    found.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matched_characters_are_told() {
        assert_eq!(matched_chars("egg", "an egg"), [3, 4, 5]);
        assert!(matched_chars("", "an egg").is_empty());
    }

    #[test]
    fn short_texts_are_found_by_some_of_their_signs() {
        let texts = ["explore", "export records", "undo"];
        assert_eq!(matching("exp", texts.into_iter()), [0, 1]);
        assert_eq!(matching("expl", texts.into_iter()), [0]);
        assert_eq!(matching("", texts.into_iter()), [0, 1, 2]);
    }
}
