//! A training from its configuration to the model it leaves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::adam::AdamSettings;
use super::config::{Checkpointing, Config, Dtype, Scheduler};
use super::files::write_model;
use super::log::{Eval, Reason, Start, Step, TrainingLog, asked_to_stop};
use super::lora::LoraConfig;
use super::memory::{Passes, Recompute, available, lacking};
use super::net::{Net, Trained};
use super::objective::Figures;
use super::ops::Bench;
use super::run::order::Steps;
use super::run::{End, Observer, Plan, Taken, checkpoint, train};
use super::schedule::{Course, Schedule};
use super::sources::{self, Lesson};
use crate::data::{atomic, time};
use crate::kernel::Format;
use crate::model::base::Base;
use crate::model::facts::Facts;

/// What is said while it goes on.
pub enum Told<'a> {
    /// What was loaded, and how it will be learned: a sentence.
    Note(String),
    /// One of so many steps.
    Taken(&'a Taken, usize),
    Evaluated(usize, &'a Figures),
}

/// A training that has ended.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Outcome {
    /// `done` or `cancelled`.
    pub end: &'static str,
    pub steps: usize,
    pub tokens: u64,
    pub tokens_per_s: f64,
    pub loss: Option<f64>,
    /// Figures of the last evaluation.
    pub evaluation: std::collections::BTreeMap<String, f64>,
}

