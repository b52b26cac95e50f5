//! The papers' pipelines, above single judgments.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod reflection;
pub mod selectit;
pub mod training_data;
