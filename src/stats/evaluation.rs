//! Everything that is told of one signal against one label.

use serde::Serialize;

use super::agreement::{
    categories, gwet_ac1, krippendorff_interval, nearest, quadratic_kappa, to_scale,
};
use super::bootstrap::{Interval, Resample, Resampler, is_fitted_on};
use super::calibration::{Affine, Bin, Isotonic, brier, expected_error, log_loss, reliability};
use super::correlation::mean;
use super::{auroc, coverage, kendall, pearson, spearman};

/// Bins of a reliability diagram.
const BINS: usize = 15;

/// Labels with more distinct values than this are no categories.
const CATEGORIES: usize = 20;

/// Rows with a score and a label, in columns of equal length.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub score: &'a [f64],
    pub label: &'a [f64],
    /// Rows that are drawn together.
    pub cluster: &'a [usize],
}

/// How to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Draws of the bootstrap; 0 leaves intervals out.
    pub rounds: usize,
    pub seed: u64,
    /// Ends of the score's own scale; without them, its smallest and largest value.
    pub scale: Option<(f64, f64)>,
}

/// Correlations, each with its interval. What is not defined on these rows is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Correlations {
    pub rows: usize,
    pub pearson: Option<Interval>,
    pub spearman: Option<Interval>,
    /// Kendall's τ-b.
    pub kendall: Option<Interval>,
}

type Correlation = fn(&[f64], &[f64]) -> Option<f64>;

const CORRELATIONS: [Correlation; 3] = [pearson, spearman, kendall];

impl Correlations {
    fn of(rows: usize, each: impl Fn(Correlation) -> Option<Interval>) -> Self {
        let [pearson, spearman, kendall] = CORRELATIONS.map(each);
        Correlations {
            rows,
            pearson,
            spearman,
            kendall,
        }
    }
}

fn resampler(cluster: &[usize], settings: &Settings) -> Resampler {
    Resampler::new(cluster, settings.seed).rounds(settings.rounds)
}

/// Correlations over all rows.
pub fn correlations(rows: &Rows, settings: &Settings) -> Correlations {
    let resampler = resampler(rows.cluster, settings);
    Correlations::of(rows.score.len(), |correlation| {
        resampler.interval(|draw| correlation(&draw.pick(rows.score), &draw.pick(rows.label)))
    })
}

/// Correlations within each group, averaged over the groups in which they are defined: the paper's average
/// over evaluated models.
pub fn averaged(rows: &Rows, group: &[usize], settings: &Settings) -> Correlations {
    let resampler = resampler(rows.cluster, settings);
    let within = |correlation: Correlation, draw: &Resample| {
        let found = super::within(
            correlation,
            &draw.pick(rows.score),
            &draw.pick(rows.label),
            &draw.pick(group),
        );
        found.map(|found| found.mean)
    };
    Correlations::of(rows.score.len(), |correlation| {
        resampler.interval(|draw| within(correlation, draw))
    })
}

/// How far one signal is ahead of another on the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ahead {
    pub pearson: Option<Interval>,
    pub spearman: Option<Interval>,
    /// Labelled clusters at which an interval as wide as this one for Pearson would no longer reach 0, were
    /// the difference what it is here; `None` where it does not now.
    pub clusters_to_settle: Option<usize>,
}

/// `one` minus `other`, drawn together.
pub fn ahead(
    one: &[f64],
    other: &[f64],
    label: &[f64],
    cluster: &[usize],
    settings: &Settings,
) -> Ahead {
    let resampler = resampler(cluster, settings);
    let difference = |correlation: Correlation| {
        resampler.difference(
            |draw| correlation(&draw.pick(one), &draw.pick(label)),
            |draw| correlation(&draw.pick(other), &draw.pick(label)),
        )
    };
    let pearson = difference(pearson);
    let clusters = super::group_ids(cluster.iter()).into_iter().max();
    let settle = |found: Interval, clusters: usize| {
        let open = found.low <= 0.0 && found.high >= 0.0 && found.estimate != 0.0;
        // Half-widths shrink with the root of the number.
        let toward_zero = match found.estimate > 0.0 {
            true => found.estimate - found.low,
            false => found.high - found.estimate,
        };
        let times = (toward_zero / found.estimate).powi(2);
        (open && times.is_finite()).then(|| ((clusters + 1) as f64 * times).ceil() as usize)
    };
    Ahead {
        pearson,
        spearman: difference(spearman),
        clusters_to_settle: pearson
            .zip(clusters)
            .and_then(|(found, clusters)| settle(found, clusters)),
    }
}

