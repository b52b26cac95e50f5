//! `juror report SCORED… -o report.html`

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use clap::Args;

use super::bound::{self, Bound, parse_where};
use super::columns;
use super::output::{spare, write_to};
use crate::data::scored::{Names, Origin, Scored, Wanted, no_field, quality_name};
use crate::report::{self, Asked, Cut, Facts, Good, Label, Report, Rows, Section, Slices};
use crate::stats::preset::{Preset, Source};

/// Figures and plots of scores as one HTML file that loads nothing.
#[derive(Args)]
pub struct Arguments {
    /// Files that `juror score` wrote; several stand side by side
    #[arg(required = true)]
    scored: Vec<PathBuf>,
    /// Where the page goes; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// The label to compare with; without it, that of the preset, else the first that rows have
    #[arg(long)]
    label: Option<String>,
    /// Which labels are good, as in ">=6"; without it, those of the preset
    #[arg(long, value_parser = Bound::parse)]
    good: Option<Bound>,
    /// The signal; without it, that of the preset, else `fused` if every row has it, else `self_eval`
    #[arg(long)]
    signal: Option<String>,
    /// Slices by this field; without it, by `category` where rows have one
    #[arg(long)]
    by: Option<String>,
    /// From which score on to answer: a number, or a preset of `juror threshold`
    #[arg(long, value_name = "NUMBER|PRESET", allow_hyphen_values = true)]
    threshold: Option<String>,
    /// What the page is called
    #[arg(long)]
    title: Option<String>,
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
    /// The figures as one JSON object on standard output, too
    #[arg(long)]
    json: bool,
}

/// Where rows are sliced if nobody says by what.
const CATEGORY: &str = "category";

/// Where to cut.
enum Threshold {
    Number(f64),
    Preset { path: PathBuf, preset: Box<Preset> },
}

impl Threshold {
    fn parse(text: &str) -> Result<Self> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Threshold::Number(number)),
            Ok(wrong) => bail!("--threshold {wrong}: a number expected that scores can reach"),
            Err(_) => Ok(Threshold::Preset {
                path: text.into(),
                preset: Box::new(bound::preset(Path::new(text))?),
            }),
        }
    }

    fn preset(&self) -> Option<&Preset> {
        match self {
            Threshold::Number(_) => None,
            Threshold::Preset { preset, .. } => Some(preset),
        }
    }
}

/// Reads, gathers and writes.
///
/// # Errors
/// What reading and writing say; a label, signal or field that no row has; a preset that holds for other scores.
pub fn run(arguments: &Arguments) -> Result<()> {
    let to_stdout = arguments.output == Path::new("-");
    if to_stdout && arguments.json {
        bail!("--json writes to standard output: name a file for the page with -o");
    }
    spare(&arguments.scored, [Some(&arguments.output)])?;
    let threshold = arguments.threshold.as_deref().map(Threshold::parse);
    let threshold = threshold.transpose()?;
    let sections: Result<Vec<Section>> = arguments
        .scored
        .iter()
        .map(|path| section(path, arguments, threshold.as_ref()))
        .collect();
    let report = Report {
        title: arguments.title.clone().unwrap_or_else(|| title(arguments)),
        version: env!("CARGO_PKG_VERSION").into(),
        made: report::utc(crate::store::now()),
        sections: sections?,
    };
    let page = report::render(&report)?;
    write_to(&arguments.output, |out| Ok(out.write_all(page.as_bytes())?))?;
    match (to_stdout, arguments.json) {
        (true, _) => Ok(()),
        (false, true) => super::output::tell(&report, true, |_| String::new()),
        (false, false) => super::output::tell(&report, false, |report| said(report, arguments)),
    }
}

/// One line for who waits.
fn said(report: &Report, arguments: &Arguments) -> String {
    let rows: usize = report.sections.iter().map(|s| s.figures.scored).sum();
    let of = report.sections.first().map(|s| &s.figures);
    let label = of.and_then(|f| f.label.as_ref());
    format!(
        "{}: {rows} scored rows, signal {}, {}\n",
        arguments.output.display(),
        of.map_or("", |f| f.signal.as_str()),
        label.map_or_else(|| "no label".into(), |name| format!("label {name}"))
    )
}

