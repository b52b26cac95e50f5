//! JSON lines, one JSON array, or objects written over several lines.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{MAX_ROW_BYTES, RawRow, broken, too_long};
use crate::data::error::RowError;
use crate::data::fields::describe;
use crate::data::source::Source;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Not looked at yet.
    Unknown,
    /// One object a line.
    Lines,
    /// `[ …, … ]`.
    Array,
    /// Objects one after another, over several lines.
    Objects,
    /// Nothing more to come.
    Done,
}

/// The rows of one source.
pub struct JsonRows {
    file: PathBuf,
    source: Source,
    layout: Layout,
    line: u64,
    element: u64,
    /// Bytes before the next line; counted in JSON lines alone.
    at: u64,
    /// Lines read ahead while the layout was looked at.
    ahead: Vec<u8>,
    buffer: Vec<u8>,
}

impl JsonRows {
    /// Rows of a source; `file` is for messages.
    pub fn new(file: &Path, source: Source) -> Self {
        JsonRows {
            file: file.to_path_buf(),
            source,
            layout: Layout::Unknown,
            line: 1,
            element: 0,
            at: 0,
            ahead: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Rows from the middle of JSON lines on.
    pub fn lines(file: &Path, source: Source) -> Self {
        JsonRows {
            layout: Layout::Lines,
            ..JsonRows::new(file, source)
        }
    }

    /// Stops here: nothing more is read from the source.
    pub fn stop(&mut self) {
        self.layout = Layout::Done;
    }

    /// Whether there is not a single byte but blanks. Reads no further than the first other byte.
    pub fn is_empty(&mut self) -> bool {
        matches!(self.peek(), Ok(None))
    }

    fn error(&self, line: u64, message: impl Into<String>) -> RowError {
        let mut error = RowError::new(&self.file, line, message);
        if self.layout == Layout::Array {
            error.element = Some(self.element);
        }
        error
    }

    /// An error after which nothing sensible follows.
    fn last(&mut self, line: u64, message: impl Into<String>) -> RowError {
        let error = self.error(line, message);
        self.stop();
        error
    }

    fn broken(&mut self, cause: &io::Error) -> RowError {
        self.last(self.line, broken(cause))
    }

    /// The next byte that is not a blank, left in place.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let available = fill(&mut self.source)?;
            if available.is_empty() {
                return Ok(None);
            }
            let blanks = available
                .iter()
                .position(|byte| !is_blank(*byte))
                .unwrap_or(available.len());
            self.line += newlines(&available[..blanks]);
            let next = available.get(blanks).copied();
            self.source.consume(blanks);
            self.at += blanks as u64;
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Looks at the beginning and decides how the rows are laid out.
    fn look(&mut self) -> io::Result<()> {
        self.layout = match self.peek()? {
            None => Layout::Done,
            Some(b'[') => {
                self.source.consume(1);
                Layout::Array
            }
            Some(b'{') => {
                // An object that is open at the end of its first line, and goes on with a key, is
                // written over several lines; anything else is JSON lines.
                let mut first = Vec::new();
                read_line(&mut self.source, &mut first)?;
                let mut scan = Scan::default();
                let open = scan.feed(&first).is_none() && !scan.in_string;
                let goes_on = open && {
                    let mut next = Vec::new();
                    while read_line(&mut self.source, &mut next)? && next.trim_ascii().is_empty() {
                        first.append(&mut next);
                    }
                    let goes_on = continues(&first, &next);
                    first.append(&mut next);
                    goes_on
                };
                self.ahead = first;
                if goes_on {
                    Layout::Objects
                } else {
                    Layout::Lines
                }
            }
            Some(_) => Layout::Lines,
        };
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            let rest = std::mem::replace(&mut self.source, Box::new(io::empty()));
            self.source = Box::new(io::Read::chain(io::Cursor::new(ahead), rest));
        }
        Ok(())
    }

    fn next_line(&mut self) -> Option<Result<RawRow, RowError>> {
        loop {
            self.buffer.clear();
            let (line, start) = (self.line, self.at);
            match read_line(&mut self.source, &mut self.buffer) {
                Err(cause) => return Some(Err(self.broken(&cause))),
                Ok(false) => {
                    self.stop();
                    return None;
                }
                Ok(true) => {}
            }
            if self.buffer.len() > MAX_ROW_BYTES {
                return Some(Err(self.last(line, too_long())));
            }
            self.line += 1;
            self.at += self.buffer.len() as u64;
            if !self.buffer.trim_ascii().is_empty() {
                return Some(self.parsed(line).map(|row| RawRow {
                    start: Some(start),
                    ..row
                }));
            }
        }
    }

    fn next_object(&mut self) -> Option<Result<RawRow, RowError>> {
        match self.peek() {
            Err(cause) => Some(Err(self.broken(&cause))),
            Ok(None) => {
                self.stop();
                None
            }
            Ok(Some(_)) => Some(self.take_value()),
        }
    }

    fn next_element(&mut self) -> Option<Result<RawRow, RowError>> {
        let first = self.element == 0;
        let mut next = match self.peek() {
            Ok(next) => next,
            Err(cause) => return Some(Err(self.broken(&cause))),
        };
        if !first && next == Some(b',') {
            self.source.consume(1);
            next = match self.peek() {
                Ok(next) => next,
                Err(cause) => return Some(Err(self.broken(&cause))),
            };
            if next == Some(b']') {
                return Some(Err(self.last(
                    self.line,
                    "a comma, and no element after it; remove the comma",
                )));
            }
        } else if !first && next.is_some() && next != Some(b']') {
            return Some(Err(self.last(
                self.line,
                "expected `,` or `]` after this element; the rest of the array is not read",
            )));
        }
        match next {
            None => Some(Err(self.last(
                self.line,
                "the file ends within the array: is it truncated?",
            ))),
            Some(b']') => {
                self.source.consume(1);
                match self.peek() {
                    Ok(None) => {
                        self.stop();
                        None
                    }
                    Ok(Some(_)) => Some(Err(self.last(
                        self.line,
                        "there is more after the end of the array, which is not read",
                    ))),
                    Err(cause) => Some(Err(self.broken(&cause))),
                }
            }
            Some(_) => {
                self.element += 1;
                Some(self.take_value())
            }
        }
    }

    /// Reads the bytes of one value, without parsing it, and then parses it.
    fn take_value(&mut self) -> Result<RawRow, RowError> {
        self.buffer.clear();
        let line = self.line;
        let mut scan = Scan::default();
        loop {
            let available = match fill(&mut self.source) {
                Ok(available) => available,
                Err(cause) => return Err(self.broken(&cause)),
            };
            if available.is_empty() {
                if scan.depth == 0 && !scan.in_string {
                    break;
                }
                return Err(self.last(
                    line,
                    "the file ends within the row that begins here: is it truncated?",
                ));
            }
            let end = scan.feed(available);
            let used = end.unwrap_or(available.len());
            self.line += newlines(&available[..used]);
            self.buffer.extend_from_slice(&available[..used]);
            self.source.consume(used);
            if end.is_some() {
                break;
            }
            if self.buffer.len() > MAX_ROW_BYTES {
                return Err(self.last(line, too_long()));
            }
        }
        if self.buffer.is_empty() {
            return Err(self.last(line, "expected a value; the rest of the file is not read"));
        }
        self.parsed(line)
    }

    fn parsed(&self, line: u64) -> Result<RawRow, RowError> {
        let element = (self.layout == Layout::Array).then_some(self.element);
        Self::parse(&self.file, &self.buffer, line, element)
    }

    /// One row that begins on a line, in an array as its `element`.
    ///
    /// # Errors
    /// What is no JSON object.
    pub fn parse(
        file: &Path,
        bytes: &[u8],
        line: u64,
        element: Option<u64>,
    ) -> Result<RawRow, RowError> {
        let error = |line: u64, message: String| RowError {
            element,
            ..RowError::new(file, line, message)
        };
        let text = std::str::from_utf8(bytes).map_err(|cause| {
            let at = &bytes[..cause.valid_up_to()];
            error(
                line + newlines(at),
                format!(
                    "invalid UTF-8 at byte {} of the row; convert the file to UTF-8",
                    at.len() + 1
                ),
            )
        })?;
        let text = text.trim_end();
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Ok(RawRow {
                object,
                line,
                element,
                start: None,
            }),
            Ok(other) => Err(error(
                line,
                format!("expected a JSON object, found {}", describe(&other)),
            )),
            Err(cause) => {
                // At column 0 the parser has just stepped over the line end that is at fault.
                let past = 1 + u64::from(cause.column() == 0);
                let at = line + (cause.line() as u64).saturating_sub(past);
                Err(error(at, syntax(text, &cause)))
            }
        }
    }

