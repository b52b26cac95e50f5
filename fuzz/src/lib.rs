//! What the targets share: the first byte of an input chooses what the rest is read as.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

/// The kind that an input's first byte names, and the rest. Digits name the first ten, so that seeds can be written by hand.
pub fn chosen<'a, T: Copy>(input: &'a [u8], kinds: &[T]) -> Option<(T, &'a [u8])> {
    let (first, rest) = input.split_first()?;
    let at = usize::from(first.wrapping_sub(b'0'));
    Some((kinds[at % kinds.len()], rest))
}

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => TempDir::new_in(memory).unwrap(),
        false => TempDir::new().unwrap(),
    }
});

/// A folder of this process, in memory where there is one.
pub fn folder() -> &'static Path {
    FOLDER.path()
}

/// A file there with these bytes.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// A message steers no terminal and is not endless.
pub fn check_message(said: &str) {
    let shown = juror::tui::text::inert(said, false);
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    assert!(said.len() < 1 << 16, "a message of {} bytes", said.len());
}
