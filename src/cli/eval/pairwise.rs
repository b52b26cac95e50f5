//! `juror eval PAIRS… --pairwise --label NAME`

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, bail};
use serde::Serialize;

use super::Arguments;
use crate::cli::output::tell;
use crate::cli::table::{figure, interval, table};
use crate::data::FieldMap;
use crate::data::judged::{Judged, Wanted};
use crate::data::scored::no_field;
use crate::stats::Interval;
use crate::stats::correlation::mean;
use crate::stats::pairwise::Draws;
use crate::stats::pairwise::position::{BothOrders, PositionBias, position_bias};
use crate::stats::pairwise::verdicts::{Agreement, Rows, agreement, ahead};

/// The judge beside length, on the same rows.
#[derive(Serialize)]
struct Figures {
    #[serde(flatten)]
    judge: Agreement,
    /// "The longer one wins", where every row tells both lengths.
    #[serde(skip_serializing_if = "Option::is_none")]
    longer: Option<Agreement>,
    /// Accuracy of the judge minus that of length, drawn together.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_of_longer: Option<Interval>,
}

#[derive(Serialize)]
struct Group {
    value: String,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct By {
    field: String,
    groups: Vec<Group>,
    /// Mean of the groups' accuracies.
    average: Option<f64>,
}

/// The verdicts of one order alone.
#[derive(Serialize)]
struct OneOrder {
    /// 1 where answer a is shown first.
    order: u8,
    #[serde(flatten)]
    agreement: Agreement,
}

#[derive(Serialize)]
struct Evaluated {
    file: PathBuf,
    /// Rows without a verdict or without the label, of them those that carry an error.
    left_out: usize,
    failed: usize,
    all: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    /// On the rows that tell of both orders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    orders: Vec<OneOrder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position_bias: Option<PositionBias>,
    /// Accuracy minus that of the first file, on the pairs that both have.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_of_first: Option<Interval>,
}

#[derive(Serialize)]
struct Report<'a> {
    label: &'a str,
    evaluated: Vec<Evaluated>,
}

/// One file and which rows draw together.
struct File<'a> {
    path: &'a Path,
    rows: Judged,
    cluster: Vec<usize>,
}

/// Evaluates; whether every gate was met.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let wanted = Wanted {
        label: Some(arguments.label.clone()),
        fields: arguments
            .by
            .iter()
            .chain(&arguments.cluster)
            .cloned()
            .collect(),
        only: arguments.only.clone(),
    };
    let mut files = Vec::new();
    for path in &arguments.scored {
        files.push(read(path, &wanted, arguments)?);
    }
    let mut evaluated: Vec<Evaluated> = Vec::new();
    for file in &files {
        let mut found = evaluate(file, arguments)?;
        if let Some(first) = files.first().filter(|_| !evaluated.is_empty()) {
            found.ahead_of_first = ahead_of(file, first, draws(arguments));
        }
        evaluated.push(found);
    }
    let below = |e: &Evaluated| {
        let bound = arguments.fail_below?;
        Some(e.all.judge.accuracy.is_none_or(|a| a.estimate < bound))
    };
    let met = !evaluated.iter().any(|e| below(e) == Some(true));
    let report = Report {
        label: &arguments.label,
        evaluated,
    };
    tell(&report, arguments.json, text)?;
    Ok(met)
}

fn draws(arguments: &Arguments) -> Draws {
    Draws {
        rounds: arguments.rounds,
        seed: arguments.seed,
    }
}

fn read<'a>(path: &'a Path, wanted: &Wanted, arguments: &Arguments) -> Result<File<'a>> {
    let mut rows = Judged::default();
    crate::cli::tell(&rows.read(path, &FieldMap::default(), wanted)?);
    let place = path.display();
    let some = |column: &[f64]| column.iter().any(|x| !x.is_nan());
    if rows.is_empty() {
        bail!("{place}: no row is left by --where");
    }
    if !some(&rows.verdict) {
        bail!("{place}: no row has a `winner`: judge the pairs with `juror pair` first");
    }
    if !some(&rows.label) {
        bail!(
            "{place}: no row has the label `{}`; `labels` and `meta` of the rows say which there are",
            arguments.label
        );
    }
    let cluster = rows.clusters(arguments.cluster.as_deref());
    let cluster = cluster.map_err(|cause| Error::msg(format!("{place}: {cause}")))?;
    Ok(File {
        path,
        rows,
        cluster,
    })
}

