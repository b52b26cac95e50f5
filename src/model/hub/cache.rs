//! The hub cache on disk, as Hugging Face's libraries lay it out: contents in `blobs` under their
//! checksums, `snapshots/COMMIT` with links to them, `refs/REVISION` with a commit, and
//! `.no_exist/COMMIT` with what a commit is known to lack.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::choose::{ADAPTER, INDEX, NEEDED, SHAPING, Want, indexed, is_weights};
use super::client::is_plain;
use super::name::Name;

/// One repository's folder.
pub(super) struct Repository {
    pub folder: PathBuf,
    locks: PathBuf,
}

impl Repository {
    pub fn new(cache: &Path, name: &Name) -> Self {
        Repository {
            folder: cache.join(name.folder()),
            locks: cache.join(".locks").join(name.folder()),
        }
    }

    /// The commit that a revision stood for when it was last fetched.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(revision.to_owned());
        }
        let text = fs::read_to_string(self.folder.join("refs").join(revision)).ok()?;
        Some(text.trim().to_owned()).filter(|c| is_plain(c))
    }

    pub fn set_commit(&self, revision: &str, commit: &str) -> io::Result<()> {
        if revision == commit || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        replace(&path, |partial| fs::write(partial, commit))
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// Notes that a commit lacks a file, so that nobody asks again.
    pub fn note_absent(&self, commit: &str, file: &str) -> io::Result<()> {
        let path = self.folder.join(".no_exist").join(commit).join(file);
        make_parent(&path)?;
        File::options().append(true).create(true).open(path)?;
        Ok(())
    }

    /// The lock under which a blob is written, the same that Hugging Face's libraries take.
    pub fn lock(&self, etag: &str) -> io::Result<File> {
        let path = self.locks.join(format!("{etag}.lock"));
        make_parent(&path)?;
        let file = File::options().append(true).create(true).open(path)?;
        fs4::FileExt::lock(&file)?;
        Ok(file)
    }

    /// Lets a snapshot's file be a blob: by a link, or a copy where there are none.
    pub fn point(&self, commit: &str, file: &str, etag: &str) -> io::Result<()> {
        let pointer = self.snapshot(commit).join(file);
        make_parent(&pointer)?;
        let up = "../".repeat(2 + file.matches('/').count());
        if symlink(Path::new(&format!("{up}blobs/{etag}")), &pointer).is_ok() || pointer.is_file() {
            return Ok(());
        }
        // A link that leads nowhere is replaced too.
        replace(&pointer, |partial| {
            fs::copy(self.blob(etag), partial).map(drop)
        })
    }

    /// Whether a snapshot has all that is wanted. `surely`: also each optional file, or the note
    /// that there is none; a snapshot that another program began may lack some.
    pub fn is_complete(&self, commit: &str, want: Want, file: Option<&str>, surely: bool) -> bool {
        let snapshot = self.snapshot(commit);
        let has = |name: &str| snapshot.join(name).is_file();
        let absent = |name: &str| {
            self.folder
                .join(".no_exist")
                .join(commit)
                .join(name)
                .exists()
        };
        if let Some(file) = file {
            return has(file);
        }
        if want == Want::Adapter {
            return ADAPTER.iter().all(|n| has(n));
        }
        let optional = SHAPING.iter().all(|n| has(n) || absent(n));
        if !NEEDED.iter().all(|n| has(n)) || (surely && !optional) {
            return false;
        }
        if has(INDEX) {
            let text = fs::read_to_string(snapshot.join(INDEX)).unwrap_or_default();
            return indexed(&text).is_some_and(|names| names.iter().all(|n| has(n)));
        }
        let Ok(entries) = fs::read_dir(&snapshot) else {
            return false;
        };
        let names = entries
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned());
        let weights: Vec<String> = names.filter(|n| is_weights(n) && has(n)).collect();
        // Shards without their index are a part of something.
        !weights.is_empty() && !weights.iter().any(|n| n.contains("-of-"))
    }
}

/// A repository in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// `ORG/NAME`.
    pub repo: String,
    /// On disk, whole and partial files of all commits.
    pub bytes: u64,
    /// Branches and tags with the snapshot folder of each.
    pub revisions: Vec<(String, PathBuf)>,
}

/// Every model in the cache, by name.
pub fn cached(cache: &Path) -> Vec<Cached> {
    let mut found = Vec::new();
    for entry in entries(cache) {
        let name = entry
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(repo) = name.strip_prefix("models--") else {
            continue;
        };
        let mut revisions = Vec::new();
        references(&entry.join("refs"), "", &mut |revision, commit| {
            let snapshot = entry.join("snapshots").join(commit);
            if snapshot.is_dir() {
                revisions.push((revision.to_owned(), snapshot));
            }
        });
        if revisions.is_empty() {
            let commits = entries(&entry.join("snapshots"));
            revisions.extend(commits.into_iter().filter_map(|snapshot| {
                let commit = snapshot.file_name()?.to_str()?.to_owned();
                Some((commit, snapshot))
            }));
        }
        found.push(Cached {
            repo: repo.replacen("--", "/", 1),
            bytes: size(&entry),
            revisions,
        });
    }
    found
}

/// Bytes on disk below a folder; links count nothing.
pub fn size(folder: &Path) -> u64 {
    let of = |path: &PathBuf| match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => size(path),
        Ok(meta) if meta.is_file() => meta.len(),
        _ => 0,
    };
    entries(folder).iter().map(of).sum()
}

fn references(folder: &Path, before: &str, found: &mut dyn FnMut(&str, &str)) {
    for path in entries(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{before}{name}");
        if path.is_dir() {
            references(&path, &format!("{name}/"), found);
        } else if let Ok(commit) = fs::read_to_string(&path)
            && is_plain(commit.trim())
        {
            found(&name, commit.trim());
        }
    }
}

/// A folder's entries, sorted; none where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = found.map(|e| e.path()).collect();
    paths.sort();
    paths
}

pub(super) fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Writes a file under another name first, so that nobody sees half of it.
fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    make_parent(path)?;
    // Other processes and other threads may write the same file now.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}-{number}.partial", std::process::id()));
    let partial = PathBuf::from(partial);
    let written = write(&partial).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
