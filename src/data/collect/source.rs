//! Where rows come from: files, folders of files, folders that are one data set, and what a configuration says of them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::category::Category;
use super::error::CollectError;
use crate::data::discover::{ABOUT, stem};
use crate::data::{FieldMap, discover};

/// Rows that are counted together.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Unique in the run.
    pub name: String,
    /// In the order they are read.
    pub files: Vec<PathBuf>,
    /// Fields with other names.
    pub fields: FieldMap,
    /// The category of all rows, where a rule says so.
    pub category: Option<Category>,
}

/// All sources, and what is left out of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// In the order given.
    pub list: Vec<Source>,
    /// Files that belong to test splits.
    pub left_out: Vec<PathBuf>,
}

/// A configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    source: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// A file or folder; from the configuration's own folder on.
    path: PathBuf,
    /// What its rows are counted under.
    name: Option<String>,
    category: Option<Category>,
    /// Names known here for names in the data.
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

impl Sources {
    /// Sources as given on the command line.
    ///
    /// # Errors
    /// A path that leads nowhere, a folder without rows.
    pub fn add_paths(&mut self, paths: &[PathBuf], fields: &FieldMap) -> Result<(), CollectError> {
        for path in paths {
            self.add(path, None, fields, None)?;
        }
        Ok(())
    }

