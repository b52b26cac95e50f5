//! Collecting instructions out of many sources: what is too short, too long, of low quality, in another language, part
//! of a test set, or there already, is left out, and everything that is left out says why.
//!
//! Rows stream through: each is judged by itself on all cores, and what is needed to compare it with others goes to disk
//! ([`spill`], [`near::bands`]). In memory are about 100 bytes a row, whatever its length.

pub mod category;
pub mod chart;
pub mod contamination;
pub mod error;
pub mod explain;
pub mod filter;
mod hash;
mod ids;
pub mod language;
pub mod near;
pub mod output;
mod reading;
pub mod reason;
pub mod report;
mod row;
pub mod source;
pub mod spill;
pub mod words;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

use rayon::prelude::*;
use serde_json::{Value, json};

use self::contamination::TestSets;
use self::error::CollectError;
use self::filter::Limits;
use self::hash::Hashed;
use self::ids::Ids;
use self::near::bands::BandFiles;
use self::near::sketch::Sketch;
use self::output::{Beside, DroppedRow, Kept, Spilled, Waiting};
use self::reading::{Batch, Reader};
use self::reason::{Drop, Reason};
use self::report::{Counts, Report};
use self::row::{Fresh, Judged, Rules, judge};
use self::source::{Source, Sources};
use self::spill::{Entry, Stream, TextWriter};
use crate::data::atomic::{self, AtomicFile};
use crate::data::export::Format;
use crate::data::{DataError, RowError};

/// What to collect, and how.
pub struct Plan {
    pub sources: Sources,
    pub tests: TestSets,
    pub limits: Limits,
    pub near: near::Rule,
    /// Rows are duplicates only where their responses are, too.
    pub with_responses: bool,
    /// Stop at the first row that cannot be read.
    pub strict: bool,
    /// Where kept rows go; `-` is standard output, which has no files beside it.
    pub output: PathBuf,
    /// Where files are kept meanwhile; without it, beside the output.
    pub temporary: Option<PathBuf>,
}

/// Told of how far a run is: what it does, and how much of how much is done (0 where nobody knows).
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, u64);

/// Runs a plan; the report, and the first rows that could not be read.
///
/// # Errors
/// Sources that cannot be read, a disk that is full, an output that cannot be written, and a collection of nothing.
pub fn collect(
    plan: &Plan,
    progress: Progress<'_>,
) -> Result<(Report, Vec<RowError>), CollectError> {
    Format::of(&plan.output)?;
    let to_stdout = plan.output == Path::new("-");
    let beside = (!to_stdout).then(|| Beside::of(&plan.output));
    // Found out before hours of work rather than after.
    let mut dropped = None;
    if let Some(beside) = &beside {
        AtomicFile::create(&plan.output).map_err(CollectError::write(&plan.output))?;
        let failed = CollectError::write(&beside.dropped);
        dropped = Some(AtomicFile::create(&beside.dropped).map_err(failed)?);
    }
    let folder = match (&plan.temporary, to_stdout) {
        (Some(folder), _) => folder.clone(),
        (None, true) => std::env::temp_dir(),
        (None, false) => match plan.output.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        },
    };
    let spill = CollectError::spill(&folder);

    let mut pass = Pass::new(plan, &folder).map_err(&spill)?;
    pass.run(plan, &spill, progress)?;
    let Pass {
        rows,
        waiting,
        texts,
        bands,
        sketch,
        mut report,
        errors,
        ..
    } = pass;
    let rows = rows.finish().map_err(&spill)?;
    let waiting = waiting.finish().map_err(&spill)?;
    let texts = texts.finish().map_err(&spill)?;
    let found = near::find(bands, &texts, (plan.near, &sketch), progress).map_err(&spill)?;
    report.compared_pairs = found.compared;
    report.crowded = found.crowded;

    progress("writing", 0, 0);
    let spilled = Spilled {
        rows: &rows,
        dropped: &waiting,
        texts: &texts,
        twins: &found.twins,
    };
    let names: Vec<String> = plan
        .sources
        .list
        .iter()
        .map(|source| source.name.clone())
        .collect();
    let into = dropped.as_mut();
    spilled
        .write_dropped(into, (&mut report, &names))
        .map_err(&spill)?;
    report.finish();
    if report.total.read > 0
        && report.total.dropped.of(Reason::Unreadable) == report.total.read
        && let Some(first) = errors.first()
    {
        return Err(CollectError::Data(DataError::NothingRead {
            first: Box::new(first.clone()),
            errors: report.total.read as usize,
        }));
    }
    if let (Some(beside), Some(file)) = (&beside, dropped) {
        file.finish()
            .map_err(CollectError::write(&beside.dropped))?;
        if report.total.kept == 0 {
            return Err(nothing(&report, beside));
        }
        let stats = serde_json::to_string_pretty(&report).map_err(io::Error::from);
        let written =
            stats.and_then(|text| atomic::write(&beside.stats, format!("{text}\n").as_bytes()));
        written.map_err(CollectError::write(&beside.stats))?;
    }
    // Last, so that an output is there only with all that belongs to it.
    spilled.write_rows(&plan.output)?;
    Ok((report, errors))
}

fn nothing(report: &Report, beside: &Beside) -> CollectError {
    let most = report.total.dropped.found().max_by_key(|(_, count)| *count);
    let (reason, most) = most.unwrap_or((Reason::Unreadable, 0));
    CollectError::NothingKept {
        rows: report.total.read,
        most,
        reason: reason.name(),
        dropped: beside.dropped.clone(),
    }
}

/// The first row of each text: twelve bytes of a digest, which no two of billions of texts share by chance.
type Known = HashMap<[u32; 3], u32, Hashed>;

