//! The themes there are: those that ship inside the program, and a folder that may add or replace.

use std::collections::BTreeMap;

use super::{Theme, ThemeError, grammar};

/// Every theme, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThemeSet {
    themes: Vec<Theme>,
}

/// The themes inside the program.
const EMBEDDED: [(&str, &str); 4] = [
    ("terminal", include_str!("../../../themes/terminal.toml")),
    ("dark", include_str!("../../../themes/dark.toml")),
    ("light", include_str!("../../../themes/light.toml")),
    (
        "high-contrast",
        include_str!("../../../themes/high-contrast.toml"),
    ),
];

impl ThemeSet {
    /// Reads the embedded themes and those given as (name, text); given ones replace embedded
    /// ones of the same name. What cannot be read is left out and told.
    pub fn new(extra: &[(String, String)], colour: bool) -> (Self, Vec<ThemeError>) {
        let mut names: Vec<String> = EMBEDDED.iter().map(|(n, _)| n.to_string()).collect();
        let mut texts: BTreeMap<&str, &str> = EMBEDDED.into_iter().collect();
        for (name, text) in extra {
            if texts.insert(name, text).is_none() {
                names.push(name.clone());
            }
        }
        let source = |name: &str| texts.get(name).map(|text| text.to_string());
        let mut themes = Vec::new();
        let mut errors = Vec::new();
        for name in &names {
            match grammar::read(name, &source) {
                Ok(theme) if colour => themes.push(theme),
                Ok(theme) => themes.push(theme.without_colour()),
                Err(error) => errors.push(error),
            }
        }
        (ThemeSet { themes }, errors)
    }

    /// Their names, in the order they are offered.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.themes.iter().map(|theme| theme.name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.themes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.themes.is_empty()
    }

    /// A theme by its place.
    pub fn at(&self, index: usize) -> Option<&Theme> {
        self.themes.get(index)
    }

    /// A theme by its name.
    pub fn get(&self, name: &str) -> Option<&Theme> {
        self.themes.iter().find(|theme| theme.name == name)
    }

    /// The place of a theme.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.themes.iter().position(|theme| theme.name == name)
    }
}
