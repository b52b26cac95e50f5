//! Trains an adapter on batches that come in, a line a batch: one side of `training.py`.

use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use juror::kernel::Format;
use juror::model::architecture::DecoderConfig;
use juror::model::safetensors_folder::SafetensorsFolder;
use juror::train::tune::adam::{Adam, AdamSettings, clip};
use juror::train::tune::example::Example;
use juror::train::tune::lora::LoraConfig;
use juror::train::tune::memory::{Passes, Recompute};
use juror::train::tune::net::{Net, Tape, Trained};
use juror::train::tune::objective::{Desk, foresee};
use juror::train::tune::ops::Bench;
use serde::Deserialize;
use serde_json::json;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    model: PathBuf,
    /// f32 or bf16
    #[arg(long, default_value = "bf16")]
    dtype: String,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Compute activations again on the way back
    #[arg(long)]
    recompute: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Rows of ids, the last `answer` of which are learned.
#[derive(Deserialize)]
struct Request {
    rows: Vec<Vec<u32>>,
    answer: usize,
}

/// The most memory that this process has had, in bytes, where the system tells.
fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let config = DecoderConfig::read(&arguments.model.join("config.json"))?;
    let tensors = SafetensorsFolder::open(&arguments.model)?;
    let format = match arguments.dtype.as_str() {
        "f32" => Format::F32,
        "bf16" => Format::Bf16,
        other => return Err(anyhow!("--dtype {other}: f32 or bf16 expected")),
    };
    let lora = LoraConfig {
        rank: 16,
        alpha: 16.0,
        dropout: 0.05,
        targets: ["q_proj", "k_proj", "v_proj", "o_proj"]
            .map(Into::into)
            .to_vec(),
    };
    let mut net = Net::load(config, &tensors, Trained::Adapter(lora), format, 1)?;
    let bench = Bench::new(arguments.threads);
    let mut adam = Adam::new(AdamSettings::default(), net.trained().len(), net.spared());
    let mut tape = Tape::default();
    let mut out = stdout().lock();
    writeln!(out, "{}", json!({"ready": true}))?;
    out.flush()?;
    for (step, line) in stdin().lock().lines().enumerate() {
        let request: Request = serde_json::from_str(&line?).context("a request")?;
        let examples: Vec<Example> = request
            .rows
            .iter()
            .map(|ids| {
                let (prompt, answer) = ids.split_at(ids.len() - request.answer);
                Example::answer(prompt, answer)
            })
            .collect();
        let started = Instant::now();
        let longest = examples.iter().map(|e| e.ids.len()).max().unwrap_or(0);
        let wish = match arguments.recompute {
            true => Recompute::Always,
            false => Recompute::Auto,
        };
        let passes = Passes::plan(&net, examples.len(), longest, wish);
        let mut grads = vec![0.0; net.trained().len()];
        let mut desk = Desk {
            net: &net,
            bench: &bench,
            tape: &mut tape,
            grads: &mut grads,
            seed: Some(step as u64),
            pass_tokens: passes.tokens,
            pass_units: passes.units,
            recompute: passes.recompute,
        };
        let figures = foresee::step(&mut desk, &examples.iter().collect::<Vec<_>>())?;
        clip(&bench, &mut grads, 1.0);
        net.change(|weights| adam.step(&bench, weights, &grads, 3e-4));
        let answer = json!({
            "seconds": started.elapsed().as_secs_f64(),
            "tokens": examples.iter().map(|e| e.ids.len()).sum::<usize>(),
            "loss": figures["loss"],
            "peak": peak(),
        });
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
