//! Which key does what: rows read from TOML, from which footer and help are made.

mod action;

use serde::Deserialize;

pub use action::Action;

use super::key::{Code, Key};

/// Where a key was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Everywhere, beneath the others.
    Everywhere,
    /// Lists and text panes.
    Normal,
    /// Typing a response.
    Editor,
    /// Typing a filter.
    Prompt,
    /// Help, themes, errors.
    Overlay,
}

/// One row of a keymap.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Sequences that do the same; the first is the one shown.
    pub on: Vec<Vec<Key>>,
    /// What they do.
    pub run: Action,
    /// In few words.
    pub desc: String,
}

/// All bindings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keymap {
    everywhere: Vec<Binding>,
    normal: Vec<Binding>,
    editor: Vec<Binding>,
    prompt: Vec<Binding>,
    overlay: Vec<Binding>,
}

/// Why a keymap cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// Not TOML, or not rows `{ on, run, desc }`.
    #[error("keymap: {0}")]
    Syntax(String),
    /// A key without a meaning.
    #[error("keymap: {0:?} is not a key")]
    Key(String),
    /// An action that does not exist.
    #[error("keymap: {0:?} is not an action")]
    Action(String),
    /// Digits are labels.
    #[error("keymap: {0:?} begins with a digit; digits are labels only")]
    Digit(String),
}

/// What a sequence of keys means so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This.
    Found(Action),
    /// Nothing yet, but it may become something.
    Prefix,
    /// Nothing.
    None,
}

/// One line of the help.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HelpLine<'a> {
    /// Between two parts.
    Blank,
    /// Where the keys below it are pressed.
    Title(&'a str),
    /// A row of the keymap.
    Binding(&'a Binding),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum On {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Row {
    on: On,
    run: String,
    #[serde(default)]
    desc: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    everywhere: Vec<Row>,
    #[serde(default)]
    normal: Vec<Row>,
    #[serde(default)]
    editor: Vec<Row>,
    #[serde(default)]
    prompt: Vec<Row>,
    #[serde(default)]
    overlay: Vec<Row>,
}

impl Keymap {
    /// The keymap that ships inside the program.
    pub fn standard() -> Self {
        Self::parse(include_str!("default.toml")).unwrap_or_default()
    }

    /// Reads a keymap.
    pub fn parse(text: &str) -> Result<Self, KeymapError> {
        let file: File =
            toml::from_str(text).map_err(|error| KeymapError::Syntax(error.to_string()))?;
        let rows = |rows: Vec<Row>| rows.into_iter().map(binding).collect::<Result<Vec<_>, _>>();
        Ok(Keymap {
            everywhere: rows(file.everywhere)?,
            normal: rows(file.normal)?,
            editor: rows(file.editor)?,
            prompt: rows(file.prompt)?,
            overlay: rows(file.overlay)?,
        })
    }

    /// Puts another keymap over this one: its sequences win.
    pub fn over(mut self, other: Keymap) -> Self {
        let merge = |base: &mut Vec<Binding>, own: Vec<Binding>| {
            for binding in base.iter_mut() {
                let taken = |keys: &Vec<Key>| own.iter().any(|o| o.on.contains(keys));
                binding.on.retain(|keys| !taken(keys));
            }
            base.retain(|binding| !binding.on.is_empty());
            let mut merged = own;
            merged.append(base);
            *base = merged;
        };
        merge(&mut self.everywhere, other.everywhere);
        merge(&mut self.normal, other.normal);
        merge(&mut self.editor, other.editor);
        merge(&mut self.prompt, other.prompt);
        merge(&mut self.overlay, other.overlay);
        self
    }

    /// The bindings of one layer.
    pub fn layer(&self, layer: Layer) -> &[Binding] {
        match layer {
            Layer::Everywhere => &self.everywhere,
            Layer::Normal => &self.normal,
            Layer::Editor => &self.editor,
            Layer::Prompt => &self.prompt,
            Layer::Overlay => &self.overlay,
        }
    }

    /// What the keys mean in a layer.
    pub fn look_up(&self, layer: Layer, keys: &[Key]) -> Lookup {
        let mut result = Lookup::None;
        for binding in self.layer(layer).iter().chain(&self.everywhere) {
            for sequence in &binding.on {
                if sequence == keys {
                    return Lookup::Found(binding.run);
                }
                if sequence.starts_with(keys) {
                    result = Lookup::Prefix;
                }
            }
        }
        result
    }

    /// How an action is reached in a layer: its first sequence, and what it is called.
    pub fn hint(&self, layer: Layer, action: Action) -> Option<(&[Key], &str)> {
        let mut bindings = self.layer(layer).iter().chain(&self.everywhere);
        let binding = bindings.find(|binding| binding.run == action)?;
        Some((binding.on.first()?, &binding.desc))
    }

    /// Everything there is to say about the keys, as lines of the help in one or two columns.
    pub fn help(&self, two: bool) -> [Vec<HelpLine<'_>>; 2] {
        let layers = [
            (Layer::Normal, "lists and texts"),
            (Layer::Everywhere, "everywhere"),
            (Layer::Editor, "typing a response"),
            (Layer::Prompt, "typing a filter"),
            (Layer::Overlay, "boxes like this one"),
        ];
        let mut columns = [Vec::new(), Vec::new()];
        for (place, (layer, title)) in layers.into_iter().enumerate() {
            let column = &mut columns[usize::from(two && place > 0)];
            if !column.is_empty() {
                column.push(HelpLine::Blank);
            }
            column.push(HelpLine::Title(title));
            column.extend(self.layer(layer).iter().map(HelpLine::Binding));
        }
        columns
    }

    /// What may follow the keys pressed so far.
    pub fn continuations(&self, layer: Layer, keys: &[Key]) -> Vec<(&[Key], &str)> {
        let mut out = Vec::new();
        for binding in self.layer(layer).iter().chain(&self.everywhere) {
            for sequence in &binding.on {
                if sequence.len() > keys.len() && sequence.starts_with(keys) {
                    out.push((&sequence[keys.len()..], binding.desc.as_str()));
                }
            }
        }
        out
    }
}

/// A sequence as it is shown: `g g` is `gg`, names keep a blank between them.
pub fn sequence_label(keys: &[Key], ascii: bool) -> String {
    let labels: Vec<String> = keys.iter().map(|key| key.label(ascii)).collect();
    let single = labels.iter().all(|label| label.chars().count() == 1);
    labels.join(if single { "" } else { " " })
}

fn binding(row: Row) -> Result<Binding, KeymapError> {
    let names = match row.on {
        On::One(one) => vec![one],
        On::Several(several) => several,
    };
    let on = names.into_iter().map(sequence).collect::<Result<_, _>>()?;
    let run = Action::parse(&row.run).ok_or(KeymapError::Action(row.run))?;
    let desc = row.desc;
    Ok(Binding { on, run, desc })
}

fn sequence(names: String) -> Result<Vec<Key>, KeymapError> {
    let keys = Key::parse_sequence(&names).ok_or_else(|| KeymapError::Key(names.clone()))?;
    let digit = |key: &Key| matches!(key.code, Code::Char(c) if c.is_ascii_digit());
    match keys.iter().any(digit) {
        true => Err(KeymapError::Digit(names)),
        false => Ok(keys),
    }
}

#[cfg(test)]
mod tests;
