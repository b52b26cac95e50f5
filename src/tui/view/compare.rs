//! Two responses side by side, and which of them is ahead.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::names;
use super::paint::{Paint, focused};
use super::texts::marked;
use crate::data::{Item, ScoreCard};
use crate::tui::layout::{Areas, Pane, padded};
use crate::tui::state::{Mark, State, apart, distribution, wrapped};
use crate::tui::text::{truncate, wrap};
use crate::tui::widget::{PaneFrame, Row, scrollbar};

/// Draws the task and both responses, as far as they are on screen.
pub fn draw(state: &State, paint: &Paint<'_>, areas: &Areas, buffer: &mut Buffer) {
    if areas.left.is_none() && areas.right.is_none() {
        return;
    }
    let item = state.record();
    if let Some(area) = areas.task {
        task(state, item.as_deref(), paint, area, buffer);
    }
    let texts = item.as_deref().map(|item| texts(state, item, paint));
    for (area, pane, place, scroll) in [
        (
            areas.left,
            Pane::Left,
            state.compare.0,
            state.compare_scroll.0,
        ),
        (
            areas.right,
            Pane::Right,
            state.compare.1,
            state.compare_scroll.1,
        ),
    ] {
        let Some(area) = area else { continue };
        let parts = texts.as_ref().map(|(left, right)| match pane {
            Pane::Left => left.as_slice(),
            _ => right.as_slice(),
        });
        let side = Side {
            pane,
            place,
            scroll,
            parts: parts.unwrap_or_default(),
        };
        side.draw(state, item.as_deref(), paint, area, buffer);
    }
}

type Parts = Vec<(String, Mark)>;

/// Both responses, with what they do not share marked where that is asked for.
fn texts(state: &State, item: &Item, paint: &Paint<'_>) -> (Parts, Parts) {
    let text = |place: usize| {
        let response = item.responses.get(place);
        response.map_or_else(String::new, |response| paint.safe(response.text.trim_end()))
    };
    let (left, right) = (text(state.compare.0), text(state.compare.1));
    match state.diff {
        true => apart(&left, &right),
        false => (vec![(left, Mark::Plain)], vec![(right, Mark::Plain)]),
    }
}

/// The instruction, and which response is ahead by which number.
fn task(state: &State, item: Option<&Item>, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let inside = PaneFrame {
        title: paint.title("Task", false),
        note: item.map(|item| paint.note(&paint.safe(&item.id))),
        bottom: None,
        focused: false,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let Some(item) = item else {
        if let Some(lines) = super::nothing(state, paint) {
            paint.message(&lines, inside, buffer);
        }
        return;
    };
    let inside = padded(area);
    let width = usize::from(inside.width);
    let ahead = ahead(state, item, paint, width);
    let room = usize::from(inside.height).saturating_sub(ahead.len());
    let text = wrap(&paint.safe(&item.task()), width);
    let cut = text.len() > room;
    let mut lines: Vec<Line<'static>> = text.into_iter().take(room).map(Line::raw).collect();
    if let (true, Some(last)) = (cut, lines.last_mut()) {
        let shown = format!("{last}{}", paint.glyphs.ellipsis);
        *last = Line::raw(truncate(&shown, width, paint.glyphs.ellipsis));
    }
    lines.extend(ahead);
    for (row, line) in lines
        .into_iter()
        .take(usize::from(inside.height))
        .enumerate()
    {
        let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
        line.render(at, buffer);
    }
}

/// Which response each number prefers.
fn ahead(state: &State, item: &Item, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let (left, right) = state.compare;
    let card = |place: usize| {
        let key = item.keys.get(place)?;
        state.scores.card(*key)
    };
    let mut leads: Vec<Lead> = Vec::new();
    let mut say = |name: &str, values: Option<(f64, f64)>, digits: usize| {
        leads.extend(values.map(|(a, b)| Lead {
            name: name.to_owned(),
            by: a - b,
            digits,
        }));
    };
    let both = |of: &dyn Fn(&ScoreCard) -> Option<f64>| {
        card(left).and_then(of).zip(card(right).and_then(of))
    };
    say(
        "self-eval",
        both(&|c| distribution(c, paint.mode).map(|d| d.mean())),
        1,
    );
    say("cosine", both(&|c| c.cosine), 2);
    say("fused", both(&|c| c.fused), 2);
    if let Some(name) = &state.good.label {
        let label = |place: usize| item.responses.get(place)?.labels.get(name).copied();
        let name = format!("{PEOPLE} ({})", paint.safe(name));
        say(&name, label(left).zip(label(right)), 1);
    }
    let mut row = told(&leads, paint);
    // With less room by sides, then without what is needed least: the label of people stays.
    let mut needed = leads;
    needed.sort_by_key(|lead| match lead.name.split(' ').next() {
        Some(PEOPLE) => 0,
        Some("fused") => 1,
        Some("self-eval") => 2,
        _ => 3,
    });
    while row.width() > width && !needed.is_empty() {
        row = sides(&needed, paint);
        needed.pop();
    }
    let empty = row.width() == 0;
    (!empty).then(|| row.fit(width)).into_iter().collect()
}

/// What people's label is called.
const PEOPLE: &str = "people";

/// By how much a number prefers the left response; less than nothing where it prefers the right one.
struct Lead {
    name: String,
    by: f64,
    digits: usize,
}

impl Lead {
    fn amount(&self) -> String {
        format!("{:.*}", self.digits, self.by.abs())
    }
}

/// Each number in words.
fn told(leads: &[Lead], paint: &Paint<'_>) -> Row {
    let mut row = Row::new();
    for lead in leads {
        if row.width() > 0 {
            row.push("   ", Style::default());
        }
        row.push(format!("{}: ", lead.name), paint.style("ui.text.dim"));
        let text = match lead.by {
            by if by > 0.0 => format!("left ahead by {}", lead.amount()),
            by if by < 0.0 => format!("right ahead by {}", lead.amount()),
            _ => "equal".to_owned(),
        };
        row.push(text, paint.style("ui.text"));
    }
    row
}

/// The numbers by the side they prefer.
fn sides(leads: &[Lead], paint: &Paint<'_>) -> Row {
    let mut row = Row::new();
    let of = |sign: f64| {
        leads
            .iter()
            .filter(move |l| (l.by * sign > 0.0) || (sign == 0.0 && l.by == 0.0))
    };
    for (said, sign) in [
        ("left ahead: ", 1.0),
        ("right ahead: ", -1.0),
        ("equal: ", 0.0),
    ] {
        for (at, lead) in of(sign).enumerate() {
            let before = match at {
                0 if row.width() > 0 => format!("  {said}"),
                0 => said.to_owned(),
                _ => ", ".to_owned(),
            };
            row.push(before, paint.style("ui.text.dim"));
            let name = lead.name.split(' ').next().unwrap_or_default();
            let text = match sign {
                0.0 => name.to_owned(),
                _ => format!("{name} {}", lead.amount()),
            };
            row.push(text, paint.style("ui.text"));
        }
    }
    row
}

struct Side<'a> {
    pane: Pane,
    place: usize,
    scroll: usize,
    parts: &'a [(String, Mark)],
}

