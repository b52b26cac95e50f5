//! What a run keeps on disk meanwhile, in files without a name: whoever ends it, nothing is left behind.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A row as it is found again: what it is called, where it stood, and the form that is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Unique in the run.
    pub id: String,
    /// File and line.
    pub place: String,
    /// The form that is compared.
    pub text: String,
}

/// Texts are read in order by so many at a time.
const BATCH: usize = 4096;

/// Writes entries; see [`TextStore`].
pub struct TextWriter {
    out: BufWriter<File>,
    /// Where each entry begins.
    starts: Vec<u64>,
    end: u64,
    folder: PathBuf,
}

impl TextWriter {
    /// Starts a file in this folder.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(folder: &Path) -> io::Result<Self> {
        Ok(TextWriter {
            out: BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?),
            starts: Vec::new(),
            end: 0,
            folder: folder.to_owned(),
        })
    }

    /// Adds an entry; its number.
    ///
    /// # Errors
    /// What the file system says; more than four billion rows.
    pub fn push(&mut self, entry: &Entry) -> io::Result<u32> {
        let row = u32::try_from(self.starts.len())
            .map_err(|_| io::Error::other("more than four billion rows: collect them in parts"))?;
        self.starts.push(self.end);
        for part in [&entry.id, &entry.place, &entry.text] {
            self.end += put_text(&mut self.out, part)?;
        }
        Ok(row)
    }

    /// From here on entries are read.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> io::Result<TextStore> {
        Ok(TextStore {
            file: self
                .out
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?,
            starts: self.starts,
            end: self.end,
            folder: self.folder,
        })
    }
}

/// Entries on disk; in memory are eight bytes of each.
pub struct TextStore {
    file: File,
    starts: Vec<u64>,
    end: u64,
    folder: PathBuf,
}

impl TextStore {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Where temporary files go.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One entry.
    ///
    /// # Errors
    /// What the file system says.
    pub fn entry(&self, row: u32) -> io::Result<Entry> {
        let row = row as usize;
        let start = self
            .starts
            .get(row)
            .copied()
            .ok_or(io::ErrorKind::NotFound)?;
        let end = self.starts.get(row + 1).copied().unwrap_or(self.end);
        let mut bytes = vec![0; (end - start) as usize];
        read_at(&self.file, &mut bytes, start)?;
        let mut rest = bytes.as_slice();
        Ok(Entry {
            id: take_text(&mut rest)?,
            place: take_text(&mut rest)?,
            text: take_text(&mut rest)?,
        })
    }

    /// All texts in order, some at a time.
    ///
    /// # Errors
    /// What the file system says.
    pub fn scan(&self, mut batch: impl FnMut(&[String])) -> io::Result<()> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut left = self.len();
        let mut texts = Vec::with_capacity(BATCH.min(left));
        while left > 0 {
            texts.clear();
            for _ in 0..left.min(BATCH) {
                take_text(&mut file)?;
                take_text(&mut file)?;
                texts.push(take_text(&mut file)?);
            }
            left -= texts.len();
            batch(&texts);
        }
        Ok(())
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, start)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut start: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, start)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        start += read as u64;
    }
    Ok(())
}

/// Packed texts with a small number each, written and then read in order.
pub struct Stream {
    out: zstd::Encoder<'static, BufWriter<File>>,
    count: u64,
}

impl Stream {
    /// Starts a file in this folder.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?);
        Ok(Stream {
            out: zstd::Encoder::new(file, 1)?,
            count: 0,
        })
    }

    /// Adds a text.
    ///
    /// # Errors
    /// What the file system says.
    pub fn push(&mut self, number: u32, text: &str) -> io::Result<()> {
        self.count += 1;
        self.out.write_all(&number.to_le_bytes())?;
        put_text(&mut self.out, text).map(|_| ())
    }

    /// From here on texts are read.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> io::Result<Streamed> {
        let file = self.out.finish()?;
        Ok(Streamed {
            file: file.into_inner().map_err(io::IntoInnerError::into_error)?,
            count: self.count,
        })
    }
}

/// A finished [`Stream`].
pub struct Streamed {
    file: File,
    count: u64,
}

impl Streamed {
    /// Texts with their numbers, from the first on; one reader at a time.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read(&self) -> io::Result<Reading> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(Reading {
            file: zstd::Decoder::new(file)?,
            left: self.count,
        })
    }
}

/// Reads a [`Streamed`].
pub struct Reading {
    file: zstd::Decoder<'static, BufReader<File>>,
    left: u64,
}

impl Reading {
    /// The next number and text.
    ///
    /// # Errors
    /// What the file system says.
    pub fn next_text(&mut self) -> io::Result<Option<(u32, String)>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut number = [0; 4];
        self.file.read_exact(&mut number)?;
        Ok(Some((
            u32::from_le_bytes(number),
            take_text(&mut self.file)?,
        )))
    }
}

fn put_text(out: &mut impl Write, text: &str) -> io::Result<u64> {
    let length =
        u32::try_from(text.len()).map_err(|_| io::Error::other("a text of more than 4 GiB"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(text.as_bytes())?;
    Ok(4 + u64::from(length))
}

fn take_text(from: &mut impl Read) -> io::Result<String> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = TextWriter::create(folder.path()).unwrap();
        let entries: Vec<Entry> = (0..5000)
            .map(|at| Entry {
                id: format!("r{at}"),
                place: format!("f:{at}"),
                text: "x".repeat(at % 7),
            })
            .collect();
        for entry in &entries {
            writer.push(entry).unwrap();
        }
        let store = writer.finish().unwrap();
        assert_eq!(store.entry(4321).unwrap(), entries[4321]);
        let mut texts = Vec::new();
        store.scan(|batch| texts.extend_from_slice(batch)).unwrap();
        assert!(texts.iter().eq(entries.iter().map(|entry| &entry.text)));
        assert!(store.entry(5000).is_err());

        let mut stream = Stream::create(folder.path()).unwrap();
        stream.push(7, "seven").unwrap();
        stream.push(8, "").unwrap();
        let streamed = stream.finish().unwrap();
        for _ in 0..2 {
            let mut reading = streamed.read().unwrap();
            assert_eq!(reading.next_text().unwrap(), Some((7, "seven".into())));
            assert_eq!(reading.next_text().unwrap(), Some((8, String::new())));
            assert_eq!(reading.next_text().unwrap(), None);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
