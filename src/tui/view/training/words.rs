//! What is said of a training in words and numbers.

use ratatui::style::Style;
use ratatui::text::Line;

use super::{NARROW, Paint};
use crate::train::tune::log::{Entry, Reason};
use crate::tui::keymap::{Action, Layer, sequence_label};
use crate::tui::state::{Standing, State, Watched};
use crate::tui::text::{grouped, truncate};
use crate::tui::view::bars::{duration, rate_text};
use crate::tui::view::runs::ago;
use crate::tui::widget::{Bar, Row, short};

/// What a training is, how far it is, and what is wrong with it.
pub fn head(
    state: &State,
    watched: &Watched,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let history = &watched.history;
    let (done, total) = history.progress();
    let mut title = watched.training.command.clone();
    if let Some(start) = &history.start {
        title.push_str(&format!(" {} {}", paint.glyphs.dot, start.model));
    }
    let title = paint.safe(&title).replace('\n', " ");
    let percent = match total {
        0 => watched.word().to_owned(),
        total => format!("{:.0} %", 100.0 * done as f64 / total as f64),
    };
    let room = width.saturating_sub(percent.len() + 3);
    let title = truncate(&title, room, paint.glyphs.ellipsis);
    let mut lines = vec![paint.heading(&title, &percent, width)];
    if total > 0 {
        let bar = Bar {
            width,
            thin: true,
            value: Some(done as f64 / total as f64),
            mark: None,
            fill: style(watched, paint),
            track: paint.style("score.track"),
            mark_style: Style::default(),
        };
        lines.push(Line::from(bar.spans(paint.glyphs)));
    }
    lines.extend(trouble(state, watched, paint, width));
    let mut pairs: Vec<(&str, String)> = Vec::new();
    if total > 0 {
        pairs.push(("step", format!("{done} of {total}")));
    }
    if let Some(loss) = history.loss.last() {
        pairs.push(("loss", short(loss)));
    }
    if let Some(speed) = history.speed() {
        pairs.push(("tokens a second", rate_text(speed)));
    }
    if let Some(eta) = history.eta().filter(|_| watched.is_running()) {
        pairs.push(("time left", duration(eta)));
    }
    if !watched.is_running() {
        pairs.push(("begun", ago(state.clock - watched.training.started)));
    }
    lines.extend(table(&pairs, paint, width));
    lines
}

/// What a person has to know before all numbers.
fn trouble(
    state: &State,
    watched: &Watched,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let key = |action| {
        let keys = state.keymap.hint(Layer::Runs, action);
        keys.map_or_else(String::new, |(keys, _)| {
            sequence_label(keys, paint.glyphs.ascii)
        })
    };
    let output = &watched.training.output;
    let said = match &watched.standing {
        Standing::Gone => Some((
            format!(
                "{output} is not there any more; {} takes it from the list.",
                key(Action::Forget)
            ),
            "state.warning",
        )),
        Standing::Unreadable(cause) => Some((
            format!("{output}/log.jsonl: {cause}; make it readable."),
            "state.error",
        )),
        Standing::Unlogged => Some((
            "It has written no log: it is reading its model and data, or ended before the first step.".into(),
            "ui.text.dim",
        )),
        Standing::Interrupted => Some((
            "It ended without a word: killed, or the machine went down. --resume goes on from its last checkpoint.".into(),
            "state.warning",
        )),
        Standing::Running if watched.stopping => Some((
            "It is asked to stop: it keeps a checkpoint after this step.".into(),
            "state.warning",
        )),
        Standing::Running => None,
        Standing::Ended(reason) => {
            let end = watched.history.end.as_ref();
            let message = end.map(|(_, message)| message.clone()).filter(|m| !m.is_empty());
            let role = match reason {
                Reason::Done => "ui.text.dim",
                Reason::Cancelled => "state.warning",
                Reason::Nan | Reason::Error => "state.error",
            };
            message.map(|message| (message, role))
        }
    };
    let mut lines = Vec::new();
    if let Some((text, role)) = said {
        lines.extend(paint.wrapped(&text, width, paint.style(role)));
    }
    let count = watched.history.bad_count;
    if let (Some(first), true) = (watched.history.bad.first(), count > 0) {
        let lines_word = if count == 1 { "line" } else { "lines" };
        let text = format!(
            "{count} {lines_word} of log.jsonl left out; line {}: {}",
            first.line, first.cause
        );
        lines.extend(paint.wrapped(&text, width, paint.style("state.warning")));
    }
    lines
}

