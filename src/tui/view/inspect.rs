//! What the judge sees: the prompt's tokens, the scored position, what is likely there.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::paint::Paint;
use crate::judge::inspect::{Inspection, Token};
use crate::tui::state::State;
use crate::tui::widget::{Bar, Row};

/// The lines of the box.
pub fn lines(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(found) = &state.inspection else {
        let text = format!("{} Looking", paint.glyphs.spin(state.tick));
        return vec![Line::styled(text, paint.style("state.loading"))];
    };
    let mut lines = Vec::new();
    let mode = match found.with_reference {
        true => "with reference",
        false => "without reference",
    };
    let cut = if found.truncated { ", cut to fit" } else { "" };
    let note = format!("{} tokens {mode}{cut}", found.tokens.len());
    lines.push(paint.heading("next token at the scored position", "", width));
    lines.extend(likely(found, paint, width));
    lines.push(Line::default());
    lines.push(paint.heading("prompt", &note, width));
    lines.extend(tokens(&found.tokens, paint, width));
    let here = format!("{} the score is read here", paint.glyphs.arrow);
    lines.push(Line::styled(
        here,
        paint.style("score.mark").add_modifier(Modifier::BOLD),
    ));
    lines
}

fn likely(found: &Inspection, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let dim = paint.style("ui.text.dim");
    let mut lines: Vec<Line<'static>> = found
        .likely
        .iter()
        .map(|token| {
            let mut row = Row::new();
            let label = token.label.is_some();
            let style = match label {
                true => paint.style("label"),
                false => paint.style("ui.text"),
            };
            let text = format!("{:?}", token.text);
            row.push(paint.safe(&text), style).pad(16);
            row.push(format!("{:>7}  ", token.id), dim);
            row.push(format!("{:>8.4} % ", 100.0 * token.probability), style);
            let bar = Bar {
                width: width.saturating_sub(50).clamp(4, 40),
                thin: true,
                value: Some(token.probability),
                mark: None,
                fill: style,
                track: paint.style("score.track"),
                mark_style: Style::default(),
            };
            row.extend(bar.spans(paint.glyphs));
            if let Some(label) = &token.label {
                row.push(format!("  label {}", label.trim()), dim);
            }
            row.fit(width)
        })
        .collect();
    let mass = format!(
        "{:.2} % of the probability is on labels.",
        100.0 * found.mass
    );
    lines.push(Line::styled(mass, dim));
    lines
}

/// The tokens one after the other: every second one set apart, those of the data in the colour of data.
fn tokens(tokens: &[Token], paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (place, token) in tokens.iter().enumerate() {
        let mut style = match token.slot {
            None => paint.style("ui.text.dim"),
            Some("response") => paint.style("signal.reference"),
            Some(_) => paint.style("ui.text"),
        };
        if place % 2 == 1 {
            style = style.add_modifier(Modifier::UNDERLINED);
        }
        let ends = token.text.contains('\n');
        let sign = if paint.glyphs.ascii { "\\n" } else { "⏎" };
        let text = paint.safe(&token.text.replace('\n', sign));
        let wide = text.width();
        if used + wide > width && used > 0 {
            lines.push(Line::from(std::mem::take(&mut spans)));
            used = 0;
        }
        spans.push(Span::styled(text, style));
        used += wide;
        if ends {
            lines.push(Line::from(std::mem::take(&mut spans)));
            used = 0;
        }
    }
    lines.push(Line::from(spans));
    lines
}
