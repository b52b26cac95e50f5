//! `juror rank` of judged pairs.

use std::path::PathBuf;

use anyhow::{Error, Result, bail};
use serde::Serialize;

use super::Arguments;
use super::leaderboard::{self, Against, Leaderboard};
use super::pairs_text::text;
use crate::cli::output::tell;
use crate::data;
use crate::data::judged::{Judged, Wanted};
use crate::stats::Interval;
use crate::stats::pairwise::bradley_terry::{ANCHOR, Missing, POINTS};
use crate::stats::pairwise::length_controlled::{self, length_controlled};
use crate::stats::pairwise::position::{BothOrders, PositionBias, position_bias};
use crate::stats::pairwise::{Draws, Games, WinMatrix, ratings, win_rates};

/// One generator's place.
#[derive(Serialize)]
pub struct Rated {
    pub generator: String,
    /// 1 + the number of generators whose interval lies wholly above.
    pub rank: usize,
    pub rating: Option<Interval>,
    pub comparisons: usize,
    /// Of all its comparisons.
    pub win_rate: Interval,
    /// Mean characters of its answers, where rows tell.
    pub mean_length: Option<f64>,
}

/// What the ratings are counted in.
#[derive(Serialize)]
pub struct Scale {
    /// Points for each unit of the logit.
    pub points: f64,
    /// Who has `rating`; `null` where that is the mean of all.
    pub anchor: Option<String>,
    pub rating: f64,
}

/// Who wins how often against whom, in the order of `generators`.
#[derive(Serialize)]
pub struct Matrix {
    pub generators: Vec<String>,
    /// The row's generator against the column's; `null` where they were not compared.
    pub win_rate: Vec<Vec<Option<f64>>>,
    pub count: Vec<Vec<usize>>,
}

#[derive(Serialize)]
pub struct Controlled {
    pub generator: String,
    #[serde(flatten)]
    pub found: length_controlled::LengthControlled,
}

#[derive(Serialize)]
pub struct LengthControlled {
    pub baseline: String,
    pub difficulty_kept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difficulty_left_out: Option<String>,
    pub generators: Vec<Controlled>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaderboard: Vec<Against>,
}

#[derive(Serialize)]
pub struct Report {
    /// `winner`, or the label that is the verdict.
    pub verdict: String,
    pub comparisons: usize,
    pub instructions: usize,
    /// Rows without a verdict or without two different generators.
    pub left_out: usize,
    pub scale: Scale,
    /// By falling rating, or by falling win rate where there are no ratings.
    pub ranking: Vec<Rated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_ratings: Option<String>,
    /// Draws of the bootstrap without ratings, left out of their intervals.
    pub rounds_left_out: usize,
    pub matrix: Matrix,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_controlled: Option<LengthControlled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_bias: Option<PositionBias>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaderboard: Vec<Against>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_on_leaderboard: Vec<String>,
}

/// Comparisons by column, of generators that have some.
#[derive(Default)]
struct Columns {
    one: Vec<usize>,
    other: Vec<usize>,
    won: Vec<f64>,
    instruction: Vec<usize>,
    length_one: Vec<f64>,
    length_other: Vec<f64>,
    names: Vec<String>,
    left_out: usize,
}

impl Columns {
    fn games(&self) -> Games<'_> {
        Games {
            one: &self.one,
            other: &self.other,
            won: &self.won,
            instruction: &self.instruction,
            generators: self.names.len(),
        }
    }

    fn mean_length(&self, generator: usize) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        let sides = [
            (&self.one, &self.length_one),
            (&self.other, &self.length_other),
        ];
        for (generators, lengths) in sides {
            let own = generators.iter().zip(lengths);
            for (_, length) in own.filter(|(g, length)| **g == generator && !length.is_nan()) {
                sum += length;
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }
}

