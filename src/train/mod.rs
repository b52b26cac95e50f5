//! Training on the CPU: a hand-written forward and backward over packed trees of token sequences,
//! optimisers, checkpoints, and the run that makes the starter.

pub mod loss;
pub mod optimizer;
pub mod pack;
pub mod scratch;
pub mod shape;
pub mod tune;
pub mod worker;
