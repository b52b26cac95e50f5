//! The training loop: data-parallel over threads, resumed from the last checkpoint.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::batch::Batches;
use super::checkpoint::{self, Progress};
use super::config::{Config, Training};
use super::corpus::{self, Corpus, DevRow};
use super::teacher::Teacher;
use super::{evaluate, tokens};
use crate::train::loss::{Auxiliary, LossSums};
use crate::train::optimizer::Optimizer;
use crate::train::shape::Shape;
use crate::train::tune::net::Net;
use crate::train::worker::Worker;

/// Rows on unseen instructions looked at during training; half as many on known ones.
const EVALUATED: usize = 600;

/// Trains as the file says; a run that was interrupted goes on from its last checkpoint.
///
/// # Errors
/// A bad configuration, unreadable data, or a disk that does not take the results.
pub fn run(config_path: &Path) -> Result<()> {
    let place = || format!("{}", config_path.display());
    let source = fs::read_to_string(config_path).with_context(place)?;
    let config: Config = toml::from_str(&source).with_context(place)?;
    fs::create_dir_all(&config.output)
        .with_context(|| format!("cannot make {}", config.output.display()))?;
    let mut corpus = corpus::read(&config.data)?;
    let teacher = Teacher::fit(&corpus.groups)?;
    let (groups, share) = (&mut corpus.groups, config.training.flatten);
    corpus::flatten(groups, share, |id, group, answer| {
        teacher.expected(id, group, answer)
    });
    let tokenizer = tokenizer(&config, &corpus)?;
    let shape = Shape {
        vocab: tokenizer.get_vocab_size(true),
        dim: config.model.dim,
        layers: config.model.layers,
        heads: config.model.heads,
        ffn: config.model.ffn,
        context: config.model.context,
        rope_theta: config.model.rope_theta,
        norm_eps: 1e-5,
    };
    if let Some(problem) = shape.problem() {
        return Err(anyhow!("{}: {problem}", place()));
    }
    let batches = Batches::new(&config, &corpus, &tokenizer, &teacher)?;
    let mut log = Log::open(&config.output.join("log.jsonl"))?;
    log.line(&json!({"parameters": shape.layout().len, "corpus": batches.summary()}))?;
    let mut weights = initial(&shape, config.seed);
    let watched = [
        ("unseen", spread(&corpus.unseen, EVALUATED)),
        ("tuning", spread(&corpus.tuning, EVALUATED / 2)),
    ];
    // What there is to be learned from it: new models on instructions that it was not fitted on.
    let (name, rows) = &watched[0];
    for with_reference in [true, false] {
        let scores = evaluate::by_teacher(&teacher, rows, with_reference);
        let mut line = looked_at(name, rows, with_reference, &scores);
        line["by"] = "teacher".into();
        log.line(&line)?;
    }
    if let Some(folder) = &config.start {
        checkpoint::import(folder, &shape, &mut weights)?;
    }
    Loop {
        net: shape.net(weights),
        optimizer: Optimizer::new(&shape, config.training.rule, config.training.weight_decay),
        workers: (0..config.threads.max(1))
            .map(|_| Worker::default())
            .collect(),
        progress: Progress::default(),
        config: &config,
        shape,
        batches,
        tokenizer: &tokenizer,
        watched,
        log,
    }
    .run()
}

/// A line of the log: how scores agree with the labels of watched rows.
fn looked_at(name: &str, rows: &[&DevRow], with_reference: bool, scores: &[f64]) -> Value {
    let [pearson, within, auc] = evaluate::figures(scores, rows);
    let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    json!({
        "rows": name,
        "count": rows.len(),
        "with_reference": with_reference,
        "pearson": round(pearson),
        "within": round(within),
        "auc": round(auc),
        "mean": round(mean),
    })
}

