//! `juror annotations import` and `juror annotations merge`

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Args;
use serde::Serialize;

use crate::cli::output::{spare, tell, write_to};
use crate::data::source;
use crate::store::{Event, Store, exchange};

/// Adds annotations to those here; known ones are left as they are.
#[derive(Args)]
pub struct ImportArguments {
    /// Files that `juror annotations export` wrote, plain, gzip or zstd; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// One JSON object instead of a sentence
    #[arg(long)]
    json: bool,
}

/// Makes one file of several, in order of time.
#[derive(Args)]
pub struct MergeArguments {
    /// Files that `juror annotations export` wrote, plain, gzip or zstd; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// All annotations, each once; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
}

#[derive(Serialize)]
struct Imported {
    events: usize,
    new: usize,
    known: usize,
}

pub fn import(arguments: &ImportArguments) -> Result<()> {
    let events = merged(&arguments.files)?;
    // All or none: a file that is wrong somewhere adds nothing.
    let new = Store::open()?.add_events(&events)?;
    let report = Imported {
        events: events.len(),
        new,
        known: events.len().saturating_sub(new),
    };
    tell(&report, arguments.json, |report| {
        format!(
            "{} of {} annotations are new, {} were known\n",
            report.new, report.events, report.known
        )
    })
}

pub fn merge(arguments: &MergeArguments) -> Result<()> {
    spare(&arguments.files, [Some(&arguments.output)])?;
    let events = merged(&arguments.files)?;
    write_to(&arguments.output, |out| Ok(exchange::write(&events, out)?))?;
    note!("juror: {} annotations written", events.len());
    Ok(())
}

fn merged(files: &[PathBuf]) -> Result<Vec<Event>> {
    let read = files.iter().map(|file| {
        let name = match file == Path::new("-") {
            true => "standard input".to_owned(),
            false => file.display().to_string(),
        };
        Ok(exchange::read(&name, source::open(file)?)?)
    });
    let places = read.collect::<Result<Vec<_>>>()?;
    exchange::merge(places).map_err(|uid| {
        let names: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
        anyhow!(
            "{}: the annotation {uid} is there twice with different contents, so one was changed by hand: remove the \
             wrong line",
            names.join(", ")
        )
    })
}
