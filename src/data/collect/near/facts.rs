//! Whether two texts that look alike ask for the same: a template filled with other facts looks as much alike as a
//! slip of the pen, and is another task.

use std::borrow::Cow;
use std::collections::HashMap;

use super::sketch::Sketch;
use crate::data::collect::hash::{join, text_hash};
use crate::data::collect::words::{content, is_exact, is_neutral, is_polar, stem, words};

/// Words that tell rows of a template apart.
pub const RAREST: usize = 4;

/// Content words that one text may have beyond the other, as a share of those of the shorter one.
const BEYOND: f64 = 0.25;

/// A misspelt word is so much rarer than the right one, or hardly there at all.
const RARER: u32 = 20;
const HARDLY: u32 = 3;

/// A hash of all numbers and signs: texts in which these differ are never the same.
pub fn exact_hash(normal: &str) -> u64 {
    let mut exact: Vec<u64> = words(normal)
        .filter(|word| is_exact(word))
        .map(text_hash)
        .collect();
    exact.sort_unstable();
    exact.iter().fold(0, |hash, word| join(hash, *word))
}

/// The content words of a text, as [`Sketch`] counts them: each once.
pub fn content_hashes(normal: &str) -> Vec<u64> {
    let mut found: Vec<u64> = content(normal).map(|word| text_hash(&stem(word))).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The rarest content words, 0 where there are fewer. Rows filled into one template differ in these; texts that are
/// nearly equal share two of them.
pub fn rarest(normal: &str, sketch: &Sketch) -> [u32; RAREST] {
    let hashes = content_hashes(normal).into_iter();
    let mut counted: Vec<(u32, u64)> = hashes.map(|hash| (sketch.count(hash), hash)).collect();
    counted.sort_unstable();
    let mut found = [0; RAREST];
    for (place, (count, hash)) in found.iter_mut().zip(counted) {
        *place = class(count) << CLASS_SHIFT | (hash >> 39) as u32 | 1;
    }
    found
}

/// Above these bits of a rare word stands how frequent it is: seven bits, for every 32-bit count.
const CLASS_SHIFT: u32 = 25;

/// Frequencies in quarters of powers of two.
fn class(count: u32) -> u32 {
    ((4.0 * (f64::from(count) + 1.0).log2()) as u32).min(127)
}

/// Whether two rows have other facts, as far as their rarest words alone tell: each has a word that the other lacks, both
/// in use, and neither so much rarer that it might be a slip of the pen.
pub fn apart(one: &[u32; RAREST], other: &[u32; RAREST]) -> bool {
    let class_of = |word: u32| word >> CLASS_SHIFT;
    // What is rarer than the last of the rarest would be among them.
    let lacks = |rare: &[u32; RAREST], word: u32| {
        let last = rare
            .iter()
            .map(|word| class_of(*word))
            .max()
            .unwrap_or_default();
        !rare.contains(&word) && (rare.contains(&0) || class_of(word) < last)
    };
    let beyond = |one: &[u32; RAREST], other: &[u32; RAREST]| {
        one.map(|word| {
            (word != 0 && class_of(word) > class(HARDLY) && lacks(other, word))
                .then_some(class_of(word))
        })
    };
    let (left, right) = (beyond(one, other), beyond(other, one));
    let near = |a: u32| {
        right
            .iter()
            .flatten()
            .any(|b| a.abs_diff(*b) < class(RARER))
    };
    left.into_iter().flatten().any(near)
}

/// Whether two normal texts tell the same facts: the same numbers, and no content word of one in place of another word
/// of the other, spelling and endings aside. A few words may come on top, as long as they negate nothing.
pub fn same_facts(one: &str, other: &str, sketch: &Sketch) -> bool {
    let (a, b) = (Words::of(one), Words::of(other));
    if a.stems == b.stems {
        return true;
    }
    let (mut left, mut right) = difference(&a, &b);
    if left.is_empty() && right.is_empty() {
        return !exchanged(&a.stems, &b.stems);
    }
    let forbidden = |words: &[&str]| words.iter().any(|word| is_exact(word) || is_polar(word));
    if forbidden(&left) || forbidden(&right) {
        return false;
    }
    left.retain(
        |word| match right.iter().position(|other| misspelt(word, other, sketch)) {
            Some(at) => {
                right.swap_remove(at);
                false
            }
            None => true,
        },
    );
    // A small word that is misspelt looks like a word on top.
    left.retain(|word| !misspelt_neutral(word, other, sketch));
    right.retain(|word| !misspelt_neutral(word, one, sketch));
    let beyond = left.len() + right.len();
    let shorter = a.stems.len().min(b.stems.len());
    (left.is_empty() || right.is_empty()) && beyond as f64 <= BEYOND * shorter as f64
}

/// The content words of a text, as they stand and by what they mean.
struct Words<'a> {
    words: Vec<&'a str>,
    stems: Vec<Cow<'a, str>>,
}

impl<'a> Words<'a> {
    fn of(normal: &'a str) -> Self {
        let words: Vec<&str> = content(normal).collect();
        Words {
            stems: words.iter().map(|word| stem(word)).collect(),
            words,
        }
    }
}

/// What one has that the other lacks, as often as that is so.
fn difference<'a>(one: &Words<'a>, other: &Words<'a>) -> (Vec<&'a str>, Vec<&'a str>) {
    let beyond = |one: &Words<'a>, other: &Words<'a>| {
        let mut counts: HashMap<&str, usize> = HashMap::with_capacity(other.stems.len());
        for stem in &other.stems {
            *counts.entry(stem).or_default() += 1;
        }
        let mut found = Vec::new();
        for (word, stem) in one.words.iter().zip(&one.stems) {
            match counts.get_mut(stem.as_ref()).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => found.push(*word),
            }
        }
        found
    };
    (beyond(one, other), beyond(other, one))
}

