//! The explorer without terminal, data files or judge.

pub mod fixture;

mod look;
mod screens;
mod updates;
