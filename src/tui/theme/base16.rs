//! Schemes of the base16 and base24 kind as themes: sixteen or twenty-four colours by number,
//! made into a theme file of our own grammar, so that other themes may inherit from one.
//!
//! `base00` is the ground, `base01` to `base04` lead from it to the ink `base05`, `base08` to
//! `base0F` are red, orange, yellow, green, cyan, blue, magenta and brown; `base10` and `base11`
//! of base24 lie beyond the ground, `base12` to `base17` are bright twins. Light schemes are built
//! the same way from the other end, so nothing here asks which of the two a scheme is.

use std::collections::BTreeMap;

use super::contrast::{TEXT, contrast, readable};
use super::lab::{Lab, Rgb};

/// The roles, by names of the palette below.
const ROLES: &str = include_str!("base16.toml");

/// Why a scheme cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeError {
    /// The line of the file, from 1; none where something is missing.
    pub line: Option<usize>,
    /// What is wrong, beginning with the key.
    pub cause: String,
    /// What to do about it.
    pub cure: String,
}

/// The text of a theme that wears the scheme.
pub fn theme_text(yaml: &str) -> Result<String, SchemeError> {
    let scheme = Scheme::read(yaml)?;
    let mut text = format!("{ROLES}\n[palette]\n");
    for (name, (r, g, b)) in scheme.palette() {
        text.push_str(&format!("{name} = \"#{r:02x}{g:02x}{b:02x}\"\n"));
    }
    Ok(text)
}

/// Colours by their number, `base00` to `base17`.
struct Scheme {
    colours: BTreeMap<u8, Rgb>,
}

/// The colours that every scheme has.
const BASE16: std::ops::RangeInclusive<u8> = 0x00..=0x0f;
/// The last colour of base24.
const LAST: u8 = 0x17;

impl Scheme {
    /// Reads both layouts in use: `base00: "181818"` at the margin, and the same in `palette:`,
    /// with or without `#`.
    ///
    /// Read line by line and not by a YAML library: those read the unquoted `000000` as the
    /// number 0 and `1e1e10` as a power of ten, which schemes in use do contain, and nothing of
    /// YAML but lines of `key: value` occurs in them.
    fn read(yaml: &str) -> Result<Self, SchemeError> {
        let mut colours = BTreeMap::new();
        for (number, line) in (1..).zip(yaml.trim_start_matches('\u{feff}').lines()) {
            for (key, value) in pairs(line) {
                let Some(place) = place(key) else {
                    continue;
                };
                let fail = |cause: String, cure: &str| SchemeError {
                    line: Some(number),
                    cause: format!("{key}: {cause}"),
                    cure: cure.to_string(),
                };
                let colour = colour(value).map_err(|cause| {
                    fail(
                        cause,
                        "write six hexadecimal digits in quotes, as \"7cafc2\"",
                    )
                })?;
                if colours.insert(place, colour).is_some() {
                    let cure = "keep one of the two lines; a file holds one scheme";
                    return Err(fail("given twice".into(), cure));
                }
            }
        }
        let missing = BASE16.filter(|place| !colours.contains_key(place));
        let missing: Vec<String> = missing.map(|place| format!("base{place:02X}")).collect();
        if missing.is_empty() {
            return Ok(Scheme { colours });
        }
        Err(SchemeError {
            line: None,
            cause: format!("{} not given", list(&missing)),
            cure: "a scheme needs base00 to base0F, one `key: \"colour\"` a line".into(),
        })
    }

    /// A colour; one that only base24 has falls back as its specification says.
    fn at(&self, place: u8) -> Rgb {
        let usual = match place {
            0x10 | 0x11 => 0x00,
            0x12 => 0x08,
            0x13 => 0x0a,
            0x14 => 0x0b,
            0x15 => 0x0c,
            0x16 => 0x0d,
            0x17 => 0x0e,
            other => other,
        };
        let found = self.colours.get(&place).or(self.colours.get(&usual));
        found.copied().unwrap_or_default()
    }

