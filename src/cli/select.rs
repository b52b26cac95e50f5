//! `juror select DATA --level L -o OUT`

mod report;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use self::report::{JudgeFigures, Report};
use super::DataArguments;
use super::judge::JudgeArguments;
use super::output::{EndArguments, spare};
use super::progress::{bar, loading};
use crate::data::atomic::AtomicFile;
use crate::data::export::Format;
use crate::data::shaped::{Layout, Shaped, ShapedRow};
use crate::data::{self, Subject};
use crate::engine::Engine;
use crate::engine::local::Cast;
use crate::judge::rating::{LinePlace, RatingLines, pair as pair_of, templates};
use crate::judge::{Judge, Setup, TemplateSet};
use crate::method::selectit::{self, Form, Level, RELEASED_K};
use crate::run::novelty::{novelty, sample};
use crate::run::select::{
    RateError, Rating, Ratings, ScoreRow, mark, rate, read_scores, same_data, score_rows,
    write_scores,
};

/// Select the training data that a model rates well and surely: SelectIT (Liu et al. 2024).
///
/// OUT holds the best rows as they were read, in descending score; OUT.scores.jsonl a line for every row.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    judge: JudgeArguments,
    /// Where the selected rows go, in the shape of DATA; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// One prompt, several, or several judges weighed by their parameters; without it, `sentence`, or `model` where
    /// there are several judges
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Share of the rows to select
    #[arg(long, default_value_t = 0.2)]
    proportion: f64,
    /// How much the prompts' disagreement lowers a score
    #[arg(long, default_value_t = 0.2)]
    alpha: f64,
    /// Rating prompts, one a line, as the authors publish theirs; without it, nine of our own
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// How many of them are used, from the first on (sentence and model level)
    #[arg(long, default_value_t = 5, value_name = "N")]
    prompt_count: usize,
    /// Which of them is used, counted from 0 (token level)
    #[arg(long, value_name = "I")]
    prompt_index: Option<usize>,
    /// The highest rating; the lowest is 1
    #[arg(long, default_value_t = RELEASED_K)]
    k: usize,
    /// Put the rating prompt after the pair: all prompts of a pair then share it, which is much faster
    #[arg(long)]
    prompts_last: bool,
    /// Parameters of each judge, for their weights; without it, as counted in their weights
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    params: Vec<f64>,
    /// Select anew from a score file, without any model: only --proportion counts
    #[arg(long, value_name = "SCORES.jsonl")]
    scores: Option<PathBuf>,
    /// Where the score rows go, if not OUT.scores.jsonl
    #[arg(long, value_name = "FILE")]
    scores_out: Option<PathBuf>,
    /// Write the selected rows in the order of DATA, not in descending score
    #[arg(long)]
    keep_order: bool,
    /// Field that categories are counted by; without it `category`, `source` or `dataset`, else a rule by words
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
    /// Also tell how new the tasks are: embeds at most N (500) selected rows and as many others. This takes a forward
    /// pass for each
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "500", value_name = "N")]
    novelty: Option<usize>,
    /// Draws the rows for --novelty
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    end: EndArguments,
}

type Pair = Result<Subject, String>;
type Loaded = (Engine, Cast);

