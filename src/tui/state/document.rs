//! The texts of a record as wrapped lines, made once for each record, response and width.

mod marks;

pub use marks::{apart, wrapped};

use super::ShownMode;
use crate::data::Record;
use crate::judge::attribution::Attribution;
use crate::tui::layout::Screen;
use crate::tui::text::{inert, wrap};

/// What a document was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentKey {
    pub screen: Screen,
    pub record: usize,
    pub response: usize,
    pub width: u16,
    /// Response and reference show what they do not share.
    pub diff: bool,
    /// Sentences show their worth in a mode.
    pub worth: Option<ShownMode>,
    /// The generator is hidden.
    pub blind: bool,
}

/// One line of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentLine {
    /// The title of a part, with what stands at its right.
    Heading { title: String, note: String },
    /// Wrapped text.
    Text(String),
    /// Wrapped text of which parts are marked.
    Marked(Vec<(String, Mark)>),
    /// Text of lesser weight.
    Dim(String),
}

/// What a part of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Plain,
    /// Not in the other text.
    Own,
    /// How much the score falls without it, from −3 to 3: steps of a twentieth of the scale.
    Worth(i8),
    /// Said about the part before.
    Note,
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
    pub fn new(
        key: DocumentKey,
        record: &Record,
        worth: Option<&Attribution>,
        ascii: bool,
    ) -> Self {
        let mut builder = Builder {
            width: usize::from(key.width).max(1),
            ascii,
            blind: key.blind,
            lines: Vec::new(),
        };
        let text = |text: &str| inert(text.trim_end(), ascii).into_owned();
        let original = original(record).filter(|_| key.diff);
        let reference = match &original {
            Some((_, output)) => Some(output.as_str()),
            None => record.reference.as_deref().filter(|_| key.diff),
        };
        let response = record.responses.get(key.response);
        let both = response.zip(reference);
        let both = both.map(|(one, other)| marks::apart(&text(&one.text), &text(other)));
        let (own, theirs) = both.unzip();
        if let Some(context) = &record.context {
            builder.part("context", String::new(), context);
        }
        let note = record.category.clone().unwrap_or_default();
        match &original {
            Some((before, _)) => {
                let (own, theirs) = marks::apart(&text(&record.task()), &text(before));
                builder.heading("instruction", "marked: new words".into());
                builder.marked(&own);
                builder.heading("instruction before", "marked: own words".into());
                builder.marked(&theirs);
            }
            None => {
                builder.part("instruction", note, &record.instruction);
                if let Some(input) = &record.input {
                    builder.part("input", String::new(), input);
                }
            }
        }
        let mut response_at = builder.lines.len();
        if key.screen != Screen::Judge {
            response_at = builder.response(
                record,
                key.response,
                own,
                worth.filter(|_| key.worth.is_some()),
            );
        }
        match &record.reference {
            _ if theirs.is_some() => {
                let title = match original {
                    Some(_) => "response before",
                    None => "reference",
                };
                builder.heading(title, "marked: own words".into());
                builder.marked(&theirs.unwrap_or_default());
            }
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

impl Document {
    /// Whether a record has a text that its responses can be compared with.
    pub fn has_other(record: &Record) -> bool {
        record.reference.is_some() || original(record).is_some()
    }
}

/// Task and response as they were before reflection (`juror reflect` with its details).
fn original(record: &Record) -> Option<(String, String)> {
    let original = record.meta.get("forms")?.get("original")?;
    let text = |name: &str| original.get(name)?.as_str();
    let instruction = text("instruction")?;
    let task = match text("input").filter(|input| !input.is_empty()) {
        Some(input) => format!("{instruction}\n\n{input}"),
        None => instruction.to_owned(),
    };
    Some((task, text("output")?.to_owned()))
}

struct Builder {
    width: usize,
    ascii: bool,
    blind: bool,
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

    fn marked(&mut self, parts: &[(String, Mark)]) {
        let lines = marks::wrapped(parts, self.width);
        self.lines
            .extend(lines.into_iter().map(DocumentLine::Marked));
    }

    fn response(
        &mut self,
        record: &Record,
        index: usize,
        own: Option<Vec<(String, Mark)>>,
        worth: Option<&Attribution>,
    ) -> usize {
        let Some(response) = record.responses.get(index) else {
            self.heading("response", String::new());
            self.lines.push(DocumentLine::Dim("none".into()));
            return self.lines.len().saturating_sub(2);
        };
        let title = match &response.generator {
            _ if self.blind => "response".to_owned(),
            Some(generator) => format!("response {} by {generator}", response.id),
            None => format!("response {}", response.id),
        };
        let note = match record.responses.len() {
            1 => String::new(),
            _ if self.blind => String::new(),
            n => format!("{}/{n}", index + 1),
        };
        let title = inert(&title, self.ascii).replace('\n', " ");
        let start = self.lines.len() + usize::from(!self.lines.is_empty());
        match (worth, own) {
            (Some(worth), _) => {
                self.heading(&title, "by sentence".into());
                self.marked(&marks::worth(&response.text, worth, self.ascii));
            }
            (None, Some(own)) => {
                self.heading(&title, "marked: own words".into());
                self.marked(&own);
            }
            (None, None) => self.part(&title, note, &response.text),
        }
        start
    }
}
