//! `juror probe DATA [-o OUT.jsonl]`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::ProgressBar;

use super::judge::JudgeArguments;
use super::output::{spare, tell, write_to};
use super::progress::loading;
use super::score::{Input, Measure, NO_TEMPLATE};
use super::table::{NONE, figure, interval, table};
use super::{DataArguments, bound};
use crate::data::{self, Shard};
use crate::judge::Judge;
use crate::judge::suspect::{ATTACKS, attacks};
use crate::run::kept::KeptScores;
use crate::run::probe::{Cut, Figures, NEUTRAL, ProbeRun, Prober, Summary};
use crate::run::score::Mode;

/// Said below the options.
const LONG: &str = "\
A response is scored as it is, without what is aimed at the judge, and with a line more that says nothing: `effect` is the
first minus the second, `noise` the first minus the third. What is aimed at the judge are sentences that speak to it or
state a score (unless the task is about these), lines that imitate the judge's template, control tokens of chat models, and
characters that are not seen. A response that is nothing else is scored as an empty one.";

/// What words to the judge, stated scores, imitated markers and control tokens in responses are worth to the score.
#[derive(Args)]
#[command(
    after_long_help = LONG,
    mut_arg("embedder", |arg| arg.hide(true)),
    mut_arg("policy", |arg| arg.hide(true)),
    mut_arg("weight", |arg| arg.hide(true)),
    mut_arg("long", |arg| arg.hide(true)),
)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    judge: JudgeArguments,
    /// Where the rows go; `-` is standard output
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// What the judge sees
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Every response, not only those with something aimed at the judge
    #[arg(long)]
    all: bool,
    /// Put texts that ask for a good score behind every response, and in its place: those of a file, one a line, or the ten
    /// that come along
    #[arg(long, value_name = "FILE|built-in")]
    attack: Option<PathBuf>,
    /// The line that says nothing
    #[arg(long, value_name = "TEXT", default_value = NEUTRAL)]
    neutral: String,
    /// From where on to answer, to count the rows that cross it: a self-evaluation, or a preset of `juror threshold`
    #[arg(long, value_name = "NUMBER|PRESET")]
    threshold: Option<String>,
    /// Draws of the bootstrap; 0 for none
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
    /// Of the bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Compute everything: neither look scores up nor keep them
    #[arg(long)]
    no_cache: bool,
    /// End with one JSON object of figures on standard output
    #[arg(long)]
    json: bool,
    /// No progress and no closing words
    #[arg(long)]
    quiet: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let piped = arguments.output.as_deref() == Some(Path::new("-"));
    if arguments.json && piped {
        bail!("-o - and --json both want standard output: name a file with -o");
    }
    if arguments.judge.each().len() != 1 {
        bail!("--judge: one judge here");
    }
    if arguments.neutral.trim().is_empty() {
        bail!("--neutral: a text expected");
    }
    let attacks = arguments.attacks()?;
    let files = data::discover(&arguments.data.data)?;
    spare(&files, [arguments.output.as_ref()])?;
    let mut input = Input::open(&arguments.data, &files, Shard::WHOLE, true)?;
    let bar = input.bar(arguments.quiet, 1);
    let summary = match &arguments.output {
        Some(path) => write_to(path, |out| probe(arguments, attacks, &mut input, &bar, out))?,
        None => probe(arguments, attacks, &mut input, &bar, &mut io::sink())?,
    };
    bar.finish_and_clear();
    let summary = Summary {
        errors: summary.errors + input.errors(),
        ..summary
    };
    match (arguments.json, piped, arguments.quiet) {
        (true, _, _) | (false, false, false) => tell(&summary, arguments.json, text),
        (_, true, false) => {
            eprint!("{}", text(&summary));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn probe(
    arguments: &Arguments,
    attacks: Vec<String>,
    input: &mut Input,
    bar: &ProgressBar,
    out: &mut dyn Write,
) -> Result<Summary> {
    let setup = arguments.judge.setup()?;
    let started = Instant::now();
    let (engine, cast) = arguments.judge.start(loading(bar))?;
    let judge = Judge::new(cast, setup)?;
    let load_s = started.elapsed().as_secs_f64();
    if arguments.mode.lacks_template(&judge) {
        bail!("{NO_TEMPLATE}");
    }
    let run = ProbeRun {
        mode: arguments.mode,
        all: arguments.all,
        strict: arguments.data.strict,
        neutral: arguments.neutral.clone(),
        attacks,
        cut: arguments.cut(&judge)?,
        rounds: arguments.rounds,
        seed: arguments.seed,
    };
    let mut prober = Prober::new(&judge, &engine, &run).on_first_failure(|what| {
        bar.suspend(|| note!("juror: {what} (the first such row; see `error` in the output)"));
    });
    if let Some(path) = super::explore::cache().filter(|_| !arguments.no_cache) {
        prober = prober.with_kept(KeptScores::new(path));
    }
    let (mut records, measure) = input.records(bar);
    let started = Instant::now();
    let summary = prober.run(&mut records, out, &mut |responses, rows, tokens| {
        let rate = tokens as f64 / started.elapsed().as_secs_f64().max(1e-3);
        match &measure {
            Measure::Rows => bar.set_position(responses as u64),
            Measure::Bytes(read) => bar.set_position(read.get()),
        }
        bar.set_message(format!("{rows} probed, {rate:.0} tok/s"));
    })?;
    Ok(Summary { load_s, ..summary })
}

impl Arguments {
    fn attacks(&self) -> Result<Vec<String>> {
        let found = match &self.attack {
            None => return Ok(Vec::new()),
            Some(path) if path == Path::new("built-in") => attacks(ATTACKS),
            Some(path) => {
                let place = || format!("--attack {}", path.display());
                attacks(&std::fs::read_to_string(path).with_context(place)?)
            }
        };
        match found.is_empty() {
            true => bail!("--attack: the file has no text; one a line is expected"),
            false => Ok(found),
        }
    }

    /// The threshold, if it holds for this judge's self-evaluation.
    fn cut(&self, judge: &Judge) -> Result<Option<Cut>> {
        let Some(text) = &self.threshold else {
            return Ok(None);
        };
        let (low, high) = judge.templates().scale.ends();
        if let Ok(threshold) = text.parse::<f64>() {
            if !(low..=high).contains(&threshold) {
                bail!("--threshold {text}: a self-evaluation from {low} to {high} expected");
            }
            let modes = Vec::new();
            return Ok(Some(Cut { threshold, modes }));
        }
        let preset = bound::preset(Path::new(text))?;
        if preset.signal != "self_eval" {
            bail!(
                "{text}: it is a threshold on `{}`, and responses are probed by self_eval: make one with `juror threshold \
                 --signal self_eval`",
                preset.signal
            );
        }
        if let Some(cause) = preset.mismatch(&["self_eval"], &judge.identity(), &judge.source()) {
            bail!("{text}: {cause}");
        }
        Ok(Some(Cut {
            threshold: preset.threshold,
            modes: preset.modes,
        }))
    }
}

fn text(s: &Summary) -> String {
    let mut out = format!(
        "{} of {} responses have something aimed at the judge; {} rows, {} errors\n",
        s.flagged, s.responses, s.rows, s.errors
    );
    if !s.kinds.is_empty() {
        out += "\nself-evaluation as it is, minus without it\n\n";
        out += &kinds(s);
    }
    if s.rows > s.flagged {
        let noise = interval(s.noise);
        out += &format!("\na neutral line takes {noise} from the score on average over all rows\n");
    }
    if !s.attacks.is_empty() {
        out += "\nattacks: what one behind the response adds to its score, its own score in the response's place, and the \
                share of responses that it reaches there\n\n";
        out += &attacked(s);
    }
    out += &format!(
        "\n{} prompt tokens ({} computed) in {:.1} s; loading took {:.2} s\n",
        s.prompt_tokens, s.computed_tokens, s.probe_s, s.load_s
    );
    out
}

fn words(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn kinds(s: &Summary) -> String {
    let mut head = words(&[
        "kind",
        "rows",
        "effect",
        "median",
        "neutral line",
        "beyond it",
    ]);
    if s.threshold.is_some() {
        head.extend(words(&["answered by it", "declined by it"]));
    }
    let line = |f: &Figures| {
        let mut line = vec![
            f.kind.to_owned(),
            f.rows.to_string(),
            interval(f.effect),
            figure(f.median),
            interval(f.noise),
            percent(f.beyond_noise),
        ];
        let counts = f.answered_by_it.zip(f.declined_by_it);
        line.extend(
            counts
                .iter()
                .flat_map(|(a, d)| [a.to_string(), d.to_string()]),
        );
        line
    };
    let lines: Vec<Vec<String>> = [head].into_iter().chain(s.kinds.iter().map(line)).collect();
    table(&lines)
}

fn attacked(s: &Summary) -> String {
    let mut head = words(&["attack", "behind", "instead", "reaches"]);
    if s.threshold.is_some() {
        head.extend(words(&["answered behind", "answered instead"]));
    }
    let mut lines = vec![head];
    for (number, attack) in s.attacks.iter().enumerate() {
        const SHOWN: usize = 40;
        let start: String = attack.text.chars().take(SHOWN).collect();
        let more = if attack.text.chars().nth(SHOWN).is_some() {
            "…"
        } else {
            ""
        };
        let mut line = vec![
            format!("{} {}{more}", number + 1, start.replace('\n', " ")),
            interval(attack.appended),
            interval(attack.instead),
            percent(attack.reached),
        ];
        let counts = attack.answered_appended.zip(attack.answered_instead);
        line.extend(
            counts
                .iter()
                .flat_map(|(a, i)| [a.to_string(), i.to_string()]),
        );
        lines.push(line);
    }
    table(&lines)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| NONE.into(), |share| format!("{:.0} %", 100.0 * share))
}
