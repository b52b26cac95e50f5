//! What a person says of the response on screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::paint::{Paint, focused};
use crate::stats::Interval;
use crate::store::journal::Said;
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{FEW, Queue, State, Together};
use crate::tui::widget::{Bar, PaneFrame, Row, scrollbar};

/// Draws the rating pane.
pub fn draw(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Rating);
    let annotate = &state.annotate;
    let note = match &annotate.waiting {
        Some(_) => "saving".to_owned(),
        None if annotate.blind => "blind".to_owned(),
        None => String::new(),
    };
    PaneFrame {
        title: paint.title("Rating", focus),
        note: (!note.is_empty()).then(|| paint.note(&note)),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let lines = lines(state, paint, width);
    let total = lines.len();
    let offset = state.card_scroll.min(total.saturating_sub(height));
    for (row, line) in lines.into_iter().skip(offset).take(height).enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
        line.render(at, buffer);
    }
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

/// Draws the scale and how far the work is, in two lines.
pub fn brief(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width).saturating_sub(2);
    let annotate = &state.annotate;
    let said = said(state);
    let lines = scale(
        state,
        said.as_ref().and_then(|s| s.1.as_ref()),
        paint,
        width,
    );
    let mut left = Row::new();
    let (done, all) = (state.said_count(), annotate.queue.len());
    left.push(
        format!("{done} of {all}, {}", annotate.order.word()),
        paint.style("ui.text.dim"),
    );
    let mut right = Row::new();
    if annotate.waiting.is_some() {
        right.push("saving", paint.style("state.loading"));
    }
    // The digits, without their title.
    let drawn = lines.into_iter().nth(1).into_iter();
    let drawn = drawn.chain(std::iter::once(left.with_right(right, width)));
    for (row, line) in drawn.take(usize::from(area.height)).enumerate() {
        let at = Rect::new(area.x + 1, area.y + row as u16, width as u16, 1);
        line.render(at, buffer);
    }
}

/// The texts on screen, and what this annotator has said of them.
fn said(state: &State) -> Option<(crate::data::SubjectKey, Option<Said>)> {
    let annotate = &state.annotate;
    let (record, response) = annotate.row()?;
    let key = state.row_key(record, response)?;
    let journal = annotate.journal.as_ref()?;
    Some((key, journal.said(&annotate.annotator, key).cloned()))
}

fn lines(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let annotate = &state.annotate;
    let (text, dim) = (paint.style("ui.text"), paint.style("ui.text.dim"));
    let mut lines = Vec::new();
    if let Some(trouble) = &annotate.trouble {
        lines.extend(paint.wrapped(
            &format!("{} Nothing can be kept: {trouble}", paint.glyphs.cross),
            width,
            paint.style("state.error"),
        ));
        lines.push(Line::default());
    }
    // The text says what is waited for there.
    if annotate.queue.is_empty() && annotate.trouble.is_none() && !annotate.returns() {
        let why = match (&annotate.journal, annotate.order) {
            (None, _) => "Reading what was said before.",
            (_, order) if order.needs_scores() => "Nothing that is scored belongs here yet.",
            (_, Queue::Unlabelled) if annotate.walked > 0 => {
                "Everything is labelled or skipped; o chooses another queue."
            }
            (_, Queue::Skipped) => "Nothing is skipped; o chooses another queue.",
            _ => "There is nothing to rate in this queue; o chooses another.",
        };
        lines.extend(paint.wrapped(why, width, dim));
    }
    let said = said(state);
    lines.extend(scale(
        state,
        said.as_ref().and_then(|s| s.1.as_ref()),
        paint,
        width,
    ));
    if let Some((key, said)) = &said {
        lines.extend(own(said.as_ref(), paint, width));
        if !annotate.blind {
            lines.extend(revealed(state, *key, paint, width));
        }
    }
    lines.push(Line::default());
    lines.push(paint.heading("progress", "", width));
    let pair = |name: &str, value: String| {
        let (mut left, mut right) = (Row::new(), Row::new());
        left.push(name, dim);
        right.push(value, text);
        left.with_right(right, width)
    };
    let (done, all) = (state.said_count(), annotate.queue.len());
    // More may belong to it: the data are still coming.
    let so_far = match state.more_comes() {
        true if all > 0 => " so far",
        _ => "",
    };
    lines.push(pair("done", format!("{done} of {all}{so_far}")));
    let sampled = annotate.order == Queue::Random && state.facts.responses > all;
    if sampled && all > 0 && so_far.is_empty() {
        lines.push(pair("a sample of", state.facts.responses.to_string()));
    }
    let bar = Bar {
        width,
        thin: true,
        value: Some(done as f64 / all.max(1) as f64),
        mark: None,
        fill: paint.style("state.ready"),
        track: paint.style("score.track"),
        mark_style: Style::default(),
    };
    lines.push(Line::from(bar.spans(paint.glyphs)));
    if let Some(pace) = state.pace() {
        lines.push(pair("pace", format!("{pace:.0} an hour")));
        let left = (all - done) as f64 / pace * 3600.0;
        lines.push(pair("left", super::bars::duration(left)));
    }
    lines.push(pair("next is", annotate.order.word().to_owned()));
    lines.push(pair("annotator", paint.safe(&annotate.annotator)));
    lines.push(Line::default());
    let judged = &annotate.agreed.with_judge;
    let rows = match judged.rows < annotate.rated {
        true => format!("{} of {} scored", judged.rows, annotate.rated),
        false => format!("{} rated", judged.rows),
    };
    lines.extend(together("with the judge", rows, judged, paint, width));
    for (who, found) in &annotate.agreed.with_others {
        lines.push(Line::default());
        let rows = format!("{} rated", found.rows);
        lines.extend(together(&format!("with {who}"), rows, found, paint, width));
    }
    lines
}

