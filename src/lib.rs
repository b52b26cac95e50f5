//! Juror: a terminal explorer for LLM judges, and the engine beneath it.
//!
//! Imports run one way: `kernel ← model ← engine ← judge ← method, train ← run ← cli, tui`, with `data`,
//! `stats`, `report` and `store` beside them.

/// Training and inference allocate and free large buffers all the time, and rows are read by one thread and dropped by
/// another: this allocator keeps its pages, and has no lock that threads wait for. Here, so that tests and benches have
/// what the program has.
/// (Sanitizers look at the system's own, which `--cfg system_allocator` leaves in place.)
#[cfg(not(system_allocator))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A line on standard error. Nothing in it steers the terminal, whatever data it tells of. Where nobody reads that any more,
/// nobody misses it: `eprintln!` would panic.
macro_rules! note {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let words = format!($($words)*);
        let _ = writeln!(std::io::stderr(), "{}", $crate::tui::text::inert(&words, false));
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
