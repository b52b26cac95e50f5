//! CPU kernels chosen at run time, each with a scalar twin it is tested against.
//!
//! This is the only module allowed to contain `unsafe`: everything it exports is safe to call with
//! any arguments (sizes are checked, never trusted).
#![allow(unsafe_code)]

pub mod matrix;
pub mod vector;

pub use matrix::{View, ViewMut, matmul};
