//! Scores for commands that go on from them: read from rows that `juror score` wrote, or made on the spot.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::ProgressBar;

use super::DataArguments;
use super::judge::JudgeArguments;
use super::output::spare;
use super::progress::{bar, loading, scored};
use super::score::Measure;
use crate::data::atomic::AtomicFile;
use crate::data::scored::{self, Collector, Scored, Wanted};
use crate::data::{self, DataSet, Shard};
use crate::engine::Engine;
use crate::judge::Judge;
use crate::run::score::{Mode, ScoreRun, Scorer, Signal, held};

/// What is scored, by whom, and which of the signals counts.
#[derive(Args, Clone)]
pub struct ScoringArguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub judge: JudgeArguments,
    /// What the judge sees
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// The signal that counts; without it, `fused` if every row has it, else `self_eval`
    #[arg(long)]
    pub signal: Option<String>,
    /// Where to keep the scored rows
    #[arg(long, value_name = "OUT.jsonl")]
    pub scored: Option<PathBuf>,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

/// Scored rows, the records they come from where these were read, and the signal that counts.
pub struct Outcome {
    pub rows: Scored,
    pub set: Option<DataSet>,
    pub signal: String,
}

/// What else happens between reading and scoring, with the judge loaded.
pub type Prepare<'a> = &'a mut dyn FnMut(&mut DataSet, &Judge, &Engine, &ProgressBar) -> Result<()>;

impl ScoringArguments {
    /// Scores by column: of a file of scored rows as they are, of other data by the judge, after `prepare`.
    ///
    /// # Errors
    /// Data that cannot be read, a judge that cannot be loaded, a signal that is not there.
    pub fn scores(
        &self,
        wanted: &Wanted,
        outputs: &[&Option<PathBuf>],
        prepare: Prepare<'_>,
    ) -> Result<Outcome> {
        if self.judge.each().len() != 1 {
            bail!("--judge: one judge here; `juror score --judge A,B` makes rows of several");
        }
        // Whether rows of a pipe are scored can be told only by reading them.
        let spool = match self.data.data.iter().any(|file| file == Path::new("-")) {
            true => Some(spooled()?),
            false => None,
        };
        let of = |file: &PathBuf| match &spool {
            Some(spool) if file == Path::new("-") => spool.path().to_path_buf(),
            _ => file.clone(),
        };
        let given: Vec<PathBuf> = self.data.data.iter().map(of).collect();
        let outputs = outputs.iter().map(|output| output.as_ref());
        let outputs: Vec<_> = outputs.chain([self.scored.as_ref()]).collect();
        let (rows, set) = match given.as_slice() {
            [file] if scored::is_scored(file) => {
                spare(&given, outputs)?;
                let (rows, errors) = scored::read(file, wanted)?;
                super::tell(&errors);
                if let Some(first) = errors.first().filter(|_| self.data.strict) {
                    bail!("{first}");
                }
                (rows, None)
            }
            files => {
                if let Some(file) = files.iter().find(|file| scored::is_scored(file)) {
                    bail!(
                        "{} has scored rows: give one such file, or data to score",
                        file.display()
                    );
                }
                let files = data::discover(files)?;
                spare(&files, outputs)?;
                let mut set = data::read(&files, &self.data.options()?)?;
                super::tell(&set.errors);
                let rows = self.score(&mut set, wanted, prepare)?;
                if rows.is_empty() {
                    bail!("the records have no responses: there is nothing to score");
                }
                (rows, Some(set))
            }
        };
        let signal = match &self.signal {
            Some(name) => name.clone(),
            None => rows.default_signal().to_owned(),
        };
        rows.signal(&signal).map_err(anyhow::Error::msg)?;
        Ok(Outcome { rows, set, signal })
    }

    fn score(&self, set: &mut DataSet, wanted: &Wanted, prepare: Prepare<'_>) -> Result<Scored> {
        let bar = bar(self.quiet, set.response_count());
        let run = ScoreRun {
            mode: self.mode,
            signals: self.signals()?,
            strict: self.data.strict,
            cut: None,
            attribute: false,
            shard: Shard::WHOLE,
        };
        let setup = self.judge.setup()?;
        let place = |path: &Path| format!("cannot write {}", path.display());
        let mut file = match &self.scored {
            None => None,
            Some(path) => Some(AtomicFile::create(path).with_context(|| place(path))?),
        };
        let (engine, cast) = self.judge.start(loading(&bar))?;
        let judge = Judge::new(cast, setup)?;
        prepare(set, &judge, &engine, &bar)?;
        bar.set_length(set.response_count() as u64);
        let out = file.as_mut().map(|file| file as &mut dyn Write);
        let mut collector = Collector::new(wanted.clone(), out);
        let scorer = Scorer::new(&judge, &engine, &run)
            .on_first_failure(|what| bar.suspend(|| note!("juror: {what} (the first such row)")));
        let shown = (&bar, &Measure::Rows);
        scored(scorer, &mut held(&set.records), &mut collector, shown)?;
        bar.finish_and_clear();
        let rows = collector.finish();
        if let (Some(file), Some(path)) = (file, &self.scored) {
            file.finish().with_context(|| place(path))?;
        }
        Ok(rows)
    }

    /// The signal that counts with what it is made of.
    fn signals(&self) -> Result<Vec<Signal>> {
        let usual = match self.judge.embeds() {
            true => &[Signal::SelfEval, Signal::Cosine, Signal::Fused][..],
            false => &[Signal::SelfEval],
        };
        let Some(name) = &self.signal else {
            return Ok(usual.to_vec());
        };
        if name.starts_with("self_eval.") {
            // One criterion of a template comes with all of them.
            return Ok(usual.to_vec());
        }
        let known = <Signal as clap::ValueEnum>::from_str(name, false);
        match known {
            Ok(signal) if usual.contains(&signal) => Ok(usual.to_vec()),
            Ok(Signal::Vro) => bail!("--signal vro: score the data with --signals vro first"),
            Ok(signal) => Ok(vec![signal]),
            Err(_) => bail!("--signal {name}: `juror score --help` lists the signals"),
        }
    }
}

/// Standard input in a temporary file, which can be read twice.
///
/// # Errors
/// What the file system says.
pub fn spooled() -> Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    io::copy(&mut io::stdin().lock(), &mut file)
        .context("cannot keep standard input in a temporary file")?;
    Ok(file)
}
