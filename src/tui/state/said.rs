//! What is said to the person, and where it can be read again.

use super::{Notice, State, Tone};
use crate::tui::keymap::{Action, Layer, sequence_label};
use crate::tui::text::width;

impl State {
    /// Says something until the next key.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        self.notice = Some(Notice { text, tone });
        self.keep_long();
    }

    /// Says what is wrong; of several things how many, and the log has each.
    pub fn say_all(&mut self, what: &str, texts: &[String]) {
        for text in texts {
            self.log(text.clone());
        }
        match texts {
            [] => (),
            [one] => self.say(Tone::Warning, one.clone()),
            several => {
                let key = self.log_key();
                let said = format!("{} {what}; {key} shows each.", several.len());
                self.say(Tone::Warning, said);
            }
        }
    }

    /// Puts what the last line of the screen cannot hold into the log, where all of it can be read.
    pub fn keep_long(&mut self) {
        let room = usize::from(self.size.0).saturating_sub(2);
        let long = self.notice.as_ref().map(|notice| notice.text.clone());
        let Some(text) = long.filter(|text| width(text) > room) else {
            return;
        };
        // It may have been put there by whoever says it.
        if self.runs.log.last().is_none_or(|(_, last)| *last != text) {
            self.log(text);
        }
    }

    /// The key that opens the log.
    pub fn log_key(&self) -> String {
        let key = self.keymap.hint(Layer::Normal, Action::Log);
        let label = key.map(|(keys, _)| sequence_label(keys, self.glyphs.ascii));
        label.unwrap_or_else(|| Action::Log.name().to_owned())
    }
}
