//! Arrow, as a stream or as a file (Feather): a few rows at a time, by way of JSON lines.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_json::LineDelimitedWriter;
use arrow_schema::ArrowError;

use super::{JsonRows, RawRow, seekable};
use crate::data::error::{DataError, RowError};
use crate::data::fence;
use crate::data::source::{Kind, Source};

/// Rows that are JSON at a time.
const AT_ONCE: usize = 64;

/// The rows of one Arrow file.
pub struct ArrowRows {
    rows: JsonRows,
}

impl ArrowRows {
    /// Opens what is Arrow by its first bytes. A file has its index at the end: what comes through a pipe or is compressed
    /// is kept in a temporary file first. A stream is read as it comes.
    ///
    /// # Errors
    /// What is damaged at its beginning, or its end where the index is.
    pub fn open(path: &Path, source: Source, kind: Kind) -> Result<Self, DataError> {
        let damaged = |cause: ArrowError| DataError::Damaged {
            path: path.to_path_buf(),
            cause: format!(
                "an Arrow file that cannot be read ({cause}): write or download it again"
            ),
        };
        let batches: Batches = match kind {
            Kind::ArrowFile => {
                let file: File = seekable(path, source)?;
                Box::new(fenced(|| FileReader::try_new(file, None)).map_err(damaged)?)
            }
            _ => Box::new(fenced(|| StreamReader::try_new(source, None)).map_err(damaged)?),
        };
        let lines = Lines {
            batches,
            batch: None,
            done: 0,
            text: Cursor::default(),
        };
        Ok(ArrowRows {
            rows: JsonRows::lines(path, Box::new(BufReader::new(lines))),
        })
    }

    /// Stops here: nothing more is read.
    pub fn stop(&mut self) {
        self.rows.stop();
    }
}

impl Iterator for ArrowRows {
    type Item = Result<RawRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.rows.next()? {
            Ok(row) => Ok(RawRow {
                line: 0,
                element: Some(row.line),
                start: None,
                ..row
            }),
            Err(error) => Err(RowError {
                line: 0,
                element: Some(error.line),
                ..error
            }),
        })
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Record batches as JSON lines; cells without a value are left out.
struct Lines {
    batches: Batches,
    batch: Option<RecordBatch>,
    /// Rows of the batch that were written.
    done: usize,
    text: Cursor<Vec<u8>>,
}

impl Lines {
    /// Writes further rows; whether there are any.
    fn more(&mut self) -> Result<bool, ArrowError> {
        loop {
            let Some(batch) = &self.batch else {
                match fenced(|| self.batches.next().transpose())? {
                    Some(batch) => (self.batch, self.done) = (Some(batch), 0),
                    None => return Ok(false),
                }
                continue;
            };
            let count = AT_ONCE.min(batch.num_rows() - self.done);
            if count == 0 {
                self.batch = None;
                continue;
            }
            let rows = batch.slice(self.done, count);
            self.done += count;
            let text = fenced(|| {
                let mut writer = LineDelimitedWriter::new(Vec::new());
                writer.write(&rows)?;
                writer.finish()?;
                Ok(writer.into_inner())
            })?;
            self.text = Cursor::new(text);
            return Ok(true);
        }
    }
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.text.read(into)? {
                0 if !into.is_empty() => {}
                read => return Ok(read),
            }
            let more = self.more().map_err(|cause| {
                let told = format!(
                    "the Arrow columns are damaged here, or of a kind that is not read ({cause})"
                );
                io::Error::other(told)
            })?;
            if !more {
                return Ok(0);
            }
        }
    }
}

/// A panic of the library's is an error: reading ends with the first one.
fn fenced<T>(work: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    fence::fenced(work).unwrap_or_else(|| {
        let cause = "what is in it contradicts itself";
        Err(ArrowError::IpcError(cause.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use arrow_ipc::writer::{FileWriter, StreamWriter};
    use arrow_json::ReaderBuilder;
    use arrow_json::reader::infer_json_schema;

    use super::*;
    use crate::data::options::FieldMap;
    use crate::data::{ReadOptions, container::RawRows};

    fn batch(rows: usize) -> RecordBatch {
        let row = |n: usize| match n % 2 {
            0 => format!(
                "{{\"instruction\":\"q{n}\",\"response\":\"\",\"n\":{n},\"tags\":[\"a\",null]}}\n"
            ),
            _ => format!("{{\"instruction\":\"q{n}\",\"meta\":{{\"deep\":true}}}}\n"),
        };
        let text: String = (0..rows).map(row).collect();
        let (schema, _) = infer_json_schema(Cursor::new(&text), None).unwrap();
        let reader = ReaderBuilder::new(schema.into()).with_batch_size(rows);
        let mut reader = reader.build(Cursor::new(text)).unwrap();
        reader.next().unwrap().unwrap()
    }

    fn stream(rows: usize) -> Vec<u8> {
        let batch = batch(rows);
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    fn file(rows: usize) -> Vec<u8> {
        let batch = batch(rows);
        let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    fn rows(bytes: &[u8]) -> Result<Vec<Result<RawRow, RowError>>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.arrow");
        std::fs::write(&path, bytes).unwrap();
        // A few bytes can say that there are very many rows: they come one at a time.
        Ok(RawRows::open(&path, &FieldMap::new())?.take(1000).collect())
    }

    #[test]
    fn streams_and_files_are_read_row_by_row() {
        for bytes in [stream(100), file(100)] {
            let rows: Vec<RawRow> = rows(&bytes)
                .unwrap()
                .into_iter()
                .map(Result::unwrap)
                .collect();
            assert_eq!(rows.len(), 200);
            assert_eq!(rows[0].object["response"], "");
            assert_eq!(rows[0].object["tags"], serde_json::json!(["a", null]));
            assert_eq!(rows[2].object["n"], 2);
            assert!(rows[1].object.get("n").is_none(), "no value, no field");
            assert_eq!(rows[199].object["meta"]["deep"], true);
            assert_eq!((rows[199].line, rows[199].element), (0, Some(200)));
        }
    }

    #[test]
    fn compressed_and_piped_ones_are_the_same_records() {
        let folder = tempfile::tempdir().unwrap();
        let options = ReadOptions::default();
        let read = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            crate::data::read(&[path], &options).unwrap().records
        };
        let plain = read("a.arrow", &stream(9));
        assert_eq!(plain.len(), 10, "the others have no response");
        let again = read("a.feather", &file(9));
        assert_eq!(plain, again);
        let zstd = zstd::encode_all(&file(9)[..], 1).unwrap();
        assert_eq!(plain, read("a.arrow.zst", &zstd));
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        for whole in [stream(40), file(40)] {
            let good = rows(&whole).unwrap().len();
            for at in (0..whole.len()).step_by(7) {
                let mut bytes = whole.clone();
                bytes[at] ^= 0x55;
                // Whatever comes of it, it is rows and errors, and an end.
                let _ = rows(&bytes);
                // A stream that ends early may end at a batch; otherwise an error is its last row.
                if let Ok(rows) = rows(&whole[..at]) {
                    let read = rows.iter().filter(|row| row.is_ok()).count();
                    assert!(read <= good && rows.len() <= read + 1, "{at}");
                }
            }
        }
        let Err(error) = rows(&file(5)[..60]) else {
            unreachable!("half a file was opened");
        };
        assert!(
            error.to_string().contains("write or download it again"),
            "{error}"
        );
    }
}
