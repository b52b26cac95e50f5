//! The list of records, with the responses of the one under the cursor.

use std::collections::HashSet;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_segmentation::UnicodeSegmentation;

use super::nothing;
use super::paint::{Paint, focused};
use crate::data::{Record, Response, Verdict};
use crate::tui::layout::Pane;
use crate::tui::state::{
    Column, JudgeStatus, ListRow, Quick, Signal, SortBy, State, distribution, matched_chars,
};
use crate::tui::text::{truncate, width};
use crate::tui::widget::{PaneFrame, Row, scrollbar};

/// Responses drawn one sign each beside a record; more are counted.
const MOST_SIGNS: usize = 8;

/// Draws the list pane.
pub fn draw(state: &State, paint: &Paint<'_>, area: Rect, frame: &mut Frame<'_>) {
    let focus = focused(state, Pane::List);
    let count = state.facts.records;
    let note = if state.listing.is_narrowed() {
        format!("{} of {count}", state.listed())
    } else if count > 0 {
        format!("{}/{count}", state.cursor + 1)
    } else {
        String::new()
    };
    let bottom = prompt(state, paint, usize::from(area.width).saturating_sub(2));
    let bottom_width = bottom.as_ref().map_or(0, Line::width);
    let inside = PaneFrame {
        title: paint.title(
            &title(
                state,
                usize::from(area.width).saturating_sub(note.len() + 8),
            ),
            focus,
        ),
        note: (!note.is_empty()).then(|| paint.note(&note)),
        bottom,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, frame.buffer_mut());
    if state.listing.open {
        let column = area.x + bottom_width as u16;
        let last = area.right().saturating_sub(2);
        frame.set_cursor_position(Position::new(column.min(last), area.bottom() - 1));
    }
    if let Some(lines) = nothing(state, paint) {
        super::message(&lines, paint, inside, frame);
        return;
    }
    rows(state, paint, inside, frame.buffer_mut());
    let height = usize::from(inside.height);
    let total = state.listed() + state.children(height).len();
    scrollbar(
        area,
        total,
        state.list_top,
        paint.theme,
        paint.glyphs,
        frame.buffer_mut(),
    );
}

/// `Records`, and what narrows or orders them.
fn title(state: &State, room: usize) -> String {
    let listing = &state.listing;
    let mut parts: Vec<String> = Vec::new();
    match (listing.quick, &listing.picked) {
        (Quick::All, _) => (),
        (Quick::Picked, Some((name, _))) => parts.push(name.clone()),
        (quick, _) => parts.push(quick.word().to_owned()),
    }
    if let Some(selection) = &state.selection {
        parts.push(format!("{:.0} % selected", 100.0 * selection.share()));
    }
    // A value alone may be a bare number.
    let facets = listing.facets.iter();
    parts.extend(facets.map(|facet| format!("{} {}", facet.field, facet.value)));
    if listing.sort != SortBy::Data || listing.reverse {
        let way = if listing.reverse { "up" } else { "down" };
        parts.push(format!("{} {way}", listing.sort.word()));
    }
    let mut title = "Records".to_owned();
    if !parts.is_empty() {
        title = format!("{title}: {}", parts.join(", "));
    }
    truncate(&title, room, state.glyphs.ellipsis)
}