/// Answering only what scores high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Selective {
    /// Share of good rows, where it is said which are.
    pub good: Option<f64>,
    /// That a bad row scores below a good one.
    pub auroc: Option<Interval>,
    /// Area under the risk–coverage curve; the loss is 1 for bad rows, else by the label's place on its scale.
    pub aurc: Option<Interval>,
    /// The same beyond that of the best order.
    pub excess_aurc: Option<Interval>,
}

/// Selective figures; `good` says which rows are.
pub fn selective(rows: &Rows, good: Option<&[bool]>, settings: &Settings) -> Selective {
    let resampler = resampler(rows.cluster, settings);
    let losses = match good {
        Some(good) => Some(good.iter().map(|g| f64::from(u8::from(!g))).collect()),
        None => coverage::losses(rows.label),
    };
    let area = |of: fn(&coverage::Curve) -> f64| {
        let losses: &Vec<f64> = losses.as_ref()?;
        resampler.interval(|draw| {
            let found = coverage::curve(&draw.pick(rows.score), &draw.pick(losses))?;
            Some(of(&found))
        })
    };
    Selective {
        good: good.map(|good| {
            mean(
                &good
                    .iter()
                    .map(|g| f64::from(u8::from(*g)))
                    .collect::<Vec<_>>(),
            )
        }),
        auroc: good.and_then(|good| {
            resampler.interval(|draw| auroc(&draw.pick(rows.score), &draw.pick(good)))
        }),
        aurc: area(|curve| curve.aurc),
        excess_aurc: area(|curve| curve.excess_aurc),
    }
}

/// How far fitted probabilities hold on rows they were not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    pub fit: &'static str,
    /// Rows it was fitted on, and rows it is reported on.
    pub fitted: usize,
    pub reported: usize,
    /// Expected calibration error over bins of equally many rows.
    pub ece: Option<f64>,
    pub brier: Option<f64>,
    pub log_loss: Option<f64>,
    pub bins: Vec<Bin>,
}

/// Fits on half of the clusters, seeded, and reports on the others: isotonic, then affine. Empty where either
/// half has no row.
pub fn calibration(rows: &Rows, good: &[bool], seed: u64) -> Vec<Calibration> {
    let (mut fit, mut rest): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (row, cluster) in rows.cluster.iter().enumerate() {
        if is_fitted_on(*cluster, seed) {
            &mut fit
        } else {
            &mut rest
        }
        .push(row);
    }
    let scores = |part: &[usize]| part.iter().map(|r| rows.score[*r]).collect::<Vec<_>>();
    let target: Vec<f64> = fit.iter().map(|r| f64::from(u8::from(good[*r]))).collect();
    let (fitted, asked) = (scores(&fit), scores(&rest));
    let came: Vec<bool> = rest.iter().map(|r| good[*r]).collect();
    let report = |name, at: &dyn Fn(f64) -> f64| {
        let p: Vec<f64> = asked.iter().map(|score| at(*score)).collect();
        let bins = reliability(&p, &came, BINS)?;
        Some(Calibration {
            fit: name,
            fitted: fit.len(),
            reported: rest.len(),
            ece: expected_error(&bins),
            brier: brier(&p, &came),
            log_loss: log_loss(&p, &came),
            bins,
        })
    };
    let isotonic = Isotonic::fit(&fitted, &target);
    let affine = Affine::fit(&fitted, &target);
    let isotonic = isotonic.and_then(|f| report("isotonic", &|score| f.at(score)));
    let affine = affine.and_then(|f| report("affine", &|score| f.at(score)));
    isotonic.into_iter().chain(affine).collect()
}

