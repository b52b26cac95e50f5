//! Which examples a step learns from.

use crate::train::tune::ops::dropout::mix;

/// The items of an epoch in a random order that the seed and the epoch decide (Fisher–Yates on SplitMix64).
pub fn shuffled(count: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let key = mix(seed, epoch as u64);
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        let other = (u128::from(mix(key, at as u64)) * (at as u128 + 1)) >> 64;
        order.swap(at, other as usize);
    }
    order
}

/// How a run is cut into steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub items: usize,
    pub batch: usize,
    pub epochs: usize,
    /// Fewer steps than the epochs have.
    pub most: Option<usize>,
}

impl Steps {
    /// Steps of one epoch; the last may have a smaller batch.
    pub fn per_epoch(&self) -> usize {
        self.items.div_ceil(self.batch.max(1))
    }

    /// All steps.
    pub fn total(&self) -> usize {
        let all = self.per_epoch() * self.epochs;
        self.most.map_or(all, |most| most.min(all))
    }

    /// Places of a step's items in the order of its epoch, and which epoch that is.
    pub fn of(&self, step: usize) -> (usize, std::ops::Range<usize>) {
        let each = self.per_epoch().max(1);
        let from = step % each * self.batch;
        (step / each, from..(from + self.batch).min(self.items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_comes_once_an_epoch() {
        let steps = Steps {
            items: 10,
            batch: 4,
            epochs: 2,
            most: None,
        };
        assert_eq!(steps.total(), 6);
        let mut first = None;
        for epoch in 0..2 {
            let order = shuffled(10, 7, epoch);
            let mut seen: Vec<usize> = (0..3)
                .flat_map(|n| {
                    let (of, places) = steps.of(epoch * 3 + n);
                    assert_eq!(of, epoch);
                    order[places].to_vec()
                })
                .collect();
            assert_ne!(Some(&seen), first.as_ref(), "another order each epoch");
            first = Some(seen.clone());
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
        assert_eq!(shuffled(10, 7, 0), shuffled(10, 7, 0));
        let few = Steps {
            most: Some(2),
            ..steps
        };
        assert_eq!(few.total(), 2);
    }
}
