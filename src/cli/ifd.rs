//! `juror ifd DATA -o OUT`

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;

use super::DataArguments;
use super::output::{EndArguments, spare, write_to};
use super::progress::{bar, loading};
use super::student::StudentArguments;
use crate::data::atomic::AtomicFile;
use crate::data::{self, DataSet, Record, Response, alpaca};
use crate::judge::student::Student;
use crate::method::reflection::statistics::{Analysis, Statistics};
use crate::run::ifd::{IfdError, Measured, Ranking, Texts, measure, ranking};

/// How much an instruction helps to foresee its response (IFD), and the other way round (rIFD).
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    student: StudentArguments,
    /// Where the rows go, with the fields ppl_*, loss_*, ifd_* and rifd_*; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// Where to keep the analysis as the released scripts write it, a line a row
    #[arg(long, value_name = "OUT.jsonl")]
    analysis: Option<PathBuf>,
    /// Take the numbers from an analysis of these rows instead of computing them
    #[arg(long, value_name = "FILE.jsonl")]
    from_analysis: Option<PathBuf>,
    /// A field that is true (or above 0) for rows that somebody picked: how well IFD and length rank these
    #[arg(long, value_name = "FIELD")]
    label: Option<String>,
    #[command(flatten)]
    end: EndArguments,
}

/// Figures of a run.
#[derive(Debug, Default, Serialize)]
struct Summary {
    rows: usize,
    /// Rows that could not be read, or have something undefined.
    errors: usize,
    truncated: usize,
    /// Rows whose IFD is 1 or above.
    ifd_not_below_one: usize,
    prompt_tokens: usize,
    computed_tokens: usize,
    load_s: f64,
    score_s: f64,
    tokens_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranking: Option<Rankings>,
}

/// How the picked rows rank.
#[derive(Debug, Serialize)]
struct Rankings {
    ifd_ppl: Ranking,
    ifd_loss: Ranking,
    /// By characters of the response.
    length: Ranking,
}

/// What ranks a row.
struct Ranked {
    picked: bool,
    ifd_ppl: Option<f64>,
    ifd_loss: Option<f64>,
    length: f64,
}

/// Rows as they come.
struct Writing<'a> {
    out: &'a mut dyn Write,
    analysis: Option<&'a mut dyn Write>,
    arguments: &'a Arguments,
    bar: &'a ProgressBar,
    summary: Summary,
    ranked: Vec<Ranked>,
}

type Row<'a> = (&'a Record, Option<&'a Response>);

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.end.check(&arguments.output)?;
    if arguments.analysis.is_some() && arguments.analysis.as_ref() == Some(&arguments.output) {
        bail!("-o and --analysis name the same file");
    }
    let asking = arguments.student.asking()?;
    let files = data::discover(&arguments.data.data)?;
    let outputs = [Some(&arguments.output), arguments.analysis.as_ref()];
    spare(&files, outputs)?;
    spare(arguments.from_analysis.as_slice(), outputs)?;
    let set = data::read(&files, &arguments.data.options()?)?;
    super::tell(&set.errors);
    let rows = rows(&set);
    let known = arguments.from_analysis.as_deref();
    let known = known.map(|path| analysis(path, rows.len())).transpose()?;
    let bar = bar(arguments.end.quiet, rows.len());
    let place = |path: &Path| format!("cannot write {}", path.display());
    let mut file = match &arguments.analysis {
        None => None,
        Some(path) => Some(AtomicFile::create(path).with_context(|| place(path))?),
    };
    let mut summary = write_to(&arguments.output, |out| {
        let mut writing = Writing {
            out,
            analysis: file.as_mut().map(|file| file as &mut dyn Write),
            arguments,
            bar: &bar,
            summary: Summary::default(),
            ranked: Vec::new(),
        };
        match known {
            Some(known) => {
                for (row, statistics) in rows.iter().zip(known) {
                    let measured = Measured {
                        statistics,
                        ..Measured::default()
                    };
                    writing.take(*row, measured)?;
                }
            }
            None => {
                let started = Instant::now();
                let (engine, cast) = arguments.student.start(None, loading(&bar))?;
                let student = Student::new(cast.judge, asking)?;
                writing.summary.load_s = started.elapsed().as_secs_f64();
                let started = Instant::now();
                let pairs = rows.iter().map(|row| (*row, Texts::of(row.0, row.1)));
                measure(&student, &engine, pairs, &mut |row, measured| {
                    writing.take(row, measured)
                })?;
                writing.summary.score_s = started.elapsed().as_secs_f64();
            }
        }
        Ok(writing.finish())
    })?;
    if let (Some(file), Some(path)) = (file, &arguments.analysis) {
        file.finish().with_context(|| place(path))?;
    }
    bar.finish_and_clear();
    summary.errors += set.errors.len();
    arguments.end.tell(&summary, sentence)
}

/// Every response, and records that have none.
fn rows<'a>(set: &'a DataSet) -> Vec<Row<'a>> {
    let of = |record: &'a Record| {
        let bare = record.responses.is_empty().then_some((record, None));
        let each = record.responses.iter();
        bare.into_iter().chain(each.map(move |r| (record, Some(r))))
    };
    set.records.iter().flat_map(of).collect()
}