impl Side<'_> {
    fn draw(
        &self,
        state: &State,
        item: Option<&Item>,
        paint: &Paint<'_>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let focus = focused(state, self.pane);
        let response = item.and_then(|item| item.responses.get(self.place));
        let room = usize::from(area.width).saturating_sub(14);
        let title = response.map_or_else(String::new, |response| {
            let what = match response.generator {
                Some(_) => "",
                None => "response ",
            };
            let name = names::by(response, self.place, room.saturating_sub(what.len()), paint);
            format!("{what}{name}")
        });
        let title = truncate(&title, room, paint.glyphs.ellipsis);
        let count = item.map_or(0, |item| item.responses.len());
        let note = response.map(|_| paint.note(&format!("{}/{count}", self.place + 1)));
        PaneFrame {
            title: paint.title(&title, focus),
            note,
            bottom: None,
            focused: focus,
        }
        .draw(area, paint.theme, paint.glyphs, buffer);
        let inside = padded(area);
        let width = usize::from(inside.width);
        let Some(response) = response else {
            let text = vec![("There is no other response.".to_owned(), "ui.text.dim")];
            paint.message(&text, inside, buffer);
            return;
        };
        let mut head = Vec::new();
        let key = item.and_then(|item| item.keys.get(self.place));
        let card = key.and_then(|key| state.scores.card(*key));
        if let Some(card) = card {
            let ink = super::card::plain_ink(paint);
            head.push(super::card::verdict_line(card, paint, &ink, width));
        } else if key.is_some_and(|key| state.scores.is_pending(*key)) {
            let text = format!("{} scoring", paint.glyphs.spin(state.tick));
            head.push(Line::styled(text, paint.style("ui.text.dim")));
        }
        let mut labels = Row::new();
        for (name, value) in &response.labels {
            labels.push(format!("{} ", paint.safe(name)), paint.style("ui.text.dim"));
            let style = paint.style("label").add_modifier(Modifier::BOLD);
            labels.push(format!("{}  ", super::list::number(*value)), style);
        }
        if labels.width() > 0 {
            head.push(labels.fit(width));
        }
        head.push(Line::styled(
            paint.glyphs.rule.repeat(width),
            paint.style("ui.border"),
        ));
        for (row, line) in head.iter().take(usize::from(inside.height)).enumerate() {
            let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
            line.render(at, buffer);
        }
        let taken = head.len().min(usize::from(inside.height));
        let height = usize::from(inside.height) - taken;
        let lines = wrapped(self.parts, width);
        let total = lines.len();
        let offset = self.scroll.min(total.saturating_sub(height));
        for (row, line) in lines.iter().skip(offset).take(height).enumerate() {
            let at = Rect::new(inside.x, inside.y + (taken + row) as u16, inside.width, 1);
            Line::from(marked(line, paint)).render(at, buffer);
        }
        scrollbar(
            area,
            total + taken,
            offset,
            paint.theme,
            paint.glyphs,
            buffer,
        );
    }
}
