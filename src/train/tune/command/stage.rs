//! One training, ready to go.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::Told;
use super::watch::Watch;
use crate::model::base::Base;
use crate::model::facts::Facts;
use crate::model::tensors::Tensors;
use crate::train::tune::adam::AdamSettings;
use crate::train::tune::config::Config;
use crate::train::tune::files::write_model;
use crate::train::tune::lora::LoraConfig;
use crate::train::tune::memory::{Passes, available, lacking};
use crate::train::tune::net::{Net, Trained};
use crate::train::tune::ops::Bench;
use crate::train::tune::run::order::Steps;
use crate::train::tune::run::{End, Plan, Task, train};
use crate::train::tune::schedule::Schedule;
use crate::train::tune::sources::{self, Lesson};

/// What is trained, on what, and how.
pub struct Stage {
    pub plan: Plan,
    net: Net,
    task: Box<dyn Task>,
    threads: usize,
}

impl Stage {
    /// Loads the model and reads the data.
    ///
    /// # Errors
    /// A configuration, data or a model that cannot be used; too little memory.
    pub fn load(config: &Config, tell: &mut dyn FnMut(Told<'_>)) -> Result<Self> {
        let base =
            Base::named(&config.model).with_context(|| format!("model = {:?}", config.model))?;
        if base.path.is_file() && config.lora.is_none() {
            bail!(
                "model = {:?}: all weights of a GGUF file cannot be trained and kept as one; set lora_r, or name the \
                 model's folder",
                config.model
            );
        }
        let hash = base.tensors.hash()?;
        let decoder = base.config.clone();
        let parameters = count(&*base.tensors);
        let (facts, tensors) = base.facts(&config.model, hash, parameters);
        let facts = Arc::new(facts);
        let lesson = sources::read(config, &facts)?;
        for note in &lesson.notes {
            tell(Told::Note(note.clone()));
        }
        let format = config.dtype.format();
        let net = Net::load(decoder, &*tensors, trained(config), format, config.seed)?;
        drop(tensors);
        let plan = plan(config, &net, &lesson, &facts)?;
        tell(Told::Note(about(&net, &plan)));
        Ok(Stage {
            plan,
            net,
            task: lesson.task,
            threads: config.threads,
        })
    }

    /// Trains it, with `resume` from its newest checkpoint on, and writes what it has become.
    ///
    /// # Errors
    /// As [`train`].
    pub fn train(mut self, watch: &mut Watch<'_>, resume: bool) -> Result<End> {
        let bench = Bench::new(self.threads);
        let Stage {
            plan, net, task, ..
        } = &mut self;
        fs::create_dir_all(&plan.output)
            .with_context(|| format!("cannot make {}", plan.output.display()))?;
        let end = train(plan, net, &bench, &mut **task, watch, resume)?;
        if let Some(report) = task.report() {
            (watch.tell)(Told::Note(report));
        }
        let (name, path): &(String, PathBuf) = &plan.base;
        write_model(net, name, path, &plan.output)?;
        Ok(end)
    }
}

/// Numbers that a model has.
fn count(tensors: &dyn Tensors) -> u64 {
    let shapes = tensors.names().into_iter();
    let shapes = shapes.filter_map(|name| tensors.shape(&name));
    shapes
        .map(|shape| shape.iter().product::<usize>() as u64)
        .sum()
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
    let wish = config.activation_checkpointing;
    let passes = Passes::plan(net, config.micro_batch_size, longest, wish);
    if let Some(cause) = lacking(passes.bytes(net) + lesson.beside, available()) {
        bail!(cause);
    }
    Ok(Plan {
        output: config.output.clone(),
        base: (config.model.clone(), facts.path.clone()),
        seed: config.seed,
        steps,
        schedule: Schedule {
            course: config.scheduler,
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
