//! Progress on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::score::Measure;
use crate::run::score::{Records, Scorer, Summary};

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
    records: Records<'_>,
    out: &mut dyn Write,
    (bar, measure): (&ProgressBar, &Measure),
) -> Result<Summary> {
    let started = Instant::now();
    let summary = scorer.run(records, out, &mut |rows, tokens| {
        let rate = tokens as f64 / started.elapsed().as_secs_f64().max(1e-3);
        match measure {
            Measure::Rows => {
                bar.set_position(rows as u64);
                bar.set_message(format!("{rate:.0} tok/s"));
            }
            Measure::Bytes(read) => {
                bar.set_position(read.get());
                bar.set_message(format!("{rows} rows, {rate:.0} tok/s"));
            }
        }
    })?;
    Ok(summary)
}

/// A bar on standard error, where that is a terminal.
pub fn bar(quiet: bool, rows: usize) -> ProgressBar {
    shown(
        quiet,
        rows as u64,
        "{spinner} {pos}/{len} {wide_bar} {msg}  ETA {eta}",
    )
}

/// A bar over the bytes of files, of which it is not known how many rows they hold; 0: not how many bytes either.
pub fn bytes_bar(quiet: bool, bytes: u64) -> ProgressBar {
    let style = match bytes {
        0 => "{spinner} {msg}  {elapsed}",
        _ => "{spinner} {percent} % {wide_bar} {msg}  ETA {eta}",
    };
    shown(quiet, bytes, style)
}

fn shown(quiet: bool, length: u64, style: &str) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
