//! What was computed so far, a line each, so that a run that was ended goes on where it was.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ifd::Measured;
use super::writer::Reply;
use crate::method::reflection::statistics::Statistics;

/// Numbers written between two waits for the disk; each reply is waited for.
const SYNC_EVERY: usize = 64;

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Entry {
    Reply {
        key: String,
        #[serde(flatten)]
        reply: Reply,
    },
    Numbers {
        key: String,
        #[serde(flatten)]
        numbers: Numbers,
    },
}

#[derive(Clone, Serialize, Deserialize)]
struct Numbers {
    loss: [Option<f64>; 4],
    error: Option<String>,
    truncated: bool,
}

/// Replies and numbers by what they depend on, in memory and perhaps in a file.
#[derive(Default)]
pub struct Ledger {
    file: Option<File>,
    replies: HashMap<String, Reply>,
    numbers: HashMap<String, Numbers>,
    unsynced: usize,
}

/// Stands for everything that something depends on.
pub fn key(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex::encode(&hasher.finalize()[..16])
}

impl Ledger {
    /// Reads a file and goes on writing it; without one, only this run remembers. A last line that was not finished
    /// is left out.
    ///
    /// # Errors
    /// What the file system says; a file that another run writes.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let mut ledger = Ledger::default();
        let Some(path) = path else {
            return Ok(ledger);
        };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        if fs4::FileExt::try_lock(&file).is_err() {
            return Err(io::Error::other("another run is writing it"));
        }
        let mut lines = BufReader::new(&file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            match serde_json::from_slice(&line) {
                Ok(Entry::Reply { key, reply }) => drop(ledger.replies.insert(key, reply)),
                Ok(Entry::Numbers { key, numbers }) => drop(ledger.numbers.insert(key, numbers)),
                // Broken off, or of another version: it is computed again.
                Err(_) => (),
            }
            line.clear();
        }
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
        ledger.file = Some(file);
        Ok(ledger)
    }

    /// A reply that is known.
    pub fn reply(&self, key: &str) -> Option<&Reply> {
        self.replies.get(key)
    }

    /// Keeps a reply; it is on disk when this returns.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep_reply(&mut self, key: String, reply: Reply) -> io::Result<()> {
        self.replies.insert(key.clone(), reply.clone());
        self.write(&Entry::Reply { key, reply }, SYNC_EVERY)
    }

    /// Numbers that are known.
    pub fn measured(&self, key: &str) -> Option<Measured> {
        let known = self.numbers.get(key)?;
        Some(Measured {
            statistics: Statistics::of(known.loss),
            error: known.error.clone(),
            truncated: known.truncated,
            ..Measured::default()
        })
    }

    /// Keeps numbers.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep_measured(&mut self, key: String, found: &Measured) -> io::Result<()> {
        let numbers = Numbers {
            loss: found.statistics.loss,
            error: found.error.clone(),
            truncated: found.truncated,
        };
        self.numbers.insert(key.clone(), numbers.clone());
        self.write(&Entry::Numbers { key, numbers }, 1)
    }

    /// One write a line, so that what is killed leaves whole lines.
    fn write(&mut self, entry: &Entry, weight: usize) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
        self.unsynced += weight;
        if self.unsynced >= SYNC_EVERY {
            self.unsynced = 0;
            file.sync_data()?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_again_even_behind_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let reply = Reply {
            text: "a\nb".into(),
            ..Reply::default()
        };
        let found = Measured {
            statistics: Statistics::of([Some(0.1 + 0.2), None, Some(1.0), None]),
            error: Some("x".into()),
            ..Measured::default()
        };
        let mut ledger = Ledger::open(Some(&path)).unwrap();
        assert!(Ledger::open(Some(&path)).is_err(), "one run at a time");
        ledger.keep_reply(key(&["a"]), reply.clone()).unwrap();
        drop(ledger);
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"kind\":\"reply\",\"ke")
            .unwrap();
        let mut ledger = Ledger::open(Some(&path)).unwrap();
        ledger.keep_measured(key(&["n"]), &found).unwrap();
        drop(ledger);
        let ledger = Ledger::open(Some(&path)).unwrap();
        assert_eq!(ledger.reply(&key(&["a"])), Some(&reply));
        assert_eq!(ledger.measured(&key(&["n"])), Some(found));
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }
}
