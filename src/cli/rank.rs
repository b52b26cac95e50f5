//! `juror rank DATA…`

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use super::output::tell;
use super::scoring::{Outcome, ScoringArguments};
use super::table::{interval, table};
use crate::data::scored::{Wanted, quality_name};
use crate::stats::ranking::{self, Rows, Standing};
use crate::stats::{Interval, kendall, spearman};

/// Generators by their mean score, and how that goes with a leaderboard.
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

/// How mean scores go with one column of the leaderboard.
#[derive(Serialize)]
struct Against {
    column: String,
    generators: usize,
    spearman: Option<Interval>,
    kendall: Option<Interval>,
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
        None => None,
        Some(path) => Some(read(path, &arguments.columns)?),
    };
    let outcome = arguments
        .scoring
        .scores(&Wanted::default(), &[], &mut |_, _, _, _| Ok(()))?;
    let columns = columns(&outcome)?;
    let rows = Rows {
        score: &columns.score,
        generator: &columns.generator,
        instruction: &columns.instruction,
    };
    let ranking = ranking::standings(&rows, arguments.rounds, arguments.seed);
    let mut against = Vec::new();
    let mut missing = Vec::new();
    for (column, values) in leaderboard.iter().flatten() {
        let known: Vec<f64> = columns
            .names
            .iter()
            .map(|name| values.get(name).copied().unwrap_or(f64::NAN))
            .collect();
        let correlate =
            |of| ranking::with_leaderboard(&rows, &known, of, arguments.rounds, arguments.seed);
        against.push(Against {
            column: column.clone(),
            generators: ranking
                .iter()
                .filter(|s| !known[s.generator].is_nan())
                .count(),
            spearman: correlate(spearman),
            kendall: correlate(kendall),
        });
        if against.iter().all(|a: &Against| a.generators == 0) {
            bail!(
                "no generator is named in the leaderboard's first column: is the name in another one?"
            );
        }
    }
    let known = |name: &String| {
        leaderboard
            .iter()
            .flatten()
            .any(|(_, values)| values.contains_key(name))
    };
    if leaderboard.is_some() {
        missing = columns
            .names
            .iter()
            .filter(|name| !known(name))
            .cloned()
            .collect();
    }
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
        not_on_leaderboard: missing,
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

type Leaderboard = Vec<(String, HashMap<String, f64>)>;

/// Wanted columns of a CSV by the name in its first; empty cells are left out.
fn read(path: &Path, wanted: &[String]) -> Result<Leaderboard> {
    let place = || path.display().to_string();
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(path)
        .with_context(place)?;
    let head = reader.headers().with_context(place)?.clone();
    if wanted.is_empty() {
        bail!(
            "{}: name a column with --column; there are {}",
            path.display(),
            head.iter().skip(1).collect::<Vec<_>>().join(", ")
        );
    }
    let mut found = Vec::new();
    for column in wanted {
        let Some(at) = head.iter().position(|name| name.trim() == column) else {
            bail!(
                "{}: no column `{column}`; there are {}",
                path.display(),
                head.iter().skip(1).collect::<Vec<_>>().join(", ")
            );
        };
        found.push((column.clone(), HashMap::new(), at));
    }
    for row in reader.records() {
        let row = row.with_context(place)?;
        let line = row.position().map_or(0, csv::Position::line);
        let name = row.get(0).unwrap_or_default().trim();
        for (column, values, at) in &mut found {
            let cell = row.get(*at).unwrap_or_default().trim();
            if cell.is_empty() {
                continue;
            }
            let Ok(value) = cell.parse::<f64>() else {
                bail!(
                    "{}:{line}: column `{column}`: `{cell}` is no number",
                    path.display()
                );
            };
            if values.insert(name.to_owned(), value).is_some() {
                bail!("{}:{line}: `{name}` is there twice", path.display());
            }
        }
    }
    Ok(found
        .into_iter()
        .map(|(column, values, _)| (column, values))
        .collect())
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
    if !report.leaderboard.is_empty() {
        let head = ["leaderboard", "generators", "Spearman", "Kendall τ-b"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for against in &report.leaderboard {
            let mut line = vec![against.column.clone(), against.generators.to_string()];
            line.extend([against.spearman, against.kendall].map(interval));
            lines.push(line);
        }
        out += "\n";
        out += &table(&lines);
    }
    if !report.not_on_leaderboard.is_empty() {
        out += &format!(
            "not on the leaderboard: {}\n",
            report.not_on_leaderboard.join(", ")
        );
    }
    out
}
