//! The surface of an answer: features a reader sees without reading, and the baseline fitted on them.
//! A judge that is worth its cost must beat it.

mod baseline;

use std::collections::HashMap;

pub use baseline::{Baseline, cross_fitted, fit_baseline};

/// What a judge is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triple<'a> {
    /// The task, with its input.
    pub instruction: &'a str,
    /// A good answer to compare with.
    pub reference: Option<&'a str>,
    /// The answer.
    pub response: &'a str,
}

/// Names of the features that need no reference, in order.
pub const FREE: [&str; 20] = [
    "characters",
    "words",
    "log characters",
    "log words",
    "log lines",
    "paragraphs",
    "bullets",
    "numbered items",
    "headings",
    "code fences",
    "bold",
    "words per sentence",
    "type-token ratio",
    "word length",
    "ends with punctuation",
    "log instruction words",
    "log ratio to instruction",
    "instruction unigram F1",
    "instruction recall",
    "digits",
];

/// Names of the features that compare with the reference, in order.
pub const COMPARED: [&str; 9] = [
    "log reference characters",
    "log ratio characters",
    "log ratio words",
    "log ratio lines",
    "unigram F1",
    "unigram recall",
    "bigram F1",
    "Jaccard",
    "list items against the reference",
];

/// The features of a triple: [`FREE`], then [`COMPARED`] where there is a reference.
pub fn features(triple: &Triple) -> Vec<f64> {
    let text = Surface::of(triple.response);
    let task = Surface::of(triple.instruction);
    let mut features = Vec::with_capacity(FREE.len() + COMPARED.len());
    let sentences = text.sentences.max(1.0);
    features.extend([
        text.characters / 1000.0,
        text.words() / 100.0,
        text.characters.ln_1p(),
        text.words().ln_1p(),
        text.lines.ln_1p(),
        text.paragraphs.ln_1p(),
        text.bullets.ln_1p(),
        text.numbered.ln_1p(),
        text.headings.ln_1p(),
        text.fences.ln_1p(),
        text.bold.ln_1p(),
        (text.words() / sentences).ln_1p(),
        ratio(text.unigrams.len() as f64, text.words()),
        ratio(text.letters, text.words()),
        text.ends_with_punctuation,
        task.words().ln_1p(),
        text.words().ln_1p() - task.words().ln_1p(),
        f1(&text.unigrams, &task.unigrams),
        recall(&text.unigrams, &task.unigrams),
        ratio(text.digits, text.characters),
    ]);
    if let Some(reference) = triple.reference {
        let reference = Surface::of(reference);
        let log_ratio = |a: f64, b: f64| a.ln_1p() - b.ln_1p();
        features.extend([
            reference.characters.ln_1p(),
            log_ratio(text.characters, reference.characters),
            log_ratio(text.words(), reference.words()),
            log_ratio(text.lines, reference.lines),
            f1(&text.unigrams, &reference.unigrams),
            recall(&text.unigrams, &reference.unigrams),
            f1(&text.bigrams, &reference.bigrams),
            jaccard(&text.unigrams, &reference.unigrams),
            log_ratio(
                text.bullets + text.numbered,
                reference.bullets + reference.numbered,
            ),
        ]);
    }
    features
}

/// Bullets and numbered items, out of [`features`].
pub fn list_items(features: &[f64]) -> usize {
    let count = |name: &str| {
        let place = FREE.iter().position(|one| *one == name);
        let logarithm = place.and_then(|place| features.get(place));
        logarithm.map_or(0.0, |x| x.exp_m1())
    };
    (count("bullets") + count("numbered items")).round() as usize
}

type Counts = HashMap<u64, f64>;

/// Counts of one text.
struct Surface {
    characters: f64,
    letters: f64,
    digits: f64,
    lines: f64,
    paragraphs: f64,
    bullets: f64,
    numbered: f64,
    headings: f64,
    fences: f64,
    bold: f64,
    sentences: f64,
    ends_with_punctuation: f64,
    unigrams: Counts,
    bigrams: Counts,
    tokens: usize,
}

impl Surface {
    fn of(text: &str) -> Surface {
        let text = text.trim();
        let mut surface = Surface {
            characters: text.chars().count() as f64,
            letters: 0.0,
            digits: text.chars().filter(char::is_ascii_digit).count() as f64,
            lines: 0.0,
            paragraphs: 0.0,
            bullets: 0.0,
            numbered: 0.0,
            headings: 0.0,
            fences: 0.0,
            bold: (text.matches("**").count() / 2) as f64,
            sentences: 0.0,
            ends_with_punctuation: f64::from(u8::from(text.ends_with(ends_sentence))),
            unigrams: Counts::new(),
            bigrams: Counts::new(),
            tokens: 0,
        };
        surface.read_lines(text);
        surface.read_words(text);
        surface
    }

    fn words(&self) -> f64 {
        self.tokens as f64
    }

