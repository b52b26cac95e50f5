//! Rows written as they come, beside the file that they will be: what is there when a run is killed, the next one goes on
//! from.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Rows wait no longer than this before they are given to the system.
const SOON: Duration = Duration::from_secs(1);
/// How much is looked through at a time for the end of the last whole row.
const BLOCK: u64 = 1 << 16;

/// Why there is no part to write.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    #[error("cannot write {}: {cause}", .path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error(
        "{} holds what a run that was interrupted has written: --resume goes on from it; delete it to start anew",
        .0.display()
    )]
    Left(PathBuf),
    #[error("{} is being written by another run: wait for it, or name another output", .0.display())]
    Busy(PathBuf),
}

/// A file under construction, called `TARGET.part` until it is finished. It stays where it is if it never is.
#[derive(Debug)]
pub struct PartFile {
    target: PathBuf,
    path: PathBuf,
    out: BufWriter<File>,
    flushed: Instant,
    /// Whether there were rows.
    resumed: bool,
}

impl PartFile {
    /// Begins, or goes on behind the whole rows that are there; those, one after the other.
    ///
    /// # Errors
    /// Rows of an earlier run without `resume`; another run that writes them; what the file system says.
    pub fn open(target: &Path, resume: bool) -> Result<(Self, Rows), PartError> {
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let failed = |cause| PartError::Io {
            path: path.clone(),
            cause,
        };
        let options = File::options().create(true).read(true).append(true).clone();
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(PartError::Busy(path)),
            // Some network folders know no locks.
            Err(TryLockError::Error(_)) => (),
        }
        let whole = whole_rows(&mut file).map_err(failed)?;
        if whole > 0 && !resume {
            return Err(PartError::Left(path));
        }
        file.set_len(whole).map_err(failed)?;
        let rows = File::open(&path).map_err(failed)?;
        let part = PartFile {
            out: BufWriter::new(file),
            flushed: Instant::now(),
            resumed: whole > 0,
            target,
            path,
        };
        Ok((part, Rows(BufReader::new(rows.take(whole)))))
    }

    /// Its name while it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes to disk and takes the target's name.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        fs::rename(&self.path, &self.target)
    }

    /// Removes it, unless it holds what an earlier run has written.
    pub fn discard_new(self) {
        if !self.resumed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        // Asking for the time takes longer than most writes, of which a row has hundreds.
        if bytes.ends_with(b"\n") && self.flushed.elapsed() > SOON {
            self.out.flush()?;
            self.flushed = Instant::now();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Bytes up to the end of the last whole line.
fn whole_rows(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The rows that an earlier run has written.
#[derive(Debug)]
pub struct Rows(BufReader<io::Take<File>>);

impl Iterator for Rows {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_on_behind_its_last_whole_row() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.jsonl");
        let (mut part, mut rows) = PartFile::open(&target, false).unwrap();
        assert!(rows.next().is_none());
        let long = "x".repeat(3 * BLOCK as usize);
        write!(part, "one\ntwo\n{long}").unwrap();
        let busy = PartFile::open(&target, true).unwrap_err();
        assert!(matches!(busy, PartError::Busy(_)), "{busy}");
        drop(part);
        let left = PartFile::open(&target, false).unwrap_err();
        assert!(left.to_string().contains("--resume"), "{left}");
        let (mut part, rows) = PartFile::open(&target, true).unwrap();
        let rows: Vec<String> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, ["one\n", "two\n"]);
        part.write_all(b"three\n").unwrap();
        part.finish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_part_without_a_whole_row_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.jsonl");
        fs::write(folder.path().join("out.jsonl.part"), "half a r").unwrap();
        let (part, mut rows) = PartFile::open(&target, false).unwrap();
        assert!(rows.next().is_none());
        part.discard_new();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