fn evaluate(file: &File, arguments: &Arguments) -> Result<Evaluated> {
    let (rows, draws) = (&file.rows, draws(arguments));
    let there = |row: &usize| !rows.verdict[*row].is_nan() && !rows.label[*row].is_nan();
    let kept: Vec<usize> = (0..rows.len()).filter(there).collect();
    if kept.is_empty() {
        bail!(
            "{}: no row has both a `winner` and the label",
            file.path.display()
        );
    }
    let longer = rows.longer();
    let by = match &arguments.by {
        None => None,
        Some(by) => {
            let names = rows.field(by);
            let names = names
                .ok_or_else(|| Error::msg(format!("{}: {}", file.path.display(), no_field(by))))?;
            let mut members = vec![Vec::new(); names.values.len()];
            for row in &kept {
                if let Some(name) = names.rows[*row] {
                    members[name as usize].push(*row);
                }
            }
            let groups = names.values.iter().zip(&members);
            let groups: Vec<Group> = groups
                .filter(|(_, members)| !members.is_empty())
                .map(|(value, members)| Group {
                    value: value.clone(),
                    figures: figures(file, &longer, members, draws),
                })
                .collect();
            let accuracies = groups.iter().filter_map(|g| g.figures.judge.accuracy);
            let accuracies: Vec<f64> = accuracies.map(|a| a.estimate).collect();
            Some(By {
                field: by.clone(),
                average: (!accuracies.is_empty()).then(|| mean(&accuracies)),
                groups,
            })
        }
    };
    // The order matters on pairs without a label too.
    let both: Vec<(usize, BothOrders)> = (0..rows.len())
        .filter_map(|row| {
            let order = rows.orders[row]?;
            let both = BothOrders {
                first: order.first,
                second: order.second,
                shift: order.shift,
            };
            Some((row, both))
        })
        .collect();
    let cluster: Vec<usize> = both.iter().map(|(row, _)| file.cluster[*row]).collect();
    let pairs: Vec<BothOrders> = both.iter().map(|(_, both)| *both).collect();
    let labelled: Vec<(usize, BothOrders)> = both
        .into_iter()
        .filter(|(row, _)| !rows.label[*row].is_nan())
        .collect();
    let alone = |of: fn(&BothOrders) -> f64| {
        let verdict: Vec<f64> = labelled.iter().map(|(_, both)| of(both)).collect();
        let own: Vec<usize> = labelled.iter().map(|(row, _)| *row).collect();
        agreed(file, &verdict, &own, draws)
    };
    let orders = match labelled.is_empty() {
        true => Vec::new(),
        false => vec![
            OneOrder {
                order: 1,
                agreement: alone(|both| both.first),
            },
            OneOrder {
                order: 2,
                agreement: alone(|both| both.second),
            },
        ],
    };
    Ok(Evaluated {
        file: file.path.to_path_buf(),
        left_out: rows.len() - kept.len(),
        failed: rows.failed,
        all: figures(file, &longer, &kept, draws),
        by,
        orders,
        position_bias: position_bias(&pairs, &cluster, draws),
        ahead_of_first: None,
    })
}

/// Agreement of verdicts, one for each of some rows.
fn agreed(file: &File, verdict: &[f64], rows: &[usize], draws: Draws) -> Agreement {
    let label: Vec<f64> = rows.iter().map(|row| file.rows.label[*row]).collect();
    let cluster: Vec<usize> = rows.iter().map(|row| file.cluster[*row]).collect();
    let rows = Rows {
        verdict,
        label: &label,
        cluster: &cluster,
    };
    agreement(&rows, draws)
}

fn figures(file: &File, longer: &[f64], rows: &[usize], draws: Draws) -> Figures {
    let pick = |column: &[f64]| rows.iter().map(|row| column[*row]).collect::<Vec<f64>>();
    let (verdict, longer) = (pick(&file.rows.verdict), pick(longer));
    let label = pick(&file.rows.label);
    let cluster: Vec<usize> = rows.iter().map(|row| file.cluster[*row]).collect();
    let as_rows = |verdict| Rows {
        verdict,
        label: &label,
        cluster: &cluster,
    };
    let told = !longer.iter().any(|x| x.is_nan());
    Figures {
        judge: agreement(&as_rows(&verdict), draws),
        longer: told.then(|| agreement(&as_rows(&longer), draws)),
        ahead_of_longer: told
            .then(|| ahead(&as_rows(&verdict), &as_rows(&longer), draws))
            .flatten(),
    }
}