pub fn run(arguments: &Arguments) -> Result<()> {
    let to_stdout = arguments.output == Path::new("-");
    arguments.end.check(&arguments.output)?;
    if arguments.judge.has_template() {
        bail!(
            "--template: the prompt of select is its method's; --prompts names its lines, --prompts-last their place"
        );
    }
    if !(arguments.proportion > 0.0 && arguments.proportion <= 1.0) {
        bail!(
            "--proportion {}: a number above 0 and up to 1 expected",
            arguments.proportion
        );
    }
    let plan = match &arguments.scores {
        None => Some(Plan::of(arguments)?),
        Some(_) => None,
    };
    let scores_path = match (&arguments.scores_out, to_stdout) {
        (Some(path), _) => Some(path.clone()),
        (None, true) => None,
        (None, false) => {
            let mut name = arguments.output.clone().into_os_string();
            name.push(".scores.jsonl");
            Some(name.into())
        }
    };
    let files = data::discover(&arguments.data.data)?;
    let read: Vec<PathBuf> = files
        .iter()
        .cloned()
        .chain(arguments.scores.clone())
        .collect();
    spare(&read, [Some(&arguments.output), scores_path.as_ref()])?;
    let shaped = Shaped::read(&files, &arguments.data.options()?)?;
    if shaped.layout == Layout::Columns {
        Format::of(&arguments.output)?;
    }
    // Found out before hours of work rather than after.
    let place = |path: &Path| format!("cannot write {}", path.display());
    if !to_stdout {
        AtomicFile::create(&arguments.output).with_context(|| place(&arguments.output))?;
    }
    let scores_file = scores_path.as_deref().map(|path| {
        let file = AtomicFile::create(path).with_context(|| place(path));
        file.map(|file| (file, path.to_owned()))
    });
    let scores_file = scores_file.transpose()?;

    let released = arguments.judge.setup()?.as_released;
    let mut pairs: Vec<Pair> = shaped.rows.iter().map(|row| pair(row, released)).collect();
    let unread = shaped
        .rows
        .iter()
        .filter_map(|row| row.record.clone().err());
    super::tell(&unread.collect::<Vec<_>>());
    let mut report = Report::default();
    let (mut rows, loaded) = match (&plan, &arguments.scores) {
        (Some(plan), _) => {
            let (rows, loaded) = plan.rows(arguments, &pairs, &mut report)?;
            (rows, Some(loaded))
        }
        (None, Some(path)) => (known(path, &shaped, &mut pairs)?, None),
        (None, None) => bail!("neither judges nor scores"),
    };
    let mut chosen = mark(&mut rows, arguments.proportion);
    report.of_rows(&shaped, &rows, &chosen, arguments.proportion);
    report.statistics(&shaped, &rows, arguments.by.as_deref())?;
    if let Some(count) = arguments.novelty {
        let loaded = match loaded {
            Some(loaded) => loaded,
            None => arguments.judge.start(|_, _, _| ())?,
        };
        add_novelty(&mut report, arguments, (&pairs, &rows), count, &loaded)?;
    }
    if arguments.keep_order {
        chosen.sort_unstable();
    }
    if let Some((mut file, path)) = scores_file {
        write_scores(&rows, &mut file).with_context(|| place(&path))?;
        file.finish().with_context(|| place(&path))?;
    }
    shaped.write(&arguments.output, &chosen)?;
    report.tell(arguments.end.json, arguments.end.quiet, to_stdout)
}

/// Which prompts, which formulas.
struct Plan {
    level: Level,
    form: Form,
    templates: TemplateSet,
    judges: Vec<JudgeArguments>,
}

