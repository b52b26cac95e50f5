//! Styles and signs at hand, and what all panes draw alike.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Widget};

use crate::data::{ScoreCard, Verdict};
use crate::tui::glyphs::Glyphs;
use crate::tui::layout::Pane;
use crate::tui::state::{Decision, ShownMode, State};
use crate::tui::text::{inert, wrap};
use crate::tui::theme::Theme;
use crate::tui::widget::{Bar, rule};

/// Nearer to the threshold than this is drawn as near.
const NEAR: f64 = 0.03;

/// What drawing needs besides the data.
#[derive(Clone, Copy, Debug)]
pub struct Paint<'a> {
    pub theme: &'a Theme,
    pub glyphs: &'a Glyphs,
    pub threshold: f64,
    pub mode: ShownMode,
    /// Whether self-evaluation alone decides.
    pub alone: bool,
}

impl<'a> Paint<'a> {
    /// Of a state.
    pub fn new(state: &'a State) -> Self {
        Paint {
            theme: &state.theme,
            glyphs: state.glyphs,
            threshold: state.threshold,
            mode: state.mode,
            alone: state.alone,
        }
    }

    /// The style of a role.
    pub fn style(&self, role: &str) -> Style {
        self.theme.style(role)
    }

    /// The style of a decision's number and bar.
    pub fn decision(&self, decision: Decision) -> Style {
        let margin = decision.value - self.threshold;
        self.style(if margin.abs() < NEAR {
            "score.near"
        } else if margin > 0.0 {
            "score.good"
        } else {
            "score.bad"
        })
    }

    /// The style of a verdict's word.
    pub fn verdict(&self, verdict: Verdict) -> Style {
        self.style(match verdict {
            Verdict::Answer => "verdict.answer",
            Verdict::Decline => "verdict.decline",
        })
    }

    /// The decision of a card under the mode shown.
    pub fn decide(&self, card: &ScoreCard) -> Option<Decision> {
        Decision::of(card, self.mode, self.alone)
    }

    /// A bar with the threshold on it.
    pub fn bar(&self, width: usize, value: Option<f64>, fill: Style) -> Vec<Span<'static>> {
        self.some_bar(false, width, value, fill)
    }

    /// The same as a line, for bars one below the other.
    pub fn thin_bar(&self, width: usize, value: Option<f64>, fill: Style) -> Vec<Span<'static>> {
        self.some_bar(true, width, value, fill)
    }

    fn some_bar(
        &self,
        thin: bool,
        width: usize,
        value: Option<f64>,
        fill: Style,
    ) -> Vec<Span<'static>> {
        Bar {
            width,
            thin,
            value,
            mark: Some(self.threshold),
            fill,
            track: self.style("score.track"),
            mark_style: self.style("score.mark"),
        }
        .spans(self.glyphs)
    }

    /// The title of a pane; the focused one stands out.
    pub fn title(&self, text: &str, focused: bool) -> Line<'static> {
        let style = self.style(if focused {
            "ui.title.focus"
        } else {
            "ui.title"
        });
        Line::from(Span::styled(format!(" {text} "), style))
    }

    /// Small text in a border.
    pub fn note(&self, text: &str) -> Line<'static> {
        Line::from(Span::styled(format!(" {text} "), self.style("ui.text.dim")))
    }

    /// The title of a part of a pane.
    pub fn heading(&self, title: &str, note: &str, width: usize) -> Line<'static> {
        rule(
            (title, self.style("ui.text.heading")),
            (note, self.style("ui.text.dim")),
            width,
            self.style("ui.border"),
            self.glyphs,
        )
    }

    /// Text that belongs to the data, made inert.
    pub fn safe(&self, text: &str) -> String {
        inert(text, self.glyphs.ascii).into_owned()
    }

    /// Wrapped lines of one style.
    pub fn wrapped(&self, text: &str, width: usize, style: Style) -> Vec<Line<'static>> {
        let lines = wrap(&self.safe(text), width).into_iter();
        lines.map(|line| Line::styled(line, style)).collect()
    }

    /// A message in the middle of an area.
    pub fn message(&self, lines: &[(String, &'static str)], area: Rect, buffer: &mut Buffer) {
        let width = usize::from(area.width).saturating_sub(2).clamp(1, 60);
        let mut out: Vec<Line<'static>> = Vec::new();
        for (text, role) in lines {
            out.extend(self.wrapped(text, width, self.style(role)));
        }
        let height = (out.len() as u16).min(area.height);
        let top = area.y + (area.height - height) / 2;
        Paragraph::new(Text::from(out))
            .centered()
            .render(Rect::new(area.x, top, area.width, height), buffer);
    }

    /// Style of numbers that belong to an older text.
    pub fn stale(&self) -> Style {
        let style = self.style("stale");
        // A colour says it; dimmed as well it could hardly be read.
        match style.fg {
            Some(_) => style,
            None => style.add_modifier(Modifier::DIM),
        }
    }
}

/// Whether a pane has the focus; an open overlay or prompt does not take it away.
pub fn focused(state: &State, pane: Pane) -> bool {
    state.focus == pane
}
