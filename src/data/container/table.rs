//! Tables of text: CSV, and the same with tabs or semicolons.

use std::collections::{HashSet, VecDeque};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use serde_json::{Map, Value};

use super::{MAX_ROW_BYTES, RawRow, broken, too_long};
use crate::data::error::RowError;
use crate::data::source::Source;

/// The rows of one table: cells are strings; those without anything are absent, unless they are answers.
pub struct TableRows {
    file: PathBuf,
    reader: csv::Reader<Watched>,
    /// Names of the columns once the header is read; a column without a name is nobody's.
    names: Option<Vec<String>>,
    /// Columns of which an empty cell is an empty text.
    keep: Vec<String>,
    /// Lines before the source.
    before: u64,
    done: bool,
}

impl TableRows {
    /// Rows of a source that begins with its header, which is on `line`, with `delimiter` between the cells. Empty
    /// cells of the columns `keep` are empty texts; `file` is for messages.
    pub fn new(
        file: &Path,
        source: Source,
        (delimiter, line): (u8, u64),
        keep: Vec<String>,
    ) -> Self {
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            // Rows of another length are told of here, in words that help.
            .flexible(true)
            .from_reader(Watched::new(source));
        TableRows {
            file: file.to_path_buf(),
            reader,
            names: None,
            keep,
            before: line.saturating_sub(1),
            done: false,
        }
    }

    /// Names of the columns, once a row is read.
    pub fn names(&self) -> &[String] {
        self.names.as_deref().unwrap_or_default()
    }

    /// Stops here: nothing more is read from the source.
    pub fn stop(&mut self) {
        self.done = true;
    }

    fn last(&mut self, line: u64, message: impl Into<String>) -> RowError {
        self.done = true;
        RowError::new(&self.file, line, message)
    }

    /// The next record with the line it begins on; `None` at the end.
    fn record(&mut self) -> Result<Option<(ByteRecord, u64)>, RowError> {
        let mut record = ByteRecord::new();
        self.reader.get_mut().left = MAX_ROW_BYTES;
        let read = self.reader.read_byte_record(&mut record);
        let end = self.reader.position().byte();
        let line = self.before + self.reader.get_mut().line_before(end, &record);
        match read {
            // A cell with a line end in it is quoted, and so ends with a quote.
            Ok(true) if self.reader.get_ref().ends_open(end, &record) => {
                let message =
                    "a quote is opened in this row and never closed: the rest of the file is in it";
                // A line end at the end is the cell's own, and was taken for the row's.
                let own = record.as_slice().ends_with(b"\n");
                Err(self.last(line + u64::from(own), message))
            }
            Ok(true) => Ok(Some((record, line))),
            Ok(false) => Ok(None),
            Err(error) => {
                let message = match error.kind() {
                    csv::ErrorKind::Io(_) if self.reader.get_mut().left == 0 => {
                        format!("{}; perhaps a quote is opened and never closed", too_long())
                    }
                    csv::ErrorKind::Io(cause) => broken(cause),
                    _ => error.to_string(),
                };
                Err(self.last(line, message))
            }
        }
    }

    fn header(&mut self) -> Result<Vec<String>, RowError> {
        let Some((header, line)) = self.record()? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::with_capacity(header.len());
        let mut seen = HashSet::new();
        for cell in &header {
            let Ok(name) = std::str::from_utf8(cell) else {
                return Err(self.last(
                    line,
                    "invalid UTF-8 in the header; convert the file to UTF-8",
                ));
            };
            let name = name.trim().to_owned();
            if !name.is_empty() && !seen.insert(name.clone()) {
                let message = format!("two columns are named `{name}`; rename or remove one");
                return Err(self.last(line, message));
            }
            names.push(name);
        }
        Ok(names)
    }

    fn row(&self, record: &ByteRecord, line: u64) -> Result<RawRow, RowError> {
        let names = self.names.as_deref().unwrap_or_default();
        // Columns of nothing at the end come and go with the program that wrote them.
        let surplus = record.iter().skip(names.len()).any(|cell| !cell.is_empty());
        if surplus || record.len() < names.len() {
            let message = format!(
                "{} cells where the header has {}; cells with the delimiter, quotes or line ends in them are \
                 written in double quotes, and quotes in them twice",
                record.len(),
                names.len()
            );
            return Err(RowError::new(&self.file, line, message));
        }
        let mut object = Map::with_capacity(names.len());
        for (name, cell) in names.iter().zip(record) {
            if name.is_empty() || (cell.is_empty() && !self.keep.contains(name)) {
                continue;
            }
            let text = std::str::from_utf8(cell).map_err(|_| {
                let message =
                    format!("invalid UTF-8 in column `{name}`; convert the file to UTF-8");
                RowError::new(&self.file, line, message)
            })?;
            object.insert(name.clone(), Value::String(text.to_owned()));
        }
        Ok(RawRow {
            object,
            line,
            element: None,
            start: None,
        })
    }
}

impl Iterator for TableRows {
    type Item = Result<RawRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.names.is_none() {
            match self.header() {
                Ok(names) => self.names = Some(names),
                Err(error) => return Some(Err(error)),
            }
        }
        match self.record() {
            Err(error) => Some(Err(error)),
            Ok(None) => {
                self.done = true;
                None
            }
            Ok(Some((record, line))) => Some(self.row(&record, line)),
        }
    }
}

