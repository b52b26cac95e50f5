//! `juror model pull hf:ORG/NAME[@REVISION][:FILE.gguf]`

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use serde_json::json;

use crate::model::hub::{Hub, Name, Want};
use crate::model::spec::{Source, Spec};

/// What to fetch.
#[derive(Args)]
pub struct Arguments {
    /// hf:ORG/NAME[@REVISION][:FILE.gguf], and any +hf:ORG/ADAPTER after it
    name: String,
    /// Fetch a LoRA adapter by itself
    #[arg(long)]
    adapter: bool,
    /// One object on standard output
    #[arg(long)]
    json: bool,
    /// No progress and no closing sentence
    #[arg(long)]
    quiet: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let spec = Spec::parse(&arguments.name)?;
    let Source::Hub(model) = &spec.source else {
        bail!(
            "{}: only names on the hub are fetched: hf:ORG/NAME[@REVISION][:FILE.gguf]",
            arguments.name
        );
    };
    let want = if arguments.adapter {
        Want::Adapter
    } else {
        Want::Model
    };
    let (hub, started) = (Hub::from_env(), Instant::now());
    let bar = bar(arguments.quiet);
    let mut fetched = 0;
    // Adapters first: where one cannot be had, the model is not needed.
    let mut adapters = Vec::new();
    for adapter in &spec.adapters {
        if let Source::Hub(adapter) = adapter {
            adapters.push(pull(&hub, adapter, Want::Adapter, &bar, &mut fetched)?);
        }
    }
    let path = pull(&hub, model, want, &bar, &mut fetched)?;
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    if arguments.json {
        let object = json!({
            "name": arguments.name, "path": path, "adapters": adapters, "fetched_bytes": fetched,
            "seconds": seconds,
        });
        writeln!(io::stdout(), "{object}")?;
    } else {
        writeln!(io::stdout(), "{}", path.display())?;
        if !arguments.quiet {
            note!(
                "{}: {} fetched in {seconds:.1} s",
                arguments.name,
                BinaryBytes(fetched)
            );
        }
    }
    Ok(())
}

fn pull(
    hub: &Hub,
    name: &Name,
    want: Want,
    bar: &ProgressBar,
    fetched: &mut u64,
) -> Result<PathBuf> {
    let mut last = None;
    let path = hub.pull(name, want, &mut |p| {
        bar.set_length(p.total);
        bar.set_position(p.done);
        // What was there before says nothing about the rate. A transfer that starts over steps back.
        match last {
            None => bar.reset_eta(),
            Some(before) => *fetched += p.done.saturating_sub(before),
        }
        last = Some(p.done);
        bar.set_message(p.file.to_owned());
    })?;
    Ok(path)
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = "{spinner} {binary_bytes}/{binary_total_bytes} {wide_bar} {binary_bytes_per_sec}  ETA {eta}  {msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}
