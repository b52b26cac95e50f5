//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file under construction beside its target; it takes the target's name when it is finished.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
}

impl AtomicFile {
    /// Starts a file `TARGET.partial`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(target: &Path) -> io::Result<Self> {
        let mut name = target.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let out = BufWriter::new(File::create(&partial)?);
        Ok(AtomicFile {
            target: target.to_owned(),
            partial,
            out,
        })
    }

    /// Flushes to disk and takes the target's name.
    ///
    /// # Errors
    /// What the file system says; the partial file stays.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        fs::rename(&self.partial, &self.target)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a whole file at once.
///
/// # Errors
/// As [`AtomicFile`].
pub fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.write_all(bytes)?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.jsonl");
        let mut file = AtomicFile::create(&target).unwrap();
        file.write_all(b"one\n").unwrap();
        assert!(!target.exists());
        file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"one\n");
        drop(AtomicFile::create(&target).unwrap());
        assert_eq!(fs::read(&target).unwrap(), b"one\n");
    }
}