    /// Sources of a configuration; `fields` where it names none.
    ///
    /// # Errors
    /// What the file says that is not known, with its line, and as [`Sources::add_paths`].
    pub fn add_config(&mut self, path: &Path, fields: &FieldMap) -> Result<(), CollectError> {
        let wrong = |cause: String| CollectError::Config {
            path: path.to_owned(),
            cause,
        };
        let text =
            fs::read_to_string(path).map_err(|cause| wrong(format!("cannot be read: {cause}")))?;
        let file: File = toml::from_str(&text)
            .map_err(|cause| wrong(cause.to_string().trim_end().to_owned()))?;
        if file.source.is_empty() {
            return Err(wrong("no [[source]] in it; each needs a `path`".into()));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for entry in file.source {
            let mut own = fields.clone();
            for (target, source) in &entry.fields {
                let text = format!("{target}={source}");
                own.add(&text).map_err(|cause| wrong(cause.to_string()))?;
            }
            let place = folder.join(&entry.path);
            self.add(&place, entry.name, &own, entry.category)?;
        }
        Ok(())
    }

    /// Gives the rows of a source a category.
    ///
    /// # Errors
    /// A source that is not there.
    pub fn set_category(&mut self, name: &str, category: Category) -> Result<(), CollectError> {
        let mut found = false;
        for source in self.list.iter_mut().filter(|source| source.name == name) {
            source.category = Some(category);
            found = true;
        }
        match found {
            true => Ok(()),
            false => Err(CollectError::UnknownSource {
                name: name.to_owned(),
                known: self
                    .list
                    .iter()
                    .map(|source| source.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    fn add(
        &mut self,
        path: &Path,
        name: Option<String>,
        fields: &FieldMap,
        category: Option<Category>,
    ) -> Result<(), CollectError> {
        let mut files = discover(&[path.to_owned()])?;
        let is_folder = path.is_dir();
        if is_folder {
            files.retain(|file| !is_about(file));
        }
        let one = |name: String, files| Source {
            name,
            files,
            fields: fields.clone(),
            category,
        };
        if !is_folder {
            self.push(one(name.unwrap_or_else(|| stem(path)), files));
            return Ok(());
        }
        let folder_name = || {
            let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            real.file_name().map_or_else(
                || "folder".into(),
                |name| name.to_string_lossy().into_owned(),
            )
        };
        let is_set = is_dataset(path, &files);
        if is_set && files.iter().any(|file| !is_test(file)) {
            let (tests, rest) = files.into_iter().partition(|file| is_test(file));
            self.left_out.extend::<Vec<_>>(tests);
            files = rest;
        }
        match name {
            Some(name) => self.push(one(name, files)),
            None if is_set => self.push(one(folder_name(), files)),
            None => {
                for file in files {
                    self.push(one(stem(&file), vec![file]));
                }
            }
        }
        Ok(())
    }

    /// Adds a source under a name that no other has; a file that is already read is not read again.
    fn push(&mut self, mut source: Source) {
        let real = |file: &Path| fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let known: HashSet<PathBuf> = self
            .list
            .iter()
            .flat_map(|source| &source.files)
            .map(|f| real(f))
            .collect();
        source.files.retain(|file| !known.contains(&real(file)));
        if source.files.is_empty() {
            return;
        }
        let taken = |name: &str| self.list.iter().any(|source| source.name == name);
        if taken(&source.name) {
            let parent = source
                .files
                .first()
                .and_then(|file| file.parent()?.file_name());
            if let Some(parent) = parent {
                source.name = format!("{}/{}", parent.to_string_lossy(), source.name);
            }
        }
        let name = source.name.clone();
        let mut count = 2;
        while taken(&source.name) {
            source.name = format!("{name}#{count}");
            count += 1;
        }
        self.list.push(source);
    }
}

fn is_about(file: &Path) -> bool {
    file.file_name()
        .is_some_and(|name| ABOUT.iter().any(|about| name == *about))
}

/// Whether a folder is one data set: it has a file that tells so, or its files are splits.
fn is_dataset(folder: &Path, files: &[PathBuf]) -> bool {
    ABOUT.iter().any(|name| folder.join(name).is_file())
        || files.iter().all(|file| split(file).is_some())
}

/// The split that the name of a file, or of its folder, tells: `train-00000-of-00002.parquet`, `test/0.jsonl`.
fn split(file: &Path) -> Option<&'static str> {
    const SPLITS: [&str; 8] = [
        "train",
        "test",
        "validation",
        "valid",
        "val",
        "dev",
        "eval",
        "part",
    ];
    let of = |name: &str| {
        let name = name.to_ascii_lowercase();
        let first = name
            .split(['-', '_', '.'])
            .next()
            .unwrap_or_default()
            .to_owned();
        SPLITS.into_iter().find(|split| *split == first)
    };
    let parent = file.parent().and_then(Path::file_name);
    of(&stem(file)).or_else(|| of(&parent?.to_string_lossy()))
}

fn is_test(file: &Path) -> bool {
    split(file).is_some_and(|split| !matches!(split, "train" | "part"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: PathBuf) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{\"instruction\":\"x\"}\n").unwrap();
        path
    }

    #[test]
    fn folders_are_files_or_one_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        touch(root.join("many/a.jsonl"));
        touch(root.join("many/b.json"));
        touch(root.join("set/data/train-00000-of-00002.jsonl"));
        touch(root.join("set/data/train-00001-of-00002.jsonl"));
        touch(root.join("set/data/test-00000-of-00001.jsonl"));
        touch(root.join("told/x.jsonl"));
        touch(root.join("told/dataset_info.json"));
        let other = touch(root.join("other/a.jsonl"));
        let mut sources = Sources::default();
        let paths = ["many", "set", "told"].map(|name| root.join(name));
        sources.add_paths(&paths, &FieldMap::new()).unwrap();
        sources
            .add_paths(&[other.clone(), other], &FieldMap::new())
            .unwrap();
        let names: Vec<_> = sources
            .list
            .iter()
            .map(|s| (s.name.as_str(), s.files.len()))
            .collect();
        assert_eq!(
            names,
            [("a", 1), ("b", 1), ("set", 2), ("told", 1), ("other/a", 1)]
        );
        assert_eq!(sources.left_out.len(), 1);
        let error = sources
            .set_category("none", Category::Coding)
            .unwrap_err()
            .to_string();
        assert!(error.contains("there are a, b, set"), "{error}");
    }

    #[test]
    fn a_configuration_names_sources() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path().join("x.jsonl"));
        let config = folder.path().join("c.toml");
        let read = |text: &str| {
            fs::write(&config, text).unwrap();
            let mut sources = Sources::default();
            sources
                .add_config(&config, &FieldMap::new())
                .map(|()| sources.list)
        };
        let text = "[[source]]\npath = 'x.jsonl'\nname = 'n'\ncategory = 'coding'\nfields = { instruction = 'q' }\n";
        let list = read(text).unwrap();
        assert_eq!(
            (list[0].name.as_str(), list[0].category),
            ("n", Some(Category::Coding))
        );
        assert_eq!(list[0].fields.source_of("instruction"), "q");
        let cause = |text: &str| read(text).unwrap_err().to_string();
        let unknown = cause("[[source]]\npath = 'x.jsonl'\nkind = 'y'\n");
        assert!(
            unknown.contains("c.toml") && unknown.contains("line 3") && unknown.contains("kind"),
            "{unknown}"
        );
        assert!(cause("").contains("[[source]]"));
        assert!(cause("[[source]]\npath = 'gone.jsonl'\n").contains("gone.jsonl"));
        assert!(cause("[[source]]\npath = 'x.jsonl'\ncategory = 'sport'\n").contains("common"));
    }
}
