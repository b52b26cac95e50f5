//! Training of decoders that are there: adapters or all weights.

mod ratings;
mod talk;
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
pub mod ops;
pub mod pack;
pub mod pair_rows;
pub mod rows;
pub mod run;
pub mod schedule;
pub mod sft_rows;
pub mod sources;
pub mod tasks;
pub mod tensorboard;
