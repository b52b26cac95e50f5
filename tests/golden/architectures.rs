//! Every architecture against transformers, on random models whose weights are hashes.

use candle_core::Device;
use juror::kernel::Format;
use juror::model::architecture::Head;
use juror::model::decoder::accelerator::Accelerator;
use juror::model::decoder::compute::Compute;
use juror::model::decoder::cpu::Cpu;

use super::{forward, ids, numbers, weights};

/// The bar: largest difference of a logit at 1,500 tokens.
const CLOSE: f64 = 2e-4;

fn furthest(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let pairs = got.iter().zip(want);
    pairs
        .map(|(g, w)| (f64::from(*g) - w).abs())
        .fold(0.0, f64::max)
}

#[test]
fn every_architecture_equals_transformers() {
    all_equal_transformers(|| Cpu::new(2, Format::F32));
}

#[test]
fn every_architecture_on_tensors_equals_transformers() {
    all_equal_transformers(|| Accelerator::new(Device::Cpu, Format::F32).unwrap());
}

fn all_equal_transformers<C: Compute>(device: impl Fn() -> C) {
    let mut report = Vec::new();
    for case in weights::cases() {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        weights::write_model(&case, folder.path());
        let golden = weights::golden(&case);
        let decoder = forward::open_on(folder.path(), device());
        let prompt = &golden["prompt"];
        let length = prompt["length"].as_u64().unwrap() as usize;
        let vocab = decoder.config().vocab;
        let prompt = weights::prompt_ids(prompt["seed"].as_u64().unwrap(), length, vocab);
        let (hidden, _) = forward::hidden(&decoder, &prompt, &[]).unwrap();
        let dim = decoder.config().dim;
        let last = &hidden[hidden.len() - dim..];
        let mut worst = furthest(last, &numbers(&golden["hidden"]));
        let is_reward = matches!(decoder.config().head, Head::Reward { .. });
        let logits = forward::logits(&decoder, &hidden);
        let width = logits.len() / length;
        if is_reward {
            let want = numbers(&golden["labels"]);
            worst = worst.max(furthest(&logits[logits.len() - width..], &want));
        } else {
            let rows = &golden["logits"];
            let columns = ids(&rows["columns"]);
            for row in rows["at"].as_array().unwrap() {
                let at = row[0].as_u64().unwrap() as usize;
                let logits = &logits[at * width..][..width];
                let got: Vec<f32> = columns.iter().map(|c| logits[*c as usize]).collect();
                worst = worst.max(furthest(&got, &numbers(&row[1])));
            }
            worst = worst.max(furthest(
                &logits[logits.len() - width..],
                &numbers(&rows["last"]),
            ));
            let log_probs = |row: &[f32]| -> Vec<f64> {
                let max = row.iter().copied().fold(f32::MIN, f32::max);
                let sum: f64 = row.iter().map(|l| f64::from(l - max).exp()).sum();
                row.iter().map(|l| f64::from(l - max) - sum.ln()).collect()
            };
            let got = log_probs(&logits[logits.len() - width..]);
            for (got, want) in got.iter().zip(numbers(&golden["log_probs"])) {
                worst = worst.max((got - want).abs());
            }
            let total: f64 = (0..length - 1)
                .map(|at| -log_probs(&logits[at * width..][..width])[prompt[at + 1] as usize])
                .sum();
            let want = golden["mean_negative_log_likelihood"].as_f64().unwrap();
            worst = worst.max((total / (length - 1) as f64 - want).abs());
        }
        report.push((name, worst));
    }
    for (name, worst) in &report {
        println!("{name}: {worst:.2e}");
    }
    let failed: Vec<_> = report
        .iter()
        .filter(|(_, w)| *w > CLOSE || w.is_nan())
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}
