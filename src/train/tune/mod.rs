//! Training of decoders that are there: adapters or all weights.

pub mod config;
pub mod example;
pub mod judge_rows;
pub mod rows;
