//! A threshold with everything that it holds for.

use serde::{Deserialize, Serialize};

use super::threshold::{Guarantee, Spread};

/// As `juror threshold -o` writes it and `juror score --threshold` reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Answered are rows with this signal at or above `threshold`.
    pub signal: String,
    pub threshold: f64,
    /// Hashes of the judge and of its template, joined by `+`: scores of others are on another scale.
    pub judge: String,
    /// How the signal was fused, if it is: normaliser and weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fusion: Option<String>,
    pub label: String,
    /// Which labels are good.
    pub good: String,
    /// What was asked for: a risk, or with `coverage` a share answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_risk: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_coverage: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarantee: Option<Guarantee>,
    /// Rows it was calibrated on, one a record.
    pub calibrated_on: usize,
    /// Their scores, to notice when new ones differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Spread>,
}

impl Preset {
    /// Why the preset does not hold for scores of this signal by this judge and template, fused in this way, if
    /// so.
    pub fn mismatch(&self, signals: &[&str], judge: &str, fusion: &str) -> Option<String> {
        if !signals.contains(&self.signal.as_str()) {
            return Some(format!(
                "it is a threshold on `{}`, which is not among the signals ({}): add it to --signals",
                self.signal,
                signals.join(", ")
            ));
        }
        if let Some(other) = self.fusion.as_deref().filter(|other| *other != fusion) {
            return Some(format!(
                "it is a threshold on scores fused by `{other}`, these are fused by `{fusion}`: calibrate again on \
                 rows fused in this way"
            ));
        }
        (self.judge != judge).then(|| {
            "it was calibrated with another judge or template, whose scores are on another scale: \
             calibrate again with `juror threshold` on rows of this one"
                .to_owned()
        })
    }
}
