//! `juror eval SCORED… --label NAME`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde::Serialize;

use super::bound::{Bound, parse_where};
use super::table::{figure, interval, table};
use crate::data::scored::{self, Names, Scored, Wanted, no_field};
use crate::stats::evaluation::{
    self, Agreement, Ahead, Calibration, Correlations, Rows, Selective, Settings,
};
use crate::stats::group_ids;

/// Signals that say the same as `self_eval` in one of the modes.
const MODES: [&str; 2] = ["self_eval_ref", "self_eval_free"];

/// Groups shown as columns; all of them are in the JSON.
const SHOWN_GROUPS: usize = 8;

/// How scores go with labels: correlations, selective answering, calibration, agreement.
#[derive(Args)]
pub struct Arguments {
    /// Files that `juror score` wrote; several stand side by side
    #[arg(required = true)]
    scored: Vec<PathBuf>,
    /// The label to compare with
    #[arg(long)]
    label: String,
    /// Signals to evaluate; without it, all that the rows have
    #[arg(long = "signal", value_delimiter = ',')]
    signals: Vec<String>,
    /// Which labels are good, as in ">=6": AUROC and calibration need it
    #[arg(long, value_parser = Bound::parse)]
    good: Option<Bound>,
    /// Correlate within each value of this field and average, too; without it, `generator` where there are several
    #[arg(long)]
    by: Option<String>,
    /// Rows with this value alone, as in category=coding
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = parse_where)]
    only: Vec<(String, String)>,
    /// Rows with the same value are drawn together by the bootstrap; without it, rows of one instruction
    #[arg(long)]
    cluster: Option<String>,
    /// Draws of the bootstrap; 0 for none
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Exit with 1 where a signal's Pearson lies below
    #[arg(long)]
    fail_below: Option<f64>,
    /// One JSON object on standard output instead of tables
    #[arg(long)]
    json: bool,
}

/// Correlations of one group.
#[derive(Serialize)]
struct Group {
    value: String,
    #[serde(flatten)]
    correlations: Correlations,
}

/// Groups and their average.
#[derive(Serialize)]
struct By {
    field: String,
    groups: Vec<Group>,
    average: Correlations,
}

/// All that is told of one signal of one file.
#[derive(Serialize)]
struct Evaluated {
    file: PathBuf,
    signal: String,
    /// Rows without this signal or without the label.
    left_out: usize,
    all: Correlations,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    selective: Selective,
    calibration: Vec<Calibration>,
    agreement: Option<Agreement>,
    /// This minus the first, on the rows that both have.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_of_first: Option<Ahead>,
}

#[derive(Serialize)]
struct Report<'a> {
    label: &'a str,
    evaluated: Vec<Evaluated>,
}

/// One signal's column with where it comes from.
struct Candidate<'a> {
    file: &'a Path,
    rows: &'a Scored,
    signal: &'a str,
    score: &'a [f64],
    cluster: Rc<[usize]>,
}

/// Evaluates; whether every gate was met.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let by = arguments.by.clone().unwrap_or_else(|| "generator".into());
    let wanted = Wanted {
        label: Some(arguments.label.clone()),
        fields: std::iter::once(by.clone())
            .chain(arguments.cluster.clone())
            .collect(),
        only: arguments.only.clone(),
    };
    let mut files = Vec::new();
    for path in &arguments.scored {
        let (rows, errors) = scored::read(path, &wanted)?;
        super::tell(&errors);
        if rows.is_empty() {
            bail!("{}: no row is left by --where", path.display());
        }
        if rows.label.iter().all(|label| label.is_nan()) {
            bail!(
                "{}: no row has the label `{}`; `labels` and `meta` of the rows say which there are, and \
                 `juror score --labels NAME` takes more of them",
                path.display(),
                arguments.label
            );
        }
        if rows.mixed {
            eprintln!(
                "juror: {}: rows of several judges or templates are evaluated as one",
                path.display()
            );
        }
        files.push((path.as_path(), rows));
    }
    let candidates = candidates(&files, &arguments.signals, arguments.cluster.as_deref())?;
    let mut evaluated: Vec<Evaluated> = Vec::new();
    for candidate in &candidates {
        let mut found = evaluate(candidate, arguments, &by)?;
        if let Some(first) = candidates.first().filter(|_| !evaluated.is_empty()) {
            found.ahead_of_first = compare(candidate, first, arguments);
        }
        evaluated.push(found);
    }
    let below = |e: &Evaluated| {
        let bound = arguments.fail_below?;
        Some(e.all.pearson.is_none_or(|p| p.estimate < bound))
    };
    let met = !evaluated.iter().any(|e| below(e) == Some(true));
    let report = Report {
        label: &arguments.label,
        evaluated,
    };
    let out = &mut io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        false => write!(out, "{}", tables(&report, files.len() > 1))?,
    }
    Ok(met)
}

