//! Training of decoders that are there: adapters or all weights.

pub mod adam;
pub mod command;
pub mod config;
pub mod example;
pub mod files;
pub mod head;
pub mod jsft_rows;
pub mod judge_rows;
pub mod log;
pub mod lora;
pub mod memory;
pub mod net;
pub mod objective;
pub mod on_policy;
pub mod ops;
pub mod pack;
pub mod pair_rows;
mod ratings;
pub mod rows;
pub mod run;
pub mod schedule;
pub mod sft_rows;
pub mod sources;
mod talk;
pub mod tasks;
pub mod tensorboard;
