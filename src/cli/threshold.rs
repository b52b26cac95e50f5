//! `juror threshold SCORED --label NAME --good ">=6" --signal S`

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use serde::Serialize;

use super::bound::{Bound, parse_where};
use super::columns;
use super::output::{spare, tell, write_to};
use super::table::{figure, table};
use crate::data::scored::{self, Names, Scored, Wanted, no_field};
use crate::stats::bootstrap::{SplitMix64, is_fitted_on};
use crate::stats::drift::Spread;
use crate::stats::preset::Preset;
use crate::stats::threshold::{
    Confusion, Found, Guarantee, covering, expectation, observed, pac, wilson,
};

/// From which score on to answer, for a risk or a coverage.
#[derive(Args)]
pub struct Arguments {
    /// A file that `juror score` wrote, with labels
    scored: PathBuf,
    /// The label
    #[arg(long)]
    label: String,
    /// Which labels are good, as in ">=6"
    #[arg(long, value_parser = Bound::parse)]
    good: Bound,
    /// The signal to cut; without it, `fused` if every row has it, else `self_eval`
    #[arg(long)]
    signal: Option<String>,
    /// Share of bad ones among the answered (with `--guarantee expectation`: among all) at most
    #[arg(long, conflicts_with = "target_coverage")]
    target_risk: Option<f64>,
    /// Share answered at least
    #[arg(long)]
    target_coverage: Option<f64>,
    /// What is promised: pac (with --confidence, of the risk among the answered) or expectation (of bad answers
    /// among all questions); without it, the threshold that fits these rows, and no promise
    #[arg(long, value_enum)]
    guarantee: Option<Guarantee>,
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// A threshold for each value of this field
    #[arg(long)]
    per_group: Option<String>,
    /// Figures for each value of this field
    #[arg(long)]
    by: Option<String>,
    /// Rows with this value alone, as in category=coding
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = parse_where)]
    only: Vec<(String, String)>,
    /// Rows with the same value are not independent; without it, rows of one instruction
    #[arg(long)]
    cluster: Option<String>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to keep the threshold as a preset, for `score --threshold`
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// What a threshold does to rows it was not found on.
#[derive(Serialize)]
struct Reported {
    #[serde(skip_serializing_if = "Option::is_none")]
    slice: Option<String>,
    coverage: Option<f64>,
    risk: Option<f64>,
    /// 95 % interval of the risk (Wilson).
    risk_interval: Option<(f64, f64)>,
    confusion: Confusion,
}

/// One threshold and its report.
#[derive(Serialize)]
struct Calibrated {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    threshold: Option<f64>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    none: Option<String>,
    calibrated_on: usize,
    reported: Vec<Reported>,
}

#[derive(Serialize)]
struct Report<'a> {
    signal: &'a str,
    label: &'a str,
    good: &'a str,
    promise: String,
    thresholds: Vec<Calibrated>,
}

/// Labelled rows of one signal.
struct Columns {
    score: Vec<f64>,
    bad: Vec<bool>,
    cluster: Vec<usize>,
    /// Row in the file.
    row: Vec<usize>,
}

impl Columns {
    fn part(&self, keep: impl Fn(usize) -> bool) -> Columns {
        let places: Vec<usize> = (0..self.row.len()).filter(|place| keep(*place)).collect();
        Columns {
            score: places.iter().map(|p| self.score[*p]).collect(),
            bad: places.iter().map(|p| self.bad[*p]).collect(),
            cluster: places.iter().map(|p| self.cluster[*p]).collect(),
            row: places.iter().map(|p| self.row[*p]).collect(),
        }
    }

