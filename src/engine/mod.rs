//! Who may compute when: one thread owns the models, everyone else holds a cheap handle.

mod cache;
mod compute;
mod generate;
mod labels;
pub mod line;
pub mod local;
mod pages;
mod plan;
pub(crate) mod priority;
mod prompts;
mod queue;
pub mod remote;
pub mod request;

pub use local::{Engine, LoadEvent, Options};
pub use request::{Answer, Ask, Job, Lane, Outcome, Role, Task};
