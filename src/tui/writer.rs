//! Writing the files that are asked for, beside the drawing thread.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::effect::{ScoredRow, Write};
use super::state::Purpose;
use super::tables;
use crate::data::atomic::AtomicFile;
use crate::data::{Library, Verdict, atomic};
use crate::run::row;
use crate::store::{Run, Store, StoreError};

/// Writes a file; what to say of it.
///
/// # Errors
/// A sentence with the file and the cause.
pub fn write(write: Write, store: Option<&Path>) -> Result<String, String> {
    match write {
        Write::Preset { path, preset } => {
            let text = toml::to_string_pretty(&preset).map_err(|e| e.to_string())?;
            save(&path, text.as_bytes())?;
            Ok(format!("The cut is saved in {}.", path.display()))
        }
        Write::Template { path, text } => {
            save(&path, text.as_bytes())?;
            Ok(format!(
                "The template is in {}; --template takes it.",
                path.display()
            ))
        }
        Write::Scores {
            run,
            library,
            rows,
            threshold,
        } => scores(*run, &library, &rows, threshold, store),
        Write::Export {
            path,
            what,
            library,
            records,
            label,
        } => {
            let listed = records.as_ref().map(|records| records.as_slice());
            tables::export(
                &path,
                what,
                &library,
                listed,
                label.as_deref(),
                opened(store),
            )
        }
        Write::Report {
            path,
            library,
            rows,
            facts,
        } => tables::report(&path, &library, &rows, &facts),
    }
}

/// The file that a person named, where there is one of that name already.
pub fn in_the_way(write: &Write) -> Option<(Purpose, PathBuf)> {
    let (purpose, path) = write.named()?;
    path.exists().then(|| (purpose, path.to_path_buf()))
}

/// The database at a path, or in Juror's folder.
pub fn opened(path: Option<&Path>) -> Result<Store, StoreError> {
    path.map_or_else(Store::open, Store::at)
}

/// Writes a whole file at once.
///
/// # Errors
/// The file and the cause.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), String> {
    atomic::write(path, bytes).map_err(|cause| format!("{}: {cause}", path.display()))
}

/// The rows of a run as `juror score` has them, beside the database, and the run with its file.
fn scores(
    mut run: Run,
    library: &Library,
    rows: &[ScoredRow],
    threshold: f64,
    store: Option<&Path>,
) -> Result<String, String> {
    let mut opened = opened(store).map_err(|error| error.to_string())?;
    let folder = opened.folder().join("runs");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let path: PathBuf = folder.join(format!("{}.jsonl", run.started));
    let failed = |cause: std::io::Error| format!("{}: {cause}", path.display());
    let mut file = AtomicFile::create(&path).map_err(failed)?;
    for scored in rows {
        if let Some(line) = line(&run, library, scored, threshold) {
            serde_json::to_writer(&mut file, &line).map_err(|e| failed(e.into()))?;
            file.write_all(b"\n").map_err(failed)?;
        }
    }
    file.finish().map_err(failed)?;
    run.output = Some(path.display().to_string());
    let id = opened.keep_run(&run).map_err(|error| error.to_string())?;
    let failures = match run.errors {
        0 => String::new(),
        errors => format!(", {errors} failed"),
    };
    Ok(format!(
        "Run {}: {} scored{failures}; c on F6 compares it.",
        id, run.done
    ))
}

/// One line, in the spirit of `juror score`.
fn line(run: &Run, library: &Library, scored: &ScoredRow, threshold: f64) -> Option<Value> {
    let item = library.get(scored.row.0)?;
    let response = item.responses.get(scored.row.1)?;
    let card = scored.score.as_ref().ok();
    let own = card.and_then(|c| c.self_eval_ref.as_ref());
    let free = card.and_then(|c| c.self_eval_free.as_ref());
    let shown = own.or(free);
    let mut line = json!({
        "id": item.id,
        "response_id": response.id,
        "instruction_hash": item.instruction_hash(),
        "generator": response.generator,
        "mode": if own.is_some() { "reference" } else { "reference-free" },
        "signals": {
            "self_eval": shown.map(|d| d.mean()),
            "self_eval_ref": own.map(|d| d.mean()),
            "self_eval_free": free.map(|d| d.mean()),
            "cosine": card.and_then(|c| c.cosine),
            "fused": card.and_then(|c| c.fused),
        },
        "self_eval": shown.map(row::Distribution::from),
        "judge": {"name": run.judge, "hash": run.identity.split('+').next()},
        "template": {"name": run.template, "hash": run.identity.split('+').nth(1)},
        "prompt_tokens": card.map_or(0, |c| c.prompt_tokens),
        "labels": response.labels,
        "meta": row::meta(&item, response),
        "error": scored.score.as_ref().err(),
    });
    // Without a number that decides there is no verdict.
    if let Some(value) = scored.decision {
        line["verdict"] = Verdict::of(value, threshold).word().into();
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RunState;
    use crate::tui::tests::fixture::{card, records};

    #[test]
    fn a_line_has_the_verdict_of_the_cut() {
        let (library, _) = Library::of(records());
        let run = Run {
            id: 0,
            started: 0,
            ended: None,
            title: String::new(),
            judge: "starter".into(),
            template: "standard".into(),
            identity: "a+b".into(),
            mode: "auto".into(),
            output: None,
            done: 0,
            total: 0,
            errors: 0,
            state: RunState::Done,
            version: String::new(),
        };
        let verdict = |decision: Option<f64>| {
            let scored = ScoredRow {
                row: (0, 0),
                score: Ok(card(5.0, 5.0, None)),
                decision,
            };
            let line = line(&run, &library, &scored, 0.5).unwrap();
            line.get("verdict").cloned()
        };
        assert_eq!(verdict(Some(0.5)), Some("ANSWER".into()));
        assert_eq!(verdict(Some(0.49)), Some("DECLINE".into()));
        assert_eq!(verdict(None), None);
    }

    #[test]
    fn a_file_that_a_person_named_is_in_the_way_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.toml");
        let (library, _) = Library::of(records());
        let write = Write::Export {
            path: path.clone(),
            what: crate::tui::state::Exported::Records,
            library,
            records: None,
            label: None,
        };
        assert_eq!(in_the_way(&write), None);
        std::fs::write(&path, "").unwrap();
        assert_eq!(in_the_way(&write).unwrap().1, path);
    }
}
