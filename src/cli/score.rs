//! `juror score DATA… -o OUT.jsonl`

mod input;

use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;

use super::judge::JudgeArguments;
use super::output::{EndArguments, spare, write_to};
use super::progress::{loading, scored};
use super::sampling::SamplingArguments;
use super::{DataArguments, bound};
use crate::data::atomic::is_special;
use crate::data::part::{PartFile, Rows};
use crate::data::{self, Record, Shard};
use crate::judge::{Judge, Setup};
use crate::run::ensemble::merge;
use crate::run::kept::KeptScores;
use crate::run::score::{Mode, ScoreError, ScoreRun, Scorer, Served, Signal, Summary};
use input::Input;
pub use input::Measure;

/// Score every response of a data set.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    judge: JudgeArguments,
    /// Where the rows go; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// What the judge sees
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Which numbers; without it, self_eval, cosine and fused, or self_eval alone where the judge is on a server and no
    /// embedder is named
    #[arg(long, value_enum, value_delimiter = ',')]
    signals: Vec<Signal>,
    /// A preset of `juror threshold`: rows get a verdict
    #[arg(long, value_name = "PRESET")]
    threshold: Option<PathBuf>,
    /// Texts of the policy that `vro` compares each response with
    #[arg(long, default_value_t = 10)]
    vro_samples: usize,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// What each part of a response is worth: how far the score falls without it
    #[arg(long, value_enum)]
    attribute: Option<Attribute>,
    /// Every N-th record alone, from the I-th on, for one of N runs side by side; `juror merge` puts their rows together
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Go on from what an interrupted run has written to OUT.part, with the result of a run that was never interrupted
    #[arg(long)]
    resume: bool,
    /// Compute everything: neither look scores up nor keep them
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    end: EndArguments,
}

/// Parts of a response.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Attribute {
    Sentences,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.end.check(&arguments.output)?;
    if arguments.attribute.is_some()
        && !arguments
            .signals()
            .iter()
            .any(|s| matches!(s, Signal::SelfEval | Signal::Fused))
    {
        bail!("--attribute tells what sentences are worth to self_eval: add it to --signals");
    }
    let files = data::discover(&arguments.data.data)?;
    spare(&files, [Some(&arguments.output)])?;
    let judges = arguments.judge.each();
    let piped = arguments.output == Path::new("-") || is_special(&arguments.output);
    if arguments.resume && (piped || judges.len() > 1) {
        bail!(
            "--resume goes on from a file that one judge's run has begun: name a file with -o, and one judge (scores of \
             several come from the score cache)"
        );
    }
    // What the policy writes is written to all records before the first is scored.
    let may_stream = judges.len() == 1 && !arguments.signals.contains(&Signal::Vro);
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let mut input = Input::open(&arguments.data, &files, shard, may_stream)?;
    let bar = input.bar(arguments.end.quiet, judges.len());
    let summary = match judges.as_slice() {
        [judge] => {
            // What can be wrong is found before a model is loaded, and a file before it is computed for.
            let setup = judge.setup()?;
            let run = |out: &mut dyn Write, finished| {
                score(arguments, (judge, setup), &mut input, &bar, (out, finished))
            };
            match piped {
                true => write_to(&arguments.output, |out| run(out, None))?,
                false => write_part(&arguments.output, arguments.resume, run)?,
            }
        }
        judges => ensemble(arguments, judges, &mut input, &bar)?,
    };
    bar.finish_and_clear();
    let summary = Summary {
        errors: summary.errors + input.errors(),
        ..summary
    };
    if summary.undecided > 0 {
        note!(
            "juror: {} rows have no verdict: the threshold was calibrated on rows of the other mode",
            summary.undecided
        );
    }
    let tolerance = summary.drift_tolerance.unwrap_or(f64::INFINITY);
    if let Some(drift) = summary.drift.filter(|drift| *drift > tolerance) {
        note!(
            "juror: these scores are not like those that the threshold was calibrated on (population stability \
             index {drift:.2}): it may not hold for them; label some of them and calibrate again"
        );
    }
    arguments.end.tell(&summary, sentence)
}

