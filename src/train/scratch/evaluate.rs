//! How the model under training does on rows it does not train on.

use std::collections::BTreeMap;

use anyhow::Result;
use rayon::prelude::*;
use tokenizers::Tokenizer;

use super::batch::cut_middle;
use super::config::Config;
use super::corpus::DevRow;
use super::teacher::Teacher;
use super::tokens;
use crate::stats::surface::Triple;
use crate::stats::{self, JudgedRows, group_ids};
use crate::train::pack::{Ask, AskKind, Pack};
use crate::train::tune::net::Net;
use crate::train::worker::Worker;

/// Expected digit of each row, in order.
pub fn expected_digits(
    config: &Config,
    tokenizer: &Tokenizer,
    worker: &mut Worker,
    net: &Net,
    rows: &[&DevRow],
    with_reference: bool,
) -> Result<Vec<f64>> {
    let digits = tokens::digits(tokenizer)?;
    let limits = &config.limits;
    let encode = |text: &str, limit| -> Result<Vec<u32>> {
        Ok(cut_middle(tokens::encode(tokenizer, text)?, limit))
    };
    let mut by_task: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        by_task.entry(&row.task).or_default().push(i);
    }
    let mut scores = vec![0.0; rows.len()];
    for group in by_task.values() {
        let mut pack = Pack::default();
        let first = rows[group[0]];
        let mut prompt = vec![tokens::BOS, tokens::INSTRUCTION];
        prompt.extend(encode(&first.task, limits.instruction)?);
        if with_reference {
            prompt.push(tokens::REFERENCE);
            prompt.extend(encode(&first.reference, limits.reference)?);
        }
        prompt.push(tokens::RESPONSE);
        let root = pack.add(None, &prompt);
        for i in group {
            let mut text = encode(&rows[*i].response, limits.response)?;
            text.push(tokens::RATE);
            let segment = pack.add(Some(root), &text);
            pack.asks.push(Ask {
                row: pack.last_row(segment),
                target: Vec::new(),
                weight: 0.0,
                kind: AskKind::Judgment,
                firm: None,
            });
        }
        worker.forward(net, &pack)?;
        for (i, p) in group.iter().zip(worker.probabilities(net, &pack, &digits)) {
            let mass: f32 = p.iter().sum();
            let mean: f32 = p.iter().enumerate().map(|(d, p)| d as f32 * p).sum();
            scores[*i] = f64::from(mean / mass.max(1e-30));
        }
    }
    Ok(scores)
}

/// What the teacher says of each row, which it was not fitted on, in order.
pub fn by_teacher(teacher: &Teacher, rows: &[&DevRow], with_reference: bool) -> Vec<f64> {
    let rate = |row: &&DevRow| {
        let triple = Triple {
            instruction: &row.task,
            reference: with_reference.then_some(row.reference.as_str()),
            response: &row.response,
        };
        teacher.rate(0, &triple)
    };
    rows.par_iter().map(rate).collect()
}

/// Pearson with p, mean Pearson within an instruction, AUROC of p > ½; 0 where undefined.
pub fn figures(scores: &[f64], rows: &[&DevRow]) -> [f64; 3] {
    let p: Vec<f64> = rows.iter().map(|r| r.p).collect();
    let length: Vec<f64> = rows.iter().map(|r| r.response.len() as f64).collect();
    let instruction = group_ids(rows.iter().map(|r| r.task.as_str()));
    let judged = JudgedRows {
        p: &p,
        instruction: &instruction,
        length: &length,
    };
    let found = stats::figures(&judged, scores);
    [found.pearson, found.within, found.auc].map(Option::unwrap_or_default)
}
