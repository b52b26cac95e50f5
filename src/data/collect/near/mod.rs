//! Near duplicates: MinHash bands say who may be alike, the exact Jaccard of the texts read again from disk says who is,
//! and the facts in them say who asks for something else all the same.

pub mod bands;
pub mod facts;
pub mod minhash;
pub mod pairs;
pub mod shingle;
pub mod sketch;

use std::io;

use rayon::prelude::*;
use serde::Serialize;

use self::bands::{BandFiles, Rare};
use self::facts::same_facts;
use self::pairs::{PairSpill, unpack};
use self::shingle::{jaccard, shingles};
use self::sketch::Sketch;
use super::spill::TextStore;

/// What counts as nearly equal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// The least Jaccard similarity of the sets of 5-character shingles.
    pub jaccard: f64,
    /// Texts with other facts are nearly equal, too.
    pub ignore_facts: bool,
}

impl Default for Rule {
    fn default() -> Self {
        Rule {
            jaccard: 0.6,
            ignore_facts: false,
        }
    }
}

impl Rule {
    /// What keeps texts apart whatever their shingles.
    pub fn tag(&self, normal: &str) -> u64 {
        match self.ignore_facts {
            true => 0,
            false => facts::exact_hash(normal),
        }
    }

    /// The Jaccard similarity of two normal texts, where they are nearly equal.
    pub fn compare(&self, one: &str, other: &str, sketch: &Sketch) -> Option<f64> {
        if !self.ignore_facts && !same_facts(one, other, sketch) {
            return None;
        }
        let found = jaccard(&shingles(one), &shingles(other));
        (found >= self.jaccard).then_some(found)
    }
}

/// A row that is nearly equal to an earlier one, which is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Twin {
    /// The row that goes.
    pub row: u32,
    /// The first row that it is nearly equal to.
    pub of: u32,
    /// Their Jaccard similarity.
    pub jaccard: f64,
}

/// What came of the search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// In the order of the rows that go.
    pub twins: Vec<Twin>,
    /// Pairs that were compared.
    pub compared: u64,
    /// Rows that had more neighbours in one bucket than they were compared with.
    pub crowded: u64,
}

/// Pairs that are compared at a time.
const CHUNK: usize = 1 << 18;

/// Finds the rows to drop: each that is nearly equal to an earlier one that stays. `progress` is told the stage and how
/// far it is.
///
/// # Errors
/// What the file system says.
pub fn find(
    bands: BandFiles,
    texts: &TextStore,
    (rule, sketch): (Rule, &Sketch),
    progress: &mut dyn FnMut(&str, u64, u64),
) -> io::Result<Found> {
    let rows = texts.len();
    let mut rarest = Vec::with_capacity(rows);
    texts.scan(|batch| {
        rarest.par_extend(batch.par_iter().map(|text| facts::rarest(text, sketch)));
        progress("rare words", rarest.len() as u64, rows as u64);
    })?;
    let mut spill = PairSpill::new(texts.folder());
    let rare = Rare {
        words: &rarest,
        facts: !rule.ignore_facts,
    };
    let crowded = bands.candidates(rare, &mut spill, |band| {
        progress("candidates", band as u64, minhash::BANDS as u64);
    })?;
    drop(rarest);
    let mut pairs = spill.finish()?;
    let mut found = Found {
        crowded,
        ..Found::default()
    };
    let mut gone = vec![false; rows];
    let is_gone = |gone: &[bool], row: u32| gone.get(row as usize).copied().unwrap_or(true);
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        while chunk.len() < CHUNK {
            match pairs.next_pair()? {
                None => break,
                Some(pair) => {
                    let (row, of) = unpack(pair);
                    if !is_gone(&gone, row) && !is_gone(&gone, of) {
                        chunk.push((row, of));
                    }
                }
            }
        }
        if chunk.is_empty() {
            return Ok(found);
        }
        let compared: Vec<Option<f64>> = chunk
            .par_chunks(256)
            .map(|pairs| compare(pairs, texts, rule, sketch))
            .collect::<io::Result<Vec<_>>>()?
            .concat();
        found.compared += chunk.len() as u64;
        // In order: whether the earlier row stays is settled before it is asked.
        for ((row, of), jaccard) in chunk.iter().zip(compared) {
            if let Some(jaccard) = jaccard
                && !is_gone(&gone, *row)
                && !is_gone(&gone, *of)
            {
                if let Some(gone) = gone.get_mut(*row as usize) {
                    *gone = true;
                }
                found.twins.push(Twin {
                    row: *row,
                    of: *of,
                    jaccard,
                });
            }
        }
        let done = chunk.last().map_or(0, |(row, _)| u64::from(*row));
        progress("comparing", done, rows as u64);
    }
}

fn compare(
    pairs: &[(u32, u32)],
    texts: &TextStore,
    rule: Rule,
    sketch: &Sketch,
) -> io::Result<Vec<Option<f64>>> {
    // Pairs come by their later row: it is read once.
    let mut later: Option<(u32, String)> = None;
    let one = |&(row, of): &(u32, u32)| {
        if later.as_ref().is_none_or(|(known, _)| *known != row) {
            later = Some((row, texts.entry(row)?.text));
        }
        let text = later.as_ref().map_or("", |(_, text)| text.as_str());
        Ok(rule.compare(text, &texts.entry(of)?.text, sketch))
    };
    pairs.iter().map(one).collect()
}