/// Accuracy of one file's verdicts minus another's on the pairs that both have, found by their ids.
fn ahead_of(one: &File, other: &File, draws: Draws) -> Option<Interval> {
    let mut places: HashMap<u64, Option<usize>> = HashMap::new();
    for (row, key) in other.rows.key.iter().enumerate() {
        let place = places.entry(*key).or_insert(Some(row));
        if *place != Some(row) {
            *place = None;
        }
    }
    let mut seen = HashSet::new();
    let (mut ours, mut theirs, mut label, mut cluster) = (vec![], vec![], vec![], vec![]);
    for (row, key) in one.rows.key.iter().enumerate() {
        let Some(place) = places.get(key).copied().flatten() else {
            continue;
        };
        let columns = (
            one.rows.verdict[row],
            other.rows.verdict[place],
            one.rows.label[row],
        );
        if seen.insert(*key) && !(columns.0 + columns.1 + columns.2).is_nan() {
            ours.push(columns.0);
            theirs.push(columns.1);
            label.push(columns.2);
            cluster.push(one.cluster[row]);
        }
    }
    let rows = |verdict| Rows {
        verdict,
        label: &label,
        cluster: &cluster,
    };
    ahead(&rows(&ours), &rows(&theirs), draws)
}

fn text(report: &Report) -> String {
    let several = report.evaluated.len() > 1;
    let mut out = format!(
        "against `{}`, 95 % intervals by bootstrap; accuracy on rows that the label decides, a verdict of a tie counts ½; κ \
         of a, b and tie on all rows\n",
        report.label
    );
    for e in &report.evaluated {
        if several {
            out += &format!("\n{}\n", e.file.display());
        }
        let mut lines = vec![head(&["judge", "rows", "decided", "ties", "accuracy", "κ"])];
        lines.push(line("all", &e.all.judge));
        lines.extend(e.orders.iter().map(|one| {
            let name = match one.order {
                1 => "order 1 alone (a first)",
                _ => "order 2 alone (b first)",
            };
            line(name, &one.agreement)
        }));
        lines.extend(e.all.longer.iter().map(|l| line("the longer one wins", l)));
        out += "\n";
        out += &table(&lines);
        let ahead = [
            ("ahead of the longer one by", e.all.ahead_of_longer),
            ("ahead of the first file by", e.ahead_of_first),
        ];
        for (what, found) in ahead {
            if let Some(found) = found {
                out += &format!("{what} {}\n", interval(Some(found)));
            }
        }
        if let Some(by) = &e.by {
            out += "\n";
            out += &table(&grouped(by));
        }
        if let Some(bias) = &e.position_bias {
            out += "\n";
            out += &table(&position(bias));
        }
        if e.left_out > 0 {
            let failed = match e.failed {
                0 => String::new(),
                failed => format!(" ({failed} of them failed)"),
            };
            out += &format!(
                "\n{} rows have no verdict or no label and are left out{failed}\n",
                e.left_out
            );
        }
    }
    out
}

fn head(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn line(name: &str, found: &Agreement) -> Vec<String> {
    let counts = [found.rows, found.decided, found.ties].map(|count| count.to_string());
    let figures = [found.accuracy, found.kappa].map(interval);
    std::iter::once(name.to_owned())
        .chain(counts)
        .chain(figures)
        .collect()
}

fn grouped(by: &By) -> Vec<Vec<String>> {
    let names = [
        "rows",
        "decided",
        "ties",
        "accuracy",
        "κ",
        "the longer one wins",
    ];
    let mut lines = vec![head(&[&[by.field.as_str()], &names[..]].concat())];
    for group in &by.groups {
        let mut cells = line(&group.value, &group.figures.judge);
        cells.push(interval(group.figures.longer.and_then(|l| l.accuracy)));
        lines.push(cells);
    }
    let mut average = head(&["average", "", "", ""]);
    average.push(figure(by.average));
    lines.push(average);
    lines
}

fn position(bias: &PositionBias) -> Vec<Vec<String>> {
    let names = [
        "position bias",
        "pairs",
        "same verdict",
        "flipped",
        "of all: first wins both",
        "mean shift to the first",
        "mean size",
    ];
    let cells = vec![
        "both orders".to_owned(),
        bias.pairs.to_string(),
        interval(Some(bias.consistent)),
        interval(Some(bias.flipped)),
        figure(Some(bias.first_wins_both)),
        interval(Some(bias.mean_shift)),
        figure(Some(bias.mean_size)),
    ];
    vec![head(&names), cells]
}
