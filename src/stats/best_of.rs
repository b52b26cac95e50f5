//! Best-of-N without drawing: what the response that a judge picks out of N is expected to be like, from
//! the n ≥ N that are given.

use super::correlation::mean;

/// Probability that each of n items, in rising order of score, is the best of N drawn without replacement:
/// `C(i − 1, N − 1) / C(n, N)` for the i-th. Empty where N is 0 or above n.
fn weights(n: usize, of: usize) -> Vec<f64> {
    if of == 0 || of > n {
        return Vec::new();
    }
    let mut weights = vec![0.0; n];
    let mut weight = of as f64 / n as f64;
    for i in (of..=n).rev() {
        weights[i - 1] = weight;
        // C(i − 2, N − 1) = C(i − 1, N − 1) · (i − N) / (i − 1)
        weight *= (i - of) as f64 / (i.max(2) - 1) as f64;
    }
    weights
}

/// Expected value of the best of `of`, by score, among these; of equal scores each is as likely. `None` where
/// there are fewer.
pub fn expected(score: &[f64], value: &[f64], of: usize) -> Option<f64> {
    let weights = weights(score.len(), of);
    if weights.is_empty() {
        return None;
    }
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|a, b| score[*a].total_cmp(&score[*b]));
    let (mut sum, mut start) = (0.0, 0);
    for block in order.chunk_by(|a, b| score[*a] == score[*b]) {
        let share: f64 = weights[start..start + block.len()].iter().sum();
        let values: Vec<f64> = block.iter().map(|at| value[*at]).collect();
        sum += share * mean(&values);
        start += block.len();
    }
    Some(sum)
}

/// The sizes of a curve up to n: 1, 2, 4, … and n itself.
pub fn sizes(n: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(1usize), |size| size.checked_mul(2));
    let mut sizes: Vec<usize> = powers.take_while(|size| *size < n).collect();
    if n > 0 {
        sizes.push(n);
    }
    sizes
}

/// Share of a text's 4-grams of words that stood there before; 0 for fewer than four words.
pub fn repetition(text: &str) -> f64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut seen = std::collections::HashSet::new();
    let all = words.windows(4).count();
    let again = words.windows(4).filter(|gram| !seen.insert(*gram)).count();
    match all {
        0 => 0.0,
        all => again as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_all_draws() {
        // Every subset of 3 out of 6, counted.
        let n: usize = 6;
        let mut counted = vec![0.0; n];
        let mut all = 0.0;
        for mask in 0u32..1 << n {
            if mask.count_ones() == 3 {
                counted[31 - mask.leading_zeros() as usize] += 1.0;
                all += 1.0;
            }
        }
        let found = weights(n, 3);
        for (one, other) in found.iter().zip(counted) {
            assert!((one - other / all).abs() < 1e-15);
        }
        assert!((weights(1000, 32).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(weights(3, 4), Vec::<f64>::new());
        assert_eq!(weights(1, 1), [1.0]);
    }

    #[test]
    fn the_expected_label_of_what_is_picked() {
        let (score, label) = ([3.0, 1.0, 2.0], [10.0, 0.0, 4.0]);
        assert_eq!(expected(&score, &label, 3), Some(10.0));
        assert!((expected(&score, &label, 1).unwrap() - 14.0 / 3.0).abs() < 1e-12);
        // {1,2} → 4, {1,3} → 10, {2,3} → 10
        assert!((expected(&score, &label, 2).unwrap() - 8.0).abs() < 1e-12);
        // All equal: no better than drawn, whatever N.
        assert!((expected(&[1.0; 3], &label, 2).unwrap() - 14.0 / 3.0).abs() < 1e-12);
        assert_eq!(expected(&score, &label, 4), None);
    }

    #[test]
    fn sizes_end_at_all() {
        assert_eq!(sizes(11), [1, 2, 4, 8, 11]);
        assert_eq!(sizes(8), [1, 2, 4, 8]);
        assert_eq!(sizes(0), Vec::<usize>::new());
    }

    #[test]
    fn repetition_of_words() {
        assert_eq!(repetition("a b c"), 0.0);
        // a b c a b c a: 4-grams abca bcab cabc abca
        assert_eq!(repetition("a b c a b c a"), 0.25);
    }
}
