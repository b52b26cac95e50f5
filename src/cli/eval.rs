//! `juror eval SCORED… --label NAME`

mod candidate;
mod pairwise;
mod tables;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use super::bound::{Bound, parse_where};
use super::columns;
use super::output::tell;
use crate::data::scored::{Names, Scored, Wanted, no_field, quality};
use crate::stats::correlation::mean;
use crate::stats::evaluation::{
    self, Agreement, Ahead, Calibration, Correlations, Rows, Selective, Settings,
};
use crate::stats::pair_order::{Answer, Level, PairAccuracy, pair_accuracy};
use crate::stats::prediction_powered::{Labelled, PoweredMean, powered_mean};
use crate::stats::preference::{Led, led_by, self_preference};
use crate::stats::{Interval, group_ids};
use candidate::{Candidate, candidates};

/// How scores go with labels: correlations, selective answering, calibration, agreement.
#[derive(Args)]
pub struct Arguments {
    /// Files that `juror score` wrote, or `juror pair` with --pairwise; several stand side by side
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
    /// Add the surface ridge, fitted on other instructions, as a row of its own: does the judge know more than
    /// length, lists and overlap?
    #[arg(long)]
    surface: bool,
    /// Generators of the judge's own family have this in their names: does it favour them at equal label?
    #[arg(long, value_name = "PART")]
    family: Option<String>,
    /// Draws of the bootstrap; 0 for none
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Verdicts on pairs against labels `a`, `b`, `tie` (or a number from 0 to 1: what a won): accuracy, kappa, position
    /// bias, beside "the longer one wins"
    #[arg(long, conflicts_with_all = ["signals", "good", "surface", "family"])]
    pairwise: bool,
    /// Exit with 1 where a signal's Pearson lies below; with --pairwise, where a judge's accuracy does
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs: Option<PairAccuracy>,
    /// Its mean label, where rows without a label help.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_label: Option<PoweredMean>,
}

/// Groups and their average.
#[derive(Serialize)]
struct By {
    field: String,
    groups: Vec<Group>,
    average: Correlations,
    /// Mean over the groups of how often answers are ordered as labelled: benchmarks' score over subsets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs_average: Option<f64>,
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
    /// Answers to one instruction in the order of their labels; by style, where answers have one.
    pairs: Vec<(Level, PairAccuracy)>,
    selective: Selective,
    calibration: Vec<Calibration>,
    agreement: Option<Agreement>,
    /// Correlation with the response's characters, and with its list items.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<Led>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list_items: Option<Led>,
    /// Score of the judge's own family above others' at equal label.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_preference: Option<Interval>,
    /// This minus the first, on the rows that both have.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_of_first: Option<Ahead>,
}

#[derive(Serialize)]
struct Report<'a> {
    label: &'a str,
    evaluated: Vec<Evaluated>,
}

/// Evaluates; whether every gate was met.
pub fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.pairwise {
        return pairwise::run(arguments);
    }
    let by = arguments.by.clone().unwrap_or_else(|| "generator".into());
    let wanted = Wanted {
        label: Some(arguments.label.clone()),
        fields: [by.clone(), STYLE.into()]
            .into_iter()
            .chain(arguments.cluster.clone())
            .collect(),
        only: arguments.only.clone(),
        surface: arguments.surface,
    };
    let mut files = Vec::new();
    for path in &arguments.scored {
        let (rows, _) = columns::read(path, &wanted)?;
        if !columns::is_labelled(&rows) {
            return Err(columns::no_label(path, &arguments.label));
        }
        files.push((path.as_path(), rows));
    }
    if let Some(part) = &arguments.family {
        let names = files.iter().flat_map(|(_, rows)| &rows.generator.values);
        let lower = part.to_lowercase();
        if !names
            .into_iter()
            .any(|name| name.to_lowercase().contains(&lower))
        {
            bail!("--family {part}: no generator has this in its name");
        }
    }
    let candidates = candidates(
        &files,
        &arguments.signals,
        arguments.cluster.as_deref(),
        arguments.surface,
    )?;
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
    tell(&report, arguments.json, |report| {
        tables::text(report, files.len() > 1)
    })?;
    Ok(met)
}

