//! `juror collect SOURCE… -o OUT`

mod report;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use self::report::Told;
use super::output::{EndArguments, spare, tell as tell_report};
use crate::data::collect::category::Category;
use crate::data::collect::contamination::TestSets;
use crate::data::collect::explain::explain;
use crate::data::collect::filter::Limits;
use crate::data::collect::output::Beside;
use crate::data::collect::source::Sources;
use crate::data::collect::{Plan, collect, near};
use crate::data::{self, FieldMap, ReadOptions, RowError};

/// Collect instructions out of many sources: length limits, quality, language, duplicates, test sets, categories.
///
/// OUT holds the rows that are kept, as they were read, with `id`, `source` and `category`; OUT.dropped.jsonl says why each
/// other row is not, OUT.stats.json has the counts.
#[derive(Args)]
pub struct Arguments {
    /// Files or folders (JSON, JSONL, CSV, Parquet; gzip or zstd of these); each file is a source, and so is a folder of
    /// splits or with a dataset_info.json; `-` is standard input
    #[arg(value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Where the kept rows go: .jsonl, .csv, .tsv (also .gz or .zst of these) or .parquet; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// More sources: a TOML file of [[source]] with path, name, category and fields
    #[arg(long, value_name = "F.toml")]
    source_config: Option<PathBuf>,
    /// Fields that have other names in the sources, as in instruction=prompt
    #[arg(long = "field", value_name = "NAME=SOURCE", value_delimiter = ',')]
    fields: Vec<String>,
    /// The category of all rows of a source, as in my-code=coding; other rows are told by their own `category`, or by the
    /// classifier
    #[arg(
        long = "category",
        value_name = "SOURCE=CATEGORY",
        value_delimiter = ','
    )]
    categories: Vec<String>,
    /// Characters that a task has at least, input among them
    #[arg(long, default_value_t = Limits::default().min_chars, value_name = "N")]
    min_chars: usize,
    /// Characters that a task has at most
    #[arg(long, default_value_t = Limits::default().max_chars, value_name = "N")]
    max_chars: usize,
    /// Characters that a response has at most
    #[arg(long, default_value_t = Limits::default().max_response_chars, value_name = "N")]
    max_response_chars: usize,
    /// Keep other languages than English
    #[arg(long)]
    any_language: bool,
    /// Keep refusals, placeholders, repetitions, rows of signs and damaged ones
    #[arg(long)]
    any_quality: bool,
    /// Drop rows that share their words with these test sets
    #[arg(long, value_name = "TESTSET", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Share of the 8-grams of a test, or of the row, from which on a row gives it away
    #[arg(long, default_value_t = 0.6, value_name = "SHARE")]
    contamination: f64,
    /// Jaccard similarity of 5-character shingles from which on rows are near duplicates; 1 finds none but equal ones
    #[arg(long, default_value_t = near::Rule::default().jaccard, value_name = "J")]
    jaccard: f64,
    /// Rows of one template with other names or numbers are near duplicates, too
    #[arg(long)]
    ignore_facts: bool,
    /// Rows are duplicates only where their responses are, too
    #[arg(long)]
    with_responses: bool,
    /// Folder for temporary files; without it, that of OUT
    #[arg(long, value_name = "FOLDER")]
    temporary: Option<PathBuf>,
    /// Say why a row of an earlier run is in OUT or is not, by its id or its place (FILE:LINE), and do nothing else
    #[arg(long, value_name = "ID", conflicts_with = "sources")]
    explain: Option<String>,
    /// Stop at the first row that cannot be read
    #[arg(long)]
    strict: bool,
    /// Threads that compute; without it, one a core
    #[arg(long)]
    threads: Option<usize>,
    #[command(flatten)]
    end: EndArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(id) = &arguments.explain {
        if arguments.output == Path::new("-") {
            bail!("--explain: name the OUT of an earlier run with -o");
        }
        let found = explain(id, &arguments.output)?;
        return tell_report(&found, arguments.end.json, report::explained);
    }
    arguments.end.check(&arguments.output)?;
    super::use_threads(arguments.threads)?;
    let plan = plan(arguments)?;
    let bar = bar(arguments.end.quiet);
    let started = Instant::now();
    let mut stage = String::new();
    let done = collect(&plan, &mut |now, done, of| {
        if stage != now {
            now.clone_into(&mut stage);
            bar.reset_eta();
        }
        bar.set_message(progress(now, done, of, started.elapsed()));
    });
    bar.finish_and_clear();
    let (found, errors) = done?;
    tell_errors(&errors, &found);
    let told = Told::new(found, started.elapsed().as_secs_f64());
    arguments
        .end
        .tell(&told, |told| report::text(told, &arguments.output))
}

