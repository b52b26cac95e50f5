//! The explorer without terminal, data files or judge.

mod contrast;
mod dressing;
pub mod fixture;

#[cfg(unix)]
mod screens;
mod updates;
