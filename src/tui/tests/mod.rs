//! The explorer without terminal, data files or judge.

pub mod fixture;

#[cfg(unix)]
mod screens;
mod updates;
