//! `juror annotations …`: taking what people said elsewhere, bringing it here, and comparing them.

mod agreement;
mod exchange;
mod export;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::DataArguments;
use crate::data::ReadOptions;
use crate::data::options::DEFAULT_LABELS;

/// What to do with annotations.
#[derive(Subcommand)]
pub enum Command {
    /// Write annotations as they are, or joined with data as a table
    Export(export::Arguments),
    /// Add annotations of another machine to those here
    Import(exchange::ImportArguments),
    /// Make one file of several that `export` wrote, without adding them to those here
    Merge(exchange::MergeArguments),
    /// How far annotators agree
    Agreement(agreement::Arguments),
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Export(arguments) => export::run(arguments),
        Command::Import(arguments) => exchange::import(arguments),
        Command::Merge(arguments) => exchange::merge(arguments),
        Command::Agreement(arguments) => agreement::run(arguments),
    }
}

/// The data that annotations belong to, where they are asked for.
#[derive(Args)]
struct JoinArguments {
    /// The data that was annotated: files or folders
    #[arg(long, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Fields that have other names in the data, as in instruction=prompt
    #[arg(long = "field", value_name = "NAME=SOURCE", value_delimiter = ',')]
    fields: Vec<String>,
    /// Numeric fields of the data that are labels
    #[arg(long, value_delimiter = ',', default_values = DEFAULT_LABELS)]
    labels: Vec<String>,
    /// Stop at the first row of the data that cannot be read
    #[arg(long)]
    strict: bool,
}

impl JoinArguments {
    fn options(&self) -> Result<ReadOptions> {
        DataArguments {
            data: Vec::new(),
            fields: self.fields.clone(),
            labels: self.labels.clone(),
            strict: self.strict,
        }
        .options()
    }
}
