//! `juror [explore] [DATA…]`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::judge::JudgeArguments;
use super::{DataArguments, bound};
use crate::data::{self, Library, Progress, ReadOptions};
use crate::model::spec;
use crate::run::live::LiveOptions;
use crate::run::service;
use crate::tui::run::{Cut, ExploreOptions, JudgeConnector, JudgeLink};
use crate::tui::state::{DataFailure, Loaded, RowError};

/// Look at data and what a judge thinks of it.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    judge: JudgeArguments,
    /// Show texts and labels without any judge
    #[arg(long)]
    no_judge: bool,
    /// terminal, dark, light, high-contrast, or one of --themes
    #[arg(long)]
    theme: Option<String>,
    /// A folder of themes of your own
    #[arg(long, value_name = "FOLDER")]
    themes: Option<PathBuf>,
    /// A TOML file of rows { on, run, desc } that win over the built-in keys
    #[arg(long, value_name = "FILE")]
    keymap: Option<PathBuf>,
    /// Where to decline: a number from 0 to 1 on the fused score, or a preset of `juror threshold`
    #[arg(long, value_name = "NUMBER|PRESET")]
    threshold: Option<String>,
    /// Draw with ASCII alone
    #[arg(long)]
    ascii: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let threshold = arguments.threshold.as_deref().map(cut).transpose()?;
    if arguments.data.data.iter().any(|d| d == Path::new("-")) {
        bail!("the explorer needs the terminal for its keys: name a file instead of `-`");
    }
    super::use_threads(arguments.judge.threads)?;
    let data = match arguments.data.data.is_empty() {
        true => vec![spec::share()?.join("sample_data")],
        false => arguments.data.data.clone(),
    };
    let read = arguments.data.options()?;
    let live = LiveOptions {
        engine: arguments.judge.engine(),
        setup: arguments.judge.setup()?,
    };
    crate::tui::run::run(ExploreOptions {
        title: title(&data),
        load: Box::new(move |tell| load(&data, &read, tell)),
        judge: (!arguments.no_judge).then(|| connector(live)),
        theme: arguments.theme.clone(),
        themes: arguments.themes.clone(),
        keymap: arguments.keymap.clone(),
        ascii: arguments.ascii,
        threshold,
    })
}

/// A number, or a preset where there is such a file.
fn cut(text: &str) -> Result<Cut> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(Cut::Number(number)),
        Ok(wrong) => bail!("--threshold {wrong}: a number from 0 to 1 expected"),
        Err(_) => Ok(Cut::Preset(Box::new(bound::preset(Path::new(text))?))),
    }
}

fn title(data: &[PathBuf]) -> String {
    let name = |p: &PathBuf| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned());
        name.unwrap_or_else(|| p.display().to_string())
    };
    data.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn load(
    data: &[PathBuf],
    options: &ReadOptions,
    tell: &mut dyn FnMut(Loaded),
) -> Result<(), DataFailure> {
    let library = Library::default();
    let mut part = |progress: Progress| {
        tell(Loaded {
            library: library.clone(),
            facts: progress.facts,
            errors: progress.errors.into_iter().map(shown).collect(),
            complete: progress.complete,
        });
    };
    let read = data::discover(data).and_then(|files| library.fill(&files, options, &mut part));
    read.map_err(|error| DataFailure {
        cause: error.to_string(),
    })
}

fn shown(error: data::RowError) -> RowError {
    RowError {
        file: error.file.display().to_string(),
        line: (error.line > 0).then_some(error.line),
        cause: match error.element.filter(|_| error.line == 0) {
            Some(row) => format!("row {row}: {}", error.message),
            None => error.message,
        },
    }
}

/// Starts the judge; a thread that cannot be had is a judge that has gone.
fn connector(options: LiveOptions) -> JudgeConnector {
    Box::new(move || match service::spawn(options) {
        Ok((handle, events)) => JudgeLink {
            send: Box::new(move |command| handle.send(command)),
            events,
        },
        Err(_) => JudgeLink {
            send: Box::new(|_| ()),
            events: tokio::sync::mpsc::unbounded_channel().1,
        },
    })
}