    /// Where the next line begins: bytes before it, decompressed, and its number; nothing where the file is not known to
    /// have an object a line.
    pub fn place(&self) -> Option<(u64, u64)> {
        (self.layout == Layout::Lines).then_some((self.at, self.line))
    }
}

impl Iterator for JsonRows {
    type Item = Result<RawRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.layout == Layout::Unknown
            && let Err(cause) = self.look()
        {
            return Some(Err(self.broken(&cause)));
        }
        match self.layout {
            Layout::Lines => self.next_line(),
            Layout::Array => self.next_element(),
            Layout::Objects => self.next_object(),
            Layout::Unknown | Layout::Done => None,
        }
    }
}

/// Follows brackets and strings, without recursion and without parsing.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    bare: bool,
}

impl Scan {
    /// Takes bytes; the number of them that belong to the value, once it ends among them.
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (place, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Some(place + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if !self.bare => self.in_string = true,
                b'{' | b'[' if !self.bare => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(place + 1);
                    }
                }
                // A bare word (number, true, null) ends before what follows it.
                b',' | b']' | b'}' if self.depth == 0 => return Some(place),
                byte if self.depth == 0 && is_blank(*byte) => return Some(place),
                _ if self.depth == 0 => self.bare = true,
                _ => {}
            }
        }
        None
    }
}

