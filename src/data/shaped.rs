//! Rows that are read one by one and written back as they were, some of them: what a selection is made from.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::container::RawRows;
use super::error::{DataError, RowError};
use super::export::{ExportError, Packed, Packing, write_part};
use super::options::ReadOptions;
use super::read;
use super::record::Record;

/// How the rows of a file stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One JSON object after the other.
    Lines,
    /// Objects in one JSON array.
    Array,
    /// CSV or Parquet: fields have columns.
    Columns,
}

impl Layout {
    fn word(self) -> &'static str {
        match self {
            Layout::Lines => "JSON lines",
            Layout::Array => "a JSON array",
            Layout::Columns => "a table",
        }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct ShapedRow {
    /// The object as JSON, its fields in order; empty where there was none to be read. Text takes far less memory
    /// than values.
    text: Box<str>,
    /// What it says, alone: rows of one instruction are not gathered.
    pub record: Result<Record, RowError>,
}

/// All rows of some files of one layout, bad ones among them.
#[derive(Clone, Debug)]
pub struct Shaped {
    pub rows: Vec<ShapedRow>,
    pub layout: Layout,
    /// Names of a table's columns: a row has only those that are filled.
    columns: Map<String, Value>,
}

impl Shaped {
    /// Reads files into memory.
    ///
    /// # Errors
    /// A file that cannot be opened or has nothing in it, no row that can be read, the first bad row where
    /// `options` are strict, and files of different layouts.
    pub fn read(paths: &[PathBuf], options: &ReadOptions) -> Result<Self, DataError> {
        let (mut rows, mut columns) = (Vec::new(), Map::new());
        let mut layout: Option<(Layout, &Path)> = None;
        for path in paths {
            let mut found = RawRows::open(path, &options.fields)?;
            if found.is_empty() {
                return Err(DataError::Empty { path: path.clone() });
            }
            let is_table = !matches!(found, RawRows::Json(_));
            let (mut usual, mut own) = (None, is_table.then_some(Layout::Columns));
            for raw in found.by_ref() {
                let mut text = String::new();
                let record = raw.and_then(|raw| {
                    let json = match raw.element {
                        Some(_) => Layout::Array,
                        None => Layout::Lines,
                    };
                    own.get_or_insert(json);
                    text = serde_json::to_string(&raw.object).unwrap_or_default();
                    let (record, shape) =
                        read::row(raw.object, options, usual).map_err(|message| RowError {
                            file: path.clone(),
                            line: raw.line,
                            element: raw.element,
                            message,
                        })?;
                    usual.get_or_insert(shape);
                    Ok(record)
                });
                match record {
                    Err(error) if options.strict => return Err(error.into()),
                    record => rows.push(ShapedRow {
                        text: text.into(),
                        record,
                    }),
                }
            }
            if let RawRows::Table(table) = &found {
                let named = table.names().iter().filter(|name| !name.is_empty());
                columns.extend(named.map(|name| (name.clone(), Value::Null)));
            }
            match (layout, own) {
                (Some((one, first)), Some(own)) if one != own => {
                    return Err(DataError::Layouts {
                        first: first.to_path_buf(),
                        one: one.word(),
                        second: path.clone(),
                        other: own.word(),
                    });
                }
                (None, Some(own)) => layout = Some((own, path)),
                _ => (),
            }
        }
        let errors = rows.iter().filter(|row| row.record.is_err()).count();
        if errors == rows.len()
            && let Some(Err(first)) = rows.first().map(|row| &row.record)
        {
            return Err(DataError::NothingRead {
                first: Box::new(first.clone()),
                errors,
            });
        }
        Ok(Shaped {
            rows,
            layout: layout.map_or(Layout::Lines, |(layout, _)| layout),
            columns,
        })
    }