impl Plan {
    /// What can be wrong is found before a model is loaded.
    fn of(arguments: &Arguments) -> Result<Self> {
        let judges = arguments.judge.each();
        let form = match arguments.judge.setup()?.as_released {
            true => Form::Released,
            false => Form::Paper,
        };
        let level = arguments.level.unwrap_or(match judges.len() {
            0 | 1 => Level::Sentence,
            _ => Level::Model,
        });
        match (level, judges.len()) {
            (_, 0) => bail!("--judge names none"),
            (Level::Token | Level::Sentence, 2..) => bail!(
                "--level {} is of one judge; --level model weighs several",
                level.name()
            ),
            _ => (),
        }
        if !(2..=100).contains(&arguments.k) {
            bail!("--k {}: the highest rating is from 2 to 100", arguments.k);
        }
        if !arguments.alpha.is_finite() || arguments.alpha < 0.0 {
            bail!("--alpha {}: a number from 0 on expected", arguments.alpha);
        }
        if arguments.prompt_count == 0 {
            bail!("--prompt-count 0: at least one prompt is needed");
        }
        let others = [arguments.k, arguments.prompt_count];
        if form == Form::Released && others != [RELEASED_K; 2] {
            bail!(
                "--as-released: the released code has {RELEASED_K} ratings and {RELEASED_K} prompts; leave --k and --prompt-count out"
            );
        }
        if !arguments.params.is_empty() && arguments.params.len() != judges.len() {
            bail!(
                "--params states {} numbers for {} judges",
                arguments.params.len(),
                judges.len()
            );
        }
        if level == Level::Model {
            // Counts are known later, how many there are now.
            let given = match arguments.params.is_empty() {
                true => vec![1.0; judges.len()],
                false => arguments.params.clone(),
            };
            selectit::weights(&given, form).map_err(|cause| anyhow!(cause))?;
        }
        let lines = match &arguments.prompts {
            Some(path) => RatingLines::read(path)?,
            None => RatingLines::built_in(arguments.k),
        };
        let lines = match (level, arguments.prompt_index) {
            (Level::Token, index) => vec![lines.at(index.unwrap_or(0))?],
            (_, Some(_)) => {
                bail!("--prompt-index is of --level token; others use the first --prompt-count")
            }
            (_, None) => lines.first(arguments.prompt_count)?,
        };
        let place = match arguments.prompts_last {
            true => LinePlace::Last,
            false => LinePlace::First,
        };
        Ok(Plan {
            level,
            form,
            templates: templates(&lines, place, arguments.k),
            judges,
        })
    }

    /// Scores by all judges, loaded one after the other; the last stays for what else is to be computed.
    fn rows(
        &self,
        arguments: &Arguments,
        pairs: &[Pair],
        report: &mut Report,
    ) -> Result<(Vec<ScoreRow>, Loaded)> {
        let bar = bar(arguments.end.quiet, pairs.len() * self.judges.len());
        let mut said: Vec<(String, Ratings)> = Vec::new();
        let mut last = None;
        for (at, judge) in self.judges.iter().enumerate() {
            // Never two in memory.
            drop(last.take());
            let started = Instant::now();
            let setup = judge.setup()?;
            let rating = Rating {
                form: self.form,
                labels_only: setup.labels_only,
            };
            let (engine, cast) = judge.start(loading(&bar))?;
            report.load_s += started.elapsed().as_secs_f64();
            let judge = Judge::new(
                cast.clone(),
                Setup {
                    templates: Some(self.templates.clone()),
                    as_released: false,
                    ..setup
                },
            )?;
            let ratings = self.rate(arguments, (&judge, &engine), (pairs, rating), (&bar, at))?;
            report.add(&ratings);
            report.judges.push(JudgeFigures {
                name: cast.judge.name.clone(),
                hash: cast.judge.hash.clone(),
                parameters: arguments
                    .params
                    .get(at)
                    .copied()
                    .unwrap_or(cast.judge.parameters as f64),
                weight: None,
                mass: ratings.mass,
            });
            said.push((cast.judge.name.clone(), ratings));
            last = Some((engine, cast));
        }
        bar.finish_and_clear();
        let mut weights = Vec::new();
        if self.level == Level::Model {
            let parameters: Vec<f64> = report.judges.iter().map(|j| j.parameters).collect();
            weights = selectit::weights(&parameters, self.form).map_err(|cause| anyhow!(cause))?;
        }
        for (judge, weight) in report.judges.iter_mut().zip(&weights) {
            judge.weight = Some(*weight);
        }
        report.level = Some(self.level.name());
        report.as_released = self.form == Form::Released;
        report.prompts = self.templates.criteria.len();
        report.template = self.templates.hash();
        let rows = score_rows(pairs, &said, (self.level, &weights, arguments.alpha));
        let last = last.ok_or_else(|| anyhow!("--judge names none"))?;
        Ok((rows, last))
    }

