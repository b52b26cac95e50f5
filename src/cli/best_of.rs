//! `juror best-of DATA --n 32`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use super::output::{tell, write_to};
use super::sampling::SamplingArguments;
use super::scoring::{Outcome, ScoringArguments};
use super::table::{interval, table};
use crate::data::DataSet;
use crate::data::scored::{Wanted, quality_name};
use crate::stats::best_of::{expected, repetition, sizes};
use crate::stats::correlation::mean;
use crate::stats::{Interval, Resampler};

/// Of several responses the one that the judge scores highest, and what more of them would bring.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    scoring: ScoringArguments,
    /// Responses to pick from: the first of those given, or as many as the policy writes where none are given
    #[arg(long, default_value_t = 32)]
    n: usize,
    /// The label of responses; without it, the first that a row has
    #[arg(long)]
    label: Option<String>,
    /// Where to keep the picked responses, as AlpacaEval's model_outputs.json
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Where to keep the records with all responses that the policy wrote
    #[arg(long, value_name = "OUT.jsonl")]
    samples: Option<PathBuf>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Draws of the bootstrap; 0 for none
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
    /// One JSON object on standard output instead of a table
    #[arg(long)]
    json: bool,
}

/// What is picked out of `n` responses is like this, on average over instructions.
#[derive(Serialize)]
struct Point {
    n: usize,
    /// Instructions with that many responses.
    instructions: usize,
    score: Option<Interval>,
    label: Option<Interval>,
    /// Characters.
    length: Option<Interval>,
    /// Share of 4-grams that stood there before.
    repetition: Option<Interval>,
}

/// The mean label of other ways to pick out of all responses.
#[derive(Serialize)]
struct Others {
    random: Option<Interval>,
    longest: Option<Interval>,
    oracle: Option<Interval>,
}

#[derive(Serialize)]
struct Report {
    signal: String,
    label: Option<String>,
    /// Rows without the signal.
    left_out: usize,
    curve: Vec<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Others>,
}

/// Responses to one instruction.
#[derive(Default)]
struct Group {
    /// Rows, in the order of the scored rows.
    rows: Vec<usize>,
    score: Vec<f64>,
    label: Vec<f64>,
    length: Vec<f64>,
    repetition: Vec<f64>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.n == 0 {
        bail!("--n 0: there is nothing to pick from");
    }
    let wanted = Wanted {
        label: arguments.label.clone(),
        ..Wanted::default()
    };
    let outcome = arguments.scoring.scores(
        &wanted,
        &[&arguments.output, &arguments.samples],
        &mut |set, judge, engine, bar| {
            arguments.sampling.fill(
                arguments.n,
                set,
                (judge, engine),
                bar,
                arguments.samples.as_deref(),
            )
        },
    )?;
    let groups = groups(&outcome, arguments.n)?;
    if let Some(path) = &arguments.output {
        let Some(set) = &outcome.set else {
            bail!("scored rows hold no texts: give the data themselves to write responses with -o");
        };
        let picked = picked(set, &groups);
        write_to(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &picked)?;
            Ok(out.write_all(b"\n")?)
        })?;
    }
    if let Some(label) = arguments
        .label
        .as_ref()
        .filter(|_| outcome.rows.label.iter().all(|l| l.is_nan()))
    {
        bail!("no row has the label `{label}`");
    }
    let has_labels = groups.iter().any(|g| g.label.iter().any(|l| !l.is_nan()));
    let scored: usize = groups.iter().map(|g| g.rows.len()).sum();
    let report = Report {
        label: outcome.rows.label_name.clone().filter(|_| has_labels),
        left_out: outcome.rows.len().saturating_sub(scored),
        curve: curve(&groups, arguments),
        others: has_labels.then(|| others(&groups, arguments)),
        signal: quality_name(&outcome.signal),
    };
    if arguments.output.as_deref() == Some(Path::new("-")) {
        return Ok(());
    }
    tell(&report, arguments.json, text)
}

fn groups(outcome: &Outcome, n: usize) -> Result<Vec<Group>> {
    let rows = &outcome.rows;
    let all = rows.quality(&outcome.signal).map_err(anyhow::Error::msg)?;
    let texts: Option<Vec<&str>> = outcome.set.as_ref().map(|set| {
        let responses = set.records.iter().flat_map(|record| &record.responses);
        responses.map(|response| response.text.as_str()).collect()
    });
    let mut groups: Vec<Group> = Vec::new();
    groups.resize_with(rows.instruction.values.len(), Group::default);
    for (row, score) in all.iter().enumerate() {
        let instruction = rows.instruction.rows[row].map(|at| at as usize);
        let Some(group) = instruction.and_then(|at| groups.get_mut(at)) else {
            continue;
        };
        if score.is_nan() || group.rows.len() == n {
            continue;
        }
        let text = texts.as_ref().and_then(|texts| texts.get(row));
        group.rows.push(row);
        group.score.push(*score);
        group.label.push(rows.label[row]);
        group.length.push(rows.length[row]);
        group
            .repetition
            .push(text.map_or(f64::NAN, |t| repetition(t)));
    }
    groups.retain(|group| !group.rows.is_empty());
    match groups.is_empty() {
        true => bail!("no row has the signal `{}`", outcome.signal),
        false => Ok(groups),
    }
}

