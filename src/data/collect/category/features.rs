//! What the classifier sees of a task.

use std::borrow::Cow;

use super::PLACES;
use crate::data::collect::hash::{join, text_hash};
use crate::data::collect::words::{normal, stem, words};

/// Bytes of a task that are looked at: what it is about is said early.
const LOOKED_AT: usize = 2000;

/// Marks of programs, which the comparable form loses.
const CODE: [&str; 22] = [
    "```", "();", "){", ") {", "};", "</", "=>", "->", "==", "!=", "def ", "import ", "return ",
    "#include", "SELECT ", "var ", "const ", "print(", "::", "&&", "self.", "[i]",
];

/// Marks of formulas.
const FORMULA: [&str; 10] = [
    "\\frac", "\\(", "$$", "^2", "x²", "√", " = ", "∫", "°C", "\\sqrt",
];

/// The places of a task's features, each once, and the value that each of them has.
pub fn features(task: &str) -> (Vec<u32>, f32) {
    let mut end = task.len().min(LOOKED_AT);
    while !task.is_char_boundary(end) {
        end -= 1;
    }
    let task = &task[..end];
    let text = normal(task);
    let stems: Vec<Cow<'_, str>> = words(&text).map(stem).collect();
    let mut hashes = Vec::with_capacity(3 * stems.len() + 8);
    let mut before = text_hash("^");
    for word in &stems {
        let hash = text_hash(word);
        hashes.push(hash);
        hashes.push(join(before, hash));
        before = hash;
        // Beginnings of words generalise: electro…, mathe…, algor….
        if let Some((end, _)) = word.char_indices().nth(5) {
            hashes.push(join(1, text_hash(&word[..end])));
        }
    }
    let marks = |list: &[&str], kind: u64| {
        let found = list.iter().filter(|mark| task.contains(**mark)).count();
        // One mark may be chance, several are not.
        (1..=found.min(3))
            .map(move |count| join(kind, count as u64))
            .collect::<Vec<_>>()
    };
    hashes.extend(marks(&CODE, 2));
    hashes.extend(marks(&FORMULA, 3));
    let digits = stems
        .iter()
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .count();
    hashes.extend((1..=digits.min(3)).map(|count| join(4, count as u64)));
    let mut places: Vec<u32> = hashes
        .into_iter()
        .map(|hash| (hash % PLACES as u64) as u32)
        .collect();
    places.sort_unstable();
    places.dedup();
    let value = 1.0 / (places.len().max(1) as f32).sqrt();
    (places, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_of_the_beginning() {
        let (places, value) = features("Reverse a list in Python: print(x[::-1])");
        assert!(places.len() > 10 && places.is_sorted());
        assert!((value * value * places.len() as f32 - 1.0).abs() < 1e-5);
        let long = "é".repeat(1500);
        assert_eq!(features(&long), features(&"é".repeat(1000)));
        assert!(features("").0.is_empty());
    }
}
