//! The flags that say where a model runs, on every command that has one.

use clap::Args;

use super::judge::Dtype;
use crate::engine::Options;
use crate::engine::remote::Settings;

/// Device, number format, memory, threads.
#[derive(Args, Clone, Debug)]
pub struct MachineArguments {
    /// auto, cpu, cuda[:N] or metal
    #[arg(long, default_value = "auto")]
    device: String,
    /// Number format of the weights: auto (the best this processor has), f32, bf16 or int8
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    /// Memory for keys and values of known prefixes, in MiB
    #[arg(long, default_value_t = 512)]
    cache_mb: usize,
    /// Threads that compute; without it, one a core
    #[arg(long)]
    pub threads: Option<usize>,
}

impl MachineArguments {
    /// An engine for these models.
    pub fn engine(
        &self,
        judge: String,
        embedder: Option<String>,
        policy: Option<String>,
        remote: Settings,
    ) -> Options {
        Options {
            judge,
            embedder,
            policy,
            device: self.device.clone(),
            dtype: self.dtype.format(),
            threads: self.threads,
            cache_bytes: self.cache_mb << 20,
            remote,
            ..Options::default()
        }
    }
}
