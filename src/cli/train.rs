//! `juror train …`

mod log;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

/// What to train.
#[derive(Subcommand)]
pub enum Command {
    /// A small judge-and-policy model from nothing: tokenizer, language, judgment
    Scratch {
        /// A TOML file, such as benches/starter.toml
        #[arg(long)]
        config: PathBuf,
    },
    /// How far a training is: its latest figures and curves
    Log(log::Arguments),
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Scratch { config } => crate::train::scratch::run(config),
        Command::Log(arguments) => log::run(arguments),
    }
}