impl Arguments {
    fn signals(&self) -> Vec<Signal> {
        match (self.signals.is_empty(), self.judge.embeds()) {
            (false, _) => self.signals.clone(),
            (true, true) => vec![Signal::SelfEval, Signal::Cosine, Signal::Fused],
            (true, false) => vec![Signal::SelfEval],
        }
    }
}

/// Writes rows to a file that takes its name when it is whole. What is there when the run breaks off stays, unless a row is
/// at fault: then the data will change.
fn write_part(
    path: &Path,
    resume: bool,
    run: impl FnOnce(&mut dyn Write, Option<Rows>) -> Result<Summary>,
) -> Result<Summary> {
    let (mut part, finished) = PartFile::open(path, resume)?;
    match run(&mut part, Some(finished)) {
        Ok(summary) => {
            let place = || format!("cannot write {}", path.display());
            part.finish().with_context(place)?;
            Ok(summary)
        }
        Err(error) => match error.downcast_ref() {
            Some(ScoreError::Write(_) | ScoreError::Engine(_)) => {
                let place = part.path().display().to_string();
                drop(part);
                Err(error.context(format!(
                    "{place} keeps what was scored: go on with --resume"
                )))
            }
            Some(ScoreError::Resume { .. }) => {
                let place = part.path().display().to_string();
                Err(error.context(place))
            }
            _ => {
                part.discard_new();
                Err(error)
            }
        },
    }
}

/// One judge's rows.
fn score(
    arguments: &Arguments,
    (judge, setup): (&JudgeArguments, Setup),
    input: &mut Input,
    bar: &ProgressBar,
    (out, finished): (&mut dyn Write, Option<Rows>),
) -> Result<Summary> {
    let started = Instant::now();
    let (engine, cast) = judge.start(loading(bar))?;
    let judge = Judge::new(cast, setup)?;
    let load_s = started.elapsed().as_secs_f64();
    let run = ScoreRun {
        mode: arguments.mode,
        signals: distinct(&arguments.signals()),
        strict: arguments.data.strict,
        attribute: arguments.attribute.is_some(),
        shard: arguments.shard.unwrap_or(Shard::WHOLE),
        cut: arguments
            .threshold
            .as_deref()
            .map(bound::preset)
            .transpose()?,
    };
    if let (Some(preset), Some(path)) = (&run.cut, &arguments.threshold) {
        let names: Vec<&str> = run.signals.iter().map(|s| s.name()).collect();
        if let Some(cause) = preset.mismatch(&names, &judge.identity(), &judge.source()) {
            bail!("{}: {cause}", path.display());
        }
    }
    let templates = judge.templates();
    let missing = match arguments.mode {
        Mode::Reference => templates.reference.is_none(),
        Mode::Free => templates.free.is_none(),
        Mode::Auto => false,
    };
    if missing {
        bail!(
            "there is no template for this --mode: give one with --template (one with {{reference}} serves reference mode, one without serves free)"
        );
    }
    let samples = match run.signals.contains(&Signal::Vro) {
        false => Vec::new(),
        true => {
            let records: Vec<&Record> = input.held().iter().collect();
            let count = arguments.vro_samples.max(1);
            let texts = arguments
                .sampling
                .texts(count, &records, (&judge, &engine), bar)?;
            let responses = records.iter().map(|record| record.responses.len());
            bar.set_length(responses.sum::<usize>() as u64);
            texts
        }
    };
    let mut scorer = Scorer::new(&judge, &engine, &run);
    if let Some(path) = super::explore::cache().filter(|_| !arguments.no_cache) {
        scorer = scorer.with_kept(KeptScores::new(path));
    }
    if let Some(rows) = finished {
        scorer = scorer.with_finished(rows);
    }
    let scorer = scorer.with_samples(samples).on_first_failure(|what| {
        bar.suspend(|| note!("juror: {what} (the first such row; see `error` in the output)"))
    });
    let (mut records, measure) = input.records(bar);
    let summary = scored(scorer, &mut records, out, (bar, &measure))?;
    let server = summary.server.map(|server| Served {
        cost: arguments.judge.servers.cost(&server.usage),
        ..server
    });
    Ok(Summary {
        load_s,
        server,
        ..summary
    })
}

