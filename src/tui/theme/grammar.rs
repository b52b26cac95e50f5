//! The grammar of theme files, which is Helix's: `inherits`, `[palette]`, dotted roles.

use std::collections::HashMap;

use ratatui::style::{Color, Modifier, Style};
use toml::{Table, Value};

use super::{Theme, color};

/// How deep `inherits` may go.
const MAX_DEPTH: usize = 8;

/// Why a theme cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// Not TOML.
    #[error("theme {name}: {cause}")]
    Syntax { name: String, cause: String },
    /// No such theme, or none that another inherits.
    #[error("theme {0} is not known")]
    Unknown(String),
    /// Themes inherit one another in a circle.
    #[error("theme {0} inherits itself")]
    Circle(String),
    /// A value that is not a style.
    #[error("theme {name}: {role}: {cause}")]
    Value {
        name: String,
        role: String,
        cause: String,
    },
    /// A file that holds no theme.
    #[error("{place}: {cause}: {cure}")]
    File {
        /// The file, and the line where there is one.
        place: String,
        cause: String,
        cure: String,
    },
}

/// Reads a theme; `source` gives the text of those it inherits.
pub fn read(name: &str, source: &dyn Fn(&str) -> Option<String>) -> Result<Theme, ThemeError> {
    let table = merged(name, source, 0)?;
    let palette = palette(name, &table)?;
    let mut styles = HashMap::new();
    for (role, value) in &table {
        if role == "palette" || role == "inherits" {
            continue;
        }
        collect(name, role, value, &palette, &mut styles)?;
    }
    Ok(Theme {
        name: name.to_string(),
        styles,
    })
}

/// The theme's table over those it inherits: roles and palette entries replace one another.
fn merged(
    name: &str,
    source: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<Table, ThemeError> {
    if depth > MAX_DEPTH {
        return Err(ThemeError::Circle(name.to_string()));
    }
    let text = source(name).ok_or_else(|| ThemeError::Unknown(name.to_string()))?;
    let table: Table = text
        .parse()
        .map_err(|e: toml::de::Error| ThemeError::Syntax {
            name: name.to_string(),
            cause: e.to_string(),
        })?;
    let Some(parent) = table.get("inherits").and_then(Value::as_str) else {
        return Ok(table);
    };
    let mut base = merged(parent, source, depth + 1)?;
    for (key, value) in table {
        match (key.as_str(), value, base.get_mut("palette")) {
            ("palette", Value::Table(own), Some(Value::Table(inherited))) => {
                inherited.extend(own);
            }
            (_, value, _) => {
                base.insert(key, value);
            }
        }
    }
    Ok(base)
}

fn palette(name: &str, table: &Table) -> Result<HashMap<String, Color>, ThemeError> {
    let Some(Value::Table(entries)) = table.get("palette") else {
        return Ok(HashMap::new());
    };
    entries
        .iter()
        .map(|(entry, value)| {
            let parsed = value.as_str().and_then(color::parse);
            parsed
                .map(|color| (entry.clone(), color))
                .ok_or_else(|| ThemeError::Value {
                    name: name.to_string(),
                    role: format!("palette.{entry}"),
                    cause: format!("{value} is not a colour"),
                })
        })
        .collect()
}

/// Takes one role; a table that holds other keys than a style's is a group of roles.
fn collect(
    name: &str,
    role: &str,
    value: &Value,
    palette: &HashMap<String, Color>,
    styles: &mut HashMap<String, Style>,
) -> Result<(), ThemeError> {
    let is_style = |table: &Table| {
        table
            .keys()
            .all(|key| matches!(key.as_str(), "fg" | "bg" | "modifiers" | "underline"))
    };
    match value {
        Value::Table(table) if !is_style(table) => {
            for (part, value) in table {
                collect(name, &format!("{role}.{part}"), value, palette, styles)?;
            }
            Ok(())
        }
        value => {
            let style = style(value, palette).map_err(|cause| ThemeError::Value {
                name: name.to_string(),
                role: role.to_string(),
                cause,
            })?;
            styles.insert(role.to_string(), style);
            Ok(())
        }
    }
}

fn style(value: &Value, palette: &HashMap<String, Color>) -> Result<Style, String> {
    let color = |value: &Value| -> Result<Color, String> {
        let text = value
            .as_str()
            .ok_or_else(|| format!("{value} is not a colour"))?;
        palette
            .get(text)
            .copied()
            .or_else(|| color::parse(text))
            .ok_or_else(|| format!("{text} is neither in the palette nor a colour"))
    };
    let table = match value {
        Value::String(_) => return Ok(Style::default().fg(color(value)?)),
        Value::Table(table) => table,
        other => return Err(format!("{other} is not a style")),
    };
    let mut style = Style::default();
    if let Some(fg) = table.get("fg") {
        style = style.fg(color(fg)?);
    }
    if let Some(bg) = table.get("bg") {
        style = style.bg(color(bg)?);
    }
    if table.contains_key("underline") {
        style = style.add_modifier(Modifier::UNDERLINED);
    }
    let modifiers = table.get("modifiers").and_then(Value::as_array);
    for modifier in modifiers.into_iter().flatten() {
        let parsed = modifier.as_str().and_then(color::parse_modifier);
        style = style.add_modifier(parsed.ok_or_else(|| format!("{modifier} is not a modifier"))?);
    }
    Ok(style)
}
