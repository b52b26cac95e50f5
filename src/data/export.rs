//! Rows as a file that other programs read: JSON lines, CSV or Parquet, as its name ends.
//!
//! CSV and Parquet have a column for every field that any row has, in the order of first appearance. A field that a
//! row lacks, or that is null, is an empty cell or a null there; lists and objects are JSON text. In Parquet a column
//! of numbers is of numbers, one of text and numbers is of text. CSV tells an empty text from none as little as other
//! programs do (read again, an answer is an empty text, all else absent), and a cell that a spreadsheet would take for a formula (`=1+1`) stands there as it is: nothing is put
//! before it, so that what is read again is the same. Files appear whole or not at all.

mod columns;
mod packed;
mod pairs;
mod parquet;
mod records;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use columns::Columns;
pub use packed::{Packed, Packing};
pub use pairs::{PairRule, pairs};
pub use records::{number, put_free, records};

/// One row; a table's columns are the fields of its rows.
pub type Row = Map<String, Value>;

/// What a file is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    Lines,
    /// Cells between delimiters, a comma or a tab.
    Table(u8),
    /// Columns, compressed with zstd.
    Parquet,
}

/// Why rows are not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A name that tells no format.
    #[error(
        "{}: the name tells no format; end it in .jsonl, .csv or .tsv (also .gz or .zst behind these), or .parquet",
        .path.display()
    )]
    Name { path: PathBuf },
    /// A table without a single row has no columns.
    #[error("{}: there is no row to write", .path.display())]
    Empty { path: PathBuf },
    /// The file system refused.
    #[error("cannot write {}: {cause}", .path.display())]
    Io { path: PathBuf, cause: io::Error },
}

impl Format {
    /// By the end of a name; `-` is JSON lines.
    ///
    /// # Errors
    /// A name that ends in something else.
    pub fn of(path: &Path) -> Result<(Self, Packing), ExportError> {
        if path == Path::new("-") {
            return Ok((Format::Lines, Packing::None));
        }
        let name = path.file_name().map(|name| name.to_string_lossy());
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let (stem, packing) = match name.rsplit_once('.') {
            Some((stem, "gz")) => (stem, Packing::Gzip),
            Some((stem, "zst")) => (stem, Packing::Zstd),
            _ => (name.as_str(), Packing::None),
        };
        let format = match stem.rsplit_once('.') {
            Some((_, "jsonl" | "ndjson")) => Format::Lines,
            Some((_, "csv")) => Format::Table(b','),
            Some((_, "tsv")) => Format::Table(b'\t'),
            Some((_, "parquet")) if packing == Packing::None => Format::Parquet,
            _ => {
                return Err(ExportError::Name {
                    path: path.to_path_buf(),
                });
            }
        };
        Ok((format, packing))
    }
}

/// Writes rows to a file, as its name ends; JSON lines to standard output for `-`. How many rows there were.
///
/// `rows` is asked once for JSON lines, twice for the others: first for the columns, then for what is in them. Both
/// times it must give the same.
///
/// # Errors
/// A name that tells no format, no rows for CSV or Parquet, and what the file system says.
pub fn write<I>(path: &Path, rows: impl Fn() -> I) -> Result<usize, ExportError>
where
    I: Iterator<Item = Row>,
{
    write_part(path, &rows, &rows)
}

/// As [`write()`], with the columns that `all` rows have.
///
/// # Errors
/// As [`write()`].
pub fn write_part<I, J>(
    path: &Path,
    all: impl Fn() -> I,
    rows: impl Fn() -> J,
) -> Result<usize, ExportError>
where
    I: Iterator<Item = Row>,
    J: Iterator<Item = Row>,
{
    let (format, packing) = Format::of(path)?;
    let failed = |cause| ExportError::Io {
        path: path.to_path_buf(),
        cause,
    };
    if path == Path::new("-") {
        let mut out = io::stdout().lock();
        let count = lines(rows(), &mut out).map_err(failed)?;
        out.flush().map_err(failed)?;
        return Ok(count);
    }
    let columns = match format {
        Format::Lines => Columns::default(),
        _ => Columns::of(all()),
    };
    if format != Format::Lines && columns.is_empty() {
        return Err(ExportError::Empty {
            path: path.to_path_buf(),
        });
    }
    let mut out = Packed::create(path, packing).map_err(failed)?;
    let count = match format {
        Format::Lines => lines(rows(), &mut out),
        Format::Table(delimiter) => cells(&columns, rows(), delimiter, &mut out),
        Format::Parquet => parquet::write(&columns, rows(), &mut out),
    };
    let count = count.map_err(failed)?;
    out.finish().map_err(failed)?;
    Ok(count)
}

fn lines(rows: impl Iterator<Item = Row>, out: &mut dyn Write) -> io::Result<usize> {
    let mut count = 0;
    for row in rows {
        serde_json::to_writer(&mut *out, &row)?;
        out.write_all(b"\n")?;
        count += 1;
    }
    Ok(count)
}

fn cells(
    columns: &Columns,
    rows: impl Iterator<Item = Row>,
    delimiter: u8,
    out: &mut dyn Write,
) -> io::Result<usize> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(out);
    writer.write_record(columns.names())?;
    let mut count = 0;
    for row in rows {
        let cells = columns.names().map(|name| columns::text(row.get(name)));
        writer.write_record(cells.map(Option::unwrap_or_default))?;
        count += 1;
    }
    writer.flush()?;
    Ok(count)
}

#[cfg(test)]
mod tests;
