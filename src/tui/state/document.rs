//! The texts of a record as wrapped lines, made once for each record, response and width.

use crate::data::Record;
use crate::tui::layout::Screen;
use crate::tui::text::{inert, wrap};

/// What a document was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentKey {
    pub screen: Screen,
    pub record: usize,
    pub response: usize,
    pub width: u16,
}

/// One line of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentLine {
    /// The title of a part, with what stands at its right.
    Heading { title: String, note: String },
    /// Wrapped text.
    Text(String),
    /// Text of lesser weight.
    Dim(String),
}

/// Wrapped texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// What it was made of.
    pub key: Option<DocumentKey>,
    /// Its lines.
    pub lines: Vec<DocumentLine>,
    /// Where the response begins.
    pub response_at: usize,
}

impl Document {
    /// Wraps the texts of a record.
    pub fn new(key: DocumentKey, record: &Record, ascii: bool) -> Self {
        let mut builder = Builder {
            width: usize::from(key.width).max(1),
            ascii,
            lines: Vec::new(),
        };
        if let Some(context) = &record.context {
            builder.part("context", String::new(), context);
        }
        let note = record.category.clone().unwrap_or_default();
        builder.part("instruction", note, &record.instruction);
        if let Some(input) = &record.input {
            builder.part("input", String::new(), input);
        }
        let mut response_at = builder.lines.len();
        if key.screen != Screen::Judge {
            response_at = builder.response(record, key.response);
        }
        match &record.reference {
            Some(reference) => builder.part("reference", String::new(), reference),
            None => {
                builder.heading("reference", String::new());
                builder.lines.push(DocumentLine::Dim("none".into()));
            }
        }
        if let Some(rubric) = &record.rubric {
            builder.part("rubric", String::new(), rubric);
        }
        Document {
            key: Some(key),
            lines: builder.lines,
            response_at,
        }
    }
}

struct Builder {
    width: usize,
    ascii: bool,
    lines: Vec<DocumentLine>,
}

impl Builder {
    fn heading(&mut self, title: &str, note: String) {
        if !self.lines.is_empty() {
            self.lines.push(DocumentLine::Text(String::new()));
        }
        self.lines.push(DocumentLine::Heading {
            title: title.to_string(),
            note,
        });
    }

    fn part(&mut self, title: &str, note: String, text: &str) {
        self.heading(title, note);
        let text = inert(text.trim_end(), self.ascii);
        let wrapped = wrap(&text, self.width);
        self.lines
            .extend(wrapped.into_iter().map(DocumentLine::Text));
    }

    fn response(&mut self, record: &Record, index: usize) -> usize {
        let Some(response) = record.responses.get(index) else {
            self.heading("response", String::new());
            self.lines.push(DocumentLine::Dim("none".into()));
            return self.lines.len().saturating_sub(2);
        };
        let title = match &response.generator {
            Some(generator) => format!("response {} by {generator}", response.id),
            None => format!("response {}", response.id),
        };
        let note = match record.responses.len() {
            1 => String::new(),
            n => format!("{}/{n}", index + 1),
        };
        let title = inert(&title, self.ascii).replace('\n', " ");
        let start = self.lines.len() + usize::from(!self.lines.is_empty());
        self.part(&title, note, &response.text);
        start
    }
}
