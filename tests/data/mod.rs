//! The readers, from files on disk to records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod baseline;
mod malformed;
mod roundtrip;
mod sample;
mod shapes;
mod shared;

use std::path::{Path, PathBuf};

use juror::data::{DataError, DataSet, ReadOptions, read};

/// A folder of files that lives as long as the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Reads one file of these bytes.
fn read_bytes(name: &str, bytes: impl AsRef<[u8]>) -> Result<DataSet, DataError> {
    let folder = Folder::new();
    let path = folder.file(name, bytes);
    read(&[path], &ReadOptions::default())
}

/// Reads one file of these bytes, which must work.
fn good(bytes: impl AsRef<[u8]>) -> DataSet {
    let data = read_bytes("t.jsonl", bytes).unwrap();
    assert_eq!(data.errors, []);
    data
}
