//! Training of decoders that are there: adapters or all weights.

pub mod example;
pub mod log;
pub mod tensorboard;
