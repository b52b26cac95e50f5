//! Training of decoders that are there: adapters or all weights.

pub mod config;
pub mod example;
pub mod jsft_rows;
pub mod judge_rows;
pub mod pair_rows;
mod ratings;
pub mod rows;
pub mod sft_rows;
mod talk;
