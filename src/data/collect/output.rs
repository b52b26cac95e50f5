//! Writing what is kept, and why the rest is not. Files appear whole or not at all.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::category::Category;
use super::error::CollectError;
use super::near::Twin;
use super::reason::Reason;
use super::report::Report;
use super::spill::{Streamed, TextStore};
use crate::data::atomic::AtomicFile;
use crate::data::export::{self, Format, Packed, Row};

/// A line of `OUT.dropped.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DroppedRow {
    pub id: String,
    pub source: String,
    /// File and line.
    pub place: String,
    pub reason: Reason,
    /// What the reason rests on.
    pub detail: String,
    /// The row that stays in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jaccard: Option<f64>,
    /// How its task begins.
    pub start: String,
}

/// A dropped row as it waits on disk: its twin is a number.
#[derive(Serialize, Deserialize)]
pub struct Waiting {
    #[serde(flatten)]
    pub row: DroppedRow,
    pub of: Option<u32>,
}

/// What is told of a row beside its text, as one number.
#[derive(Clone, Copy)]
pub struct Kept {
    pub source: usize,
    pub category: Category,
}

impl Kept {
    /// As a number.
    pub fn pack(self) -> u32 {
        (self.source as u32) << 2 | self.category as u32
    }

    /// Out of the number.
    pub fn unpack(number: u32) -> Self {
        let category = Category::ALL.get((number & 3) as usize).copied();
        Kept {
            source: (number >> 2) as usize,
            category: category.unwrap_or(Category::Common),
        }
    }
}

/// The results of the passes over the rows.
pub struct Spilled<'a> {
    /// Rows that are kept but for near duplicates, as JSON.
    pub rows: &'a Streamed,
    /// Other rows, with how many rows of `rows` come before.
    pub dropped: &'a Streamed,
    pub texts: &'a TextStore,
    pub twins: &'a [Twin],
}

/// Files beside the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    pub dropped: PathBuf,
    pub stats: PathBuf,
}

