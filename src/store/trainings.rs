//! Trainings: where they write. Everything else about them stands in their folders.

use std::path::Path;

use rusqlite::params;

use super::{Result, Store};

/// A training that Juror knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Training {
    /// The folder it writes into, as an absolute path.
    pub output: String,
    /// `judge`, `sft`, …: as after `juror train`.
    pub command: String,
    /// Milliseconds since 1970; of the latest beginning, where it was gone on with.
    pub started: i64,
}

impl Training {
    /// One that begins now. The folder has to be there, or it counts as gone until it is.
    pub fn begins(output: &Path, command: &str) -> Self {
        let absolute = std::path::absolute(output).unwrap_or_else(|_| output.to_owned());
        Training {
            output: absolute.display().to_string(),
            command: command.to_owned(),
            started: super::now(),
        }
    }
}

impl Store {
    /// Remembers a training, in place of one that wrote into the same folder.
    ///
    /// # Errors
    /// What the database says.
    pub fn keep_training(&mut self, training: &Training) -> Result<()> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO trainings (output, command, started) VALUES (?1, ?2, ?3)
                 ON CONFLICT (output) DO UPDATE SET command = excluded.command, started = excluded.started",
                params![training.output, training.command, training.started],
            )?;
            Ok(())
        })
    }

    /// Forgets a training; its folder stays as it is.
    ///
    /// # Errors
    /// What the database says.
    pub fn forget_training(&mut self, output: &str) -> Result<()> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM trainings WHERE output = ?1", [output])?;
            Ok(())
        })
    }

    /// The latest trainings, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub fn trainings(&self, most: usize) -> Result<Vec<Training>> {
        self.read(|connection| {
            let mut all = connection.prepare_cached(
                "SELECT output, command, started FROM trainings ORDER BY started DESC, id DESC LIMIT ?1",
            )?;
            let rows = all.query_map([most as i64], |row| {
                Ok(Training {
                    output: row.get(0)?,
                    command: row.get(1)?,
                    started: row.get(2)?,
                })
            })?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_folder_is_one_training_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::at(&folder.path().join("juror.db")).unwrap();
        let one = |output: &str, started| Training {
            output: output.into(),
            command: "judge".into(),
            started,
        };
        store.keep_training(&one("/a", 1)).unwrap();
        store.keep_training(&one("/b", 2)).unwrap();
        store.keep_training(&one("/a", 3)).unwrap();
        assert_eq!(store.trainings(9).unwrap(), [one("/a", 3), one("/b", 2)]);
        assert_eq!(store.trainings(1).unwrap(), [one("/a", 3)]);
        store.forget_training("/a").unwrap();
        assert_eq!(store.trainings(9).unwrap(), [one("/b", 2)]);
        let made = Training::begins(Path::new("out"), "sft");
        assert!(Path::new(&made.output).is_absolute());
    }

    #[test]
    fn a_database_of_the_format_before_is_brought_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("juror.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(include_str!("format_1.sql")).unwrap();
        old.execute_batch("INSERT INTO session VALUES ('kept', 'yes'); PRAGMA user_version = 1;")
            .unwrap();
        drop(old);
        let mut store = Store::at(&path).unwrap();
        store
            .keep_training(&Training::begins(folder.path(), "judge"))
            .unwrap();
        assert_eq!(store.trainings(9).unwrap().len(), 1);
        assert_eq!(store.recall("kept").unwrap().as_deref(), Some("yes"));
    }
}