/// The field that tells answers of one kind from others: see [`Level`].
const STYLE: &str = "style";

fn settings(arguments: &Arguments, candidate: &Candidate) -> Settings {
    Settings {
        rounds: arguments.rounds,
        seed: arguments.seed,
        scale: columns::scale(candidate.rows, candidate.signal),
    }
}

fn evaluate(candidate: &Candidate, arguments: &Arguments, by: &str) -> Result<Evaluated> {
    let (rows, settings) = (candidate.rows, settings(arguments, candidate));
    let there = |row: &usize| !candidate.score[*row].is_nan() && !rows.label[*row].is_nan();
    let kept: Vec<usize> = (0..rows.len()).filter(there).collect();
    let pick = |column: &[f64]| kept.iter().map(|row| column[*row]).collect::<Vec<f64>>();
    let score: Vec<f64> = pick(&candidate.score)
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
    let answers = answers(&columns, rows, &kept);
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
        by: grouped
            .map(|names| groups(candidate, &columns, &kept, (by, names), &answers, &settings)),
        pairs: LEVELS
            .iter()
            .filter_map(|level| {
                Some((
                    *level,
                    pair_accuracy(&answers, *level, settings.rounds, settings.seed)?,
                ))
            })
            .collect(),
        selective: evaluation::selective(&columns, good.as_deref(), &settings),
        calibration: good.map_or_else(Vec::new, |good| {
            evaluation::calibration(&columns, &good, arguments.seed)
        }),
        agreement: evaluation::agreement(&columns, &settings),
        length: led(&columns, &pick(&rows.length), &settings),
        list_items: led(&columns, &pick(&rows.list_items), &settings),
        self_preference: arguments.family.as_deref().and_then(|part| {
            let is_own = own_family(rows, &kept, part);
            let Settings { rounds, seed, .. } = settings;
            self_preference(&score, &label, &is_own, &cluster, rounds, seed)
        }),
        ahead_of_first: None,
    })
}

const LEVELS: [Level; 4] = [Level::All, Level::Easy, Level::Normal, Level::Hard];

/// Rows as answers to be compared within their records, those of records with one answer within their instructions.
fn answers(columns: &Rows, rows: &Scored, kept: &[usize]) -> Vec<Answer> {
    let mut counts = vec![0; rows.record.values.len()];
    for record in rows.record.rows.iter().flatten() {
        counts[*record as usize] += 1;
    }
    // Records that have several answers are numbered behind the instructions.
    let instructions = rows.instruction.values.len();
    let record = |row: usize| match rows.record.rows[row] {
        Some(record) if counts[record as usize] > 1 => instructions + record as usize,
        _ => rows.instruction.rows[row].map_or(usize::MAX - row, |at| at as usize),
    };
    let styles = rows.field(STYLE);
    let style = |row: usize| {
        let styles = styles?;
        let place = styles.rows[row]?;
        styles.values.get(place as usize)?.parse::<f64>().ok()
    };
    let each = kept.iter().enumerate();
    each.map(|(at, row)| Answer {
        score: columns.score[at],
        label: columns.label[at],
        record: record(*row),
        cluster: columns.cluster[at],
        style: style(*row).unwrap_or(f64::NAN),
    })
    .collect()
}

/// How scores and labels go with something seen at a glance; `None` where not every row tells it.
fn led(rows: &Rows, seen: &[f64], settings: &Settings) -> Option<Led> {
    let told = !seen.is_empty() && !seen.iter().any(|x| x.is_nan());
    told.then(|| {
        let Settings { rounds, seed, .. } = *settings;
        led_by(seen, rows.score, rows.label, rows.cluster, rounds, seed)
    })
}

