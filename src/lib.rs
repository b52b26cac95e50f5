//! Juror: a terminal explorer for LLM judges, and the engine beneath it.
//!
//! Imports run one way: `kernel ← model ← engine ← judge ← method, train ← run ← cli, tui`, with `data`,
//! `stats`, `report` and `store` beside them.

/// A line on standard error. Where nobody reads that any more, nobody misses it: `eprintln!` would panic.
macro_rules! note {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

pub mod cli;
pub mod data;
pub mod engine;
pub mod judge;
pub mod kernel;
pub mod method;
pub mod model;
pub mod report;
pub mod run;
pub mod stats;
pub mod store;
pub mod train;
pub mod tui;