fn candidates<'a>(
    files: &'a [(&'a Path, Scored)],
    asked: &[String],
    cluster: Option<&str>,
) -> Result<Vec<Candidate<'a>>> {
    let mut found = Vec::new();
    for (file, rows) in files {
        let cluster = rows.clusters(cluster);
        let cluster: Rc<[usize]> = cluster
            .map_err(|cause| anyhow!("{}: {cause}", file.display()))?
            .into();
        let whole = rows.signals.get("self_eval");
        let again = |name: &String, column: &Vec<f64>| {
            let same = |one: &f64, other: &f64| one.to_bits() == other.to_bits();
            MODES.contains(&name.as_str())
                && whole.is_some_and(|w| w.iter().zip(column).all(|(a, b)| same(a, b)))
        };
        for name in asked {
            rows.signal(name)
                .map_err(|cause| anyhow!("{}: {cause}", file.display()))?;
        }
        let order = |name: &str| match name {
            "self_eval" => 0,
            "cosine" => 1,
            "fused" => 2,
            _ => 3,
        };
        let mut own: Vec<_> = rows
            .signals
            .iter()
            .filter(|(name, column)| match asked.is_empty() {
                true => column.iter().any(|x| !x.is_nan()) && !again(name, column),
                false => asked.contains(name),
            })
            .collect();
        own.sort_by_key(|(name, _)| order(name));
        found.extend(own.into_iter().map(|(signal, score)| Candidate {
            file,
            rows,
            signal,
            score,
            cluster: Rc::clone(&cluster),
        }));
    }
    match found.is_empty() {
        true => Err(anyhow!("no row has a signal")),
        false => Ok(found),
    }
}

/// A number that rises with quality.
fn quality(signal: &str, score: f64) -> f64 {
    match signal {
        // A perplexity is better where it is lower.
        "ppl" => -score.ln(),
        _ => score,
    }
}

fn settings(arguments: &Arguments, candidate: &Candidate) -> Settings {
    let on_scale = candidate.signal.starts_with("self_eval") || candidate.signal == "generated";
    let scale = match candidate.signal {
        "cosine" => Some((-1.0, 1.0)),
        "fused" => Some((0.0, 1.0)),
        _ => candidate.rows.scale.filter(|_| on_scale),
    };
    Settings {
        rounds: arguments.rounds,
        seed: arguments.seed,
        scale,
    }
}

