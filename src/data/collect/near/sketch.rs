//! In about how many rows a word stands, in constant memory (a count–min sketch).

use crate::data::collect::hash::mix;

const LINES: usize = 2;
const WIDTH: usize = 1 << 22;

/// Counters that are never too small; they end at four billion.
pub struct Sketch {
    counters: Vec<u32>,
}

impl Default for Sketch {
    fn default() -> Self {
        Sketch {
            counters: vec![0; LINES * WIDTH],
        }
    }
}

impl Sketch {
    fn places(hash: u64) -> [usize; LINES] {
        let other = mix(hash ^ 0x5851_f42d_4c95_7f2d);
        [hash as usize % WIDTH, WIDTH + other as usize % WIDTH]
    }

    /// Counts a word of a row.
    pub fn add(&mut self, hash: u64) {
        for place in Self::places(hash) {
            if let Some(counter) = self.counters.get_mut(place) {
                *counter = counter.saturating_add(1);
            }
        }
    }

    /// In how many rows it was, or somewhat more.
    pub fn count(&self, hash: u64) -> u32 {
        let counters =
            Self::places(hash).map(|place| self.counters.get(place).copied().unwrap_or_default());
        counters.into_iter().min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_at_least_what_was_counted() {
        let mut sketch = Sketch::default();
        for word in 0..10_000u64 {
            for _ in 0..=word % 3 {
                sketch.add(mix(word));
            }
        }
        assert!((0..10_000u64).all(|word| u64::from(sketch.count(mix(word))) > word % 3));
        assert_eq!(sketch.count(mix(123_456)), 0);
    }
}
