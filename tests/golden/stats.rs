//! Statistics against scipy, scikit-learn, statsmodels, krippendorff, irrCAC and ppi_py.

use juror::stats::agreement::{
    categories, gwet_ac1, krippendorff_interval, nearest, quadratic_kappa, to_scale,
};
use juror::stats::best_of::expected;
use juror::stats::calibration::{Affine, Isotonic, brier, expected_error, log_loss, reliability};
use juror::stats::coverage::{curve, losses};
use juror::stats::normalize::{Method, Normalizer};
use juror::stats::prediction_powered::{Labelled, powered_mean};
use juror::stats::ranking::{holm, paired_t_test};
use juror::stats::{auroc, kendall, pearson, spearman};
use serde_json::Value;

use super::here;

fn column(case: &Value, name: &str) -> Vec<f64> {
    let values = case[name].as_array().unwrap().iter();
    values.map(|x| x.as_f64().unwrap()).collect()
}

fn golden() -> Value {
    let text = std::fs::read_to_string(here("stats.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn all_equal(found: &[f64], want: &[f64]) {
    assert_eq!(found.len(), want.len());
    for (found, want) in found.iter().zip(want) {
        assert!((found - want).abs() < 1e-9, "{found} {want}");
    }
}

#[test]
fn tests_of_rankings_equal_scipy_and_statsmodels() {
    let golden = &golden()["further"];
    let paired = golden["paired"].as_array().unwrap().iter();
    let p: Vec<f64> = paired
        .map(|differences| {
            let differences: Vec<f64> = serde_json::from_value(differences.clone()).unwrap();
            paired_t_test(&differences).unwrap()
        })
        .collect();
    all_equal(&p, &column(golden, "t_test"));
    all_equal(&holm(&p), &column(golden, "holm"));
}

#[test]
fn best_of_equals_all_subsets() {
    let golden = &golden()["further"]["best_of"];
    let (score, label) = (column(golden, "score"), column(golden, "label"));
    let found: Vec<f64> = (1..=9)
        .map(|n| expected(&score, &label, n).unwrap())
        .collect();
    all_equal(&found, &column(golden, "expected"));
}

#[test]
fn powered_means_equal_ppi_py() {
    for case in golden()["further"]["powered"].as_array().unwrap() {
        let (score, label) = (column(case, "labelled_score"), column(case, "label"));
        let rows = score.into_iter().zip(label).enumerate();
        let labelled: Vec<Labelled> = rows
            .map(|(cluster, (score, label))| Labelled {
                score,
                label,
                cluster,
            })
            .collect();
        let further = column(case, "score").into_iter().enumerate();
        let further: Vec<(f64, usize)> = further.map(|(at, x)| (x, 1000 + at)).collect();
        let found = powered_mean(&labelled, &further, 0.95).unwrap();
        let want = ["low", "high"].map(|end| case[end].as_f64().unwrap());
        all_equal(&[found.powered.low, found.powered.high], &want);
    }
}

#[test]
fn normalisers_equal_scipy() {
    let golden = &golden()["further"]["normalized"];
    let values = column(golden, "column");
    for (name, method) in [
        ("zscore", Method::Zscore),
        ("rank", Method::Rank),
        ("minmax", Method::Minmax),
    ] {
        let fitted = Normalizer::fit(method, &values, (0.0, 9.0)).unwrap();
        let found: Vec<f64> = values.iter().map(|x| fitted.at(*x)).collect();
        all_equal(&found, &column(golden, name));
    }
}

#[test]
fn statistics_equal_the_libraries() {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (score, label) = (column(case, "score"), column(case, "label"));
        let good: Vec<bool> = label.iter().map(|l| *l >= 3.0).collect();
        let target: Vec<f64> = good.iter().map(|g| f64::from(u8::from(*g))).collect();
        let equal = |name: &str, found: Option<f64>| {
            let (found, want) = (found.unwrap(), case[name].as_f64().unwrap());
            assert!((found - want).abs() < 1e-9, "{name}: {found} {want}");
        };
        equal("pearson", pearson(&score, &label));
        equal("spearman", spearman(&score, &label));
        equal("kendall", kendall(&score, &label));
        equal("auroc", auroc(&score, &good));
        let found = curve(&score, &losses(&label).unwrap()).unwrap();
        equal("aurc", Some(found.aurc));
        equal("best_aurc", Some(found.aurc - found.excess_aurc));
        let isotonic = Isotonic::fit(&score, &target).unwrap();
        let at = column(case, "isotonic_at").into_iter();
        for (x, want) in at.zip(column(case, "isotonic")) {
            assert!((isotonic.at(x) - want).abs() < 1e-9, "isotonic at {x}");
        }
        let affine = Affine::fit(&score, &target).unwrap();
        equal("intercept", Some(affine.intercept));
        equal("slope", Some(affine.slope));
        let p: Vec<f64> = score.iter().map(|s| affine.at(*s)).collect();
        equal("brier", brier(&p, &good));
        equal("log_loss", log_loss(&p, &good));
        if case.get("ece").is_some() {
            equal("ece", expected_error(&reliability(&p, &good, 15).unwrap()));
        }
        let scale = categories(&label);
        let ends = (scale[0], scale[scale.len() - 1]);
        let mapped = to_scale(&score, (0.0, 9.0), ends).unwrap();
        let (judge, rater) = (nearest(&mapped, &scale), nearest(&label, &scale));
        let want: Vec<usize> = column(case, "nearest")
            .iter()
            .map(|x| *x as usize)
            .collect();
        assert_eq!(judge, want);
        equal("kappa", quadratic_kappa(&judge, &rater, scale.len()));
        equal("ac1", gwet_ac1(&judge, &rater, scale.len()));
        let units: Vec<[f64; 2]> = mapped.iter().zip(&label).map(|(a, b)| [*a, *b]).collect();
        equal(
            "krippendorff",
            krippendorff_interval(units.iter().map(|u| &u[..])),
        );
    }
}
