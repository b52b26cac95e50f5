//! Juror's side of `benches/engines.py`: a model, and requests a line on standard input.
//!
//!     cargo bench --bench engine -- --judge FOLDER_OR_GGUF --dtype bf16 --threads 2
//!
//! A request is `{"prompts": [[id, …], …], "labels": [id, …]}`, the same with `"generate": n` or
//! `"embed": true` instead of labels, or `{"peak": seconds}`. The answer is one line with the
//! seconds from handing in to the last result, the tokens computed (or written), and the results of
//! the first prompts. Whoever wants a cold prefix cache asks about prompts that are new.

use std::io::{BufRead, Write};
use std::sync::mpsc::channel;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use clap::{Parser, ValueEnum};
use juror::engine::{Answer, Ask, Engine, Job, Lane, Options, Outcome, Role, Task};
use juror::kernel::{Format, peak};
use juror::model::sampling::Sampling;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Parser)]
struct Arguments {
    /// A model folder or a GGUF file
    #[arg(long)]
    judge: String,
    /// A second model, for `embed`
    #[arg(long)]
    embedder: Option<String>,
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
    #[arg(long)]
    threads: Option<usize>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dtype {
    F32,
    Bf16,
    Int8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default)]
    prompts: Vec<Vec<u32>>,
    #[serde(default)]
    labels: Vec<u32>,
    #[serde(default)]
    labels_only: bool,
    generate: Option<usize>,
    #[serde(default)]
    embed: bool,
    peak: Option<f64>,
}

/// Prompts whose results are shown, and numbers of an embedding.
const SHOWN: usize = 8;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let format = match arguments.dtype {
        None => Format::best(),
        Some(Dtype::F32) => Format::F32,
        Some(Dtype::Bf16) => Format::Bf16,
        Some(Dtype::Int8) => Format::Int8,
    };
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.into(),
    };
    let engine = load(&arguments, format, threads)?;
    println!("{}", json!({"ready": true}));
    for (id, line) in std::io::stdin().lock().lines().enumerate() {
        let request: Request = serde_json::from_str(&line?)?;
        let answer = match request.peak {
            Some(seconds) => json!({"operations_per_second": limit(format, threads, seconds)}),
            None => answer(&engine, id as u64, request)?,
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn load(arguments: &Arguments, format: Format, threads: usize) -> Result<Engine> {
    let options = Options {
        judge: arguments.judge.clone(),
        embedder: arguments.embedder.clone(),
        device: "cpu".into(),
        dtype: Some(format),
        threads: Some(threads),
        ..Options::default()
    };
    let (engine, _) = Engine::load(options, |_, _, _| ())?;
    Ok(engine)
}

fn answer(engine: &Engine, id: u64, request: Request) -> Result<Value> {
    let labels: Vec<Vec<u32>> = request.labels.iter().map(|l| vec![*l]).collect();
    let (role, ask) = match request.generate {
        _ if request.embed => (Role::Embedder, Ask::Embed),
        None => (
            Role::Judge,
            Ask::Labels {
                labels,
                mass: !request.labels_only,
                top: None,
            },
        ),
        Some(max_tokens) => {
            let sampling = Sampling {
                temperature: 0.0,
                max_tokens,
                ..Sampling::default()
            };
            let end = Vec::new();
            (Role::Policy, Ask::Generate { sampling, end })
        }
    };
    let task = |ids| Task {
        role,
        ids,
        ask: ask.clone(),
    };
    let (reply, answers) = channel();
    let tasks = request.prompts.into_iter().map(task).collect();
    let (started, mut first) = (Instant::now(), None);
    engine.submit(Job {
        id,
        lane: Lane::Batch,
        tasks,
        reply,
    });
    for answer in answers {
        let seconds = started.elapsed().as_secs_f64();
        match answer {
            Answer::Token { .. } => {
                first.get_or_insert(seconds);
            }
            Answer::Done { outcomes, .. } => {
                let shown: Vec<Value> = outcomes.iter().take(SHOWN).map(shown).collect();
                let tokens: usize = outcomes.iter().map(tokens).sum();
                return Ok(json!({
                    "seconds": seconds, "first": first, "tokens": tokens, "results": shown,
                }));
            }
            Answer::Failed { cause, .. } => bail!("{cause}"),
            Answer::Cancelled { .. } => bail!("cancelled"),
        }
    }
    Err(anyhow!("the engine stopped"))
}

fn tokens(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Labels { computed, .. }
        | Outcome::Embedding { computed, .. }
        | Outcome::LogProbs { computed, .. }
        | Outcome::Reward { computed, .. } => *computed,
        Outcome::Generated { ids, .. } => ids.len(),
    }
}

fn shown(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Labels { probabilities, .. } => json!(probabilities),
        Outcome::LogProbs { values, .. } | Outcome::Reward { labels: values, .. } => {
            json!(&values[..SHOWN.min(values.len())])
        }
        Outcome::Embedding { vector, .. } => json!(&vector[..SHOWN.min(vector.len())]),
        Outcome::Generated { ids, .. } => json!(ids),
    }
}

/// Operations a second that the format's instruction reaches on all threads at once.
fn limit(format: Format, threads: usize, seconds: f64) -> f64 {
    const ROUNDS: usize = 1_000_000;
    let work = || {
        let (started, mut operations) = (Instant::now(), 0.0);
        while started.elapsed().as_secs_f64() < seconds {
            operations += peak::spin(format, ROUNDS);
        }
        operations / started.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        own + others
            .into_iter()
            .filter_map(|other| other.join().ok())
            .sum::<f64>()
    })
}
