//! What a training says while it goes on: `OUTPUT/log.jsonl`, a line for each event, and the same figures as
//! TensorBoard's event files under `OUTPUT/tensorboard`.
//!
//! Every line is handed to the system before the next step begins, so that another process sees it and a killed one
//! loses at most the line it was writing. While a training goes on, `OUTPUT/log.lock` is locked: that tells one that
//! goes on from one that was killed, and keeps two from writing into one folder.

mod entry;
mod history;
mod read;
mod stop;
mod write;

pub use entry::{Entry, Eval, Reason, Start, Step, StepParts};
pub use history::{History, Series};
pub use read::{BadLine, Follower, parse, read};
pub use stop::{ask_to_stop, asked_to_stop, is_asked_to_stop};
pub use write::{LogError, TrainingLog, is_going_on};

/// The log in an output folder.
pub const FILE: &str = "log.jsonl";
/// TensorBoard's event files in an output folder.
pub const BOARD: &str = "tensorboard";