/// Whether `next` reads as the continuation of an object that is open at the end of `first`, rather
/// than as a row of its own after one that was cut off.
fn continues(first: &[u8], next: &[u8]) -> bool {
    let end = first.trim_ascii_end().last();
    let start = next.trim_ascii_start().first();
    match (end, start) {
        (_, None) => false,
        (Some(b'['), _) => true,
        (Some(b'{'), Some(b'"' | b'}')) => true,
        (Some(b','), Some(b'"')) => true,
        (Some(b':'), Some(start)) => *start != b'{',
        (_, Some(start)) => matches!(start, b',' | b'}' | b']' | b':'),
    }
}

/// What the parser found, in words that say what to do.
fn syntax(text: &str, cause: &serde_json::Error) -> String {
    let said = cause.to_string();
    let said = said.split(" at line ").next().unwrap_or(&said);
    let column = cause.column();
    if cause.is_eof() {
        return format!("the row ends too early ({said}): is it truncated?");
    }
    if said.contains("recursion limit") {
        return "nested more than 127 levels deep; flatten it".to_string();
    }
    let rest: String = text
        .lines()
        .nth(cause.line().saturating_sub(1))
        .and_then(|line| line.get(column.saturating_sub(1)..))
        .unwrap_or_default()
        .chars()
        .take(12)
        .collect();
    let hint = match rest.as_str() {
        rest if rest.starts_with(['N', 'I']) || rest.starts_with("-I") => {
            "; NaN and Infinity are not JSON, write null"
        }
        rest if rest.starts_with('\'') => "; JSON strings are written with double quotes",
        _ => "",
    };
    if rest.is_empty() {
        format!("not valid JSON: {said} at column {column}{hint}")
    } else {
        format!("not valid JSON: {said} at column {column}, near `{rest}`{hint}")
    }
}

