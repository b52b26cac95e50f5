//! Integration tests, one binary.

#[path = "data/mod.rs"]
mod data;
mod golden;
mod score;
