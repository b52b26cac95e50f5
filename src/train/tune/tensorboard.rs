//! TensorBoard's event files: scalars that `tensorboard --logdir OUTPUT` draws.
//!
//! A file is a sequence of records, each an `Event` of TensorBoard's protocol buffers. Of these only what a scalar
//! needs is written here, by hand: the formats are small and have been the same for years.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Fields of `Event`, of `Summary` and of its values, and of `SessionLog`.
mod field {
    pub const WALL_TIME: u64 = 1;
    pub const STEP: u64 = 2;
    pub const FILE_VERSION: u64 = 3;
    pub const SUMMARY: u64 = 5;
    pub const SESSION_LOG: u64 = 7;
    pub const VALUE: u64 = 1;
    pub const TAG: u64 = 1;
    pub const SIMPLE_VALUE: u64 = 2;
    pub const STATUS: u64 = 1;
}

/// `SessionLog.SessionStatus.START`.
const START: u64 = 1;

/// Kinds of fields on the wire.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// A file of scalars.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file in a folder, which is made. What files of earlier trainings in it say of steps after `from` no
    /// longer counts: TensorBoard forgets it when it comes here.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(folder: &Path, from: usize) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let now = seconds();
        // TensorBoard reads the files of a folder in the order of their names.
        for number in 0.. {
            let process = std::process::id();
            let name = format!(
                "events.out.tfevents.{:010}.juror.{process}.{number}",
                now as u64
            );
            let path = folder.join(name);
            let file = match File::create_new(&path) {
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            let mut events = EventFile { path, file };
            events.file.write_all(&record(&version(now)))?;
            events.file.write_all(&record(&restart(now, from + 1)))?;
            return Ok(events);
        }
        Err(io::Error::other("no name is free"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the values of a step, by their tags.
    ///
    /// # Errors
    /// What the file system says.
    pub fn scalars(&mut self, step: usize, scalars: &[(String, f64)]) -> io::Result<()> {
        if scalars.is_empty() {
            return Ok(());
        }
        self.file
            .write_all(&record(&summary(seconds(), step, scalars)))
    }
}

fn seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// The event that every file begins with.
fn version(time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    fixed_64(&mut event, field::WALL_TIME, time);
    bytes(&mut event, field::FILE_VERSION, b"brain.Event:2");
    event
}

/// The event that says that steps from this one on are told anew.
fn restart(time: f64, step: usize) -> Vec<u8> {
    let mut session = Vec::new();
    varint_field(&mut session, field::STATUS, START);
    let mut event = Vec::new();
    fixed_64(&mut event, field::WALL_TIME, time);
    varint_field(&mut event, field::STEP, step as u64);
    bytes(&mut event, field::SESSION_LOG, &session);
    event
}

fn summary(time: f64, step: usize, scalars: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let mut one = Vec::new();
        bytes(&mut one, field::TAG, tag.as_bytes());
        fixed_32(&mut one, field::SIMPLE_VALUE, *value as f32);
        bytes(&mut summary, field::VALUE, &one);
    }
    let mut event = Vec::new();
    fixed_64(&mut event, field::WALL_TIME, time);
    varint_field(&mut event, field::STEP, step as u64);
    bytes(&mut event, field::SUMMARY, &summary);
    event
}

/// Seven bits a byte, the lowest first; all but the last have their highest bit set.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_field(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

fn fixed_64(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | FIXED_64);
    out.extend(value.to_le_bytes());
}

fn fixed_32(out: &mut Vec<u8>, field: u64, value: f32) {
    varint(out, field << 3 | FIXED_32);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | BYTES);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// A record: length (8 bytes), its checksum (4), the data, their checksum (4), everything with the lowest byte first.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

/// A checksum as records have it: so that one of data with checksums in them is none of theirs.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), one byte at a time.
fn crc32c(data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let place = (crc ^ u32::from(*byte)) & 0xff;
        TABLE[place as usize] ^ (crc >> 8)
    };
    !data.iter().fold(!0, step)
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut place = 0;
    while place < 256 {
        let mut crc = place as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = match crc & 1 {
                1 => crc >> 1 ^ 0x82f6_3b78,
                _ => crc >> 1,
            };
            bit += 1;
        }
        table[place] = crc;
        place += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: f64 = 1_751_362_200.25;

    #[test]
    fn checksums_are_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    /// What the writer of the tensorboard package (2.21) makes of the same events.
    #[test]
    fn records_are_those_of_tensorboard() {
        let scalars = [
            ("train/loss".to_owned(), 0.5),
            ("train/kl".to_owned(), f64::NAN),
        ];
        let cases = [
            (
                version(TIME),
                "1800000000000000a37f4b2209000010a6ea18da411a0d627261696e2e4576656e743a329fe60bac",
            ),
            (
                summary(TIME, 300, &scalars),
                "3200000000000000241956ec09000010a6ea18da4110ac022a240a110a0a747261696e2f6c6f737315\
                 0000003f0a0f0a08747261696e2f6b6c150000c07fa0fa64d3",
            ),
            (
                restart(TIME, 121),
                "0f000000000000006d532b0909000010a6ea18da4110793a02080119a87c30",
            ),
        ];
        for (event, expected) in cases {
            assert_eq!(hex::encode(record(&event)), expected);
        }
    }

    #[test]
    fn a_second_file_takes_no_name_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventFile::create(folder.path(), 0).unwrap();
        let second = EventFile::create(folder.path(), 0).unwrap();
        assert_ne!(first.path(), second.path());
        let whole = fs::metadata(first.path()).unwrap().len();
        assert_eq!(whole, 40 + 31, "what it begins with is on disk");
    }
}
