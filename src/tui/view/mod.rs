//! Drawing: the state is read, the frame is written, nothing else happens.

mod annotate;
mod bars;
mod bracket;
mod card;
mod compare;
mod editor;
mod inspect;
mod list;
mod names;
mod overlay;
mod paint;
mod reflection;
mod runs;
mod selection;
mod suspects;
mod template;
mod texts;
mod threshold;
mod training;
mod verdict;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Paragraph, Widget};

use super::layout::{MIN_SIZE, Pane, Screen, areas};
use super::state::{DataStatus, State};
use paint::Paint;
pub use threshold::{COUNTS, figures_top};
pub use training::scroll as training_scroll;

/// Draws the explorer.
pub fn view(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let paint = Paint::new(state);
    let ground = paint.style("ui.background").patch(paint.style("ui.text"));
    frame.buffer_mut().set_style(area, ground);
    let Some(areas) = areas(area.width, area.height, state.screen, state.focus) else {
        too_small(&paint, area, frame);
        return;
    };
    bars::tabs(state, &paint, areas.tabs, frame.buffer_mut());
    bars::status(state, &paint, areas.status, frame.buffer_mut());
    if let Some(area) = areas.list {
        list::draw(state, &paint, area, frame);
    }
    if let Some(area) = areas.text {
        texts::draw(state, &paint, area, frame.buffer_mut());
    }
    if let Some(area) = areas.editor {
        editor::draw(state, &paint, area, frame);
    }
    if let Some(area) = areas.card {
        card::draw(state, &paint, area, frame.buffer_mut());
    }
    if let Some(area) = areas.cut {
        threshold::cut(state, &paint, area, frame.buffer_mut());
    }
    if let Some(area) = areas.figures {
        threshold::figures(state, &paint, area, frame.buffer_mut());
    }
    compare::draw(state, &paint, &areas, frame.buffer_mut());
    if let Some(area) = areas.verdict {
        verdict::draw(state, &paint, area, frame.buffer_mut());
    }
    if let Some(area) = areas.rating {
        annotate::draw(state, &paint, area, frame.buffer_mut());
    }
    if let Some(area) = areas.runs {
        runs::list(state, &paint, area, frame.buffer_mut());
    }
    if let Some(area) = areas.run {
        match state.chosen_training() {
            Some(watched) => {
                let pane = (Pane::Run, area);
                training::draw(state, watched, &paint, pane, frame.buffer_mut());
            }
            None => runs::run(state, &paint, area, frame.buffer_mut()),
        }
    }
    if let (Some(area), Some(watched)) = (areas.training, state.chosen_training()) {
        let pane = (Pane::Training, area);
        training::draw(state, watched, &paint, pane, frame.buffer_mut());
    }
    if let Some(area) = areas.brief {
        match state.screen {
            Screen::Annotate => annotate::brief(state, &paint, area, frame.buffer_mut()),
            _ => card::brief(state, &paint, area, frame.buffer_mut()),
        }
    }
    bars::footer(state, &paint, areas.footer, frame.buffer_mut());
    overlay::draw(state, &paint, frame);
}

/// Lines of the box that shows what the judge sees.
pub fn inspect_height(state: &State) -> usize {
    let width = state.size.0.saturating_sub(4).min(110);
    inspect::lines(
        state,
        &Paint::new(state),
        usize::from(width).saturating_sub(4),
    )
    .len()
}

/// Lines of the box that shows the log.
pub fn log_height(state: &State) -> usize {
    let width = usize::from(overlay::log_width(state.size.0)).saturating_sub(4);
    overlay::log(state, &Paint::new(state), width).len()
}

/// Lines of the box that shows the tournament.
pub fn bracket_height(state: &State) -> usize {
    let width = usize::from(overlay::bracket_width(state.size.0)).saturating_sub(4);
    bracket::lines(state, &Paint::new(state), width).len()
}

fn too_small(paint: &Paint<'_>, area: Rect, frame: &mut Frame<'_>) {
    let (width, height) = MIN_SIZE;
    let times = paint.glyphs.times;
    let text = format!(
        "Terminal too small: {}{times}{}, needs {width}{times}{height}.",
        area.width, area.height
    );
    let lines: Vec<Line<'static>> = super::text::wrap(&text, usize::from(area.width))
        .into_iter()
        .map(|line| Line::styled(line, paint.style("state.warning")))
        .collect();
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    let area = Rect::new(0, top, area.width, area.height - top);
    Paragraph::new(Text::from(lines))
        .alignment(Alignment::Center)
        .render(area, frame.buffer_mut());
}

/// What stands in a pane where there is no record to show, if that is so.
fn nothing(state: &State, paint: &Paint<'_>) -> Option<Vec<(String, &'static str)>> {
    let message = match &state.data {
        DataStatus::Loading if state.facts.records == 0 => {
            let spin = paint.glyphs.spin(state.tick);
            vec![(format!("{spin} Reading data"), "state.loading")]
        }
        DataStatus::Failed(failure) => vec![
            (
                format!("{} The data cannot be read", paint.glyphs.cross),
                "state.error",
            ),
            (failure.cause.clone(), "ui.text"),
        ],
        DataStatus::Ready if state.facts.records == 0 => vec![
            ("There is no record in this data".to_string(), "ui.text"),
            (
                if state.errors.is_empty() {
                    "Files may be JSON or JSONL, also gzip or zstd.".to_string()
                } else {
                    "Rows were left out; E shows why.".to_string()
                },
                "ui.text.dim",
            ),
        ],
        _ if state.screen == Screen::Annotate && state.annotate.returns() => {
            let spin = paint.glyphs.spin(state.tick);
            vec![
                (
                    format!("{spin} Reading up to where you were"),
                    "state.loading",
                ),
                ("J begins at once.".to_string(), "ui.text.dim"),
            ]
        }
        _ if state.listed() == 0 => vec![
            (
                match (&state.listing.query, state.listing.searching) {
                    (_, true) => format!("{} Searching", paint.glyphs.spin(state.tick)),
                    (query, _) if !query.trim().is_empty() => format!("Nothing matches {query:?}"),
                    _ => format!("No record is {}", state.listing.quick.word()),
                },
                "ui.text",
            ),
            match state.listing.needs_scores() && state.scores.queue() > 0 {
                true => ("Scores are still coming.".to_string(), "ui.text.dim"),
                false => ("Esc lists everything again.".to_string(), "ui.text.dim"),
            },
        ],
        _ => return None,
    };
    Some(message)
}

/// Draws a message in the middle of a pane.
fn message(lines: &[(String, &'static str)], paint: &Paint<'_>, area: Rect, frame: &mut Frame<'_>) {
    paint.message(lines, area, frame.buffer_mut());
}

/// Whether the judge screen is shown.
fn on_judge(state: &State) -> bool {
    state.screen == Screen::Judge
}
