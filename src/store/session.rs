//! Where a person was, and what they chose.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};

impl Store {
    /// What was kept under a name.
    ///
    /// # Errors
    /// What the database says.
    pub fn recall(&self, key: &str) -> Result<Option<String>> {
        self.read(|connection| {
            let mut one = connection.prepare_cached("SELECT value FROM session WHERE key = ?1")?;
            one.query_row([key], |row| row.get(0)).optional()
        })
    }

    /// Keeps something under a name.
    ///
    /// # Errors
    /// What the database says.
    pub fn remember(&mut self, key: &str, value: &str) -> Result<()> {
        self.write(|transaction| {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO session (key, value) VALUES (?1, ?2)",
                    params![key, value],
                )
                .map(|_| ())
        })
    }
}
