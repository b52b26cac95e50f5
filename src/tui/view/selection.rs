//! What a selection of training data says of a record.

use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

use super::paint::Paint;
use crate::tui::state::State;
use crate::tui::widget::{Bar, Row};

/// The part of the card about the selection: rank, score, and what each prompt of each judge says.
pub fn lines(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let (Some(selection), Some(record)) = (&state.selection, state.record_index()) else {
        return Vec::new();
    };
    let (count, rows) = selection.count();
    let note = format!("{:.1} % of {rows}", 100.0 * selection.share());
    let mut lines = vec![paint.heading("selection", &note, width)];
    let dim = paint.style("ui.text.dim");
    let Some(scored) = selection.of(record) else {
        lines.push(Line::styled("no score: never selected", dim));
        lines.push(Line::default());
        return lines;
    };
    let mut row = Row::new();
    let (word, role) = match selection.takes(record) {
        true => ("SELECTED", "verdict.answer"),
        false => ("left out", "verdict.decline"),
    };
    row.push(word, paint.style(role).add_modifier(Modifier::BOLD));
    let facts = format!("  {:.3}  rank {}", scored.score, scored.rank + 1);
    row.push(facts, Style::default());
    lines.push(row.fit(width));
    if let Some(least) = selection.least() {
        lines.push(Line::styled(
            format!("the {count} taken have {least:.3} or more"),
            dim,
        ));
    }
    let most = scored
        .token_scores
        .iter()
        .flatten()
        .copied()
        .fold(1.0, f64::max);
    for (judge, by_prompt) in scored.token_scores.iter().enumerate() {
        let name = match scored.token_scores.len() {
            1 => "by prompt".to_owned(),
            _ => format!("judge {}", judge + 1),
        };
        let (mean, spread) = mean_and_spread(by_prompt);
        let text = format!("{name}: mean {mean:.2}, spread {spread:.2}");
        lines.push(Line::styled(text, dim));
        for (prompt, score) in by_prompt.iter().enumerate() {
            let mut row = Row::new();
            row.push(format!("{:>2} {score:>5.2} ", prompt + 1), Style::default());
            let style = paint.style("signal.reference");
            row.extend(
                Bar {
                    width: width.saturating_sub(row.width()),
                    thin: true,
                    value: Some(score / most.max(1.0)),
                    mark: None,
                    fill: style,
                    track: paint.style("score.track"),
                    mark_style: style,
                }
                .spans(paint.glyphs),
            );
            lines.push(row.fit(width));
        }
    }
    lines.push(Line::default());
    lines
}

/// Mean and population standard deviation.
fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}
