//! How the model under training does on rows it does not train on.

use std::collections::BTreeMap;

use anyhow::Result;
use tokenizers::Tokenizer;

use super::batch::cut_middle;
use super::config::Config;
use super::corpus::DevRow;
use super::tokens;
use crate::train::decoder::Worker;
use crate::train::pack::{Ask, AskKind, Pack};

/// Expected digit of each row, in order.
pub fn expected_digits(
    config: &Config,
    tokenizer: &Tokenizer,
    worker: &mut Worker,
    weights: &[f32],
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
            });
        }
        worker.forward(weights, &pack);
        for (i, p) in group
            .iter()
            .zip(worker.probabilities(weights, &pack, &digits))
        {
            let mass: f32 = p.iter().sum();
            let mean: f32 = p.iter().enumerate().map(|(d, p)| d as f32 * p).sum();
            scores[*i] = f64::from(mean / mass.max(1e-30));
        }
    }
    Ok(scores)
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let cross: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let (va, vb): (f64, f64) = (
        a.iter().map(|x| (x - ma) * (x - ma)).sum(),
        b.iter().map(|y| (y - mb) * (y - mb)).sum(),
    );
    (va > 0.0 && vb > 0.0).then(|| cross / (va * vb).sqrt())
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut i = 0;
    while i < order.len() {
        let mut j = i;
        while j + 1 < order.len() && values[order[j + 1]] == values[order[i]] {
            j += 1;
        }
        for k in i..=j {
            ranks[order[k]] = (i + j) as f64 / 2.0;
        }
        i = j + 1;
    }
    ranks
}

/// Pearson with p, mean rank correlation within an instruction, AUROC of p > ½.
pub fn figures(scores: &[f64], rows: &[&DevRow]) -> [f64; 3] {
    let p: Vec<f64> = rows.iter().map(|r| r.p).collect();
    let mut by_task: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        by_task.entry(&row.task).or_default().push(i);
    }
    let within: Vec<f64> = by_task
        .values()
        .filter(|g| g.len() > 2)
        .filter_map(|g| {
            let take = |v: &[f64]| ranks(&g.iter().map(|i| v[*i]).collect::<Vec<_>>());
            pearson(&take(scores), &take(&p))
        })
        .collect();
    let ranked = ranks(scores);
    let good: Vec<f64> = (0..p.len())
        .filter(|i| p[*i] > 0.5)
        .map(|i| ranked[i])
        .collect();
    let (n_good, n_bad) = (good.len() as f64, (p.len() - good.len()) as f64);
    let auc = (good.iter().sum::<f64>() - n_good * (n_good - 1.0) / 2.0) / (n_good * n_bad);
    [
        pearson(scores, &p).unwrap_or(0.0),
        within.iter().sum::<f64>() / within.len().max(1) as f64,
        auc,
    ]
}
