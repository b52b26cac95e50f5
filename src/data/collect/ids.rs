//! Ids that are unique in a run, and say where a row is from if they have to.

use std::collections::HashMap;

use super::hash::text_hash;
use crate::data::ids::IdSet;

/// The ids that are taken.
#[derive(Default)]
pub struct Ids {
    taken: IdSet,
    /// The next number to try, where a source has an id more than once.
    next: HashMap<u64, u32>,
}

impl Ids {
    /// The id as it is where it is free, else behind the name of its source, else with a number, too.
    pub fn take(&mut self, source: &str, id: &str) -> String {
        if self.taken.take(id) {
            return id.to_owned();
        }
        let longer = format!("{source}/{id}");
        if self.taken.take(&longer) {
            return longer;
        }
        let next = self.next.entry(text_hash(&longer)).or_insert(2);
        loop {
            let numbered = format!("{longer}#{next}");
            *next += 1;
            if self.taken.take(&numbered) {
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
