//! `juror annotations export`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::JoinArguments;
use crate::cli::export::{PairArguments, check, journal, read, write_labels};
use crate::cli::output::write_to;
use crate::store::{Event, Store, exchange, tables};

/// Annotations as they are, or joined with the data they belong to.
#[derive(Args)]
pub struct Arguments {
    /// JSON lines for events; for the others a file that ends in .jsonl, .csv, .tsv (also .gz or .zst behind these)
    /// or .parquet; `-` is standard output
    #[arg(short, long, default_value = "-")]
    output: PathBuf,
    /// What a row is
    #[arg(long = "as", value_enum, value_name = "KIND", default_value_t)]
    kind: Kind,
    /// This annotator's alone
    #[arg(long, value_name = "NAME")]
    annotator: Option<String>,
    #[command(flatten)]
    join: JoinArguments,
    #[command(flatten)]
    pairs: PairArguments,
}

/// What a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// One thing an annotator did, for `import` on another machine
    #[default]
    Events,
    /// What one annotator said of one response of --data
    Labels,
    /// Two responses of --data of which annotators gave one the higher label, on average
    Pairs,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let annotator = arguments.annotator.as_deref();
    let output = arguments.output.as_path();
    let data = &arguments.join.data;
    match (arguments.kind, data.is_empty()) {
        (Kind::Events, true) => return events(annotator, output),
        (Kind::Events, false) => {
            bail!(
                "--data: events are written as they are; add --as labels or --as pairs to join them with data"
            )
        }
        (_, true) => bail!(
            "--as labels and --as pairs join annotations with the data they belong to: give --data FILE"
        ),
        (_, false) => {}
    }
    let journal = journal(annotator)?;
    let set = read(data, &arguments.join.options()?, output)?;
    match arguments.kind {
        Kind::Pairs => {
            let label = arguments.pairs.label(&tables::label_names(&journal))?;
            let value = tables::mean_label(&journal, label, annotator);
            arguments.pairs.write(output, &set, value)
        }
        _ => write_labels(output, &journal, &set, annotator),
    }
}

fn events(annotator: Option<&str>, output: &Path) -> Result<()> {
    let mut events: Vec<Event> = Store::open()?.events()?;
    let mut known: Vec<&str> = events.iter().map(|e| e.annotator.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    check(annotator, &known)?;
    if let Some(name) = annotator {
        events.retain(|event| event.annotator == name);
    }
    write_to(output, |out| Ok(exchange::write(&events, out)?))?;
    note!("juror: {} annotations written", events.len());
    Ok(())
}
