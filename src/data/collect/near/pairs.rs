//! Pairs of rows to be compared, each once, in order: sorted in memory and, where there are many, on disk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rayon::slice::ParallelSliceMut;

/// Pairs held in memory.
const HELD: usize = 1 << 23;

/// A pair as one number: the later row above, the earlier one below, so that pairs are in the order of the later one.
pub fn pack(one: u32, other: u32) -> u64 {
    u64::from(one.max(other)) << 32 | u64::from(one.min(other))
}

/// The later and the earlier row.
pub fn unpack(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}

/// Takes pairs in any order.
pub struct PairSpill {
    folder: PathBuf,
    held: Vec<u64>,
    limit: usize,
    runs: Vec<File>,
}

impl PairSpill {
    /// Sorts in memory, and in files of this folder.
    pub fn new(folder: &Path) -> Self {
        Self::holding(folder, HELD)
    }

    fn holding(folder: &Path, limit: usize) -> Self {
        PairSpill {
            folder: folder.to_owned(),
            held: Vec::new(),
            limit,
            runs: Vec::new(),
        }
    }

    /// Takes a pair.
    ///
    /// # Errors
    /// What the file system says.
    pub fn push(&mut self, one: u32, other: u32) -> io::Result<()> {
        self.held.push(pack(one, other));
        match self.held.len() >= self.limit {
            true => self.make_room(),
            false => Ok(()),
        }
    }

    fn sort(&mut self) {
        self.held.par_sort_unstable();
        self.held.dedup();
    }

    fn make_room(&mut self) -> io::Result<()> {
        self.sort();
        if self.held.len() * 2 < self.limit {
            return Ok(());
        }
        let mut run = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        for pair in self.held.drain(..) {
            run.write_all(&pair.to_le_bytes())?;
        }
        self.runs
            .push(run.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(())
    }

    /// All pairs, in order.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> io::Result<Pairs> {
        self.sort();
        let mut sources = vec![Run::Held(self.held.into_iter())];
        for mut run in self.runs {
            run.rewind()?;
            sources.push(Run::Stored(BufReader::with_capacity(1 << 18, run)));
        }
        let mut heads = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            heads.extend(source.next()?.map(|pair| Reverse((pair, at))));
        }
        Ok(Pairs {
            sources,
            heads,
            last: None,
        })
    }
}

enum Run {
    Held(std::vec::IntoIter<u64>),
    Stored(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<u64>> {
        match self {
            Run::Held(pairs) => Ok(pairs.next()),
            Run::Stored(file) => {
                let mut bytes = [0; 8];
                match file.read_exact(&mut bytes) {
                    Ok(()) => Ok(Some(u64::from_le_bytes(bytes))),
                    Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                    Err(cause) => Err(cause),
                }
            }
        }
    }
}

/// Pairs in order; see [`PairSpill`].
pub struct Pairs {
    sources: Vec<Run>,
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    last: Option<u64>,
}

impl Pairs {
    /// The next pair.
    ///
    /// # Errors
    /// What the file system says.
    pub fn next_pair(&mut self) -> io::Result<Option<u64>> {
        while let Some(Reverse((pair, at))) = self.heads.pop() {
            if let Some(source) = self.sources.get_mut(at) {
                self.heads
                    .extend(source.next()?.map(|pair| Reverse((pair, at))));
            }
            if self.last != Some(pair) {
                self.last = Some(pair);
                return Ok(Some(pair));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_once_and_in_order_also_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = PairSpill::holding(folder.path(), 16);
        let mut expected = std::collections::BTreeSet::new();
        for at in 0..500u32 {
            let (one, other) = (at * 7919 % 61, at * 104_729 % 53 + 61);
            spill.push(one, other).unwrap();
            spill.push(other, one).unwrap();
            expected.insert(pack(one, other));
        }
        let mut pairs = spill.finish().unwrap();
        let mut found = Vec::new();
        while let Some(pair) = pairs.next_pair().unwrap() {
            found.push(pair);
        }
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        assert_eq!(unpack(pack(3, 9)), (9, 3));
    }
}