    fn read_lines(&mut self, text: &str) {
        let mut blank = true;
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() {
                blank = true;
                continue;
            }
            self.lines += 1.0;
            self.paragraphs += f64::from(u8::from(blank));
            blank = false;
            let digits = line.chars().take_while(char::is_ascii_digit).count();
            if ["- ", "* ", "+ ", "• "]
                .iter()
                .any(|mark| line.starts_with(mark))
            {
                self.bullets += 1.0;
            } else if digits > 0 && line[digits..].starts_with(['.', ')']) {
                self.numbered += 1.0;
            } else if line.starts_with('#') {
                self.headings += 1.0;
            } else if line.starts_with("```") {
                self.fences += 0.5;
            }
            // A line ends a sentence, and so does a mark before a blank.
            let inner = line
                .split_whitespace()
                .rev()
                .skip(1)
                .filter(|word| word.ends_with(ends_sentence))
                .count();
            self.sentences += 1.0 + inner as f64;
        }
    }

    fn read_words(&mut self, text: &str) {
        let mut before = None;
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            if word.is_empty() {
                continue;
            }
            self.tokens += 1;
            self.letters += word.chars().count() as f64;
            let word = hash(word);
            *self.unigrams.entry(word).or_default() += 1.0;
            if let Some(before) = before {
                let pair = word.rotate_left(21) ^ before;
                *self.bigrams.entry(pair).or_default() += 1.0;
            }
            before = Some(word);
        }
    }
}

fn ends_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '…')
}

/// FNV-1a of the lower-case word, mixed.
fn hash(word: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for c in word.chars().flat_map(char::to_lowercase) {
        hash = (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01b3);
    }
    super::bootstrap::SplitMix64(hash).next_u64()
}

fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

fn total(counts: &Counts) -> f64 {
    counts.values().sum()
}

/// How many words they share, each as often as both have it.
fn shared(a: &Counts, b: &Counts) -> f64 {
    let (small, large) = if a.len() < b.len() { (a, b) } else { (b, a) };
    small
        .iter()
        .filter_map(|(word, count)| Some(count.min(*large.get(word)?)))
        .sum()
}

fn f1(a: &Counts, b: &Counts) -> f64 {
    ratio(2.0 * shared(a, b), total(a) + total(b))
}

fn recall(a: &Counts, of: &Counts) -> f64 {
    ratio(shared(a, of), total(of))
}

/// Common types over all types.
fn jaccard(a: &Counts, b: &Counts) -> f64 {
    let common = a.keys().filter(|word| b.contains_key(word)).count() as f64;
    ratio(common, a.len() as f64 + b.len() as f64 - common)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(triple: &Triple, name: &str) -> f64 {
        let place = FREE.iter().chain(&COMPARED).position(|one| *one == name);
        features(triple)[place.unwrap()]
    }

    #[test]
    fn counted_by_hand() {
        let triple = Triple {
            instruction: "Name two red fruits",
            reference: Some("Cherry and red apple."),
            response: "# Fruits\n\nTwo **red** fruits. Here:\n- cherry\n* apple\n1. plum\n\n```\nx = 1\n```\nDone!",
        };
        let near = |name: &str, value: f64| {
            let found = feature(&triple, name);
            assert!(
                (found - value).abs() < 1e-12,
                "{name}: {found}, not {value}"
            );
        };
        assert_eq!(features(&triple).len(), FREE.len() + COMPARED.len());
        near("log characters", 81f64.ln_1p());
        // Fruits Two red fruits Here cherry apple 1 plum x 1 Done
        near("words", 0.12);
        near("log lines", 9f64.ln_1p());
        near("paragraphs", 3f64.ln_1p());
        near("bullets", 2f64.ln_1p());
        near("numbered items", 1f64.ln_1p());
        near("headings", 1f64.ln_1p());
        near("code fences", 1f64.ln_1p());
        near("bold", 1f64.ln_1p());
        // Nine lines, one mark within a line, one after "1".
        near("words per sentence", (12.0f64 / 11.0).ln_1p());
        near("type-token ratio", 10.0 / 12.0);
        near("ends with punctuation", 1.0);
        near("digits", 2.0 / 81.0);
        // two red fruits, of four words of the instruction.
        near("instruction recall", 0.75);
        near("instruction unigram F1", 6.0 / 16.0);
        // red cherry apple.
        near("unigram recall", 0.75);
        near("unigram F1", 6.0 / 16.0);
        near("Jaccard", 3.0 / 11.0);
        near("bigram F1", 0.0);
        near("log ratio words", 13f64.ln() - 5f64.ln());
        near("list items against the reference", 4f64.ln());
        assert_eq!(list_items(&features(&triple)), 3);
    }

    #[test]
    fn without_a_reference_and_without_words() {
        let triple = Triple {
            instruction: "",
            reference: None,
            response: "",
        };
        assert_eq!(features(&triple).len(), FREE.len());
        assert!(features(&triple).iter().all(|x| x.is_finite()));
        let same = Triple {
            instruction: "",
            reference: Some("a b c"),
            response: "A  b, c!",
        };
        assert_eq!(feature(&same, "bigram F1"), 1.0);
        assert_eq!(feature(&same, "Jaccard"), 1.0);
    }
}
