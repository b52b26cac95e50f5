//! Whether a text is JSON or a table, told by its first line.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use super::json::fill;
use crate::data::detect::KNOWN;
use crate::data::options::FieldMap;
use crate::data::source::{self, Source};

/// A header is no longer than this.
const MAX_HEADER_BYTES: usize = 1 << 20;
/// What may stand between the columns, the likelier ones first.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// What a text is, with the source as it was before it was looked at.
pub enum Beginning {
    /// Anything that is not a table: the reader of JSON says what is wrong with it.
    Json(Source),
    /// Lines of cells; blank lines before the header are gone.
    Table {
        source: Source,
        delimiter: u8,
        /// Line of the header, from 1.
        line: u64,
    },
}

/// Whether a file is a table whose header has a field that is known, so that a folder may mean it.
pub fn names_records(path: &Path) -> bool {
    let Ok(source) = source::open(path) else {
        return false;
    };
    let head = Head::read(source);
    head.text()
        .and_then(|text| delimiter(text, &FieldMap::new()))
        .is_some()
}

/// Reads as far as the header of a table would go, at most one line more.
pub fn look(source: Source, fields: &FieldMap) -> Beginning {
    let mut head = Head::read(source);
    let Some(text) = head.text() else {
        return Beginning::Json(head.whole());
    };
    // Names that nobody knows: a table all the same, unless JSON follows. The rows will say what to do.
    let known = delimiter(text, fields);
    let unknown = unknown_header(text);
    let found = known.or_else(|| unknown.filter(|_| !head.json_follows()));
    match found {
        None => Beginning::Json(head.whole()),
        Some(delimiter) => {
            let line = head.drop_blank_lines();
            Beginning::Table {
                source: head.whole(),
                delimiter,
                line,
            }
        }
    }
}

/// The beginning of a source, and what follows.
struct Head {
    bytes: Vec<u8>,
    rest: Source,
}

impl Head {
    /// Up to the end of the first line with something on it, of which quotes are closed. JSON is known by its first
    /// byte, and no more is read.
    fn read(mut rest: Source) -> Self {
        let mut bytes = Vec::new();
        loop {
            let available = match fill(&mut rest) {
                Ok([]) => break,
                Ok(available) => available,
                Err(cause) => {
                    // Whoever reads on will meet it.
                    rest = Box::new(BufReader::new(Broken(Some(cause))));
                    break;
                }
            };
            let end = available.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(available.len(), |end| end + 1);
            bytes.extend_from_slice(&available[..used]);
            rest.consume(used);
            let first = bytes.trim_ascii_start().first();
            let closed = || bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 0;
            match first {
                Some(b'{' | b'[') => break,
                Some(_) if end.is_some() && closed() => break,
                _ if bytes.len() > MAX_HEADER_BYTES => break,
                _ => {}
            }
        }
        Head { bytes, rest }
    }

    /// The first line, where it may be a header.
    fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        let text = text.trim_end_matches(['\r', '\n']);
        let text = &text[blank_lines(text.as_bytes()).0..];
        let may = !text.trim_start().starts_with(['{', '[']) && !text.trim().is_empty();
        (may && text.len() <= MAX_HEADER_BYTES).then_some(text)
    }

    /// Whether the line after it begins like an object.
    fn json_follows(&mut self) -> bool {
        while self.bytes.len() <= MAX_HEADER_BYTES {
            let next = fill(&mut self.rest).unwrap_or_default();
            match next.trim_ascii_start().first() {
                Some(first) => return matches!(first, b'{' | b'['),
                None if next.is_empty() => return false,
                None => {
                    let blanks = next.len();
                    self.bytes.extend_from_slice(next);
                    self.rest.consume(blanks);
                }
            }
        }
        false
    }

    /// Line of what is left, from 1.
    fn drop_blank_lines(&mut self) -> u64 {
        let (bytes, lines) = blank_lines(&self.bytes);
        self.bytes.drain(..bytes);
        lines + 1
    }

    fn whole(self) -> Source {
        Box::new(Cursor::new(self.bytes).chain(self.rest))
    }
}