/// Batches of judged rows that wait.
const AHEAD: usize = 1;

/// Rows told of in messages.
const TOLD: usize = 100;

/// Judged rows of one source.
type JudgedRows<'a> = Result<(usize, &'a str, Vec<Judged>), DataError>;

/// Judges the rows of all sources on all cores, as long as somebody listens.
fn judge_all<'a>(sources: &'a [Source], rules: &Rules<'_>, send: &SyncSender<JudgedRows<'a>>) {
    let reader = Reader::start(sources);
    for batch in reader.batches() {
        let judged = batch.map(|Batch { source, file, rows }| {
            let from = sources.get(source)?;
            let judged = rows
                .into_par_iter()
                .map(|row| judge(from, file, row, rules));
            Some((source, from.name.as_str(), judged.collect()))
        });
        let Some(judged) = judged.transpose() else {
            continue;
        };
        if send.send(judged).is_err() {
            return;
        }
    }
}

/// The pass over all rows, and what it leaves.
struct Pass {
    rows: Stream,
    waiting: Stream,
    texts: TextWriter,
    bands: BandFiles,
    sketch: Sketch,
    known: Known,
    ids: Ids,
    report: Report,
    errors: Vec<RowError>,
    /// Rows of each source so far.
    seen: Vec<u64>,
}

impl Pass {
    fn new(plan: &Plan, folder: &Path) -> io::Result<Self> {
        let sources = &plan.sources.list;
        let counts = sources
            .iter()
            .map(|source| Counts::new(&source.name, source.files.len()));
        let mut report = Report {
            sources: counts.collect(),
            tests: plan.tests.len(),
            ..Report::default()
        };
        for settings in [
            serde_json::to_value(&plan.limits)?,
            serde_json::to_value(plan.near)?,
            json!({"with_responses": plan.with_responses}),
        ] {
            if let Value::Object(settings) = settings {
                report.settings.extend(settings);
            }
        }
        Ok(Pass {
            rows: Stream::create(folder)?,
            waiting: Stream::create(folder)?,
            texts: TextWriter::create(folder)?,
            bands: BandFiles::create(folder)?,
            sketch: Sketch::default(),
            known: Known::default(),
            ids: Ids::default(),
            report,
            errors: Vec::new(),
            seen: vec![0; sources.len()],
        })
    }

    fn run(
        &mut self,
        plan: &Plan,
        spill: &impl Fn(io::Error) -> CollectError,
        progress: Progress<'_>,
    ) -> Result<(), CollectError> {
        let rules = Rules {
            limits: &plan.limits,
            near: plan.near,
            tests: &plan.tests,
            with_responses: plan.with_responses,
        };
        let sources = &plan.sources.list;
        std::thread::scope(|scope| {
            let (send, batches) = sync_channel(AHEAD);
            // The next rows are judged while these are written down.
            scope.spawn(move || judge_all(sources, &rules, &send));
            let mut done = 0;
            for batch in batches {
                let (source, name, judged): (usize, &str, Vec<Judged>) = batch?;
                for judged in judged {
                    if plan.strict
                        && let Some(error) = judged.error
                    {
                        return Err(error.into());
                    }
                    done += 1;
                    self.take(source, name, judged).map_err(spill)?;
                }
                progress("reading", done, 0);
            }
            Ok(())
        })
    }

    fn take(&mut self, source: usize, name: &str, judged: Judged) -> io::Result<()> {
        let Judged {
            id: own,
            place,
            start,
            outcome,
            error,
        } = judged;
        if self.errors.len() < TOLD {
            self.errors.extend(error);
        }
        let mut number = 0;
        if let Some(seen) = self.seen.get_mut(source) {
            *seen += 1;
            number = *seen;
        }
        if let Some(counts) = self.report.sources.get_mut(source) {
            counts.read += 1;
        }
        let id = match &own {
            Some(own) => self.ids.take(name, own),
            None => self.ids.take(name, &format!("{name}-{number}")),
        };
        let (drop, of) = match outcome {
            Err(drop) => (drop, None),
            Ok(fresh) => match self.known.get(&fresh.digest) {
                None => return self.keep(source, (id, own, place), &fresh),
                Some(first) => (Drop::new(Reason::ExactDuplicate, ""), Some(*first)),
            },
        };
        if let Some(counts) = self.report.sources.get_mut(source) {
            counts.dropped.add(drop.reason);
        }
        let waiting = Waiting {
            row: DroppedRow {
                id,
                source: name.to_owned(),
                place,
                reason: drop.reason,
                detail: drop.detail,
                twin: None,
                jaccard: None,
                start,
            },
            of,
        };
        let before = self.known.len() as u32;
        self.waiting.push(before, &serde_json::to_string(&waiting)?)
    }

    fn keep(
        &mut self,
        source: usize,
        (id, own, place): (String, Option<String>, String),
        fresh: &Fresh,
    ) -> io::Result<()> {
        let mut line = format!("{{\"id\":{},", Value::from(id.as_str()));
        if let Some(own) = own.filter(|own| *own != id) {
            line += &format!("\"meta.id\":{},", Value::from(own));
        }
        line += &fresh.rest;
        let kept = Kept {
            source,
            category: fresh.category,
        };
        self.rows.push(kept.pack(), &line)?;
        let row = self.texts.push(&Entry {
            id,
            place,
            text: fresh.text.clone(),
        })?;
        self.bands.push(row, &fresh.keys)?;
        for word in &fresh.words {
            self.sketch.add(*word);
        }
        self.known.insert(fresh.digest, row);
        self.report.category_told_by.add(fresh.told);
        Ok(())
    }
}
