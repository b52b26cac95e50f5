//! The starter from nothing: its tokenizer, its decoder, its training.
//!
//! One model is taught to rate a response with and without a reference, to choose between two, to
//! write one, and to place texts about the same thing close together.

pub mod batch;
pub mod checkpoint;
pub mod config;
pub mod corpus;
pub mod evaluate;
mod run;
pub mod spoil;
pub mod targets;
mod teacher;
pub mod tokens;
pub mod veil;

pub use run::run;