    /// One row of each cluster, drawn.
    fn one_each(&self, seed: u64) -> Columns {
        let mut best: std::collections::HashMap<usize, (u64, usize)> = Default::default();
        for (place, cluster) in self.cluster.iter().enumerate() {
            let drawn = SplitMix64(seed ^ (self.row[place] as u64) << 20).next_u64();
            let held = best.entry(*cluster).or_insert((drawn, place));
            *held = (*held).min((drawn, place));
        }
        self.part(|place| {
            best.get(&self.cluster[place])
                .is_some_and(|held| held.1 == place)
        })
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    for (name, share) in [
        ("--target-risk", arguments.target_risk),
        ("--target-coverage", arguments.target_coverage),
        ("--confidence", Some(arguments.confidence)),
    ] {
        if let Some(share) = share.filter(|share| !(*share > 0.0 && *share < 1.0)) {
            bail!("{name} {share}: a number between 0 and 1 expected");
        }
    }
    if arguments.target_risk.is_none() && arguments.target_coverage.is_none() {
        bail!("name what the threshold is for: --target-risk 0.1 or --target-coverage 0.8");
    }
    if arguments.guarantee.is_some() && arguments.target_risk.is_none() {
        bail!("--guarantee is about a risk: name it with --target-risk");
    }
    if arguments.per_group.is_some() && arguments.output.is_some() {
        bail!(
            "a preset holds one threshold: leave out --per-group, or use --where and an -o for each group"
        );
    }
    let fields = [&arguments.per_group, &arguments.by, &arguments.cluster];
    let wanted = Wanted {
        label: Some(arguments.label.clone()),
        fields: fields.into_iter().flatten().cloned().collect(),
        only: arguments.only.clone(),
        surface: false,
    };
    spare(
        std::slice::from_ref(&arguments.scored),
        [arguments.output.as_ref()],
    )?;
    let place = arguments.scored.display();
    let (rows, errors) = scored::read(&arguments.scored, &wanted)?;
    super::tell(&errors);
    if rows.mixed {
        bail!(
            "{place}: rows of several judges, templates or embedders: their scores are on different scales; pick one \
             with --where"
        );
    }
    let signal = columns::answering(&rows, arguments.signal.as_deref())
        .with_context(|| format!("{place}"))?
        .to_owned();
    let columns = labelled(&rows, &signal, arguments)
        .map_err(Error::msg)
        .with_context(|| format!("{place}"))?;
    if columns.row.is_empty() {
        bail!(
            "{place}: no row has both the signal `{signal}` and the label `{}`",
            arguments.label
        );
    }
    let names = |field: &Option<String>| {
        let Some(field) = field else { return Ok(None) };
        match rows.field(field) {
            None => bail!("{place}: {}", no_field(field)),
            names => Ok(names),
        }
    };
    let (per_group, by) = (names(&arguments.per_group)?, names(&arguments.by)?);
    let thresholds: Vec<Calibrated> = match per_group {
        None => vec![calibrated(&columns, None, by, arguments)],
        Some(names) => {
            let each = names.values.iter().enumerate().map(|(at, value)| {
                let own = columns.part(|p| names.rows[columns.row[p]] == Some(at as u32));
                calibrated(&own, Some(value.clone()), by, arguments)
            });
            each.collect()
        }
    };
    let report = Report {
        signal: &signal,
        label: &arguments.label,
        good: &arguments.good.text,
        promise: promise(arguments),
        thresholds,
    };
    if let Some(path) = &arguments.output {
        keep(path, &report, &rows, &columns, arguments)?;
    }
    if arguments.output.as_deref() == Some(Path::new("-")) {
        return Ok(());
    }
    tell(&report, arguments.json, text)
}

fn labelled(rows: &Scored, signal: &str, arguments: &Arguments) -> Result<Columns, String> {
    let score = rows.signal(signal)?;
    let clusters = rows.clusters(arguments.cluster.as_deref())?;
    let there = |row: &usize| !score[*row].is_nan() && !rows.label[*row].is_nan();
    let row: Vec<usize> = (0..score.len()).filter(there).collect();
    Ok(Columns {
        score: row.iter().map(|r| score[*r]).collect(),
        bad: row
            .iter()
            .map(|r| !arguments.good.holds(rows.label[*r]))
            .collect(),
        cluster: row.iter().map(|r| clusters[*r]).collect(),
        row,
    })
}

fn calibrated(
    columns: &Columns,
    group: Option<String>,
    by: Option<&Names>,
    arguments: &Arguments,
) -> Calibrated {
    let seed = arguments.seed;
    let half = |wanted: bool| columns.part(|p| is_fitted_on(columns.cluster[p], seed) == wanted);
    let (fit, rest) = (half(true).one_each(seed), half(false));
    let found = find(&fit, arguments);
    let (threshold, none) = match found {
        Found::Threshold(threshold) => (Some(threshold), None),
        Found::NeedsLabels(labels) => (
            None,
            Some(format!(
                "not reachable with {} labels; about {labels} would be needed (twice as many instructions: half of \
                 them calibrate)",
                fit.row.len()
            )),
        ),
        Found::NotReachable => (
            None,
            Some(format!(
                "not reachable: {}",
                match fit.row.len() {
                    0 => "no labelled row fell into the half that calibrates; another --seed, or more labels".to_owned(),
                    rows => format!(
                        "no threshold that answers enough of the {rows} rows that calibrate to tell has so low a risk"
                    ),
                }
            )),
        ),
    };
    let mut reported = Vec::new();
    if let Some(threshold) = threshold {
        reported.push(report(&rest, threshold, None));
        for (at, value) in by
            .into_iter()
            .flat_map(|names| names.values.iter().enumerate())
        {
            let slice = |p: usize| by.is_some_and(|n| n.rows[rest.row[p]] == Some(at as u32));
            reported.push(report(&rest.part(slice), threshold, Some(value.clone())));
        }
    }
    Calibrated {
        group,
        threshold,
        none,
        calibrated_on: fit.row.len(),
        reported,
    }
}

fn find(fit: &Columns, arguments: &Arguments) -> Found {
    let (score, bad) = (&fit.score, &fit.bad);
    match (
        arguments.target_risk,
        arguments.target_coverage,
        arguments.guarantee,
    ) {
        (Some(risk), _, Some(Guarantee::Pac)) => pac(score, bad, risk, arguments.confidence),
        (Some(risk), _, Some(Guarantee::Expectation)) => expectation(score, bad, risk),
        (Some(risk), _, None) => observed(score, bad, risk),
        (None, coverage, _) => {
            covering(score, coverage.unwrap_or(1.0)).map_or(Found::NotReachable, Found::Threshold)
        }
    }
}

fn report(rows: &Columns, threshold: f64, slice: Option<String>) -> Reported {
    let confusion = Confusion::of(&rows.score, &rows.bad, threshold);
    let answered = confusion.answered_good + confusion.answered_bad;
    Reported {
        slice,
        coverage: confusion.coverage(),
        risk: confusion.risk(),
        risk_interval: wilson(confusion.answered_bad, answered),
        confusion,
    }
}

fn promise(arguments: &Arguments) -> String {
    let risk = arguments.target_risk.unwrap_or_default();
    match (arguments.target_coverage, arguments.guarantee) {
        (Some(coverage), _) => {
            format!("at least {coverage} of the rows that calibrated are answered")
        }
        (None, None) => format!(
            "on the rows that calibrated, at most {risk} of the answered are bad; nothing is promised of others"
        ),
        (None, Some(Guarantee::Pac)) => format!(
            "with confidence {}, at most {risk} of the answered are bad (Learn-then-Test)",
            arguments.confidence
        ),
        (None, Some(Guarantee::Expectation)) => format!(
            "in expectation, at most {risk} of all questions are answered badly (conformal risk control; this \
             bounds bad answers a question, not their share among the answered)"
        ),
    }
}

fn keep(
    path: &Path,
    report: &Report,
    rows: &Scored,
    columns: &Columns,
    arguments: &Arguments,
) -> Result<()> {
    let Some((found, threshold)) = report
        .thresholds
        .first()
        .and_then(|t| Some((t, t.threshold?)))
    else {
        let why = report.thresholds.first().and_then(|t| t.none.as_deref());
        bail!(
            "there is no threshold to keep in {}: {}",
            path.display(),
            why.unwrap_or("none was found")
        );
    };
    let preset = Preset {
        signal: report.signal.to_owned(),
        threshold,
        judge: rows.judge.clone().unwrap_or_default(),
        fusion: rows.fusion.clone().filter(|_| report.signal == "fused"),
        embedder: rows
            .embedder
            .clone()
            .filter(|_| ["cosine", "fused", "vro"].contains(&report.signal)),
        modes: match ["self_eval", "fused", "generated", "reward"].contains(&report.signal) {
            true => rows.modes.iter().cloned().collect(),
            false => Vec::new(),
        },
        label: arguments.label.clone(),
        good: arguments.good.text.clone(),
        target_risk: arguments.target_risk,
        target_coverage: arguments.target_coverage,
        confidence: (arguments.guarantee == Some(Guarantee::Pac)).then_some(arguments.confidence),
        guarantee: arguments.guarantee,
        calibrated_on: found.calibrated_on,
        scores: Spread::of(&columns.score),
    };
    let text = toml::to_string(&preset)?;
    write_to(path, |out| Ok(out.write_all(text.as_bytes())?))
}

fn text(report: &Report) -> String {
    let mut out = format!(
        "signal {}, good are labels `{}` {}\n{}\n\n",
        report.signal, report.label, report.good, report.promise
    );
    let head = [
        "",
        "τ",
        "calibrated on",
        "coverage",
        "risk",
        "risk, 95 %",
        "answered good",
        "bad",
        "declined good",
        "bad",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let mut missing = String::new();
    for found in &report.thresholds {
        let group = found.group.clone().unwrap_or_else(|| "all".into());
        if let Some(cause) = &found.none {
            missing += &format!("{group}: {cause}\n");
        }
        for r in &found.reported {
            let c = &r.confusion;
            let mut line = vec![
                r.slice
                    .clone()
                    .map_or_else(|| group.clone(), |slice| format!("  {slice}")),
                figure(found.threshold),
                found.calibrated_on.to_string(),
                figure(r.coverage),
                figure(r.risk),
                r.risk_interval
                    .map_or_else(|| "–".into(), |(l, h)| format!("{l:.3}–{h:.3}")),
            ];
            let counts = [
                c.answered_good,
                c.answered_bad,
                c.declined_good,
                c.declined_bad,
            ];
            line.extend(counts.map(|n| n.to_string()));
            lines.push(line);
        }
    }
    if lines.len() > 1 {
        out += &table(&lines);
        out += "\nCoverage, risk and counts are of the half of the instructions that did not calibrate.\n";
    }
    out + &missing
}