/// The digits, the one given standing out.
fn scale(
    state: &State,
    said: Option<&Said>,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let annotate = &state.annotate;
    let (low, high) = annotate.scale;
    let given = said.and_then(|said| said.labels.get(&annotate.name));
    let mut row = Row::new();
    for digit in low..=high {
        let here = given == Some(&f64::from(digit));
        let style = match here {
            true => paint
                .style("label")
                .add_modifier(Modifier::REVERSED | Modifier::BOLD),
            false => paint.style("ui.footer.key"),
        };
        let cell = if here {
            format!("[{digit}]")
        } else {
            format!(" {digit} ")
        };
        row.push(cell, style);
    }
    let (mut worst, mut best) = (Row::new(), Row::new());
    let dim = paint.style("ui.text.dim");
    let columns = (usize::from(high - low) + 1) * 3;
    let ends = match columns.min(width) {
        room if room >= "worst best".len() => {
            worst.push("worst", dim);
            best.push("best", dim);
            worst.with_right(best, room)
        }
        // There is no room for both under so few digits.
        _ => Line::styled(format!("{low} is worst, {high} is best"), dim),
    };
    let name = paint.safe(&annotate.name);
    vec![
        paint.heading(&name, "a digit rates", width),
        row.fit(width),
        ends,
    ]
}

/// What this annotator has said.
fn own(said: Option<&Said>, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let Some(said) = said else {
        return lines;
    };
    if said.skipped {
        lines.push(Line::styled("skipped", paint.style("ui.text.dim")));
    }
    if let Some(comment) = &said.comment {
        let (open, close) = paint.glyphs.quotes;
        let text = format!("{open}{comment}{close}");
        lines.extend(paint.wrapped(&text, width, paint.style("ui.text.quote")));
    }
    lines
}

/// What the others say: judge, data, other annotators.
fn revealed(
    state: &State,
    key: crate::data::SubjectKey,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default(), paint.heading("others", "", width)];
    let dim = paint.style("ui.text.dim");
    if let Some(card) = state.scores.card(key) {
        let ink = super::card::plain_ink(paint);
        lines.push(super::card::verdict_line(card, paint, &ink, width));
    }
    let record = state.record();
    let response = record
        .as_ref()
        .and_then(|r| r.responses.get(state.response));
    for (name, value) in response.iter().flat_map(|response| &response.labels) {
        let mut row = Row::new();
        row.push(format!("{} in the data ", paint.safe(name)), dim);
        row.push(super::list::number(*value), paint.style("label"));
        lines.push(row.fit(width));
    }
    let journal = state.annotate.journal.iter();
    for (who, said) in journal.flat_map(|journal| journal.of_subject(key)) {
        if who == state.annotate.annotator {
            continue;
        }
        for (name, value) in &said.labels {
            let mut row = Row::new();
            row.push(format!("{} by {} ", paint.safe(name), paint.safe(who)), dim);
            row.push(super::list::number(*value), paint.style("label"));
            lines.push(row.fit(width));
        }
    }
    lines
}

/// Spearman, kappa and AC1 with their intervals, as far as they are defined.
fn together(
    name: &str,
    rows: String,
    found: &Together,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let (text, dim) = (paint.style("ui.text"), paint.style("ui.text.dim"));
    let mut lines = vec![paint.heading(&paint.safe(name), &rows, width)];
    if found.rows < FEW {
        let few = format!("too few to compare; from {FEW} on");
        lines.push(Line::styled(few, dim));
        return lines;
    }
    let figures = [
        ("Spearman", found.correlations.spearman),
        ("kappa", found.agreement.and_then(|a| a.quadratic_kappa)),
        ("AC1", found.agreement.and_then(|a| a.gwet_ac1)),
    ];
    for (name, figure) in figures {
        let (mut left, mut right) = (Row::new(), Row::new());
        left.push(name, dim);
        right.push(shown(figure), text);
        lines.push(left.with_right(right, width));
    }
    lines
}

fn shown(figure: Option<Interval>) -> String {
    let Some(found) = figure else {
        return "-".into();
    };
    let [estimate, low, high] = [found.estimate, found.low, found.high].map(hundredths);
    // Ends that are one number are no interval: every draw said the same.
    match found.low.is_nan() || found.high.is_nan() || low == high {
        true => estimate,
        false => format!("{estimate} ({low} to {high})"),
    }
}

/// With two decimals; what rounds to nothing has no sign.
fn hundredths(value: f64) -> String {
    format!("{:.2}", (value * 100.0).round() / 100.0 + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_without_width_or_sign() {
        let figure = |estimate, low, high| {
            shown(Some(Interval {
                estimate,
                low,
                high,
            }))
        };
        assert_eq!(figure(0.5, 0.1, 0.812), "0.50 (0.10 to 0.81)");
        assert_eq!(figure(1.0, 1.0, 1.0), "1.00");
        assert_eq!(figure(-0.001, -0.004, 0.2), "0.00 (0.00 to 0.20)");
        assert_eq!(figure(0.3, f64::NAN, f64::NAN), "0.30");
    }
}
