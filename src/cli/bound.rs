//! Bounds, conditions and thresholds in arguments.

use std::path::Path;

use anyhow::{Context, Result};

use crate::stats::preset::Preset;

/// A comparison with a number, as in `>=6`.
#[derive(Clone, Debug)]
pub struct Bound {
    test: fn(&f64, &f64) -> bool,
    bound: f64,
    /// As it was given.
    pub text: String,
}

impl Bound {
    pub fn holds(&self, value: f64) -> bool {
        (self.test)(&value, &self.bound)
    }

    /// # Errors
    /// Anything but a sign and a number.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        type Test = fn(&f64, &f64) -> bool;
        let tests: [(&str, Test); 5] = [
            (">=", f64::ge),
            ("<=", f64::le),
            (">", f64::gt),
            ("<", f64::lt),
            ("=", f64::eq),
        ];
        let expected = || format!("`{text}`: expected a comparison with a number, as in \">=6\"");
        let (test, bound) = tests
            .iter()
            .find_map(|(sign, test)| Some((*test, text.trim().strip_prefix(sign)?)))
            .ok_or_else(expected)?;
        Ok(Bound {
            test,
            bound: bound
                .trim()
                .parse()
                .ok()
                .filter(|bound: &f64| !bound.is_nan())
                .ok_or_else(expected)?,
            text: text.trim().to_owned(),
        })
    }
}

/// `FIELD=VALUE`.
///
/// # Errors
/// No `=`.
pub fn parse_where(text: &str) -> std::result::Result<(String, String), String> {
    let (field, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}`: expected FIELD=VALUE, as in category=coding"))?;
    Ok((field.trim().to_owned(), value.trim().to_owned()))
}

/// A preset of `juror threshold`.
///
/// # Errors
/// A file that cannot be read or holds something else, named.
pub fn preset(path: &Path) -> Result<Preset> {
    let place = || format!("{}", path.display());
    let text = std::fs::read_to_string(path).with_context(place)?;
    toml::from_str(&text).with_context(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read() {
        let is = |text: &str, label| Bound::parse(text).unwrap().holds(label);
        assert!(is(">=6", 6.0) && !is("> 6", 6.0) && is("<6", 5.0));
        assert!(is("=1", 1.0) && is("<= 2.5", 2.5));
        assert!(Bound::parse("6").unwrap_err().contains(">=6"));
        assert!(Bound::parse(">=x").is_err() && Bound::parse(">=nan").is_err());
        assert_eq!(parse_where("a = b").unwrap(), ("a".into(), "b".into()));
        assert!(parse_where("a").is_err());
    }
}
