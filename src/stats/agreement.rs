//! How far two raters agree beyond chance. The judge is one of them, after its scores are brought to the
//! scale of the labels.

use std::collections::BTreeMap;

/// The affine map of scores to a label scale, ends to ends: `(score − from.0) / (from.1 − from.0)` of the way
/// from `to.0` to `to.1`. `None` where the scores' scale has no length.
pub fn to_scale(scores: &[f64], from: (f64, f64), to: (f64, f64)) -> Option<Vec<f64>> {
    let span = from.1 - from.0;
    (span > 0.0).then(|| {
        let map = |score: &f64| to.0 + (score - from.0) / span * (to.1 - to.0);
        scores.iter().map(map).collect()
    })
}

/// For each value the place of the nearest category, the lower one of two as near; `categories` rise.
pub fn nearest(values: &[f64], categories: &[f64]) -> Vec<usize> {
    let place = |value: &f64| {
        let above = categories.partition_point(|c| c < value);
        match (above.checked_sub(1), categories.get(above)) {
            (Some(below), Some(high)) if value - categories[below] <= high - value => below,
            (Some(below), None) => below,
            _ => above,
        }
    };
    values.iter().map(place).collect()
}

/// Cohen's kappa with quadratic weights (Cohen 1968) of two raters' categories `0..categories`. `None` for no
/// rows, columns of different lengths, and where chance alone agrees wholly.
pub fn quadratic_kappa(one: &[usize], other: &[usize], categories: usize) -> Option<f64> {
    if one.is_empty() || one.len() != other.len() {
        return None;
    }
    let count = |rater: &[usize]| {
        let mut counts = vec![0.0; categories];
        for category in rater {
            *counts.get_mut(*category)? += 1.0;
        }
        Some(counts)
    };
    let (ones, others) = (count(one)?, count(other)?);
    let apart = |a: usize, b: usize| (a as f64 - b as f64).powi(2);
    let seen: f64 = one.iter().zip(other).map(|(a, b)| apart(*a, *b)).sum();
    let mut chance = 0.0;
    for (a, x) in ones.iter().enumerate() {
        for (b, y) in others.iter().enumerate() {
            chance += x * y * apart(a, b);
        }
    }
    let chance = chance / one.len() as f64;
    (chance > 0.0).then(|| 1.0 - seen / chance)
}

/// Cohen's kappa (Cohen 1960, unweighted) of two raters' categories `0..categories`. `None` for no rows, columns of
/// different lengths, and where chance alone agrees wholly.
pub fn cohen_kappa(one: &[usize], other: &[usize], categories: usize) -> Option<f64> {
    if one.is_empty() || one.len() != other.len() {
        return None;
    }
    let n = one.len() as f64;
    let mut shares = vec![(0.0, 0.0); categories];
    let mut same = 0.0;
    for (a, b) in one.iter().zip(other) {
        shares.get_mut(*a)?.0 += 1.0 / n;
        shares.get_mut(*b)?.1 += 1.0 / n;
        same += f64::from(u8::from(a == b)) / n;
    }
    let chance: f64 = shares.iter().map(|(a, b)| a * b).sum();
    (chance < 1.0 - 1e-12).then(|| (same - chance) / (1.0 - chance))
}

/// Gwet's AC1 of two raters' categories (Gwet 2008, unweighted): chance agreement from the mean shares of the
/// categories, which does not collapse where one category is nearly all. `None` for no rows, columns of
/// different lengths, and fewer than two categories.
pub fn gwet_ac1(one: &[usize], other: &[usize], categories: usize) -> Option<f64> {
    if one.is_empty() || one.len() != other.len() || categories < 2 {
        return None;
    }
    let n = one.len() as f64;
    let same = one.iter().zip(other).filter(|(a, b)| a == b).count() as f64 / n;
    let mut shares = vec![0.0; categories];
    for category in one.iter().chain(other) {
        *shares.get_mut(*category)? += 0.5 / n;
    }
    let spread: f64 = shares.iter().map(|share| share * (1.0 - share)).sum();
    let chance = spread / (categories as f64 - 1.0);
    (chance < 1.0).then(|| (same - chance) / (1.0 - chance))
}