    fn rate(
        &self,
        arguments: &Arguments,
        (judge, engine): (&Judge, &Engine),
        (pairs, rating): (&[Pair], Rating),
        (bar, at): (&ProgressBar, usize),
    ) -> Result<Ratings> {
        let (started, before) = (Instant::now(), (at * pairs.len()) as u64);
        let strict = arguments.data.strict;
        let rated = rate(
            judge,
            engine,
            pairs,
            (rating, strict),
            &mut |rows, tokens| {
                bar.set_position(before + rows as u64);
                let rate = tokens as f64 / started.elapsed().as_secs_f64().max(1e-3);
                bar.set_message(format!("{rate:.0} tok/s"));
            },
        );
        rated.map_err(|error| match error {
            RateError::Row(at, cause) => anyhow!("row {} (counted from 0): {cause}", at),
            error => error.into(),
        })
    }
}

/// Scores of an earlier run, and the pairs they are of: conversations may have been read either way.
fn known(path: &Path, shaped: &Shaped, pairs: &mut Vec<Pair>) -> Result<Vec<ScoreRow>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let wrong = |cause| anyhow!("{}: {cause}", path.display());
    let rows = read_scores(BufReader::new(file)).map_err(wrong)?;
    if let Err(cause) = same_data(&rows, pairs) {
        let readings = [false, true].map(|released| {
            let pairs = shaped.rows.iter().map(|row| pair(row, released));
            pairs.collect::<Vec<Pair>>()
        });
        let fits = |pairs: &Vec<Pair>| same_data(&rows, pairs).is_ok();
        *pairs = readings
            .into_iter()
            .find(fits)
            .ok_or_else(|| wrong(cause))?;
    }
    Ok(rows)
}

/// What of a row is rated. A conversation's last answer, with the turns before it above the question; its first two
/// turns, whoever speaks, where it is `released`, as the authors' code has it.
fn pair(row: &ShapedRow, released: bool) -> Pair {
    let record = row.record.as_ref().map_err(ToString::to_string)?;
    let text = |turn: &Value| {
        let own = ["value", "content", "text"]
            .iter()
            .find_map(|name| turn.get(name));
        own.unwrap_or(turn).as_str().map(str::to_owned)
    };
    if released
        && let Some(Value::Array(turns)) = row.object().get("conversations")
        && let [question, answer, ..] = turns.as_slice()
        && let (Some(instruction), Some(response)) = (text(question), text(answer))
    {
        return Ok(Subject {
            instruction,
            response,
            ..Subject::default()
        });
    }
    pair_of(record)
}

/// How new the tasks of either side are, on as many of each.
fn add_novelty(
    report: &mut Report,
    arguments: &Arguments,
    (pairs, rows): (&[Pair], &[ScoreRow]),
    count: usize,
    (engine, cast): &Loaded,
) -> Result<()> {
    let side = |selected: bool| -> Vec<usize> {
        let own = rows
            .iter()
            .filter(|row| row.score.is_some() && row.selected == selected);
        own.map(|row| row.index).collect()
    };
    let (chosen, rest) = (side(true), side(false));
    let count = count.min(chosen.len()).min(rest.len());
    let bar = bar(arguments.end.quiet, 2 * count);
    let limit = TemplateSet::embed_tokens_of(&cast.embedder.path)?;
    let of = |places: &[usize]| -> Result<Option<f64>> {
        let places = sample(places, count, arguments.seed);
        let texts = places.iter().filter_map(|at| pairs.get(*at)?.as_ref().ok());
        let texts: Vec<&str> = texts.map(|pair| pair.instruction.as_str()).collect();
        Ok(novelty(
            engine,
            (&cast.embedder, limit),
            &texts,
            &mut || bar.inc(1),
        )?)
    };
    let found = [of(&chosen)?, of(&rest)?];
    bar.finish_and_clear();
    report.add_novelty(found, count, &cast.embedder.name);
    Ok(())
}
