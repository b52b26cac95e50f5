//! `juror [explore] [DATA…]`

use anyhow::Result;
use clap::Args;

use super::DataArguments;
use super::judge::JudgeArguments;

/// Look at data and what a judge thinks of it.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    judge: JudgeArguments,
    /// terminal, dark, light, high-contrast, or a theme file
    #[arg(long)]
    theme: Option<String>,
    /// Draw with ASCII alone
    #[arg(long)]
    ascii: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let _ = (
        &arguments.data,
        arguments.judge.setup()?,
        &arguments.theme,
        arguments.ascii,
    );
    anyhow::bail!("the explorer is not there yet")
}