/// Keeps the places of line ends that were read ahead, and gives up on a row without end. The reader's own count of
/// lines goes wrong at blank lines and at carriage returns.
struct Watched {
    inner: Source,
    /// Bytes so far.
    at: u64,
    /// Where line ends are that no record has passed yet.
    ends: VecDeque<u64>,
    /// Line ends passed.
    passed: u64,
    /// Bytes that the row at hand may still take.
    left: usize,
    /// The last byte but for line ends.
    last: u8,
    /// Whether there is nothing more.
    ended: bool,
}

impl Watched {
    fn new(inner: Source) -> Self {
        Watched {
            inner,
            at: 0,
            ends: VecDeque::new(),
            passed: 0,
            left: MAX_ROW_BYTES,
            last: 0,
            ended: false,
        }
    }

    /// Whether the last cell of a record that ends before the byte `end` is one that the source's end alone has closed.
    fn ends_open(&self, end: u64, record: &ByteRecord) -> bool {
        let is_last = self.ended && end >= self.at;
        let last = record.iter().next_back().unwrap_or_default();
        is_last && last.contains(&b'\n') && self.last != b'"'
    }

    /// Line, from 1, that a record begins on which ends before the byte `end`.
    fn line_before(&mut self, end: u64, record: &ByteRecord) -> u64 {
        let mut last = None;
        while let Some(at) = self.ends.front().copied().filter(|at| *at < end) {
            last = Some(at);
            self.passed += 1;
            self.ends.pop_front();
        }
        let inner = record.as_slice().iter().filter(|b| **b == b'\n').count() as u64;
        let own = u64::from(last.is_some_and(|at| at + 1 == end));
        (1 + self.passed).saturating_sub(inner + own)
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("a row without end"));
        }
        let most = buffer.len().min(self.left);
        let count = self.inner.read(&mut buffer[..most])?;
        for (place, byte) in buffer[..count].iter().enumerate() {
            if *byte == b'\n' {
                self.ends.push_back(self.at + place as u64);
            }
        }
        let of_text = buffer[..count]
            .iter()
            .rev()
            .find(|b| !matches!(b, b'\n' | b'\r'));
        self.last = of_text.copied().unwrap_or(self.last);
        self.ended |= count == 0 && most > 0;
        self.at += count as u64;
        self.left -= count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `line:value of "a"` for a row, `line!` and the message for an error.
    fn sketch(text: &[u8], delimiter: u8) -> Vec<String> {
        let slow = io::BufReader::with_capacity(3, io::Cursor::new(text.to_vec()));
        TableRows::new(
            Path::new("t"),
            Box::new(slow),
            (delimiter, 1),
            vec!["k".into()],
        )
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
    fn cells_lines_and_line_ends() {
        let found = ["2:\"1\"", "3:\"x\\ny, \\\"z\\\"\"", "6:null", "7:\"é\""];
        for end in ["\n", "\r\n"] {
            let text = "a,b\n1,2\n\"x\ny, \"\"z\"\"\",4\n\n,6\né,8".replace('\n', end);
            let mut expected = found.map(String::from);
            expected[1] = expected[1].replace("\\n", &end.escape_default().to_string());
            assert_eq!(sketch(text.as_bytes(), b','), expected);
            assert_eq!(sketch(format!("{text}{end}").as_bytes(), b','), expected);
        }
        assert_eq!(sketch(b"\ta\tb\n0\t1,5\t2\n", b'\t'), ["2:\"1,5\""]);
        assert_eq!(sketch(b" a ;b\n 1 ;2;;\n", b';'), ["2:\" 1 \""]);
        assert_eq!(sketch(b"a,b\n", b','), [""; 0]);
    }

    #[test]
    fn an_empty_answer_is_one() {
        let source = Box::new(io::Cursor::new("a,k\n,\n"));
        let mut rows = TableRows::new(Path::new("t"), source, (b',', 1), vec!["k".into()]);
        let row = rows.next().unwrap().unwrap().object;
        assert_eq!(Value::Object(row), serde_json::json!({"k": ""}));
    }

    #[test]
    fn a_quote_that_is_never_closed_is_said() {
        let found = sketch(b"a,b\n1,2\n3,\"x\n5,6\n7,8\n", b',');
        assert_eq!(found[0], "2:\"1\"");
        assert!(found[1].starts_with("3!a quote is opened"), "{found:?}");
        assert_eq!(found.len(), 2);
        assert_eq!(sketch(b"a,b\n3,\"x\ny\"\n\n", b','), ["2:\"3\""]);
    }

    #[test]
    fn a_bad_row_costs_only_itself() {
        let found = sketch(b"a,b\n1\n2,3,4\n\xff,1\n5,6\n", b',');
        assert!(
            found[0].starts_with("2!1 cells where the header has 2"),
            "{found:?}"
        );
        assert!(found[1].starts_with("3!3 cells"), "{found:?}");
        assert!(found[2].starts_with("4!invalid UTF-8 in column `a`"));
        assert_eq!(found[3], "5:\"5\"");
        let twice = sketch(b"a,b,a\n1,2,3\n", b',');
        assert_eq!(twice.len(), 1);
        assert!(twice[0].starts_with("1!two columns are named `a`"));
    }
}
