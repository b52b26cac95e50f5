//! The explorer without terminal, data files or judge.

mod contrast;
mod dressing;
pub mod fixture;

mod annotating;
mod listing;
mod looking;
#[cfg(unix)]
mod screens;
mod updates;
mod writing;
