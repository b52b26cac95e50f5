//! What in a response is aimed at the judge.

use ratatui::text::Line;

use super::paint::Paint;
use crate::tui::state::State;
use crate::tui::text::{truncate, width as width_of};

/// Characters of a stretch that are shown at most.
const SHOWN: usize = 120;

/// What the first stretch does, where it stands, how many more there are, and how it begins.
pub fn lines(state: &State, paint: &Paint<'_>, width: usize) -> Vec<Line<'static>> {
    let Some((spans, text)) = state.shown_suspects() else {
        return Vec::new();
    };
    let Some(first) = spans.first() else {
        return Vec::new();
    };
    let before = text.get(..first.start).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let more = match spans.len() - 1 {
        0 => String::new(),
        n => format!(" (+{n})"),
    };
    let ellipsis = paint.glyphs.ellipsis;
    let sign = paint.glyphs.warning;
    let said = format!("{sign} {}, line {number}{more}", first.kind.words());
    let quoted = text.get(first.range()).unwrap_or_default();
    let quoted: String = quoted.chars().take(SHOWN).collect();
    let (open, close) = paint.glyphs.quotes;
    let room = width.saturating_sub(width_of(open) + width_of(close));
    let quoted = truncate(&paint.safe(&quoted.replace('\n', " ")), room, ellipsis);
    vec![
        Line::styled(
            truncate(&said, width, ellipsis),
            paint.style("state.warning"),
        ),
        Line::styled(
            format!("{open}{quoted}{close}"),
            paint.style("ui.text.quote"),
        ),
    ]
}