fn title(arguments: &Arguments) -> String {
    const NAMED: usize = 3;
    let names = arguments.scored.iter().map(|path| file_name(path));
    let mut names: Vec<String> = names.take(NAMED).collect();
    if arguments.scored.len() > NAMED {
        names.push("…".into());
    }
    format!("Judge report: {}", names.join(", "))
}

/// A report goes to others: folders of this machine are none of their business.
fn file_name(path: &Path) -> String {
    match path.file_name() {
        _ if path == Path::new("-") => "standard input".into(),
        Some(name) => name.to_string_lossy().into_owned(),
        None => "rows".into(),
    }
}

/// The name of a model without the folder it lies in.
fn model_name(name: &str) -> String {
    let bare = |part: &str| match part.trim().starts_with("hf:") {
        true => part.to_owned(),
        false => part.rsplit(['/', '\\']).next().unwrap_or(part).to_owned(),
    };
    // An adapter's name stands behind a plus, further judges behind a comma.
    let parts = name.split_inclusive(['+', ',']);
    parts.map(bare).collect()
}

fn section(path: &Path, arguments: &Arguments, threshold: Option<&Threshold>) -> Result<Section> {
    let place = || path.display().to_string();
    let by = arguments.by.clone().unwrap_or_else(|| CATEGORY.into());
    let preset = threshold.and_then(Threshold::preset);
    let asked_label = arguments.label.clone();
    let label = asked_label.or_else(|| preset.map(|preset| preset.label.clone()));
    let wanted = Wanted {
        label,
        fields: std::iter::once(by.clone())
            .chain(arguments.cluster.clone())
            .collect(),
        only: arguments.only.clone(),
        surface: false,
    };
    let (rows, unreadable) = columns::read(path, &wanted)?;
    if let Some(asked) = arguments
        .label
        .as_ref()
        .filter(|_| !columns::is_labelled(&rows))
    {
        return Err(columns::no_label(path, asked));
    }
    let signal = signal(&rows, arguments, preset).with_context(place)?;
    let cut = threshold.map(|threshold| cut(threshold, &rows, &signal));
    let slices = rows.field(&by).map(|names| slices(&by, names));
    if arguments.by.is_some() && slices.is_none() {
        bail!("{}: {}", path.display(), no_field(&by));
    }
    let columns = Rows {
        signal: quality_name(&signal),
        scores: rows.quality(&signal).map_err(Error::msg)?,
        range: columns::scale(&rows, &signal),
        label: label_of(&rows, arguments, preset)?,
        clusters: rows
            .clusters(arguments.cluster.as_deref())
            .map_err(Error::msg)
            .with_context(place)?,
        slices,
    };
    let asked = Asked {
        rounds: arguments.rounds,
        seed: arguments.seed,
        cut: cut.transpose()?,
    };
    let only = arguments.only.iter();
    let mut facts = facts(&rows, &signal);
    facts.name = file_name(path);
    facts.unreadable = unreadable;
    facts.only = only
        .map(|(field, value)| format!("{field}={value}"))
        .collect();
    Ok(Section {
        figures: report::figures(&columns, &asked).with_context(place)?,
        facts,
    })
}

/// The signal asked for; one that is to be cut must rise with quality.
fn signal(rows: &Scored, arguments: &Arguments, preset: Option<&Preset>) -> Result<String> {
    let asked = arguments.signal.as_deref();
    let asked = asked.or_else(|| preset.map(|preset| preset.signal.as_str()));
    match (&arguments.threshold, asked) {
        (None, Some(asked)) => {
            rows.signal(asked).map_err(Error::msg)?;
            Ok(asked.to_owned())
        }
        _ => Ok(columns::answering(rows, asked)?.to_owned()),
    }
}

