//! A part of the records, for one of several machines.

use std::fmt;
use std::str::FromStr;

/// Every `count`-th record, from the `index`-th on: together the shards are the whole, and no two have a record in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub index: u64,
    pub count: u64,
}

impl Shard {
    /// All records.
    pub const WHOLE: Shard = Shard { index: 1, count: 1 };

    /// Whether the record at this place, from 0, is in it.
    pub fn has(self, place: u64) -> bool {
        place % self.count == self.index - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// `I/N`, I from 1 to N.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
            _ => Err(format!(
                "`{text}` is no shard: I/N is expected, I from 1 to N, as in 3/8"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_and_whole() {
        let shards: Vec<Shard> = (1..=3).map(|i| format!("{i}/3").parse().unwrap()).collect();
        for place in 0..20 {
            assert_eq!(shards.iter().filter(|s| s.has(place)).count(), 1);
            assert!(Shard::WHOLE.has(place));
        }
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["", "3", "0/3", "4/3", "1/0", "a/b", "-1/2"] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains("I from 1 to N"), "{error}");
        }
    }
}
