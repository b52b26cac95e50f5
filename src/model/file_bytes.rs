//! A file read at positions, with every read checked against its size before memory is asked for.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{ModelError, Result};

/// An open file of known size.
pub struct FileBytes {
    path: PathBuf,
    /// Seeking and reading belong together; weights are read by few threads and rarely.
    file: Mutex<File>,
    len: u64,
}

/// Bytes read at once where a whole file goes by.
const STEP: usize = 4 << 20;

impl FileBytes {
    /// Opens a regular file.
    ///
    /// # Errors
    /// A file that cannot be opened, or something that is no file, named.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |e: std::io::Error| ModelError::file(path, e);
        let file = File::open(path).map_err(wrong)?;
        let about = file.metadata().map_err(wrong)?;
        if !about.is_file() {
            return Err(ModelError::file(path, "is not a regular file"));
        }
        Ok(FileBytes {
            path: path.to_owned(),
            file: Mutex::new(file),
            len: about.len(),
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Fills `into` from `offset` on; `what` names what is read, for the error.
    ///
    /// # Errors
    /// A stretch beyond the file's end, or a failed read.
    pub fn read_into(&self, offset: u64, into: &mut [u8], what: &str) -> Result<()> {
        self.check(offset, into.len() as u64, what)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(into))
            .map_err(|e| ModelError::file(&self.path, format!("{what}: {e}")))
    }

    /// `len` bytes from `offset` on.
    ///
    /// # Errors
    /// As [`Self::read_into`]; memory is asked for only after the check.
    pub fn read(&self, offset: u64, len: u64, what: &str) -> Result<Vec<u8>> {
        self.check(offset, len, what)?;
        let len = usize::try_from(len)
            .map_err(|_| ModelError::file(&self.path, format!("{what}: too large to read")))?;
        let mut bytes = vec![0; len];
        self.read_into(offset, &mut bytes, what)?;
        Ok(bytes)
    }

    /// That a stretch lies within the file.
    ///
    /// # Errors
    /// One that does not.
    pub fn check(&self, offset: u64, len: u64, what: &str) -> Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(ModelError::file(
                &self.path,
                format!(
                    "{what}: {len} bytes expected at byte {offset}, but the file ends at byte {} \
                     (is it cut short?)",
                    self.len
                ),
            )),
        }
    }

    /// Feeds the whole file to a hasher; `read(bytes)` is called after each step.
    ///
    /// # Errors
    /// A failed read.
    pub fn hash(&self, hasher: &mut Sha256, read: &mut dyn FnMut(u64)) -> Result<()> {
        let mut buffer = vec![0; STEP.min(usize::try_from(self.len).unwrap_or(STEP))];
        let mut at = 0;
        while at < self.len {
            let step = (self.len - at).min(buffer.len() as u64);
            let part = &mut buffer[..step as usize];
            self.read_into(at, part, "hashing")?;
            hasher.update(&*part);
            at += step;
            read(step);
        }
        Ok(())
    }
}

/// A digest in hexadecimal.
pub fn hexadecimal(hasher: Sha256) -> String {
    hex::encode(hasher.finalize())
}
