//! The fuzzy filter over instructions.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::data::Library;

/// Which records are listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// What was typed.
    pub query: String,
    /// Whether it is being typed.
    pub open: bool,
    /// Places of the records that match, best first; `None` lists all.
    pub matches: Option<Vec<usize>>,
}

impl Filter {
    /// Finds the matches again after the query or the records changed.
    pub fn apply(&mut self, library: &Library) {
        self.matches = (!self.query.trim().is_empty()).then(|| find(&self.query, library));
    }
}

fn pattern(query: &str) -> Pattern {
    Pattern::parse(query, CaseMatching::Smart, Normalization::Smart)
}

fn find(query: &str, library: &Library) -> Vec<usize> {
    let pattern = pattern(query);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut found: Vec<(u32, usize)> = library
        .iter()
        .filter_map(|(place, record)| {
            let text = Utf32Str::new(&record.instruction, &mut buffer);
            let score = pattern.score(text, &mut matcher)?;
            is_near(&pattern, text, &mut matcher).then_some((score, place))
        })
        .collect();
    found.sort_by_key(|(score, place)| (std::cmp::Reverse(*score), *place));
    found.into_iter().map(|(_, place)| place).collect()
}

/// Whether every word of the query is found close together. Over a long text almost anything
/// matches when its signs may be anywhere.
fn is_near(pattern: &Pattern, text: Utf32Str<'_>, matcher: &mut Matcher) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Record;

    fn records() -> Library {
        let records = [
            "Explain the large diesel engine again",
            "How long should I boil an egg?",
            "Eggs or tofu for breakfast?",
        ]
        .into_iter()
        .map(|instruction| Record {
            instruction: instruction.into(),
            ..Record::default()
        });
        Library::of(records.collect()).0
    }

    #[test]
    fn near_matches_come_first_and_scattered_signs_do_not_count() {
        let records = records();
        let mut found = find("egg", &records);
        found.sort_unstable();
        assert_eq!(found, [1, 2]);
        assert_eq!(find("boil egg", &records), [1]);
        assert!(find("zzz", &records).is_empty());
    }

    #[test]
    fn an_empty_query_lists_all() {
        let mut filter = Filter {
            query: "  ".into(),
            ..Filter::default()
        };
        filter.apply(&records());
        assert_eq!(filter.matches, None);
        filter.query = "tofu".into();
        filter.apply(&records());
        assert_eq!(filter.matches, Some(vec![2]));
    }

    #[test]
    fn matched_characters_are_told() {
        assert_eq!(matched_chars("egg", "an egg"), [3, 4, 5]);
        assert!(matched_chars("", "an egg").is_empty());
    }
}
