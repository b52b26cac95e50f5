//! `juror make-training DATA -o DIR`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use super::output::write_to;
use super::sampling::SamplingArguments;
use super::scoring::ScoringArguments;
use crate::data::Subject;
use crate::data::scored::Wanted;
use crate::judge::TemplateSet;
use crate::method::training_data::{self, Row, Target};
use crate::stats::normalize::Method;

/// Training data for a judge: responses with digits for targets, shown with the reference and without.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    scoring: ScoringArguments,
    /// A folder for with_reference.json and reference_free.json
    #[arg(short, long)]
    output: PathBuf,
    /// Responses that the policy writes to each record that has none
    #[arg(long, default_value_t = 1)]
    n: usize,
    /// What the digits are made of
    #[arg(long, value_enum, default_value_t)]
    target: Target,
    /// What brings self-evaluation and cosine to one scale
    #[arg(long, value_enum, default_value = "zscore")]
    normalize: Method,
    /// Templates of the prompts to learn, one for each mode; without them, the standard ones
    #[arg(long, value_name = "FILE")]
    train_template: Vec<PathBuf>,
    /// Where to keep the records with all responses that the policy wrote
    #[arg(long, value_name = "OUT.jsonl")]
    samples: Option<PathBuf>,
    #[command(flatten)]
    sampling: SamplingArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.output == Path::new("-") {
        bail!("-o - : two files are written, name a folder");
    }
    let templates = match arguments.train_template.is_empty() {
        true => TemplateSet::standard()?,
        false => TemplateSet::read(&arguments.train_template, false)?,
    };
    if templates.reference.is_none() || templates.free.is_none() {
        bail!(
            "--train-template: one template with {{reference}} and one without are needed, for the two files"
        );
    }
    let outcome = arguments.scoring.scores(
        &Wanted::default(),
        &[&arguments.samples],
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
    let Some(set) = &outcome.set else {
        bail!("scored rows hold no texts: give the data themselves");
    };
    let rows = &outcome.rows;
    let column = |name: &str| rows.signal(name).map_err(anyhow::Error::msg);
    let (self_eval, cosine) = (column("self_eval")?, column("cosine")?);
    let kept: Vec<usize> = (0..rows.len())
        .filter(|row| !self_eval[*row].is_nan() && !cosine[*row].is_nan())
        .collect();
    if kept.is_empty() {
        bail!("no response has both a score and a cosine: the records need references");
    }
    let pick = |column: &[f64]| kept.iter().map(|row| column[*row]).collect::<Vec<f64>>();
    let ends = rows
        .scale
        .ok_or_else(|| anyhow!("the judge's scale is not known"))?;
    let quality = training_data::quality(
        (&pick(self_eval), ends),
        &pick(cosine),
        arguments.target,
        arguments.normalize,
        arguments.scoring.judge.weight(),
    );
    let quality = quality.ok_or_else(|| {
        anyhow!(
            "self-evaluation or cosine is the same for all responses, so nothing tells them apart"
        )
    })?;
    let digits = training_data::digits(&quality);
    let subjects: Vec<Subject> = set
        .records
        .iter()
        .flat_map(|record| {
            record
                .responses
                .iter()
                .map(move |r| Subject::of(record, &r.text))
        })
        .collect();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (id, (row, digit)) in kept.iter().zip(digits).enumerate() {
        let subject = subjects
            .get(*row)
            .ok_or_else(|| anyhow!("a row without a response"))?;
        let [one, other] = training_data::rows(&templates, subject, id, digit)?;
        with.push(one);
        without.push(other);
    }
    let folder = &arguments.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    keep(&folder.join("with_reference.json"), &with)?;
    keep(&folder.join("reference_free.json"), &without)?;
    if !arguments.scoring.quiet {
        note!(
            "juror: {} of {} responses have a digit; the others have no reference or no score",
            kept.len(),
            rows.len()
        );
    }
    Ok(())
}

fn keep(path: &Path, rows: &[Row]) -> Result<()> {
    write_to(path, |out| {
        serde_json::to_writer_pretty(&mut *out, rows)?;
        Ok(out.write_all(b"\n")?)
    })
}
