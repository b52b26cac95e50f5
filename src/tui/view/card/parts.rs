//! The parts of a score card.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::data::{LabelDistribution, ScoreCard};
use crate::tui::state::{ShownMode, Signal, distribution};
use crate::tui::view::paint::Paint;
use crate::tui::widget::{Bar, Row, columns, rows};

/// How numbers are written: plainly, or as those of an older text.
pub struct Ink {
    stale: Option<(Style, &'static str)>,
}

impl Ink {
    /// For numbers of this text or of an older one.
    pub fn new(paint: &Paint<'_>, stale: bool) -> Self {
        let mark = paint.glyphs.stale;
        let mark: &'static str = if mark == "~" { "~" } else { "…" };
        Ink {
            stale: stale.then(|| (paint.stale(), mark)),
        }
    }

    /// A number; one of an older text is dim and carries the mark.
    pub fn number(&self, row: &mut Row, text: impl Into<String>, style: Style) {
        match self.stale {
            Some((stale, mark)) => {
                row.push(text, stale).push(mark, stale);
            }
            None => {
                row.push(text, style);
            }
        }
    }

    /// The style of words and bars that follow from numbers.
    pub fn words(&self, style: Style) -> Style {
        self.stale.map_or(style, |(stale, _)| stale)
    }

    /// A sentence made from the numbers.
    pub fn sentence(&self, text: String) -> String {
        match self.stale {
            Some((_, mark)) => format!("{}{mark}", text.trim_end_matches('.')),
            None => text,
        }
    }

    /// What follows a share of a hundred.
    fn percent(&self) -> &'static str {
        self.stale.map_or("%", |(_, mark)| mark)
    }
}

/// `ANSWER   self-eval 6.4 ± 1.2`, with `fused 0.78` between where asked for and where it fits.
pub fn verdict(
    card: &ScoreCard,
    paint: &Paint<'_>,
    ink: &Ink,
    width: usize,
    with_fused: bool,
) -> Line<'static> {
    let dim = paint.style("ui.text.dim");
    let mut left = Row::new();
    let mut fused = Row::new();
    let mut right = Row::new();
    if let Some(decision) = paint.decide(card) {
        let verdict = decision.verdict(paint.threshold);
        let style = paint.verdict(verdict);
        if ink.stale.is_some() {
            ink.number(&mut left, verdict.word(), style);
        } else {
            let badge = style.add_modifier(Modifier::REVERSED | Modifier::BOLD);
            left.push(format!(" {} ", verdict.word()), badge);
        }
        if with_fused && decision.signal == Signal::Fused {
            fused.push(format!("  {} ", decision.signal.word()), dim);
            let number = format!("{:.2}", decision.value);
            ink.number(&mut fused, number, paint.decision(decision));
        }
    }
    if let Some(shown) = distribution(card, paint.mode) {
        right.push("self-eval ", dim);
        let bold = Style::default().add_modifier(Modifier::BOLD);
        ink.number(&mut right, format!("{:.1}", shown.mean()), bold);
        let mut spread = Row::new();
        let sign = paint.glyphs.plus_minus;
        ink.number(&mut spread, format!(" {sign} {:.1}", shown.std()), dim);
        if left.width() + fused.width() + right.width() < width {
            left.extend(fused.fit(width).spans);
        }
        if left.width() + right.width() + spread.width() < width {
            right.extend(spread.fit(width).spans);
        }
    }
    left.with_right(right, width)
}