/// The judge as one more rater, its scores brought to the labels' scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Distinct labels; kappa and AC1 are over these.
    pub categories: usize,
    pub quadratic_kappa: Option<Interval>,
    pub gwet_ac1: Option<Interval>,
    /// Krippendorff's alpha for interval data.
    pub krippendorff: Option<Interval>,
}

/// Agreement with the labels; `None` where these are too many to be categories, or the scale has no length.
pub fn agreement(rows: &Rows, settings: &Settings) -> Option<Agreement> {
    let places = categories(rows.label);
    let (first, last) = (places.first()?, places.last()?);
    if places.len() > CATEGORIES || first == last {
        return None;
    }
    let ends = settings.scale.or_else(|| {
        let scores = categories(rows.score);
        Some((*scores.first()?, *scores.last()?))
    })?;
    let mapped = to_scale(rows.score, ends, (*first, *last))?;
    Some(compared(&mapped, rows, &places, settings))
}

/// Agreement of two people on the same rows, `score` being what the one gave and `label` what the other gave: values as
/// they are, over all that either of the two gave, so that it does not matter who comes first. `None` without rows.
pub fn raters(rows: &Rows, settings: &Settings) -> Option<Agreement> {
    let both: Vec<f64> = rows.score.iter().chain(rows.label).copied().collect();
    let places = categories(&both);
    let settings = Settings {
        // So many values are no categories: nothing is drawn for figures that say little.
        rounds: match places.len() > CATEGORIES {
            true => 0,
            false => settings.rounds,
        },
        ..*settings
    };
    (!both.is_empty()).then(|| compared(rows.score, rows, &places, &settings))
}

