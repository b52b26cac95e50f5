//! The lines above and below the panes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::paint::Paint;
use crate::tui::keymap::{Action, Layer, sequence_label};
use crate::tui::layout::{BRAND, Pane, Screen, tabs as all_tabs};
use crate::tui::state::{DataStatus, JudgeStatus, Overlay, State, Tone};
use crate::tui::text::{grouped, truncate};
use crate::tui::widget::{Bar, Row};

/// Draws the tabs and what the data is.
pub fn tabs(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    buffer.set_style(area, paint.style("ui.tab"));
    let mut left = Row::new();
    left.push(BRAND, paint.style("ui.brand"));
    for tab in all_tabs(area.width, state.screen) {
        let active = tab.screen == state.screen;
        left.push(" ", Style::default());
        left.push(
            tab.label,
            paint.style(if active { "ui.tab.active" } else { "ui.tab" }),
        );
    }
    let width = usize::from(area.width);
    let room = width.saturating_sub(left.width() + 3);
    let summaries = summaries(state, paint);
    let fitting = summaries.iter().find(|text| text.width() <= room);
    let text = match (fitting, summaries.last()) {
        (Some(text), _) => text.clone(),
        (None, shortest) => {
            let shortest = shortest.map_or("", String::as_str);
            truncate(shortest, room, paint.glyphs.ellipsis)
        }
    };
    let mut right = Row::new();
    right
        .push(text, paint.style("ui.tab"))
        .push(" ", Style::default());
    left.with_right(right, width).render(area, buffer);
}

/// What the data is, from the longest to the shortest way to say it.
fn summaries(state: &State, paint: &Paint<'_>) -> Vec<String> {
    let title = paint.safe(&state.title).replace('\n', " ");
    if state.facts.records == 0 && state.data != DataStatus::Ready {
        return vec![title];
    }
    let dot = paint.glyphs.dot;
    let records = count(state.facts.records, "record");
    let responses = count(state.facts.responses, "response");
    let both = format!("{records} {dot} {responses}");
    let titled = (!title.is_empty()).then(|| format!("{title} {dot} {both}"));
    titled.into_iter().chain([both, records]).collect()
}

fn count(number: usize, what: &str) -> String {
    let out = grouped(number as u64);
    let plural = if number == 1 { "" } else { "s" };
    format!("{out} {what}{plural}")
}

/// Draws the status line: parts from the most to the least needed, as many as fit.
pub fn status(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    buffer.set_style(area, paint.style("ui.status"));
    let width = usize::from(area.width);
    let mut row = Row::new();
    row.push(" ", Style::default());
    for part in parts(state, paint) {
        let mut next = Row::from(part);
        let gap = if row.width() > 1 { 3 } else { 0 };
        if row.width() + gap + next.width() > width {
            continue;
        }
        row.push(" ".repeat(gap), Style::default());
        row.extend(std::mem::take(&mut next).fit(width).spans);
    }
    row.fit(width).render(area, buffer);
}

