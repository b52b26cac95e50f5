//! Where results go.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::data::atomic::AtomicFile;
use crate::tui::text::inert;

/// Tells a report on standard output: one JSON object, or as text.
///
/// # Errors
/// What writing says.
pub fn tell<R: Serialize>(report: &R, json: bool, text: impl FnOnce(&R) -> String) -> Result<()> {
    let mut out = io::stdout().lock();
    match json {
        true => writeln!(out, "{}", serde_json::to_string(report)?)?,
        false => write!(out, "{}", inert(&text(report), false))?,
    }
    Ok(())
}

/// How a run ends.
#[derive(Args)]
pub struct EndArguments {
    /// End with one JSON object of figures on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress and no closing words
    #[arg(long)]
    pub quiet: bool,
}

impl EndArguments {
    /// Refuses what would mix the rows with the figures.
    ///
    /// # Errors
    /// Both on standard output.
    pub fn check(&self, output: &Path) -> Result<()> {
        if self.json && output == Path::new("-") {
            bail!("-o - and --json both want standard output: name a file with -o");
        }
        Ok(())
    }

    /// Tells what came of a run: one JSON object on standard output, words on standard error, or nothing.
    ///
    /// # Errors
    /// What writing says.
    pub fn tell<R: Serialize>(&self, report: &R, words: impl FnOnce(&R) -> String) -> Result<()> {
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string(report)?)?;
        } else if !self.quiet {
            note!("{}", words(report).trim_end());
        }
        Ok(())
    }
}

/// Refuses to write over what is read.
///
/// # Errors
/// An output that is one of the inputs, whatever it is called.
pub fn spare<'a>(
    inputs: &[PathBuf],
    outputs: impl IntoIterator<Item = Option<&'a PathBuf>>,
) -> Result<()> {
    let real = |path: &Path| path.canonicalize().ok();
    for output in outputs.into_iter().flatten() {
        if real(output).is_some() && inputs.iter().any(|input| real(input) == real(output)) {
            bail!(
                "{} is one of the files that are read: name another for what is written",
                output.display()
            );
        }
    }
    Ok(())
}

/// Writes to standard output for `-`, else a file that is whole or not there.
///
/// # Errors
/// What `write` says, and the file system, with the path.
pub fn write_to<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    if path == Path::new("-") {
        let mut out = io::stdout().lock();
        let done = write(&mut out)?;
        out.flush()?;
        return Ok(done);
    }
    let place = || format!("cannot write {}", path.display());
    let mut file = Noticing {
        file: AtomicFile::create(path).with_context(place)?,
        refused: false,
    };
    let done = write(&mut file);
    let done = match file.refused {
        true => done.with_context(place)?,
        false => done?,
    };
    file.file.finish().with_context(place)?;
    Ok(done)
}

/// Tells whether it was the file that refused, of all that may go wrong while it is written.
struct Noticing {
    file: AtomicFile,
    refused: bool,
}

impl Write for Noticing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).inspect_err(|_| self.refused = true)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().inspect_err(|_| self.refused = true)
    }
}
