//! What reflection made of a sample (`juror reflect`): the student's numbers of each form, and the decision.

use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use serde_json::Value;

use super::paint::Paint;
use crate::tui::state::State;
use crate::tui::widget::Row;

/// The four ratios, as files have them and as they are headed.
const RATIOS: [(&str, &str); 4] = [
    ("ifd_ppl", "IFD"),
    ("rifd_ppl", "rIFD"),
    ("ifd_loss", "loss"),
    ("rifd_loss", "rlos"),
];
/// Columns of a form's name.
const NAME: usize = 9;

/// The part of the card about reflection; none for other data.
pub fn lines(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let item = state.record();
    let meta = |name: &str| item.as_ref()?.meta.get(name);
    let (Some(Value::String(decision)), Some(Value::Object(forms))) =
        (meta("decision"), meta("forms"))
    else {
        return Vec::new();
    };
    let dropped = meta("dropped").and_then(Value::as_str);
    let mut lines = vec![paint.heading("reflection", "", width)];
    let dim = paint.style("ui.text.dim");
    let mut row = Row::new();
    let (word, role) = match dropped {
        None => ("KEPT", "verdict.answer"),
        Some(_) => ("DROPPED", "verdict.decline"),
    };
    row.push(word, paint.style(role).add_modifier(Modifier::BOLD));
    let why = dropped.map(|cause| match cause {
        "ifd" => ", IFD is 1 or more".to_owned(),
        "rifd" => ", rIFD is 1 or more".to_owned(),
        "undefined" => ", a ratio is undefined".to_owned(),
        "released" => ", as the released code does".to_owned(),
        other => format!(", {}", paint.safe(other)),
    });
    let said = format!("  as {}{}", paint.safe(decision), why.unwrap_or_default());
    row.push(said, Style::default());
    lines.push(row.fit(width));
    // Three decimals where there is room.
    let digits = if width >= NAME + 4 * 6 { 3 } else { 2 };
    let column = digits + 3;
    let mut head = Row::new();
    head.push("", dim).pad(NAME);
    for (_, title) in RATIOS {
        head.push(format!("{title:>column$}"), dim);
    }
    lines.push(head.fit(width));
    for (form, found) in forms {
        let mut row = Row::new();
        let chosen = form == decision;
        let sign = if chosen { paint.glyphs.pointer } else { " " };
        row.push(sign, paint.style("ui.pointer"));
        let style = match chosen {
            true => Style::default().add_modifier(Modifier::BOLD),
            false => Style::default(),
        };
        row.push(paint.safe(form).replace('\n', " "), style)
            .pad(NAME);
        if let Some(cause) = found.get("cause").and_then(Value::as_str) {
            row.push(
                format!("  {}", paint.safe(cause)),
                paint.style("state.warning"),
            );
        } else {
            for (name, _) in RATIOS {
                let text = match found.get(name).and_then(Value::as_f64) {
                    Some(ratio) => format!("{ratio:>column$.digits$}"),
                    None => format!("{:>column$}", paint.glyphs.unknown),
                };
                row.push(text, style);
            }
        }
        lines.push(row.fit(width));
    }
    lines.push(Line::default());
    lines
}
