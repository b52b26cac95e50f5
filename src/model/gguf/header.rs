//! The head of a GGUF file: metadata and the table of tensors, read with nothing taken on trust.
//!
//! Every length and count is held against the bytes that are left in the file before memory is
//! asked for, so a hostile head costs no more memory than a small multiple of its own size.

use std::collections::{BTreeMap, HashSet};

use super::super::file_bytes::FileBytes;
use super::super::{ModelError, Result};
use super::ggml::{self, Kind};
use super::value::{Metadata, Scalar, Value};

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Outermost dimension first (the file has it the other way round).
    pub shape: Vec<usize>,
    pub kind: &'static Kind,
    /// From the file's start.
    pub offset: u64,
    pub values: usize,
    pub bytes: u64,
}

/// Metadata and tensors.
pub struct Header {
    pub metadata: Metadata,
    pub tensors: BTreeMap<String, Entry>,
}

/// The head of the largest published vocabularies is 30 MB.
const LARGEST: u64 = 256 << 20;
/// Arrays of arrays go no deeper.
const DEEPEST: usize = 4;
const LONGEST_NAME: u64 = 65_535;
const BUFFER: u64 = 64 << 10;

struct Cursor<'a> {
    file: &'a FileBytes,
    buffer: Vec<u8>,
    /// Where the buffer starts.
    start: u64,
    at: u64,
}

impl Cursor<'_> {
    fn wrong(&self, cause: impl std::fmt::Display) -> ModelError {
        let cause = format!("{cause} (at byte {})", self.at);
        ModelError::file(self.file.path(), cause)
    }

    /// Bytes left, in the file and under the limit.
    fn left(&self) -> u64 {
        self.file.size().min(LARGEST).saturating_sub(self.at)
    }

    /// That `count` things of at least `least` bytes each can still come.
    fn fits(&self, count: u64, least: u64, what: &str) -> Result<()> {
        match count.checked_mul(least) {
            Some(bytes) if bytes <= self.left() => Ok(()),
            _ => {
                let left = self.left();
                let of = match self.file.size() > LARGEST {
                    true => "that a head may still have",
                    false => "left in the file",
                };
                Err(self.wrong(format!(
                    "{what}: {count} × {least} bytes do not fit in the {left} {of}"
                )))
            }
        }
    }

    /// A number of up to eight bytes.
    fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        self.fits(N as u64, 1, what)?;
        let end = self.start + self.buffer.len() as u64;
        if self.at < self.start || self.at + N as u64 > end {
            let len = BUFFER.min(self.file.size() - self.at);
            self.buffer = self.file.read(self.at, len, what)?;
            self.start = self.at;
        }
        let from = (self.at - self.start) as usize;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.buffer[from..from + N]);
        self.at += N as u64;
        Ok(bytes)
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        self.take(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.take(what).map(u64::from_le_bytes)
    }

    fn bytes(&mut self, len: u64, what: &str) -> Result<Vec<u8>> {
        self.fits(len, 1, what)?;
        let from = self.at.wrapping_sub(self.start);
        let bytes = match from.checked_add(len) {
            Some(end) if self.at >= self.start && end <= self.buffer.len() as u64 => {
                self.buffer[from as usize..end as usize].to_vec()
            }
            _ => self.file.read(self.at, len, what)?,
        };
        self.at += len;
        Ok(bytes)
    }

    fn text(&mut self, what: &str) -> Result<String> {
        let len = self.u64(what)?;
        let bytes = self.bytes(len, what)?;
        String::from_utf8(bytes).map_err(|_| self.wrong(format!("{what} is not UTF-8")))
    }

    fn name(&mut self, what: &str) -> Result<String> {
        let len = self.u64(what)?;
        if len == 0 || len > LONGEST_NAME {
            return Err(self.wrong(format!("{what} has {len} bytes")));
        }
        let bytes = self.bytes(len, what)?;
        String::from_utf8(bytes).map_err(|_| self.wrong(format!("{what} is not UTF-8")))
    }

    fn value(&mut self, key: &str) -> Result<Value> {
        let what = format!("metadata `{key}`");
        let kind = self.u32(&what)?;
        match kind {
            8 => self.text(&what).map(Value::Text),
            9 => self.array(&what, 0),
            _ => {
                let scalar = self.scalar(kind, &what)?;
                let bytes = self.bytes(scalar.size() as u64, &what)?;
                if scalar == Scalar::Bool && bytes[0] > 1 {
                    return Err(self.wrong(format!("{what}: {} is no truth value", bytes[0])));
                }
                Ok(scalar.decode(&bytes))
            }
        }
    }

    fn scalar(&self, kind: u32, what: &str) -> Result<Scalar> {
        Ok(match kind {
            0 => Scalar::U8,
            1 => Scalar::I8,
            2 => Scalar::U16,
            3 => Scalar::I16,
            4 => Scalar::U32,
            5 => Scalar::I32,
            6 => Scalar::F32,
            7 => Scalar::Bool,
            10 => Scalar::U64,
            11 => Scalar::I64,
            12 => Scalar::F64,
            _ => return Err(self.wrong(format!("{what}: unknown value type {kind}"))),
        })
    }

    fn array(&mut self, what: &str, depth: usize) -> Result<Value> {
        if depth > DEEPEST {
            return Err(self.wrong(format!("{what}: arrays nested deeper than {DEEPEST}")));
        }
        let kind = self.u32(what)?;
        let count = self.u64(what)?;
        match kind {
            8 => {
                self.fits(count, 8, what)?;
                let mut texts = Vec::new();
                for _ in 0..count {
                    texts.push(self.text(what)?);
                }
                Ok(Value::Texts(texts))
            }
            9 => {
                self.fits(count, 12, what)?;
                for _ in 0..count {
                    self.array(what, depth + 1)?;
                }
                Ok(Value::Nested)
            }
            _ => {
                let scalar = self.scalar(kind, what)?;
                self.fits(count, scalar.size() as u64, what)?;
                let bytes = self.bytes(count * scalar.size() as u64, what)?;
                Ok(Value::Numbers(scalar, bytes))
            }
        }
    }
}

