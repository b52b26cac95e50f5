//! `juror model list`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use indicatif::BinaryBytes;
use serde::Serialize;

use super::short;
use crate::model::hub::{Cached, Settings, cached};
use crate::model::spec;
use crate::model::summary::Summary;

/// How to list.
#[derive(Args)]
pub struct Arguments {
    /// An array of objects on standard output
    #[arg(long)]
    json: bool,
}

/// A model that can be named.
#[derive(Serialize)]
struct Entry {
    /// As `--judge` takes it.
    name: String,
    /// `model`, `gguf`, `adapter`, or `incomplete`.
    kind: &'static str,
    architecture: Option<String>,
    parameters: Option<u64>,
    bytes: u64,
    path: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut entries = Vec::new();
    if let Ok(share) = spec::share() {
        let folder = share.join("sample_data").join("starter");
        entries.push(entry("starter".into(), "model", folder));
    }
    let cache = Settings::from_env().cache;
    for repository in cached(&cache) {
        of_repository(&repository, &mut entries);
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&entries)?)?;
        return Ok(());
    }
    let width = entries
        .iter()
        .map(|e| e.name.chars().count())
        .max()
        .unwrap_or(0);
    for e in &entries {
        let kind = match (&e.architecture, e.kind) {
            (Some(architecture), "model") => architecture.clone(),
            (Some(architecture), kind) => format!("{architecture} ({kind})"),
            (None, kind) => kind.to_owned(),
        };
        let parameters = e.parameters.map(short).unwrap_or_default();
        let size = BinaryBytes(e.bytes).to_string();
        writeln!(
            out,
            "{:width$}  {kind:16} {parameters:>7} {size:>11}",
            e.name
        )?;
    }
    writeln!(out, "hub cache: {}", cache.display())?;
    Ok(())
}

/// Names of the models in the hub's cache, without a look into them.
pub fn fetched() -> Vec<String> {
    let cache = Settings::from_env().cache;
    let mut names = Vec::new();
    for repository in cached(&cache) {
        for (revision, snapshot) in &repository.revisions {
            let name = name(&repository.repo, revision);
            if snapshot.join("config.json").is_file() {
                names.push(name.clone());
            }
            let files = files(snapshot).into_iter();
            let ggufs = files.filter(|path| path.extension().is_some_and(|e| e == "gguf"));
            names.extend(ggufs.filter_map(|path| {
                let file = path.file_name()?.to_string_lossy().into_owned();
                Some(format!("{name}:{file}"))
            }));
        }
    }
    names
}

fn name(repository: &str, revision: &str) -> String {
    match revision {
        "main" => format!("hf:{repository}"),
        other => format!("hf:{repository}@{other}"),
    }
}

fn entry(name: String, kind: &'static str, path: PathBuf) -> Entry {
    // What cannot be read is listed all the same; `model show` says what is wrong.
    let summary = match kind {
        "model" | "gguf" => Summary::read(&path).ok(),
        _ => None,
    };
    Entry {
        name,
        kind: match (kind, &summary) {
            ("model" | "gguf", None) => "incomplete",
            (kind, _) => kind,
        },
        bytes: summary.as_ref().map_or_else(|| sizes(&path), |s| s.bytes),
        parameters: summary.as_ref().and_then(|s| s.parameters),
        architecture: summary.and_then(|s| s.architecture),
        path: std::path::absolute(&path).unwrap_or(path),
    }
}

fn of_repository(repository: &Cached, entries: &mut Vec<Entry>) {
    for (revision, snapshot) in &repository.revisions {
        let name = name(&repository.repo, revision);
        let before = entries.len();
        if snapshot.join("config.json").is_file() {
            entries.push(entry(name.clone(), "model", snapshot.clone()));
        }
        if snapshot.join("adapter_config.json").is_file() {
            entries.push(entry(name.clone(), "adapter", snapshot.clone()));
        }
        for path in files(snapshot) {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            if file.ends_with(".gguf") {
                entries.push(entry(format!("{name}:{file}"), "gguf", path.clone()));
            }
        }
        if entries.len() == before {
            entries.push(entry(name, "incomplete", snapshot.clone()));
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = found.map(|e| e.path()).collect();
    paths.sort();
    paths
}

/// Of a file or a snapshot's files, through their links.
fn sizes(path: &Path) -> u64 {
    let of = |p: &Path| std::fs::metadata(p).map_or(0, |m| m.len());
    match path.is_dir() {
        true => files(path)
            .iter()
            .filter(|p| p.is_file())
            .map(|p| of(p))
            .sum(),
        false => of(path),
    }
}
