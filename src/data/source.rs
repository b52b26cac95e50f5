//! Opening: plain, gzip or zstd by their first bytes, `-` for standard input, and a byte order mark
//! stepped over. Everything streams.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::error::DataError;

/// A buffered stream of decompressed bytes.
pub type Source = Box<dyn BufRead + Send>;

const BUFFER: usize = 1 << 17;

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Parquet,
    /// Arrow with an index at its end, Feather among these.
    ArrowFile,
    /// Arrow, one message after the other.
    ArrowStream,
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        match head {
            [b'P', b'A', b'R', b'1', ..] => Kind::Parquet,
            [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => Kind::ArrowFile,
            [0xff, 0xff, 0xff, 0xff, ..] => Kind::ArrowStream,
            _ => Kind::Text,
        }
    }
}

/// Opens a text file, or standard input for `-`.
///
/// # Errors
/// A file that is not there, cannot be read, or is no text.
pub fn open(path: &Path) -> Result<Source, DataError> {
    text(path, open_any(path)?)
}

/// As [`open`], also Parquet and Arrow; what it is.
///
/// # Errors
/// As [`open`].
pub fn open_any(path: &Path) -> Result<(Source, Kind), DataError> {
    if path == Path::new("-") {
        return decode_any(path, Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => DataError::NotFound {
            path: path.to_path_buf(),
        },
        _ => io_error(path, cause),
    })?;
    let folder = file.metadata().is_ok_and(|meta| meta.is_dir());
    if folder {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            found: "a folder",
            cure: "name a file in it",
        });
    }
    decode_any(path, Box::new(file))
}

fn text(path: &Path, (source, kind): (Source, Kind)) -> Result<Source, DataError> {
    let found = match kind {
        Kind::Text => return Ok(source),
        Kind::Parquet => "a Parquet file",
        Kind::ArrowFile | Kind::ArrowStream => "an Arrow file",
    };
    Err(DataError::Format {
        path: path.to_path_buf(),
        found,
        cure: "where rows of `juror score` are asked for, give JSON lines",
    })
}

/// Bytes before the text of a file that can be entered in the middle: a plain file, with or without a byte order mark.
/// `None` where it is compressed, a pipe, or cannot be looked at.
pub fn plain_bytes_before(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let head = head_of(&mut file).ok()?;
    match head.as_slice() {
        [0x1f, 0x8b, ..] => None,
        head if is_zstd(head) => None,
        head if head.starts_with(b"\xef\xbb\xbf") => Some(3),
        _ => Some(0),
    }
}

/// Decompresses by the first bytes and steps over a byte order mark. `path` is for messages.
pub fn decode(path: &Path, raw: Box<dyn Read + Send>) -> Result<Source, DataError> {
    text(path, decode_any(path, raw)?)
}

fn decode_any(path: &Path, raw: Box<dyn Read + Send>) -> Result<(Source, Kind), DataError> {
    let mut raw = BufReader::with_capacity(BUFFER, raw);
    let head = head_of(&mut raw).map_err(|cause| io_error(path, cause))?;
    let raw = Cursor::new(head.clone()).chain(raw);
    let mut plain: Source = if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw)))
    } else if is_zstd(&head) {
        let decoder =
            zstd::stream::read::Decoder::with_buffer(raw).map_err(|cause| io_error(path, cause))?;
        Box::new(BufReader::with_capacity(BUFFER, decoder))
    } else {
        Box::new(raw)
    };
    let head = match head_of(&mut plain) {
        Ok(head) => head,
        Err(_) => {
            return Err(DataError::Format {
                path: path.to_path_buf(),
                found: "a damaged or truncated compressed file",
                cure: "write or download it again",
            });
        }
    };
    let kind = Kind::of(&head);
    if let (Kind::Text, Some((found, cure))) = (kind, foreign(&head)) {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            found,
            cure,
        });
    }
    let head = match head.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.to_vec(),
        None => head,
    };
    Ok((Box::new(Cursor::new(head).chain(plain)), kind))
}

/// The zstd frame magic, or that of a skippable frame.
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || matches!(head, [low, 0x2a, 0x4d, 0x18] if (0x50..=0x5f).contains(low))
}

/// Formats told by their first bytes that are not read here.
fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const PLAIN: &str = "decompress it first";
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some((
            "text in UTF-16",
            "convert it to UTF-8, for example with iconv",
        )),
        [b'P', b'K', 3, 4, ..] => Some(("a zip archive", PLAIN)),
        [b'B', b'Z', b'h', ..] => Some(("a bzip2 file", PLAIN)),
        [0xfd, b'7', b'z', b'X', ..] => Some(("an xz file", PLAIN)),
        [0x1f, 0x8b, ..] => Some(("compressed twice", PLAIN)),
        _ if is_zstd(head) => Some(("compressed twice", PLAIN)),
        _ if head.contains(&0) => Some((
            "a binary file",
            "give JSON, JSON lines or CSV, plain or compressed with gzip or zstd, or Parquet or Arrow",
        )),
        _ => None,
    }
}

/// Up to eight bytes; fewer only at the end.
fn head_of(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(8);
    reader.take(8).read_to_end(&mut head)?;
    Ok(head)
}

fn io_error(path: &Path, cause: io::Error) -> DataError {
    DataError::Io {
        path: path.to_path_buf(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        let mut out = String::new();
        decode(Path::new("t"), Box::new(Cursor::new(bytes)))
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        out
    }

    fn refused(bytes: &[u8]) -> String {
        match decode(Path::new("t"), Box::new(Cursor::new(bytes.to_vec()))) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_first_bytes_decide() {
        assert_eq!(text(b"{}".to_vec()), "{}");
        assert_eq!(text(Vec::new()), "");
        assert_eq!(text(b"[".to_vec()), "[");
        assert_eq!(text(gzip(b"hello")), "hello");
        assert_eq!(text([gzip(b"one"), gzip(b"two")].concat()), "onetwo");
        assert_eq!(text(zstd::encode_all(&b"hello"[..], 1).unwrap()), "hello");
    }

    #[test]
    fn a_byte_order_mark_is_stepped_over() {
        assert_eq!(text(b"\xef\xbb\xbf{}".to_vec()), "{}");
        assert_eq!(text(gzip(b"\xef\xbb\xbf[]")), "[]");
        assert_eq!(text(b"\xef\xbb\xbf".to_vec()), "");
    }

    #[test]
    fn what_is_not_read_is_named() {
        assert!(refused(b"\xff\xfe{\0").contains("UTF-16"));
        assert!(refused(b"PAR1....").contains("Parquet"));
        assert!(refused(&gzip(b"PAR1....")).contains("Parquet"));
        assert!(refused(b"PK\x03\x04").contains("zip"));
        assert!(refused(b"\x7fELF\0").contains("binary"));
        assert!(refused(b"a\0bc").contains("binary"));
        assert!(refused(&gzip(&gzip(b"x"))).contains("twice"));
        assert!(refused(&gzip(b"hello")[..6]).contains("truncated"));
    }

    #[test]
    fn a_path_that_leads_nowhere() {
        let Err(error) = open(Path::new("no/such/file.jsonl")) else {
            unreachable!("opened a file that does not exist");
        };
        assert!(error.to_string().contains("no such file"));
        assert!(open(Path::new("src")).is_err());
    }
}
