//! Judges that write: a score is read out of generated text.

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::scale::Scale;
use crate::model::sampling::Sampling;

/// How a template asks for text, and where the score stands in it: `[generate]` in a template file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Generating {
    /// A regular expression; the first group of its last match is the score.
    pub pattern: String,
    #[serde(default = "max_tokens")]
    pub max_tokens: usize,
    /// 0, the default, takes the likeliest token.
    #[serde(default)]
    pub temperature: f64,
    #[serde(default)]
    pub seed: u64,
}

fn max_tokens() -> usize {
    256
}

impl Generating {
    /// How tokens are drawn.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: 1.0,
            seed: self.seed,
            max_tokens: self.max_tokens,
        }
    }

    /// The pattern, ready to use.
    ///
    /// # Errors
    /// Not a regular expression, one without a group, or settings out of their range.
    pub fn reader(&self) -> Result<Reader, String> {
        let pattern = Regex::new(&self.pattern).map_err(|e| format!("generate.pattern: {e}"))?;
        if pattern.captures_len() < 2 {
            return Err(format!(
                "generate.pattern `{}` has no group: put the number in parentheses",
                self.pattern
            ));
        }
        if self.max_tokens == 0 {
            return Err("generate.max_tokens is 0".into());
        }
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err("generate.temperature must be 0 or more".into());
        }
        Ok(Reader(pattern))
    }
}

/// Reads scores out of texts.
#[derive(Clone, Debug)]
pub struct Reader(Regex);

impl Reader {
    /// The first group of the last match: judges reason first and conclude last, and what they quote
    /// on the way is not their verdict.
    ///
    /// # Errors
    /// Nothing matches, no number, or one outside the scale; with the text's beginning.
    pub fn read(&self, text: &str, scale: &Scale) -> Result<f64, String> {
        let last = self.0.captures_iter(text).last();
        let number = last.and_then(|found| found.get(1)?.as_str().trim().parse::<f64>().ok());
        let (low, high) = scale.ends();
        match number {
            Some(score) if (low..=high).contains(&score) => Ok(score),
            Some(score) => Err(format!(
                "the judge wrote {score}, outside {low} to {high}: `{}`",
                beginning(text)
            )),
            None => Err(format!(
                "no score in what the judge wrote: `{}`",
                beginning(text)
            )),
        }
    }
}

/// At most 80 characters of a text, with nothing in them that could steer a terminal.
fn beginning(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(80) {
        // Formatting characters turn text around or hide it.
        let is_hidden = matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}');
        match c.is_control() || is_hidden {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(pattern: &str) -> Result<Reader, String> {
        let generating = Generating {
            pattern: pattern.into(),
            max_tokens: 4,
            temperature: 0.0,
            seed: 0,
        };
        generating.reader()
    }

    #[test]
    fn the_last_match_counts() {
        let reader = reader(r"Rating: (\d+(\.\d+)?)").unwrap();
        let scale = Scale::digits();
        let text = "It says \"Rating: 9\" itself.\nRating: 2.5";
        assert_eq!(reader.read(text, &scale), Ok(2.5));
        let error = reader.read("Rating: 10", &scale).unwrap_err();
        assert!(error.contains("outside 0 to 9"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_shown_harmless() {
        let reader = reader(r"Rating: (\d+)").unwrap();
        let text = format!("\u{1b}[2J\n\u{202E}{}", "x".repeat(200));
        let error = reader.read(&text, &Scale::digits()).unwrap_err();
        assert!(error.contains(r"`\u{1b}[2J\n\u{202e}xxx"), "{error}");
        assert!(!error.contains(&"x".repeat(80)) && !error.contains(char::is_control));
    }

    #[test]
    fn patterns_are_checked() {
        assert!(reader("(").is_err());
        let error = reader(r"\d+").unwrap_err();
        assert!(error.contains("no group"), "{error}");
        // A group that took no part gives no number.
        let reader = reader("a(b)?").unwrap();
        assert!(reader.read("a", &Scale::digits()).is_err());
    }
}