/// Whole instructions from all over the list, about `count` rows.
fn spread(rows: &[DevRow], count: usize) -> Vec<&DevRow> {
    let stride = rows.len().div_ceil(count.max(1)).max(1);
    let mut tasks: Vec<&str> = rows.iter().map(|r| r.task.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let kept: std::collections::HashSet<&str> = tasks.into_iter().step_by(stride).collect();
    rows.iter()
        .filter(|r| kept.contains(r.task.as_str()))
        .collect()
}

/// The tokenizer of the run: trained once, then read; that of the model to go on from, if there is one.
fn tokenizer(config: &Config, corpus: &Corpus) -> Result<Tokenizer> {
    let path = config.output.join("tokenizer.json");
    let given = config
        .start
        .as_ref()
        .map(|folder| folder.join("tokenizer.json"));
    if let Some(path) = given.or_else(|| path.exists().then(|| path.clone())) {
        return Tokenizer::from_file(&path).map_err(|e| anyhow!("{}: {e}", path.display()));
    }
    let texts = corpus.groups.iter().flat_map(|g| {
        let answers = g.answers.iter().take(12).map(|a| a.text.as_str());
        let references = g.references.iter().map(String::as_str);
        std::iter::once(g.task.as_str())
            .chain(references)
            .chain(answers)
    });
    let texts: Vec<&str> = texts.collect();
    let tokenizer = tokens::train(texts.into_iter(), config.model.vocab)?;
    let json = tokenizer
        .to_string(false)
        .map_err(|e| anyhow!("tokenizer: {e}"))?;
    checkpoint::write_atomically(&path, json.as_bytes())?;
    Ok(tokenizer)
}

/// Normal with deviation 0.02, smaller where a matrix writes into the residual stream; norms 1.
fn initial(shape: &Shape, seed: u64) -> Vec<f32> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut normal = || {
        let (u, v): (f64, f64) = (rng.random(), rng.random());
        ((-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    };
    let mut weights = vec![1.0; shape.layout().len];
    let narrow = 1.0 / (2.0 * shape.layers as f32).sqrt();
    for tensor in shape.tensors().iter().filter(|t| t.rows > 1) {
        let into_stream = tensor.name.contains("o_proj") || tensor.name.contains("down_proj");
        let deviation = 0.02 * if into_stream { narrow } else { 1.0 };
        for w in &mut weights[tensor.range.clone()] {
            *w = normal() * deviation;
        }
    }
    weights
}

/// JSON lines, each on disk before training goes on.
struct Log(fs::File);

impl Log {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Log(file.with_context(|| {
            format!("cannot write {}", path.display())
        })?))
    }

    fn line(&mut self, value: &serde_json::Value) -> Result<()> {
        note!("{value}");
        writeln!(self.0, "{value}").context("cannot write the training log")
    }
}

/// Learning rate at a point of the run: a linear start, constant, a linear end at zero.
fn rate(training: &Training, progress: Progress) -> f32 {
    let start = (progress.steps + 1) as f32 / training.warmup_steps.max(1) as f32;
    let left = training.tokens.saturating_sub(progress.tokens) as f32;
    let end = left / training.decay_tokens.max(1) as f32;
    training.learning_rate * start.min(end).min(1.0)
}

struct Loop<'a> {
    config: &'a Config,
    shape: Shape,
    batches: Batches<'a>,
    tokenizer: &'a Tokenizer,
    watched: [(&'static str, Vec<&'a DevRow>); 2],
    net: Net,
    optimizer: Optimizer,
    workers: Vec<Worker>,
    progress: Progress,
    log: Log,
}