/// Values of somebody else, on the labels' scale, against the labels.
fn compared(values: &[f64], rows: &Rows, places: &[f64], settings: &Settings) -> Agreement {
    let (one, other) = (nearest(values, places), nearest(rows.label, places));
    let resampler = resampler(rows.cluster, settings);
    let by = |of: fn(&[usize], &[usize], usize) -> Option<f64>| {
        resampler.interval(|draw| of(&draw.pick(&one), &draw.pick(&other), places.len()))
    };
    let units: Vec<[f64; 2]> = values
        .iter()
        .zip(rows.label)
        .map(|(a, b)| [*a, *b])
        .collect();
    Agreement {
        categories: places.len(),
        quadratic_kappa: by(quadratic_kappa),
        gwet_ac1: by(gwet_ac1),
        krippendorff: resampler
            .interval(|draw| krippendorff_interval(draw.rows.iter().map(|row| &units[*row][..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> (Vec<f64>, Vec<f64>, Vec<usize>) {
        let score: Vec<f64> = (0..240).map(|i| f64::from(i * 37 % 100) / 11.2).collect();
        let label: Vec<f64> = score
            .iter()
            .enumerate()
            .map(|(i, s)| (s / 2.0 + (i % 3) as f64 - 1.0).round().clamp(0.0, 4.0))
            .collect();
        (score, label, (0..240).map(|i| i / 4).collect())
    }

    const SETTINGS: Settings = Settings {
        rounds: 200,
        seed: 3,
        scale: Some((0.0, 9.0)),
    };

    #[test]
    fn a_judge_that_follows_the_label() {
        let (score, label, cluster) = rows();
        let rows = Rows {
            score: &score,
            label: &label,
            cluster: &cluster,
        };
        let found = correlations(&rows, &SETTINGS);
        for each in [found.pearson, found.spearman, found.kendall] {
            let each = each.unwrap();
            assert!(each.low < each.estimate && each.estimate < each.high && each.low > 0.5);
        }
        let group: Vec<usize> = (0..240).map(|i| i % 5).collect();
        assert!(averaged(&rows, &group, &SETTINGS).pearson.unwrap().estimate > 0.5);
        let good: Vec<bool> = label.iter().map(|l| *l >= 3.0).collect();
        let found = selective(&rows, Some(&good), &SETTINGS);
        assert!(found.auroc.unwrap().estimate > 0.8);
        assert!(found.excess_aurc.unwrap().low > 0.0);
        assert!(selective(&rows, None, &SETTINGS).auroc.is_none());
        let found = calibration(&rows, &good, 1);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].fitted + found[0].reported, 240);
        assert!(
            found
                .iter()
                .all(|c| c.ece.unwrap() < 0.2 && c.bins.len() == BINS)
        );
        let found = agreement(&rows, &SETTINGS).unwrap();
        assert_eq!(found.categories, 5);
        assert!(found.quadratic_kappa.unwrap().estimate > 0.5);
        assert!(found.krippendorff.unwrap().estimate > 0.5);
    }

    #[test]
    fn two_people_agree_the_same_from_either_side() {
        let (ada, bea) = (
            [3.0, 5.0, 7.0, 2.0, 6.0, 8.0],
            [2.0, 4.0, 7.0, 3.0, 1.0, 6.0],
        );
        let cluster = [0, 1, 2, 3, 4, 5];
        let between = |score: &[f64], label: &[f64]| {
            let rows = Rows {
                score,
                label,
                cluster: &cluster,
            };
            raters(&rows, &SETTINGS).unwrap()
        };
        let found = between(&ada, &bea);
        let turned = between(&bea, &ada);
        assert_eq!(found.quadratic_kappa, turned.quadratic_kappa);
        assert_eq!(found.gwet_ac1, turned.gwet_ac1);
        assert_eq!(found.categories, 8);
        // By hand: squared differences 32, by chance 64.33; one of six equal, by chance 124 / 144 / 7.
        let kappa = found.quadratic_kappa.unwrap();
        assert!((kappa.estimate - (1.0 - 32.0 / (386.0 / 6.0))).abs() < 1e-12);
        let ac1 = found.gwet_ac1.unwrap();
        let chance = 124.0 / 144.0 / 7.0;
        assert!((ac1.estimate - (1.0 / 6.0 - chance) / (1.0 - chance)).abs() < 1e-12);
        assert!(kappa.low < kappa.estimate && kappa.estimate < kappa.high);
    }

    #[test]
    fn one_signal_against_another() {
        let (score, label, cluster) = rows();
        let noise: Vec<f64> = (0..240).map(|i| f64::from(i * i * 31 % 97)).collect();
        let far = ahead(&score, &noise, &label, &cluster, &SETTINGS);
        assert!(far.pearson.unwrap().is_above_zero());
        assert_eq!(far.clusters_to_settle, None);
        let near: Vec<f64> = score
            .iter()
            .enumerate()
            .map(|(i, s)| s + 0.3 * noise[i] / 97.0)
            .collect();
        let close = ahead(&near, &score, &label, &cluster, &SETTINGS);
        let pearson = close.pearson.unwrap();
        assert!(pearson.low < 0.0 && pearson.high > 0.0, "{pearson:?}");
        assert!(close.clusters_to_settle.unwrap() > 60);
    }

    #[test]
    fn what_is_not_defined_is_not_zero() {
        let level = Rows {
            score: &[1.0, 1.0, 1.0],
            label: &[0.0, 1.0, 1.0],
            cluster: &[0, 1, 2],
        };
        let found = correlations(&level, &SETTINGS);
        assert_eq!((found.pearson, found.kendall), (None, None));
        assert_eq!(found.rows, 3);
        let one_class = [true, true, true];
        assert!(
            selective(&level, Some(&one_class), &SETTINGS)
                .auroc
                .is_none()
        );
        let unscaled = Settings {
            scale: None,
            ..SETTINGS
        };
        assert_eq!(agreement(&level, &unscaled), None);
    }
}
