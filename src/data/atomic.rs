//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file under construction beside its target; it takes the target's name when it is finished,
/// and is removed if it never is. Devices and pipes are written to as they are.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    partial: Option<PathBuf>,
    out: BufWriter<File>,
}

/// Whether renaming over the path would replace something that is no file.
pub fn is_special(target: &Path) -> bool {
    let kind = fs::metadata(target).is_ok_and(|m| !m.is_file() && !m.is_dir());
    kind || target.starts_with("/dev") || target.starts_with("/proc")
}

impl AtomicFile {
    /// Starts a file beside the target (the file that a link leads to, not the link).
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(target: &Path) -> io::Result<Self> {
        if is_special(target) {
            let file = File::options().write(true).open(target)?;
            return Ok(AtomicFile {
                target: target.to_owned(),
                partial: None,
                out: BufWriter::new(file),
            });
        }
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = PathBuf::from(name);
        let out = BufWriter::new(File::create(&partial)?);
        Ok(AtomicFile {
            target,
            partial: Some(partial),
            out,
        })
    }

    /// Flushes to disk and takes the target's name.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        if let Some(partial) = &self.partial {
            self.out.get_ref().sync_all()?;
            fs::rename(partial, &self.target)?;
            self.partial = None;
        }
        Ok(())
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // Whoever ended early has said why; what is left over is nobody's result.
            let _ = fs::remove_file(partial);
        }
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
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn devices_stay_devices_and_links_stay_links() {
        write(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, b"old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }
}
