//! `juror train log OUTPUT`: how far a training is, without the explorer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use indexmap::IndexMap;
use indicatif::HumanDuration;
use serde::Serialize;

use crate::cli::output::tell;
use crate::cli::table::table;
use crate::train::tune::log::{FILE, History, Series, is_going_on, read};

/// Signs of a curve.
const COLUMNS: usize = 32;

#[derive(Args)]
pub struct Arguments {
    /// The folder that the training writes into
    output: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// How far a training is.
#[derive(Debug, PartialEq, Serialize)]
struct Report {
    command: String,
    model: String,
    /// `running`, `interrupted`, or how it ended.
    state: String,
    message: Option<String>,
    step: usize,
    steps: usize,
    epoch: Option<f64>,
    /// `null` for one that is no number.
    loss: Option<f64>,
    parts: IndexMap<String, Option<f64>>,
    learning_rate: Option<f64>,
    /// Over the latest steps.
    tokens_per_s: Option<f64>,
    /// Seconds until all steps are done, while it runs.
    eta_s: Option<f64>,
    /// The step of the latest checkpoint.
    saved: Option<usize>,
    /// The latest evaluation.
    eval: Option<Evaluation>,
    /// Lines of the log that could not be read.
    bad_lines: usize,
}

#[derive(Debug, PartialEq, Serialize)]
struct Evaluation {
    step: usize,
    figures: IndexMap<String, Option<f64>>,
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn finite_all(values: &IndexMap<String, f64>) -> IndexMap<String, Option<f64>> {
    let values = values.iter();
    values
        .map(|(name, value)| (name.clone(), finite(*value)))
        .collect()
}

/// Tells how far a training is.
///
/// # Errors
/// A folder without a log.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (history, going_on) = history(&arguments.output)?;
    for bad in &history.bad {
        let path = arguments.output.join(FILE);
        note!("juror: {}:{}: {}", path.display(), bad.line, bad.cause);
    }
    let report = report(&history, going_on);
    tell(&report, arguments.json, |report| text(report, &history))
}

fn history(output: &Path) -> Result<(History, bool)> {
    // Before the log is read: one that ends in between has told all by then.
    let going_on = is_going_on(output);
    let path = output.join(FILE);
    let (entries, bad) = read(&path).with_context(|| {
        let path = path.display();
        format!("{path}: give the `output` folder of a `juror train` that has begun")
    })?;
    let mut history = History::of(entries);
    bad.into_iter().for_each(|line| history.add_bad(line));
    Ok((history, going_on))
}

fn report(history: &History, going_on: bool) -> Report {
    let start = history.start.clone().unwrap_or_default();
    let step = history.step.as_ref();
    let (done, total) = history.progress();
    let state = match (&history.end, going_on) {
        (Some((reason, _)), _) => reason.word(),
        (None, true) => "running",
        (None, false) => "interrupted",
    };
    let message = history.end.as_ref().map(|(_, message)| message.clone());
    Report {
        command: start.command,
        model: start.model,
        state: state.to_owned(),
        message: message.filter(|message| !message.is_empty()),
        step: done,
        steps: total,
        epoch: step.and_then(|step| finite(step.epoch)),
        loss: step.and_then(|step| finite(step.loss)),
        parts: step.map_or_else(IndexMap::new, |step| finite_all(&step.parts)),
        learning_rate: step.and_then(|step| finite(step.learning_rate)),
        tokens_per_s: history.speed(),
        eta_s: history.eta().filter(|_| state == "running"),
        saved: history.saved,
        eval: history.eval.as_ref().map(|eval| Evaluation {
            step: eval.step,
            figures: finite_all(&eval.figures),
        }),
        bad_lines: history.bad_count,
    }
}

fn text(report: &Report, history: &History) -> String {
    let figure = |value: f64| format!("{value:.4}");
    let mut lines = vec![
        vec!["training".to_owned(), report.command.clone()],
        vec!["model".to_owned(), report.model.clone()],
        vec!["state".to_owned(), report.state.clone()],
        vec![
            "step".to_owned(),
            format!("{} of {}", report.step, report.steps),
        ],
    ];
    let mut say = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| vec![name.to_owned(), value]));
    };
    let left = report.eta_s.map(|seconds| seconds.clamp(0.0, 1e9));
    let left = left.map(|seconds| HumanDuration(Duration::from_secs_f64(seconds)).to_string());
    say("time left", left);
    let speed = report.tokens_per_s;
    say("tokens a second", speed.map(|speed| format!("{speed:.0}")));
    say(
        "learning rate",
        report.learning_rate.map(|rate| format!("{rate:.3e}")),
    );
    say(
        "checkpoint",
        report.saved.map(|step| format!("step {step}")),
    );
    let mut curves = vec![curve_line("loss", &history.loss, figure)];
    let parts = history.parts.iter();
    curves.extend(parts.map(|(name, series)| curve_line(name, series, figure)));
    let figures = history.figures.iter();
    curves
        .extend(figures.map(|(name, series)| curve_line(&format!("eval {name}"), series, figure)));
    let mut out = table(&lines);
    if let Some(message) = &report.message {
        out += &format!("{message}\n");
    }
    let curves: Vec<Vec<String>> = curves.into_iter().flatten().collect();
    if !curves.is_empty() {
        out += &format!("\n{}", table(&curves));
    }
    out
}