fn parts(state: &State, paint: &Paint<'_>) -> Vec<Vec<Span<'static>>> {
    let dim = paint.style("ui.status");
    let strong = paint.style("ui.status.strong");
    let plain = |text: String| vec![Span::styled(text, dim)];
    let pair = |name: &str, value: String| {
        vec![
            Span::styled(format!("{name} "), dim),
            Span::styled(value, strong),
        ]
    };
    let mut parts = vec![judge(state, paint)];
    if state.data == DataStatus::Loading {
        let spin = paint.glyphs.spin(state.tick);
        let text = format!("{spin} reading data");
        parts.push(vec![Span::styled(
            text,
            dim.patch(paint.style("state.loading")),
        )]);
    }
    parts.push(vec![Span::styled(state.mode.word(), strong)]);
    let mut tau = pair(paint.glyphs.tau, format!("{:.2}", state.threshold));
    let shown = state.shown().card.filter(|_| !state.is_blind());
    if let Some(decision) = shown.and_then(|card| paint.decide(card)) {
        // A cut on self-eval is another cut than one on the fused score.
        let of = decision.signal.word();
        tau.push(Span::styled(format!(" on {of}"), dim));
    }
    parts.push(tau);
    if state.coverage.scored > 0 && !state.is_blind() {
        let share = 100.0 * state.coverage.answered as f64 / state.coverage.scored as f64;
        let mut coverage = pair("coverage", format!("{share:.0}%"));
        coverage.push(Span::styled(
            format!(" of {} scored", state.coverage.scored),
            dim,
        ));
        parts.push(coverage);
    }
    if !state.errors.is_empty() {
        let rows = state.errors.len();
        let plural = if rows == 1 { "row" } else { "rows" };
        let key = state.keymap.hint(Layer::Normal, Action::Errors);
        let key = key.map(|(keys, _)| sequence_label(keys, paint.glyphs.ascii));
        let key = key.map(|key| format!(" ({key})")).unwrap_or_default();
        let text = format!("{} {rows} {plural} skipped{key}", paint.glyphs.warning);
        parts.push(vec![Span::styled(
            text,
            dim.patch(paint.style("state.warning")),
        )]);
    }
    if state.generation.is_some() {
        let text = format!("{} writing", paint.glyphs.spin(state.tick));
        parts.push(vec![Span::styled(
            text,
            dim.patch(paint.style("state.loading")),
        )]);
    }
    if let Some((done, total)) = state.job_progress() {
        let eta = state
            .job_eta()
            .map(|seconds| format!(" ETA {}", duration(seconds)));
        let text = format!("{done}/{total}{}", eta.unwrap_or_default());
        parts.push(pair("scoring", text));
    }
    let queue = state.scores.queue();
    if queue > 0 {
        parts.push(pair("queue", queue.to_string()));
    }
    if let Some(rate) = state.scores.tokens_per_second() {
        parts.push(plain(format!("{} tok/s", rate_text(rate))));
    }
    parts
}

/// `2:10`, `1:02:10`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

pub fn rate_text(rate: f64) -> String {
    if rate >= 10_000.0 {
        format!("{:.0}k", rate / 1000.0)
    } else if rate >= 1000.0 {
        format!("{:.1}k", rate / 1000.0)
    } else {
        format!("{rate:.0}")
    }
}

fn judge(state: &State, paint: &Paint<'_>) -> Vec<Span<'static>> {
    let dim = paint.style("ui.status");
    let strong = paint.style("ui.status.strong");
    let sign =
        |glyph: &str, role: &str| Span::styled(format!("{glyph} "), dim.patch(paint.style(role)));
    let glyphs = paint.glyphs;
    match &state.judge {
        JudgeStatus::Absent => vec![
            sign(glyphs.empty, "ui.text.dim"),
            Span::styled("no judge", dim),
        ],
        JudgeStatus::Ready(info) => {
            let name = truncate(&paint.safe(&info.name), 28, glyphs.ellipsis);
            vec![
                sign(glyphs.ready, "state.ready"),
                Span::styled(name, strong),
            ]
        }
        JudgeStatus::Failed { cause, .. } => {
            let cause = truncate(&paint.safe(cause), 40, glyphs.ellipsis);
            vec![
                sign(glyphs.cross, "state.error"),
                Span::styled("no judge: ", dim),
                Span::styled(cause, dim),
            ]
        }
        JudgeStatus::Loading { stage, done, total } => {
            let mut spans = vec![
                sign(glyphs.spin(state.tick), "state.loading"),
                Span::styled(
                    format!(
                        "loading {}",
                        truncate(&paint.safe(stage), 24, glyphs.ellipsis)
                    ),
                    dim,
                ),
            ];
            if *total > 0 {
                let text = format!(" {} / {} MB ", megabytes(*done), megabytes(*total));
                spans.push(Span::styled(text, strong));
                let bar = Bar {
                    width: 10,
                    thin: true,
                    value: Some(*done as f64 / *total as f64),
                    mark: None,
                    fill: paint.style("state.loading"),
                    track: paint.style("score.track"),
                    mark_style: Style::default(),
                };
                spans.extend(bar.spans(glyphs));
            }
            spans
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// Draws the keys that matter now, or what there is to say.
pub fn footer(state: &State, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let text = paint.style("ui.footer");
    let mut row = Row::new();
    row.push(" ", text);
    if let Some(notice) = &state.notice {
        let role = match notice.tone {
            Tone::Plain => "ui.text",
            Tone::Warning => "state.warning",
        };
        let (said, room) = (paint.safe(&notice.text), width.saturating_sub(2));
        // What is cut mostly says what to do about it.
        let more = match said.width() > room {
            true => format!("  {} shows all", state.log_key()),
            false => String::new(),
        };
        let room = room.saturating_sub(more.width());
        let said = truncate(&said, room, paint.glyphs.ellipsis);
        row.push(said, paint.style(role));
        row.push(more, paint.style("ui.footer.key"));
        row.fit(width).render(area, buffer);
        return;
    }
    let key = paint.style("ui.footer.key");
    let ascii = paint.glyphs.ascii;
    let layer = state.layer();
    if !state.pending_keys.is_empty() {
        let so_far = sequence_label(&state.pending_keys, ascii);
        row.push(format!("{so_far}{} ", paint.glyphs.ellipsis), key);
        for (rest, desc) in state.keymap.continuations(layer, &state.pending_keys) {
            row.push(format!("  {}", sequence_label(rest, ascii)), key);
            row.push(format!(" {desc}"), text);
        }
        row.fit(width).render(area, buffer);
        return;
    }
    let no_judge = matches!(
        state.judge,
        JudgeStatus::Absent | JudgeStatus::Failed { .. }
    );
    for actions in hints(state) {
        if no_judge && actions.contains(&Action::Generate) {
            continue;
        }
        let mut keys = Vec::new();
        let mut desc = String::new();
        for action in *actions {
            if let Some((sequence, words)) = state.keymap.hint(layer, *action) {
                keys.push(sequence_label(sequence, ascii));
                if desc.is_empty() {
                    desc = words.to_string();
                }
            }
        }
        if let [first, _] = actions {
            desc = pair_name(*first).map_or(desc, str::to_string);
        }
        if ascii {
            desc = desc.replace('τ', paint.glyphs.tau);
        }
        let joined = keys.join(if keys.iter().all(|k| k.len() == 1) {
            ""
        } else {
            "/"
        });
        let wide = joined.chars().count() + desc.chars().count() + 1;
        if keys.is_empty() || row.width() + wide + 1 > width {
            continue;
        }
        row.push(joined, key).push(format!(" {desc}   "), text);
    }
    row.fit(width).render(area, buffer);
}

/// What two opposite actions are called together.
fn pair_name(first: Action) -> Option<&'static str> {
    Some(match first {
        Action::Down => "move",
        Action::PreviousResponse => "response",
        Action::PreviousRecord => "record",
        Action::ThresholdDown => "τ",
        Action::GoodDown => "good from",
        Action::PreviousBin => "bin",
        Action::PreviousTraining => "training",
        _ => return None,
    })
}

/// The actions that matter now, those done in pairs together; the first ones matter most.
fn hints(state: &State) -> &'static [&'static [Action]] {
    use Action as A;
    match (&state.overlay, state.layer(), state.screen) {
        (Some(Overlay::Themes { .. }), ..) => &[&[A::Down, A::Up], &[A::Accept], &[A::Back]],
        (Some(Overlay::Pick { .. }), ..) => &[&[A::Accept], &[A::Down, A::Up], &[A::Back]],
        (Some(Overlay::Line { .. }), ..) => &[&[A::Accept], &[A::Back]],
        (Some(_), ..) => &[&[A::Down, A::Up], &[A::Back]],
        (_, Layer::Prompt, _) => &[&[A::Accept], &[A::Back], &[A::Down, A::Up]],
        (_, Layer::Editor, _) => &[&[A::Back], &[A::Generate], &[A::Cancel]],
        _ if state.data != DataStatus::Ready && state.facts.records == 0 => {
            &[&[A::Quit], &[A::Help], &[A::Themes]]
        }
        _ if state.facts.records == 0 && state.errors.is_empty() => {
            &[&[A::Quit], &[A::Help], &[A::Themes]]
        }
        _ if state.facts.records == 0 => &[&[A::Quit], &[A::Errors], &[A::Help], &[A::Themes]],
        _ if state.generation.is_some() => &[&[A::Back], &[A::Cancel]],
        (_, _, Screen::Judge) => &[
            &[A::Edit],
            &[A::Generate],
            &[A::PreviousResponse, A::NextResponse],
            &[A::Samples],
            &[A::Template],
            &[A::Inspect],
            &[A::Help],
            &[A::ThresholdDown, A::ThresholdUp],
            &[A::NextPane],
            &[A::Palette],
            &[A::Back],
            &[A::PreviousRecord, A::NextRecord],
            &[A::ToggleMode],
            &[A::Copy],
            &[A::Quit],
        ],
        (_, _, Screen::Compare) => &[
            &[A::PreviousResponse, A::NextResponse],
            &[A::NextPane],
            &[A::PreviousRecord, A::NextRecord],
            &[A::Why],
            &[A::Bracket],
            &[A::Diff],
            &[A::Down, A::Up],
            &[A::Help],
            &[A::ToggleMode],
            &[A::Back],
            &[A::Quit],
        ],
        (_, _, Screen::Annotate) => &[
            &[A::Comment],
            &[A::CommentLast],
            &[A::Skip],
            &[A::Undo],
            &[A::Redo],
            &[A::Queue],
            &[A::Blind],
            &[A::Help],
            &[A::PreviousRecord, A::NextRecord],
            &[A::Annotator],
            &[A::Down, A::Up],
            &[A::NextPane],
            &[A::Back],
            &[A::Quit],
        ],
        (_, _, Screen::Runs) if state.focus == Pane::Training => &[
            &[A::Down, A::Up],
            &[A::PreviousTraining, A::NextTraining],
            &[A::StopJob],
            &[A::Back],
            &[A::Forget],
            &[A::Help],
            &[A::Log],
            &[A::Quit],
        ],
        (_, _, Screen::Runs) if state.chosen_training().is_some() => &[
            &[A::OpenRecords],
            &[A::StopJob],
            &[A::Forget],
            &[A::Down, A::Up],
            &[A::PreviousTraining, A::NextTraining],
            &[A::ScoreAll],
            &[A::Log],
            &[A::Help],
            &[A::Back],
            &[A::Quit],
        ],
        (_, _, Screen::Runs) => &[
            &[A::ScoreAll],
            &[A::StopJob],
            &[A::MarkRun],
            &[A::Down, A::Up],
            &[A::Retry],
            &[A::Log],
            &[A::OpenRecords],
            &[A::Help],
            &[A::Back],
            &[A::Quit],
        ],
        (_, _, Screen::Threshold) => &[
            &[A::ThresholdDown, A::ThresholdUp],
            &[A::Solve],
            &[A::NextTarget],
            &[A::GoodDown, A::GoodUp],
            &[A::PreviousBin, A::NextBin],
            &[A::OpenRecords],
            &[A::Help],
            &[A::SavePreset],
            &[A::Back],
            &[A::ToggleMode],
            &[A::NextPane],
            &[A::Quit],
        ],
        _ if state.focus == Pane::List => &[
            &[A::Down, A::Up],
            &[A::PreviousResponse, A::NextResponse],
            &[A::Edit],
            &[A::ThresholdDown, A::ThresholdUp],
            &[A::Filter],
            &[A::QuickMode],
            &[A::Help],
            &[A::Palette],
            &[A::Sort],
            &[A::Facets],
            &[A::NextPane],
            &[A::ToggleMode],
            &[A::Generate],
            &[A::Copy],
            &[A::Themes],
            &[A::Quit],
        ],
        _ => &[
            &[A::Down, A::Up],
            &[A::PreviousRecord, A::NextRecord],
            &[A::PreviousResponse, A::NextResponse],
            &[A::NextPane],
            &[A::Edit],
            &[A::Help],
            &[A::ThresholdDown, A::ThresholdUp],
            &[A::ToggleMode],
            &[A::Copy],
            &[A::Quit],
        ],
    }
}
