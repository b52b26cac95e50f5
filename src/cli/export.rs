//! `juror export DATA… -o FILE --as records|labels|pairs`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::DataArguments;
use super::output::spare;
use crate::data::export::{self, Format, PairRule};
use crate::data::{self, DataSet, ReadOptions, Record, Response};
use crate::store::{Journal, Store, tables};

/// Data as a table: JSON lines, CSV or Parquet, as the output's name ends.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    /// A file that ends in .jsonl, .csv, .tsv (also .gz or .zst behind these) or .parquet; `-` is standard output,
    /// as JSON lines
    #[arg(short, long)]
    output: PathBuf,
    /// What a row is
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Kind,
    /// With `--as labels`: this annotator's alone
    #[arg(long, value_name = "NAME")]
    annotator: Option<String>,
    #[command(flatten)]
    pairs: PairArguments,
}

/// What a row of the table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A response, with everything that is known of it
    Records,
    /// What one annotator said of one response
    Labels,
    /// Two responses of which one has the higher label in the data
    Pairs,
}

/// Which responses make a pair.
#[derive(Args)]
pub struct PairArguments {
    /// With `--as pairs`: the label that tells the better response
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// With `--as pairs`: how far apart two labels are at least; 0 is any difference
    #[arg(long, default_value_t = 0.0)]
    margin: f64,
    /// With `--as pairs`: of each record the best and the worst response alone
    #[arg(long)]
    best_worst: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let set = read(
        &arguments.data.data,
        &arguments.data.options()?,
        &arguments.output,
    )?;
    let output = arguments.output.as_path();
    match arguments.kind {
        Kind::Records => write(output, || export::records(&set.records)),
        Kind::Labels => {
            let journal = journal(arguments.annotator.as_deref())?;
            write_labels(output, &journal, &set, arguments.annotator.as_deref())
        }
        Kind::Pairs => {
            let label = arguments.pairs.label(&names(&set))?;
            let value = |_: &Record, response: &Response| response.labels.get(label).copied();
            arguments.pairs.write(output, &set, value)
        }
    }
}

/// Reads data that an output must not lie on.
///
/// # Errors
/// Data that cannot be read, and an output whose name tells no format.
pub fn read(data: &[PathBuf], options: &ReadOptions, output: &Path) -> Result<DataSet> {
    // Before anything is read that may take long.
    Format::of(output)?;
    let files = data::discover(data)?;
    spare(&files, [Some(&output.to_path_buf())])?;
    let set = data::read(&files, options)?;
    super::tell(&set.errors);
    Ok(set)
}

/// What all annotators said.
///
/// # Errors
/// A store that cannot be opened; a name that said nothing.
pub fn journal(annotator: Option<&str>) -> Result<Journal> {
    let journal = Journal::of(Store::open()?.events()?);
    check(annotator, &journal.annotators())?;
    Ok(journal)
}

/// Refuses the name of nobody.
///
/// # Errors
/// A name that is not among those known, with these.
pub fn check(annotator: Option<&str>, known: &[&str]) -> Result<()> {
    match annotator {
        Some(name) if !known.contains(&name) => bail!(
            "--annotator {name}: no annotations by that name; there are {}",
            listed(known)
        ),
        _ => Ok(()),
    }
}

/// Writes what annotators said of the data, and tells what they said of other data.
///
/// # Errors
/// Nothing to write, and what writing says.
pub fn write_labels(
    output: &Path,
    journal: &Journal,
    set: &DataSet,
    annotator: Option<&str>,
) -> Result<()> {
    if tables::labels(journal, &set.records, annotator)
        .next()
        .is_none()
    {
        bail!(
            "nothing was said of these data: annotate them in the explorer, or bring annotations here with `juror \
             annotations import`; responses are found by their texts"
        );
    }
    write(output, || tables::labels(journal, &set.records, annotator))?;
    let elsewhere = tables::elsewhere(journal, &set.records, annotator);
    if elsewhere > 0 {
        note!(
            "juror: annotations of {elsewhere} responses that are not in these data are left out"
        );
    }
    Ok(())
}

impl PairArguments {
    /// The label, which must be one of those that there are.
    ///
    /// # Errors
    /// No label, one that is not there, or a margin that is no distance; with the labels there are.
    pub fn label<'a>(&'a self, known: &[String]) -> Result<&'a str> {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        if !(self.margin.is_finite() && self.margin >= 0.0) {
            bail!("--margin {}: a number from 0 on expected", self.margin);
        }
        match self.label.as_deref() {
            None => bail!(
                "--as pairs: which label tells the better response? give --label NAME; there are {}",
                listed(&known)
            ),
            Some(label) if !known.contains(&label) => bail!(
                "--label {label}: no response has that label; there are {} (in the data, other fields become labels \
                 with --labels NAME,…)",
                listed(&known)
            ),
            Some(label) => Ok(label),
        }
    }

    /// Writes the pairs.
    ///
    /// # Errors
    /// Not a single pair, and what writing says.
    pub fn write(
        &self,
        output: &Path,
        set: &DataSet,
        value: impl Fn(&Record, &Response) -> Option<f64>,
    ) -> Result<()> {
        let rule = PairRule {
            margin: self.margin,
            best_worst: self.best_worst,
        };
        let pairs = || export::pairs(&set.records, rule, &value);
        if pairs().next().is_none() {
            bail!(
                "no two responses to one record differ by {} in `{}`: there is no pair to write; give a smaller \
                 --margin or another --label",
                match self.margin > 0.0 {
                    true => format!("{} or more", self.margin),
                    false => "anything".to_owned(),
                },
                self.label.as_deref().unwrap_or_default()
            );
        }
        write(output, pairs)
    }
}

/// The labels of the data.
fn names(set: &DataSet) -> Vec<String> {
    let responses = set.records.iter().flat_map(|record| &record.responses);
    let names = responses.flat_map(|response| response.labels.keys().cloned());
    let names: std::collections::BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

fn write<I>(output: &Path, rows: impl Fn() -> I) -> Result<()>
where
    I: Iterator<Item = export::Row>,
{
    let count = export::write(output, rows)?;
    note!("juror: {count} rows written");
    Ok(())
}