/// The mean over instructions with its interval; those in which it is not defined are left out.
fn over_instructions(
    groups: &[Group],
    arguments: &Arguments,
    of: impl Fn(&Group) -> Option<f64>,
) -> Option<Interval> {
    let values: Vec<f64> = groups
        .iter()
        .filter_map(of)
        .filter(|value| !value.is_nan())
        .collect();
    let each: Vec<usize> = (0..values.len()).collect();
    let resampler = Resampler::new(&each, arguments.sampling.seed).rounds(arguments.rounds);
    resampler.interval(|draw| (!draw.rows.is_empty()).then(|| mean(&draw.pick(&values))))
}

/// Something of the scores and a column of a group, on the responses that have it; `None` where none has.
fn known(
    group: &Group,
    column: impl Fn(&Group) -> &Vec<f64>,
    of: impl Fn(&[f64], &[f64]) -> Option<f64>,
) -> Option<f64> {
    let pairs = group.score.iter().zip(column(group));
    let (score, value): (Vec<f64>, Vec<f64>) = pairs.filter(|(_, x)| !x.is_nan()).unzip();
    match value.is_empty() {
        true => None,
        false => of(&score, &value),
    }
}

fn curve(groups: &[Group], arguments: &Arguments) -> Vec<Point> {
    let most = groups.iter().map(|g| g.rows.len()).max().unwrap_or(0);
    let point = |n: usize| {
        let of = |column: fn(&Group) -> &Vec<f64>| {
            over_instructions(groups, arguments, |g| {
                known(g, column, |score, value| expected(score, value, n))
            })
        };
        Point {
            n,
            instructions: groups.iter().filter(|g| g.rows.len() >= n).count(),
            score: of(|g| &g.score),
            label: of(|g| &g.label),
            length: of(|g| &g.length),
            repetition: of(|g| &g.repetition),
        }
    };
    sizes(most).into_iter().map(point).collect()
}

fn others(groups: &[Group], arguments: &Arguments) -> Others {
    let best = |key: &[f64], label: &[f64]| expected(key, label, key.len());
    let longest = |g: &Group| {
        let there = g.length.iter().all(|l| !l.is_nan());
        let labelled: Vec<usize> = (0..g.label.len())
            .filter(|at| !g.label[*at].is_nan())
            .collect();
        let pick = |column: &[f64]| labelled.iter().map(|at| column[*at]).collect::<Vec<_>>();
        best(&pick(&g.length), &pick(&g.label)).filter(|_| there)
    };
    Others {
        random: over_instructions(groups, arguments, |g| {
            known(g, |g| &g.label, |_, label| Some(mean(label)))
        }),
        longest: over_instructions(groups, arguments, longest),
        oracle: over_instructions(groups, arguments, |g| {
            known(g, |g| &g.label, |_, label| best(label, label))
        }),
    }
}

/// One object of AlpacaEval's model_outputs.json.
#[derive(Serialize)]
struct Picked<'a> {
    dataset: &'a str,
    instruction: String,
    output: &'a str,
    generator: String,
}

/// The best response of each instruction, the first of equal ones.
fn picked<'a>(set: &'a DataSet, groups: &[Group]) -> Vec<Picked<'a>> {
    let rows: Vec<_> = set
        .records
        .iter()
        .flat_map(|record| record.responses.iter().map(move |r| (record, r)))
        .collect();
    let best = |group: &Group| {
        let scores = group.score.iter().zip(&group.rows);
        let best = scores.rev().max_by(|a, b| a.0.total_cmp(b.0));
        best.map(|(_, row)| (group.rows.len(), rows[*row]))
    };
    // One file is one generator's to whoever reads it.
    let mut names = rows.iter().filter_map(|(_, r)| r.generator.as_ref());
    let first = names.next();
    let one = first.filter(|first| names.all(|name| name == *first));
    groups
        .iter()
        .filter_map(best)
        .map(|(n, (record, response))| Picked {
            dataset: [&record.meta, &response.meta]
                .iter()
                .find_map(|meta| meta.get("dataset")?.as_str())
                .unwrap_or_default(),
            instruction: record.task(),
            output: &response.text,
            generator: match one {
                Some(name) => format!("{name}-best-of-{n}"),
                None => format!("best-of-{n}"),
            },
        })
        .collect()
}

fn text(report: &Report) -> String {
    let mut out = format!(
        "what `{}` picks out of N responses, on average over instructions\n\n",
        report.signal
    );
    let label = report.label.as_deref().unwrap_or("label");
    let head = [
        "N",
        "instructions",
        "score",
        label,
        "characters",
        "repeated 4-grams",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for point in &report.curve {
        let mut line = vec![point.n.to_string(), point.instructions.to_string()];
        line.push(interval(point.score));
        line.push(interval(point.label));
        line.push(
            point
                .length
                .map_or_else(|| "–".into(), |l| format!("{:.0}", l.estimate)),
        );
        line.push(interval(point.repetition));
        lines.push(line);
    }
    out += &table(&lines);
    if let Some(others) = &report.others {
        let mut lines = vec![vec!["picked out of all".to_owned(), label.to_owned()]];
        for (name, found) in [
            ("at random", others.random),
            ("the longest", others.longest),
            ("the best by label", others.oracle),
        ] {
            lines.push(vec![name.to_owned(), interval(found)]);
        }
        out += "\n";
        out += &table(&lines);
    }
    let first = report.curve.first().map(|point| point.instructions);
    if report
        .curve
        .iter()
        .any(|point| Some(point.instructions) != first)
    {
        out += "\nInstructions differ in how many responses they have: points with fewer instructions are of others.\n";
    }
    if report.left_out > 0 {
        out += &format!(
            "\n{} rows have no score, or come after the first N\n",
            report.left_out
        );
    }
    out
}
