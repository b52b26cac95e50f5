//! The explorer without terminal, data files or judge.

pub mod fixture;

#[cfg(unix)]
mod live;
mod look;
mod screens;
mod updates;