/// The colour of how it stands; the word says the same.
pub fn style(watched: &Watched, paint: &Paint<'_>) -> Style {
    paint.style(match &watched.standing {
        Standing::Running if watched.stopping => "state.warning",
        Standing::Running | Standing::Unlogged => "state.loading",
        Standing::Ended(Reason::Done) => "state.ready",
        Standing::Ended(Reason::Cancelled) | Standing::Interrupted | Standing::Gone => {
            "state.warning"
        }
        Standing::Ended(_) | Standing::Unreadable(_) => "state.error",
    })
}

/// The latest figures: of the steps, and of evaluations.
pub fn figures(watched: &Watched, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let history = &watched.history;
    let mut lines = Vec::new();
    if let Some(step) = &history.step {
        lines.push(paint.heading("latest step", &step.step.to_string(), width));
        let mut pairs = vec![("epoch", format!("{:.2}", step.epoch))];
        pairs.push(("loss", format!("{:.4}", step.loss)));
        let parts = step.parts.iter();
        pairs.extend(parts.map(|(name, value)| (name.as_str(), format!("{value:.4}"))));
        pairs.push(("learning rate", short(step.learning_rate)));
        pairs.push(("gradient norm", short(step.grad_norm)));
        pairs.push(("tokens", grouped(step.tokens)));
        if let Some(saved) = history.saved {
            pairs.push(("last checkpoint", format!("step {saved}")));
        }
        lines.extend(table(&pairs, paint, width));
    }
    if let Some(eval) = &history.eval {
        lines.push(paint.heading("evaluation", &format!("step {}", eval.step), width));
        let pairs: Vec<(&str, String)> = eval
            .figures
            .iter()
            .map(|(name, value)| (name.as_str(), format!("{value:.4}")))
            .collect();
        lines.extend(table(&pairs, paint, width));
    }
    lines
}

/// The log, the latest first, and where all of it is.
pub fn log(watched: &Watched, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let (text, dim) = (paint.style("ui.text"), paint.style("ui.text.dim"));
    let mut lines = Vec::new();
    if !watched.history.recent.is_empty() {
        lines.push(paint.heading("log", "latest first", width));
    }
    for entry in watched.history.recent.iter().rev() {
        let said = paint.safe(&said(entry)).replace('\n', " ");
        let style = match entry {
            Entry::Step(_) => dim,
            _ => text,
        };
        let line = truncate(&said, width, paint.glyphs.ellipsis);
        lines.push(Line::styled(line, style));
    }
    if watched.standing != Standing::Gone {
        lines.push(paint.heading("folder", "", width));
        lines.extend(paint.wrapped(&watched.training.output, width, dim));
    }
    lines
}

/// An entry in one line.
fn said(entry: &Entry) -> String {
    match entry {
        Entry::Start(start) if start.from > 0 => {
            format!("gone on with from step {} at {}", start.from, start.started)
        }
        Entry::Start(start) => format!("begun at {}: {} steps", start.started, start.steps),
        Entry::Step(step) => {
            let mut text = format!("step {:<6} loss {:.4}", step.step, step.loss);
            for (name, value) in &step.parts {
                text.push_str(&format!("  {name} {value:.4}"));
            }
            text.push_str(&format!("  {} tok/s", rate_text(step.tokens_per_s)));
            text
        }
        Entry::Eval(eval) => {
            let mut text = format!("eval {:<6}", eval.step);
            for (at, (name, value)) in eval.figures.iter().enumerate() {
                let gap = if at == 0 { " " } else { "  " };
                text.push_str(&format!("{gap}{name} {value:.4}"));
            }
            text
        }
        Entry::Saved { step } => format!("saved {step:<5} a checkpoint"),
        Entry::End { reason, message } if message.is_empty() => format!("ended: {}", reason.word()),
        Entry::End { reason, message } => format!("ended: {}: {message}", reason.word()),
    }
}

/// Names with their values, in as many columns as fit.
fn table(pairs: &[(&str, String)], paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    const GAP: usize = 4;
    let columns = ((width + GAP) / (NARROW - 8 + GAP))
        .clamp(1, 4)
        .min(pairs.len().max(1));
    let room = ((width + GAP) / columns).saturating_sub(GAP);
    let rows = pairs.len().div_ceil(columns);
    let cell = |(name, value): &(&str, String)| {
        let (mut left, mut right) = (Row::new(), Row::new());
        let name = paint.safe(name).replace('\n', " ");
        left.push(name, paint.style("ui.text.dim"));
        right.push(format!(" {value}"), paint.style("ui.text"));
        left.with_right(right, room)
    };
    let line = |row: usize| {
        let mut line = Row::new();
        for column in 0..columns {
            if let Some(pair) = pairs.get(column * rows + row) {
                line.pad(column * (room + GAP));
                line.extend(cell(pair).spans);
            }
        }
        line.fit(width)
    };
    (0..rows).map(line).collect()
}