impl Beside {
    /// Of an output.
    pub fn of(output: &Path) -> Self {
        let named = |end: &str| {
            let mut name = output.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Beside {
            dropped: named(".dropped.jsonl"),
            stats: named(".stats.json"),
        }
    }
}

impl Spilled<'_> {
    /// Writes the kept rows as the name of the file ends.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write_rows(&self, output: &Path) -> Result<u64, CollectError> {
        let failed = CollectError::write(output);
        let (format, packing) = Format::of(output)?;
        if format != Format::Lines {
            return self.write_table(output);
        }
        let lines = |out: &mut dyn Write| -> io::Result<u64> {
            let mut count = 0;
            for_kept(self, |line| {
                count += 1;
                out.write_all(line.as_bytes())?;
                out.write_all(b"\n")
            })?;
            Ok(count)
        };
        if output == Path::new("-") {
            let mut out = io::BufWriter::new(io::stdout().lock());
            let count = lines(&mut out).map_err(&failed)?;
            out.flush().map_err(&failed)?;
            return Ok(count);
        }
        let mut out = Packed::create(output, packing).map_err(&failed)?;
        let count = lines(&mut out).map_err(&failed)?;
        out.finish().map_err(&failed)?;
        Ok(count)
    }

    fn write_table(&self, output: &Path) -> Result<u64, CollectError> {
        let failed = CollectError::write(output);
        let broken = RefCell::new(None);
        let rows = || {
            let reading = self.reading();
            let (mut reading, error) = match reading {
                Ok(reading) => (Some(reading), None),
                Err(error) => (None, Some(error)),
            };
            if error.is_some() {
                broken.replace(error);
            }
            let broken = &broken;
            std::iter::from_fn(move || match reading.as_mut()?.next_row() {
                Ok(row) => row,
                Err(error) => {
                    broken.replace(Some(error));
                    None
                }
            })
        };
        let count = export::write(output, rows)?;
        match broken.into_inner() {
            Some(error) => Err(failed(error)),
            None => Ok(count as u64),
        }
    }

    fn reading(&self) -> io::Result<KeptRows<'_>> {
        Ok(KeptRows {
            rows: self.rows.read()?,
            twins: self.twins.iter().peekable(),
            row: 0,
        })
    }

    /// Counts what is kept, and writes a line for each row that is not, in the order they were read.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write_dropped(
        &self,
        mut out: Option<&mut AtomicFile>,
        (report, names): (&mut Report, &[String]),
    ) -> io::Result<()> {
        let mut dropped = self.dropped.read()?;
        let mut next = dropped.next_text()?;
        let mut twins = self.twins.iter().peekable();
        let mut rows = self.rows.read()?;
        let mut row = 0u32;
        loop {
            while let Some((_, line)) = next.take_if(|(before, _)| *before <= row) {
                if let Some(out) = out.as_deref_mut() {
                    let waiting: Waiting = serde_json::from_str(&line)?;
                    let mut line = waiting.row;
                    if let Some(of) = waiting.of {
                        let twin = self.texts.entry(of)?.id;
                        line.detail = format!("equal to {twin} in the form that is compared");
                        line.twin = Some(twin);
                    }
                    put(out, &line)?;
                }
                next = dropped.next_text()?;
            }
            let Some((number, line)) = rows.next_text()? else {
                return Ok(());
            };
            let kept = Kept::unpack(number);
            let counts = report.sources.get_mut(kept.source);
            match (twins.next_if(|twin| twin.row == row), counts) {
                (None, Some(counts)) => {
                    let chars = self.texts.entry(row)?.text.chars().count();
                    counts.keep(kept.category, chars as u64);
                }
                (Some(twin), Some(counts)) => {
                    counts.dropped.add(Reason::NearDuplicate);
                    if let Some(out) = out.as_deref_mut() {
                        let source = names.get(kept.source).cloned().unwrap_or_default();
                        put(out, &self.near(twin, source, &line)?)?;
                    }
                }
                (_, None) => {}
            }
            row += 1;
        }
    }

    fn near(&self, twin: &Twin, source: String, line: &str) -> io::Result<DroppedRow> {
        let entry = self.texts.entry(twin.row)?;
        let of = self.texts.entry(twin.of)?.id;
        let row: Row = serde_json::from_str(line)?;
        Ok(DroppedRow {
            id: entry.id,
            source,
            place: entry.place,
            reason: Reason::NearDuplicate,
            detail: format!("Jaccard {:.3} with {of}", twin.jaccard),
            twin: Some(of),
            jaccard: Some((twin.jaccard * 1e6).round() / 1e6),
            start: shown(&row, &entry.text),
        })
    }
}

/// The beginning of a row's task; of one with other names for its fields, of the form that is compared.
fn shown(row: &Map<String, Value>, text: &str) -> String {
    let own = row
        .get("instruction")
        .and_then(Value::as_str)
        .unwrap_or(text);
    own.chars().take(120).collect()
}

fn put(out: &mut impl Write, row: &DroppedRow) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

fn for_kept(spilled: &Spilled<'_>, mut with: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let mut rows = spilled.reading()?;
    while let Some(line) = rows.next_line()? {
        with(&line)?;
    }
    Ok(())
}

/// Rows but for those that are near duplicates.
struct KeptRows<'a> {
    rows: super::spill::Reading,
    twins: std::iter::Peekable<std::slice::Iter<'a, Twin>>,
    row: u32,
}

impl KeptRows<'_> {
    fn next_line(&mut self) -> io::Result<Option<String>> {
        while let Some((_, line)) = self.rows.next_text()? {
            let row = self.row;
            self.row += 1;
            if self.twins.next_if(|twin| twin.row == row).is_none() {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    fn next_row(&mut self) -> io::Result<Option<Row>> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&line)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_source_and_category() {
        let kept = Kept {
            source: 36,
            category: Category::Academic,
        };
        let found = Kept::unpack(kept.pack());
        assert_eq!((found.source, found.category), (36, Category::Academic));
        let beside = Beside::of(Path::new("a/out.jsonl"));
        assert_eq!(beside.stats, Path::new("a/out.jsonl.stats.json"));
    }
}
