//! One line of `juror score`: what others' programs read.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::data::{LabelDistribution, Record, Response};
use crate::judge::attribution::Attribution;
use crate::stats::surface::{self, Triple};

/// Name and hash of what determined a score.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    pub name: String,
    pub hash: String,
}

/// The distribution in a row.
#[derive(Debug, Serialize)]
pub struct Distribution<'a> {
    pub labels: &'a [String],
    pub probs: &'a [f64],
    pub mass: Option<f64>,
    /// What labels that a server did not list may hold together at most, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
    pub std: f64,
    pub entropy: f64,
}

/// One line of output.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    pub id: &'a str,
    pub response_id: &'a str,
    /// The same for every record of an instruction: such rows are not independent.
    pub instruction_hash: String,
    pub generator: Option<&'a str>,
    pub mode: &'static str,
    pub signals: Map<String, Value>,
    /// Normaliser and weight of `fused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fusion: Option<&'a str>,
    pub self_eval: Option<Distribution<'a>>,
    /// What embedded, where embeddings were compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedder: Option<&'a Named>,
    /// By the threshold that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// What each sentence is worth to `self_eval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<&'a Attribution>,
    /// What the judge wrote, where it was asked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<&'a str>,
    pub judge: &'a Named,
    pub template: &'a Named,
    pub prompt_tokens: usize,
    pub labels: &'a BTreeMap<String, f64>,
    /// Characters of the response.
    pub length: usize,
    /// Its bullets and numbered items.
    pub list_items: usize,
    /// What a reader sees without reading: [`surface::FREE`], then [`surface::COMPARED`] where there is a
    /// reference.
    pub surface: Vec<f32>,
    pub meta: Map<String, Value>,
    pub error: Option<String>,
    /// The shard that the run was of, last: what `juror merge` tells the files by, and takes away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
}

impl<'a> From<&'a LabelDistribution> for Distribution<'a> {
    fn from(found: &'a LabelDistribution) -> Self {
        Distribution {
            labels: &found.labels,
            probs: &found.probs,
            mass: found.mass,
            missing: found.missing,
            std: found.std(),
            entropy: found.entropy(),
        }
    }
}

/// Every other field of the input.
pub fn meta(record: &Record, response: &Response) -> Map<String, Value> {
    let mut meta = record.meta.clone();
    meta.extend(response.meta.clone());
    for (name, text) in [("category", &record.category), ("reason", &response.reason)] {
        if let Some(text) = text {
            meta.entry(name).or_insert_with(|| text.clone().into());
        }
    }
    meta
}

/// The surface of a response, in single precision: it is told to learn from, not to compare by; and its list items.
pub fn surface(record: &Record, response: &Response) -> (Vec<f32>, usize) {
    let features = surface::features(&Triple {
        instruction: &record.task(),
        reference: record.reference.as_deref(),
        response: &response.text,
    });
    let items = surface::list_items(&features);
    (features.into_iter().map(|x| x as f32).collect(), items)
}