fn evaluate(candidate: &Candidate, arguments: &Arguments, by: &str) -> Result<Evaluated> {
    let (rows, settings) = (candidate.rows, settings(arguments, candidate));
    let there = |row: &usize| !candidate.score[*row].is_nan() && !rows.label[*row].is_nan();
    let kept: Vec<usize> = (0..rows.len()).filter(there).collect();
    let pick = |column: &[f64]| kept.iter().map(|row| column[*row]).collect::<Vec<f64>>();
    let score: Vec<f64> = pick(candidate.score)
        .into_iter()
        .map(|x| quality(candidate.signal, x))
        .collect();
    let label = pick(&rows.label);
    let all = &candidate.cluster;
    let cluster: Vec<usize> = kept.iter().map(|row| all[*row]).collect();
    let columns = Rows {
        score: &score,
        label: &label,
        cluster: &cluster,
    };
    let good = arguments.good.as_ref();
    let good: Option<Vec<bool>> =
        good.map(|good| label.iter().map(|label| good.holds(*label)).collect());
    let names = rows.field(by);
    if arguments.by.is_some() && names.is_none() {
        bail!("{}: {}", candidate.file.display(), no_field(by));
    }
    let grouped = names.filter(|names| arguments.by.is_some() || names.values.len() > 1);
    Ok(Evaluated {
        file: candidate.file.to_path_buf(),
        signal: candidate.signal.to_owned(),
        left_out: rows.len() - kept.len(),
        all: evaluation::correlations(&columns, &settings),
        by: grouped.map(|names| groups(&columns, &kept, names, by, &settings)),
        selective: evaluation::selective(&columns, good.as_deref(), &settings),
        calibration: good.map_or_else(Vec::new, |good| {
            evaluation::calibration(&columns, &good, arguments.seed)
        }),
        agreement: evaluation::agreement(&columns, &settings),
        ahead_of_first: None,
    })
}

/// Correlations within the values of a field, and their average.
fn groups(rows: &Rows, kept: &[usize], names: &Names, field: &str, settings: &Settings) -> By {
    let named: Vec<usize> = (0..kept.len())
        .filter(|place| names.rows[kept[*place]].is_some())
        .collect();
    let part = |places: &[usize]| {
        let pick = |column: &[f64]| places.iter().map(|p| column[*p]).collect::<Vec<f64>>();
        let cluster: Vec<usize> = places.iter().map(|p| rows.cluster[*p]).collect();
        (pick(rows.score), pick(rows.label), cluster)
    };
    let group_of = |place: &usize| names.rows[kept[*place]].unwrap_or_default() as usize;
    let mut members = vec![Vec::new(); names.values.len()];
    named
        .iter()
        .for_each(|place| members[group_of(place)].push(*place));
    let groups = names.values.iter().zip(&members).map(|(value, places)| {
        let (score, label, cluster) = part(places);
        let rows = Rows {
            score: &score,
            label: &label,
            cluster: &cluster,
        };
        Group {
            value: value.clone(),
            correlations: evaluation::correlations(&rows, settings),
        }
    });
    let (score, label, cluster) = part(&named);
    let all = Rows {
        score: &score,
        label: &label,
        cluster: &cluster,
    };
    let of: Vec<usize> = named.iter().map(group_of).collect();
    By {
        field: field.to_owned(),
        groups: groups.collect(),
        average: evaluation::averaged(&all, &of, settings),
    }
}

/// One candidate against another, on responses that both have scored.
fn compare(one: &Candidate, other: &Candidate, arguments: &Arguments) -> Option<Ahead> {
    let keys = other.rows.key.iter().enumerate();
    let places: std::collections::HashMap<u64, usize> =
        keys.map(|(row, key)| (*key, row)).collect();
    let (mut ours, mut theirs, mut label, mut cluster) = (vec![], vec![], vec![], vec![]);
    for (row, key) in one.rows.key.iter().enumerate() {
        let Some(place) = places.get(key) else {
            continue;
        };
        let (a, b) = (one.score[row], other.score[*place]);
        let l = one.rows.label[row];
        if a.is_nan() || b.is_nan() || l.is_nan() {
            continue;
        }
        ours.push(quality(one.signal, a));
        theirs.push(quality(other.signal, b));
        label.push(l);
        cluster.push(one.cluster[row]);
    }
    let cluster = group_ids(cluster);
    let settings = settings(arguments, one);
    (!ours.is_empty()).then(|| evaluation::ahead(&ours, &theirs, &label, &cluster, &settings))
}

