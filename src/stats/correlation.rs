//! Correlation of two series: Pearson, and Spearman with average ranks.

/// Pearson's correlation; `None` for fewer than two pairs, for series of different lengths, and where
/// either does not vary or is not finite.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 {
        return None;
    }
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    // Rounding leaves a series of equal numbers a variance of this order.
    if aa <= noise(a, mean_a) || bb <= noise(b, mean_b) {
        return None;
    }
    // Exact for equal series; the other form where the product leaves the range.
    let scale = match (aa * bb).sqrt() {
        scale if scale.is_normal() => scale,
        _ => aa.sqrt() * bb.sqrt(),
    };
    Some(ab / scale)
        .filter(|r| r.is_finite())
        .map(|r| r.clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's of the average ranks; `None` as there.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let finite = |series: &[f64]| series.iter().all(|value| !value.is_nan());
    if a.len() != b.len() || !finite(a) || !finite(b) {
        return None;
    }
    pearson(&ranks(a), &ranks(b))
}

/// Ranks from 1, equal values sharing the average of theirs.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start]];
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == value {
            end += 1;
        }
        let shared = (start + end + 1) as f64 / 2.0;
        for place in &order[start..end] {
            ranks[*place] = shared;
        }
        start = end;
    }
    ranks
}

/// Arithmetic mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn noise(values: &[f64], mean: f64) -> f64 {
    let unit = f64::EPSILON * mean.abs();
    4.0 * values.len() as f64 * unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    // numpy 2:
    //   a = [1, 2.5, 2.5, 4, -3, 0.5, 7, 2.5]; b = [0.2, 0.1, 0.9, 0.9, -2, 1, 1.5, 0]
    //   np.corrcoef(a, b)[0, 1]
    //   rank = lambda v: [(sum(y < x for y in v) + sum(y <= x for y in v) + 1) / 2 for x in v]
    //   np.corrcoef(rank(a), rank(b))[0, 1]
    const A: [f64; 8] = [1.0, 2.5, 2.5, 4.0, -3.0, 0.5, 7.0, 2.5];
    const B: [f64; 8] = [0.2, 0.1, 0.9, 0.9, -2.0, 1.0, 1.5, 0.0];
    const PEARSON: f64 = 0.822_229_097_720_748_9;
    const SPEARMAN: f64 = 0.490_880_693_673_815_9;

    #[test]
    fn golden_values() {
        assert!((pearson(&A, &B).unwrap() - PEARSON).abs() < 1e-12);
        assert!((spearman(&A, &B).unwrap() - SPEARMAN).abs() < 1e-12);
    }

    #[test]
    fn ranks_are_shared_by_ties() {
        assert_eq!(ranks(&A), [3.0, 5.0, 5.0, 7.0, 1.0, 2.0, 8.0, 5.0]);
        assert_eq!(ranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert_eq!(ranks(&[]), [0.0; 0]);
    }

    #[test]
    fn perfect_and_undefined() {
        assert_eq!(pearson(&[1.0, 2.0], &[5.0, 9.0]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[9.0, 4.0, 1.0]), Some(-1.0));
        assert_eq!(pearson(&[1.0], &[1.0]), None);
        assert_eq!(pearson(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(
            pearson(&[0.1; 7], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]),
            None
        );
        assert_eq!(pearson(&[f64::NAN, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[f64::NAN, 1.0], &[1.0, 2.0]), None);
    }
}
