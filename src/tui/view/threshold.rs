//! The threshold screen: the cut over the scores, and what it does.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use super::paint::{Paint, focused};
use crate::stats::threshold::{Confusion, wilson};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{Bin, CONFIDENCE, Cell, State};
use crate::tui::widget::{Bar, PaneFrame, Row, scrollbar};

/// Stands for a number that is not defined.
const UNDEFINED: &str = "-";

/// The line of the first counts among the figures.
pub const COUNTS: usize = 6;

/// Thresholds that the curve is drawn through.
const POINTS: usize = 200;

/// Draws the scores split by label with the cut through them, and below the risk by coverage.
pub fn cut(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Cut);
    let name = state.cut.signal.map_or("scores", |signal| signal.word());
    PaneFrame {
        title: paint.title(&format!("Cut on {name}"), focus),
        note: Some(paint.note(&rule(state, paint))),
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    if state.cut.all.is_empty() {
        paint.message(&empty(state), inside, buffer);
        return;
    }
    // Two thirds for the scores; the curve only where it can be read.
    let curve = if inside.height >= 14 {
        inside.height * 2 / 5
    } else {
        0
    };
    let scores = Rect {
        height: inside.height - curve,
        ..inside
    };
    histogram(state, paint, scores, buffer);
    if curve > 0 {
        let below = Rect::new(inside.x, inside.y + scores.height, inside.width, curve);
        risk_by_coverage(state, paint, below, buffer);
    }
}

/// `good is rating ≥ 6`
fn rule(state: &State, paint: &Paint<'_>) -> String {
    let least = if paint.glyphs.ascii { ">=" } else { "≥" };
    match &state.good.label {
        Some(label) => format!("good is {} {least} {}", paint.safe(label), state.good.from),
        None => "no labels".to_owned(),
    }
}

fn empty(state: &State) -> Vec<(String, &'static str)> {
    let text = match (&state.good.label, state.cut.unlabelled) {
        (None, _) => "No response has a label: there is nothing to hold the cut against.",
        (Some(_), 0) => "Nothing is scored yet.",
        (Some(_), _) => "What is scored so far has no label.",
    };
    vec![(text.to_owned(), "ui.text.dim")]
}

/// Good rows above, bad rows below, on one scale, a column a bin.
fn histogram(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let rows = usize::from(area.height).saturating_sub(3);
    let (above, below) = (rows - rows / 2, rows / 2);
    if width == 0 || above == 0 {
        return;
    }
    let bins = state.cut.all.histogram(width);
    let peak = bins
        .iter()
        .map(|(good, bad)| *good.max(bad))
        .max()
        .unwrap_or(0);
    let cut = Bar::column(state.threshold, width);
    let marked = match &state.marked {
        Some(Bin::Scores(from, to)) => {
            let column = |share: f64| (share * width as f64).round() as usize;
            column(*from)..column(*to).max(column(*from) + 1)
        }
        _ => 0..0,
    };
    let (good, bad) = (paint.style("score.good"), paint.style("score.bad"));
    let mut lines = vec![legend(state, paint, width)];
    let band = |count: &dyn Fn(&(usize, usize)) -> usize, height: usize, style: Style| {
        (0..height)
            .rev()
            .map(|level| {
                let mut row = Row::new();
                for (column, bin) in bins.iter().enumerate() {
                    let sign = step(count(bin), peak, level, height, paint);
                    match sign {
                        None if column == cut => {
                            row.push(paint.glyphs.mark, paint.style("score.mark"))
                        }
                        None if marked.contains(&column) => {
                            row.push(paint.glyphs.track, paint.style("ui.text.dim"))
                        }
                        None => row.push(" ", Style::default()),
                        Some(sign) if marked.contains(&column) => row.push(
                            sign,
                            style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
                        ),
                        Some(sign) => row.push(sign, style),
                    };
                }
                row.fit(width)
            })
            .collect::<Vec<_>>()
    };
    lines.extend(band(&|bin| bin.0, above, good));
    lines.push(axis(state, paint, width));
    lines.extend(band(&|bin| bin.1, below, bad));
    let last = Line::styled("bad", bad);
    lines.push(last);
    for (row, line) in lines.into_iter().take(usize::from(area.height)).enumerate() {
        let at = Rect::new(area.x, area.y + row as u16, area.width, 1);
        line.render(at, buffer);
    }
}

