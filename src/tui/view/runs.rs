//! Work in the background, earlier runs, and what changed between two of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::bars::duration;
use super::overlay::clock;
use super::paint::{Paint, focused};
use super::{names, training};
use crate::data::Verdict;
use crate::data::time::date;
use crate::run::compare::Flip;
use crate::store::{Run, RunState};
use crate::tui::keymap::{Action, Layer, sequence_label};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{Changed, Changes, RunRow, State};
use crate::tui::text::truncate;
use crate::tui::widget::{Bar, PaneFrame, Row, scrollbar};

/// Changed responses that are listed.
const LISTED: usize = 200;

/// Draws all runs, newest first.
pub fn list(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Runs);
    PaneFrame {
        title: paint.title("Runs", focus),
        note: Some(paint.note(&state.run_rows().len().to_string())),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    let rows = state.run_rows();
    if rows.is_empty() {
        let text = match state.annotate.trouble.is_some() {
            true => "Runs cannot be remembered here.",
            false => "No run yet: s scores everything, and so does `juror score`.",
        };
        paint.message(&[(text.to_owned(), "ui.text.dim")], inside, buffer);
        return;
    }
    let height = usize::from(inside.height);
    let top = (state.runs.chosen + 1).saturating_sub(height);
    let total = rows.len();
    let shown = rows.into_iter().enumerate().skip(top).take(height);
    for (row, (place, shown)) in shown.enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
        let here = place == state.runs.chosen;
        if here {
            let role = if focus {
                "ui.selection"
            } else {
                "ui.selection.inactive"
            };
            buffer.set_style(at, paint.style(role));
        }
        let width = usize::from(inside.width);
        let line = match shown {
            RunRow::Scoring(run) => line(state, run, here, paint, width),
            RunRow::Training(watched) => training::line(state, watched, here, paint, width),
        };
        line.render(at, buffer);
    }
    scrollbar(area, total, top, paint.theme, paint.glyphs, buffer);
}

fn line(state: &State, run: &Run, here: bool, paint: &Paint<'_>, width: usize) -> Line<'static> {
    let (text, dim) = (paint.style("ui.text"), paint.style("ui.text.dim"));
    let mut left = Row::new();
    left.push(
        if here { paint.glyphs.pointer } else { " " },
        paint.style("ui.pointer"),
    );
    let marked = state.runs.marked == Some(run.id);
    left.push(
        if marked { paint.glyphs.full } else { " " },
        paint.style("label"),
    );
    left.push(format!(" {:<6}", run.id), dim);
    let mut right = Row::new();
    let (done, total) = progress(state, run);
    right.push(format!("  {done}/{total} "), dim);
    if run.errors > 0 {
        right.push(
            format!("{} failed ", run.errors),
            paint.style("state.error"),
        );
    }
    right.push(word(state, run), style(run.state, paint));
    // Runs of one data set differ in when, by which judge and with which template.
    left.push(format!("{:<12}", ago(state.clock - run.started)), dim);
    let rest = [&run.judge, &run.template, &run.title].map(|part| paint.safe(part));
    for (part, style) in rest.into_iter().zip([text, dim, dim]) {
        let room = width.saturating_sub(left.width() + right.width());
        let part = truncate(&part.replace('\n', " "), room, paint.glyphs.ellipsis);
        left.push(part, style).push("  ", dim);
    }
    left.with_right(right, width)
}

/// How much of a run is done, of how much: of the one that runs as it is now.
fn progress(state: &State, run: &Run) -> (usize, usize) {
    let live = state.job_progress().filter(|_| state.is_job(run));
    live.unwrap_or((run.done, run.total))
}

/// How long ago something was.
pub fn ago(milliseconds: i64) -> String {
    let minutes = milliseconds / 60_000;
    match (minutes / 1440, minutes / 60, minutes) {
        (0, 0, ..1) => "just now".to_owned(),
        (0, 0, minutes) => format!("{minutes} min ago"),
        (0, 1, _) => "1 hour ago".to_owned(),
        (0, hours, _) => format!("{hours} hours ago"),
        (1, ..) => "yesterday".to_owned(),
        (days, ..) => format!("{days} days ago"),
    }
}

/// The day and the time of day (UTC), and how long ago that was.
fn when(at: i64, now: i64) -> String {
    let day = date(at).unwrap_or_default();
    let mut time = clock(at);
    time.truncate("00:00".len());
    format!("{day} {time} UTC, {}", ago(now - at))
}

/// How the run stands; one that says it is running but is not was cut short.
fn word(state: &State, run: &Run) -> &'static str {
    match run.state {
        RunState::Running if !state.is_job(run) => "interrupted",
        other => other.word(),
    }
}