fn plan(arguments: &Arguments) -> Result<Plan> {
    let share = |name: &str, value: f64| match value > 0.0 && value <= 1.0 {
        true => Ok(value),
        false => Err(anyhow!(
            "{name} {value}: a number above 0 and up to 1 expected"
        )),
    };
    let jaccard = share("--jaccard", arguments.jaccard)?;
    if arguments.min_chars > arguments.max_chars {
        bail!(
            "--min-chars {} is above --max-chars {}",
            arguments.min_chars,
            arguments.max_chars
        );
    }
    let fields = FieldMap::parse(&arguments.fields)?;
    let mut sources = Sources::default();
    sources.add_paths(&arguments.sources, &fields)?;
    if let Some(config) = &arguments.source_config {
        sources.add_config(config, &fields)?;
    }
    if sources.list.is_empty() {
        bail!(
            "no SOURCE: name a file, a folder, or `-` for standard input, or give --source-config"
        );
    }
    for rule in &arguments.categories {
        let (name, category) = rule.split_once('=').ok_or_else(|| {
            anyhow!("--category {rule}: expected SOURCE=CATEGORY, as in my-code=coding")
        })?;
        let category: Category = category
            .parse()
            .map_err(|cause| anyhow!("--category {rule}: {cause}"))?;
        sources.set_category(name, category)?;
    }
    for file in &sources.left_out {
        note!(
            "juror: {}: of a test split, left out; name the file itself to collect it",
            file.display()
        );
    }
    let mut tests = TestSets::new(share("--contamination", arguments.contamination)?);
    let mut read: Vec<PathBuf> = sources
        .list
        .iter()
        .flat_map(|source| source.files.clone())
        .collect();
    if !arguments.against.is_empty() {
        let options = ReadOptions {
            strict: arguments.strict,
            fields,
            ..ReadOptions::default()
        };
        for file in data::discover(&arguments.against)? {
            super::tell(&tests.add(&file, &options)?);
            read.push(file);
        }
        if tests.is_empty() {
            bail!("--against: no task could be read there");
        }
    }
    let beside = Beside::of(&arguments.output);
    spare(
        &read,
        [
            Some(&arguments.output),
            Some(&beside.dropped),
            Some(&beside.stats),
        ],
    )?;
    Ok(Plan {
        sources,
        tests,
        limits: Limits {
            min_chars: arguments.min_chars,
            max_chars: arguments.max_chars,
            max_response_chars: arguments.max_response_chars,
            any_language: arguments.any_language,
            any_quality: arguments.any_quality,
        },
        near: near::Rule {
            jaccard,
            ignore_facts: arguments.ignore_facts,
        },
        with_responses: arguments.with_responses,
        strict: arguments.strict,
        output: arguments.output.clone(),
        temporary: arguments.temporary.clone(),
    })
}

/// Rows that could not be read: the first by their places, then how many there were.
fn tell_errors(errors: &[RowError], found: &crate::data::collect::report::Report) {
    const SHOWN: usize = 20;
    for error in errors.iter().take(SHOWN) {
        note!("juror: {error}");
    }
    let all = found
        .total
        .dropped
        .of(crate::data::collect::reason::Reason::Unreadable) as usize;
    if all > SHOWN {
        note!("juror: … and {} more rows that cannot be read", all - SHOWN);
    }
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn progress(stage: &str, done: u64, of: u64, elapsed: Duration) -> String {
    match (done, of) {
        (0, 0) => stage.to_owned(),
        (done, 0) => format!(
            "{stage}: {done} rows, {:.0} a second",
            done as f64 / elapsed.as_secs_f64().max(1e-3)
        ),
        (done, of) => format!("{stage}: {done} of {of}"),
    }
}