/// Runs a training, with `resume` on from its newest checkpoint; `stop` ends it behind the step under way.
///
/// # Errors
/// A configuration, data or a model that cannot be used; an output that holds another training; a loss that is not a
/// number; a full disk. What was learned until the last checkpoint is kept.
pub fn run(
    config: &Config,
    resume: bool,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Outcome> {
    let output = &config.output;
    let newest = checkpoint::newest(output);
    if !resume && (newest.is_some() || output.join(super::log::FILE).exists()) {
        bail!(
            "{} holds a training already: --resume goes on with it; or name another `output`",
            output.display()
        );
    }
    let base = Base::named(&config.model).with_context(|| format!("model = {:?}", config.model))?;
    if base.path.is_file() && config.lora.is_none() {
        bail!(
            "model = {:?}: all weights of a GGUF file cannot be trained and kept as one; set lora_r, or name the model's \
             folder",
            config.model
        );
    }
    let hash = base.tensors.hash()?;
    let decoder = base.config.clone();
    let (facts, tensors) = base.facts(&config.model, hash, 0);
    let facts = Arc::new(facts);
    let lesson = sources::read(config, &facts)?;
    for note in &lesson.notes {
        tell(Told::Note(note.clone()));
    }
    let mut net = Net::load(
        decoder,
        &*tensors,
        trained(config),
        match config.dtype {
            Dtype::F32 => Format::F32,
            Dtype::Bf16 => Format::Bf16,
        },
        config.seed,
    )?;
    drop(tensors);
    let plan = plan(config, &net, &lesson, &facts)?;
    tell(Told::Note(about(&net, &plan)));
    let from = match resume {
        true => newest.as_deref().map(checkpoint::step).transpose()?,
        false => None,
    };
    std::fs::create_dir_all(output).with_context(|| format!("cannot make {}", output.display()))?;
    let start = Start {
        command: config.kind().name().to_owned(),
        model: config.model.clone(),
        steps: plan.steps.total(),
        started: time::rfc3339(crate::store::now()).unwrap_or_default(),
        config_hash: plan.settings.clone(),
        from: from.unwrap_or(0),
    };
    let log = match from {
        Some(step) => TrainingLog::resume(output, start, step)?,
        None => TrainingLog::create(output, start)?,
    };
    let path = output.join("config.toml");
    atomic::write(&path, config.to_toml().as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut watch = Watch {
        log,
        tell,
        stop,
        output,
        total: plan.steps.total(),
        last: None,
        figures: Figures::new(),
    };
    let bench = Bench::new(config.threads);
    let mut task = lesson.task;
    let ended = train(&plan, &mut net, &bench, &mut *task, &mut watch, resume)
        .and_then(|end| write_model(&net, &config.model, &facts.path, output).map(|()| end));
    let Watch {
        log, last, figures, ..
    } = watch;
    match ended {
        Ok(end) => {
            let (reason, word) = match end {
                End::Done => (Reason::Done, "done"),
                End::Cancelled => (Reason::Cancelled, "cancelled"),
            };
            log.end(reason, "")?;
            Ok(Outcome {
                end: word,
                steps: last.as_ref().map_or(plan.steps.total(), |taken| taken.step),
                tokens: last.as_ref().map_or(0, |taken| taken.tokens),
                tokens_per_s: last.as_ref().map_or(0.0, |taken| taken.tokens_per_s),
                loss: last.and_then(|taken| taken.figures.get("loss").copied()),
                evaluation: figures
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            })
        }
        Err(error) => {
            let reason = match error.is::<super::run::NotFinite>() {
                true => Reason::Nan,
                false => Reason::Error,
            };
            // The error itself is what matters; a log that cannot be written to adds nothing.
            let _ = log.end(reason, format!("{error:#}"));
            Err(error)
        }
    }
}

fn trained(config: &Config) -> Trained {
    match &config.lora {
        None => Trained::All,
        Some(lora) => Trained::Adapter(LoraConfig {
            rank: lora.r,
            alpha: lora.alpha,
            dropout: lora.dropout as f32,
            targets: lora.target_modules.clone(),
        }),
    }
}

/// Tells one training from another: everything that shapes its result.
fn settings(config: &Config, facts: &Facts, lesson: &Lesson) -> String {
    let shaping = Config {
        output: "-".into(),
        threads: 1,
        tensorboard: false,
        eval_steps: None,
        save_steps: 1,
        ..config.clone()
    };
    let mut hash = Sha256::new();
    hash.update(shaping.to_toml());
    hash.update(&facts.hash);
    hash.update(lesson.hash);
    hex::encode(hash.finalize())
}

fn plan(config: &Config, net: &Net, lesson: &Lesson, facts: &Facts) -> Result<Plan> {
    let steps = Steps {
        items: lesson.items,
        batch: config.batch_size,
        epochs: config.epochs as usize,
        most: config.max_steps.map(|most| most as usize),
    };
    let longest = (0..lesson.items)
        .map(|item| lesson.task.tokens(item))
        .max()
        .unwrap_or(0);
    let wish = match config.activation_checkpointing {
        Checkpointing::Auto => Recompute::Auto,
        Checkpointing::Always => Recompute::Always,
        Checkpointing::Never => Recompute::Never,
    };
    let passes = Passes::plan(net, config.micro_batch_size, longest, wish);
    if let Some(cause) = lacking(passes.bytes(net), available()) {
        bail!(cause);
    }
    Ok(Plan {
        output: config.output.clone(),
        base: (config.model.clone(), facts.path.clone()),
        seed: config.seed,
        steps,
        schedule: Schedule {
            course: match config.scheduler {
                Scheduler::Linear => Course::Linear,
                Scheduler::Cosine => Course::Cosine,
                Scheduler::Constant => Course::Constant,
            },
            warmup: config.warmup.steps(steps.total() as u64) as usize,
            total: steps.total(),
            peak: config.learning_rate,
        },
        adam: AdamSettings {
            weight_decay: config.weight_decay,
            ..AdamSettings::default()
        },
        clip: match config.max_grad_norm {
            0.0 => f64::INFINITY,
            most => most,
        },
        save_every: Some(config.save_steps as usize),
        evaluate_every: config.eval_steps.map(|steps| steps as usize),
        passes,
        settings: settings(config, facts, lesson),
    })
}

/// One sentence on what will happen.
fn about(net: &Net, plan: &Plan) -> String {
    let what = match &net.adapter {
        Some(adapter) => format!("an adapter on {} projections", adapter.parts.len()),
        None => "all weights".to_owned(),
    };
    format!(
        "{what}, {:.2} million numbers; {} examples, {} steps of {}; passes of up to {} tokens{}, about {} MiB beside the \
         weights",
        net.trained().len() as f64 / 1e6,
        plan.steps.items,
        plan.steps.total(),
        plan.steps.batch,
        plan.passes.tokens,
        if plan.passes.recompute {
            ", activations computed twice"
        } else {
            ""
        },
        plan.passes.bytes(net) >> 20
    )
}

/// Brings what happens to the log and to whoever started it.
struct Watch<'a> {
    log: TrainingLog,
    tell: &'a mut dyn FnMut(Told<'_>),
    stop: &'a AtomicBool,
    output: &'a Path,
    total: usize,
    last: Option<Taken>,
    figures: Figures,
}

impl Observer for Watch<'_> {
    fn taken(&mut self, taken: &Taken) -> Result<()> {
        let parts = taken.figures.iter().filter(|(name, _)| **name != "loss");
        self.log.step(Step {
            step: taken.step,
            epoch: taken.epoch,
            loss: taken.figures.get("loss").copied().unwrap_or(f64::NAN),
            parts: parts
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            learning_rate: taken.learning_rate,
            grad_norm: taken.grad_norm,
            tokens: taken.tokens,
            tokens_per_s: taken.tokens_per_s,
        })?;
        (self.tell)(Told::Taken(taken, self.total));
        self.last = Some(taken.clone());
        Ok(())
    }

    fn evaluated(&mut self, step: usize, figures: &Figures) -> Result<()> {
        let named = figures.iter();
        self.log.eval(Eval {
            step,
            figures: named
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
        })?;
        (self.tell)(Told::Evaluated(step, figures));
        self.figures = figures.clone();
        Ok(())
    }

    fn saved(&mut self, step: usize) -> Result<()> {
        Ok(self.log.saved(step)?)
    }

    fn stops(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed) || asked_to_stop(self.output)
    }
}
