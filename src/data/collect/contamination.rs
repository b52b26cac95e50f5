//! Rows that give away a test set: how many of its n-grams of words they share.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::hash::{join, text_hash};
use super::reason::{Drop, Reason};
use super::words::{normal, words};
use crate::data::read::records;
use crate::data::{DataError, ReadOptions, RowError};

/// Words of an n-gram.
pub const WORDS: usize = 8;

/// The tasks that no kept row may contain.
pub struct TestSets {
    tests: Vec<Test>,
    /// Tests by n-gram.
    grams: HashMap<u64, Vec<u32>>,
    /// Tests of fewer words than an n-gram has, by their whole text.
    whole: HashMap<u64, u32>,
    least: f64,
}

struct Test {
    /// As a message names it.
    name: String,
    grams: usize,
}

impl TestSets {
    /// None yet; `least` is the share of shared n-grams from which on a row is contaminated.
    pub fn new(least: f64) -> Self {
        TestSets {
            tests: Vec::new(),
            grams: HashMap::new(),
            whole: HashMap::new(),
            least,
        }
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Adds the tasks of a file; rows that cannot be read.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn add(&mut self, path: &Path, options: &ReadOptions) -> Result<Vec<RowError>, DataError> {
        let mut errors = Vec::new();
        let stem = crate::data::discover::stem(path);
        for record in records(path, options)? {
            match record {
                Ok(record) => self.add_text(&format!("{stem}: {}", record.id), &record.task()),
                Err(error) if options.strict => return Err(error.into()),
                Err(error) => errors.push(error),
            }
        }
        Ok(errors)
    }

    /// Adds one task.
    pub fn add_text(&mut self, name: &str, task: &str) {
        let text = normal(task);
        let grams = grams(&text);
        let test = self.tests.len() as u32;
        if grams.is_empty() {
            self.whole.entry(text_hash(&text)).or_insert(test);
        }
        for gram in &grams {
            let tests = self.grams.entry(*gram).or_default();
            // Of tests that begin alike, some are enough to name.
            if tests.len() < 64 {
                tests.push(test);
            }
        }
        self.tests.push(Test {
            name: name.to_owned(),
            grams: grams.len(),
        });
    }

    /// What a row of this normal text gives away.
    pub fn check(&self, normal: &str) -> Option<Drop> {
        if self.tests.is_empty() {
            return None;
        }
        let dropped = |test: u32, share: f64, of: &str| {
            let name = self.tests.get(test as usize).map_or("", |test| &test.name);
            let detail = format!(
                "{:.0} % of the {WORDS}-grams of {of} are shared with {name}",
                100.0 * share
            );
            Drop::new(Reason::Contaminated, detail)
        };
        if let Some(test) = self.whole.get(&text_hash(normal)) {
            let name = self.tests.get(*test as usize).map_or("", |test| &test.name);
            return Some(Drop::new(Reason::Contaminated, format!("equal to {name}")));
        }
        let own = grams(normal);
        let mut shared: HashMap<u32, usize> = HashMap::new();
        for test in own.iter().filter_map(|gram| self.grams.get(gram)).flatten() {
            *shared.entry(*test).or_default() += 1;
        }
        // The most shared, of equals the first.
        let share = |test: u32, count: usize| {
            let grams = self.tests.get(test as usize).map_or(1, |test| test.grams);
            let [of_test, of_row] = [grams, own.len()].map(|all| count as f64 / all.max(1) as f64);
            (of_test.max(of_row), of_test >= of_row)
        };
        let (test, (share, of_test)) = shared
            .into_iter()
            .map(|(test, count)| (test, share(test, count)))
            .max_by(|a, b| a.1.0.total_cmp(&b.1.0).then(b.0.cmp(&a.0)))?;
        let of = if of_test { "the test" } else { "the row" };
        (share >= self.least).then(|| dropped(test, share, of))
    }
}

/// The n-grams of a normal text, each once.
fn grams(normal: &str) -> HashSet<u64> {
    let hashes: Vec<u64> = words(normal).map(text_hash).collect();
    let gram = |words: &[u64]| words.iter().fold(0, |hash, word| join(hash, *word));
    hashes.windows(WORDS).map(gram).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contains_a_test_is_found() {
        let mut tests = TestSets::new(0.6);
        let test = "A train leaves at noon and travels at eighty kilometres an hour. When does it arrive in the town?";
        tests.add_text("t: 1", test);
        tests.add_text("t: 2", "Tell me a joke.");
        let check = |text: &str| tests.check(&normal(text)).map(|drop| drop.detail);
        let within = format!(
            "Solve this one for me, step by step: {}",
            test.to_uppercase()
        );
        assert!(
            check(&within)
                .unwrap()
                .contains("100 % of the 8-grams of the test are shared with t: 1")
        );
        let part = "A train leaves at noon and travels at eighty kilometres an hour";
        assert!(check(part).unwrap().contains("of the row"));
        assert!(check("tell me a joke").unwrap().contains("equal to t: 2"));
        assert_eq!(check("Tell me a joke about trains"), None);
        assert_eq!(
            check(
                "A train leaves at noon and travels at ninety miles an hour to the coast every day"
            ),
            None
        );
        assert_eq!(TestSets::new(0.6).check("tell me a joke"), None);
    }
}