    /// The names that the roles use. Schemes are drawn for code on `base00`; here text stands on
    /// bars and selections, too, so what could not be read there is moved towards the ink.
    fn palette(&self) -> Vec<(&'static str, Rgb)> {
        let between = |one: u8, other: u8, share: f64| {
            Lab::of(self.at(one))
                .towards(Lab::of(self.at(other)), share)
                .rgb()
        };
        let ground = self.at(0x00);
        let bar = match self.colours.get(&0x10) {
            Some(darker) => *darker,
            None => self.at(0x01),
        };
        let hover = between(0x00, 0x01, 0.7);
        let raised = between(0x01, 0x02, 0.5);
        let grounds = [ground, bar, hover, raised];
        // The ink is moved as well, where a scheme is faint altogether.
        let strong = *[self.at(0x07), self.at(0x06), self.at(0x05)]
            .iter()
            .max_by(|one, other| contrast(**one, ground).total_cmp(&contrast(**other, ground)))
            .unwrap_or(&self.at(0x05));
        let ink = readable(self.at(0x05), strong, &grounds, TEXT);
        let text = |place: u8| readable(self.at(place), ink, &grounds, TEXT);
        let blue = text(0x0d);
        let on_blue = if contrast(ground, blue) >= contrast(ink, blue) {
            ground
        } else {
            ink
        };
        vec![
            ("ground", ground),
            ("bar", bar),
            ("hover", hover),
            ("raised", raised),
            ("line", between(0x02, 0x03, 0.5)),
            ("faint", text(0x03)),
            ("muted", text(0x04)),
            ("ink", ink),
            ("strong", strong),
            ("red", text(0x08)),
            ("orange", text(0x09)),
            ("yellow", text(0x0a)),
            ("green", text(0x0b)),
            ("cyan", text(0x0c)),
            ("blue", blue),
            ("on-blue", on_blue),
            ("magenta", text(0x0e)),
            ("bright-red", text(0x12)),
            ("bright-green", text(0x14)),
            ("bright-blue", text(0x16)),
            ("bright-magenta", text(0x17)),
        ]
    }
}

/// `a, b and 3 more`
fn list(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The number of a key `base0A`.
fn place(key: &str) -> Option<u8> {
    let digits = key.strip_prefix("base").or(key.strip_prefix("BASE"))?;
    let place = u8::from_str_radix(digits, 16).ok()?;
    (digits.len() == 2 && place <= LAST).then_some(place)
}

/// The keys and values of a line: `key: value`, or several between braces.
fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let braces = line
        .find('{')
        .filter(|_| !line.trim_start().starts_with('#'));
    let inside = braces.map(|at| line[at + 1..].trim_end().trim_end_matches('}'));
    let parts = inside
        .unwrap_or(line)
        .split(move |c| braces.is_some() && c == ',');
    parts.filter_map(|part| {
        let (key, value) = part.trim().split_once(':')?;
        Some((unquoted(key.trim()), value.trim()))
    })
}

fn unquoted(text: &str) -> &str {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text)
}

/// A colour: six hexadecimal digits, `#` before them at will; a remark may follow.
fn colour(value: &str) -> Result<Rgb, String> {
    if value.starts_with('#') {
        return Err(format!(
            "{value} is a remark in YAML, for it is not in quotes"
        ));
    }
    let end = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].find(quote).map(|at| at + 2),
        _ => value.find(" #"),
    };
    let (value, rest) = value.split_at(end.unwrap_or(value.len()));
    let digits = unquoted(value.trim());
    let digits = digits.strip_prefix('#').unwrap_or(digits);
    let rest = rest.trim();
    let hexadecimal = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !hexadecimal || !(rest.is_empty() || rest.starts_with('#')) {
        return Err(format!(
            "{} is not a colour",
            if value.is_empty() { "nothing" } else { value }
        ));
    }
    let channel = |at: usize| {
        let parsed = digits
            .get(at..at + 2)
            .map(|two| u8::from_str_radix(two, 16));
        parsed.and_then(Result::ok).unwrap_or_default()
    };
    Ok((channel(0), channel(2), channel(4)))
}

#[cfg(test)]
mod tests;
