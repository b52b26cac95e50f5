//! A file that is compressed while it is written.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::data::atomic::AtomicFile;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    None,
    Gzip,
    Zstd,
}

/// A file under construction; see [`AtomicFile`].
pub enum Packed {
    Plain(AtomicFile),
    Gzip(GzEncoder<AtomicFile>),
    Zstd(zstd::Encoder<'static, AtomicFile>),
}

impl Packed {
    /// Starts a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: &Path, packing: Packing) -> io::Result<Self> {
        let file = AtomicFile::create(path)?;
        Ok(match packing {
            Packing::None => Packed::Plain(file),
            Packing::Gzip => Packed::Gzip(GzEncoder::new(file, Compression::default())),
            Packing::Zstd => Packed::Zstd(zstd::Encoder::new(file, 0)?),
        })
    }

    /// Writes what is left and gives the file its name.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Packed::Plain(file) => file.finish(),
            Packed::Gzip(encoder) => encoder.finish()?.finish(),
            Packed::Zstd(encoder) => encoder.finish()?.finish(),
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(out) => out.write(bytes),
            Packed::Gzip(out) => out.write(bytes),
            Packed::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::Plain(out) => out.flush(),
            Packed::Gzip(out) => out.flush(),
            Packed::Zstd(out) => out.flush(),
        }
    }
}