/// The sign of a column at a level, if it reaches there.
fn step(
    count: usize,
    peak: usize,
    level: usize,
    height: usize,
    paint: &Paint<'_>,
) -> Option<&'static str> {
    if count == 0 || peak == 0 {
        return None;
    }
    let signs = paint.glyphs.column;
    let reached = count as f64 / peak as f64 * height as f64 - level as f64;
    let step = (reached.clamp(0.0, 1.0) * signs.len() as f64).round() as usize;
    // A single row is seen, too.
    let least = usize::from(level == 0);
    step.max(least)
        .checked_sub(1)
        .and_then(|step| signs.get(step))
        .copied()
}

fn legend(state: &State, paint: &Paint<'_>, width: usize) -> Line<'static> {
    let mut left = Row::new();
    left.push("good", paint.style("score.good"));
    let mut right = Row::new();
    right.push(
        format!("{} labelled, scored", state.cut.all.len()),
        paint.style("ui.text.dim"),
    );
    left.with_right(right, width)
}

/// `0 ────│──── 1` with τ at the cut.
fn axis(state: &State, paint: &Paint<'_>, width: usize) -> Line<'static> {
    let cut = Bar::column(state.threshold, width);
    let (dim, mark) = (paint.style("ui.text.dim"), paint.style("score.mark"));
    let text = format!("{} {:.2}", paint.glyphs.tau, state.threshold);
    let from = cut.min(width.saturating_sub(text.chars().count()));
    let mut row = Row::new();
    let rule = |columns: usize| paint.glyphs.rule.repeat(columns);
    row.push(rule(from), dim);
    row.push(text, mark);
    let rest = width.saturating_sub(row.width());
    row.push(rule(rest), dim);
    row.fit(width)
}

fn risk_by_coverage(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let curve = state.cut.all.curve(POINTS);
    let now = state.cut.all.at(state.threshold);
    let point: Vec<(f64, f64)> = now.coverage().zip(now.risk()).into_iter().collect();
    let most = curve.iter().map(|(_, risk)| *risk).fold(0.05, f64::max);
    let dim = paint.style("ui.text.dim");
    let marker = if paint.glyphs.ascii {
        Marker::Dot
    } else {
        Marker::Braille
    };
    let datasets = vec![
        Dataset::default()
            .graph_type(GraphType::Line)
            .marker(marker)
            .style(paint.style("ui.text"))
            .data(&curve),
        Dataset::default()
            .graph_type(GraphType::Scatter)
            .marker(Marker::Block)
            .style(paint.style("score.mark"))
            .data(&point),
    ];
    let share = |x: f64| Span::styled(format!("{:.0}%", 100.0 * x), dim);
    Chart::new(datasets)
        .x_axis(
            Axis::default()
                .title(Span::styled("coverage", dim))
                .style(paint.style("ui.border"))
                .bounds([0.0, 1.0])
                .labels([share(0.0), share(0.5), share(1.0)]),
        )
        .y_axis(
            Axis::default()
                .title(Span::styled("risk", dim))
                .style(paint.style("ui.border"))
                .bounds([0.0, most])
                .labels([share(0.0), share(most)]),
        )
        .render(area, buffer);
    if paint.glyphs.ascii {
        plain(area, buffer);
    }
}

/// The chart's own signs in ASCII.
fn plain(area: Rect, buffer: &mut Buffer) {
    for at in area.positions() {
        let Some(cell) = buffer.cell_mut(at) else {
            continue;
        };
        let sign = match cell.symbol() {
            symbol if symbol.is_ascii() => continue,
            "│" => "|",
            "─" => "-",
            "└" => "+",
            "•" => ".",
            _ => "#",
        };
        cell.set_symbol(sign);
    }
}

/// Draws what the cut does, in numbers.
pub fn figures(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Figures);
    PaneFrame {
        title: paint.title("At this cut", focus),
        note: None,
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let lines = numbers(state, paint, width);
    let total = lines.len();
    let offset = figures_top(state, total, height);
    for (row, line) in lines.into_iter().skip(offset).take(height).enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
        line.render(at, buffer);
    }
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

/// The line of the marked count or category among the figures.
fn marked_line(state: &State) -> Option<usize> {
    let categories = COUNTS + 11;
    match state.marked.as_ref()? {
        Bin::Cell(Cell::AnsweredGood | Cell::AnsweredBad) => Some(COUNTS),
        Bin::Cell(_) => Some(COUNTS + 1),
        Bin::Slice(name) => {
            let slices = &state.cut.slices;
            let at = slices.iter().position(|slice| slice.name == *name)?;
            // The sentence above them may be wrapped: rather one line too far than one too few.
            Some(categories + 2 + at)
        }
        Bin::Scores(..) => None,
    }
}

/// The first line of the figures on screen: what is marked is among them.
pub fn figures_top(state: &State, total: usize, height: usize) -> usize {
    let least = marked_line(state).map_or(0, |line| (line + 2).saturating_sub(height));
    least.min(total.saturating_sub(height))
}

fn numbers(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let (text, dim) = (paint.style("ui.text"), paint.style("ui.text.dim"));
    let pair = |name: &str, value: String| {
        let (mut left, mut right) = (Row::new(), Row::new());
        left.push(name, dim);
        right.push(value, text);
        left.with_right(right, width)
    };
    let cut = &state.cut;
    let now = cut.all.at(state.threshold);
    let mut lines = vec![
        pair("coverage", percent(now.coverage())),
        pair("risk among the answered", percent(now.risk())),
        pair("  95 % interval", interval(&now)),
        Line::default(),
    ];
    let marked = state.marked.as_ref();
    let cell = |number: usize, style: &str, which: Cell| {
        let style = paint.style(style);
        match marked == Some(&Bin::Cell(which)) {
            true => Span::styled(
                format!(" [{number:>5}]"),
                style.add_modifier(Modifier::BOLD),
            ),
            false => Span::styled(format!("{number:>7} "), style),
        }
    };
    let row = |name: &str, cells: [Span<'static>; 2]| {
        let mut row = Row::new();
        row.push(format!("{name:<10}"), dim);
        row.extend(cells);
        row.fit(width)
    };
    lines.push(paint.heading("counts", "", width));
    lines.push(row(
        "",
        ["good", "bad"].map(|name| Span::styled(format!("{name:>7} "), dim)),
    ));
    lines.push(row(
        "answered",
        [
            cell(now.answered_good, "score.good", Cell::AnsweredGood),
            cell(now.answered_bad, "score.bad", Cell::AnsweredBad),
        ],
    ));
    lines.push(row(
        "declined",
        [
            cell(now.declined_good, "ui.text", Cell::DeclinedGood),
            cell(now.declined_bad, "ui.text", Cell::DeclinedBad),
        ],
    ));
    lines.push(Line::default());
    lines.push(paint.heading("at any cut", "", width));
    lines.push(pair("AUROC", figure(cut.auroc)));
    lines.push(pair("excess AURC", figure(cut.excess_aurc)));
    lines.push(Line::default());
    lines.push(paint.heading("promise", "", width));
    let asked = format!(
        "s solves for a risk of at most {:.0} %, with {:.0} % confidence; t takes the next risk.",
        100.0 * state.target,
        100.0 * CONFIDENCE
    );
    lines.extend(paint.wrapped(&asked, width, dim));
    if cut.slices.len() > 1 {
        lines.push(Line::default());
        lines.push(paint.heading("category", "coverage    risk", width));
        for slice in &cut.slices {
            let now = slice.part.at(state.threshold);
            let numbers = format!("{:>8} {:>7}", percent(now.coverage()), percent(now.risk()));
            let name = paint.safe(&slice.name);
            let name = match marked == Some(&Bin::Slice(slice.name.clone())) {
                true => format!("[{name}]"),
                false => name,
            };
            lines.push(pair(&name, numbers));
        }
    }
    if cut.unlabelled > 0 {
        lines.push(Line::default());
        lines.push(pair("scored without the label", cut.unlabelled.to_string()));
    }
    lines
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| UNDEFINED.to_owned(), |x| format!("{:.1} %", 100.0 * x))
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |x| format!("{x:.3}"))
}

fn interval(now: &Confusion) -> String {
    let answered = now.answered_good + now.answered_bad;
    match wilson(now.answered_bad, answered) {
        Some((low, high)) => format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high),
        None => UNDEFINED.to_owned(),
    }
}
