//! Themes as files of a folder: our own grammar in `*.toml`, schemes in `*.yaml` and `*.yml`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{ThemeError, base16};

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folder {
    /// Themes by name, as text of our own grammar.
    pub texts: Vec<(String, String)>,
    /// Files that hold none.
    pub errors: Vec<ThemeError>,
    /// The names of all files, those that hold no theme among them.
    pub names: Vec<String>,
}

/// When each theme file was last written, and how long it is: differs as soon as one was saved.
pub type Fingerprint = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// How a file is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Grammar,
    Scheme,
}

/// The theme files of a folder, in order.
fn files(folder: &Path) -> io::Result<Vec<(String, Kind, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Kind::Grammar,
            Some("yaml" | "yml") => Kind::Scheme,
            _ => continue,
        };
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            files.push((name.to_string(), kind, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a folder. A file that cannot be used is told, and the others are there all the same.
pub fn read(folder: &Path) -> io::Result<Folder> {
    let mut read = Folder::default();
    let mut holders: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (name, kind, path) in files(folder)? {
        if let Some(first) = holders.get(&name) {
            read.errors.push(ThemeError::File {
                place: path.display().to_string(),
                cause: format!("{} has the same name", first.display()),
                cure: "rename one of the two".into(),
            });
            continue;
        }
        holders.insert(name.clone(), path.clone());
        read.names.push(name.clone());
        match text(&path, kind) {
            Ok(text) => read.texts.push((name, text)),
            Err(error) => read.errors.push(error),
        }
    }
    Ok(read)
}

fn text(path: &Path, kind: Kind) -> Result<String, ThemeError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| ThemeError::File {
        place: shown.to_string(),
        cause: error.to_string(),
        cure: "make it a readable UTF-8 file, or take it out of the folder".into(),
    })?;
    match kind {
        Kind::Grammar => Ok(text),
        Kind::Scheme => base16::theme_text(&text).map_err(|error| ThemeError::File {
            place: match error.line {
                Some(line) => format!("{shown}:{line}"),
                None => shown.to_string(),
            },
            cause: error.cause,
            cure: error.cure,
        }),
    }
}

/// The state of a folder's files; of one that is gone, none.
pub fn fingerprint(folder: &Path) -> Fingerprint {
    let mut print = Vec::new();
    for (_, _, path) in files(folder).unwrap_or_default() {
        let data = std::fs::metadata(&path).ok();
        let written = data.as_ref().and_then(|data| data.modified().ok());
        print.push((path, written, data.map_or(0, |data| data.len())));
    }
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_what_cannot_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        let colours = (0..16).map(|n| format!("base{n:02X}: \"{n:02x}2030\"\n"));
        write("mine.toml", "inherits = 'dark'").unwrap();
        write("scheme.yaml", &colours.collect::<String>()).unwrap();
        write("short.yml", "base00: \"000000\"\nbase01: red").unwrap();
        write("mine.yaml", "").unwrap();
        write("notes.txt", "no theme").unwrap();
        let read = read(folder.path()).unwrap();
        let names: Vec<&str> = read.texts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["mine", "scheme"]);
        assert_eq!(read.names, ["mine", "scheme", "short"]);
        let told: Vec<String> = read.errors.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("mine.toml has the same name"), "{told:?}");
        assert!(told[1].contains("short.yml:2: base01: red"), "{told:?}");
    }

    #[test]
    fn the_fingerprint_changes_with_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let empty = fingerprint(folder.path());
        std::fs::write(folder.path().join("a.toml"), "").unwrap();
        let one = fingerprint(folder.path());
        assert_ne!(empty, one);
        assert_eq!(one, fingerprint(folder.path()));
        std::fs::write(folder.path().join("a.toml"), "longer").unwrap();
        assert_ne!(one, fingerprint(folder.path()));
        assert_eq!(fingerprint(&folder.path().join("gone")), []);
    }
}