/// The cut for these rows.
fn cut(threshold: &Threshold, rows: &Scored, signal: &str) -> Result<Cut> {
    match threshold {
        Threshold::Number(number) => Ok(Cut {
            threshold: *number,
            origin: None,
        }),
        Threshold::Preset { path, preset } => {
            let source = Source {
                fusion: rows.fusion.clone().unwrap_or_default(),
                embedder: rows.embedder.clone().unwrap_or_default(),
            };
            let judge = rows.judge.as_deref().unwrap_or_default();
            if let Some(cause) = preset.mismatch(&[signal], judge, &source) {
                bail!("{}: {cause}", path.display());
            }
            if let Some(mode) = rows.modes.iter().find(|mode| !preset.covers(mode)) {
                bail!(
                    "{}: it was calibrated on rows of another mode than `{mode}`: leave these out (`--where mode={}`), or \
                     calibrate again with `juror threshold`",
                    path.display(),
                    preset.modes.first().map_or("", String::as_str)
                );
            }
            if rows.mixed {
                bail!(
                    "{}: it holds for one judge, template and embedder, and these rows are of several: pick one with \
                     --where",
                    path.display()
                );
            }
            Ok(Cut {
                threshold: preset.threshold,
                origin: Some(match preset.calibrated_on {
                    0 => format!("by the preset {}, set by hand", file_name(path)),
                    calibrated => format!(
                        "by the preset {}, calibrated on {} rows ({} {}); rows that calibrated it make it look better than \
                     it is",
                        file_name(path),
                        calibrated,
                        preset.label,
                        preset.good
                    ),
                }),
            })
        }
    }
}

/// The label, where a row has it, and which are good, where it is said.
fn label_of(
    rows: &Scored,
    arguments: &Arguments,
    preset: Option<&Preset>,
) -> Result<Option<Label>> {
    let Some(name) = rows
        .label_name
        .clone()
        .filter(|_| columns::is_labelled(rows))
    else {
        return Ok(None);
    };
    let of_preset = preset.filter(|preset| preset.label == name);
    let bound = match (&arguments.good, of_preset) {
        (Some(bound), _) => Some(bound.clone()),
        (None, Some(preset)) => Some(Bound::parse(&preset.good).map_err(Error::msg)?),
        (None, None) => None,
    };
    Ok(Some(Label {
        name,
        values: rows.label.clone(),
        good: bound.map(|bound| Good {
            rows: rows.label.iter().map(|label| bound.holds(*label)).collect(),
            rule: bound.text,
        }),
    }))
}

fn slices(field: &str, names: &Names) -> Slices {
    Slices {
        field: field.to_owned(),
        names: names.values.clone(),
        rows: names.rows.clone(),
    }
}

fn facts(rows: &Scored, signal: &str) -> Facts {
    let compares = ["cosine", "fused", "vro"].contains(&signal);
    let named = |found: &[Origin]| {
        let one = |origin: &Origin| report::Origin {
            name: model_name(&origin.name),
            hash: origin.hash.clone(),
        };
        found.iter().map(one).collect()
    };
    Facts {
        rows: rows.len(),
        errors: rows.failed,
        judges: named(&rows.judges),
        templates: named(&rows.templates),
        embedders: match compares {
            true => named(&rows.embedders),
            false => Vec::new(),
        },
        modes: rows.modes.iter().cloned().collect(),
        fusion: rows.fusion.clone().filter(|_| signal == "fused"),
        mixed: rows.mixed,
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_left_out_of_names() {
        for (name, want) in [
            ("starter", "starter"),
            ("/data/models/judge", "judge"),
            ("../m/base+/tmp/adapter", "base+adapter"),
            ("a/b.gguf,starter", "b.gguf,starter"),
            ("hf:org/name+C:\\x\\lora", "hf:org/name+lora"),
        ] {
            assert_eq!(model_name(name), want);
        }
        assert_eq!(file_name(Path::new("/tmp/x/s.jsonl")), "s.jsonl");
        assert_eq!(file_name(Path::new("-")), "standard input");
    }
}
