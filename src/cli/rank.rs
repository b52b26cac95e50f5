//! `juror rank DATA…`

mod leaderboard;
mod pairs;
mod pairs_text;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use super::bound::parse_where;
use super::output::tell;
use super::scoring::{Outcome, ScoringArguments, spooled};
use super::table::{interval, table};
use crate::data::judged;
use crate::data::scored::{self, Wanted, quality_name};
use crate::stats::ranking::{self, Rows, Standing};
use crate::stats::{kendall, spearman};
use leaderboard::{Against, Leaderboard};

/// Generators by their mean score, or from judged pairs by their Bradley–Terry ratings and win rates, and how that goes
/// with a leaderboard.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    scoring: ScoringArguments,
    /// A CSV with a row for each generator: its name in the first column
    #[arg(long, value_name = "CSV")]
    leaderboard: Option<PathBuf>,
    /// Columns of the leaderboard to correlate with
    #[arg(long = "column", value_delimiter = ',', requires = "leaderboard")]
    columns: Vec<String>,
    /// Of pairs: this label (`a`, `b`, `tie`, or a number from 0 to 1: what a won) is the verdict, not the judge's `winner`
    #[arg(long)]
    label: Option<String>,
    /// Of pairs: length-controlled win rates against this generator (`reference` for the reference), which is rated 1000
    #[arg(long, value_name = "GENERATOR")]
    baseline: Option<String>,
    /// Of pairs: rows with the same value are drawn together by the bootstrap; without it, rows of one instruction
    #[arg(long)]
    cluster: Option<String>,
    /// Rows with this value alone, as in category=coding
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = parse_where)]
    only: Vec<(String, String)>,
    /// Draws of the bootstrap; 0 for none
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// One JSON object on standard output instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Ranked {
    generator: String,
    #[serde(flatten)]
    standing: Standing,
}

#[derive(Serialize)]
struct Report {
    signal: String,
    instructions: usize,
    /// Rows without the signal or without a generator.
    left_out: usize,
    ranking: Vec<Ranked>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leaderboard: Vec<Against>,
    /// Generators that the leaderboard does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_on_leaderboard: Vec<String>,
}

/// Mean scores, by column.
struct Columns {
    score: Vec<f64>,
    generator: Vec<usize>,
    instruction: Vec<usize>,
    names: Vec<String>,
    left_out: usize,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let leaderboard = match &arguments.leaderboard {
        None => Leaderboard::default(),
        Some(path) => Leaderboard::read(path, &arguments.columns)?,
    };
    // What comes through a pipe is told by reading it.
    let is_pipe = |file: &PathBuf| file == Path::new("-");
    let spool = match arguments.scoring.data.data.iter().any(is_pipe) {
        true => Some(spooled()?),
        false => None,
    };
    let of = |file: &PathBuf| match &spool {
        Some(spool) if is_pipe(file) => spool.path().to_path_buf(),
        _ => file.clone(),
    };
    let files: Vec<PathBuf> = arguments.scoring.data.data.iter().map(of).collect();
    // Pairs against a reference have a score, too, for who asks for it.
    let by_score = |file: &PathBuf| arguments.scoring.signal.is_some() && scored::is_scored(file);
    let judged = |file: &PathBuf| file.is_file() && judged::is_judged(file) && !by_score(file);
    if arguments.label.is_some() || !files.is_empty() && files.iter().all(judged) {
        return pairs::run(arguments, &files, &leaderboard);
    }
    if let Some(file) = files.iter().find(|file| judged(file)) {
        bail!(
            "{} has judged pairs: give such files alone, or data to score",
            file.display()
        );
    }
    for (given, flag) in [
        (&arguments.baseline, "--baseline"),
        (&arguments.cluster, "--cluster"),
    ] {
        if given.is_some() {
            bail!("{flag} is for judged pairs: rows of `juror pair`, or pairs with --label NAME");
        }
    }
    let mut scoring = arguments.scoring.clone();
    scoring.data.data = files;
    let wanted = Wanted {
        only: arguments.only.clone(),
        ..Wanted::default()
    };
    let outcome = scoring.scores(&wanted, &[], &mut |_, _, _, _| Ok(()))?;
    let columns = columns(&outcome)?;
    let rows = Rows {
        score: &columns.score,
        generator: &columns.generator,
        instruction: &columns.instruction,
    };
    let ranking = ranking::standings(&rows, arguments.rounds, arguments.seed);
    let ranked: Vec<usize> = ranking.iter().map(|s| s.generator).collect();
    let mut against = Vec::new();
    for column in &leaderboard.columns {
        let known = column.of(&columns.names);
        let correlate =
            |of| ranking::with_leaderboard(&rows, &known, of, arguments.rounds, arguments.seed);
        against.push(Against {
            column: column.name.clone(),
            generators: ranked.iter().filter(|g| !known[**g].is_nan()).count(),
            spearman: correlate(spearman),
            kendall: correlate(kendall),
        });
    }
    leaderboard::some_known(&against)?;
    let distinct: std::collections::HashSet<usize> = columns.instruction.iter().copied().collect();
    let report = Report {
        signal: quality_name(&outcome.signal),
        instructions: distinct.len(),
        left_out: columns.left_out,
        ranking: ranking
            .into_iter()
            .map(|standing| Ranked {
                generator: columns.names[standing.generator].clone(),
                standing,
            })
            .collect(),
        leaderboard: against,
        not_on_leaderboard: leaderboard.without(&columns.names),
    };
    tell(&report, arguments.json, text)
}

fn columns(outcome: &Outcome) -> Result<Columns> {
    let rows = &outcome.rows;
    let all = rows.quality(&outcome.signal).map_err(anyhow::Error::msg)?;
    let clusters = rows.clusters(None).map_err(anyhow::Error::msg)?;
    let mut found = Columns {
        score: Vec::new(),
        generator: Vec::new(),
        instruction: Vec::new(),
        names: rows.generator.values.clone(),
        left_out: 0,
    };
    for (row, score) in all.iter().enumerate() {
        match rows.generator.rows[row] {
            Some(generator) if !score.is_nan() => {
                found.score.push(*score);
                found.generator.push(generator as usize);
                found.instruction.push(clusters[row]);
            }
            _ => found.left_out += 1,
        }
    }
    if found.score.is_empty() {
        bail!(
            "no row has both a generator and the signal `{}`: nothing to rank",
            outcome.signal
        );
    }
    Ok(found)
}

fn text(report: &Report) -> String {
    let mut out = format!(
        "mean {} over {} instructions; generators that cannot be told apart share a rank\n\n",
        report.signal, report.instructions
    );
    let head = ["generator", "rank", "rows", "mean"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for ranked in &report.ranking {
        lines.push(vec![
            ranked.generator.clone(),
            ranked.standing.rank.to_string(),
            ranked.standing.rows.to_string(),
            interval(Some(ranked.standing.mean)),
        ]);
    }
    out += &table(&lines);
    if report.left_out > 0 {
        out += &format!(
            "\n{} rows have no generator or no score and are left out\n",
            report.left_out
        );
    }
    out += &leaderboard::text(
        "leaderboard",
        &report.leaderboard,
        &report.not_on_leaderboard,
    );
    out
}
