//! The command line: arguments, one file a command, output as lines of JSON or a sentence.

mod annotations;
mod best_of;
mod bound;
mod collect;
mod columns;
mod doctor;
mod eval;
mod explore;
mod export;
mod fuse;
mod ifd;
mod judge;
mod machine;
mod make_training;
mod merge;
mod model;
mod output;
mod pair;
mod pairing;
mod probe;
mod progress;
mod rank;
mod reflect;
mod report;
mod sampling;
mod score;
mod scoring;
mod select;
mod servers;
mod student;
mod table;
mod threshold;
mod tournament;
mod train;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::data::collect::error::CollectError;
use crate::data::export::ExportError;
use crate::data::options::DEFAULT_LABELS;
use crate::data::{FieldMap, ReadOptions, RowError};

/// A terminal explorer for LLM judges.
#[derive(Parser)]
#[command(name = "juror", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    explore: explore::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// Look at data and what a judge thinks of it (the default)
    Explore(explore::Arguments),
    /// Score every response of a data set
    Score(score::Arguments),
    /// Put the rows of a run's shards together
    Merge(merge::Arguments),
    /// Fuse self-evaluation and cosine anew, normalised on all rows
    Fuse(fuse::Arguments),
    /// Compare scores with labels
    Eval(eval::Arguments),
    /// Figures and plots of scores as one HTML file
    Report(report::Arguments),
    /// Find the score from which on to answer
    Threshold(threshold::Arguments),
    /// Generators by their mean score
    Rank(rank::Arguments),
    /// The best of several responses, by the judge
    BestOf(best_of::Arguments),
    /// Which of two responses is better
    Pair(pair::Arguments),
    /// The best of several responses, by a tournament of pairs
    Tournament(tournament::Arguments),
    /// What words to the judge, stated scores and control tokens in responses are worth to the score
    Probe(probe::Arguments),
    /// How much an instruction helps to foresee its response, and the other way round (IFD, rIFD)
    Ifd(ifd::Arguments),
    /// Let a teacher rewrite samples, and keep what a student's IFD and rIFD speak for
    Reflect(reflect::Arguments),
    /// Training data for a judge
    MakeTraining(make_training::Arguments),
    /// The part of instruction data that a model rates well and surely (SelectIT)
    Select(select::Arguments),
    /// Instructions out of many sources, without duplicates, test sets and what is of no use
    Collect(collect::Arguments),
    /// Data as a table: JSON lines, CSV or Parquet
    Export(export::Arguments),
    /// What people said: export, import, merge, agreement
    #[command(subcommand)]
    Annotations(annotations::Command),
    /// Train a model
    #[command(subcommand)]
    Train(train::Command),
    /// List, show and fetch models
    #[command(subcommand)]
    Model(model::Command),
    /// Say what this machine has, and whether Juror can run on it
    Doctor(doctor::Arguments),
}

/// Which data, and how to read them.
#[derive(Args, Clone, Debug)]
struct DataArguments {
    /// Files or folders (JSON, JSONL, CSV, Parquet; gzip or zstd of these); `-` is standard input
    data: Vec<PathBuf>,
    /// Fields that have other names in the data, as in instruction=prompt
    #[arg(long = "field", value_name = "NAME=SOURCE", value_delimiter = ',')]
    fields: Vec<String>,
    /// Numeric fields that are labels
    #[arg(long, value_delimiter = ',', default_values = DEFAULT_LABELS)]
    labels: Vec<String>,
    /// Stop at the first row that cannot be read or scored
    #[arg(long)]
    strict: bool,
}

impl DataArguments {
    fn options(&self) -> Result<ReadOptions> {
        Ok(ReadOptions {
            strict: self.strict,
            fields: FieldMap::parse(&self.fields)?,
            labels: self.labels.clone(),
        })
    }
}

/// Runs the command line; the exit code says how it went (0 done, 1 a gate not met, 2 an error).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match CommandLine::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; a closed pipe is nobody's problem.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let result = match arguments.command {
        None => explore::run(&arguments.explore),
        Some(Command::Explore(explore)) => explore::run(&explore),
        Some(Command::Score(score)) => score::run(&score),
        Some(Command::Merge(merge)) => merge::run(&merge),
        Some(Command::Fuse(fuse)) => fuse::run(&fuse),
        Some(Command::Eval(eval)) => match eval::run(&eval) {
            Ok(true) => Ok(()),
            // A gate that was asked for is not met.
            Ok(false) => return ExitCode::from(1),
            Err(error) => Err(error),
        },
        Some(Command::Report(report)) => report::run(&report),
        Some(Command::Threshold(threshold)) => threshold::run(&threshold),
        Some(Command::Rank(rank)) => rank::run(&rank),
        Some(Command::BestOf(best_of)) => best_of::run(&best_of),
        Some(Command::Pair(pair)) => pair::run(&pair),
        Some(Command::Tournament(tournament)) => tournament::run(&tournament),
        Some(Command::Probe(probe)) => probe::run(&probe),
        Some(Command::Ifd(ifd)) => ifd::run(&ifd),
        Some(Command::Reflect(reflect)) => reflect::run(&reflect),
        Some(Command::MakeTraining(make)) => make_training::run(&make),
        Some(Command::Select(select)) => select::run(&select),
        Some(Command::Collect(collect)) => collect::run(&collect),
        Some(Command::Export(export)) => export::run(&export),
        Some(Command::Annotations(command)) => annotations::run(&command),
        Some(Command::Train(command)) => train::run(&command),
        Some(Command::Model(command)) => model::run(&command),
        Some(Command::Doctor(doctor)) => doctor::run(&doctor),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            note!("juror: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Tells of rows that cannot be read: the first ones, and how many more.
fn tell(errors: &[RowError]) {
    const SHOWN: usize = 20;
    for error in errors.iter().take(SHOWN) {
        note!("juror: {error}");
    }
    if errors.len() > SHOWN {
        let more = errors.len() - SHOWN;
        note!("juror: … and {more} more rows that cannot be read");
    }
}

/// Whoever read our output has had enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        let export = cause.downcast_ref::<ExportError>();
        let collect = cause.downcast_ref::<CollectError>();
        let json = cause.downcast_ref::<serde_json::Error>();
        cause.downcast_ref::<std::io::Error>().is_some_and(broken)
            || json.and_then(|e| e.io_error_kind()) == Some(std::io::ErrorKind::BrokenPipe)
            || matches!(export, Some(ExportError::Io { cause, .. }) if broken(cause))
            || matches!(collect, Some(CollectError::Write { cause, .. }) if broken(cause))
    })
}

/// Sizes the pool that tensor operations share, once: several judges may be loaded one after the other.
fn use_threads(threads: Option<usize>) -> Result<()> {
    static SIZED: AtomicBool = AtomicBool::new(false);
    if let Some(threads) = threads
        && !SIZED.swap(true, Ordering::Relaxed)
    {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build_global()
            .context("--threads")?;
    }
    Ok(())
}