    /// Writes these rows, in this order, in the layout they were read in; a name that ends in `.gz` or `.zst` is
    /// compressed. Tables are written as the name ends (`.csv`, `.tsv`, `.parquet`, `.jsonl`), with the columns of
    /// all rows. `-` is standard output.
    ///
    /// # Errors
    /// As [`super::export::write`].
    pub fn write(&self, path: &Path, chosen: &[usize]) -> Result<(), ExportError> {
        let failed = |cause| ExportError::Io {
            path: path.to_path_buf(),
            cause,
        };
        if self.layout == Layout::Columns {
            let all = || {
                let head = std::iter::once(self.columns.clone());
                head.chain(self.rows.iter().map(ShapedRow::object))
            };
            let part = || {
                let row = |at: &usize| self.rows.get(*at).map(ShapedRow::object);
                chosen.iter().filter_map(row)
            };
            return write_part(path, all, part).map(|_| ());
        }
        let array = self.layout == Layout::Array;
        let texts = chosen.iter().filter_map(|at| self.rows.get(*at));
        let texts = texts.map(|row| &*row.text);
        if path == Path::new("-") {
            let mut out = io::stdout().lock();
            return put(texts, array, &mut out).map_err(failed);
        }
        let packing = match path.extension().and_then(|end| end.to_str()) {
            Some("gz") => Packing::Gzip,
            Some("zst") => Packing::Zstd,
            _ => Packing::None,
        };
        let mut out = Packed::create(path, packing).map_err(failed)?;
        put(texts, array, &mut out).map_err(failed)?;
        out.finish().map_err(failed)
    }
}

impl ShapedRow {
    /// Its fields.
    pub fn object(&self) -> Map<String, Value> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Objects, one a line, in brackets or without.
fn put<'a>(
    texts: impl Iterator<Item = &'a str>,
    array: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut before = match array {
        true => "[\n",
        false => "",
    };
    for text in texts {
        write!(out, "{before}{text}")?;
        before = match array {
            true => ",\n",
            false => "\n",
        };
    }
    match (array, before) {
        (true, "[\n") => writeln!(out, "[]")?,
        (true, _) => write!(out, "\n]\n")?,
        (false, "") => (),
        (false, _) => writeln!(out)?,
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Shaped, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::write(&path, text).unwrap();
        Shaped::read(&[path], &ReadOptions::default())
    }

    fn written(shaped: &Shaped, name: &str, chosen: &[usize]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        shaped.write(&path, chosen).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let one = r#"{"output":"a","instruction":"q","n":1.50,"more":{"z":1,"a":[null]}}"#;
        let two = r#"{"instruction":"q","input":"","output":"b"}"#;
        let same = |text: String| text.replace("1.50", "1.5");
        let lines = read(&format!("{one}\n\n{{broken\n{two}\n")).unwrap();
        assert_eq!((lines.layout, lines.rows.len()), (Layout::Lines, 3));
        assert_eq!(lines.rows[1].record.as_ref().unwrap_err().line, 3);
        assert_eq!(lines.rows[2].record.as_ref().unwrap().responses.len(), 1);
        assert_eq!(
            written(&lines, "o", &[2, 0]),
            same(format!("{two}\n{one}\n"))
        );
        assert_eq!(written(&lines, "o", &[]), "");
        let array = read(&format!("[{one},\n {two}]")).unwrap();
        assert_eq!(array.layout, Layout::Array);
        assert_eq!(
            written(&array, "o", &[1, 0]),
            same(format!("[\n{two},\n{one}\n]\n"))
        );
        assert_eq!(written(&array, "o", &[]), "[]\n");
        let table = read("instruction,input,output\nq,,a\nr,x,b\n").unwrap();
        assert_eq!(table.layout, Layout::Columns);
        assert_eq!(
            written(&table, "o.csv", &[0]),
            "instruction,input,output\nq,,a\n"
        );
    }

    #[test]
    fn files_of_one_layout_go_together() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let row = r#"{"instruction":"q","output":"b"}"#;
        std::fs::write(&a, row).unwrap();
        std::fs::write(&b, format!("[{row}]")).unwrap();
        let files = [a, b];
        let error = Shaped::read(&files, &ReadOptions::default()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("JSON lines") && message.contains("array"),
            "{message}"
        );
        assert_eq!(
            Shaped::read(&files[..1], &ReadOptions::default())
                .unwrap()
                .rows
                .len(),
            1
        );
        assert!(read("[{\"x\":1}]").is_err());
        assert!(read("").is_err());
    }
}
