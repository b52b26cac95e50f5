//! `juror [explore] [DATA…]`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::judge::JudgeArguments;
use super::{DataArguments, bound};
use crate::data::{self, Library, Progress, ReadOptions};
use crate::engine::Options;
use crate::judge::pairwise::{PairSetup, PairTemplates};
use crate::model::spec;
use crate::run::live::LiveOptions;
use crate::run::select::read_scores;
use crate::run::service;
use crate::store::{Store, home};
use crate::tui::run::{Cut, ExploreOptions, JudgeConnector, JudgeLink};
use crate::tui::state::{DataFailure, Loaded, RowError, Selection};
use crate::tui::theme::Depth;

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
    /// Colours: 24 (bits), 256, 16 or none; auto goes by TERM, COLORTERM and NO_COLOR
    #[arg(long, value_name = "auto|24|256|16|none", default_value = "auto", alias = "colors",
          value_parser = ["auto", "24", "256", "16", "none"], hide_possible_values = true)]
    colours: String,
    /// A TOML file of rows { on, run, desc } that win over the built-in keys
    #[arg(long, value_name = "FILE")]
    keymap: Option<PathBuf>,
    /// Where to decline: a number from 0 to 1 on the fused score, or a preset of `juror threshold`
    #[arg(long, value_name = "NUMBER|PRESET")]
    threshold: Option<String>,
    /// Draw with ASCII alone
    #[arg(long)]
    ascii: bool,
    /// Who annotates; otherwise the one of last time, or your user name
    #[arg(long, value_name = "NAME")]
    annotator: Option<String>,
    /// The label that digits set, and its least and largest value, as in rating=1-5
    #[arg(long, value_name = "LABEL=LOW-HIGH", value_parser = scale)]
    scale: Option<(String, u8, u8)>,
    /// Orders the random queue of annotation
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How the judge compares two responses: a YAML file as `juror pair --templates` takes it, or `standard` or
    /// `system-first`
    #[arg(long, value_name = "FILE")]
    templates: Option<String>,
    /// Scores that `juror select` wrote of these data: shows the ranking, and moves the share by hand
    #[arg(long, value_name = "SCORES.jsonl")]
    selection: Option<PathBuf>,
    /// Neither look scores up nor keep them
    #[arg(long)]
    no_cache: bool,
}

/// `rating=1-5`
fn scale(text: &str) -> Result<(String, u8, u8), String> {
    let parse = || {
        let (name, ends) = text.split_once('=')?;
        let (low, high) = ends.split_once('-')?;
        let digit = |text: &str| text.trim().parse::<u8>().ok().filter(|d| *d <= 9);
        let (low, high) = (digit(low)?, digit(high)?);
        (low < high && !name.trim().is_empty()).then(|| (name.trim().to_owned(), low, high))
    };
    parse().ok_or_else(|| "a label and two digits expected, as in rating=1-5".into())
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let threshold = arguments.threshold.as_deref().map(cut).transpose()?;
    if arguments.data.data.iter().any(|d| d == Path::new("-")) {
        bail!("the explorer needs the terminal for its keys: name a file instead of `-`");
    }
    super::use_threads(arguments.judge.machine.threads)?;
    let data = match arguments.data.data.is_empty() {
        true => vec![spec::share()?.join("sample_data")],
        false => arguments.data.data.clone(),
    };
    let read = arguments.data.options()?;
    let live = LiveOptions {
        engine: Options {
            gives_way: true,
            ..arguments.judge.engine()?
        },
        setup: arguments.judge.setup()?,
        pairs: PairSetup {
            templates: arguments
                .templates
                .as_deref()
                .map(|name| PairTemplates::named(name, false))
                .transpose()?,
            ..PairSetup::default()
        },
        cache: match arguments.no_cache {
            true => None,
            false => cache(),
        },
    };
    let selection = arguments.selection.clone();
    crate::tui::run::run(ExploreOptions {
        title: title(&data),
        load: Box::new(move |tell| load(&data, &read, selection.as_deref(), tell)),
        judge: (!arguments.no_judge).then(|| connector(live)),
        theme: arguments.theme.clone(),
        remembered_theme: remembered_theme(),
        themes: arguments.themes.clone(),
        colours: Depth::named(&arguments.colours),
        keymap: arguments.keymap.clone(),
        ascii: arguments.ascii,
        threshold,
        judge_name: arguments.judge.named(),
        judges: judges(),
        store: None,
        annotator: arguments.annotator.clone(),
        scale: arguments.scale.clone(),
        seed: arguments.seed,
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
    selection: Option<&Path>,
    tell: &mut dyn FnMut(Loaded),
) -> Result<(), DataFailure> {
    let library = Library::default();
    let mut part = |progress: Progress| {
        let mut errors: Vec<RowError> = progress.errors.into_iter().map(shown).collect();
        let chosen = selection.filter(|_| progress.complete);
        let selection = chosen.and_then(|path| match selected(path, &library) {
            Ok(selection) => Some(Box::new(selection)),
            Err(error) => {
                errors.push(error);
                None
            }
        });
        tell(Loaded {
            library: library.clone(),
            facts: progress.facts,
            errors,
            complete: progress.complete,
            selection,
        });
    };
    let indices = home::folder().map(|folder| folder.join("indices"));
    let read = data::discover(data)
        .and_then(|files| library.fill(&files, options, indices.as_deref(), &mut part));
    read.map_err(|error| DataFailure {
        cause: error.to_string(),
    })
}

/// What `juror select` said of the records.
fn selected(path: &Path, library: &Library) -> Result<Selection, RowError> {
    let wrong = |cause: String| RowError {
        file: path.display().to_string(),
        line: None,
        cause,
    };
    let file = std::fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    let rows = read_scores(std::io::BufReader::new(file)).map_err(wrong)?;
    let selection = Selection::new(library, rows);
    match selection.of_any() {
        true => Ok(selection),
        false => Err(wrong(
            "no record has a text that was scored there: these are scores of other data".into(),
        )),
    }
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

/// The theme that was chosen last time; what stands in the way is told when the store is opened.
fn remembered_theme() -> Option<String> {
    let path = home::folder()?.join("juror.db");
    let store = path.is_file().then(|| Store::at(&path).ok())??;
    store.recall("theme").ok()?
}

/// The database with the scores, where its folder can be made; the explorer tells why not.
pub fn cache() -> Option<PathBuf> {
    let folder = home::folder()?;
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("juror.db"))
}

/// Judges that can be loaded by name here: the starter, and what was fetched.
fn judges() -> Vec<(String, String)> {
    let starter = ("starter".to_owned(), "ships with Juror".to_owned());
    let fetched = super::model::fetched().into_iter();
    std::iter::once(starter)
        .chain(fetched.map(|name| (name, "fetched".to_owned())))
        .collect()
}

/// Starts a judge; a thread that cannot be had is a judge that has gone.
fn connector(options: LiveOptions) -> JudgeConnector {
    Box::new(move |name| {
        let mut options = options.clone();
        if let Some(name) = name {
            options.engine.judge = name.to_owned();
            // Templates that were named belong to the judge that was named.
            options.setup.templates = None;
        }
        match service::spawn(options) {
            Ok((handle, events)) => JudgeLink {
                send: Box::new(move |command| handle.send(command)),
                events,
            },
            Err(_) => JudgeLink {
                send: Box::new(|_| ()),
                events: tokio::sync::mpsc::unbounded_channel().1,
            },
        }
    })
}
