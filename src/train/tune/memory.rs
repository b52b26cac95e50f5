//! How much of a batch is computed at a time, and whether that fits.

use std::fs;

use serde::{Deserialize, Serialize};

use super::net::Net;

/// Bytes of activations that are kept for the way back.
const ACTIVATIONS: usize = 1 << 30;

/// Whether activations are computed again on the way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    /// Where a single unit would need more memory than a pass may have.
    #[default]
    Auto,
    Always,
    Never,
}

/// How a batch is cut into passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    pub tokens: usize,
    pub units: usize,
    pub recompute: bool,
}

impl Passes {
    /// Passes of at most `units` units, the longest of which has `longest` tokens.
    pub fn plan(net: &Net, units: usize, longest: usize, wish: Recompute) -> Self {
        let layers = net.config.layers.len();
        let kept = net.kept_floats() * layers * size_of::<f32>();
        let fitting = ACTIVATIONS / kept.max(1);
        let recompute = match wish {
            Recompute::Always => true,
            Recompute::Never => false,
            Recompute::Auto => longest > fitting,
        };
        let each = match recompute {
            true => net.config.dim * layers * size_of::<f32>(),
            false => kept,
        };
        Passes {
            tokens: (ACTIVATIONS / each.max(1)).clamp(256, 8192).max(longest),
            units,
            recompute,
        }
    }

    /// Bytes that a training takes beside the weights that are loaded.
    pub fn bytes(&self, net: &Net) -> usize {
        let layers = match self.recompute {
            true => 1,
            false => net.config.layers.len(),
        };
        let inputs = net.config.dim * net.config.layers.len();
        let activations = self.tokens * (net.kept_floats() * (layers + 2) + inputs);
        // Gradient and two moments.
        (activations + 3 * net.trained().len()) * size_of::<f32>()
    }
}

/// Bytes of memory that are free for use, where the system tells.
pub fn available() -> Option<usize> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Why a training would not fit into memory, if it would not.
pub fn lacking(needed: usize, available: Option<usize>) -> Option<String> {
    let available = available.filter(|available| needed > *available)?;
    Some(format!(
        "training needs about {} MiB of memory beside the loaded weights, {} are free: set activation_checkpointing = \
         \"always\", a smaller cutoff_len, or an adapter (lora_r) instead of all weights",
        needed >> 20,
        available >> 20
    ))
}
