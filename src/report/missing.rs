//! What a report does not have, and how to get it.

use serde::Serialize;

use super::gather::Figures;

/// Something that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub what: &'static str,
    /// Why, and what to do.
    pub cure: String,
}

/// All that the figures lack.
pub fn missing(figures: &Figures, label: Option<&str>) -> Vec<Missing> {
    let mut found = Vec::new();
    let mut lacks = |what, cure: String| found.push(Missing { what, cure });
    match (label, figures.all) {
        (None, _) => lacks(
            "Correlations, AUROC, risk, calibration, agreement and the plot of scores by labels",
            "the rows have no label; score data that carry one (`juror score --labels NAME` takes any numeric field) \
             and name it with `--label NAME`"
                .into(),
        ),
        (Some(name), None) => lacks(
            "Correlations, AUROC, risk, calibration, agreement and the plot of scores by labels",
            format!("no row has both the signal and the label `{name}`; name another `--signal` or `--label`"),
        ),
        (Some(name), Some(_)) if figures.good.is_none() => lacks(
            "AUROC, calibration, risk and the split of the histogram",
            format!(
                "they need to know which labels `{name}` are good; say so, for example with `--good \">=6\"`"
            ),
        ),
        (Some(_), Some(_)) => {
            let selective = figures.selective.as_ref();
            if selective.is_some_and(|s| s.auroc.is_none()) {
                let rule = figures.good.as_deref().unwrap_or_default();
                lacks(
                    "AUROC",
                    format!(
                        "by `{rule}` all labels are good or all are bad; choose another `--good`"
                    ),
                );
            }
        }
    }
    if figures.all.is_some() && figures.agreement.is_none() {
        lacks(
            "Agreement (quadratic kappa, AC1)",
            "it needs labels with 2 to 20 distinct values".into(),
        );
    }
    if figures.cut.is_none() {
        lacks(
            "Coverage and risk at a cut",
            "there is no cut; name one with `--threshold NUMBER`, or let `juror threshold` find one and give its preset"
                .into(),
        );
    }
    if figures.by.is_none() {
        lacks(
            "Slices",
            "no row has a category; name another field with `--by FIELD`".into(),
        );
    }
    found
}
