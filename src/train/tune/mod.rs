//! Training of decoders that are there: adapters or all weights.

pub mod adam;
pub mod example;
pub mod head;
pub mod lora;
pub mod net;
pub mod objective;
pub mod ops;
pub mod pack;
pub mod schedule;
