//! Boxes over the screen: help, errors, themes.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Clear, Widget};
use unicode_segmentation::UnicodeSegmentation;

use super::paint::Paint;
use super::{bracket, inspect};
use crate::tui::key::Key;
use crate::tui::keymap::{HelpLine, sequence_label};
use crate::tui::layout::{help_in_two, inner, overlay_area, overlay_height, padded};
use crate::tui::state::{Exported, Listed, Overlay, Purpose, RowError, State};
use crate::tui::text::truncate;
use crate::tui::theme_box;
use crate::tui::widget::{Row, scrollbar};

/// Draws the overlay, if one is open.
pub fn draw(state: &State, paint: &Paint<'_>, frame: &mut Frame<'_>) {
    match &state.overlay {
        Some(Overlay::Help { scroll }) => {
            let two = help_in_two(frame.area().width);
            let lines = help(state, two, paint);
            let width = if two { 100 } else { 60 };
            boxed("Keys", lines, *scroll, width, paint, frame);
        }
        Some(Overlay::Errors { scroll }) => {
            let title = format!("{} skipped", state.errors.len());
            let width = usize::from(frame.area().width).saturating_sub(8).min(100);
            let lines = state.errors.iter().flat_map(|e| error(e, paint, width));
            boxed(
                &title,
                lines.collect(),
                *scroll,
                width as u16 + 4,
                paint,
                frame,
            );
        }
        Some(Overlay::Themes { chosen, .. }) => {
            let lines = themes(state, *chosen, paint);
            let (total, width) = (lines.len(), theme_box::area(state).width);
            let shown = total.min(overlay_height(frame.area().height));
            let offset = theme_box::offset(*chosen, total, shown);
            boxed("Themes", lines, offset, width, paint, frame);
        }
        Some(Overlay::Pick {
            listed,
            query,
            chosen,
        }) => {
            pick(state, listed, query, *chosen, paint, frame);
        }
        Some(Overlay::Line { purpose, text }) => line(state, purpose, text, paint, frame),
        Some(Overlay::Inspect { scroll }) => {
            let width = frame.area().width.saturating_sub(4).min(110);
            let lines = inspect::lines(state, paint, usize::from(width).saturating_sub(4));
            boxed("What the judge sees", lines, *scroll, width, paint, frame);
        }
        Some(Overlay::Bracket { scroll }) => {
            let width = bracket_width(frame.area().width);
            let lines = bracket::lines(state, paint, usize::from(width).saturating_sub(4));
            boxed("Tournament", lines, *scroll, width, paint, frame);
        }
        Some(Overlay::Log { scroll }) => {
            let width = frame.area().width.saturating_sub(4).min(110);
            let lines = log(state, paint, usize::from(width).saturating_sub(4));
            boxed("Log", lines, *scroll, width, paint, frame);
        }
        None => {}
    }
}

/// Columns of the tournament's box on a screen of so many.
pub fn bracket_width(columns: u16) -> u16 {
    columns.saturating_sub(4).min(140)
}

/// A list to choose from, over it what is typed.
fn pick(
    state: &State,
    listed: &Listed,
    query: &str,
    chosen: usize,
    paint: &Paint<'_>,
    frame: &mut Frame<'_>,
) {
    let Some(area) = state.overlay_area() else {
        return;
    };
    let inside = ground(listed.title(), area, paint, frame);
    typed(query, inside, paint, frame);
    let width = usize::from(inside.width);
    let shown = usize::from(inside.height).saturating_sub(1);
    let entries = state.entries(listed, query);
    let total = entries.len();
    if total == 0 {
        let text = match (listed, state.facet_counts.is_none()) {
            (Listed::Facets, true) => "Counting",
            (Listed::Facets, false) => "No field has a few values that records share.",
            _ => "Nothing is called that.",
        };
        let at = Rect::new(inside.x, inside.y + 1, inside.width, 1);
        Line::styled(text, paint.style("ui.text.dim")).render(at, frame.buffer_mut());
        return;
    }
    let top = state.pick_top(shown);
    let many = matches!(listed, Listed::Columns | Listed::Facets);
    for (place, entry) in entries.into_iter().enumerate().skip(top).take(shown) {
        let here = place == chosen;
        let mut left = Row::new();
        let sign = match (here, entry.on) {
            (true, _) => paint.glyphs.pointer,
            (false, _) => " ",
        };
        left.push(sign, paint.style("ui.pointer"));
        let on = match (entry.on, many) {
            (true, _) => paint.glyphs.full,
            (false, true) => paint.glyphs.empty,
            (false, false) => " ",
        };
        left.push(format!("{on} "), paint.style("score.good"));
        let style = match here {
            true => paint.style("ui.text").add_modifier(Modifier::BOLD),
            false => paint.style("ui.text"),
        };
        left.push(paint.safe(&entry.text).replace('\n', " "), style);
        let mut right = Row::new();
        right.push(
            format!(" {} ", paint.safe(&entry.note)),
            paint.style("ui.text.dim"),
        );
        let at = Rect::new(
            inside.x,
            inside.y + 1 + (place - top) as u16,
            inside.width,
            1,
        );
        if here {
            frame
                .buffer_mut()
                .set_style(at, paint.style("ui.selection"));
        }
        left.with_right(right, width).render(at, frame.buffer_mut());
    }
    scrollbar(
        area,
        total + 1,
        top,
        paint.theme,
        paint.glyphs,
        frame.buffer_mut(),
    );
}