pub fn run(arguments: &Arguments, files: &[PathBuf], leaderboard: &Leaderboard) -> Result<()> {
    for (given, flag) in [
        (arguments.scoring.signal.is_some(), "--signal"),
        (arguments.scoring.scored.is_some(), "--scored"),
    ] {
        if given {
            bail!("{flag} is for scores: these are judged pairs");
        }
    }
    let rows = read(arguments, files)?;
    let cluster = rows.clusters(arguments.cluster.as_deref());
    let columns = columns(&rows, &cluster.map_err(Error::msg)?, arguments)?;
    let draws = Draws {
        rounds: arguments.rounds,
        seed: arguments.seed,
    };
    let baseline = match &arguments.baseline {
        None => None,
        Some(name) => Some(
            columns
                .names
                .iter()
                .position(|n| n == name)
                .ok_or_else(|| {
                    let known = columns.names.join(", ");
                    Error::msg(format!(
                        "--baseline {name}: no such generator; there are {known}"
                    ))
                })?,
        ),
    };
    let games = columns.games();
    let correlations = |values: &[f64]| leaderboard.correlations(&columns.names, values);
    let rated = ratings(&games, baseline, draws, correlations);
    let (found, missing) = match rated {
        Ok(found) => (Some(found), None),
        Err(missing) => (None, Some(why(&missing, &columns.names))),
    };
    let everyone = vec![true; columns.names.len()];
    let against = found.as_ref().map_or_else(Vec::new, |found| {
        leaderboard.told(&columns.names, &everyone, &found.further)
    });
    leaderboard::some_known(&against)?;
    let won = win_rates::intervals(&games, draws);
    let matrix = WinMatrix::of_all(&games);
    let ratings = found.as_ref().map(|found| &found.ratings[..]);
    let order = order(ratings.unwrap_or(&won));
    let distinct: std::collections::HashSet<usize> = columns.instruction.iter().copied().collect();
    let report = Report {
        verdict: arguments.label.clone().unwrap_or_else(|| "winner".into()),
        comparisons: columns.won.len(),
        instructions: distinct.len(),
        left_out: columns.left_out,
        scale: Scale {
            points: POINTS,
            anchor: arguments.baseline.clone(),
            rating: ANCHOR,
        },
        ranking: order
            .iter()
            .map(|generator| Rated {
                generator: columns.names[*generator].clone(),
                rank: rank(ratings.unwrap_or(&won), &order, *generator),
                rating: ratings.map(|all| all[*generator]),
                comparisons: matrix.count_against_all(*generator) as usize,
                win_rate: won[*generator],
                mean_length: columns.mean_length(*generator),
            })
            .collect(),
        rounds_left_out: found.as_ref().map_or(0, |found| found.rounds_left_out),
        matrix: laid_out(&matrix, &order, &columns.names),
        length_controlled: baseline
            .map(|baseline| controlled(&columns, baseline, draws, leaderboard)),
        position_bias: bias(&rows, arguments, draws)?,
        leaderboard: against,
        not_on_leaderboard: leaderboard.without(&columns.names),
        no_ratings: missing,
    };
    tell(&report, arguments.json, text)?;
    // All else is told; that what was asked for is not there is an error all the same.
    match report.no_ratings {
        Some(why) => Err(Error::msg(why)),
        None => Ok(()),
    }
}

fn read(arguments: &Arguments, files: &[PathBuf]) -> Result<Judged> {
    let options = arguments.scoring.data.options()?;
    let wanted = Wanted {
        label: arguments.label.clone(),
        fields: arguments.cluster.iter().cloned().collect(),
        only: arguments.only.clone(),
    };
    let mut rows = Judged::default();
    for file in data::discover(files)? {
        let errors = rows.read(&file, &options.fields, &wanted)?;
        crate::cli::tell(&errors);
        if let Some(first) = errors.first().filter(|_| options.strict) {
            bail!("{first}");
        }
    }
    if rows.is_empty() {
        bail!("no row is left by --where");
    }
    Ok(rows)
}

fn columns(rows: &Judged, cluster: &[usize], arguments: &Arguments) -> Result<Columns> {
    let verdict = match &arguments.label {
        Some(_) => &rows.label,
        None => &rows.verdict,
    };
    let mut found = Columns::default();
    let mut places = vec![None; rows.generators.len()];
    for (row, won) in verdict.iter().enumerate() {
        let sides = (rows.generator_a[row], rows.generator_b[row]);
        let (Some(a), Some(b)) = sides else {
            found.left_out += 1;
            continue;
        };
        if a == b || won.is_nan() {
            found.left_out += 1;
            continue;
        }
        let mut place = |name: u32| {
            *places[name as usize].get_or_insert_with(|| {
                found.names.push(rows.generators[name as usize].clone());
                found.names.len() - 1
            })
        };
        let (a, b) = (place(a), place(b));
        found.one.push(a);
        found.other.push(b);
        found.won.push(*won);
        found.instruction.push(cluster[row]);
        found.length_one.push(rows.length_a[row]);
        found.length_other.push(rows.length_b[row]);
    }
    if found.won.is_empty() {
        match &arguments.label {
            Some(label) => bail!(
                "no row has two generators and the label `{label}`; `labels` and `meta` of the rows say which there are"
            ),
            None => bail!(
                "no row has two generators and a `winner`: judge the pairs with `juror pair`, or take a label with --label"
            ),
        }
    }
    Ok(found)
}

