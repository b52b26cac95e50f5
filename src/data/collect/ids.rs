//! Ids that are unique in a run, by their hashes: of many rows the ids alone would fill the memory.

use std::collections::{HashMap, HashSet};

use super::hash::text_hash;

/// The ids that are taken.
#[derive(Default)]
pub struct Ids {
    taken: HashSet<u64>,
    /// The next number to try, where a source has an id more than once.
    next: HashMap<u64, u32>,
}

impl Ids {
    /// The id as it is where it is free, else behind the name of its source, else with a number, too.
    pub fn take(&mut self, source: &str, id: &str) -> String {
        if self.taken.insert(text_hash(id)) {
            return id.to_owned();
        }
        let longer = format!("{source}/{id}");
        let hash = text_hash(&longer);
        if self.taken.insert(hash) {
            return longer;
        }
        let next = self.next.entry(hash).or_insert(2);
        loop {
            let numbered = format!("{longer}#{next}");
            *next += 1;
            if self.taken.insert(text_hash(&numbered)) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_apart() {
        let mut ids = Ids::default();
        let taken = ["1", "1", "1", "2"].map(|id| ids.take("s", id));
        assert_eq!(taken, ["1", "s/1", "s/1#2", "2"]);
    }
}
