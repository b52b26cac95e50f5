//! Text made safe for a terminal, measured and broken into lines.

mod inert;
mod wrap;

pub use inert::{clean, inert};
pub use wrap::{truncate, truncate_start, width, wrap};
