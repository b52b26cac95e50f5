//! Scores by what determined them, so that nothing is computed twice.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{Result, Store};
use crate::data::SubjectKey;

/// Stands for everything besides the texts that a score depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Maker([u8; 16]);

impl Maker {
    /// Of names and hashes in a fixed order: judge and template, embedder, fusion, number format, version of the
    /// scoring.
    pub fn of(parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(digest) {
            *byte = hashed;
        }
        Maker(bytes)
    }
}

impl Store {
    /// What was kept of these texts by this maker, as JSON.
    ///
    /// # Errors
    /// What the database says.
    pub fn score(&self, maker: Maker, subject: SubjectKey) -> Result<Option<String>> {
        self.read(|connection| {
            let mut one = connection
                .prepare_cached("SELECT card FROM scores WHERE maker = ?1 AND subject = ?2")?;
            let key = params![maker.0, subject.0.to_be_bytes()];
            one.query_row(key, |row| row.get(0)).optional()
        })
    }

    /// Keeps scores, as JSON.
    ///
    /// # Errors
    /// What the database says.
    pub fn keep_scores(&mut self, maker: Maker, scores: &[(SubjectKey, String)]) -> Result<()> {
        self.write(|transaction| {
            let mut one = transaction.prepare_cached(
                "INSERT OR REPLACE INTO scores (maker, subject, card) VALUES (?1, ?2, ?3)",
            )?;
            for (subject, text) in scores {
                one.execute(params![maker.0, subject.0.to_be_bytes(), text])?;
            }
            Ok(())
        })
    }
}
