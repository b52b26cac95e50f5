//! Correlation within groups, averaged over groups: how well answers to one and the same instruction
//! are told apart.

use std::collections::HashMap;
use std::hash::Hash;

/// A correlation averaged over groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Within {
    /// Mean over the groups in which it is defined.
    pub mean: f64,
    /// How many they are.
    pub groups: usize,
}

/// The mean over groups of `correlation` within each, [`pearson`](super::pearson) or
/// [`spearman`](super::spearman). A group in which either series does not vary is left out.
pub fn within(
    correlation: fn(&[f64], &[f64]) -> Option<f64>,
    a: &[f64],
    b: &[f64],
    groups: &[usize],
) -> Option<Within> {
    if a.len() != b.len() || a.len() != groups.len() {
        return None;
    }
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|row| groups[*row]);
    let mut values = Vec::new();
    let (mut part_a, mut part_b) = (Vec::new(), Vec::new());
    for rows in order.chunk_by(|one, other| groups[*one] == groups[*other]) {
        part_a.clear();
        part_b.clear();
        part_a.extend(rows.iter().map(|row| a[*row]));
        part_b.extend(rows.iter().map(|row| b[*row]));
        values.extend(correlation(&part_a, &part_b));
    }
    (!values.is_empty()).then(|| Within {
        mean: super::correlation::mean(&values),
        groups: values.len(),
    })
}

/// Numbers for keys, from 0 in order of first appearance.
pub fn group_ids<K: Eq + Hash>(keys: impl IntoIterator<Item = K>) -> Vec<usize> {
    let mut numbers = HashMap::new();
    keys.into_iter()
        .map(|key| {
            let next = numbers.len();
            *numbers.entry(key).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{pearson, spearman};

    #[test]
    fn the_mean_over_groups_that_vary() {
        let groups = group_ids(["x", "y", "x", "y", "x", "z", "z", "w"]);
        assert_eq!(groups, [0, 1, 0, 1, 0, 2, 2, 3]);
        let a = [1.0, 5.0, 2.0, 4.0, 4.0, 3.0, 3.0, 9.0];
        let b = [1.0, 1.0, 3.0, 2.0, 9.0, 1.0, 2.0, 9.0];
        // x: ranks agree (1); y: −1; z: a does not vary; w: one row.
        let found = within(spearman, &a, &b, &groups).unwrap();
        assert_eq!(
            found,
            Within {
                mean: 0.0,
                groups: 2
            }
        );
        // x by hand: a − mean = (−4/3, −1/3, 5/3), b − mean = (−10/3, −4/3, 14/3).
        let x = 38.0 / (42.0f64 * 312.0).sqrt() * 3.0;
        let found = within(pearson, &a, &b, &groups).unwrap();
        assert!((found.mean - (x - 1.0) / 2.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn undefined() {
        assert_eq!(within(pearson, &[1.0, 2.0], &[1.0, 2.0], &[0, 1]), None);
        assert_eq!(within(pearson, &[1.0], &[1.0, 2.0], &[0, 1]), None);
        assert_eq!(within(pearson, &[], &[], &[]), None);
    }
}
