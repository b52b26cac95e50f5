//! What a cut does to rows.

use serde::Serialize;

use super::rows::{Cut, Labelled};
use crate::stats::threshold::{Confusion, wilson};

/// A share with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    pub part: usize,
    pub whole: usize,
    /// `part / whole`; `None` of nothing.
    pub share: Option<f64>,
    /// 95 % (Wilson).
    pub interval: Option<(f64, f64)>,
}

impl Share {
    /// The share of `part` in `whole`.
    pub fn of(part: usize, whole: usize) -> Self {
        Share {
            part,
            whole,
            share: (whole > 0).then(|| part as f64 / whole as f64),
            interval: wilson(part, whole),
        }
    }
}

/// Figures of a cut.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtCut {
    /// Answered are scores from here on.
    pub threshold: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Answered among all rows with a score, with a label or without.
    pub coverage: Share,
    /// Where it is said which labels are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelled: Option<OnLabels>,
}

/// What labels say of the answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OnLabels {
    /// Answered among labelled rows.
    pub coverage: Share,
    /// Bad among the answered.
    pub risk: Share,
    pub confusion: Confusion,
}

impl AtCut {
    pub(super) fn of(cut: &Cut, scores: &[f64], labelled: Option<&Labelled>) -> Self {
        let threshold = cut.threshold;
        let all = Confusion::of(scores, &vec![false; scores.len()], threshold);
        let on_labels = |found: &Labelled| {
            let confusion = Confusion::of(&found.score, &found.bad()?, threshold);
            let answered = confusion.answered_good + confusion.answered_bad;
            Some(OnLabels {
                coverage: Share::of(answered, found.score.len()),
                risk: Share::of(confusion.answered_bad, answered),
                confusion,
            })
        };
        AtCut {
            threshold,
            origin: cut.origin.clone(),
            coverage: Share::of(all.answered_good, scores.len()),
            labelled: labelled.and_then(on_labels),
        }
    }
}
