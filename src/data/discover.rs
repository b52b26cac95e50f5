//! From DATA arguments to a list of record files.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::container;
use super::error::DataError;

/// Folders within folders are followed this far.
const DEPTH: usize = 16;

/// The files that the arguments mean, each once: a file is itself whatever its name, `-` is standard
/// input, a folder its record files sorted by name.
pub fn discover(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    if arguments.is_empty() {
        return Err(DataError::NoPaths);
    }
    let mut files = Vec::new();
    for argument in arguments {
        if argument == Path::new("-") {
            files.push(argument.clone());
            continue;
        }
        let meta = fs::metadata(argument).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::NotFound => DataError::NotFound {
                path: argument.clone(),
            },
            _ => io(argument, cause),
        })?;
        if !meta.is_dir() {
            files.push(argument.clone());
            continue;
        }
        if is_model_folder(argument) {
            return Err(DataError::ModelFolder {
                path: argument.clone(),
            });
        }
        let before = files.len();
        walk(argument, DEPTH, &mut files)?;
        if files.len() == before {
            return Err(DataError::NoFiles {
                path: argument.clone(),
            });
        }
    }
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    Ok(files)
}

/// Whether a folder holds a model: a `config.json`, or weights.
pub fn is_model_folder(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        name == "config.json" || name.ends_with(".safetensors") || name.ends_with(".gguf")
    })
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| io(folder, cause))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        // A link to a file is followed, a link to a folder is not: it may lead back here.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            if depth > 0 && !is_model_folder(&path) {
                walk(&path, depth - 1, files)?;
            }
        } else if path.is_file() && (is_record_name(&name) || is_record_table(&name, &path)) {
            files.push(path);
        }
    }
    Ok(())
}

/// Files that tell of a data set and hold no rows.
pub(super) const ABOUT: [&str; 5] = [
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
    "croissant.json",
];

fn is_record_name(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather",
    ];
    has_extension(name, &NAMES) && !ABOUT.contains(&name)
}

/// Tables are often about something else: one of records has a field that is known.
fn is_record_table(name: &str, path: &Path) -> bool {
    has_extension(name, &[".csv", ".tsv"]) && container::names_records(path)
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    let stem = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    extensions.iter().any(|extension| stem.ends_with(extension))
}

/// The name of a file without folder and record extensions, `stdin` for `-`: the root of the ids that
/// are made for rows without one.
pub fn stem(path: &Path) -> String {
    if path == Path::new("-") {
        return "stdin".to_string();
    }
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut stem = name.as_str();
    for extension in [
        ".gz", ".zst", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow",
        ".feather",
    ] {
        stem = stem.strip_suffix(extension).unwrap_or(stem);
    }
    if stem.is_empty() {
        name
    } else {
        stem.to_string()
    }
}

fn io(path: &Path, cause: std::io::Error) -> DataError {
    DataError::Io {
        path: path.to_path_buf(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: PathBuf) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{}").unwrap();
    }

    #[test]
    fn a_folder_means_its_record_files_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "b.jsonl",
            "a.json.gz",
            "c.jsonl.zst",
            "notes.txt",
            "table.csv",
            "e.parquet",
            "saved/data-00000-of-00001.arrow",
            "saved/dataset_info.json",
            "saved/state.json",
            ".hidden.jsonl",
            "inner/d.ndjson",
            "starter/config.json",
            "starter/tokenizer.json",
            "weights/model.gguf",
            "weights/x.json",
            ".git/e.json",
        ] {
            touch(root.join(name));
        }
        fs::write(root.join("d.csv"), "id,prompt\n").unwrap();
        let found = discover(&[root.to_path_buf(), root.join("b.jsonl")]).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "a.json.gz",
                "b.jsonl",
                "c.jsonl.zst",
                "d.csv",
                "e.parquet",
                "inner/d.ndjson",
                "saved/data-00000-of-00001.arrow"
            ]
        );
        let file = discover(&[root.join("notes.txt"), PathBuf::from("-")]).unwrap();
        assert_eq!(file, [root.join("notes.txt"), PathBuf::from("-")]);
    }

    #[test]
    fn nothing_there_is_an_error_with_a_cure() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| discover(&[path.to_path_buf()]).unwrap_err().to_string();
        assert!(message(folder.path()).contains("put *.json"));
        assert!(message(&folder.path().join("none")).contains("no such file"));
        touch(folder.path().join("config.json"));
        assert!(message(folder.path()).contains("--judge"));
        assert!(matches!(discover(&[]), Err(DataError::NoPaths)));
    }

    #[test]
    fn stems() {
        assert_eq!(stem(Path::new("x/a.jsonl.gz")), "a");
        assert_eq!(stem(Path::new("a.b.json")), "a.b");
        assert_eq!(stem(Path::new(".json")), ".json");
        assert_eq!(stem(Path::new("-")), "stdin");
    }
}