/// A name, the curve of it, its latest value.
fn curve_line(name: &str, series: &Series, figure: impl Fn(f64) -> String) -> Option<Vec<String>> {
    let last = series.last()?;
    let value = match last.is_finite() {
        true => figure(last),
        false => "NaN".to_owned(),
    };
    Some(vec![name.to_owned(), sparkline(&series.points()), value])
}

/// A curve in one line: the mean of each column's share of the points, from the lowest to the highest.
fn sparkline(points: &[(f64, f64)]) -> String {
    const SIGNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = COLUMNS.min(points.len());
    let means: Vec<f64> = (0..columns)
        .map(|column| {
            let share = |at: usize| at * points.len() / columns;
            let own = &points[share(column)..share(column + 1)];
            own.iter().map(|point| point.1).sum::<f64>() / own.len().max(1) as f64
        })
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sign = |mean: &f64| {
        let share = match high > low {
            true => (mean - low) / (high - low),
            false => 0.5,
        };
        let place = (share * (SIGNS.len() - 1) as f64).round() as usize;
        SIGNS.get(place).copied().unwrap_or(' ')
    };
    means.iter().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tune::log::{Eval, Reason, Start, Step, TrainingLog};

    #[test]
    fn a_folder_is_told_in_numbers_and_words() {
        let folder = tempfile::tempdir().unwrap();
        let said = history(folder.path()).unwrap_err().to_string();
        assert!(
            said.contains("log.jsonl") && said.contains("output"),
            "{said}"
        );
        let start = Start {
            command: "judge".into(),
            model: "starter".into(),
            steps: 4,
            ..Start::default()
        };
        let mut log = TrainingLog::create(folder.path(), start).unwrap();
        for step in 1..=2 {
            log.step(Step {
                step,
                loss: [4.0, f64::NAN][step - 1],
                parts: [("kl".to_owned(), 0.5)].into(),
                tokens: 100 * step as u64,
                tokens_per_s: 50.0,
                ..Step::default()
            })
            .unwrap();
        }
        log.eval(Eval {
            step: 2,
            figures: [("pearson".to_owned(), 0.25)].into(),
        })
        .unwrap();
        let (history_now, going_on) = history(folder.path()).unwrap();
        let running = report(&history_now, going_on);
        assert_eq!(
            (running.state.as_str(), running.eta_s),
            ("running", Some(4.0))
        );
        assert_eq!((running.loss, running.step, running.steps), (None, 2, 4));
        let json = serde_json::to_value(&running).unwrap();
        assert_eq!(json["eval"]["figures"]["pearson"], 0.25);
        log.end(Reason::Nan, "batch 2").unwrap();
        let (history, going_on) = history(folder.path()).unwrap();
        let ended = report(&history, going_on);
        assert_eq!((ended.state.as_str(), ended.eta_s), ("NaN loss", None));
        let text = text(&ended, &history);
        for part in ["2 of 4", "batch 2", "NaN\n", "eval pearson", "0.2500"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_curve_in_one_line() {
        let points: Vec<(f64, f64)> = (0..8).map(|x| (f64::from(x), f64::from(-x))).collect();
        assert_eq!(sparkline(&points), "█▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&[]), "");
        let many: Vec<(f64, f64)> = (0..500).map(|x| (f64::from(x), 1.0)).collect();
        assert_eq!(sparkline(&many).chars().count(), COLUMNS);
    }
}
