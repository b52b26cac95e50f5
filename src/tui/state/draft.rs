//! Responses being written: one text area for each, kept while the program runs.

use tui_textarea::{CursorMove, CursorRenderMode, Input, TextArea, WrapMode};

use crate::data::{Record, SubjectKey};
use crate::tui::text::clean;
use crate::tui::theme::Theme;

/// Undo steps kept for each draft.
const HISTORY: usize = 4096;

/// What a draft began as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// A response of one's own, from nothing.
    #[default]
    Own,
    /// A response of the record, by its place.
    Response(usize),
}

/// Names a draft: the record's place and what the draft began as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DraftId {
    pub record: usize,
    pub origin: Origin,
}

/// A response being written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The editor.
    pub area: TextArea<'static>,
    /// What it began with.
    pub original: String,
    /// The key of its text.
    pub key: SubjectKey,
    /// The key of its last text that had a score.
    pub scored: Option<SubjectKey>,
}

impl Draft {
    /// Starts from a text.
    pub fn new(record: &Record, original: &str, theme: &Theme) -> Self {
        let text = clean(original);
        let mut area = TextArea::new(text.split('\n').map(str::to_string).collect());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_cursor_render_mode(CursorRenderMode::Hidden);
        area.set_max_histories(HISTORY);
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        let mut draft = Draft {
            key: SubjectKey::of(record, original),
            area,
            original: original.to_string(),
            scored: None,
        };
        draft.dress(theme);
        draft
    }

    /// Gives the editor the theme's colours.
    pub fn dress(&mut self, theme: &Theme) {
        self.area.set_style(theme.style("ui.input"));
        self.area
            .set_cursor_line_style(ratatui::style::Style::default());
        self.area.set_selection_style(theme.style("ui.selection"));
    }

    /// The text.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether there is nothing to judge.
    pub fn is_blank(&self) -> bool {
        self.area.lines().iter().all(|line| line.trim().is_empty())
    }

    /// Whether it differs from what it began with.
    pub fn is_changed(&self) -> bool {
        self.text() != clean(&self.original)
    }

    /// Takes a key of the editor.
    pub fn input(&mut self, record: &Record, input: Input) {
        if self.area.input(input) {
            self.rekey(record);
        }
    }

    /// Inserts text at the cursor.
    pub fn insert(&mut self, record: &Record, text: &str) {
        self.area.insert_str(clean(text));
        self.rekey(record);
    }

    /// Adds text at the end.
    pub fn append(&mut self, record: &Record, text: &str) {
        self.area.move_cursor(CursorMove::Bottom);
        self.area.move_cursor(CursorMove::End);
        self.insert(record, text);
    }

    /// Replaces the text; undo brings it back.
    pub fn replace(&mut self, record: &Record, text: &str) {
        self.area.select_all();
        self.area.cut();
        self.insert(record, text);
    }

    /// Takes the last change back, or makes it again.
    pub fn undo(&mut self, record: &Record, again: bool) {
        let changed = match again {
            false => self.area.undo(),
            true => self.area.redo(),
        };
        if changed {
            self.rekey(record);
        }
    }

    /// Forgets how the text came about, but for what was there `before`: two steps of undo lead back
    /// to that.
    pub fn settle(&mut self, record: &Record, before: &str, theme: &Theme) {
        let text = self.text();
        let mut settled = Draft::new(record, before, theme);
        settled.original.clone_from(&self.original);
        settled.scored = self.scored;
        settled.replace(record, &text);
        *self = settled;
    }

    fn rekey(&mut self, record: &Record) {
        let text = self.text();
        // An unchanged text is the row's own, whatever signs were left out of the editor.
        self.key = if text == clean(&self.original) {
            SubjectKey::of(record, &self.original)
        } else {
            SubjectKey::of(record, &text)
        };
    }
}