/// `fused 0.67   0.17 above`: the number that decides and how far it is from the threshold.
pub fn deciding(card: &ScoreCard, paint: &Paint<'_>, ink: &Ink, width: usize) -> Line<'static> {
    let dim = paint.style("ui.text.dim");
    let mut left = Row::new();
    let mut right = Row::new();
    if let Some(decision) = paint.decide(card) {
        let name = match decision.signal {
            Signal::Fused => "fused ",
            Signal::SelfEval => "scaled ",
        };
        left.push(name, dim);
        let style = paint.decision(decision).add_modifier(Modifier::BOLD);
        ink.number(&mut left, format!("{:.2}", decision.value), style);
        let margin = decision.value - paint.threshold;
        let side = if margin >= 0.0 { "above" } else { "below" };
        ink.number(&mut right, format!("{:.2} {side}", margin.abs()), dim);
    }
    left.with_right(right, width)
}

/// The number that decides as a bar over the full width, with the threshold on it.
pub fn gauge(card: &ScoreCard, paint: &Paint<'_>, ink: &Ink, width: usize) -> Line<'static> {
    let decision = paint.decide(card);
    let fill = decision.map_or(Style::default(), |d| ink.words(paint.decision(d)));
    Line::from(paint.bar(width, decision.map(|d| d.value), fill))
}

/// Beneath the gauge: where the threshold stands.
pub fn caret(paint: &Paint<'_>, width: usize) -> Line<'static> {
    let text = format!("{} {:.2}", paint.glyphs.tau, paint.threshold);
    let at = Bar::column(paint.threshold, width);
    let sign = if paint.glyphs.ascii { "^" } else { "▲" };
    let mark = paint.style("score.mark");
    let dim = paint.style("ui.text.dim");
    let mut row = Row::new();
    if at + 2 + text.chars().count() <= width {
        row.pad(at);
        row.push(sign, mark).push(" ", dim).push(text, dim);
    } else {
        row.pad(at.saturating_sub(text.chars().count() + 1));
        row.push(text, dim).push(" ", dim).push(sign, mark);
    }
    row.fit(width)
}

/// Both modes side by side, then what compares texts. Not `whole`: only what is not said
/// elsewhere on a short card.
pub fn signals(
    card: &ScoreCard,
    paint: &Paint<'_>,
    ink: &Ink,
    width: usize,
    whole: bool,
) -> Vec<Line<'static>> {
    let dim = paint.style("ui.text.dim");
    let modes = modes(card, paint);
    let column = (width.saturating_sub(NAME) / 2).max(8);
    let mut lines = Vec::new();
    let mut head = Row::new();
    head.pad(NAME);
    for (name, _, style) in &modes {
        head.extend(cell(column, |part| {
            part.push(*name, *style);
        }));
    }
    lines.push(head.fit(width));
    let mut table = |title: &str, text: &dyn Fn(&LabelDistribution) -> String, strong: bool| {
        let mut row = Row::new();
        row.push(title, dim).pad(NAME);
        for (_, distribution, style) in &modes {
            let style = style.remove_modifier(Modifier::UNDERLINED);
            let style = if strong { style } else { Style::default() };
            row.extend(cell(column, |part| {
                ink.number(part, text(distribution), style)
            }));
        }
        lines.push(row.fit(width));
    };
    let sign = paint.glyphs.plus_minus;
    let spread = |d: &LabelDistribution| format!("{:.1} {sign} {:.1}", d.mean(), d.std());
    table("self-eval", &spread, true);
    let known = || modes.iter().filter_map(|(_, d, _)| d.mass);
    let least = known().fold(1.0, f64::min);
    if (whole && known().next().is_some()) || least < WORTH_TELLING {
        let share = |d: &LabelDistribution| match d.mass {
            Some(mass) => format!("{:.0}%", mass * 100.0),
            None => String::new(),
        };
        table("on labels", &share, false);
    }
    let style = paint.style("signal.cosine");
    lines.push(measure(
        "cosine",
        card.cosine,
        (-1.0, 1.0),
        style,
        paint,
        ink,
        width,
    ));
    if whole {
        let style = paint.style("ui.text");
        lines.push(measure(
            "fused",
            card.fused,
            (0.0, 1.0),
            style,
            paint,
            ink,
            width,
        ));
    }
    lines
}

/// Columns of the names of signals.
const NAME: usize = 10;
/// A judge with less of its probability on labels than this is told of on short cards, too.
const WORTH_TELLING: f64 = 0.9;

/// A part of a line with a width of its own.
fn cell(width: usize, fill: impl FnOnce(&mut Row)) -> Vec<Span<'static>> {
    let mut part = Row::new();
    fill(&mut part);
    part.pad(width);
    part.fit(width).spans
}

/// A name, its number and a bar over its range; a dash where it is not defined.
fn measure(
    name: &str,
    value: Option<f64>,
    (least, most): (f64, f64),
    style: Style,
    paint: &Paint<'_>,
    ink: &Ink,
    width: usize,
) -> Line<'static> {
    let dim = paint.style("ui.text.dim");
    let mut row = Row::new();
    row.push(name, dim).pad(NAME);
    let Some(value) = value else {
        row.push("- needs a reference", dim);
        return row.fit(width);
    };
    ink.number(&mut row, format!("{value:.2}"), style);
    row.pad(NAME + 7);
    let bar = Bar {
        width: width.saturating_sub(row.width()),
        thin: true,
        value: Some((value - least) / (most - least)),
        mark: None,
        fill: ink.words(style),
        track: paint.style("score.track"),
        mark_style: Style::default(),
    };
    row.extend(bar.spans(paint.glyphs));
    row.fit(width)
}

/// The modes there are, with their names and styles; the one shown first is underlined.
fn modes<'c>(
    card: &'c ScoreCard,
    paint: &Paint<'_>,
) -> Vec<(&'static str, &'c LabelDistribution, Style)> {
    let shown = |mode: ShownMode, style: Style| {
        if paint.mode == mode {
            style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD)
        } else {
            style
        }
    };
    let mut modes = Vec::new();
    if let Some(with) = &card.self_eval_ref {
        let style = shown(ShownMode::Reference, paint.style("signal.reference"));
        modes.push(("reference", with, style));
    }
    if let Some(free) = &card.self_eval_free {
        modes.push((
            "free",
            free,
            shown(ShownMode::Free, paint.style("signal.free")),
        ));
    }
    modes
}

/// One line a label, both modes beside each other.
pub fn label_rows(
    card: &ScoreCard,
    rating: Option<f64>,
    paint: &Paint<'_>,
    ink: &Ink,
    width: usize,
) -> Vec<Line<'static>> {
    let modes = modes(card, paint);
    let plain = Modifier::UNDERLINED | Modifier::BOLD;
    let series: Vec<_> = modes
        .iter()
        .map(|(_, distribution, style)| (*distribution, ink.words(style.remove_modifier(plain))))
        .collect();
    let marked = rating.map(|rating| (rating, paint.style("label")));
    let dim = paint.style("ui.text.dim");
    rows(&series, width, marked, (dim, ink.percent()), paint.glyphs)
}

/// Standing bars of the mode shown.
pub fn label_columns(
    card: &ScoreCard,
    rating: Option<f64>,
    paint: &Paint<'_>,
    ink: &Ink,
    width: usize,
) -> Vec<Line<'static>> {
    let Some(shown) = distribution(card, paint.mode) else {
        return Vec::new();
    };
    let with = card.self_eval_ref.as_ref() == Some(shown);
    let role = if with {
        "signal.reference"
    } else {
        "signal.free"
    };
    let style = ink.words(paint.style(role));
    let marked = rating.map(|rating| (rating, paint.style("label")));
    let cell = (width / shown.labels.len().max(1)).clamp(2, 4);
    let dim = paint.style("ui.text.dim");
    columns((shown, style), (2, cell), marked, dim, paint.glyphs)
}
