//! What a teacher sees of a text's words beyond the surface: rarity, names, stretches of three, sentences.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::corpus::Group;
use crate::stats::surface::Triple;

/// How many columns [`Rarity::columns`] has beside a reference, and without one.
const BESIDE: usize = 18;
const ALONE: usize = 6;

/// The rarity of words in instructions and their references.
#[derive(Debug)]
pub struct Rarity {
    /// ln(texts / texts with the word).
    of: HashMap<String, f64>,
    /// Of a word that no text has.
    rarest: f64,
}

/// F1, precision and recall of the distinct words that two texts share, each weighing its rarity.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    pub f1: f64,
    pub precision: f64,
    pub recall: f64,
}

/// A text's words, each way that they are looked at; in order, so that sums over them are the same in every run.
struct Words {
    distinct: BTreeSet<String>,
    /// Names, sentence openings, abbreviations: as they are written.
    capital: BTreeSet<String>,
    triples: BTreeMap<(String, String, String), f64>,
    sentences: Vec<BTreeSet<String>>,
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty())
}

fn distinct(text: &str) -> BTreeSet<String> {
    split(text).map(str::to_lowercase).collect()
}

fn share(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

impl Words {
    fn of(text: &str) -> Self {
        let all: Vec<String> = split(text).map(str::to_lowercase).collect();
        let mut triples = BTreeMap::new();
        for three in all.windows(3) {
            if let [a, b, c] = three {
                let key = (a.clone(), b.clone(), c.clone());
                *triples.entry(key).or_default() += 1.0;
            }
        }
        let is_capital = |word: &&str| word.starts_with(char::is_uppercase);
        Words {
            distinct: all.into_iter().collect(),
            capital: split(text).filter(is_capital).map(str::to_owned).collect(),
            triples,
            sentences: text
                .split(['.', '!', '?', '\n'])
                .filter(|sentence| sentence.len() > 15)
                .map(distinct)
                .collect(),
        }
    }

    /// How many stretches of three words there are, and how many of them the other text has too.
    fn triples(&self, other: &Words) -> (f64, f64) {
        let shared = self
            .triples
            .iter()
            .filter_map(|(three, count)| Some(count.min(*other.triples.get(three)?)));
        (self.triples.values().sum(), shared.sum())
    }
}

impl Rarity {
    /// Counts words in the tasks and in their first references.
    pub fn count(groups: &[Group]) -> Self {
        let mut texts: HashMap<String, f64> = HashMap::new();
        for group in groups {
            let all = std::iter::once(&group.task).chain(group.references.first());
            let words: BTreeSet<String> = all.flat_map(|text| distinct(text)).collect();
            for word in words {
                *texts.entry(word).or_default() += 1.0;
            }
        }
        let count = groups.len().max(2) as f64;
        let rarity = |(word, n): (String, f64)| (word, (count / n).ln());
        Rarity {
            of: texts.into_iter().map(rarity).collect(),
            rarest: count.ln(),
        }
    }

    /// What `text` shares with `other`.
    pub fn shared(&self, text: &str, other: &str) -> Shared {
        self.shared_words(&distinct(text), &distinct(other))
    }

    fn weight<'w>(&self, words: impl IntoIterator<Item = &'w String>) -> f64 {
        let weight = |word: &String| *self.of.get(word).unwrap_or(&self.rarest);
        words.into_iter().map(weight).sum()
    }

    fn shared_words(&self, text: &BTreeSet<String>, other: &BTreeSet<String>) -> Shared {
        let shared = self.weight(text.intersection(other));
        let (own, theirs) = (self.weight(text), self.weight(other));
        Shared {
            f1: share(2.0 * shared, own + theirs),
            precision: share(shared, own),
            recall: share(shared, theirs),
        }
    }

    /// Mean and least share of a sentence's words, by rarity, that `words` have.
    fn covered(&self, sentences: &[BTreeSet<String>], words: &BTreeSet<String>) -> [f64; 2] {
        let covered = |sentence: &BTreeSet<String>| {
            share(
                self.weight(sentence.intersection(words)),
                self.weight(sentence),
            )
        };
        let all: Vec<f64> = sentences.iter().map(covered).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = share(all.iter().sum(), all.len() as f64);
        [mean, if all.is_empty() { 0.0 } else { least }]
    }

    /// The columns beside [`crate::stats::surface::features`].
    pub fn columns(&self, triple: &Triple) -> Vec<f64> {
        let text = Words::of(triple.response);
        let rare = self.weight(&text.distinct);
        let with_task = self.shared_words(&text.distinct, &distinct(triple.instruction));
        let (triples, _) = text.triples(&text);
        let again = text.triples.values().copied().fold(0.0, f64::max);
        let mut columns = Vec::with_capacity(BESIDE);
        columns.extend([
            share(rare, text.distinct.len() as f64),
            rare.ln_1p(),
            with_task.precision,
            with_task.recall,
            again.ln_1p(),
            1.0 - share(text.triples.len() as f64, triples),
        ]);
        debug_assert_eq!(columns.len(), ALONE);
        if let Some(reference) = triple.reference {
            let reference = Words::of(reference);
            let shared = self.shared_words(&text.distinct, &reference.distinct);
            let (theirs, common) = reference.triples(&text);
            let names = text.capital.intersection(&reference.capital).count() as f64;
            columns.extend([
                shared.f1,
                shared.precision,
                shared.recall,
                share(common, triples),
                share(common, theirs),
                names.ln_1p(),
                share(names, reference.capital.len() as f64),
                share(names, text.capital.len() as f64),
            ]);
            columns.extend(self.covered(&reference.sentences, &text.distinct));
            columns.extend(self.covered(&text.sentences, &reference.distinct));
            debug_assert_eq!(columns.len(), BESIDE);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_names_and_sentences_are_counted() {
        let texts = ["the cat sat", "the dog ran", "the bird flew"];
        let group = |text: &&str| Group {
            task: (*text).into(),
            ..Group::default()
        };
        let rarity = Rarity::count(&texts.iter().map(group).collect::<Vec<_>>());
        let once = 3f64.ln();
        // "the" stands in every text and weighs nothing.
        let shared = rarity.shared("the cat ran", "the cat");
        assert!((shared.precision - 0.5).abs() < 1e-12);
        assert!((shared.recall - 1.0).abs() < 1e-12);
        assert!((shared.f1 - 2.0 / 3.0).abs() < 1e-12);
        let triple = Triple {
            instruction: "the dog",
            reference: Some("The Cat sat and the dog ran. It was Paris, I believe."),
            response: "Cat and dog and dog ran, cat and dog",
        };
        let columns = rarity.columns(&triple);
        assert_eq!(columns.len(), BESIDE);
        // cat, and, dog, ran: four rare words; seven stretches of three, "cat and dog" twice.
        assert!((columns[0] - once).abs() < 1e-12);
        assert!((columns[1] - (4.0 * once).ln_1p()).abs() < 1e-12);
        assert!((columns[2] - 0.25).abs() < 1e-12);
        assert!((columns[3] - 1.0).abs() < 1e-12);
        assert!((columns[4] - 2f64.ln_1p()).abs() < 1e-12);
        assert!((columns[5] - 1.0 / 7.0).abs() < 1e-12);
        // Of the names The, Cat, It, Paris, I one is shared, the answer's only one.
        assert_eq!(columns[11..14], [1f64.ln_1p(), 0.2, 1.0]);
        // The first sentence lacks "sat" alone, of the second nothing is there.
        assert!((columns[14] - 0.5 * 0.8).abs() < 1e-12 && columns[15] == 0.0);
        let free = Triple {
            reference: None,
            ..triple
        };
        assert_eq!(rarity.columns(&free)[..], columns[..ALONE]);
    }
}
