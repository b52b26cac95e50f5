//! The explorer without terminal, data files or judge.

mod contrast;
mod dressing;
pub mod fixture;

mod annotating;
mod listing;
mod looking;
mod pairing;
mod runs;
#[cfg(unix)]
mod screens;
mod suspects;
mod telling;
mod trainings;
mod updates;
mod writing;
