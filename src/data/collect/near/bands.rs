//! Keys of bands on disk, and the pairs of rows that share one.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use rayon::slice::ParallelSliceMut;

use super::facts::{RAREST, apart};
use super::minhash::BANDS;
use super::pairs::PairSpill;

/// Rows of one key that are all compared with one another.
const SMALL: usize = 16;

/// Neighbours that a row of a larger bucket is compared with.
const WINDOW: usize = 48;

/// The rarest words of each row.
#[derive(Clone, Copy)]
pub struct Rare<'a> {
    pub words: &'a [[u32; RAREST]],
    /// Rows that these tell apart are no candidates.
    pub facts: bool,
}

impl Rare<'_> {
    fn of(&self, row: u32) -> [u32; RAREST] {
        self.words.get(row as usize).copied().unwrap_or_default()
    }

    fn may_be(&self, one: u32, other: u32) -> bool {
        !self.facts || !apart(&self.of(one), &self.of(other))
    }
}

/// A file for each band.
pub struct BandFiles {
    files: Vec<BufWriter<File>>,
}

impl BandFiles {
    /// Files that nobody else sees, in this folder.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let file = |_| {
            Ok(BufWriter::with_capacity(
                1 << 18,
                tempfile::tempfile_in(folder)?,
            ))
        };
        Ok(BandFiles {
            files: (0..BANDS).map(file).collect::<io::Result<_>>()?,
        })
    }

    /// Writes down the keys of a row.
    ///
    /// # Errors
    /// What the file system says.
    pub fn push(&mut self, row: u32, keys: &[u64; BANDS]) -> io::Result<()> {
        for (file, key) in self.files.iter_mut().zip(keys) {
            file.write_all(&key.to_le_bytes())?;
            file.write_all(&row.to_le_bytes())?;
        }
        Ok(())
    }

    /// Pairs of rows that share a key, for [`PairSpill`]; how many rows had more neighbours than they are compared with.
    /// Rows of a template crowd a bucket; their rare words tell them apart.
    ///
    /// # Errors
    /// What the file system says.
    pub fn candidates(
        self,
        rare: Rare<'_>,
        pairs: &mut PairSpill,
        mut progress: impl FnMut(usize),
    ) -> io::Result<u64> {
        let mut crowded = 0;
        for (at, file) in self.files.into_iter().enumerate() {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            let mut keyed = read(BufReader::with_capacity(1 << 18, file))?;
            keyed.par_sort_unstable();
            for bucket in keyed
                .chunk_by(|a, b| a.0 == b.0)
                .filter(|bucket| bucket.len() > 1)
            {
                let rows: Vec<u32> = bucket.iter().map(|(_, row)| *row).collect();
                match rows.len() <= SMALL {
                    true => all(&rows, rare, pairs)?,
                    false => crowded += by_words(&rows, rare, pairs)?,
                }
            }
            progress(at + 1);
        }
        Ok(crowded)
    }
}

fn read(mut file: impl Read) -> io::Result<Vec<(u64, u32)>> {
    let mut found = Vec::new();
    let mut bytes = [0; 12];
    loop {
        match file.read_exact(&mut bytes) {
            Ok(()) => {
                let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
                let key = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
                found.push((key, u32::from_le_bytes([i, j, k, l])));
            }
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(found),
            Err(cause) => return Err(cause),
        }
    }
}

fn all(rows: &[u32], rare: Rare<'_>, pairs: &mut PairSpill) -> io::Result<()> {
    for (at, one) in rows.iter().enumerate() {
        for other in rows[..at].iter().filter(|other| rare.may_be(*one, **other)) {
            pairs.push(*one, *other)?;
        }
    }
    Ok(())
}

/// Pairs of a large bucket that share two rare words.
fn by_words(rows: &[u32], rare: Rare<'_>, pairs: &mut PairSpill) -> io::Result<u64> {
    let mut worded: Vec<(u64, u32)> = Vec::with_capacity(6 * rows.len());
    for row in rows {
        let mut words = rare.of(*row);
        words.sort_unstable();
        // Zeros stand first: a row of few words stands under one of them, or under none.
        let start = words
            .iter()
            .take_while(|word| **word == 0)
            .count()
            .min(RAREST - 2);
        for (at, one) in words.iter().enumerate().skip(start) {
            let others = words.iter().skip(at + 1);
            worded.extend(others.map(|other| (u64::from(*one) << 32 | u64::from(*other), *row)));
        }
    }
    worded.sort_unstable();
    let mut crowded = 0;
    for bucket in worded
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|bucket| bucket.len() > 1)
    {
        let mut rows: Vec<u32> = bucket.iter().map(|(_, row)| *row).collect();
        if rows.len() > WINDOW {
            // Those that share the other words, too, become neighbours.
            rows.sort_unstable_by_key(|row| (rare.of(*row), *row));
        }
        for (at, one) in rows.iter().enumerate() {
            let start = at.saturating_sub(WINDOW);
            crowded += u64::from(start > 0);
            for other in rows[start..at]
                .iter()
                .filter(|other| rare.may_be(*one, **other))
            {
                pairs.push(*one, *other)?;
            }
        }
    }
    Ok(crowded)
}

#[cfg(test)]
mod tests {
    use super::super::pairs::unpack;
    use super::*;

    fn found(rows: &[([u64; BANDS], [u32; RAREST])]) -> Vec<(u32, u32)> {
        let folder = tempfile::tempdir().unwrap();
        let mut files = BandFiles::create(folder.path()).unwrap();
        for (row, (keys, _)) in rows.iter().enumerate() {
            files.push(row as u32, keys).unwrap();
        }
        let rarest: Vec<[u32; RAREST]> = rows.iter().map(|(_, rare)| *rare).collect();
        let mut spill = PairSpill::new(folder.path());
        let rare = Rare {
            words: &rarest,
            facts: true,
        };
        files.candidates(rare, &mut spill, |_| ()).unwrap();
        let mut pairs = spill.finish().unwrap();
        let mut found = Vec::new();
        while let Some(pair) = pairs.next_pair().unwrap() {
            found.push(unpack(pair));
        }
        found
    }

    fn keys(at: u64) -> [u64; BANDS] {
        std::array::from_fn(|band| at * 100 + band as u64)
    }

    #[test]
    fn one_shared_band_makes_a_pair() {
        let mut near = keys(2);
        near[7] = keys(1)[7];
        let rows = [
            (keys(1), [1, 2, 3, 4]),
            (keys(3), [1, 2, 3, 4]),
            (near, [4, 5, 6, 7]),
        ];
        assert_eq!(found(&rows), [(2, 0)]);
    }

    #[test]
    fn rows_of_a_template_are_told_apart_by_their_rare_words() {
        let mut rows: Vec<_> = (0..100u32)
            .map(|at| (keys(1), [at * 4 + 1, at * 4 + 2, at * 4 + 3, 0]))
            .collect();
        rows.push((keys(1), [9999, 42, 8888, 41]));
        // Only row 10 has the words 41 and 42.
        assert_eq!(found(&rows), [(100, 10)]);
    }
}
