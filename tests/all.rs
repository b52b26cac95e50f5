//! Integration tests, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collect;
mod colours;
#[path = "data/mod.rs"]
mod data;
mod eval;
mod golden;
mod http;
mod hub;
mod judging;
#[cfg(unix)]
mod killed;
mod model_commands;
mod pairs;
mod pairwise;
mod pipelines;
mod probe;
mod reflection;
mod remote;
mod report;
mod scale;
mod score;
mod select;
mod signals;
mod tables;
mod terminal;
mod training;
