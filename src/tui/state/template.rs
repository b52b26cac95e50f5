//! A judge's template being edited, with live scores.

use tui_textarea::{CursorMove, CursorRenderMode, TextArea, WrapMode};

use super::State;
use crate::data::{ScoreCard, SubjectKey};
use crate::tui::theme::Theme;

/// The template file in an editor.
#[derive(Clone, Debug)]
pub struct TemplateEdit {
    pub area: TextArea<'static>,
    /// What it began with.
    pub original: String,
    /// What was written to a file last.
    pub saved: Option<String>,
    /// What the judge was told last.
    pub sent: String,
    /// Why the text as it stands is no template.
    pub trouble: Option<String>,
    /// Whose scores were shown when editing began.
    pub first: Option<String>,
    /// Whose scores were shown before the present ones.
    pub last: Option<String>,
}

impl TemplateEdit {
    /// Starts from a template file.
    pub fn new(text: &str, identity: Option<String>, theme: &Theme) -> Self {
        let mut area = TextArea::new(text.split('\n').map(str::to_string).collect());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_render_mode(CursorRenderMode::Hidden);
        area.move_cursor(CursorMove::Top);
        area.set_style(theme.style("ui.input"));
        area.set_cursor_line_style(ratatui::style::Style::default());
        area.set_selection_style(theme.style("ui.selection"));
        TemplateEdit {
            area,
            original: text.to_owned(),
            saved: None,
            sent: text.to_owned(),
            trouble: None,
            first: identity.clone(),
            last: identity,
        }
    }

    /// The text.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether there is something that no file has.
    pub fn is_unsaved(&self) -> bool {
        let text = self.text();
        text != self.original && self.saved.as_ref() != Some(&text)
    }

    /// Replaces the text; undo brings it back.
    pub fn replace(&mut self, text: &str) {
        self.area.select_all();
        self.area.cut();
        self.area.insert_str(text);
    }

    /// The score of texts by the template before.
    pub fn before<'a>(&self, state: &'a State, key: SubjectKey) -> Option<&'a ScoreCard> {
        let shelf = state.shelf.get(self.last.as_ref()?)?;
        shelf.card(key)
    }

    /// The score of texts by the template that editing began with.
    pub fn at_first<'a>(&self, state: &'a State, key: SubjectKey) -> Option<&'a ScoreCard> {
        let first = self.first.as_ref()?;
        match state.identity.as_ref() == Some(first) {
            true => state.scores.card(key),
            false => state.shelf.get(first)?.card(key),
        }
    }
}
