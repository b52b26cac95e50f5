//! Ridge on the surface of answers: the judge that a judge must beat.

use super::{COMPARED, FREE, Triple, features};
use crate::stats::group_ids;
use crate::stats::ridge::{Moments, Ridge, choose_lambda, expand};

/// The features of the baseline with reference. Those left out (raw counts beside their logarithms, the
/// overlap with the instruction) made it no better on other models' answers.
const BESIDE_REFERENCE: [&str; 19] = [
    "log characters",
    "log words",
    "log lines",
    "bullets",
    "numbered items",
    "headings",
    "code fences",
    "bold",
    "words per sentence",
    "type-token ratio",
    "word length",
    "ends with punctuation",
    "digits",
    "log ratio characters",
    "unigram F1",
    "unigram recall",
    "bigram F1",
    "Jaccard",
    "list items against the reference",
];

/// The surface baseline: ridge on features, squares and products.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    with_reference: bool,
    /// Places of the features it uses.
    places: Vec<usize>,
    mean: Vec<f64>,
    scale: Vec<f64>,
    ridge: Ridge,
    /// The penalty that the cross-validation chose.
    pub lambda: f64,
}

/// Penalties tried.
const LAMBDAS: [f64; 9] = [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0];

const FOLDS: usize = 5;

/// Standardised features are held within this, so that one monstrous answer does not bend the fit.
const FURTHEST: f64 = 4.0;

/// Fits the baseline to targets. For a preference `p` give its root: nearly all of them are close to 0,
/// and the root tells these apart without losing anything against `p` itself. `groups` are instructions: the penalty is chosen by
/// cross-validation with whole instructions left out. The reference is used where every row has one.
/// `None` without rows, or with fewer than two groups.
pub fn fit_baseline(rows: &[Triple], targets: &[f64], groups: &[usize]) -> Option<Baseline> {
    if rows.is_empty() || rows.len() != targets.len() || rows.len() != groups.len() {
        return None;
    }
    let with_reference = rows.iter().all(|row| row.reference.is_some());
    let raw: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| features(&seen(row, with_reference)))
        .collect();
    let raw: Vec<&[f64]> = raw.iter().map(Vec::as_slice).collect();
    fit(&raw, with_reference, targets, groups)
}

/// What baselines say of rows that they were not fitted on: of the [`features`] of each row, by a baseline fitted on
/// the rows of the other folds of `groups`. The comparison with the reference counts where every row has it. `None` where
/// a fit is not defined.
pub fn cross_fitted(raw: &[&[f64]], targets: &[f64], groups: &[usize]) -> Option<Vec<f64>> {
    let with_reference = raw
        .iter()
        .all(|row| row.len() == FREE.len() + COMPARED.len());
    let raw: Vec<&[f64]> = match with_reference {
        true => raw.to_vec(),
        false => raw
            .iter()
            .map(|row| &row[..FREE.len().min(row.len())])
            .collect(),
    };
    if raw.iter().any(|row| row.len() < FREE.len()) {
        return None;
    }
    let folds = fold_of(groups);
    let mut found = vec![0.0; raw.len()];
    for fold in 0..FOLDS {
        let (out, kept): (Vec<usize>, Vec<usize>) =
            (0..raw.len()).partition(|row| folds[*row] == fold);
        if out.is_empty() {
            continue;
        }
        let pick = |column: &[f64]| kept.iter().map(|row| column[*row]).collect::<Vec<_>>();
        let rows: Vec<&[f64]> = kept.iter().map(|row| raw[*row]).collect();
        let own: Vec<usize> = kept.iter().map(|row| groups[*row]).collect();
        let baseline = fit(&rows, with_reference, &pick(targets), &own)?;
        for row in out {
            found[row] = baseline.ridge.predict(&baseline.columns(raw[row]));
        }
    }
    Some(found)
}

fn fit(
    raw: &[&[f64]],
    with_reference: bool,
    targets: &[f64],
    groups: &[usize],
) -> Option<Baseline> {
    let (mean, scale) = spread(raw);
    let mut baseline = Baseline {
        with_reference,
        places: places(with_reference),
        mean,
        scale,
        ridge: Ridge {
            intercept: 0.0,
            weights: Vec::new(),
        },
        lambda: 0.0,
    };
    let columns = baseline.places.len();
    let mut folds = vec![Moments::new(columns + columns * (columns + 1) / 2); FOLDS];
    let fold = fold_of(groups);
    for ((row, target), fold) in raw.iter().zip(targets).zip(fold) {
        folds[fold].add(&baseline.columns(row), *target);
    }
    folds.retain(|fold| fold.rows() > 0.0);
    if folds.len() < 2 {
        return None;
    }
    (baseline.lambda, _) = choose_lambda(&folds, &LAMBDAS)?;
    let (first, rest) = folds.split_first()?;
    let all = rest.iter().fold(first.clone(), |all, fold| all.plus(fold));
    baseline.ridge = Ridge::fit(&all, baseline.lambda)?;
    Some(baseline)
}

