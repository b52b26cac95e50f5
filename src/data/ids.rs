//! Keeping ids apart, in little memory: of many records the ids alone would fill it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Ids that are taken. Those that count up take the room of their ends; others eight bytes each, by their hashes.
#[derive(Default)]
pub(super) struct IdSet {
    /// What stands before the number, and the ranges of numbers that were there: their first and last.
    counted: BTreeMap<Box<str>, BTreeMap<u64, u64>>,
    hashed: HashSet<u64>,
}

/// Makes ids unique.
#[derive(Default)]
pub(super) struct Ids {
    taken: IdSet,
    /// Of ids that came again, the number to try next.
    next: HashMap<String, usize>,
}

/// With more ranges than these, what follows is no counting.
const MOST_RANGES: usize = 256;
/// Prefixes that are counted under.
const MOST_PREFIXES: usize = 4096;

impl Ids {
    /// Appends `#2`, `#3`, … where the id is taken; whether it was.
    pub fn make_unique(&mut self, id: &mut String) -> bool {
        if self.taken.take(id) {
            return false;
        }
        let mut number = self.next.get(id.as_str()).copied().unwrap_or(2);
        loop {
            let other = format!("{id}#{number}");
            number += 1;
            if self.taken.take(&other) {
                self.next.insert(std::mem::replace(id, other), number);
                return true;
            }
        }
    }
}

impl IdSet {
    /// Takes an id; whether it was free.
    pub fn take(&mut self, id: &str) -> bool {
        let Some((prefix, number)) = counted(id) else {
            return self.hashed.insert(hash(id));
        };
        let has_room = self.counted.len() < MOST_PREFIXES;
        let ranges = match self.counted.get_mut(prefix) {
            Some(ranges) => ranges,
            None if has_room => self.counted.entry(prefix.into()).or_default(),
            None => return self.hashed.insert(hash(id)),
        };
        let before = ranges.range(..=number).next_back().map(|(a, b)| (*a, *b));
        if before.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        let joins_before = before.filter(|(_, last)| last.checked_add(1) == Some(number));
        let after = number
            .checked_add(1)
            .and_then(|next| ranges.get(&next).copied());
        if joins_before.is_none() && after.is_none() && ranges.len() >= MOST_RANGES {
            return self.hashed.insert(hash(id));
        }
        // What was hashed for want of room is not counted again.
        if !self.hashed.is_empty() && self.hashed.contains(&hash(id)) {
            return false;
        }
        if after.is_some() {
            ranges.remove(&(number + 1));
        }
        let first = joins_before.map_or(number, |(first, _)| first);
        ranges.insert(first, after.unwrap_or(number));
        true
    }
}

/// An id that ends in a number, cut before it; a number has no zeros before it.
fn counted(id: &str) -> Option<(&str, u64)> {
    let digits = id.bytes().rev().take_while(u8::is_ascii_digit).count();
    let tail = &id[id.len() - digits..];
    let zeros = tail.bytes().take_while(|byte| *byte == b'0').count();
    let at = id.len() - digits + zeros;
    let number = id.get(at..).filter(|number| !number.is_empty())?;
    Some((&id[..at], number.parse().ok()?))
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_kept_apart() {
        let mut ids = Ids::default();
        let mut given = ["a", "a", "a#2", "a", "b"].map(String::from);
        let renamed: Vec<_> = given.iter_mut().map(|id| ids.make_unique(id)).collect();
        assert_eq!(given, ["a", "a#2", "a#2#2", "a#3", "b"]);
        assert_eq!(renamed, [false, true, true, true, false]);
    }

    #[test]
    fn what_counts_up_takes_no_room() {
        let mut ids = IdSet::default();
        for number in (0..100_000).rev().chain(100_000..200_000) {
            assert!(ids.take(&format!("row-{number}")));
            assert!(ids.take(&format!("{number:06}")));
        }
        let ranges: usize = ids.counted.values().map(BTreeMap::len).sum();
        assert!(
            ranges <= 8 && ids.hashed.len() <= 2,
            "{ranges}, {}",
            ids.hashed.len()
        );
        assert!(!ids.take("row-0") && !ids.take("row-77") && ids.take("row-077"));
        assert!(!ids.take("000077") && ids.take("77") && ids.take("row-"));
    }

    #[test]
    fn numbers_without_order_and_many_prefixes_are_hashed() {
        let mut ids = IdSet::default();
        for number in 0..5_000u64 {
            let id = format!("x{}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
            assert!(ids.take(&id) && !ids.take(&id));
            let id = format!("{number}-1");
            assert!(ids.take(&id) && !ids.take(&id));
        }
        assert!(
            ids.counted
                .values()
                .all(|ranges| ranges.len() <= MOST_RANGES)
        );
        assert!(ids.take(&u64::MAX.to_string()) && !ids.take(&u64::MAX.to_string()));
        assert!(ids.take("99999999999999999999999") && !ids.take("99999999999999999999999"));
    }

    proptest! {
        #[test]
        fn each_is_free_once(given in proptest::collection::vec("[ab]{0,1}0{0,2}[0-9]{0,3}", 0..400)) {
            let mut ids = IdSet::default();
            let mut known = HashSet::new();
            for id in given {
                prop_assert_eq!(ids.take(&id), known.insert(id.clone()), "{}", id);
            }
        }
    }
}
