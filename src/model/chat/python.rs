//! What Hugging Face's chat templates expect of Python beyond what the template engine has.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

type Result<T> = std::result::Result<T, Error>;

fn invalid(cause: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, cause.into())
}

/// Adds functions, filters and methods.
pub(super) fn add_to(environment: &mut Environment) {
    environment.set_unknown_method_callback(method);
    environment.add_function("raise_exception", |message: String| -> Result<String> {
        Err(invalid(message))
    });
    environment.add_function("strftime_now", |format: String| -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        strftime(&format, now.map_or(0, |d| d.as_secs() as i64))
    });
    environment.add_filter("tojson", |value: Value, options: Kwargs| -> Result<Value> {
        let json = Json {
            ascii: options
                .get::<Option<bool>>("ensure_ascii")?
                .unwrap_or(false),
            sorted: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
            indent: options.get::<Option<usize>>("indent")?,
            separators: options.get::<Option<Vec<String>>>("separators")?,
        };
        options.assert_all_used()?;
        let mut text = String::new();
        json.write(&mut text, &value, 0)?;
        Ok(Value::from_safe_string(text))
    });
}

/// The tag that marks what an assistant said, for training: its contents stand for themselves.
pub(super) fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(len) = rest[start..].find("%}") else {
            break;
        };
        let inner = &rest[start + 2..start + len];
        let word = inner.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        out.push_str(&rest[..start + 2]);
        match word {
            // A block that is always there keeps the tag's effect on the white space around it.
            "generation" => out.push_str(&inner.replace("generation", "if true")),
            "endgeneration" => out.push_str(&inner.replace("endgeneration", "endif")),
            _ => out.push_str(inner),
        }
        rest = &rest[start + len..];
    }
    out.push_str(rest);
    out
}

/// Methods of Python's strings that the engine's own set lacks.
fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value> {
    let text = value.as_str();
    let (Some(text), [first, ..]) = (text, args) else {
        return pycompat::unknown_method_callback(state, value, name, args);
    };
    let three = |parts: [&str; 3]| Value::from_iter(parts);
    match (name, first.as_str()) {
        ("removeprefix", Some(part)) => Ok(text.strip_prefix(part).unwrap_or(text).into()),
        ("removesuffix", Some(part)) => Ok(text.strip_suffix(part).unwrap_or(text).into()),
        ("partition" | "rpartition", Some("")) => Err(invalid("empty separator")),
        ("partition", Some(at)) => Ok(match text.split_once(at) {
            Some((before, after)) => three([before, at, after]),
            None => three([text, "", ""]),
        }),
        ("rpartition", Some(at)) => Ok(match text.rsplit_once(at) {
            Some((before, after)) => three([before, at, after]),
            None => three(["", "", text]),
        }),
        ("zfill", None) => {
            let width = usize::try_from(first.clone())?.min(10_000);
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", text),
            };
            let zeros = width.saturating_sub(text.chars().count());
            Ok(format!("{sign}{}{digits}", "0".repeat(zeros)).into())
        }
        _ => pycompat::unknown_method_callback(state, value, name, args),
    }
}

/// Python's `json.dumps`.
struct Json {
    ascii: bool,
    sorted: bool,
    indent: Option<usize>,
    separators: Option<Vec<String>>,
}

impl Json {
    fn separator(&self, index: usize) -> &str {
        let given = self.separators.as_ref().and_then(|s| s.get(index));
        match (given, index, self.indent) {
            (Some(given), _, _) => given,
            (None, 0, Some(_)) => ",",
            (None, 0, None) => ", ",
            (None, _, _) => ": ",
        }
    }

    /// Ends a line and begins the next one at a depth, where there are lines.
    fn line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    fn write(&self, out: &mut String, value: &Value, depth: usize) -> Result<()> {
        if depth > 100 {
            return Err(invalid("too deep for JSON"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&number(value)?),
            ValueKind::String => self.text(out, value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.list(out, depth, ['[', ']'], &items, |out, item| {
                    self.write(out, item, depth + 1)
                })?;
            }
            ValueKind::Map => {
                let mut items: Vec<(String, Value)> = Vec::new();
                for key in value.try_iter()? {
                    items.push((Self::key(&key)?, value.get_item(&key)?));
                }
                if self.sorted {
                    items.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.list(out, depth, ['{', '}'], &items, |out, (key, item)| {
                    self.text(out, key);
                    out.push_str(self.separator(1));
                    self.write(out, item, depth + 1)
                })?;
            }
            other => return Err(invalid(format!("{other} is not JSON serializable"))),
        }
        Ok(())
    }

    fn list<T>(
        &self,
        out: &mut String,
        depth: usize,
        brackets: [char; 2],
        items: &[T],
        mut one: impl FnMut(&mut String, &T) -> Result<()>,
    ) -> Result<()> {
        out.push(brackets[0]);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                out.push_str(self.separator(0));
            }
            self.line(out, depth + 1);
            one(out, item)?;
        }
        if !items.is_empty() {
            self.line(out, depth);
        }
        out.push(brackets[1]);
        Ok(())
    }

