//! The score card: everything the judge thinks of the texts under the cursor.

mod parts;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::on_judge;
use super::paint::{Paint, focused};
use crate::data::{Response, ScoreCard};
use crate::tui::layout::{Pane, Screen, padded};
use crate::tui::state::{JudgeStatus, Origin, Shown, State, why};
use crate::tui::widget::{PaneFrame, Row, scrollbar};
use parts::Ink;

/// From this many lines on, the card is drawn at full length.
const ROOMY: usize = 30;

/// Draws the card pane.
pub fn draw(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Card);
    let shown = state.shown();
    let inside = PaneFrame {
        title: paint.title("Score", focus),
        note: note(state, &shown, paint).map(|text| paint.note(&text)),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = Rect {
        height: inside.height,
        ..padded(area)
    };
    let width = usize::from(inside.width);
    let height = usize::from(inside.height);
    let lines = lines(state, &shown, paint, (width, height));
    let offset = state.card_scroll.min(lines.len().saturating_sub(height));
    let total = lines.len();
    for (row, line) in lines.into_iter().skip(offset).take(height).enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, width as u16, 1);
        line.render(at, buffer);
    }
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

/// What is going on with the score.
fn note(state: &State, shown: &Shown<'_>, paint: &Paint<'_>) -> Option<String> {
    let writing = state.generation.is_some() && on_judge(state);
    if writing {
        return Some(format!("{} writing", paint.glyphs.spin(state.tick)));
    }
    if shown.pending {
        return Some(format!("{} scoring", paint.glyphs.spin(state.tick)));
    }
    None
}

/// Draws the score in two lines.
pub fn brief(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let shown = state.shown();
    let width = usize::from(area.width).saturating_sub(2);
    let mut drawn = match shown.card {
        Some(card) => {
            let ink = Ink::new(paint, shown.stale);
            vec![
                parts::verdict(card, paint, &ink, width, true),
                parts::gauge(card, paint, &ink, width),
            ]
        }
        None => missing(state, &shown, paint, width),
    };
    drawn.retain(|line| line.width() > 0);
    for (row, line) in drawn.into_iter().take(usize::from(area.height)).enumerate() {
        let at = Rect::new(area.x + 1, area.y + row as u16, width as u16, 1);
        line.render(at, buffer);
    }
}

fn lines(
    state: &State,
    shown: &Shown<'_>,
    paint: &Paint<'_>,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    // What the data were opened for comes first.
    let mut lines = match state.screen {
        Screen::Explore => {
            let mut lines = super::selection::lines(state, paint, width);
            lines.extend(super::reflection::lines(state, paint, width));
            lines
        }
        _ => Vec::new(),
    };
    lines.extend(super::suspects::lines(state, paint, width));
    lines.extend(match shown.card {
        Some(card) => {
            let ink = Ink::new(paint, shown.stale);
            if height >= ROOMY {
                full(state, card, paint, &ink, width)
            } else {
                compact(state, card, paint, &ink, width)
            }
        }
        None => missing(state, shown, paint, width),
    });
    lines.extend(second(state, paint, width));
    if state.template.is_some() && on_judge(state) {
        lines.extend(super::template::pinned(state, paint, width));
    }
    lines.extend(people(state, paint, width));
    lines
}

/// What the second judge thinks of the same texts.
fn second(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(second) = &state.second else {
        return Vec::new();
    };
    let name = paint.safe(&second.name);
    let name = crate::tui::text::truncate(&name, width.saturating_sub(4), paint.glyphs.ellipsis);
    let mut lines = vec![Line::default(), paint.heading(&name, "", width)];
    let key = state.current().map(|(key, _)| key);
    let card = key.and_then(|key| second.scores.card(key));
    let dim = paint.style("ui.text.dim");
    match (&second.status, card) {
        (_, Some(card)) => {
            let ink = Ink::new(paint, false);
            lines.push(parts::verdict(card, paint, &ink, width, true));
            lines.push(parts::gauge(card, paint, &ink, width));
            lines.extend(parts::signals(card, paint, &ink, width, false));
        }
        (JudgeStatus::Failed { cause, cure }, None) => {
            lines.extend(paint.wrapped(cause, width, paint.style("state.error")));
            lines.extend(paint.wrapped(cure, width, dim));
        }
        (JudgeStatus::Loading { stage, .. }, None) => {
            let text = format!("{} loading: {stage}", paint.glyphs.spin(state.tick));
            lines.extend(paint.wrapped(&text, width, paint.style("state.loading")));
        }
        (_, None) => {
            let failure = key.and_then(|key| second.scores.failure(key));
            let text = failure.unwrap_or(match key.is_some() {
                true => "Scoring",
                false => "",
            });
            lines.extend(paint.wrapped(text, width, dim));
        }
    }
    lines
}

/// For numbers of the texts on screen.
pub fn plain_ink(paint: &Paint<'_>) -> Ink {
    Ink::new(paint, false)
}