impl Loop<'_> {
    fn run(mut self) -> Result<()> {
        let saved = self.config.output.join("checkpoint.safetensors");
        if saved.exists() {
            self.progress =
                checkpoint::load(&saved, &mut self.net.parameters, &mut self.optimizer)?;
            self.log
                .line(&json!({"resumed_at": self.progress.tokens}))?;
        }
        let training = &self.config.training;
        let every = Duration::from_secs_f64(training.checkpoint_minutes * 60.0);
        let (mut last_save, mut last_report) = (Instant::now(), Instant::now());
        let (mut sums, mut tokens_then) = (LossSums::default(), self.progress.tokens);
        while self.progress.tokens < training.tokens {
            let rate = rate(training, self.progress);
            let (step_sums, length) = self.step(rate)?;
            sums.add(&step_sums);
            if self.progress.steps.is_multiple_of(20) {
                let seconds = last_report.elapsed().as_secs_f64();
                self.log.line(&json!({
                    "step": self.progress.steps,
                    "tokens": self.progress.tokens,
                    "tokens_per_s": ((self.progress.tokens - tokens_then) as f64 / seconds) as u64,
                    "rate": rate,
                    "gradient": length,
                    "language": round(sums.language / sums.language_count.max(1.0)),
                    "judgment": round(sums.judgment / sums.judgment_count.max(1.0)),
                    "relevance": round(sums.relevance / sums.relevance_count.max(1.0)),
                    "found": round(sums.found / sums.found_count.max(1.0)),
                    "surface": round(sums.surface / sums.surface_count.max(1.0)),
                    "contrast": round(sums.contrast / sums.contrast_count.max(1.0)),
                }))?;
                (sums, tokens_then) = (LossSums::default(), self.progress.tokens);
                last_report = Instant::now();
            }
            if self
                .progress
                .steps
                .is_multiple_of(training.evaluate_steps.max(1))
            {
                self.evaluate()?;
                last_report = Instant::now();
            }
            if last_save.elapsed() > every {
                self.save(&saved)?;
                last_save = Instant::now();
            }
        }
        self.evaluate()?;
        self.save(&saved)
    }

    fn save(&self, path: &Path) -> Result<()> {
        checkpoint::save(path, &self.net.parameters, &self.optimizer, self.progress)?;
        let model = self.config.output.join("model");
        checkpoint::export(&model, &self.shape, &self.net.parameters, self.tokenizer)
    }

    /// One optimiser step over packs shared out among the threads.
    fn step(&mut self, rate: f32) -> Result<(LossSums, f32)> {
        let training = &self.config.training;
        let language_only = self.progress.tokens < training.language_tokens;
        let packs = (training.step_tokens / training.pack_tokens.max(1)).max(1);
        let threads = self.workers.len();
        let (net, batches) = (&self.net, &self.batches);
        let steps = self.progress.steps;
        let results: Vec<Result<(Vec<f32>, LossSums, usize)>> = std::thread::scope(|scope| {
            let running: Vec<_> = self
                .workers
                .iter_mut()
                .enumerate()
                .map(|(t, worker)| {
                    scope.spawn(move || {
                        let mut grads = vec![0.0; net.parameters.len()];
                        let (mut sums, mut tokens) = (LossSums::default(), 0);
                        for index in (t..packs).step_by(threads) {
                            let pack = batches.pack(steps, index, language_only)?;
                            sums.add(&worker.step(
                                net,
                                &mut grads,
                                &pack,
                                Auxiliary {
                                    contrast: training.contrast_weight,
                                    relevance: training.relevance_weight,
                                    found: training.found_weight,
                                    surface: training.surface_weight,
                                },
                            )?);
                            tokens += pack.len();
                        }
                        Ok((grads, sums, tokens))
                    })
                })
                .collect();
            running
                .into_iter()
                .map(|r| {
                    r.join()
                        .unwrap_or_else(|_| Err(anyhow!("a training thread died")))
                })
                .collect()
        });
        let mut all: Option<Vec<f32>> = None;
        let mut sums = LossSums::default();
        for result in results {
            let (grads, part, tokens) = result?;
            sums.add(&part);
            self.progress.tokens += tokens as u64;
            match &mut all {
                None => all = Some(grads),
                Some(all) => crate::kernel::vector::add_scaled(all, &grads, 1.0),
            }
        }
        let mut grads = all.unwrap_or_default();
        let count = if language_only {
            sums.language_count
        } else {
            sums.judgment_count
        };
        let scale = 1.0 / count.max(1.0) as f32;
        grads.iter_mut().for_each(|g| *g *= scale);
        let length = self
            .optimizer
            .step(&mut self.net.parameters, &mut grads, rate, training.clip);
        self.progress.steps += 1;
        Ok((sums, length))
    }

    fn evaluate(&mut self) -> Result<()> {
        for at in 0..self.watched.len() {
            for with_reference in [true, false] {
                let started = Instant::now();
                let scores = self.scores(at, with_reference)?;
                let (name, rows) = &self.watched[at];
                let mut line = looked_at(name, rows, with_reference, &scores);
                line["step"] = self.progress.steps.into();
                line["tokens"] = self.progress.tokens.into();
                line["seconds"] = round(started.elapsed().as_secs_f64()).into();
                self.log.line(&line)?;
            }
        }
        Ok(())
    }

    /// Expected digits of watched rows, shared out among the threads.
    fn scores(&mut self, at: usize, with_reference: bool) -> Result<Vec<f64>> {
        let rows = &self.watched[at].1;
        let part = rows.len() / self.workers.len().max(1) + 1;
        let (config, tokenizer, net) = (self.config, self.tokenizer, &self.net);
        let parts: Vec<Result<Vec<f64>>> = std::thread::scope(|scope| {
            let running: Vec<_> = rows
                .chunks(part)
                .zip(self.workers.iter_mut())
                .map(|(rows, worker)| {
                    scope.spawn(move || {
                        evaluate::expected_digits(
                            config,
                            tokenizer,
                            worker,
                            net,
                            rows,
                            with_reference,
                        )
                    })
                })
                .collect();
            running
                .into_iter()
                .map(|r| r.join().unwrap_or_else(|_| Err(anyhow!("a thread died"))))
                .collect()
        });
        let mut scores = Vec::new();
        for part in parts {
            scores.extend(part?);
        }
        Ok(scores)
    }
}

fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
