//! Area under the receiver operating characteristic.

use super::correlation::ranks;

/// The probability that a positive scores above a negative, ties counting half; `None` where either
/// kind is absent or a score is not a number.
pub fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    if scores.len() != positive.len() || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let positives = positive.iter().filter(|flag| **flag).count() as f64;
    let negatives = scores.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let rank_sum: f64 = ranks(scores)
        .iter()
        .zip(positive)
        .filter(|(_, flag)| **flag)
        .map(|(rank, _)| rank)
        .sum();
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Positives 3, 2, 2 against negatives 1, 2, 0: 9 pairs, 7 won, 2 tied.
        let scores = [3.0, 2.0, 2.0, 1.0, 2.0, 0.0];
        let positive = [true, true, true, false, false, false];
        assert_eq!(auroc(&scores, &positive), Some(8.0 / 9.0));
        assert_eq!(auroc(&[1.0, 1.0], &[true, false]), Some(0.5));
        assert_eq!(auroc(&[0.0, 1.0], &[true, false]), Some(0.0));
    }

    #[test]
    fn undefined() {
        assert_eq!(auroc(&[1.0, 2.0], &[true, true]), None);
        assert_eq!(auroc(&[], &[]), None);
        assert_eq!(auroc(&[1.0], &[true, false]), None);
        assert_eq!(auroc(&[f64::NAN, 1.0], &[true, false]), None);
    }

    proptest::proptest! {
        #[test]
        fn equals_the_share_of_won_pairs(
            rows in proptest::collection::vec((0u8..6, proptest::bool::ANY), 2..30)
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let positive: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (x, p) in &rows {
                for (y, q) in &rows {
                    if *p && !*q {
                        pairs += 1.0;
                        won += if x > y { 1.0 } else if x == y { 0.5 } else { 0.0 };
                    }
                }
            }
            match auroc(&scores, &positive) {
                Some(area) => proptest::prop_assert!((area - won / pairs).abs() < 1e-12),
                None => proptest::prop_assert_eq!(pairs, 0.0),
            }
        }
    }
}