/// Which rows are of generators with this in their names, in whatever case.
fn own_family(rows: &Scored, kept: &[usize], part: &str) -> Vec<bool> {
    let part = part.to_lowercase();
    let names = rows.generator.values.iter();
    let own: Vec<bool> = names
        .map(|name| name.to_lowercase().contains(&part))
        .collect();
    kept.iter()
        .map(|row| rows.generator.rows[*row].is_some_and(|name| own[name as usize]))
        .collect()
}

/// The mean label of a group from its labelled rows and the scores of the others.
fn mean_label(candidate: &Candidate, names: &Names, group: usize) -> Option<PoweredMean> {
    let (mut labelled, mut others) = (Vec::new(), Vec::new());
    for (row, name) in names.rows.iter().enumerate() {
        let score = candidate.score[row];
        if *name != Some(group as u32) || score.is_nan() {
            continue;
        }
        let score = quality(candidate.signal, score);
        match candidate.rows.label[row] {
            label if label.is_nan() => others.push((score, candidate.cluster[row])),
            label => labelled.push(Labelled {
                score,
                label,
                cluster: candidate.cluster[row],
            }),
        }
    }
    powered_mean(&labelled, &others, 0.95)
}

/// Correlations within the values of a field, and their average.
fn groups(
    candidate: &Candidate,
    rows: &Rows,
    kept: &[usize],
    (field, names): (&str, &Names),
    answers: &[Answer],
    settings: &Settings,
) -> By {
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
    let groups = names
        .values
        .iter()
        .zip(&members)
        .enumerate()
        .map(|(group, (value, places))| {
            let (score, label, cluster) = part(places);
            let rows = Rows {
                score: &score,
                label: &label,
                cluster: &cluster,
            };
            Group {
                value: value.clone(),
                correlations: evaluation::correlations(&rows, settings),
                pairs: {
                    let own: Vec<Answer> = places.iter().map(|p| answers[*p]).collect();
                    pair_accuracy(&own, Level::All, settings.rounds, settings.seed)
                },
                mean_label: mean_label(candidate, names, group),
            }
        });
    let (score, label, cluster) = part(&named);
    let all = Rows {
        score: &score,
        label: &label,
        cluster: &cluster,
    };
    let of: Vec<usize> = named.iter().map(group_of).collect();
    let groups: Vec<Group> = groups.collect();
    let accuracies = groups
        .iter()
        .filter_map(|g| Some(g.pairs?.accuracy.estimate));
    let accuracies: Vec<f64> = accuracies.collect();
    By {
        field: field.to_owned(),
        pairs_average: (accuracies.len() > 1).then(|| mean(&accuracies)),
        groups,
        average: evaluation::averaged(&all, &of, settings),
    }
}

/// One candidate against another, on responses that both have scored.
fn compare(one: &Candidate, other: &Candidate, arguments: &Arguments) -> Option<Ahead> {
    // Rows of one file stand beside each other; those of two files are found by their ids, where these are unique.
    let same = std::ptr::eq(one.rows, other.rows);
    let mut places: HashMap<u64, Option<usize>> = HashMap::new();
    if !same {
        for (row, key) in other.rows.key.iter().enumerate() {
            let place = places.entry(*key).or_insert(Some(row));
            if *place != Some(row) {
                *place = None;
            }
        }
    }
    let mut seen = HashSet::new();
    let (mut ours, mut theirs, mut label, mut cluster) = (vec![], vec![], vec![], vec![]);
    for (row, key) in one.rows.key.iter().enumerate() {
        let place = match same {
            true => Some(row),
            false => places
                .get(key)
                .copied()
                .flatten()
                .filter(|_| seen.insert(*key)),
        };
        let Some(place) = place else {
            continue;
        };
        let (a, b) = (one.score[row], other.score[place]);
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
