//! Whether a Parquet footer can be what it says: a list has no more elements than bytes behind it. The library counts
//! through truth values that are not there, and finds out afterwards.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Structures within structures, and lists within lists.
const DEEPEST: usize = 64;

/// Bytes at the end: the footer's length, and the mark.
const TAIL: u64 = 8;

/// Whether the footer of a file holds together, as far as its lengths tell. What has no footer is left to the library.
///
/// # Errors
/// What the file system says.
pub fn holds(file: &mut File) -> io::Result<bool> {
    let size = file.seek(SeekFrom::End(0))?;
    if size < TAIL {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(size - TAIL))?;
    let mut tail = [0; TAIL as usize];
    file.read_exact(&mut tail)?;
    let [a, b, c, d, mark @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if &mark != b"PAR1" || length + TAIL > size {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(size - TAIL - length))?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer)?;
    Ok(Walk(&footer).structure(0).is_some())
}

/// The rest of a value in Thrift's compact protocol (its specification, "Compact protocol encoding"). `None` anywhere
/// is a footer that does not hold together.
struct Walk<'a>(&'a [u8]);

impl Walk<'_> {
    fn skip(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn structure(&mut self, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Some(());
            }
            // The field's number, where it is not told by how far it is behind the one before.
            if head >> 4 == 0 {
                self.number()?;
            }
            // A truth value is its own type.
            if kind > 2 {
                self.value(kind, depth)?;
            }
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            // A byte; within a list a truth value is one, too.
            1..=3 => self.skip(1),
            4..=6 => self.number().map(drop),
            7 => self.skip(8),
            8 => {
                let length = self.number()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.number()?,
                    few => u64::from(few),
                };
                self.values(count, &[head & 0x0f], depth)
            }
            11 => match self.number()? {
                0 => Some(()),
                count => {
                    let kinds = self.byte()?;
                    self.values(count, &[kinds >> 4, kinds & 0x0f], depth)
                }
            },
            12 => self.structure(depth + 1),
            13 => self.skip(16),
            _ => None,
        }
    }

    fn values(&mut self, count: u64, kinds: &[u8], depth: usize) -> Option<()> {
        if depth > DEEPEST || count > self.0.len() as u64 {
            return None;
        }
        for _ in 0..count {
            for kind in kinds {
                self.value(*kind, depth + 1)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn holds_together(footer: &[u8]) -> bool {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1").unwrap();
        file.write_all(footer).unwrap();
        file.write_all(&(footer.len() as u32).to_le_bytes())
            .unwrap();
        file.write_all(b"PAR1").unwrap();
        holds(&mut file).unwrap()
    }

    #[test]
    fn a_list_is_no_longer_than_what_is_behind_it() {
        // Field 1, i32, 2; field 2, a list of three truth values; field 3, a text; the end.
        assert!(holds_together(&[
            0x15, 4, 0x19, 0x31, 1, 2, 1, 0x18, 2, b'a', b'b', 0
        ]));
        // Two billion of them.
        let billions = [0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
        assert!(!holds_together(&billions));
        assert!(!holds_together(&[0x18, 9, b'a', 0]), "a text that is cut");
        assert!(!holds_together(&[0x1c; 200]), "structures without an end");
        assert!(!holds_together(&[0x15]), "no end");
        assert!(holds_together(&[0]));
    }

    #[test]
    fn what_is_no_parquet_is_the_librarys() {
        let mut file = tempfile::tempfile().unwrap();
        assert!(holds(&mut file).unwrap());
        file.write_all(&[255; 64]).unwrap();
        assert!(holds(&mut file).unwrap());
    }
}
