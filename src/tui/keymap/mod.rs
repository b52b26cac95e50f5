//! Which key does what: rows read from TOML, from which footer and help are made.

mod action;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use action::Action;

use super::key::{Code, Key};

/// Where a key was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Everywhere, beneath the others.
    Everywhere,
    /// Lists and text panes of all screens, beneath a screen's own.
    Normal,
    Explore,
    Judge,
    Compare,
    Threshold,
    Annotate,
    Runs,
    /// Typing a response or a template.
    Editor,
    /// Typing a line: a filter, a comment, a name.
    Prompt,
    /// Help, themes, errors, lists to choose from.
    Overlay,
}

impl Layer {
    /// All of them with their names in a keymap and in the help.
    pub const ALL: [(Layer, &'static str, &'static str); 11] = [
        (Layer::Everywhere, "everywhere", "everywhere"),
        (Layer::Normal, "normal", "lists and texts"),
        (Layer::Explore, "explore", "explore"),
        (Layer::Judge, "judge", "judge"),
        (Layer::Compare, "compare", "compare"),
        (Layer::Threshold, "threshold", "threshold"),
        (Layer::Annotate, "annotate", "annotate"),
        (Layer::Runs, "runs", "runs"),
        (Layer::Editor, "editor", "typing a text"),
        (Layer::Prompt, "prompt", "typing a line"),
        (Layer::Overlay, "overlay", "boxes like this one"),
    ];

    /// Where a key is looked for, one after the other.
    fn chain(self) -> &'static [Layer] {
        match self {
            Layer::Everywhere => &[Layer::Everywhere],
            Layer::Normal => &[Layer::Normal, Layer::Everywhere],
            Layer::Explore => &[Layer::Explore, Layer::Normal, Layer::Everywhere],
            Layer::Judge => &[Layer::Judge, Layer::Normal, Layer::Everywhere],
            Layer::Compare => &[Layer::Compare, Layer::Normal, Layer::Everywhere],
            Layer::Threshold => &[Layer::Threshold, Layer::Normal, Layer::Everywhere],
            Layer::Annotate => &[Layer::Annotate, Layer::Normal, Layer::Everywhere],
            Layer::Runs => &[Layer::Runs, Layer::Normal, Layer::Everywhere],
            Layer::Editor => &[Layer::Editor, Layer::Everywhere],
            Layer::Prompt => &[Layer::Prompt, Layer::Everywhere],
            Layer::Overlay => &[Layer::Overlay, Layer::Everywhere],
        }
    }
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
    layers: BTreeMap<Layer, Vec<Binding>>,
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
    /// No such part.
    #[error("keymap: there is no part {0:?}; there are {known}", known = Layer::ALL.map(|(_, name, _)| name).join(", "))]
    Layer(String),
    /// One sequence for two actions, or one that hides a longer one.
    #[error(
        "keymap: in {layer}, {first} for {one} and {second} for {other} are in each other's way: give one of them other keys"
    )]
    Conflict {
        layer: &'static str,
        first: String,
        one: &'static str,
        second: String,
        other: &'static str,
    },
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
    /// Digits rate; no row of the keymap says so.
    Digits,
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

impl Keymap {
    /// The keymap that ships inside the program.
    pub fn standard() -> Self {
        Self::parse(include_str!("default.toml")).unwrap_or_default()
    }

    /// Reads a keymap: arrays of rows under the names of [`Layer::ALL`].
    ///
    /// # Errors
    /// What is wrong with it, keys that are in each other's way among it.
    pub fn parse(text: &str) -> Result<Self, KeymapError> {
        let file: BTreeMap<String, Vec<Row>> =
            toml::from_str(text).map_err(|error| KeymapError::Syntax(error.to_string()))?;
        let mut layers = BTreeMap::new();
        for (name, rows) in file {
            let known = Layer::ALL.iter().find(|(_, known, _)| *known == name);
            let (layer, ..) = known.ok_or(KeymapError::Layer(name))?;
            let bindings: Vec<Binding> = rows.into_iter().map(binding).collect::<Result<_, _>>()?;
            layers.insert(*layer, bindings);
        }
        let keymap = Keymap { layers };
        match keymap.conflict() {
            Some(conflict) => Err(conflict),
            None => Ok(keymap),
        }
    }