    fn key(key: &Value) -> Result<String> {
        match key.kind() {
            ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
            ValueKind::None => Ok("null".into()),
            ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.into()),
            ValueKind::Number => number(key),
            other => Err(invalid(format!("a key of JSON cannot be {other}"))),
        }
    }

    fn text(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{C}' => out.push_str("\\f"),
                // The marks around what stands in for data are taken out again later.
                '\u{E000}' | '\u{E001}' => out.push(c),
                c if c < ' ' || self.ascii && !(' '..='~').contains(&c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

/// A number as Python writes it.
fn number(value: &Value) -> Result<String> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let x = f64::try_from(value.clone())?;
    if !x.is_finite() {
        let name = match x {
            x if x.is_nan() => "NaN",
            x if x > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        return Ok(name.into());
    }
    let shortest = format!("{x:e}");
    let (digits, power) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    Ok(match power {
        -4..16 => format!("{x:?}"),
        _ if power < 0 => format!("{digits}e-{:02}", -power),
        _ => format!("{digits}e+{power:02}"),
    })
}

/// Python's `strftime` in English and in UTC: no machine's place or language changes a prompt.
fn strftime(format: &str, seconds: i64) -> Result<String> {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    // Day 0 was a Thursday.
    let weekday = (days + 3).rem_euclid(7);
    let weekday_name = DAYS[weekday as usize];
    let month_name = MONTHS[month as usize - 1];
    let new_year = days_before(year, 1, 1);
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = chars.next();
        let unpadded = directive == Some('-');
        if unpadded {
            directive = chars.next();
        }
        let mut padded = |x: i64, width: usize| {
            let width = if unpadded { 0 } else { width };
            let _ = write!(out, "{x:0width$}");
        };
        match directive {
            Some('Y') => padded(year, 4),
            Some('y') => padded(year.rem_euclid(100), 2),
            Some('m') => padded(month, 2),
            Some('d') => padded(day, 2),
            Some('H') => padded(hour, 2),
            Some('I') => padded((hour + 11) % 12 + 1, 2),
            Some('M') => padded(minute, 2),
            Some('S') => padded(second, 2),
            Some('j') => padded(days - new_year + 1, 3),
            Some('w') => padded((weekday + 1) % 7, 1),
            Some('A') => out.push_str(weekday_name),
            Some('a') => out.push_str(&weekday_name[..3]),
            Some('B') => out.push_str(month_name),
            Some('b' | 'h') => out.push_str(&month_name[..3]),
            Some('p') => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            Some('F') => out.push_str(&strftime("%Y-%m-%d", seconds)?),
            Some('T') => out.push_str(&strftime("%H:%M:%S", seconds)?),
            Some('Z') => out.push_str("UTC"),
            Some('z') => out.push_str("+0000"),
            Some('%') => out.push('%'),
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(invalid(format!("strftime_now: `%{other}` is not known")));
            }
        }
    }
    Ok(out)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that a leap day ends one.
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // A guess that is never too late and at most one year early.
    let mut year = 1970 + (days * 400).div_euclid(146_097) - 1;
    while days_before(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_before(year, month + 1, 1) <= days {
        month += 1;
    }
    (year, month, days - days_before(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_pythons() {
        // datetime.fromtimestamp(x, UTC).strftime(format)
        let all = "%Y-%m-%d %H:%M:%S %a %A %b %B %j %y %I %p %w %F %T %-d %%";
        for (seconds, want) in [
            (
                0,
                "1970-01-01 00:00:00 Thu Thursday Jan January 001 70 12 AM 4 1970-01-01 00:00:00 1 %",
            ),
            (
                951_826_509,
                "2000-02-29 12:15:09 Tue Tuesday Feb February 060 00 12 PM 2 2000-02-29 12:15:09 29 %",
            ),
            (
                1_735_689_599,
                "2024-12-31 23:59:59 Tue Tuesday Dec December 366 24 11 PM 2 2024-12-31 23:59:59 31 %",
            ),
            (
                4_107_542_400,
                "2100-03-01 00:00:00 Mon Monday Mar March 060 00 12 AM 1 2100-03-01 00:00:00 1 %",
            ),
        ] {
            assert_eq!(strftime(all, seconds).unwrap(), want);
        }
        assert!(strftime("%Q", 0).is_err());
    }

    #[test]
    fn every_day_is_itself() {
        for days in -200_000..200_000 {
            let (year, month, day) = civil(days);
            assert_eq!(days_before(year, month, day), days);
            assert!((1..=12).contains(&month) && (1..=31).contains(&day));
        }
    }
}
