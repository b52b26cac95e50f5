//! The flags that say how servers are asked, on every command whose models may be on one.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::engine::remote::{Key, Settings, Usage};
use crate::run::budget::Prices;

/// Requests at a time, where a server takes them.
const IN_FLIGHT: usize = 32;

/// How OpenAI-compatible servers are asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Servers")]
pub struct ServerArguments {
    /// Requests to servers at a time, at most: fewer where they slow down or refuse
    #[arg(long, value_name = "N", visible_alias = "concurrency")]
    max_in_flight: Option<usize>,
    /// Further attempts where a server is busy or out of reach
    #[arg(long, default_value_t = 6)]
    retries: u32,
    /// Seconds that a server may take for one answer
    #[arg(long, default_value_t = 600)]
    timeout: u64,
    /// The environment variable that holds the servers' key
    #[arg(long, value_name = "NAME", default_value = "JUROR_API_KEY")]
    key_env: String,
    /// A command that prints the servers' key, in place of the environment: what your keyring is asked with, such as
    /// `secret-tool lookup service vllm`, `pass show vllm` or `security find-generic-password -ws vllm`
    #[arg(long, value_name = "COMMAND")]
    key_command: Option<String>,
    /// Tokens, read and written, from which on servers are asked nothing more
    #[arg(long, value_name = "N")]
    max_server_tokens: Option<u64>,
    /// Price of a million tokens that a server reads
    #[arg(long, default_value_t = 0.0)]
    price_in: f64,
    /// Price of a million tokens that a server writes
    #[arg(long, default_value_t = 0.0)]
    price_out: f64,
}

impl ServerArguments {
    /// How the engine asks.
    ///
    /// # Errors
    /// A key that cannot be sent, numbers out of their range.
    pub fn settings(&self) -> Result<Settings> {
        self.at_a_time(IN_FLIGHT)
    }

    /// The same with another number of requests at a time, where none is given.
    ///
    /// # Errors
    /// As [`ServerArguments::settings`].
    pub fn at_a_time(&self, usual: usize) -> Result<Settings> {
        self.prices()?;
        let concurrency = self.max_in_flight.unwrap_or(usual);
        if !(1..=1024).contains(&concurrency) {
            bail!("--max-in-flight {concurrency}: 1 to 1024 expected");
        }
        let key = match &self.key_command {
            Some(command) => Key::of_command(command)
                .map(Some)
                .map_err(|cause| anyhow!("--key-command: {cause}"))?,
            None => {
                Key::of_environment(&self.key_env).map_err(|cause| anyhow!("--key-env: {cause}"))?
            }
        };
        Ok(Settings {
            key,
            concurrency,
            retries: self.retries,
            timeout: Duration::from_secs(self.timeout.max(1)),
            cap: self.max_server_tokens,
            ..Settings::default()
        })
    }

    /// What tokens cost.
    ///
    /// # Errors
    /// Prices that are none.
    pub fn prices(&self) -> Result<Prices> {
        for (flag, price) in [
            ("--price-in", self.price_in),
            ("--price-out", self.price_out),
        ] {
            if !(price.is_finite() && price >= 0.0) {
                bail!("{flag} {price}: 0 or more expected");
            }
        }
        Ok(Prices {
            prompt: self.price_in,
            written: self.price_out,
        })
    }

    /// What was asked came to this.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let of = |tokens: u64, price: f64| tokens as f64 * price / 1e6;
        of(usage.prompt_tokens, self.price_in) + of(usage.written_tokens, self.price_out)
    }
}
