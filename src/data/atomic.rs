//! Files that are whole or not there.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How a file is called while it is written: its target's name, then a process and a number, then this.
const END: &str = ".partial";

/// A file under construction beside its target; it takes the target's name when it is finished,
/// and is removed if it never is: at once, or, where its process was killed, when the target is written next. Devices
/// and pipes are written to as they are.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    partial: Option<PathBuf>,
    out: BufWriter<File>,
}

/// Whether renaming over the path would replace something that is no file.
pub fn is_special(target: &Path) -> bool {
    let kind = fs::metadata(target).is_ok_and(|m| !m.is_file() && !m.is_dir());
    // Memory that is a folder, which happens to lie among the devices.
    let device = target.starts_with("/dev") && !target.starts_with("/dev/shm");
    kind || device || target.starts_with("/proc")
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
        sweep(&target);
        let (partial, file) = begin(&target)?;
        Ok(AtomicFile {
            target,
            partial: Some(partial),
            out: BufWriter::new(file),
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

/// A file beside the target that is nobody else's, locked as long as it is written.
fn begin(target: &Path) -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".{}-{number}{END}", std::process::id()));
        let path = PathBuf::from(name);
        let file = match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            // Another machine's, in a folder that is shared.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        // Some network folders know no locks; there nothing is swept, either.
        let swept = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if !swept && path.exists() {
            return Ok((path, file));
        }
    }
}

/// Removes what runs that were killed have left beside a target. What is being written is locked, and stays.
fn sweep(target: &Path) {
    let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
        return;
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let begins = format!("{}.", name.to_string_lossy());
    let left = |name: &str| {
        let rest = name.strip_prefix(&begins).and_then(|n| n.strip_suffix(END));
        rest.is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        })
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if left(&entry.file_name().to_string_lossy())
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
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

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
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

    #[test]
    fn what_a_killed_run_left_is_swept_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.jsonl");
        let beside = |end: &str| folder.path().join(format!("out.jsonl.{end}"));
        for left in ["7-0.partial", "4711.partial"] {
            fs::write(beside(left), b"half").unwrap();
        }
        // Not ours, whatever it looks like.
        fs::write(beside("old.partial"), b"kept").unwrap();
        let mut first = AtomicFile::create(&target).unwrap();
        let mut second = AtomicFile::create(&target).unwrap();
        assert!(!beside("7-0.partial").exists() && !beside("4711.partial").exists());
        first.write_all(b"first").unwrap();
        second.write_all(b"second").unwrap();
        first.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"first");
        second.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"second");
        assert_eq!(fs::read(beside("old.partial")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
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
