//! Which of two responses the judge prefers, in both orders, by every principle.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::paint::{Paint, focused};
use crate::judge::pairwise::verdict::{OnPrinciple, Positions};
use crate::judge::pairwise::{Judgment, Winner};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{Reasoned, State};
use crate::tui::text::{truncate, wrap};
use crate::tui::widget::{PaneFrame, Row, scrollbar};

/// Columns of a principle's name.
const NAME: usize = 14;

/// Draws the pane.
pub fn draw(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let focus = focused(state, Pane::Verdict);
    PaneFrame {
        title: paint.title("Verdict", focus),
        note: None,
        bottom: None,
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, buffer);
    let inside = padded(area);
    let lines = lines(state, paint, usize::from(inside.width));
    let (total, height) = (lines.len(), usize::from(inside.height));
    let offset = state.pairs.scroll.min(total.saturating_sub(height));
    for (row, line) in lines.into_iter().skip(offset).take(height).enumerate() {
        let at = Rect::new(inside.x, inside.y + row as u16, inside.width, 1);
        line.render(at, buffer);
    }
    scrollbar(area, total, offset, paint.theme, paint.glyphs, buffer);
}

fn lines(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let dim = paint.style("ui.text.dim");
    let note = |text: &str| wrap(text, width).into_iter().map(|l| Line::styled(l, dim));
    let Some((key, _)) = state.pair() else {
        let text = match state.record() {
            Some(_) => "Two different responses can be compared.",
            None => "",
        };
        return note(text).collect();
    };
    let judgment = match state.pairs.judged(key) {
        Some(Ok(judgment)) => judgment,
        Some(Err(cause)) => {
            let text = format!("Not compared: {}", paint.safe(cause));
            let style = paint.style("state.warning");
            let lines = wrap(&text, width).into_iter();
            return lines.map(|line| Line::styled(line, style)).collect();
        }
        None if state.pairs.is_asked(key) => {
            let text = format!("{} comparing in both orders", paint.glyphs.spin(state.tick));
            return vec![Line::styled(text, dim)];
        }
        None => return note("No judge has compared these two.").collect(),
    };
    let mut lines = vec![overall(judgment, paint, width)];
    lines.extend(table(judgment, paint, width));
    lines.extend(note(&bias(judgment)));
    if let Some(reason) = state.pairs.reason.as_ref().filter(|r| r.key == key) {
        lines.extend(why(state, judgment, reason, paint, width));
    }
    lines
}

fn word(winner: Winner) -> &'static str {
    match winner {
        Winner::A => "left",
        Winner::B => "right",
        Winner::Tie => "tie",
    }
}

/// The verdict in words.
fn overall(judgment: &Judgment, paint: &Paint<'_>, width: usize) -> Line<'static> {
    let mut row = Row::new();
    let said = match judgment.winner {
        Winner::A => "LEFT is better",
        Winner::B => "RIGHT is better",
        Winner::Tie => "TIE",
    };
    let bold = paint.style("ui.text").add_modifier(Modifier::BOLD);
    row.push(said, bold);
    let count = judgment.principles.len();
    let won = |winner| {
        judgment
            .principles
            .iter()
            .filter(|p| p.winner == winner)
            .count()
    };
    if judgment.flips {
        row.push(
            format!("   {} flips with the order", paint.glyphs.warning),
            paint.style("state.warning"),
        );
    }
    let mut facts = format!("   score {}", told_apart(judgment.s_a, judgment.s_b));
    if count > 1 {
        let (left, right) = (won(Winner::A), won(Winner::B));
        facts += &format!("   principles {left} : {right} of {count}");
    }
    row.push(facts, paint.style("ui.text"));
    row.fit(width)
}

/// Both scores with two decimals, or as many more (at most five) as it takes to see which is higher.
fn told_apart(a: f64, b: f64) -> String {
    let both = |decimals| [a, b].map(|score| format!("{score:.decimals$}"));
    let differ = (2..5).map(both).find(|[a, b]| a != b);
    let [a, b] = differ.unwrap_or_else(|| both(if a == b { 2 } else { 5 }));
    format!("{a} : {b}")
}

/// A line for each principle: what left and right get in both orders.
fn table(judgment: &Judgment, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let dim = paint.style("ui.text.dim");
    let name = NAME.min(width / 3);
    let mut head = Row::new();
    head.push("left : right", dim).pad(name);
    head.push("  says     ", dim);
    for title in ["left first", "right first", "mean"] {
        head.push(format!("{title:<14}"), dim);
    }
    let mut lines = vec![head.fit(width)];
    lines.extend(judgment.principles.iter().map(|on| {
        let mut row = Row::new();
        let shown = paint.safe(&on.principle).replace('\n', " ");
        let shown = truncate(&shown, name, paint.glyphs.ellipsis);
        row.push(shown, paint.style("ui.text")).pad(name);
        let said = format!("  {:<6}", word(on.winner));
        row.push(said, paint.style("label").add_modifier(Modifier::BOLD));
        let sign = match on.flips {
            true => paint.glyphs.warning,
            false => " ",
        };
        row.push(format!("{sign}  "), paint.style("state.warning"));
        for (left, right) in [sides(on, 0), sides(on, 1), (on.s_a, on.s_b)] {
            row.push(
                format!("{:<14}", format!("{left:.2} : {right:.2}")),
                Style::default(),
            );
        }
        row.fit(width)
    }));
    lines
}

/// What left and right get in an order.
fn sides(on: &OnPrinciple, order: usize) -> (f64, f64) {
    let Positions { p_a, p_b } = on.orders[order];
    match order {
        0 => (p_a, p_b),
        _ => (p_b, p_a),
    }
}

/// What the place alone does, and how much the judge is answering at all.
fn bias(judgment: &Judgment) -> String {
    let lead = judgment.position_bias;
    let place = match lead >= 0.0 {
        true => "first",
        false => "second",
    };
    let mass = 100.0 * judgment.mass;
    format!(
        "Standing {place} is worth {:.2} whatever stands there; {mass:.0} % of the probability is on the judge tokens.",
        lead.abs()
    )
}

/// The judge's own words.
fn why(
    state: &State,
    judgment: &Judgment,
    reason: &Reasoned,
    paint: &Paint<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let principle = judgment.principles.get(reason.principle);
    let principle = principle.map_or("", |on| on.principle.as_str());
    let title = format!("why, by {} (A is left, B is right)", paint.safe(principle));
    let mut lines = vec![Line::styled(title, paint.style("ui.text.heading"))];
    let (text, style) = match &reason.text {
        None => {
            let text = format!("{} writing", paint.glyphs.spin(state.tick));
            (text, paint.style("ui.text.dim"))
        }
        Some(Ok(text)) if text.is_empty() => (
            "The judge wrote nothing; it may not have been taught to give reasons.".into(),
            paint.style("ui.text.dim"),
        ),
        Some(Ok(text)) => (paint.safe(text), paint.style("ui.text")),
        Some(Err(cause)) => (paint.safe(cause), paint.style("state.warning")),
    };
    let words = wrap(&text, width).into_iter();
    lines.extend(words.map(|line| Line::styled(line, style)));
    lines
}

#[cfg(test)]
mod tests {
    use super::told_apart;

    #[test]
    fn scores_near_each_other_are_told_apart() {
        assert_eq!(told_apart(0.43, 0.47), "0.43 : 0.47");
        assert_eq!(told_apart(0.5012, 0.4988), "0.501 : 0.499");
        assert_eq!(told_apart(0.5, 0.5), "0.50 : 0.50");
        assert_eq!(told_apart(0.5, 0.500001), "0.50000 : 0.50000");
    }
}