    /// The first two bindings of a layer that are in each other's way.
    pub fn conflict(&self) -> Option<KeymapError> {
        for (layer, name, _) in Layer::ALL {
            let mut seen: Vec<(&Vec<Key>, Action)> = Vec::new();
            for binding in self.layer(layer) {
                for keys in &binding.on {
                    let clash = |(other, _): &&(&Vec<Key>, Action)| {
                        other.starts_with(keys) || keys.starts_with(other)
                    };
                    if let Some((other, action)) = seen.iter().find(clash) {
                        return Some(KeymapError::Conflict {
                            layer: name,
                            first: sequence_label(other, true),
                            one: action.name(),
                            second: sequence_label(keys, true),
                            other: binding.run.name(),
                        });
                    }
                    seen.push((keys, binding.run));
                }
            }
        }
        None
    }

    /// Puts another keymap over this one: its sequences win, in their layer and in those above it.
    pub fn over(mut self, other: Keymap) -> Self {
        for (layer, own) in other.layers {
            let base = self.layers.entry(layer).or_default();
            for binding in base.iter_mut() {
                let taken = |keys: &Vec<Key>| {
                    let mut own = own.iter().flat_map(|o| &o.on);
                    own.any(|o| o.starts_with(keys) || keys.starts_with(o))
                };
                binding.on.retain(|keys| !taken(keys));
            }
            base.retain(|binding| !binding.on.is_empty());
            base.splice(0..0, own);
        }
        self
    }

    /// The bindings of one layer.
    pub fn layer(&self, layer: Layer) -> &[Binding] {
        self.layers.get(&layer).map_or(&[], Vec::as_slice)
    }

    /// The bindings that hold in a layer, its own first.
    fn chain(&self, layer: Layer) -> impl Iterator<Item = &Binding> {
        layer.chain().iter().flat_map(|layer| self.layer(*layer))
    }

    /// What the keys mean in a layer.
    pub fn look_up(&self, layer: Layer, keys: &[Key]) -> Lookup {
        let mut result = Lookup::None;
        for binding in self.chain(layer) {
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
        let binding = self.chain(layer).find(|binding| binding.run == action)?;
        Some((binding.on.first()?, &binding.desc))
    }

    /// Every action that can be reached from a layer, with its keys: what a palette offers.
    pub fn reachable(&self, layer: Layer) -> Vec<&Binding> {
        let mut found: Vec<&Binding> = Vec::new();
        for binding in self.chain(layer) {
            if found.iter().all(|other| other.run != binding.run) {
                found.push(binding);
            }
        }
        found
    }

    /// Everything there is to say about the keys, as lines of the help in one or two columns, those of `first` before
    /// the others.
    pub fn help(&self, first: Layer, two: bool) -> [Vec<HelpLine<'_>>; 2] {
        let mut order: Vec<(Layer, &str)> = Layer::ALL
            .iter()
            .map(|(layer, _, title)| (*layer, *title))
            .collect();
        let rank = |layer: Layer| match layer {
            layer if layer == first => 0,
            Layer::Normal => 1,
            Layer::Everywhere => 2,
            _ => 3,
        };
        order.sort_by_key(|(layer, _)| rank(*layer));
        order.retain(|(layer, _)| !self.layer(*layer).is_empty());
        let total: usize = order.iter().map(|(l, _)| self.layer(*l).len() + 2).sum();
        let mut columns = [Vec::new(), Vec::new()];
        for (layer, title) in order {
            let second = two && columns[0].len() >= total / 2;
            let column = &mut columns[usize::from(second)];
            if !column.is_empty() {
                column.push(HelpLine::Blank);
            }
            column.push(HelpLine::Title(title));
            if layer == Layer::Annotate {
                column.push(HelpLine::Digits);
            }
            column.extend(self.layer(layer).iter().map(HelpLine::Binding));
        }
        columns
    }

    /// What may follow the keys pressed so far.
    pub fn continuations(&self, layer: Layer, keys: &[Key]) -> Vec<(&[Key], &str)> {
        let mut out = Vec::new();
        for binding in self.chain(layer) {
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