/// What is typed into the filter, in the lower border.
fn prompt(state: &State, paint: &Paint<'_>, room: usize) -> Option<Line<'static>> {
    if !state.listing.open && state.listing.query.is_empty() {
        return legend(state, paint, room);
    }
    let query = paint.safe(&state.listing.query);
    // The end of a long query is what is being typed.
    let mut from = 0;
    while width(&query[from..]) + 3 > room {
        let step = query[from..].graphemes(true).next().map_or(1, str::len);
        from += step;
    }
    Some(Line::from(vec![
        Span::styled(" /", paint.style("ui.title.focus")),
        Span::styled(query[from..].to_string(), paint.style("ui.input")),
        Span::raw(" "),
    ]))
}

/// What the numbers of a response are, in the lower border.
fn legend(state: &State, paint: &Paint<'_>, room: usize) -> Option<Line<'static>> {
    let record = state.record();
    let responses = record.iter().flat_map(|record| &record.responses);
    let label = responses
        .filter_map(label_of)
        .map(|(name, _)| paint.safe(name))
        .next();
    let decision = state.row_card(state.record_index()?, state.response);
    let decision = decision.and_then(|card| paint.decide(card));
    let mut names: Vec<String> = Vec::new();
    for column in &state.columns {
        match column {
            Column::Bar => names.extend(
                decision
                    .filter(|decision| decision.signal == Signal::Fused)
                    .map(|_| "fused".to_owned()),
            ),
            Column::Label => names.extend(label.clone()),
            Column::Length => names.push("length".into()),
            Column::Free => names.push("free".into()),
            _ if decision.is_none() => (),
            Column::SelfEval => names.push("self-eval".into()),
            Column::Cosine => names.push("cosine".into()),
            Column::Fused => names.push("fused".into()),
            Column::Verdict => names.push("verdict".into()),
        }
    }
    let join = |names: &[String]| names.join(&format!(" {} ", paint.glyphs.dot));
    if width(&join(&names)) + 2 > room {
        // A verdict says what it is.
        names.retain(|name| name != "verdict");
    }
    let text = join(&names);
    let fits = !text.is_empty() && width(&text) + 2 <= room;
    fits.then(|| paint.note(&text).right_aligned())
}

/// Whether scores are to be expected.
fn has_judge(state: &State) -> bool {
    matches!(
        state.judge,
        JudgeStatus::Ready(_) | JudgeStatus::Loading { .. }
    )
}

fn rows(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let height = usize::from(area.height);
    let columns = area.width.saturating_sub(1);
    for (line, row) in state.list_rows(height).into_iter().enumerate() {
        let at = Rect::new(area.x, area.y + line as u16, columns, 1);
        let selected = match row {
            ListRow::Record { position, .. } => position == state.cursor,
            ListRow::Response { response, .. } => response == state.response,
        };
        let columns = usize::from(columns);
        let drawn = match row {
            ListRow::Record { record, .. } => record_line(state, paint, record, selected, columns),
            ListRow::Response {
                record,
                response,
                last,
            } => response_line(state, paint, (record, response), (selected, last), columns),
        };
        if selected {
            let focus = focused(state, Pane::List) && matches!(row, ListRow::Response { .. });
            let role = if focus {
                "ui.selection"
            } else {
                "ui.selection.inactive"
            };
            let whole = Rect {
                width: area.width,
                ..at
            };
            buffer.set_style(whole, paint.style(role));
        }
        drawn.render(at, buffer);
    }
}

fn pointer(paint: &Paint<'_>, selected: bool) -> Span<'static> {
    if selected {
        Span::styled(paint.glyphs.pointer, paint.style("ui.pointer"))
    } else {
        Span::raw(" ")
    }
}

fn record_line(
    state: &State,
    paint: &Paint<'_>,
    index: usize,
    selected: bool,
    columns: usize,
) -> Line<'static> {
    let Some(record) = state.item(index) else {
        let gone = "no longer in its file";
        return Line::styled(gone, paint.style("state.error"));
    };
    let mut row = Row::from(vec![pointer(paint, selected)]);
    let (sign, style) = record_sign(state, paint, index);
    row.push(sign, style).push(" ", Style::default());
    let mut signs = Row::new();
    let mut responses = 0..state.responses_of(index);
    if responses.any(|response| state.is_suspicious(index, response)) {
        signs
            .push(paint.glyphs.warning, paint.style("state.warning"))
            .push(" ", Style::default());
    }
    response_signs(state, paint, index, &mut signs);
    if let Some(selection) = &state.selection {
        let (sign, style) = match selection.takes(index) {
            true => (paint.glyphs.check, paint.style("score.good")),
            false => (" ", Style::default()),
        };
        let score = selection
            .of(index)
            .map_or_else(String::new, |s| format!("{:.2}", s.score));
        signs.push(format!(" {score:>5} "), paint.style("ui.text.dim"));
        signs.push(sign, style);
    }
    let room = columns.saturating_sub(row.width() + signs.width() + 1);
    row.extend(instruction(state, paint, &record, room));
    row.with_right(signs, columns)
}

/// The instruction in one line, with what the filter matched standing out.
fn instruction(
    state: &State,
    paint: &Paint<'_>,
    record: &Record,
    room: usize,
) -> Vec<Span<'static>> {
    let ellipsis = paint.glyphs.ellipsis;
    let start: String = record.instruction.chars().take(room * 4 + 16).collect();
    let shown = truncate(&paint.safe(&start), room, ellipsis);
    if state.listing.query.trim().is_empty() {
        return vec![Span::raw(shown)];
    }
    let matched: HashSet<u32> = matched_chars(&state.listing.query, &shown)
        .into_iter()
        .collect();
    let mut spans = Vec::new();
    let mut at = 0;
    for grapheme in shown.graphemes(true) {
        let chars = grapheme.chars().count() as u32;
        let hit = (at..at + chars).any(|place| matched.contains(&place));
        let style = if hit {
            paint.style("ui.match")
        } else {
            Style::default()
        };
        spans.push(Span::styled(grapheme.to_string(), style));
        at += chars;
    }
    spans
}

/// All answered, some, none, or not known.
fn record_sign(state: &State, paint: &Paint<'_>, index: usize) -> (&'static str, Style) {
    let (answered, scored) = tally(state, paint, index);
    let glyphs = state.glyphs;
    match (answered, scored) {
        (_, 0) => (glyphs.unknown, paint.style("ui.text.dim")),
        (0, _) => (glyphs.empty, paint.style("score.bad")),
        (a, s) if a == s => (glyphs.full, paint.style("score.good")),
        _ => (glyphs.half, paint.style("score.near")),
    }
}

fn tally(state: &State, paint: &Paint<'_>, index: usize) -> (usize, usize) {
    let count = state.responses_of(index);
    let decisions = (0..count)
        .filter_map(|response| state.row_card(index, response))
        .filter_map(|card| paint.decide(card));
    decisions.fold((0, 0), |(answered, scored), decision| {
        let answer = decision.verdict(paint.threshold) == Verdict::Answer;
        (answered + usize::from(answer), scored + 1)
    })
}

/// One standing sign a response, as high as its score.
fn response_signs(state: &State, paint: &Paint<'_>, index: usize, row: &mut Row) {
    let count = state.responses_of(index);
    if count > MOST_SIGNS {
        let (answered, scored) = tally(state, paint, index);
        let text = if scored == 0 {
            count.to_string()
        } else {
            format!("{answered}/{scored}")
        };
        row.push(text, paint.style("ui.text.dim"));
        return;
    }
    for response in 0..count {
        let card = state.row_card(index, response);
        match card.and_then(|card| paint.decide(card)) {
            Some(decision) => {
                // The fullest sign would touch the line above.
                let signs = state.glyphs.column;
                let signs = &signs[..signs.len().min(7)];
                let place = (decision.value.clamp(0.0, 1.0) * signs.len() as f64) as usize;
                let sign = signs.get(place.min(signs.len().saturating_sub(1)));
                row.push(sign.copied().unwrap_or(" "), paint.decision(decision));
            }
            None => {
                row.push(state.glyphs.unknown, paint.style("ui.text.dim"));
            }
        }
    }
}

fn response_line(
    state: &State,
    paint: &Paint<'_>,
    (record, index): (usize, usize),
    (selected, last): (bool, bool),
    columns: usize,
) -> Line<'static> {
    let item = state.item(record);
    let response = item.as_ref().and_then(|r| r.responses.get(index));
    let Some(response) = response else {
        return Line::default();
    };
    let glyphs = paint.glyphs;
    let dim = paint.style("ui.text.dim");
    let mut row = Row::from(vec![pointer(paint, selected)]);
    let branch = if last { glyphs.corner } else { glyphs.branch };
    row.push(format!("{branch} "), paint.style("ui.border"));
    let right = numbers(state, paint, (record, index), columns);
    let flag = match state.is_suspicious(record, index) {
        true => format!(" {}", glyphs.warning),
        false => String::new(),
    };
    let room = columns.saturating_sub(row.width() + right.width() + width(&flag) + 1);
    let generator = response.generator.as_deref().unwrap_or_default();
    // A long id mostly repeats the record's and the generator's: the generator tells more.
    let most = if generator.is_empty() { room } else { 3 };
    let id = match paint.safe(&response.id) {
        id if width(&id) > most && !generator.is_empty() => (index + 1).to_string(),
        id => truncate(&id, most, glyphs.ellipsis),
    };
    let room = room.saturating_sub(width(&id) + 1);
    let generator = truncate(&paint.safe(generator), room, glyphs.ellipsis);
    row.push(format!("{id} "), Style::default())
        .push(generator, dim)
        .push(flag, paint.style("state.warning"));
    row.with_right(right, columns)
}