impl Header {
    /// Reads the head.
    ///
    /// # Errors
    /// Everything that is not as the format has it, with the file, what and where.
    pub fn read(file: &FileBytes) -> Result<Header> {
        let mut c = Cursor {
            file,
            buffer: Vec::new(),
            start: 0,
            at: 0,
        };
        if c.take::<4>("the magic number")? != *b"GGUF" {
            return Err(ModelError::file(file.path(), "is not a GGUF file"));
        }
        match c.u32("the version")? {
            2 | 3 => (),
            // Byte order shows in the version.
            v if matches!(v.swap_bytes(), 1..=3) => {
                return Err(c.wrong("a big-endian GGUF file; only little-endian ones are read"));
            }
            v => return Err(c.wrong(format!("GGUF version {v}; 2 and 3 are read"))),
        }
        let tensors = c.u64("the number of tensors")?;
        let pairs = c.u64("the number of metadata entries")?;
        // A key's length, one byte of key, a type and a value; a name, a dimension, type and offset.
        c.fits(pairs, 14, "metadata entries")?;
        c.fits(tensors, 33, "tensors")?;
        let mut values = BTreeMap::new();
        for _ in 0..pairs {
            let key = c.name("a metadata key")?;
            let value = c.value(&key)?;
            if values.contains_key(&key) {
                return Err(c.wrong(format!("metadata `{key}` stands twice")));
            }
            values.insert(key, value);
        }
        let metadata = Metadata {
            path: file.path().to_owned(),
            values,
        };
        let alignment = alignment(&metadata)?;
        let mut found = Vec::new();
        for _ in 0..tensors {
            found.push(tensor(&mut c)?);
        }
        let start = c.at.next_multiple_of(alignment);
        Ok(Header {
            tensors: place(file, found, start, alignment)?,
            metadata,
        })
    }
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    let key = "general.alignment";
    let alignment = metadata.size(key)?.unwrap_or(32) as u64;
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(metadata.wrong(key, "a power of two up to 1048576"));
    }
    Ok(alignment)
}

/// One row of the table; its offset still counts from the data's start.
fn tensor(c: &mut Cursor) -> Result<(String, Entry)> {
    let name = c.name("a tensor's name")?;
    let wrong = |c: &Cursor, cause: String| Err(c.wrong(format!("tensor `{name}`: {cause}")));
    let rank = c.u32(&name)?;
    if !(1..=4).contains(&rank) {
        return wrong(c, format!("{rank} dimensions; one to four are possible"));
    }
    let (mut shape, mut values) = (Vec::new(), 1usize);
    for _ in 0..rank {
        let len = c.u64(&name)?;
        let product = usize::try_from(len)
            .ok()
            .filter(|len| *len > 0)
            .and_then(|len| values.checked_mul(len));
        let Some(product) = product else {
            return wrong(c, format!("a dimension of {len} cannot be"));
        };
        values = product;
        shape.push(len as usize);
    }
    let kind = c.u32(&name)?;
    let Some(kind) = ggml::kind_of(kind) else {
        return wrong(c, format!("unknown type {kind}"));
    };
    if !shape[0].is_multiple_of(kind.values) {
        let (row, block) = (shape[0], kind.values);
        let cause = format!(
            "rows of {row} are no whole blocks of {block} ({})",
            kind.name
        );
        return wrong(c, cause);
    }
    let Some(bytes) = ((values / kind.values) as u64).checked_mul(kind.bytes as u64) else {
        return wrong(c, "its size overflows".into());
    };
    let offset = c.u64(&name)?;
    shape.reverse();
    let entry = Entry {
        shape,
        kind,
        offset,
        values,
        bytes,
    };
    Ok((name, entry))
}

/// Moves offsets to the file's start; tensors must be aligned, in the file, and apart.
fn place(
    file: &FileBytes,
    mut found: Vec<(String, Entry)>,
    start: u64,
    alignment: u64,
) -> Result<BTreeMap<String, Entry>> {
    let wrong = |name: &str, cause: String| {
        ModelError::file(file.path(), format!("tensor `{name}`: {cause}"))
    };
    let mut names = HashSet::new();
    for (name, entry) in &mut found {
        if !names.insert(name.clone()) {
            return Err(wrong(name, "stands twice".into()));
        }
        if !entry.offset.is_multiple_of(alignment) {
            let cause = format!("offset {} is not a multiple of {alignment}", entry.offset);
            return Err(wrong(name, cause));
        }
        let Some(offset) = entry.offset.checked_add(start) else {
            return Err(wrong(name, format!("offset {} overflows", entry.offset)));
        };
        file.check(offset, entry.bytes, &format!("tensor `{name}`"))?;
        entry.offset = offset;
    }
    found.sort_by_key(|(_, entry)| entry.offset);
    for pair in found.windows(2) {
        let ((first, a), (second, b)) = (&pair[0], &pair[1]);
        if a.offset + a.bytes > b.offset {
            return Err(wrong(second, format!("overlaps tensor `{first}`")));
        }
    }
    Ok(found.into_iter().collect())
}
