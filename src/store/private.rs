//! Files for nobody but their owner: what a person rated, and what was scored.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder, with those above it, that others cannot look into. One that is there stays as it is.
///
/// # Errors
/// What the file system says.
pub fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a file that others cannot read; one that is there becomes so. What SQLite puts beside it is as it is. A file that is
/// there is not opened: closing it would end the locks that this process has on it.
///
/// # Errors
/// What the file system says.
pub fn file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(cause),
        _ => (),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o700))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Store;
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_kept_is_its_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        folder(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
        let path = home.join("juror.db");
        let mut store = Store::at(&path).unwrap();
        let mut other = Store::at(&path).unwrap();
        store.remember("annotator", "ada").unwrap();
        other.remember("annotator", "bob").unwrap();
        // What two people write is in SQLite's log beside it, until the last of them goes.
        let beside = fs::read_dir(&home).unwrap().flatten();
        let beside: Vec<_> = beside
            .map(|entry| (entry.file_name(), mode(&entry.path())))
            .collect();
        assert!(beside.iter().any(|(name, _)| name == "juror.db-wal"));
        assert!(beside.iter().all(|(_, mode)| *mode == 0o600), "{beside:?}");
        drop((store, other));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        drop(Store::at(&path).unwrap());
        assert_eq!(mode(&path), 0o600);
    }
}
