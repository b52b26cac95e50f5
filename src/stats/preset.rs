//! A threshold with everything that it holds for.

use serde::{Deserialize, Serialize};

use super::drift::Spread;
use super::threshold::Guarantee;

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
    /// Hash of what embedded, where the signal compares embeddings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
    /// Modes of the rows it was calibrated on, where the signal depends on them: `reference`, `reference-free`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<String>,
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

/// What else scores depend on, besides judge and template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Normaliser and weight of fused scores.
    pub fusion: String,
    /// Hash of what embeds.
    pub embedder: String,
}

impl Preset {
    /// Whether it was calibrated on scores of this mode.
    pub fn covers(&self, mode: &str) -> bool {
        self.modes.is_empty() || self.modes.iter().any(|own| own == mode)
    }

    /// Why the preset does not hold for scores of this judge and template that come from this source, if so.
    pub fn mismatch(&self, signals: &[&str], judge: &str, source: &Source) -> Option<String> {
        if !signals.contains(&self.signal.as_str()) {
            return Some(format!(
                "it is a threshold on `{}`, which is not among the signals ({}): add it to --signals",
                self.signal,
                signals.join(", ")
            ));
        }
        if let Some(other) = self
            .fusion
            .as_deref()
            .filter(|other| *other != source.fusion)
        {
            return Some(format!(
                "it is a threshold on scores fused by `{other}`, these are fused by `{}`: calibrate again on rows \
                 fused in this way, or fuse these in that one (`juror fuse --threshold`)",
                source.fusion
            ));
        }
        if let Some(other) = self
            .embedder
            .as_deref()
            .filter(|other| *other != source.embedder)
        {
            return Some(format!(
                "its cosines are by an embedder with the hash {other:.12}, these by {:.12}: name that --embedder, or \
                 calibrate again",
                source.embedder
            ));
        }
        (self.judge != judge).then(|| {
            "it was calibrated with another judge or template, whose scores are on another scale: \
             calibrate again with `juror threshold` on rows of this one"
                .to_owned()
        })
    }
}
