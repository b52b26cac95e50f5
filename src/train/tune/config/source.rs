//! A file's keys with their lines, and what is said about them.

use std::fmt::Display;
use std::path::PathBuf;

use super::file::{COMMON, Paths, own_keys};
use super::{ConfigError, Kind};

/// The file with its keys' lines.
pub(super) struct Source<'a> {
    pub kind: Kind,
    file: &'a str,
    /// Keys and lines, from 1.
    pub keys: Vec<(String, usize)>,
}

pub(super) type Result<T> = std::result::Result<T, ConfigError>;

impl<'a> Source<'a> {
    pub fn new(kind: Kind, file: &'a str, text: &str) -> Result<Self> {
        let line_of = |byte: usize| 1 + text.bytes().take(byte).filter(|b| *b == b'\n').count();
        let table = toml::de::DeTable::parse(text).map_err(|e| ConfigError {
            file: file.to_owned(),
            line: e.span().map(|span| line_of(span.start)),
            cause: format!("no TOML: {}", e.message()),
        })?;
        let keys = table.get_ref().keys();
        let mut keys: Vec<(String, usize)> = keys
            .map(|key| (key.get_ref().to_string(), line_of(key.span().start)))
            .collect();
        keys.sort_by_key(|(_, line)| *line);
        Ok(Source { kind, file, keys })
    }

    pub fn wrong(&self, key: &str, cause: impl Display) -> ConfigError {
        let line = self.keys.iter().find(|(name, _)| name == key);
        ConfigError {
            file: self.file.to_owned(),
            line: line.map(|(_, line)| *line),
            cause: format!("`{key}` {cause}"),
        }
    }

    /// That every key belongs to this kind of training.
    pub fn known(&self) -> Result<()> {
        let own = own_keys(self.kind);
        let foreign = |key: &&(String, usize)| {
            !COMMON.contains(&key.0.as_str()) && !own.contains(&key.0.as_str())
        };
        let Some((key, _)) = self.keys.iter().find(foreign) else {
            return Ok(());
        };
        let others = [Kind::Judge, Kind::Sft, Kind::Jsft, Kind::SelfTraining];
        let others = others.into_iter();
        let owners: Vec<String> = others
            .filter(|kind| own_keys(*kind).contains(&key.as_str()))
            .map(|kind| format!("`train {kind}`"))
            .collect();
        let whose = match owners.is_empty() {
            true => "is no key that is known".to_owned(),
            false => format!("is a key of {}", owners.join(" and ")),
        };
        let mut known = [own, &COMMON].concat();
        known.sort_by_key(|name| !alike(name, key));
        Err(self.wrong(
            key,
            format!("{whose}; `train {}` has {}", self.kind, known.join(", ")),
        ))
    }

    pub fn needed<T>(&self, key: &str, value: Option<T>, what: &str) -> Result<T> {
        value.ok_or_else(|| self.wrong(key, format!("is missing: {what}")))
    }

    /// A number that satisfies a condition.
    pub fn number<T: Display + Copy>(
        &self,
        key: &str,
        value: T,
        is_good: impl Fn(T) -> bool,
        expected: &str,
    ) -> Result<T> {
        match is_good(value) {
            true => Ok(value),
            false => Err(self.wrong(key, format!("is {value}: {expected} expected"))),
        }
    }

    pub fn paths(&self, key: &str, paths: Option<Paths>) -> Result<Vec<PathBuf>> {
        let given = paths.is_some();
        let paths = paths.unwrap_or_default().0;
        match given && (paths.is_empty() || paths.iter().any(|p| p.as_os_str().is_empty())) {
            true => Err(self.wrong(key, "names no file: give a path, or leave the key out")),
            false => Ok(paths),
        }
    }
}

/// Whether two names begin alike: what was meant comes first in a message.
fn alike(one: &str, other: &str) -> bool {
    let shared = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    shared.count() >= 3
}