/// The verdict with its numbers, in one line.
pub fn verdict_line(card: &ScoreCard, paint: &Paint<'_>, ink: &Ink, width: usize) -> Line<'static> {
    parts::verdict(card, paint, ink, width, true)
}

/// The card at full length.
fn full(
    state: &State,
    card: &ScoreCard,
    paint: &Paint<'_>,
    ink: &Ink,
    width: usize,
) -> Vec<Line<'static>> {
    let blank = Line::default;
    let mut lines = vec![parts::verdict(card, paint, ink, width, false), blank()];
    lines.push(parts::deciding(card, paint, ink, width));
    lines.push(parts::gauge(card, paint, ink, width));
    lines.push(parts::caret(paint, width));
    lines.push(blank());
    lines.extend(reason(card, paint, ink, width));
    lines.push(blank());
    lines.push(paint.heading("signals", "", width));
    lines.extend(parts::signals(card, paint, ink, width, true));
    lines.push(blank());
    lines.push(paint.heading("labels", "", width));
    lines.extend(parts::label_rows(card, rating(state), paint, ink, width));
    lines
}

/// The card where lines are few.
fn compact(
    state: &State,
    card: &ScoreCard,
    paint: &Paint<'_>,
    ink: &Ink,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = vec![
        parts::verdict(card, paint, ink, width, true),
        parts::gauge(card, paint, ink, width),
    ];
    lines.extend(reason(card, paint, ink, width));
    lines.extend(parts::signals(card, paint, ink, width, false));
    lines.extend(parts::label_columns(card, rating(state), paint, ink, width));
    lines
}

/// The sentence of why.
fn reason(card: &ScoreCard, paint: &Paint<'_>, ink: &Ink, width: usize) -> Vec<Line<'static>> {
    match why(card, paint.mode, paint.alone, paint.threshold) {
        Some(text) => paint.wrapped(
            &ink.sentence(text),
            width,
            ink.words(paint.style("ui.text")),
        ),
        None => Vec::new(),
    }
}

/// What stands where the numbers would.
fn missing(
    state: &State,
    shown: &Shown<'_>,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut say = |text: &str, role: &str| {
        lines.extend(paint.wrapped(text, width, paint.style(role)));
    };
    let glyphs = paint.glyphs;
    match &state.judge {
        JudgeStatus::Failed { cause, cure } => {
            say(&format!("{} No judge", glyphs.cross), "state.error");
            say(cause, "ui.text");
            say(cure, "ui.text.dim");
        }
        JudgeStatus::Absent => say("No judge: texts and labels only.", "ui.text.dim"),
        JudgeStatus::Loading { stage, done, total } => {
            let spin = glyphs.spin(state.tick);
            say(
                &format!("{spin} Loading the judge: {stage}"),
                "state.loading",
            );
            if *total > 0 {
                let style = paint.style("state.loading");
                let bar = crate::tui::widget::Bar {
                    width,
                    thin: true,
                    value: Some(*done as f64 / *total as f64),
                    mark: None,
                    fill: style,
                    track: paint.style("score.track"),
                    mark_style: style,
                };
                lines.push(Line::from(bar.spans(glyphs)));
            }
        }
        JudgeStatus::Ready(_) if shown.failure.is_some() => {
            say(&format!("{} Not scored", glyphs.cross), "state.error");
            say(shown.failure.unwrap_or_default(), "ui.text");
        }
        JudgeStatus::Ready(_) if shown.blank => {
            let text = match (state.record(), state.screen) {
                (None, _) => "",
                (_, Screen::Judge) => "Scores appear as soon as there is a response.",
                _ => "This record has no response.",
            };
            say(text, "ui.text.dim");
        }
        JudgeStatus::Ready(_) => {
            let text = if state.generation.is_some() {
                "Scored when it is written."
            } else {
                "Scoring"
            };
            say(text, "ui.text.dim");
            lines.push(Line::from(paint.bar(width, None, Style::default())));
        }
    }
    lines
}

/// The response of the data that is shown or edited.
fn response(state: &State) -> Option<Response> {
    let place = match state.screen {
        Screen::Judge => match state.draft_id()?.origin {
            Origin::Own => return None,
            Origin::Response(place) => place,
        },
        _ => state.response,
    };
    state.record()?.responses.get(place).cloned()
}

/// Whether what is shown is still the response that people rated.
fn is_rated_text(state: &State) -> bool {
    match state.screen {
        Screen::Judge => state.draft().is_some_and(|draft| !draft.is_changed()),
        _ => true,
    }
}

/// The rating to mark among the judge's labels.
fn rating(state: &State) -> Option<f64> {
    let response = response(state).filter(|_| is_rated_text(state))?;
    ["rating", "score", "label"]
        .iter()
        .find_map(|name| response.labels.get(*name).copied())
}

/// What people said: labels and the reason they gave.
fn people(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(response) = response(state) else {
        return Vec::new();
    };
    if response.labels.is_empty() && response.reason.is_none() {
        return Vec::new();
    }
    let changed = !is_rated_text(state);
    let note = if changed { "before editing" } else { "" };
    let mut lines = vec![Line::default(), paint.heading("people", note, width)];
    let label_style = paint.style("label");
    let mut row = Row::new();
    for (name, value) in &response.labels {
        if row.width() > 0 {
            row.push("   ", Style::default());
        }
        row.push(format!("{} ", paint.safe(name)), paint.style("ui.text.dim"));
        row.push(super::list::number(*value), label_style);
    }
    if row.width() > 0 {
        lines.push(row.fit(width));
    }
    if let Some(reason) = &response.reason {
        let (open, close) = paint.glyphs.quotes;
        let text = format!("{open}{}{close}", reason.trim());
        lines.extend(paint.wrapped(&text, width, paint.style("ui.text.quote")));
    }
    lines
}
