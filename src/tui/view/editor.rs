//! The response being written.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::paint::{Paint, focused};
use super::{names, nothing};
use crate::data::ScoreCard;
use crate::tui::keymap::{Action, Layer, sequence_label};
use crate::tui::layout::{Pane, padded};
use crate::tui::state::{DraftId, JudgeStatus, Origin, State, distribution};
use crate::tui::text::truncate;
use crate::tui::widget::{PaneFrame, Row};

/// Columns of a response's name above the text.
const NAME: usize = 10;

/// Draws the editor pane.
pub fn draw(state: &State, paint: &Paint<'_>, area: Rect, frame: &mut Frame<'_>) {
    if let Some(template) = &state.template {
        super::template::draw(state, template, paint, area, frame);
        return;
    }
    let focus = focused(state, Pane::Editor);
    let draft = state.draft();
    let changed = draft.is_some_and(|draft| draft.is_changed());
    let room = usize::from(area.width).saturating_sub(20);
    let title = title(state, paint, room);
    let inside = PaneFrame {
        title: paint.title(&title, focus),
        note: changed.then(|| paint.note(&format!("{} edited", paint.glyphs.changed))),
        bottom: draft.map(|_| bottom(state, paint)),
        focused: focus,
    }
    .draw(area, paint.theme, paint.glyphs, frame.buffer_mut());
    if let Some(lines) = nothing(state, paint) {
        super::message(&lines, paint, inside, frame);
        return;
    }
    let Some(draft) = draft else {
        return;
    };
    let inside = padded(area);
    let strip = Rect {
        height: 1.min(inside.height),
        ..inside
    };
    self::strip(state, paint, usize::from(strip.width)).render(strip, frame.buffer_mut());
    let skip = if inside.height >= 6 { 2 } else { 1 };
    let text = Rect {
        y: inside.y + skip,
        height: inside.height.saturating_sub(skip),
        ..inside
    };
    frame.render_widget(&draft.area, text);
    if draft.area.is_empty() && state.generation.is_none() {
        invitation(state, paint, text, frame);
    }
    if state.typing
        && state.overlay.is_none()
        && let Some(at) = draft.area.rendered_cursor_position()
    {
        frame.set_cursor_position(at);
    }
}

/// What can be done with an empty draft.
fn invitation(state: &State, paint: &Paint<'_>, area: Rect, frame: &mut Frame<'_>) {
    let key = |layer, action| {
        let hint = state.keymap.hint(layer, action);
        hint.map(|(keys, _)| sequence_label(keys, paint.glyphs.ascii))
    };
    let mut said = String::from("Type or paste a response");
    if let (false, Some(edit)) = (state.typing, key(Layer::Normal, Action::Edit)) {
        said = format!("Type ({edit}) or paste a response");
    }
    let judge = matches!(state.judge, JudgeStatus::Ready(_));
    if let (true, Some(generate)) = (judge, key(state.layer(), Action::Generate)) {
        said = format!("{said}, or have one written ({generate})");
    }
    let dim = paint.style("ui.text.dim");
    let lines = paint.wrapped(&format!("{said}."), usize::from(area.width), dim);
    for (row, line) in (0..area.height).zip(lines) {
        let at = Rect::new(area.x, area.y + row, area.width, 1);
        line.render(at, frame.buffer_mut());
    }
}

fn title(state: &State, paint: &Paint<'_>, room: usize) -> String {
    let origin = state.draft_id().map(|id| id.origin);
    let text = match origin {
        Some(Origin::Response(place)) => {
            let record = state.record();
            let response = record.as_ref().and_then(|r| r.responses.get(place));
            const WHAT: &str = "Response ";
            let room = room.saturating_sub(WHAT.len());
            let name = response.map(|response| names::by(response, place, room, paint));
            format!("{WHAT}{}", name.unwrap_or_default())
        }
        _ => "Your own response".to_string(),
    };
    truncate(&text, room, paint.glyphs.ellipsis)
}

fn bottom(state: &State, paint: &Paint<'_>) -> Line<'static> {
    let words = state.draft().map_or(0, |draft| {
        let lines = draft.area.lines().iter();
        lines.map(|line| line.split_whitespace().count()).sum()
    });
    let state_word = if let Some(generation) = &state.generation {
        let chars = generation.chars;
        format!(
            "{} writing, {chars} characters",
            paint.glyphs.spin(state.tick)
        )
    } else if state.typing {
        "typing".to_string()
    } else {
        String::new()
    };
    let mut row = Row::new();
    if !state_word.is_empty() {
        row.push(format!(" {state_word} "), paint.style("state.loading"));
    }
    let plural = if words == 1 { "word" } else { "words" };
    row.push(format!(" {words} {plural} "), paint.style("ui.text.dim"));
    row.fit(60)
}

/// One's own draft and the responses of the record, each with its score.
fn strip(state: &State, paint: &Paint<'_>, width: usize) -> Line<'static> {
    let mut row = Row::new();
    let (Some(record), Some(here)) = (state.record_index(), state.draft_id()) else {
        return Line::default();
    };
    let item = state.item(record);
    let responses = item.as_ref().map(|r| r.responses.as_slice());
    let places = (0..responses.map_or(0, <[_]>::len)).map(Origin::Response);
    for origin in std::iter::once(Origin::Own).chain(places) {
        let name = match origin {
            Origin::Own => "own".to_string(),
            Origin::Response(place) => responses
                .and_then(|responses| responses.get(place))
                .map_or_else(String::new, |response| {
                    names::short(response, place, NAME, paint)
                }),
        };
        let id = DraftId { record, origin };
        let chosen = id == here;
        let draft = state.drafts.get(&id);
        let changed = draft.is_some_and(|draft| draft.is_changed());
        let card = match (origin, draft) {
            (_, Some(draft)) => state.scores.card(draft.key),
            (Origin::Response(place), None) => state.row_card(record, place),
            (Origin::Own, None) => None,
        };
        let ground = if chosen {
            paint.style("ui.chip").patch(paint.style("ui.selection"))
        } else {
            Style::default()
        };
        let name_style = if chosen {
            ground.add_modifier(Modifier::BOLD)
        } else {
            paint.style("ui.text.dim")
        };
        row.push(format!(" {name}"), name_style);
        if changed && origin != Origin::Own {
            row.push(
                paint.glyphs.changed,
                ground.patch(paint.style("state.loading")),
            );
        }
        let (text, style) = chip(card, paint);
        row.push(format!(" {text} "), ground.patch(style));
    }
    row.fit(width)
}

fn chip(card: Option<&ScoreCard>, paint: &Paint<'_>) -> (String, Style) {
    let decided = card.and_then(|card| {
        let shown = distribution(card, paint.mode)?;
        Some((shown.mean(), paint.decide(card)?))
    });
    match decided {
        Some((mean, decision)) => (format!("{mean:.1}"), paint.decision(decision)),
        None => (paint.glyphs.unknown.to_string(), paint.style("ui.text.dim")),
    }
}