/// An analysis file, a line for each row.
fn analysis(path: &Path, rows: usize) -> Result<Vec<Statistics>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let found: Vec<Statistics> = lines
        .map(|(at, line)| {
            // Python writes what is not a number as such, which JSON has no word for.
            let line = line
                .replace("-Infinity", "null")
                .replace("Infinity", "null");
            let read: Analysis = serde_json::from_str(&line.replace("NaN", "null"))
                .map_err(|e| anyhow!("{}:{}: {e}", path.display(), at + 1))?;
            Ok(read.into())
        })
        .collect::<Result<_>>()?;
    match found.len() == rows {
        true => Ok(found),
        false => bail!(
            "{} has {} lines for {rows} rows: it is the analysis of other data",
            path.display(),
            found.len()
        ),
    }
}

impl Writing<'_> {
    fn take(&mut self, (record, response): Row<'_>, measured: Measured) -> Result<()> {
        let mut row = alpaca::row(record, response);
        let (found, summary) = (&measured.statistics, &mut self.summary);
        if let Some(name) = &self.arguments.label {
            let picked = match row.get(name) {
                Some(Value::Bool(picked)) => *picked,
                Some(Value::Number(number)) => number.as_f64().is_some_and(|n| n > 0.0),
                _ => bail!(
                    "{}: field `{name}` is neither true, false nor a number",
                    record.id
                ),
            };
            self.ranked.push(Ranked {
                picked,
                ifd_ppl: found.ifd_ppl(),
                ifd_loss: found.ifd_loss(),
                length: response.map_or(0, |r| r.text.chars().count()) as f64,
            });
        }
        let mut error = measured.error;
        if error.is_none() && found.ratios().iter().any(Option::is_none) {
            error = Some("a number is not defined".into());
        }
        if let Some(cause) = error.as_ref().filter(|_| self.arguments.data.strict) {
            bail!("{}: {cause}", record.id);
        }
        for (name, value) in found.fields() {
            row.insert(name, value.map_or(Value::Null, Value::from));
        }
        summary.rows += 1;
        summary.errors += usize::from(error.is_some());
        summary.truncated += usize::from(measured.truncated);
        summary.ifd_not_below_one += usize::from(found.ifd_ppl().is_some_and(|ifd| ifd >= 1.0));
        summary.prompt_tokens += measured.tokens;
        summary.computed_tokens += measured.computed;
        row.insert("error".into(), error.map_or(Value::Null, Value::from));
        let write =
            |out: &mut dyn Write, line: String| writeln!(out, "{line}").map_err(IfdError::Write);
        write(self.out, serde_json::to_string(&row)?)?;
        if let Some(out) = &mut self.analysis {
            write(out, serde_json::to_string(&Analysis::from(found))?)?;
        }
        self.bar.inc(1);
        Ok(())
    }

    fn finish(mut self) -> Summary {
        self.summary.tokens_per_s = match self.summary.score_s > 0.0 {
            true => self.summary.prompt_tokens as f64 / self.summary.score_s,
            false => 0.0,
        };
        let ranked = &self.ranked;
        self.summary.ranking = self.arguments.label.as_ref().map(|_| {
            let picked: Vec<bool> = ranked.iter().map(|row| row.picked).collect();
            let by = |of: &dyn Fn(&Ranked) -> Option<f64>, below_one| {
                ranking(
                    &ranked.iter().map(of).collect::<Vec<_>>(),
                    &picked,
                    below_one,
                )
            };
            Rankings {
                ifd_ppl: by(&|row| row.ifd_ppl, true),
                ifd_loss: by(&|row| row.ifd_loss, true),
                length: by(&|row| Some(row.length), false),
            }
        });
        self.summary
    }
}

fn sentence(s: &Summary) -> String {
    let cut = match s.truncated {
        0 => String::new(),
        n => format!(", {n} cut to fit"),
    };
    let mut text = format!(
        "{} rows, {} errors{cut}, {} with an IFD of 1 or more; {} prompt tokens ({} computed) in {:.1} s, {:.0} tok/s; \
         loading took {:.2} s\n",
        s.rows,
        s.errors,
        s.ifd_not_below_one,
        s.prompt_tokens,
        s.computed_tokens,
        s.score_s,
        s.tokens_per_s,
        s.load_s
    );
    if let Some(ranking) = &s.ranking {
        let named = [
            ("ifd_ppl", ranking.ifd_ppl),
            ("ifd_loss", ranking.ifd_loss),
            ("length", ranking.length),
        ];
        for (name, found) in named {
            let auroc = found
                .auroc
                .map_or("—".to_owned(), |auroc| format!("{auroc:.3}"));
            text.push_str(&format!(
                "{name}: AUROC {auroc} over {} rows, {} of them picked; {} set aside\n",
                found.rows, found.picked, found.set_aside
            ));
        }
    }
    text
}