/// Whether one or two words moved past others: `from French to German` is not `from German to French`. Whole sentences
/// may move.
fn exchanged(one: &[Cow<'_, str>], other: &[Cow<'_, str>]) -> bool {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[same..], &other[same..]);
    let same = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (one, other) = (&one[..one.len() - same], &other[..other.len() - same]);
    if one.len() > 1000 {
        return false;
    }
    // The longest common subsequence, line by line.
    let mut line = vec![0usize; other.len() + 1];
    for a in one {
        let mut corner = 0;
        for (at, b) in other.iter().enumerate() {
            let above = line[at + 1];
            line[at + 1] = if a == b {
                corner + 1
            } else {
                above.max(line[at])
            };
            corner = above;
        }
    }
    let common = line.last().copied().unwrap_or_default();
    one.len() - common <= 2
}

/// Whether one word is the other with one letter wrong, missing, added or out of place. Two words that are both in use
/// (Iran, Iraq) are two words.
fn misspelt(one: &str, other: &str, sketch: &Sketch) -> bool {
    let long = |word: &str| word.chars().nth(3).is_some();
    if !long(one) || !long(other) || is_exact(one) || is_exact(other) || !one_slip(one, other) {
        return false;
    }
    let [a, b] = [one, other].map(|word| sketch.count(text_hash(&stem(word))));
    let (rarer, other) = (a.min(b), a.max(b));
    rarer <= HARDLY || rarer.saturating_mul(RARER) <= other
}

/// Whether a word is a neutral one of this text with a slip in it.
fn misspelt_neutral(word: &str, text: &str, sketch: &Sketch) -> bool {
    let long = word.chars().nth(3).is_some();
    let rare = || sketch.count(text_hash(&stem(word))) <= RARER;
    long && words(text).any(|other| is_neutral(other) && other.len() > 3 && one_slip(word, other))
        && rare()
}

fn one_slip(one: &str, other: &str) -> bool {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    if one.first() != other.first() || one.len().abs_diff(other.len()) > 1 {
        return false;
    }
    let start = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let room = one.len().min(other.len()) - start;
    let pairs = one.iter().rev().zip(other.iter().rev());
    let end = pairs.take_while(|(a, b)| a == b).count().min(room);
    let (a, b) = (
        &one[start..one.len() - end],
        &other[start..other.len() - end],
    );
    match (a, b) {
        ([], _) | (_, []) => true,
        ([_], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::words::normal;
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let mut sketch = Sketch::default();
        for word in ["iran", "iraq", "northern", "southern"] {
            for _ in 0..50 {
                sketch.add(text_hash(&stem(word)));
            }
        }
        same_facts(&normal(one), &normal(other), &sketch)
    }

    #[test]
    fn spelling_politeness_and_endings_are_no_facts() {
        for (one, other) in [
            (
                "Write a story about a dog.",
                "Please write a story about dogs",
            ),
            (
                "Describe the colour of autumn leaves",
                "Explain the color of autumn leaves",
            ),
            ("Summarise the article below", "Summarize the artcile below"),
            ("Compose a song about rivers", "Comopse a song abuot rivers"),
            (
                "List the planets of the solar system",
                "Can you list the planets in the solar system?",
            ),
            (
                "Explain how vaccines train the immune system against viruses.",
                "Explain how vaccines train the immune system against viruses in easy words.",
            ),
        ] {
            assert!(same(one, other), "{one} | {other}");
        }
    }

    #[test]
    fn other_facts_in_one_template_are_another_task() {
        for (one, other) in [
            ("Write a poem about cats", "Write a poem about dogs"),
            ("Add 3 and 5", "Add 3 and 6"),
            ("Compute 3 + 5", "Compute 3 - 5"),
            (
                "Describe the history of Iran",
                "Describe the history of Iraq",
            ),
            (
                "Name birds of northern Europe",
                "Name birds of southern Europe",
            ),
            (
                "Translate from French to German",
                "Translate from German to French",
            ),
            ("Say why it is legal", "Say why it is not legal"),
            ("Write about a dog", "Write about a dog and a cat and a cow"),
        ] {
            assert!(!same(one, other), "{one} | {other}");
        }
        let hash = |text: &str| exact_hash(&normal(text));
        assert_eq!(hash("Add 3 and 5"), hash("5 and 3, add"));
        assert_ne!(hash("Add 3 and 5"), hash("Add 3 and 6"));
    }

    #[test]
    fn rare_words_tell_rows_of_a_template_apart() {
        let mut sketch = Sketch::default();
        for (word, count) in [
            ("fox", 50),
            ("crane", 60),
            ("lisbon", 90),
            ("write", 900),
            ("poem", 900),
            ("river", 2),
        ] {
            (0..count).for_each(|_| sketch.add(text_hash(&stem(word))));
        }
        let rare = |text: &str| rarest(text, &sketch);
        assert!(apart(
            &rare("write poem fox lisbon"),
            &rare("write poem crane lisbon")
        ));
        assert!(!apart(
            &rare("write poem fox lisbon"),
            &rare("write poem fxo lisbon")
        ));
        assert!(!apart(
            &rare("write poem fox lisbon"),
            &rare("write poem fox lisbon river crane")
        ));
        assert!(!apart(&[0; RAREST], &rare("fox")));
    }

    #[test]
    fn a_slip_is_one_letter() {
        assert!(
            one_slip("article", "artcile")
                && one_slip("letter", "leter")
                && one_slip("water", "watter")
        );
        assert!(
            !one_slip("affect", "effect")
                && !one_slip("export", "import")
                && !one_slip("poem", "pome2")
        );
    }
}