/// The rows of several judges as one, each judge loaded after the other.
fn ensemble(
    arguments: &Arguments,
    judges: &[JudgeArguments],
    input: &mut Input,
    bar: &ProgressBar,
) -> Result<Summary> {
    if judges.is_empty() {
        bail!("--judge names none");
    }
    if arguments.threshold.is_some() {
        bail!(
            "--threshold is for one judge: find one for the ensemble's rows with `juror threshold`"
        );
    }
    let mut all = Summary::default();
    let mut parts = Vec::with_capacity(judges.len());
    for judge in judges {
        let mut part =
            BufWriter::new(tempfile::tempfile().context("cannot make a temporary file")?);
        let to = (&mut part as &mut dyn Write, None);
        let one = score(arguments, (judge, judge.setup()?), input, bar, to)?;
        let mut part = part.into_inner().map_err(|e| e.into_error())?;
        part.rewind()?;
        parts.push(BufReader::new(part));
        all = Summary {
            rows: one.rows,
            truncated: all.truncated + one.truncated,
            prompt_tokens: all.prompt_tokens + one.prompt_tokens,
            fresh_tokens: all.fresh_tokens + one.fresh_tokens,
            computed_tokens: all.computed_tokens + one.computed_tokens,
            load_s: all.load_s + one.load_s,
            score_s: all.score_s + one.score_s,
            server: match (all.server, one.server) {
                (Some(a), Some(b)) => Some(a.and(b)),
                (a, b) => a.or(b),
            },
            ..all
        };
    }
    all.tokens_per_s = all.fresh_tokens as f64 / all.score_s;
    all.errors = write_to(&arguments.output, |out| Ok(merge(&mut parts, out)?))?;
    all.failed = all.errors;
    Ok(all)
}

/// Each signal once, in the order asked.
fn distinct(signals: &[Signal]) -> Vec<Signal> {
    let mut seen = std::collections::HashSet::new();
    let new = signals.iter().filter(|s| seen.insert(**s));
    new.copied().collect()
}

fn sentence(s: &Summary) -> String {
    let cut = match s.truncated {
        0 => String::new(),
        n => format!(", {n} cut to fit"),
    };
    let resumed = match s.resumed {
        0 => String::new(),
        n => format!(", {n} of them before"),
    };
    let server = s.server.map_or_else(String::new, of_servers);
    format!(
        "{} of {} responses scored{resumed}, {} errors{cut}; {} prompt tokens ({} computed) in {:.1} s, {:.0} tok/s; loading took {:.2} s{server}",
        s.rows - s.failed,
        s.rows,
        s.errors,
        s.prompt_tokens,
        s.computed_tokens,
        s.score_s,
        s.tokens_per_s,
        s.load_s
    )
}

/// What servers were asked for, and what they left open.
fn of_servers(s: Served) -> String {
    let Served {
        usage,
        cost,
        incomplete,
        missing,
    } = s;
    let about = if usage.estimated { "about " } else { "" };
    let mut text = format!(
        "\nservers: {} answers, {} repeated attempts, {about}{} tokens ({} read, {} written)",
        usage.requests,
        usage.retries,
        usage.tokens(),
        usage.prompt_tokens,
        usage.written_tokens
    );
    if cost > 0.0 {
        text.push_str(&format!(", cost {cost:.4}"));
    }
    if incomplete > 0 {
        text.push_str(&format!(
            "\n{incomplete} rows have labels that are not among the likeliest tokens; these count as 0 and hold at most \
             {missing:.2e} together"
        ));
    }
    text
}
