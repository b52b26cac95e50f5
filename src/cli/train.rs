//! `juror train …`

mod log;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use super::output::EndArguments;
use super::progress::bar;
use crate::store::Store;
use crate::store::trainings::Training;
use crate::train::tune::command::{self, Outcome, Told};
use crate::train::tune::config::{Config, Kind};
use crate::train::tune::objective::Figures;

/// Said below the options of all trainings.
const LONG: &str = "\
The folder `output` of the configuration takes the adapter (or the whole model), checkpoint-STEP folders, config.toml with \
every default in it, log.jsonl, and TensorBoard's event files; the Runs screen of the explorer shows it while it goes on. \
Ctrl-C ends it behind the step under way and keeps a checkpoint, as a file named `stop` in `output` does.";

/// Said below those of self-training.
const LONG_SELF: &str = "\
With `prompts`, each step the model answers some of them twice, judges the two without its adapter, and learns; the pairs are \
lines of samples.jsonl, which `pairs` takes to replay them. With `iterations` above 1 each starts from what the one before has \
become, and all but the last lie in iteration-N folders of `output`: the name that is said in the end has all adapters.";

/// What to train.
#[derive(Subcommand)]
pub enum Command {
    /// A judge that rates without a reference as it does with one (Self-J: two losses and self-distillation)
    #[command(after_long_help = LONG)]
    Judge(Arguments),
    /// Instruction tuning
    #[command(after_long_help = LONG)]
    Sft(Arguments),
    /// Instruction tuning and judgments of pairs by one token (SELF-JUDGE: JSFT)
    #[command(after_long_help = LONG)]
    Jsft(Arguments),
    /// A policy on the answers that its own judgments prefer (SELF-JUDGE: on-policy self-training)
    #[command(name = "self", after_long_help = format!("{LONG_SELF}\n\n{LONG}"))]
    SelfTraining(Arguments),
    /// A small judge-and-policy model from nothing: tokenizer, language, judgment
    Scratch {
        /// A TOML file, such as benches/starter.toml
        #[arg(long)]
        config: PathBuf,
    },
    /// How far a training is: its latest figures and curves
    Log(log::Arguments),
}

/// How a training is started.
#[derive(Args)]
pub struct Arguments {
    /// A TOML file: model, output, the data, and what differs from the defaults
    #[arg(long, value_name = "F.toml")]
    config: PathBuf,
    /// Go on from the newest checkpoint, with the result of a training that was never interrupted
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    end: EndArguments,
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Judge(arguments) => tune(Kind::Judge, arguments),
        Command::Sft(arguments) => tune(Kind::Sft, arguments),
        Command::Jsft(arguments) => tune(Kind::Jsft, arguments),
        Command::SelfTraining(arguments) => tune(Kind::SelfTraining, arguments),
        Command::Scratch { config } => crate::train::scratch::run(config),
        Command::Log(arguments) => log::run(arguments),
    }
}

fn tune(kind: Kind, arguments: &Arguments) -> Result<()> {
    let config = Config::read(kind, &arguments.config)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second one ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("signals cannot be listened to")?;
    }
    remember(&config.output, kind);
    let bar = bar(arguments.end.quiet, 0);
    let quiet = arguments.end.quiet;
    let outcome = command::run(&config, arguments.resume, &stop, &mut |told| {
        say(&bar, quiet, told);
    })?;
    bar.finish_and_clear();
    arguments
        .end
        .tell(&outcome, |outcome| sentence(outcome, &config.output))
}

/// Lets the explorer know of the folder; a training does not depend on that.
fn remember(output: &Path, kind: Kind) {
    let kept = std::fs::create_dir_all(output)
        .map_err(anyhow::Error::from)
        .and_then(|()| {
            let mut store = Store::open()?;
            Ok(store.keep_training(&Training::begins(output, kind.name()))?)
        });
    if let Err(cause) = kept {
        note!("juror: the Runs screen will not show this training: {cause:#}");
    }
}

fn say(bar: &ProgressBar, quiet: bool, told: Told<'_>) {
    match told {
        Told::Note(_) | Told::Evaluated(..) if quiet => (),
        Told::Note(note) => bar.suspend(|| note!("juror: {note}")),
        Told::Taken(taken, total) => {
            bar.set_length(total as u64);
            bar.set_position(taken.step as u64);
            bar.set_message(format!(
                "loss {:.4}  {:.0} tok/s",
                taken.figures.get("loss").unwrap_or(&f64::NAN),
                taken.tokens_per_s
            ));
        }
        Told::Evaluated(step, figures) => {
            bar.suspend(|| note!("juror: step {step}: {}", list(figures)));
        }
    }
}

fn list(figures: &Figures) -> String {
    let each = figures
        .iter()
        .map(|(name, value)| format!("{name} {value:.4}"));
    each.collect::<Vec<_>>().join(", ")
}

fn sentence(outcome: &Outcome, output: &Path) -> String {
    let loss = outcome
        .loss
        .map_or(String::new(), |loss| format!(", loss {loss:.4}"));
    let figures: Vec<String> = outcome
        .evaluation
        .iter()
        .map(|(name, value)| format!("{name} {value:.4}"))
        .collect();
    let found = match figures.is_empty() {
        true => String::new(),
        false => format!("; evaluated: {}", figures.join(", ")),
    };
    let (end, resume) = match outcome.end {
        "cancelled" => ("stopped", "; --resume goes on with it".to_owned()),
        _ => ("trained", format!("; name the model {}", outcome.model)),
    };
    format!(
        "{end} after {} steps, {} tokens at {:.0} tok/s{loss}{found}; it is in {}{resume}",
        outcome.steps,
        outcome.tokens,
        outcome.tokens_per_s,
        output.display()
    )
}
