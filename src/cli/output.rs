//! Where results go.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::data::atomic::AtomicFile;

/// Tells a report on standard output: one JSON object, or as text.
///
/// # Errors
/// What writing says.
pub fn tell<R: Serialize>(report: &R, json: bool, text: impl FnOnce(&R) -> String) -> Result<()> {
    let mut out = io::stdout().lock();
    match json {
        true => writeln!(out, "{}", serde_json::to_string(report)?)?,
        false => write!(out, "{}", text(report))?,
    }
    Ok(())
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
    let mut file = AtomicFile::create(path).with_context(place)?;
    let done = write(&mut file)?;
    file.finish().with_context(place)?;
    Ok(done)
}