/// Reads through the next line end; false at the end of the source.
fn read_line(source: &mut Source, line: &mut Vec<u8>) -> io::Result<bool> {
    let before = line.len();
    loop {
        let available = fill(source)?;
        if available.is_empty() {
            return Ok(line.len() > before);
        }
        let end = memchr::memchr(b'\n', available);
        let used = end.map_or(available.len(), |end| end + 1);
        line.extend_from_slice(&available[..used]);
        source.consume(used);
        if end.is_some() || line.len() > MAX_ROW_BYTES {
            return Ok(true);
        }
    }
}

/// Buffered bytes, trying again where the system call was interrupted.
pub(super) fn fill(source: &mut Source) -> io::Result<&[u8]> {
    loop {
        match source.fill_buf() {
            Ok(_) => break,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    source.fill_buf()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Vec<Result<RawRow, RowError>> {
        let source: Source = Box::new(io::Cursor::new(text.to_vec()));
        JsonRows::new(Path::new("t"), source).collect()
    }

    /// `line:value of "a"` for a row, `line!` and a piece of the message for an error.
    fn sketch(text: &[u8]) -> Vec<String> {
        // A buffer of three bytes: every border is met.
        let source: Source = Box::new(io::BufReader::with_capacity(
            3,
            io::Cursor::new(text.to_vec()),
        ));
        let slow: Vec<_> = JsonRows::new(Path::new("t"), source).collect();
        assert_eq!(slow, rows(text));
        slow.into_iter()
            .map(|row| match row {
                Ok(row) => format!(
                    "{}:{}",
                    row.line,
                    row.object.get("a").unwrap_or(&Value::Null)
                ),
                Err(error) => format!("{}!{}", error.line, error.message),
            })
            .collect()
    }

    #[test]
    fn json_lines() {
        assert_eq!(
            sketch(b"{\"a\":1}\n\n{\"a\":2}\r\n  {\"a\":3}"),
            ["1:1", "3:2", "4:3"]
        );
        assert_eq!(sketch(b""), [""; 0]);
        assert_eq!(sketch(b" \r\n \n"), [""; 0]);
        assert!(JsonRows::new(Path::new("t"), Box::new(io::Cursor::new(" \n"))).is_empty());
        assert!(!JsonRows::new(Path::new("t"), Box::new(io::Cursor::new(" \n1"))).is_empty());
    }

    #[test]
    fn a_bad_line_costs_only_itself() {
        let found = sketch(b"{\"a\":1}\n{\"a\": \"cut of\n{\"a\":2}\nx\n{\"a\":3}\n");
        assert_eq!(found[0], "1:1");
        assert!(
            found[1].starts_with("2!the row ends too early"),
            "{found:?}"
        );
        assert_eq!(found[2], "3:2");
        assert!(found[3].starts_with("4!not valid JSON"), "{found:?}");
        assert_eq!(found[4], "5:3");
        // Also where the first line is the bad one.
        let found = sketch(b"{\"a\": \n{\"a\":2}\n{\"a\":3}\n");
        assert!(found[0].starts_with("1!"), "{found:?}");
        assert_eq!(found[1..], ["2:2", "3:3"]);
        for cut in [
            "{\"a\": {\"b",
            "{\"a\": {\"b\":",
            "{\"a\": {\"b\": 1,",
            "{\"a\": [1",
        ] {
            let found = sketch(format!("{cut}\n{{\"a\":2}}").as_bytes());
            assert_eq!(found[1..], ["2:2"]);
        }
        assert!(sketch(b"{\"a\": NaN}")[0].contains("write null"));
        assert!(sketch(b"{'a': 1}")[0].contains("double quotes"));
        assert!(sketch(b"[1]")[0].contains("found the number 1"));
    }

    #[test]
    fn an_array() {
        assert_eq!(
            sketch(b"\n[{\"a\":\"]},{\"},\n\n {\"a\":[{}]} , {\"a\":\"\\\"\"}\n]\n"),
            ["2:\"]},{\"", "4:[{}]", "4:\"\\\"\""]
        );
        assert_eq!(sketch(b"[]"), [""; 0]);
        let rows = rows(b"[{\"a\":1},\n7,\n\"x, y\",\n{\"a\":\n  tru},\n{\"a\":4}]");
        let lines: Vec<_> = rows
            .iter()
            .map(|row| match row {
                Ok(row) => (row.line, row.element),
                Err(error) => (error.line, error.element),
            })
            .collect();
        assert_eq!(
            lines,
            [
                (1, Some(1)),
                (2, Some(2)),
                (3, Some(3)),
                (5, Some(4)),
                (6, Some(5))
            ]
        );
        assert_eq!(rows.iter().filter(|row| row.is_ok()).count(), 2);
    }

    #[test]
    fn a_broken_array() {
        let last = |text: &[u8]| sketch(text).pop().unwrap_or_default();
        assert!(last(b"[{\"a\":1},\n{\"a\":2").contains("truncated"));
        assert!(last(b"[{\"a\":1},\n").starts_with("2!the file ends"));
        assert!(last(b"[{\"a\":1}\n").starts_with("2!the file ends"));
        assert!(last(b"[").contains("truncated"));
        assert!(last(b"[{\"a\":1},]").contains("no element after it"));
        assert!(last(b"[{\"a\":1} {\"a\":2}]").contains("expected `,`"));
        assert!(last(b"[{\"a\":1}] x").contains("more after the end"));
        assert!(last(b"[,]").contains("expected a value"));
        assert!(last(b"[}").contains("expected a value"));
        assert_eq!(
            sketch(b"[{\"a\":1}}, {\"a\":2}]")
                .iter()
                .filter(|row| row.contains('!'))
                .count(),
            1
        );
    }

    #[test]
    fn objects_over_several_lines() {
        assert_eq!(
            sketch(b"{\n  \"a\": 1,\n  \"b\": {}\n}\n{\n\n\"a\": 2}"),
            ["1:1", "5:2"]
        );
        assert_eq!(sketch(b"{ \"a\":\n[1,\n2] }"), ["1:[1,2]"]);
        assert!(sketch(b"{\n\"a\": 1,\n")[0].starts_with("1!the file ends"));
        assert_eq!(sketch(b"{\n}"), ["1:null"]);
        assert_eq!(sketch(b"{\"a\": [\n  {\"b\": 1}\n]}"), ["1:[{\"b\":1}]"]);
    }

    #[test]
    fn invalid_utf8_names_the_line() {
        let found = rows(b"{\"a\":1}\n{\"a\":\"\xff\"}\n{\"a\":2}");
        assert!(found[0].is_ok() && found[2].is_ok());
        let error = found[1].as_ref().unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.message.contains("invalid UTF-8 at byte 7"));
        let found = rows(b"[{\"a\":1},\n{\n\"a\":\"\xff\"}]");
        assert_eq!(found[1].as_ref().unwrap_err().line, 3);
    }

    #[test]
    fn huge_nesting_is_an_error() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!(
                "{{\"a\":{}1{}}}",
                open.repeat(100_000),
                close.repeat(100_000)
            );
            let lines = format!("{deep}\n{{\"a\":2}}\n");
            let found = rows(lines.as_bytes());
            assert!(
                found[0]
                    .as_ref()
                    .unwrap_err()
                    .message
                    .contains("127 levels")
            );
            assert!(found[1].is_ok());
            let found = rows(format!("[{deep},{{\"a\":2}}]").as_bytes());
            assert_eq!(found.iter().filter(|row| row.is_ok()).count(), 1);
            assert_eq!(found.len(), 2);
        }
    }
}
