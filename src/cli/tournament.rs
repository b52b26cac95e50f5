//! `juror tournament DATA -o OUT.jsonl`

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use super::DataArguments;
use super::output::{EndArguments, spare, write_to};
use super::pairing::PairingArguments;
use super::progress::{bar, loading};
use super::table::table;
use crate::data::write::write_jsonl;
use crate::data::{self, Record};
use crate::engine::Engine;
use crate::judge::pairwise::PairJudge;
use crate::run::tournament::{Runner, Summary, TournamentRun};
use crate::stats::best_of::sizes;

/// Said below the options.
const LONG: &str = "\
Each round the responses that are left are shuffled, neighbours meet, winners go on; with an odd count the first gets a bye
and heads the next round: N responses take N − 1 judgments. A judgment is that of `juror pair`: both orders, all
principles; of equals the earlier one goes on. The same seed gives the same tournament, whatever else is in the data. One
response wins without a judgment; identical responses tie; an empty response is judged like any other; a record without a
response gets a row with `error` set, and so does one with a prompt that does not fit the judge even with its responses
cut; a row without an instruction is told of and passed over.";

/// The best of several responses, by a tournament of pairs.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    pairing: PairingArguments,
    /// Where the rows go; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// The first so many responses of each record take part; without it, all
    #[arg(long)]
    n: Option<usize>,
    /// Run it for the first 1, 2, 4, … responses as well, and show length, repetition and label of the winners against N
    #[arg(long)]
    curve: bool,
    /// Where to keep the records with the winning responses alone
    #[arg(long, value_name = "OUT.jsonl")]
    winners: Option<PathBuf>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    end: EndArguments,
}

/// Figures of the whole, and of smaller N where they are asked for.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    all: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    curve: Vec<Point>,
}

/// What is picked out of the first `n` responses is like this, on average over instructions.
#[derive(Serialize)]
struct Point {
    n: usize,
    #[serde(flatten)]
    summary: Summary,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.end.check(&arguments.output)?;
    if arguments.n == Some(0) {
        bail!("--n 0: there is nothing to pick from");
    }
    let setup = arguments.pairing.setup(0.0)?;
    let files = data::discover(&arguments.data.data)?;
    spare(
        &files,
        [Some(&arguments.output), arguments.winners.as_ref()],
    )?;
    let set = data::read(&files, &arguments.data.options()?)?;
    super::tell(&set.errors);
    let most = set.records.iter().map(|r| r.responses.len()).max();
    let most = most.unwrap_or(0).min(arguments.n.unwrap_or(usize::MAX));
    let smaller: Vec<usize> = match arguments.curve {
        true => sizes(most).into_iter().filter(|n| *n < most).collect(),
        false => Vec::new(),
    };
    let judgments = |n: usize| -> usize {
        let records = set.records.iter();
        records
            .map(|r| r.responses.len().min(n).saturating_sub(1))
            .sum()
    };
    let total = smaller.iter().chain([&most]).map(|n| judgments(*n)).sum();
    let bar = bar(arguments.end.quiet, total);
    let (report, winners) = write_to(&arguments.output, |out| {
        let started = Instant::now();
        let (engine, cast) = arguments.pairing.judge.start(loading(&bar))?;
        let judge = PairJudge::new(cast, setup)?;
        let load_s = started.elapsed().as_secs_f64();
        let place = (&judge, &engine, &bar);
        let mut curve = Vec::new();
        for n in &smaller {
            let (summary, _) = play(arguments, Some(*n), place, &set.records, &mut io::sink())?;
            curve.push(Point { n: *n, summary });
        }
        let (all, winners) = play(arguments, arguments.n, place, &set.records, out)?;
        if arguments.curve {
            let summary = all.clone();
            curve.push(Point { n: most, summary });
        }
        let all = Summary {
            load_s,
            errors: all.errors + set.errors.len(),
            ..all
        };
        Ok((Report { all, curve }, winners))
    })?;
    bar.finish_and_clear();
    if let Some(path) = &arguments.winners {
        let records = with_winners(&set.records, &winners);
        write_to(path, |out| Ok(write_jsonl(&records, out)?))?;
    }
    arguments.end.tell(&report, text)
}

/// One tournament for each record.
fn play(
    arguments: &Arguments,
    n: Option<usize>,
    (judge, engine, bar): (&PairJudge, &Engine, &ProgressBar),
    records: &[Record],
    out: &mut dyn Write,
) -> Result<(Summary, Vec<Option<usize>>)> {
    let run = TournamentRun {
        seed: arguments.seed,
        n,
        strict: arguments.data.strict,
    };
    let runner = Runner::new(judge, engine, run).on_first_failure(|what| {
        bar.suspend(|| note!("juror: {what} (the first such row; see `error` in the output)"));
    });
    let before = bar.position();
    Ok(runner.run(records, out, &mut |judgments, _| {
        bar.set_position(before + judgments as u64);
    })?)
}

/// The records that have a winner, with it alone.
fn with_winners(records: &[Record], winners: &[Option<usize>]) -> Vec<Record> {
    let pairs = records.iter().zip(winners);
    let only = |(record, at): (&Record, &Option<usize>)| {
        let response = record.responses.get((*at)?)?.clone();
        Some(Record {
            responses: vec![response],
            ..record.clone()
        })
    };
    pairs.filter_map(only).collect()
}

fn text(report: &Report) -> String {
    let s = &report.all;
    let cut = match s.truncated {
        0 => String::new(),
        n => format!(", {n} matches cut to fit"),
    };
    let mut out = format!(
        "{} of {} records have a winner, {} errors{cut}; {} judgments for {} responses (both orders, {} principles), {} ties; \
         {:.1} % flip with the order; {} prompt tokens ({} computed) in {:.1} s, {:.0} tok/s; loading took {:.2} s\n",
        s.rows - s.failed,
        s.rows,
        s.errors,
        s.judgments,
        s.responses,
        s.principles,
        s.ties,
        100.0 * s.position_bias.flips,
        s.prompt_tokens,
        s.computed_tokens,
        s.judge_s,
        s.tokens_per_s,
        s.load_s
    );
    if report.curve.is_empty() {
        return out;
    }
    let labels: Vec<&String> = s.labels.keys().collect();
    let mut head = ["N", "judgments", "characters", "repeated 4-grams"]
        .map(str::to_owned)
        .to_vec();
    head.extend(labels.iter().map(|name| (*name).clone()));
    let mut lines = vec![head];
    let number = |x: Option<f64>, digits: usize| match x {
        Some(x) => format!("{x:.digits$}"),
        None => "–".to_owned(),
    };
    for point in &report.curve {
        let summary = &point.summary;
        let mut line = vec![point.n.to_string(), summary.judgments.to_string()];
        line.push(number(summary.length, 0));
        line.push(number(summary.repetition, 3));
        let label = |name: &&String| number(summary.labels.get(*name).copied(), 3);
        line.extend(labels.iter().map(label));
        lines.push(line);
    }
    out += "\nwinners of the first N responses, on average over instructions\n\n";
    out += &table(&lines);
    out
}
