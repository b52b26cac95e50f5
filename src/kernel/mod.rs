//! CPU kernels chosen at run time, each with a scalar twin it is tested against.
//!
//! This is the only module allowed to contain `unsafe`: everything it exports is safe to call with
//! any arguments (sizes are checked, never trusted).
#![allow(unsafe_code)]

mod aligned;
pub mod attend;
mod features;
pub mod linear;
pub mod matrix;
pub mod peak;
mod pool;
mod square;
pub mod vector;

pub use features::kernel_name;
pub use linear::{Activations, Format, Linear, linear, linear_picked};
pub use matrix::{View, ViewMut, matmul};
pub use pool::Pool;
