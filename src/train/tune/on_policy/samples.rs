//! The pairs that a policy made, as lines of a file: they can be looked at, and replayed as `pairs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::data::atomic;

/// Beside the checkpoints.
pub const FILE: &str = "samples.jsonl";

/// Two answers to a prompt, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The step that learns from it, from 1.
    pub step: usize,
    /// `STEP/PROMPT`.
    pub id: String,
    /// The record's id.
    pub prompt_id: String,
    /// With its input.
    pub instruction: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    pub chosen: String,
    pub rejected: String,
    /// The judge's, over both orders; the mean of the principles.
    pub score_chosen: f64,
    pub score_rejected: f64,
    /// Neither was better: the one that was written first is chosen.
    pub tie: bool,
}

/// The file.
pub struct Samples {
    path: PathBuf,
    file: Option<File>,
}

impl Samples {
    /// Nothing is written yet.
    pub fn new(path: PathBuf) -> Self {
        Samples { path, file: None }
    }

    /// What is written next is about the steps after `taken`: at the first call, lines about later ones go.
    ///
    /// # Errors
    /// What the file system says.
    pub fn go_on(&mut self, taken: usize) -> Result<()> {
        if self.file.is_none() {
            let opened = kept(&self.path, taken)
                .and_then(|kept| atomic::write(&self.path, &kept))
                .and_then(|()| OpenOptions::new().append(true).open(&self.path));
            self.file = Some(opened.with_context(|| self.refused())?);
        }
        Ok(())
    }

    /// Writes lines, all by one call.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, samples: &[Sample]) -> Result<()> {
        let mut lines = Vec::new();
        for sample in samples {
            serde_json::to_writer(&mut lines, sample)?;
            lines.push(b'\n');
        }
        let written = match &mut self.file {
            Some(file) => file.write_all(&lines),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        written.with_context(|| self.refused())
    }

    fn refused(&self) -> String {
        format!(
            "{} cannot be written: make room or make it writable, then go on with --resume",
            self.path.display()
        )
    }
}

/// Lines about the first `taken` steps; those that are none go.
fn kept(path: &PathBuf, taken: usize) -> io::Result<Vec<u8>> {
    let bytes = match fs::read(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let stays = |line: &&[u8]| {
        let sample = serde_json::from_slice::<Sample>(line);
        line.ends_with(b"\n") && sample.is_ok_and(|sample| sample.step <= taken)
    };
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    Ok(lines.filter(stays).flatten().copied().collect())
}