impl Baseline {
    /// The score of an answer. Without a reference where the baseline wants one, `None`.
    pub fn score(&self, triple: &Triple) -> Option<f64> {
        if self.with_reference && triple.reference.is_none() {
            return None;
        }
        let raw = features(&seen(triple, self.with_reference));
        Some(self.ridge.predict(&self.columns(&raw)))
    }

    /// The features of a triple in deviations from the mean of the rows fitted on, within ±4. With a
    /// baseline fitted beside references, a triple without one has the features of [`FREE`] alone.
    pub fn standardised(&self, triple: &Triple) -> Vec<f64> {
        let raw = features(&seen(triple, self.with_reference));
        (0..raw.len()).map(|i| self.standard(&raw, i)).collect()
    }

    fn standard(&self, raw: &[f64], place: usize) -> f64 {
        ((raw[place] - self.mean[place]) / self.scale[place]).clamp(-FURTHEST, FURTHEST)
    }

    fn columns(&self, raw: &[f64]) -> Vec<f64> {
        let standard: Vec<f64> = self.places.iter().map(|i| self.standard(raw, *i)).collect();
        expand(&standard)
    }
}

/// Places of the features that the baseline uses: all of them where there is no reference.
fn places(with_reference: bool) -> Vec<usize> {
    let names = FREE.iter().chain(&COMPARED).enumerate();
    names
        .filter(|(place, name)| {
            if with_reference {
                BESIDE_REFERENCE.contains(name)
            } else {
                *place < FREE.len()
            }
        })
        .map(|(place, _)| place)
        .collect()
}

fn seen<'a>(triple: &Triple<'a>, with_reference: bool) -> Triple<'a> {
    Triple {
        reference: triple.reference.filter(|_| with_reference),
        ..*triple
    }
}

/// Folds for groups: in turn, by order of first appearance.
fn fold_of(groups: &[usize]) -> Vec<usize> {
    group_ids(groups)
        .into_iter()
        .map(|group| group % FOLDS)
        .collect()
}

/// Mean and standard deviation of every column, 1 where it does not vary.
fn spread(rows: &[&[f64]]) -> (Vec<f64>, Vec<f64>) {
    let columns = rows.first().map_or(0, |row| row.len());
    let n = rows.len() as f64;
    let mut mean = vec![0.0; columns];
    for row in rows {
        for (sum, x) in mean.iter_mut().zip(*row) {
            *sum += x / n;
        }
    }
    let mut scale = vec![0.0; columns];
    for row in rows {
        for (sum, (x, mean)) in scale.iter_mut().zip(row.iter().zip(&mean)) {
            *sum += (x - mean) * (x - mean) / n;
        }
    }
    for scale in &mut scale {
        *scale = if *scale > 1e-18 { scale.sqrt() } else { 1.0 };
    }
    (mean, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert_eq!(places(true).len(), BESIDE_REFERENCE.len());
        assert_eq!(places(false).len(), FREE.len());
    }

    #[test]
    fn the_baseline_learns_length() {
        let texts: Vec<String> = (0..120)
            .map(|row| "word ".repeat(1 + row * 7 % 50))
            .collect();
        let rows: Vec<Triple> = texts
            .iter()
            .map(|text| Triple {
                instruction: "say something",
                reference: None,
                response: text,
            })
            .collect();
        let targets: Vec<f64> = texts.iter().map(|text| text.len() as f64 / 250.0).collect();
        let groups: Vec<usize> = (0..120).map(|row| row / 4).collect();
        let baseline = fit_baseline(&rows, &targets, &groups).unwrap();
        let scores: Vec<f64> = rows.iter().filter_map(|row| baseline.score(row)).collect();
        assert!(crate::stats::pearson(&scores, &targets).unwrap() > 0.99);
        let raw: Vec<Vec<f64>> = rows.iter().map(features).collect();
        let raw: Vec<&[f64]> = raw.iter().map(Vec::as_slice).collect();
        let unseen = cross_fitted(&raw, &targets, &groups).unwrap();
        assert!(crate::stats::pearson(&unseen, &targets).unwrap() > 0.99);
        // A target that is noise cannot be told of rows that were left out.
        let noise: Vec<f64> = (0..120).map(|row| f64::from(row * row * 31 % 97)).collect();
        let unseen = cross_fitted(&raw, &noise, &groups).unwrap();
        assert!(crate::stats::pearson(&unseen, &noise).is_none_or(|r| r < 0.3));
        assert_eq!(fit_baseline(&rows, &targets[1..], &groups), None);
        assert_eq!(fit_baseline(&[], &[], &[]), None);
        assert_eq!(fit_baseline(&rows, &targets, &[0; 120]), None);
    }
}