/// Krippendorff's alpha for interval data (Krippendorff 2011): `1 − D_o / D_e`. Each unit has the values of
/// its raters, a missing one left out; a unit with fewer than two tells nothing. `None` where no unit is left
/// or all values are equal.
pub fn krippendorff_interval<'a>(units: impl Iterator<Item = &'a [f64]>) -> Option<f64> {
    // Sums of squared differences come from sums and sums of squares about a common centre.
    let units: Vec<&[f64]> = units.filter(|unit| unit.len() >= 2).collect();
    let count: usize = units.iter().map(|unit| unit.len()).sum();
    let values = || units.iter().flat_map(|unit| unit.iter());
    let centre = values().sum::<f64>() / count as f64;
    let mut within = 0.0;
    for unit in &units {
        let n = unit.len() as f64;
        let mean = unit.iter().sum::<f64>() / n;
        let squares: f64 = unit.iter().map(|x| (x - mean).powi(2)).sum();
        // Ordered pairs of the unit: 2 n Σ (x − mean)², over n − 1.
        within += 2.0 * n * squares / (n - 1.0);
    }
    let squares: f64 = values().map(|x| (x - centre).powi(2)).sum();
    let all = 2.0 * squares * count as f64 / (count as f64 - 1.0);
    (all > 0.0).then(|| 1.0 - within / all)
}

/// Distinct values, rising.
pub fn categories(values: &[f64]) -> Vec<f64> {
    let ordered = |x: f64| {
        // Total order on the bits of finite numbers.
        let bits = (x + 0.0).to_bits() as i64;
        bits ^ (((bits >> 63) as u64) >> 1) as i64
    };
    let distinct: BTreeMap<i64, f64> = values.iter().map(|x| (ordered(*x), x + 0.0)).collect();
    distinct.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_to_the_nearest_category() {
        let scale = categories(&[3.0, 1.0, 2.0, 1.0, -1.0, -0.0, 0.0]);
        assert_eq!(scale, [-1.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(
            nearest(&[-9.0, 0.4, 0.5, 0.6, 2.0, 9.0], &scale),
            [0, 1, 1, 2, 3, 4]
        );
        assert_eq!(
            to_scale(&[0.0, 4.5, 9.0], (0.0, 9.0), (1.0, 5.0)),
            Some(vec![1.0, 3.0, 5.0])
        );
        assert_eq!(to_scale(&[1.0], (2.0, 2.0), (0.0, 1.0)), None);
    }

    #[test]
    fn perfect_and_undefined() {
        let rater = [0, 1, 2, 2];
        assert_eq!(quadratic_kappa(&rater, &rater, 3), Some(1.0));
        assert_eq!(gwet_ac1(&rater, &rater, 3), Some(1.0));
        assert_eq!(cohen_kappa(&rater, &rater, 3), Some(1.0));
        assert_eq!(cohen_kappa(&[1, 1], &[1, 1], 3), None);
        assert_eq!(cohen_kappa(&[3], &[1], 3), None);
        assert_eq!(cohen_kappa(&[0, 0, 1, 1], &[0, 1, 0, 1], 2), Some(0.0));
        assert_eq!(quadratic_kappa(&[1, 1], &[1, 1], 3), None);
        assert_eq!(quadratic_kappa(&[], &[], 3), None);
        assert_eq!(quadratic_kappa(&[5], &[1], 3), None);
        assert_eq!(gwet_ac1(&[0], &[0], 1), None);
        let units = [[1.0, 1.0], [4.0, 4.0]];
        assert_eq!(
            krippendorff_interval(units.iter().map(|u| &u[..])),
            Some(1.0)
        );
        let equal = [[2.0, 2.0], [2.0, 2.0]];
        assert_eq!(krippendorff_interval(equal.iter().map(|u| &u[..])), None);
        let alone = [[2.0], [3.0]];
        assert_eq!(krippendorff_interval(alone.iter().map(|u| &u[..])), None);
    }
}
