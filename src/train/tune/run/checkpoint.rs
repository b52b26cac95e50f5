//! What a training goes on from: folders that are whole or not there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::train::tune::adam::Adam;
use crate::train::tune::files::{self, read_into};
use crate::train::tune::net::Net;

/// Checkpoints kept, newest first.
const KEPT: usize = 2;

const STATE: &str = "state.safetensors";
const FACTS: &str = "state.json";

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps taken.
    pub step: usize,
    /// Tokens learned from so far.
    pub tokens: u64,
    /// Tells the settings that shaped the run so far.
    pub settings: String,
}

fn folders(output: &Path) -> Vec<(usize, PathBuf)> {
    let Ok(entries) = fs::read_dir(output) else {
        return Vec::new();
    };
    let mut all: Vec<(usize, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let step = name.to_str()?.strip_prefix("checkpoint-")?.parse().ok()?;
            Some((step, entry.path()))
        })
        .collect();
    all.sort();
    all
}

/// The newest checkpoint of a run.
pub fn newest(output: &Path) -> Option<PathBuf> {
    Some(folders(output).pop()?.1)
}

/// Writes one, and removes the oldest beyond those that are kept.
///
/// # Errors
/// What the file system says; what was there before is then still there.
pub fn save(
    output: &Path,
    net: &Net,
    (base, base_folder): (&str, &Path),
    adam: &Adam,
    progress: &Progress,
) -> Result<()> {
    let folder = output.join(format!("checkpoint-{}", progress.step));
    let partial = output.join(format!(".checkpoint-{}.partial", progress.step));
    let _ = fs::remove_dir_all(&partial);
    let written = write(&partial, net, (base, base_folder), adam, progress).and_then(|()| {
        discard(&folder);
        let place = || format!("cannot make {}", folder.display());
        fs::rename(&partial, &folder).with_context(place)
    });
    if let Err(error) = written {
        let _ = fs::remove_dir_all(&partial);
        let last = match newest(output) {
            Some(last) => format!("the last whole checkpoint is {}", last.display()),
            None => "there is no earlier one".to_owned(),
        };
        return Err(error.context(format!(
            "the checkpoint of step {} was not kept; {last}",
            progress.step
        )));
    }
    let all = folders(output);
    for (_, old) in &all[..all.len().saturating_sub(KEPT)] {
        discard(old);
    }
    Ok(())
}

/// Removes a checkpoint, under another name: what is half gone must not look like a whole one. One that cannot be
/// removed is in nobody's way.
fn discard(folder: &Path) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let gone = folder.with_file_name(format!(".{name}.gone"));
    let _ = fs::remove_dir_all(&gone);
    if fs::rename(folder, &gone).is_ok() {
        let _ = fs::remove_dir_all(&gone);
    }
}

/// Removes what a training that was killed has left half written or half removed; nobody else writes there now.
pub fn sweep(output: &Path) {
    for entry in fs::read_dir(output).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let half = name.ends_with(".partial") || name.ends_with(".gone");
        if name.starts_with(".checkpoint-") && half {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn write(
    folder: &Path,
    net: &Net,
    (base, base_folder): (&str, &Path),
    adam: &Adam,
    progress: &Progress,
) -> Result<()> {
    files::write_model(net, base, base_folder, folder)?;
    let named = vec![
        (
            "trained".to_owned(),
            vec![net.trained().len()],
            net.trained(),
        ),
        ("first".to_owned(), vec![adam.first.len()], &adam.first[..]),
        (
            "second".to_owned(),
            vec![adam.second.len()],
            &adam.second[..],
        ),
    ];
    let facts = HashMap::from([("optimizer_steps".to_owned(), adam.steps.to_string())]);
    let place = |name: &str| format!("cannot write {}", folder.join(name).display());
    let bytes = files::safetensors(&named, facts)?;
    crate::data::atomic::write(&folder.join(STATE), &bytes).with_context(|| place(STATE))?;
    let facts = serde_json::to_vec_pretty(&(progress, adam.steps))?;
    crate::data::atomic::write(&folder.join(FACTS), &facts).with_context(|| place(FACTS))
}

fn facts(folder: &Path) -> Result<(Progress, u64)> {
    let path = folder.join(FACTS);
    let place = || {
        let folder = folder.display();
        format!(
            "{} cannot be read: remove {folder} to go on from the one before",
            path.display()
        )
    };
    serde_json::from_slice(&fs::read(&path).with_context(place)?).with_context(place)
}

impl Progress {
    /// That a checkpoint, in this folder, is of these settings.
    ///
    /// # Errors
    /// One of others.
    pub fn check(&self, folder: &Path, settings: &str) -> Result<()> {
        if self.settings != settings {
            bail!(
                "{} was made with other settings, data or weights: take those again, or name another output",
                folder.display()
            );
        }
        Ok(())
    }
}

/// How far a checkpoint has come.
///
/// # Errors
/// One that cannot be read.
pub fn progress(folder: &Path) -> Result<Progress> {
    Ok(facts(folder)?.0)
}

/// Takes weights, moments and progress from a checkpoint.
///
/// # Errors
/// A file that is missing or damaged, a checkpoint of other settings.
pub fn load(folder: &Path, net: &mut Net, adam: &mut Adam, settings: &str) -> Result<Progress> {
    let (progress, steps) = facts(folder)?;
    progress.check(folder, settings)?;
    let mut read = Ok(());
    net.change(|trained| {
        read = read_into(
            &folder.join(STATE),
            vec![
                ("trained".into(), trained),
                ("first".into(), &mut adam.first),
                ("second".into(), &mut adam.second),
            ],
        );
    });
    read?;
    adam.steps = steps;
    Ok(progress)
}
