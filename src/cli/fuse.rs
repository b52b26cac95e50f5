//! `juror fuse SCORED -o OUT --normalize zscore`

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::bound;
use super::output::{spare, write_to};
use super::scoring::spooled;
use crate::data::container::JsonRows;
use crate::data::scored::{self, Scored, Wanted};
use crate::data::{Verdict, source};
use crate::stats::normalize::{Method, Normalizer};
use crate::stats::preset::{Preset, Source};

/// A second pass over scored rows: self-evaluation and cosine normalised on all of them, then fused.
#[derive(Args)]
pub struct Arguments {
    /// A file that `juror score` wrote; `-` is standard input
    scored: PathBuf,
    /// The same rows with `fused` anew; `-` is standard output. The fitted normaliser goes beside a file,
    /// as OUT.normalizer.json
    #[arg(short, long)]
    output: PathBuf,
    /// What brings both signals to one scale
    #[arg(long, value_enum, default_value_t)]
    normalize: Method,
    /// Weight of the cosine
    #[arg(long, default_value_t = 0.5)]
    weight: f64,
    /// A preset of `juror threshold` on scores fused in this way: rows get a verdict
    #[arg(long, value_name = "PRESET")]
    threshold: Option<PathBuf>,
    /// A normaliser of an earlier run, instead of one fitted on these rows
    #[arg(long, value_name = "FILE", conflicts_with_all = ["normalize", "weight"])]
    normalizer: Option<PathBuf>,
}

/// How two signals were made one: what was fitted on one data set serves for others.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fusion {
    normalize: Method,
    weight: f64,
    /// Hashes of the judge and of its template: scores of others are on another scale.
    judge: String,
    /// Hash of what embedded, and the modes of the rows: other scores again.
    embedder: Option<String>,
    modes: Vec<String>,
    rows: usize,
    self_eval: Normalizer,
    cosine: Normalizer,
}

impl Fusion {
    /// Tells this fusion from others.
    fn name(&self) -> Result<String> {
        let known = serde_json::to_vec(&(&self.self_eval, &self.cosine))?;
        let hash = hex::encode(&Sha256::digest(known)[..4]);
        let normalize = serde_json::to_value(self.normalize)?;
        let normalize = normalize.as_str().unwrap_or_default().to_owned();
        Ok(match self.normalize {
            // As `juror score` names it.
            Method::Range => format!("{normalize} {}", self.weight),
            _ => format!("{normalize} {} {hash}", self.weight),
        })
    }

