//! What a judge thinks of one response: plain numbers, no model.

use serde::{Deserialize, Serialize};

/// The distribution over a scale's labels at the scored position, and what follows from it
/// (Ye & Ng 2024, §3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelDistribution {
    /// The labels, in the order of the scale.
    pub labels: Vec<String>,
    /// Their values on the scale.
    pub values: Vec<f64>,
    /// Renormalised probabilities, summing to one.
    pub probs: Vec<f64>,
    /// How much of the whole vocabulary's probability the labels hold, in `[0, 1]`; `None` where they
    /// were computed alone.
    pub mass: Option<f64>,
    /// What labels with probability 0 may hold together at most, where a server tells the likeliest tokens alone and some
    /// label is not among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
}

impl LabelDistribution {
    /// `Σ value · p`.
    pub fn mean(&self) -> f64 {
        self.values
            .iter()
            .zip(&self.probs)
            .map(|(v, p)| v * p)
            .sum()
    }

    /// One of these drawn at random: its mean is the mean of theirs. `None` of none. They must be over the same labels.
    pub fn mixture(all: Vec<LabelDistribution>) -> Option<Self> {
        let count = all.len() as f64;
        let mut each = all.into_iter();
        let mut found = each.next()?;
        for one in each {
            for (sum, p) in found.probs.iter_mut().zip(&one.probs) {
                *sum += p;
            }
            found.mass = found.mass.zip(one.mass).map(|(sum, mass)| sum + mass);
            found.missing = match (found.missing, one.missing) {
                (None, None) => None,
                (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
            };
        }
        if count > 1.0 {
            found.probs.iter_mut().for_each(|p| *p /= count);
            found.mass = found.mass.map(|sum| sum / count);
            found.missing = found.missing.map(|sum| sum / count);
        }
        Some(found)
    }

    /// Standard deviation of the value under the distribution.
    pub fn std(&self) -> f64 {
        let mean = self.mean();
        let variance: f64 = self
            .values
            .iter()
            .zip(&self.probs)
            .map(|(v, p)| p * (v - mean) * (v - mean))
            .sum();
        variance.max(0.0).sqrt()
    }

    /// Entropy in nats.
    pub fn entropy(&self) -> f64 {
        -self
            .probs
            .iter()
            .filter(|p| **p > 0.0)
            .map(|p| p * p.ln())
            .sum::<f64>()
    }
}

/// Everything known about one response. A missing part is not computed yet, or not defined
/// (no reference).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreCard {
    /// Self-evaluation with the reference shown.
    pub self_eval_ref: Option<LabelDistribution>,
    /// Self-evaluation without it.
    pub self_eval_free: Option<LabelDistribution>,
    /// Cosine of response and reference embeddings, in `[−1, 1]`.
    pub cosine: Option<f64>,
    /// Fusion of self-evaluation (with reference) and cosine, in `[0, 1]`.
    pub fused: Option<f64>,
    /// Tokens of the prompts that were scored.
    pub prompt_tokens: usize,
}

/// What follows from a score and a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The score reaches the threshold.
    Answer,
    /// It does not.
    Decline,
}

impl Verdict {
    /// Answer when `score ≥ threshold` (ties move together).
    pub fn of(score: f64, threshold: f64) -> Self {
        if score >= threshold {
            Verdict::Answer
        } else {
            Verdict::Decline
        }
    }

    /// `ANSWER` or `DECLINE`, as written everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Answer => "ANSWER",
            Verdict::Decline => "DECLINE",
        }
    }
}