/// Bar, score, verdict and label of a response.
fn numbers(
    state: &State,
    paint: &Paint<'_>,
    (record, index): (usize, usize),
    columns: usize,
) -> Row {
    let mut row = Row::new();
    let dim = paint.style("ui.text.dim");
    let bar_width = match columns {
        44.. => 8,
        36.. => 7,
        _ => 5,
    };
    let key = state.row_key(record, index);
    let card = key.and_then(|key| state.scores.card(key));
    let decision = card.and_then(|card| paint.decide(card));
    let failed = key.is_some_and(|key| state.scores.failure(key).is_some());
    let pending = key.is_some_and(|key| state.scores.is_pending(key));
    let expected = has_judge(state);
    let number = |row: &mut Row, value: Option<f64>, places: usize| match value {
        Some(value) => drop(row.push(format!(" {value:>4.places$}"), Style::default())),
        None if expected || card.is_some() => drop(row.push("     ", dim)),
        None => (),
    };
    for column in &state.columns {
        match column {
            Column::Bar => match decision {
                Some(decision) => {
                    let style = paint.decision(decision);
                    row.extend(paint.thin_bar(bar_width, Some(decision.value), style));
                }
                None if expected => drop(row.extend(paint.thin_bar(bar_width, None, dim))),
                None => (),
            },
            Column::SelfEval => {
                let shown = card.and_then(|card| distribution(card, paint.mode));
                number(&mut row, shown.map(|d| d.mean()), 1);
            }
            Column::Free => {
                let free = card.and_then(|card| card.self_eval_free.as_ref());
                number(&mut row, free.map(|d| d.mean()), 1);
            }
            Column::Cosine => number(&mut row, card.and_then(|card| card.cosine), 2),
            Column::Fused => number(&mut row, card.and_then(|card| card.fused), 2),
            Column::Verdict => {
                let (word, style) = match decision {
                    Some(decision) => {
                        let verdict = decision.verdict(paint.threshold);
                        (verdict.word(), paint.verdict(verdict))
                    }
                    None if failed => ("failed", paint.style("state.error")),
                    None if pending => (paint.glyphs.spin(state.tick), dim),
                    None => ("", dim),
                };
                if expected || decision.is_some() {
                    row.push(format!(" {word:<7}"), style);
                }
            }
            Column::Length => {
                let item = state.item(record);
                let response = item.as_ref().and_then(|item| item.responses.get(index));
                let length = response.map_or(0, |response| response.text.chars().count());
                row.push(format!(" {length:>5}"), dim);
            }
            Column::Label => (),
        }
    }
    if !state.columns.contains(&Column::Label) {
        return row;
    }
    let item = state.item(record);
    let records = item.as_ref().map(|r| r.responses.as_slice());
    let widest = records.unwrap_or_default().iter().filter_map(label_of);
    let widest = widest.map(|(_, label)| label.len()).max().unwrap_or(0);
    if widest > 0 {
        let response = records.and_then(|responses| responses.get(index));
        let label = response.and_then(label_of).map(|(_, label)| label);
        let label = label.unwrap_or_default();
        row.push(format!(" {label:>widest$}"), paint.style("label"));
    }
    row
}

/// The label the list shows: a rating where there is one.
fn label_of(response: &Response) -> Option<(&str, String)> {
    const FIRST: [&str; 4] = ["rating", "score", "label", "p"];
    let mut named = FIRST
        .iter()
        .filter_map(|name| response.labels.get_key_value(*name));
    let (name, value) = named.next().or_else(|| response.labels.iter().next())?;
    Some((name, number(*value)))
}

/// A label as short as it can be: `6`, `0.31`.
pub fn number(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 && value.abs() < 1e6 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