/// Generators by falling estimate.
fn order(values: &[Interval]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].estimate.total_cmp(&values[*a].estimate));
    order
}

/// 1 + how many lie wholly above; the place where there are no intervals.
fn rank(values: &[Interval], order: &[usize], generator: usize) -> usize {
    let own = values[generator];
    let above = |other: &&usize| match own.high.is_nan() {
        true => values[**other].estimate > own.estimate,
        false => values[**other].low > own.high,
    };
    1 + order.iter().filter(above).count()
}

fn laid_out(matrix: &WinMatrix, order: &[usize], names: &[String]) -> Matrix {
    let square = |one: &usize| order.iter().map(|other| (*one, *other)).collect::<Vec<_>>();
    let (mut win_rate, mut count) = (Vec::new(), Vec::new());
    for line in order.iter().map(square) {
        let rate = |(a, b): &(usize, usize)| matrix.rate(*a, *b);
        win_rate.push(line.iter().map(rate).collect());
        let times = |(a, b): &(usize, usize)| matrix.count(*a, *b) as usize;
        count.push(line.iter().map(times).collect());
    }
    Matrix {
        generators: order.iter().map(|at| names[*at].clone()).collect(),
        win_rate,
        count,
    }
}

fn controlled(
    columns: &Columns,
    baseline: usize,
    draws: Draws,
    leaderboard: &Leaderboard,
) -> LengthControlled {
    let lengths = (&columns.length_one[..], &columns.length_other[..]);
    let found = length_controlled(&columns.games(), lengths, baseline, draws, |values| {
        leaderboard.correlations(&columns.names, values)
    });
    let mut fitted = vec![false; columns.names.len()];
    for one in &found.generators {
        fitted[one.generator] = one.length_controlled.is_some();
    }
    let mut generators: Vec<Controlled> = found
        .generators
        .into_iter()
        .map(|found| Controlled {
            generator: columns.names[found.generator].clone(),
            found,
        })
        .collect();
    let key = |c: &Controlled| {
        let rate = c.found.length_controlled.map(|rate| rate.estimate);
        rate.unwrap_or(f64::NEG_INFINITY)
    };
    generators.sort_by(|a, b| key(b).total_cmp(&key(a)));
    LengthControlled {
        baseline: columns.names[baseline].clone(),
        difficulty_kept: found.difficulty_kept,
        difficulty_left_out: found.difficulty_left_out,
        generators,
        leaderboard: leaderboard.told(&columns.names, &fitted, &found.further),
    }
}

fn bias(rows: &Judged, arguments: &Arguments, draws: Draws) -> Result<Option<PositionBias>> {
    let cluster = rows.clusters(arguments.cluster.as_deref());
    let cluster = cluster.map_err(Error::msg)?;
    let told = rows.orders.iter().zip(cluster);
    let told = told.filter_map(|(order, cluster)| {
        let order = (*order)?;
        let both = BothOrders {
            first: order.first,
            second: order.second,
            shift: order.shift,
        };
        Some((both, cluster))
    });
    let (pairs, cluster): (Vec<BothOrders>, Vec<usize>) = told.unzip();
    Ok(position_bias(&pairs, &cluster, draws))
}

/// Why there are no ratings, with the generators' names.
fn why(missing: &Missing, names: &[String]) -> String {
    const SHOWN: usize = 6;
    let Missing::Apart(groups) = missing else {
        return format!("no Bradley–Terry ratings: {missing}");
    };
    let shorten = |mut parts: Vec<String>, joint: &str| {
        let more = parts.len().saturating_sub(SHOWN);
        parts.truncate(SHOWN);
        let rest = match more {
            0 => String::new(),
            more => format!("{joint}… {more} more"),
        };
        parts.join(joint) + &rest
    };
    let group = |group: &Vec<usize>| {
        let own = group.iter().map(|at| names[*at].clone()).collect();
        format!("{{{}}}", shorten(own, ", "))
    };
    format!(
        "no Bradley–Terry ratings: the comparisons fall into {} groups, {}; between two of them there are no comparisons, or \
         one side won them all, so that some rating would be infinite. Compare more generators across the groups, or leave \
         some out",
        groups.len(),
        shorten(groups.iter().map(group).collect(), " and ")
    )
}