    fn of(&self, self_eval: f64, cosine: f64) -> f64 {
        (1.0 - self.weight) * self.self_eval.at(self_eval) + self.weight * self.cosine.at(cosine)
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if !(0.0..=1.0).contains(&arguments.weight) {
        bail!(
            "--weight {}: a number from 0 to 1 expected",
            arguments.weight
        );
    }
    // What came through a pipe is read twice, too.
    let spool = match arguments.scored == Path::new("-") {
        true => Some(spooled()?),
        false => None,
    };
    let path = spool
        .as_ref()
        .map_or(arguments.scored.as_path(), |spool| spool.path());
    spare(&[path.to_path_buf()], [Some(&arguments.output)])?;
    let (rows, errors) = scored::read(path, &Wanted::default())?;
    super::tell(&errors);
    let fusion = match &arguments.normalizer {
        Some(file) => {
            let place = || file.display().to_string();
            let reader = File::open(file).with_context(place)?;
            let fusion: Fusion =
                serde_json::from_reader(io::BufReader::new(reader)).with_context(place)?;
            let same = rows.judge.as_ref() == Some(&fusion.judge)
                && rows.embedder == fusion.embedder
                && rows.modes.iter().all(|mode| fusion.modes.contains(mode));
            if !same || rows.mixed {
                bail!(
                    "{}: it was fitted on scores of another judge, template, embedder or mode, which are on another \
                     scale: fit one on these rows with --normalize",
                    file.display()
                );
            }
            fusion
        }
        None => fit(&rows, arguments).with_context(|| arguments.scored.display().to_string())?,
    };
    let cut = arguments
        .threshold
        .as_deref()
        .map(bound::preset)
        .transpose()?;
    if let (Some(cut), Some(file)) = (&cut, &arguments.threshold) {
        let judge = rows.judge.as_deref().unwrap_or_default();
        let source = Source {
            fusion: fusion.name()?,
            embedder: rows.embedder.clone().unwrap_or_default(),
        };
        if let Some(cause) = cut.mismatch(&["fused"], judge, &source) {
            bail!("{}: {cause}", file.display());
        }
    }
    let count = write_to(&arguments.output, |out| {
        rewrite(path, &fusion, cut.as_ref(), out)
    })?;
    if arguments.normalizer.is_none() && arguments.output != Path::new("-") {
        let mut name = arguments.output.as_os_str().to_owned();
        name.push(".normalizer.json");
        write_to(Path::new(&name), |out| {
            serde_json::to_writer(&mut *out, &fusion)?;
            Ok(out.write_all(b"\n")?)
        })?;
    }
    note!(
        "juror: {count} of {} rows fused ({})",
        rows.len(),
        fusion.name()?
    );
    Ok(())
}

/// Fits on the rows that have both signals.
fn fit(rows: &Scored, arguments: &Arguments) -> Result<Fusion> {
    if rows.mixed {
        bail!(
            "rows of several judges, templates or embedders: their scores are on different scales"
        );
    }
    let column = |name: &str| rows.signal(name).map_err(anyhow::Error::msg);
    let both = column("self_eval")?.iter().zip(column("cosine")?);
    let (self_eval, cosine): (Vec<f64>, Vec<f64>) = both
        .filter(|(one, other)| !one.is_nan() && !other.is_nan())
        .unzip();
    if self_eval.is_empty() {
        bail!(
            "no row has both `self_eval` and `cosine`: score data with references, or name the signals"
        );
    }
    let ends = rows
        .scale
        .ok_or_else(|| anyhow!("no row tells the labels of its scale (`self_eval.labels`)"))?;
    let fit = |name: &str, values: &[f64], ends| {
        let found = Normalizer::fit(arguments.normalize, values, ends);
        found.ok_or_else(|| anyhow!("`{name}` is the same in all rows, so it cannot be normalised"))
    };
    Ok(Fusion {
        normalize: arguments.normalize,
        weight: arguments.weight,
        judge: rows.judge.clone().unwrap_or_default(),
        embedder: rows.embedder.clone(),
        modes: rows.modes.iter().cloned().collect(),
        rows: self_eval.len(),
        self_eval: fit("self_eval", &self_eval, ends)?,
        cosine: fit("cosine", &cosine, (-1.0, 1.0))?,
    })
}

/// Copies rows, each with its fused score; how many have one.
fn rewrite(
    path: &Path,
    fusion: &Fusion,
    cut: Option<&Preset>,
    out: &mut dyn Write,
) -> Result<usize> {
    let name = fusion.name()?;
    let mut count = 0;
    for row in JsonRows::new(path, source::open(path)?) {
        // What cannot be read was told of in the first pass.
        let Ok(mut row) = row else { continue };
        let Some(Value::Object(signals)) = row.object.get_mut("signals") else {
            continue;
        };
        let number = |name: &str| signals.get(name).and_then(Value::as_f64);
        let fused = number("self_eval")
            .zip(number("cosine"))
            .map(|(self_eval, cosine)| fusion.of(self_eval, cosine));
        count += usize::from(fused.is_some());
        signals.insert("fused".into(), fused.into());
        row.object.insert("fusion".into(), name.clone().into());
        // One that is there was about the score before.
        row.object.shift_remove("verdict");
        if let Some((cut, fused)) = cut.zip(fused) {
            let verdict = Verdict::of(fused, cut.threshold).word();
            row.object.insert("verdict".into(), verdict.into());
        }
        serde_json::to_writer(&mut *out, &row.object)?;
        out.write_all(b"\n")?;
    }
    Ok(count)
}
