//! The lines of a log, as types.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Parts of a loss by their names, in the order in which they are told.
pub type StepParts = IndexMap<String, f64>;

/// One line of a log. A number that is none (NaN, infinite) is `null` in the file and NaN when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Entry {
    /// The training begins, or goes on from a checkpoint.
    Start(Start),
    /// The weights have been changed once.
    Step(Step),
    /// The model was tried on data it does not learn from.
    Eval(Eval),
    /// A checkpoint with everything up to this step is on disk.
    Saved { step: usize },
    /// The training is over. The last line of a log that was not cut short.
    End { reason: Reason, message: String },
}

impl Entry {
    /// The step that the line is about; that of a beginning is the one it goes on from.
    pub fn step(&self) -> Option<usize> {
        match self {
            Entry::Start(start) => Some(start.from),
            Entry::Step(step) => Some(step.step),
            Entry::Eval(eval) => Some(eval.step),
            Entry::Saved { step } => Some(*step),
            Entry::End { .. } => None,
        }
    }
}

/// What is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// `judge`, `sft`, …: as after `juror train`.
    pub command: String,
    /// The model as the configuration names it.
    pub model: String,
    /// Steps of the whole training, those before a resume among them.
    pub steps: usize,
    /// RFC 3339 in UTC, as [`crate::data::time::rfc3339`] writes it.
    pub started: String,
    /// Of the configuration: a training goes on only with the same.
    pub config_hash: String,
    /// The last step of the checkpoint that it goes on from; 0 from the beginning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One change of the weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// From 1.
    pub step: usize,
    /// Passes over the data so far, `2.5` in the middle of the third.
    #[serde(with = "number")]
    pub epoch: f64,
    /// What was minimised, in nats a target token.
    #[serde(with = "number")]
    pub loss: f64,
    /// What the loss is made of, each before its weight: `ref`, `free`, `kl`.
    #[serde(default, with = "numbers", skip_serializing_if = "IndexMap::is_empty")]
    pub parts: StepParts,
    #[serde(with = "number")]
    pub learning_rate: f64,
    /// Before clipping.
    #[serde(with = "number")]
    pub grad_norm: f64,
    /// Tokens that went through the model since the training began, those before a resume among them.
    pub tokens: u64,
    /// Tokens a second over this step.
    #[serde(with = "number")]
    pub tokens_per_s: f64,
}

/// How good the model is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Eval {
    pub step: usize,
    /// By name: `loss`, `pearson`, …
    #[serde(with = "numbers")]
    pub figures: IndexMap<String, f64>,
}

/// Why a training is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// All steps are done.
    Done,
    /// It was asked to stop; the last checkpoint is kept.
    Cancelled,
    /// The loss was no number; the last good checkpoint is kept.
    Nan,
    /// Something failed; the message says what and what helps.
    Error,
}

impl Reason {
    /// In one or two words.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Done => "done",
            Reason::Cancelled => "cancelled",
            Reason::Nan => "NaN loss",
            Reason::Error => "failed",
        }
    }
}

/// JSON has no NaN: `null` stands for it.
mod number {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, out: S) -> Result<S::Ok, S::Error> {
        match value.is_finite() {
            true => out.serialize_f64(*value),
            false => out.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(input)?.unwrap_or(f64::NAN))
    }
}

/// The same for each of several.
mod numbers {
    use indexmap::IndexMap;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        values: &IndexMap<String, f64>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        let finite = |value: &f64| value.is_finite().then_some(*value);
        out.collect_map(values.iter().map(|(name, value)| (name, finite(value))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<IndexMap<String, f64>, D::Error> {
        let read = IndexMap::<String, Option<f64>>::deserialize(input)?;
        let filled = read.into_iter();
        Ok(filled
            .map(|(name, value)| (name, value.unwrap_or(f64::NAN)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_the_design_says() {
        let step = Step {
            step: 3,
            epoch: 0.5,
            loss: 2.25,
            parts: IndexMap::from([("ref".into(), 1.0), ("kl".into(), f64::NAN)]),
            learning_rate: 0.001,
            grad_norm: 1.5,
            tokens: 4096,
            tokens_per_s: 512.0,
        };
        let cases = [
            (
                Entry::Start(Start {
                    command: "judge".into(),
                    model: "starter".into(),
                    steps: 9,
                    started: "2025-07-01T09:30:00Z".into(),
                    config_hash: "ab".into(),
                    from: 0,
                }),
                r#"{"event":"start","command":"judge","model":"starter","steps":9,"started":"2025-07-01T09:30:00Z","config_hash":"ab"}"#,
            ),
            (
                Entry::Step(step),
                r#"{"event":"step","step":3,"epoch":0.5,"loss":2.25,"parts":{"ref":1.0,"kl":null},"learning_rate":0.001,"grad_norm":1.5,"tokens":4096,"tokens_per_s":512.0}"#,
            ),
            (
                Entry::Eval(Eval {
                    step: 3,
                    figures: IndexMap::from([("pearson".into(), 0.5)]),
                }),
                r#"{"event":"eval","step":3,"figures":{"pearson":0.5}}"#,
            ),
            (Entry::Saved { step: 3 }, r#"{"event":"saved","step":3}"#),
            (
                Entry::End {
                    reason: Reason::Nan,
                    message: "batch 7".into(),
                },
                r#"{"event":"end","reason":"nan","message":"batch 7"}"#,
            ),
        ];
        for (entry, line) in cases {
            assert_eq!(serde_json::to_string(&entry).unwrap(), line);
            let again: Entry = serde_json::from_str(line).unwrap();
            // NaN is not equal to itself, but is written alike.
            assert_eq!(serde_json::to_string(&again).unwrap(), line);
        }
        let endless = r#"{"event":"eval","step":3,"figures":{"loss":null}}"#;
        let Entry::Eval(eval) = serde_json::from_str(endless).unwrap() else {
            panic!("{endless}");
        };
        assert!(eval.figures["loss"].is_nan());
    }
}
