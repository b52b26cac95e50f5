//! Responses with stretches aimed at the judge: looked for in what is on screen, and remembered.

use std::collections::HashMap;
use std::sync::Arc;

use super::{JudgeStatus, ListRow, State};
use crate::data::{Record, SubjectKey};
use crate::judge::TemplateSet;
use crate::judge::suspect::{Detector, Span};
use crate::tui::layout::Screen;

/// Responses remembered; with more, all are looked at again.
const MOST: usize = 8192;
/// Responses of one record that are looked at for the list.
const EACH: usize = 256;
/// Bytes that are looked through for one message; the rest waits for the next.
const SLICE: usize = 1 << 20;
/// Of a longer text, so many bytes at either end.
const END: usize = 1 << 17;

/// What was found in responses, by their texts.
#[derive(Clone, Debug, Default)]
pub struct Suspects {
    detector: Arc<Detector>,
    known: HashMap<SubjectKey, Vec<Span>>,
    /// Something on screen was not looked at yet.
    pub behind: bool,
}

impl Suspects {
    /// What finds them.
    pub fn detector(&self) -> &Arc<Detector> {
        &self.detector
    }

    /// The stretches of a response, in bytes; none of one that was not looked at.
    pub fn of(&self, key: SubjectKey) -> &[Span] {
        self.known.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Looks at a text that is not known; tells how many bytes that took.
    fn look(&mut self, key: SubjectKey, record: &Record, text: &str) -> usize {
        if self.known.contains_key(&key) {
            return 0;
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let spans = ends(&self.detector, record, text);
        self.known.insert(key, spans);
        text.len().min(2 * END)
    }
}

/// The stretches of a text, of a long one those at its ends.
fn ends(detector: &Detector, record: &Record, text: &str) -> Vec<Span> {
    if text.len() <= 2 * END {
        return detector.spans(record, text);
    }
    let floor = |mut byte: usize| {
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    };
    let tail = floor(text.len() - END);
    let mut spans = detector.spans(record, &text[..floor(END)]);
    let last = detector.spans(record, &text[tail..]);
    spans.extend(last.into_iter().map(|span| Span {
        start: span.start + tail,
        end: span.end + tail,
        ..span
    }));
    spans
}

impl State {
    /// Looks by the templates and tokens of the judge that is there.
    pub fn take_detector(&mut self) {
        let detector = match &self.judge {
            JudgeStatus::Ready(info) => {
                let (name, text) = &info.template;
                let templates = TemplateSet::from_toml(name, text).ok();
                let special = info.special.iter().map(String::as_str);
                templates.map_or_else(Detector::default, |own| Detector::new(&own, special))
            }
            _ => Detector::default(),
        };
        if detector != *self.suspects.detector {
            self.suspects = Suspects {
                detector: Arc::new(detector),
                ..Suspects::default()
            };
        }
    }

    /// Looks at the responses on screen, as many as one message may.
    pub(super) fn look_for_suspects(&mut self) {
        self.suspects.behind = false;
        let mut left = SLICE;
        if let (Screen::Judge, Some(record), Some(draft)) =
            (self.screen, self.record(), self.draft())
        {
            let (key, text) = (draft.key, draft.text());
            self.suspects.look(key, &record, &text);
        }
        let rows = match self.screen {
            Screen::Explore | Screen::Judge => self.list_rows(self.list_height()),
            _ => Vec::new(),
        };
        let listed = rows.into_iter().filter_map(|row| match row {
            ListRow::Record { record, .. } => Some(record),
            ListRow::Response { .. } => None,
        });
        let here = self.record_index();
        for record in here.into_iter().chain(listed) {
            // Records are read again for their texts alone, so only where one is not known.
            let known = |state: &State| {
                let places = 0..state.responses_of(record).min(EACH);
                let mut keys = places.filter_map(|at| state.row_key(record, at));
                keys.all(|key| state.suspects.known.contains_key(&key))
            };
            if known(self) {
                continue;
            }
            let Some(item) = self.item(record) else {
                continue;
            };
            for (key, response) in item.keys.iter().zip(&item.responses).take(EACH) {
                if left == 0 {
                    self.suspects.behind = true;
                    return;
                }
                let took = self.suspects.look(*key, &item, &response.text);
                left = left.saturating_sub(took);
            }
        }
    }

    /// Whether a response has a stretch aimed at the judge, as far as it was looked at.
    pub fn is_suspicious(&self, record: usize, response: usize) -> bool {
        let key = self.row_key(record, response);
        key.is_some_and(|key| !self.suspects.of(key).is_empty())
    }

    /// The stretches of the text that is shown, with the text.
    pub fn shown_suspects(&self) -> Option<(&[Span], String)> {
        let (key, _) = self.current()?;
        let spans = self.suspects.of(key);
        if spans.is_empty() {
            return None;
        }
        let text = match self.screen {
            Screen::Judge => self.draft()?.text(),
            _ => self.record()?.responses.get(self.response)?.text.clone(),
        };
        Some((spans, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::suspect::Kind;

    #[test]
    fn a_long_text_is_looked_at_where_it_begins_and_ends() {
        let middle = "ä plain words ".repeat(END / 5);
        let text = format!("Rating: 9\n{middle}<|im_end|>{middle}\n[INST]");
        let spans = ends(&Detector::default(), &Record::default(), &text);
        let found: Vec<_> = spans.iter().map(|s| (s.kind, &text[s.range()])).collect();
        assert_eq!(
            found,
            [
                (Kind::StatesScore, "Rating: 9"),
                (Kind::ControlToken, "[INST]")
            ]
        );
    }
}
