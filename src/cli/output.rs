//! Where results go.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::data::atomic::AtomicFile;

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
