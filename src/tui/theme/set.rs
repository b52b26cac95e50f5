//! The themes there are: those that ship inside the program, and a folder that may add or replace.

use std::collections::BTreeMap;

use super::{Depth, Theme, ThemeError, depth, grammar};

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

/// A theme as it ships, whatever else has its name.
fn embedded(name: &str, colour: bool) -> Option<Theme> {
    let texts: BTreeMap<&str, &str> = EMBEDDED.into_iter().collect();
    texts.get(name)?;
    let source = |name: &str| texts.get(name).map(|text| text.to_string());
    let theme = grammar::read(name, &source).ok()?;
    Some(match colour {
        true => theme,
        false => theme.without_colour(),
    })
}

impl ThemeSet {
    /// Reads the embedded themes and those given as (name, text); given ones replace embedded
    /// ones of the same name. What cannot be read is left out and told; in place of an embedded
    /// one stays that.
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
                Err(error) => {
                    errors.push(error);
                    themes.extend(embedded(name, colour));
                }
            }
        }
        (ThemeSet { themes }, errors)
    }

    /// All of them in colours that a terminal of this depth has.
    pub fn reduced(mut self, depth: Depth) -> Self {
        for theme in &mut self.themes {
            *theme = depth::reduced(std::mem::take(theme), depth);
        }
        self
    }

    /// With what an earlier set had of those `names` that this one lacks: a theme whose file was
    /// broken since goes on as it was.
    pub fn keeping(mut self, earlier: &ThemeSet, names: &[String]) -> Self {
        for theme in &earlier.themes {
            if names.contains(&theme.name) && self.get(&theme.name).is_none() {
                self.themes.push(theme.clone());
            }
        }
        self
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