fn line(state: &State, purpose: &Purpose, text: &str, paint: &Paint<'_>, frame: &mut Frame<'_>) {
    let comment = |row| {
        let on = state.row_name(row).unwrap_or_default();
        format!("Comment on {}", paint.safe(&on).replace('\n', " "))
    };
    let commented;
    let title = match purpose {
        Purpose::Comment(row) => {
            commented = comment(*row);
            &commented
        }
        Purpose::Annotator => "Who annotates",
        Purpose::Preset => "Save the cut in",
        Purpose::Report => "Write the report to",
        Purpose::Export(what) => match what {
            Exported::Records => "Write records to (.jsonl, .csv, .parquet)",
            Exported::Labels => "Write labels to (.jsonl, .csv, .parquet)",
            Exported::Pairs => "Write preference pairs to (.jsonl, .csv, .parquet)",
        },
    };
    if let Some(area) = state.overlay_area() {
        let inside = ground(title, area, paint, frame);
        typed(text, inside, paint, frame);
        if *purpose == Purpose::Annotator && inside.height > 1 {
            let at = Rect::new(inside.x, inside.y + 1, inside.width, 1);
            names(state, paint, usize::from(inside.width)).render(at, frame.buffer_mut());
        }
    }
}

/// Who annotates now, and who else has.
fn names(state: &State, paint: &Paint<'_>, width: usize) -> Line<'static> {
    let now = &state.annotate.annotator;
    let journal = state.annotate.journal.iter();
    let mut others = journal.flat_map(|journal| journal.annotators());
    let mut text = format!("now {now}");
    if let Some(first) = others.find(|name| name != now) {
        text.push_str(&format!("; also {first}"));
        for name in others.filter(|name| name != now) {
            text.push_str(&format!(", {name}"));
        }
    }
    let text = paint.safe(&text).replace('\n', " ");
    let shown = truncate(&text, width, paint.glyphs.ellipsis);
    Line::styled(shown, paint.style("ui.text.dim"))
}

/// What is typed, its end in sight, with the cursor behind it.
fn typed(text: &str, area: Rect, paint: &Paint<'_>, frame: &mut Frame<'_>) {
    let text = paint.safe(text).replace('\n', " ");
    let room = usize::from(area.width).saturating_sub(3);
    let mut from = 0;
    while crate::tui::text::width(&text[from..]) > room {
        let step = text[from..].graphemes(true).next().map_or(1, str::len);
        from += step;
    }
    let mut row = Row::new();
    row.push("> ", paint.style("ui.pointer"));
    row.push(&text[from..], paint.style("ui.input"));
    let column = area.x + row.width() as u16;
    let at = Rect { height: 1, ..area };
    row.fit(usize::from(area.width))
        .render(at, frame.buffer_mut());
    frame.set_cursor_position(Position::new(column.min(area.right() - 1), area.y));
}

/// Draws an empty box and answers what is inside.
fn ground(title: &str, area: Rect, paint: &Paint<'_>, frame: &mut Frame<'_>) -> Rect {
    let ground = paint.style("ui.background").patch(paint.style("ui.text"));
    let ground = ground.patch(paint.style("ui.overlay"));
    let buffer = frame.buffer_mut();
    Clear.render(area, buffer);
    buffer.set_style(area, ground);
    Block::new()
        .borders(Borders::ALL)
        .border_set(paint.glyphs.border)
        .border_style(paint.style("ui.overlay.border"))
        .title(paint.title(title, true))
        .render(area, buffer);
    padded(area)
}

fn log(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let lines = state.runs.log.iter();
    lines
        .map(|(at, text)| {
            let text = paint
                .safe(&format!("{}  {text}", clock(*at)))
                .replace('\n', " ");
            let shown = truncate(&text, width, paint.glyphs.ellipsis);
            Line::styled(shown, paint.style("ui.text"))
        })
        .collect()
}

/// Hours, minutes and seconds of the day (UTC).
pub fn clock(at: i64) -> String {
    let seconds = at.div_euclid(1000).rem_euclid(86_400);
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn boxed(
    title: &str,
    lines: Vec<Line<'static>>,
    scroll: usize,
    width: u16,
    paint: &Paint<'_>,
    frame: &mut Frame<'_>,
) {
    let screen = frame.area();
    let area = overlay_area((screen.width, screen.height), width, lines.len());
    ground(title, area, paint, frame);
    let buffer = frame.buffer_mut();
    let inside = inner(area);
    let shown = usize::from(inside.height);
    let offset = scroll.min(lines.len().saturating_sub(shown));
    let total = lines.len();
    for (row, line) in lines.into_iter().skip(offset).take(shown).enumerate() {
        let at = Rect::new(
            inside.x + 1,
            inside.y + row as u16,
            inside.width.saturating_sub(2),
            1,
        );
        line.render(at, buffer);
    }
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

fn help(state: &State, two: bool, paint: &Paint<'_>) -> Vec<Line<'static>> {
    let [left, right] = state.help(two);
    let width = if two { 48 } else { 56 };
    let count = left.len().max(right.len());
    (0..count)
        .map(|place| {
            let mut row = Row::new();
            for column in [&left, &right] {
                let line = column.get(place).copied().unwrap_or(HelpLine::Blank);
                let mut part = help_line(line, paint);
                part.pad(width);
                row.extend(part.fit(width).spans);
            }
            row.fit(100)
        })
        .collect()
}

fn help_line(line: HelpLine<'_>, paint: &Paint<'_>) -> Row {
    let ascii = paint.glyphs.ascii;
    let key = paint.style("ui.footer.key");
    let mut row = Row::new();
    match line {
        HelpLine::Blank => {}
        HelpLine::Title(title) => {
            row.push(title, paint.style("ui.text.heading"));
        }
        HelpLine::Digits => {
            row.push("  0-9", key).pad(22);
            row.push("rate, and go on", Style::default());
        }
        HelpLine::Binding(binding) => {
            let label = |keys: &Vec<Key>| sequence_label(keys, ascii);
            let keys: Vec<String> = binding.on.iter().map(label).collect();
            row.push(format!("  {}", keys.join("  ")), key).pad(22);
            row.push(
                binding.desc.replace('τ', paint.glyphs.tau),
                Style::default(),
            );
        }
    }
    row
}

fn error(error: &RowError, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let place = match error.line {
        Some(line) => format!("{}:{line}", error.file),
        None => error.file.clone(),
    };
    let mut row = Row::new();
    row.push(paint.safe(&place), paint.style("state.warning"));
    row.push("  ", Style::default());
    let room = width.saturating_sub(row.width());
    let cause = truncate(&paint.safe(&error.cause), room, paint.glyphs.ellipsis);
    row.push(cause, Style::default());
    vec![row.fit(width)]
}

fn themes(state: &State, chosen: usize, paint: &Paint<'_>) -> Vec<Line<'static>> {
    let width = theme_box::name_width(state);
    let names = state.themes.names().enumerate();
    names
        .map(|(place, name)| {
            let here = place == chosen;
            let mut row = Row::new();
            row.push(
                if here { paint.glyphs.pointer } else { " " },
                paint.style("ui.pointer"),
            );
            let style = if here {
                Style::default().add_modifier(Modifier::BOLD)
            } else {
                paint.style("ui.text.dim")
            };
            let name = truncate(&paint.safe(name), width, paint.glyphs.ellipsis);
            row.push(format!(" {name}"), style).pad(width + 2);
            if let Some(theme) = state.themes.at(place) {
                for role in [
                    "score.good",
                    "score.near",
                    "score.bad",
                    "signal.reference",
                    "label",
                ] {
                    row.push(paint.glyphs.full, theme.style(role));
                }
            }
            row.fit(theme_box::line_width(state))
        })
        .collect()
}
