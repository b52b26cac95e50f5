//! The explorer without terminal, data files or judge.

pub mod fixture;

mod annotating;
mod listing;
mod looking;
#[cfg(unix)]
mod screens;
mod updates;
