//! The flags that make a student, on the commands that have one.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::machine::MachineArguments;
use super::servers::ServerArguments;
use crate::engine::Engine;
use crate::engine::local::Cast;
use crate::judge::student::{Asking, MAX_TOKENS, REVERSE, Wrapper};

/// The student, and how it is asked.
#[derive(Args, Clone, Debug)]
pub struct StudentArguments {
    /// The model whose losses count: `starter`, a model folder, a .gguf file, hf:ORG/NAME[@REVISION], or
    /// https://HOST/v1#MODEL for a server that tells log-probabilities of prompts
    #[arg(long, visible_alias = "judge", default_value = "starter")]
    pub student: String,
    /// The training prompt around an instruction: alpaca, wizardlm, vicuna, chat, or a text with {instruction}
    #[arg(long, default_value = "vicuna")]
    wrap: String,
    /// A file with the text that shows a {response} and asks for its instruction
    #[arg(long, value_name = "FILE")]
    reverse: Option<PathBuf>,
    /// Longest prompt with its target, in tokens; what is longer loses its end
    #[arg(long, default_value_t = MAX_TOKENS)]
    max_length: usize,
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    pub servers: ServerArguments,
}

impl StudentArguments {
    /// How it is asked.
    ///
    /// # Errors
    /// A wrapper that is none, a file that cannot be read.
    pub fn asking(&self) -> Result<Asking> {
        let wrapper: Wrapper = self
            .wrap
            .parse()
            .map_err(|e| anyhow::anyhow!("--wrap {e}"))?;
        let reverse = match &self.reverse {
            None => REVERSE.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("--reverse {}", path.display()))?,
        };
        Ok(Asking {
            wrapper,
            reverse,
            max_tokens: self.max_length,
        })
    }

    /// Starts an engine with the student as judge and perhaps a model that writes, and waits until they are there.
    ///
    /// # Errors
    /// What stands in the way of loading.
    pub fn start(
        &self,
        policy: Option<String>,
        stage: impl Fn(&str, u64, u64),
    ) -> Result<(Engine, Cast)> {
        super::use_threads(self.machine.threads)?;
        let settings = self.servers.settings()?;
        let options = self
            .machine
            .engine(self.student.clone(), None, policy, settings);
        Ok(Engine::load(options, stage)?)
    }
}
