//! Kendall's τ-b.

/// Kendall's τ-b in `O(n log n)` (Knight 1966): `(P − Q) / √((n₀ − n₁)(n₀ − n₂))` over the pairs that agree
/// and disagree, ties in either series taken out of its pairs. `None` for fewer than two rows, series of
/// different lengths, one that does not vary, and values that are not numbers.
pub fn kendall(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 || a.iter().chain(b).any(|value| value.is_nan()) {
        return None;
    }
    // As −0 and 0 are equal, they must not be told apart by the order.
    let mut rows: Vec<(f64, f64)> = a.iter().zip(b).map(|(x, y)| (x + 0.0, y + 0.0)).collect();
    rows.sort_unstable_by(|one, other| {
        let by_b = || one.1.total_cmp(&other.1);
        one.0.total_cmp(&other.0).then_with(by_b)
    });
    let tied_a = tied(&rows, |one, other| one.0 == other.0);
    let tied_both = tied(&rows, |one, other| one == other);
    let mut second: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let mut room = second.clone();
    let swaps = sort_counting(&mut second, &mut room);
    let tied_b = tied(&second, |one, other| one == other);
    let all = pairs(a.len());
    let agreement = all + tied_both - tied_a - tied_b - 2.0 * swaps;
    let scale = (all - tied_a).sqrt() * (all - tied_b).sqrt();
    (scale > 0.0).then(|| (agreement / scale).clamp(-1.0, 1.0))
}

fn pairs(count: usize) -> f64 {
    let count = count as f64;
    count * (count - 1.0) / 2.0
}

/// Pairs within stretches of equal neighbours.
fn tied<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> f64 {
    sorted.chunk_by(equal).map(|part| pairs(part.len())).sum()
}

/// Sorts by merging; gives back how many pairs stood in the wrong order.
fn sort_counting(values: &mut [f64], room: &mut [f64]) -> f64 {
    let mut swaps = 0.0;
    let mut width = 1;
    while width < values.len() {
        let parts = values.chunks_mut(2 * width).zip(room.chunks_mut(2 * width));
        for (values, room) in parts {
            let middle = width.min(values.len());
            let (mut left, mut right) = (0, middle);
            for place in room.iter_mut() {
                let take_left =
                    left < middle && (right == values.len() || values[left] <= values[right]);
                if take_left {
                    *place = values[left];
                    left += 1;
                } else {
                    *place = values[right];
                    right += 1;
                    swaps += (middle - left) as f64;
                }
            }
            values.copy_from_slice(room);
        }
        width *= 2;
    }
    swaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn undefined() {
        assert_eq!(kendall(&[1.0], &[1.0]), None);
        assert_eq!(kendall(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(kendall(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(kendall(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(kendall(&[0.0, -0.0], &[1.0, 2.0]), None);
    }

    proptest! {
        #[test]
        fn equals_the_count_over_all_pairs(
            rows in proptest::collection::vec((-3i8..4, -3i8..4), 2..40)
        ) {
            let a: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let b: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
            let (mut agree, mut vary_a, mut vary_b) = (0.0, 0.0, 0.0);
            for i in 0..rows.len() {
                for j in 0..i {
                    let (x, y) = (a[i] - a[j], b[i] - b[j]);
                    if x * y != 0.0 { agree += (x * y).signum(); }
                    if x != 0.0 { vary_a += 1.0; }
                    if y != 0.0 { vary_b += 1.0; }
                }
            }
            match kendall(&a, &b) {
                Some(tau) => prop_assert!((tau - agree / f64::sqrt(vary_a * vary_b)).abs() < 1e-12),
                None => prop_assert!(vary_a == 0.0 || vary_b == 0.0),
            }
        }

        #[test]
        fn keeps_its_value_under_monotone_maps(
            rows in proptest::collection::vec((-5.0f64..5.0, -5.0f64..5.0), 3..40)
        ) {
            let a: Vec<f64> = rows.iter().map(|row| row.0).collect();
            let b: Vec<f64> = rows.iter().map(|row| row.1).collect();
            let mapped: Vec<f64> = a.iter().map(|x| 3.0 * x + 1.0).collect();
            prop_assert_eq!(kendall(&a, &b), kendall(&mapped, &b));
        }
    }
}
