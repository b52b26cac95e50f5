//! Work in the background, earlier runs, and what changed between two of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::bars::duration;
use super::paint::{Paint, focused};
use crate::store::{Run, RunState};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{Changes, State};
use crate::tui::widget::{Bar, PaneFrame, Row, scrollbar};

/// Changed responses that are listed.
const LISTED: usize = 200;

/// Draws all runs, newest first.
pub fn list(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Runs);
    PaneFrame {
        title: paint.title("Runs", focus),
        note: Some(paint.note(&state.runs.all.len().to_string())),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    if state.runs.all.is_empty() {
        let text = match state.annotate.trouble.is_some() {
            true => "Runs cannot be remembered here.",
            false => "No run yet: s scores everything, and so does `juror score`.",
        };
        paint.message(&[(text.to_owned(), "ui.text.dim")], inside, buffer);
        return;
    }
    let height = usize::from(inside.height);
    let top = (state.runs.chosen + 1).saturating_sub(height);
    let shown = state.runs.all.iter().enumerate().skip(top).take(height);
    for (row, (place, run)) in shown.enumerate() {
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
        line(state, run, here, paint, usize::from(inside.width)).render(at, buffer);
    }
    scrollbar(
        area,
        state.runs.all.len(),
        top,
        paint.theme,
        paint.glyphs,
        buffer,
    );
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
    left.push(format!(" {:<4}", run.id), dim);
    left.push(paint.safe(&run.title), text);
    left.push(format!("  {}", paint.safe(&run.judge)), dim);
    let mut right = Row::new();
    right.push(format!(" {}/{} ", run.done, run.total), dim);
    if run.errors > 0 {
        right.push(
            format!("{} failed ", run.errors),
            paint.style("state.error"),
        );
    }
    right.push(word(state, run), style(run.state, paint));
    left.with_right(right, width)
}

/// How the run stands; one that says it is running but is not was cut short.
fn word(state: &State, run: &Run) -> &'static str {
    let job = state.runs.job.as_ref();
    let ours = job.is_some_and(|job| job.run.started == run.started);
    match run.state {
        RunState::Running if !ours => "interrupted",
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
        None => lines.extend(facts(state, paint, width)),
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
    say("scored", format!("{} of {}", run.done, run.total));
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
    if changes.signal == "fused" {
        let (answered, declined) = changes.flipped(state.threshold);
        let name = format!("flipped at {} {:.2}", paint.glyphs.tau, state.threshold);
        say(
            &name,
            format!("{answered} to ANSWER, {declined} to DECLINE"),
        );
    }
    lines.push(Line::default());
    lines.push(paint.heading("changed most", "before    after", width));
    for row in changes.rows.iter().take(LISTED) {
        let mut left = Row::new();
        let name = format!("{} {}", row.id, row.response_id);
        left.push(paint.safe(&name), paint.style("ui.text.dim"));
        let mut right = Row::new();
        right.push(format!("{:>7.3}", row.before), paint.style("ui.text.dim"));
        let role = match row.after >= row.before {
            true => "score.good",
            false => "score.bad",
        };
        let style = paint.style(role).add_modifier(Modifier::BOLD);
        right.push(format!("{:>9.3}", row.after), style);
        lines.push(left.with_right(right, width));
    }
    lines
}
