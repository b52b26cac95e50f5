//! `juror model …`: which models there are, what they are, and fetching them.

mod list;
mod pull;
mod quantize;
mod show;

pub use list::fetched;

use anyhow::Result;
use clap::Subcommand;

/// What to do with models.
#[derive(Subcommand)]
pub enum Command {
    /// The starter, and what is in the Hugging Face cache
    List(list::Arguments),
    /// What a model is
    Show(show::Arguments),
    /// Fetch a model from the Hugging Face hub, or what is new of it
    Pull(pull::Arguments),
    /// Write a model as one GGUF file with fewer bits to a weight
    Quantize(quantize::Arguments),
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Pull(arguments) => pull::run(arguments),
        Command::Quantize(arguments) => quantize::run(arguments),
    }
}

/// `1.5B`, `5.3M`.
fn short(count: u64) -> String {
    let n = count as f64;
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => format!("{:.1}k", n / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}M", n / 1e6),
        _ => format!("{:.1}B", n / 1e9),
    }
}
