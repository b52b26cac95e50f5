//! Progress on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::data::Record;
use crate::run::score::{Scorer, Summary};

/// Tells a bar of the stages of loading.
pub fn loading(bar: &ProgressBar) -> impl Fn(&str, u64, u64) {
    |stage, done, total| match total {
        0 => bar.set_message(stage.to_owned()),
        _ => bar.set_message(format!("{stage} {} of {} MB", done >> 20, total >> 20)),
    }
}

/// Runs a scorer under a bar.
///
/// # Errors
/// As [`Scorer::run`].
pub fn scored(
    scorer: Scorer<'_>,
    records: &[Record],
    out: &mut dyn Write,
    bar: &ProgressBar,
) -> Result<Summary> {
    let started = Instant::now();
    let summary = scorer.run(records, out, &mut |rows, tokens| {
        bar.set_position(rows as u64);
        let rate = tokens as f64 / started.elapsed().as_secs_f64().max(1e-3);
        bar.set_message(format!("{rate:.0} tok/s"));
    })?;
    Ok(summary)
}

/// A bar on standard error, where that is a terminal.
pub fn bar(quiet: bool, rows: usize) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(rows as u64);
    let style = "{spinner} {pos}/{len} {wide_bar} {msg}  ETA {eta}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