/// Bytes and number of the lines without anything on them that a text begins with.
fn blank_lines(text: &[u8]) -> (usize, u64) {
    let (mut start, mut lines) = (0, 0);
    while let Some(end) = text[start..].iter().position(|byte| *byte == b'\n') {
        if !text[start..start + end].trim_ascii().is_empty() {
            break;
        }
        start += end + 1;
        lines += 1;
    }
    (start, lines)
}

/// What stands between the columns, where one of them has a name that is known.
fn delimiter(header: &str, fields: &FieldMap) -> Option<u8> {
    let known = |name: &String| {
        KNOWN.contains(&name.as_str())
            || fields.sources().any(|source| {
                source == name || source.split('.').next().is_some_and(|first| first == name)
            })
    };
    let count = |delimiter: u8| names(header, delimiter).iter().filter(|n| known(n)).count();
    // The first of those that find the most.
    let best = DELIMITERS.into_iter().rev().max_by_key(|d| count(*d))?;
    (count(best) > 0).then_some(best)
}

/// What stands between the columns, where their names look like names.
fn unknown_header(header: &str) -> Option<u8> {
    DELIMITERS.into_iter().find(|delimiter| {
        let names = names(header, *delimiter);
        let distinct = names.iter().collect::<HashSet<_>>().len() == names.len();
        let like_a_name = |name: &String| {
            let plain = |c: char| c.is_alphanumeric() || "_-. /:#()".contains(c);
            name.chars().next().is_some_and(char::is_alphabetic)
                && name.chars().count() <= 48
                && name.chars().all(plain)
        };
        names.len() > 1 && distinct && names.iter().all(like_a_name)
    })
}

fn names(header: &str, delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .from_reader(header.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    let cells = first.iter().flat_map(csv::StringRecord::iter);
    cells.map(|name| name.trim().to_owned()).collect()
}

/// Gives an error once, then the end.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `,`, tab or `;` and the line of the header; nothing for JSON. The text comes out as it went in.
    fn told(text: &str, fields: &str) -> Option<(char, u64)> {
        let map = match fields {
            "" => FieldMap::new(),
            fields => fields.parse().unwrap(),
        };
        let slow = BufReader::with_capacity(3, Cursor::new(text.as_bytes().to_vec()));
        let (mut source, found) = match look(Box::new(slow), &map) {
            Beginning::Json(source) => (source, None),
            Beginning::Table {
                source,
                delimiter,
                line,
            } => (source, Some((char::from(delimiter), line))),
        };
        let mut left = String::new();
        source.read_to_string(&mut left).unwrap();
        let gone = found.map_or(0, |(_, line)| line as usize - 1);
        let expected = text.split_inclusive('\n').skip(gone).collect::<String>();
        assert_eq!(left, expected);
        found
    }

    #[test]
    fn a_header_tells_a_table() {
        assert_eq!(told("instruction,output\na,b\n", ""), Some((',', 1)));
        assert_eq!(told("\n \r\ninstruction\toutput\r\n", ""), Some(('\t', 3)));
        assert_eq!(told("id; instruction ;p\n1;a;2\n", ""), Some((';', 1)));
        assert_eq!(told("\tinstruction\toutput, x\n", ""), Some(('\t', 1)));
        assert_eq!(told("\"a\nb, \",instruction\n", ""), Some((',', 1)));
        assert_eq!(told("instruction", ""), Some((',', 1)));
        assert_eq!(told("frage;antwort 1\nx;y\n", ""), Some((';', 1)));
        assert_eq!(told("2,frage\n", "instruction=frage"), Some((',', 1)));
        assert_eq!(told("2,a\n", "response=a.0.text"), Some((',', 1)));
    }

    #[test]
    fn what_is_no_table_stays_json() {
        for text in [
            "",
            " \n",
            "{\"instruction\":1}\n",
            "\n[1]",
            "oops\n{}",
            "hello, world\n\n {\"a\":1}\n",
            "2,frage\n1,b\n",
            "a,a\n",
            "a,,b\n",
            "\u{1}, x\n",
        ] {
            assert_eq!(told(text, ""), None, "{text:?}");
        }
    }
}
