//! A leaderboard to compare an order of generators with.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::cli::table::{interval, table};
use crate::stats::{Interval, kendall, spearman};

/// Columns of a CSV by the name in its first.
#[derive(Default)]
pub struct Leaderboard {
    pub columns: Vec<Column>,
}

/// One column; generators with an empty cell are not there.
pub struct Column {
    pub name: String,
    values: HashMap<String, f64>,
}

/// How generators go with one column of the leaderboard.
#[derive(Serialize)]
pub struct Against {
    pub column: String,
    /// Those that have a value there.
    pub generators: usize,
    pub spearman: Option<Interval>,
    pub kendall: Option<Interval>,
}

impl Column {
    /// The values of generators, NaN where there is none.
    pub fn of(&self, names: &[String]) -> Vec<f64> {
        let value = |name: &String| self.values.get(name).copied().unwrap_or(f64::NAN);
        names.iter().map(value).collect()
    }
}

impl Leaderboard {
    /// Reads wanted columns.
    ///
    /// # Errors
    /// A file that cannot be read, a column that is not there, a cell that is no number, a name that is there twice.
    pub fn read(path: &Path, wanted: &[String]) -> Result<Self> {
        let place = || path.display().to_string();
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_path(path)
            .with_context(place)?;
        let head = reader.headers().with_context(place)?.clone();
        let there = head.iter().skip(1).collect::<Vec<_>>().join(", ");
        if wanted.is_empty() {
            bail!(
                "{}: name a column with --column; there are {there}",
                path.display()
            );
        }
        let mut found = Vec::new();
        for name in wanted {
            let Some(at) = head.iter().position(|column| column.trim() == name) else {
                bail!("{}: no column `{name}`; there are {there}", path.display());
            };
            let column = Column {
                name: name.clone(),
                values: HashMap::new(),
            };
            found.push((column, at));
        }
        for row in reader.records() {
            let row = row.with_context(place)?;
            let line = row.position().map_or(0, csv::Position::line);
            let name = row.get(0).unwrap_or_default().trim();
            for (column, at) in &mut found {
                let cell = row.get(*at).unwrap_or_default().trim();
                if cell.is_empty() {
                    continue;
                }
                let Ok(value) = cell.parse::<f64>() else {
                    bail!(
                        "{}:{line}: column `{}`: `{cell}` is no number",
                        path.display(),
                        column.name
                    );
                };
                if column.values.insert(name.to_owned(), value).is_some() {
                    bail!("{}:{line}: `{name}` is there twice", path.display());
                }
            }
        }
        Ok(Leaderboard {
            columns: found.into_iter().map(|(column, _)| column).collect(),
        })
    }

    /// Generators that it does not have; none where there is no leaderboard.
    pub fn without(&self, names: &[String]) -> Vec<String> {
        let has = |name: &&String| self.columns.iter().any(|c| c.values.contains_key(*name));
        let missing = names.iter().filter(|name| !has(name)).cloned();
        missing.filter(|_| !self.columns.is_empty()).collect()
    }

    /// Spearman's and Kendall's correlation of numbers of generators with each column in turn, over those that have both;
    /// NaN where undefined.
    pub fn correlations(&self, names: &[String], values: &[f64]) -> Vec<f64> {
        let of = |column: &Column| {
            let both = values.iter().copied().zip(column.of(names));
            let both = both.filter(|(ours, theirs)| !ours.is_nan() && !theirs.is_nan());
            let (ours, theirs): (Vec<f64>, Vec<f64>) = both.unzip();
            [spearman, kendall].map(|of| of(&ours, &theirs).unwrap_or(f64::NAN))
        };
        self.columns.iter().flat_map(of).collect()
    }

    /// What [`Leaderboard::correlations`] found, with `count` generators that are there by column.
    pub fn told(&self, names: &[String], is_there: &[bool], found: &[Interval]) -> Vec<Against> {
        let each = self.columns.iter().zip(found.chunks(2));
        each.map(|(column, found)| {
            let known = column.of(names);
            let known = known.iter().zip(is_there);
            let defined = |at: usize| found.get(at).copied().filter(|i| !i.estimate.is_nan());
            Against {
                column: column.name.clone(),
                generators: known.filter(|(x, there)| **there && !x.is_nan()).count(),
                spearman: defined(0),
                kendall: defined(1),
            }
        })
        .collect()
    }
}

/// That some generator is on the leaderboard.
///
/// # Errors
/// None is.
pub fn some_known(against: &[Against]) -> Result<()> {
    if !against.is_empty() && against.iter().all(|a| a.generators == 0) {
        bail!(
            "no generator is named in the leaderboard's first column: is the name in another one?"
        );
    }
    Ok(())
}

/// As a table of what goes with it, and who is missing; nothing without a leaderboard.
pub fn text(what: &str, against: &[Against], missing: &[String]) -> String {
    let mut out = String::new();
    if !against.is_empty() {
        let head = [what, "generators", "Spearman", "Kendall τ-b"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for against in against {
            let mut line = vec![against.column.clone(), against.generators.to_string()];
            line.extend([against.spearman, against.kendall].map(interval));
            lines.push(line);
        }
        out += "\n";
        out += &table(&lines);
    }
    if !missing.is_empty() {
        out += &format!("not on the leaderboard: {}\n", missing.join(", "));
    }
    out
}