fn tables(report: &Report, several_files: bool) -> String {
    let name = |e: &Evaluated| match several_files {
        true => format!("{} {}", e.file.display(), e.signal),
        false => e.signal.clone(),
    };
    let mut out = format!(
        "against `{}`, 95 % intervals by bootstrap\n\n",
        report.label
    );
    let mut lines = vec![row(&[
        "signal",
        "rows",
        "left out",
        "Pearson",
        "Spearman",
        "Kendall τ-b",
    ])];
    for e in &report.evaluated {
        let mut line = vec![name(e), e.all.rows.to_string(), e.left_out.to_string()];
        line.extend([e.all.pearson, e.all.spearman, e.all.kendall].map(interval));
        lines.push(line);
    }
    out += &table(&lines);
    if let Some(by) = report.evaluated.iter().find_map(|e| e.by.as_ref()) {
        let shown = by.groups.len().min(SHOWN_GROUPS);
        let mut head = row(&["Pearson × 100", "average"]);
        head.extend(by.groups[..shown].iter().map(|g| g.value.clone()));
        let mut lines = vec![head];
        for e in &report.evaluated {
            let Some(by) = &e.by else { continue };
            let hundred = |c: &Correlations| {
                let value = c.pearson.map(|p| format!("{:.2}", 100.0 * p.estimate));
                value.unwrap_or_else(|| "–".into())
            };
            let mut line = vec![name(e), hundred(&by.average)];
            line.extend(
                by.groups
                    .iter()
                    .take(shown)
                    .map(|g| hundred(&g.correlations)),
            );
            lines.push(line);
        }
        out += &format!("\nby {}", by.field);
        if by.groups.len() > shown {
            out += &format!(
                " (the first {shown} of {}; all with --json)",
                by.groups.len()
            );
        }
        out += "\n";
        out += &table(&lines);
    }
    let mut lines = vec![row(&["selective", "good", "AUROC", "AURC", "excess AURC"])];
    for e in &report.evaluated {
        let s = &e.selective;
        let mut line = vec![name(e), figure(s.good)];
        line.extend([s.auroc, s.aurc, s.excess_aurc].map(interval));
        lines.push(line);
    }
    out += "\n";
    out += &table(&lines);
    let mut lines = vec![row(&[
        "calibration",
        "fit",
        "fitted on",
        "reported on",
        "ECE",
        "Brier",
        "log loss",
    ])];
    for e in &report.evaluated {
        for c in &e.calibration {
            let mut line = vec![
                name(e),
                c.fit.into(),
                c.fitted.to_string(),
                c.reported.to_string(),
            ];
            line.extend([c.ece, c.brier, c.log_loss].map(figure));
            lines.push(line);
        }
    }
    if lines.len() > 1 {
        out += "\n";
        out += &table(&lines);
    }
    let mut lines = vec![row(&[
        "agreement",
        "categories",
        "quadratic κ",
        "Krippendorff α",
        "Gwet AC1",
    ])];
    for e in &report.evaluated {
        let Some(a) = &e.agreement else { continue };
        let mut line = vec![name(e), a.categories.to_string()];
        line.extend([a.quadratic_kappa, a.krippendorff, a.gwet_ac1].map(interval));
        lines.push(line);
    }
    if lines.len() > 1 {
        out += "\n";
        out += &table(&lines);
    }
    let mut lines = vec![row(&[
        "ahead of the first by",
        "Pearson",
        "Spearman",
        "settled at",
    ])];
    for e in &report.evaluated {
        let Some(a) = &e.ahead_of_first else { continue };
        let settled = a.clusters_to_settle.map(|n| format!("about {n} records"));
        lines.push(vec![
            name(e),
            interval(a.pearson),
            interval(a.spearman),
            settled.unwrap_or_default(),
        ]);
    }
    if lines.len() > 1 {
        out += "\n";
        out += &table(&lines);
    }
    out
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}
