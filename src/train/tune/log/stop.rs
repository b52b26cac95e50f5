//! A word to a training in another process: an empty file in its folder.

use std::io;
use std::path::Path;

const FILE: &str = "stop";

/// Asks the training that writes into a folder to keep a checkpoint and end.
///
/// # Errors
/// What the file system says.
pub fn ask_to_stop(output: &Path) -> io::Result<()> {
    std::fs::write(output.join(FILE), b"")
}

/// Whether it is asked to stop, and has not heard it yet.
pub fn is_asked_to_stop(output: &Path) -> bool {
    output.join(FILE).exists()
}

/// For the training, each step: whether it is to stop. Each request is heard once.
pub fn asked_to_stop(output: &Path) -> bool {
    // Removing it is the look: no system call is made that is not needed. One that is there but cannot be removed is
    // heard all the same.
    match std::fs::remove_file(output.join(FILE)) {
        Ok(()) => true,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => false,
        Err(_) => is_asked_to_stop(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_heard_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!asked_to_stop(folder.path()));
        ask_to_stop(folder.path()).unwrap();
        assert!(is_asked_to_stop(folder.path()));
        assert!(asked_to_stop(folder.path()));
        assert!(!is_asked_to_stop(folder.path()) && !asked_to_stop(folder.path()));
        assert!(ask_to_stop(&folder.path().join("gone")).is_err());
    }
}