fn style(run: RunState, paint: &Paint<'_>) -> Style {
    paint.style(match run {
        RunState::Running => "state.loading",
        RunState::Done => "state.ready",
        RunState::Cancelled => "state.warning",
        RunState::Failed => "state.error",
    })
}

/// Draws the job that runs, the run under the cursor, and what changed.
pub fn run(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Run);
    PaneFrame {
        title: paint.title("Run", focus),
        note: None,
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let mut lines = job(state, paint, width);
    match &state.runs.changes {
        Some((before, after, Ok(changes))) => {
            let title = format!("run {before} {} run {after}", paint.glyphs.arrow);
            lines.extend(changed(state, changes, &title, paint, width));
        }
        Some((_, _, Err(cause))) => {
            lines.extend(paint.wrapped(cause, width, paint.style("state.error")));
        }
        None => {
            lines.extend(next_step(state, paint, width));
            lines.extend(facts(state, paint, width));
        }
    }
    let total = lines.len();
    let offset = state.card_scroll.min(total.saturating_sub(height));
    for (row, line) in lines.into_iter().skip(offset).take(height).enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
        line.render(at, buffer);
    }
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

fn pair(name: &str, value: String, paint: &Paint<'_>, width: usize) -> Line<'static> {
    let (mut left, mut right) = (Row::new(), Row::new());
    left.push(name, paint.style("ui.text.dim"));
    right.push(value, paint.style("ui.text"));
    left.with_right(right, width)
}

fn job(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let (Some(job), Some((done, total))) = (&state.runs.job, state.job_progress()) else {
        return Vec::new();
    };
    let percent = 100.0 * done as f64 / total.max(1) as f64;
    let title = format!("{} scoring", paint.glyphs.spin(state.tick));
    let mut lines = vec![paint.heading(&title, &format!("{percent:.0} %"), width)];
    let bar = Bar {
        width,
        thin: true,
        value: Some(done as f64 / total.max(1) as f64),
        mark: None,
        fill: paint.style("state.loading"),
        track: paint.style("score.track"),
        mark_style: Style::default(),
    };
    lines.push(Line::from(bar.spans(paint.glyphs)));
    lines.push(pair(
        "responses",
        format!("{done} of {total}"),
        paint,
        width,
    ));
    let failed = state.scores.failed_rows().count();
    if failed > 0 {
        lines.push(pair("failed", failed.to_string(), paint, width));
    }
    if let Some(rate) = state.scores.tokens_per_second() {
        lines.push(pair("tokens a second", format!("{rate:.0}"), paint, width));
    }
    let spent = (state.clock - job.run.started) as f64 / 1000.0;
    lines.push(pair("time so far", duration(spent), paint, width));
    if let Some(eta) = state.job_eta() {
        lines.push(pair("time left", duration(eta), paint, width));
    }
    lines.push(Line::default());
    lines
}

/// What to do once a run is marked.
fn next_step(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(marked) = state.runs.marked else {
        return Vec::new();
    };
    let hint = |action| {
        let keys = state.keymap.hint(Layer::Runs, action);
        keys.map_or_else(String::new, |(keys, _)| {
            sequence_label(keys, paint.glyphs.ascii)
        })
    };
    let (down, up, mark) = (hint(Action::Down), hint(Action::Up), hint(Action::MarkRun));
    let said = match state.runs.all.len() {
        ..2 => format!("Run {marked} is marked. There is no other to compare it with yet."),
        _ => format!(
            "Run {marked} is marked. Now choose the other one ({down}, {up}): {mark} there compares them."
        ),
    };
    let mut lines = paint.wrapped(&said, width, paint.style("label"));
    lines.push(Line::default());
    lines
}

fn facts(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(run) = state.chosen_run() else {
        return Vec::new();
    };
    let title = format!("run {}", run.id);
    let mut lines = vec![paint.heading(&title, word(state, run), width)];
    let mut say = |name: &str, value: String| lines.push(pair(name, value, paint, width));
    say("data", paint.safe(&run.title));
    say("judge", paint.safe(&run.judge));
    say("template", paint.safe(&run.template));
    say("mode", run.mode.clone());
    say("begun", when(run.started, state.clock));
    let (done, total) = progress(state, run);
    say("scored", format!("{done} of {total}"));
    say("failed", run.errors.to_string());
    if let Some(ended) = run.ended {
        say("took", duration((ended - run.started) as f64 / 1000.0));
    }
    say("Juror", run.version.clone());
    let mut hash = run.identity.clone();
    hash.truncate(24);
    say("judge + template", hash);
    if let Some(output) = &run.output {
        let dim = paint.style("ui.text.dim");
        lines.push(Line::default());
        lines.extend(paint.wrapped(output, width, dim));
    }
    lines
}

fn changed(
    state: &State,
    changes: &Changes,
    title: &str,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = vec![paint.heading(title, &changes.signal, width)];
    let mut say = |name: &str, value: String| lines.push(pair(name, value, paint, width));
    let (flips, decided) = state.flips(changes);
    let name = format!("flipped at {} {:.2}", paint.glyphs.tau, state.threshold);
    let now = |flip: &Flip| Verdict::of(flip.after, state.threshold);
    let to = |verdict| flips.iter().filter(|flip| now(flip) == verdict).count();
    let (answered, declined) = (to(Verdict::Answer), to(Verdict::Decline));
    match decided {
        0 => say(&name, "no verdict in both".to_owned()),
        decided => {
            say(&name, format!("{} of {decided}", flips.len()));
            say("", format!("{answered} to ANSWER, {declined} to DECLINE"));
        }
    }
    say("scored in both", changes.rows.len().to_string());
    if changes.only_before + changes.only_after > 0 {
        let text = format!("{} and {}", changes.only_before, changes.only_after);
        say("only in the one, only in the other", text);
    }
    say("mean change", format!("{:+.3}", changes.mean));
    say("mean size of a change", format!("{:.3}", changes.mean_size));
    if let Some(pearson) = changes.pearson {
        say("Pearson", format!("{pearson:.3}"));
    }
    let key = state.keymap.hint(Layer::Runs, Action::OpenRecords);
    let key = key.map(|(keys, _)| sequence_label(keys, paint.glyphs.ascii));
    if let Some(key) = key {
        let said = format!("{key} opens them, the flipped ones first.");
        lines.extend(paint.wrapped(&said, width, paint.style("ui.text.dim")));
    }
    lines.push(Line::default());
    if !flips.is_empty() {
        lines.push(paint.heading("flipped", "before    after", width));
        for flip in flips.iter().take(LISTED) {
            let Some(row) = changes.rows.get(flip.place) else {
                continue;
            };
            let style = paint.verdict(now(flip));
            lines.push(step(row, (flip.before, flip.after), style, paint, width));
        }
        lines.push(Line::default());
    }
    lines.push(paint.heading("changed most", "before    after", width));
    for row in changes.rows.iter().take(LISTED) {
        let role = match row.after >= row.before {
            true => "score.good",
            false => "score.bad",
        };
        let style = paint.style(role);
        lines.push(step(row, (row.before, row.after), style, paint, width));
    }
    lines
}

/// A response with a number before and after.
fn step(
    row: &Changed,
    (before, after): (f64, f64),
    style: Style,
    paint: &Paint<'_>,
    width: usize,
) -> Line<'static> {
    let dim = paint.style("ui.text.dim");
    let mut right = Row::new();
    right.push(format!("{before:>7.3}"), dim);
    right.push(format!("{after:>9.3}"), style.add_modifier(Modifier::BOLD));
    let mut left = Row::new();
    let room = width.saturating_sub(right.width());
    left.push(names::of(&row.id, &row.response_id, room, paint), dim);
    left.with_right(right, width)
}
