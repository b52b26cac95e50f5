//! From the ids of a prompt, which are characters and marks, to what a server is sent.

use serde_json::{Value, json};

use crate::model::tokenizer::{Mark, mark_of, text_of};

/// A prompt as servers take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// For `/completions`.
    Text(String),
    /// For `/chat/completions`: turns, and how the assistant's last one begins.
    Turns {
        turns: Vec<(&'static str, String)>,
        begun: String,
    },
}

impl Prompt {
    pub fn of(ids: &[u32]) -> Self {
        let mut turns: Vec<(Mark, Vec<u32>)> = Vec::new();
        for id in ids {
            match (mark_of(*id), turns.last_mut()) {
                (Some(Mark::Begin), _) => (),
                (Some(mark), _) => turns.push((mark, Vec::new())),
                (None, Some((_, text))) => text.push(*id),
                // What stands before the first turn belongs to none: then it is a text.
                (None, None) => return Prompt::Text(text_of(ids)),
            }
        }
        let begun = match turns.last() {
            None => return Prompt::Text(String::new()),
            Some((Mark::Assistant, _)) => turns.pop().map(|(_, text)| text_of(&text)),
            Some(_) => None,
        };
        let turns = turns
            .into_iter()
            .map(|(mark, text)| (mark.role(), text_of(&text)));
        Prompt::Turns {
            turns: turns.collect(),
            begun: begun.unwrap_or_default(),
        }
    }

    /// With more behind it.
    #[must_use]
    pub fn and(&self, more: &str) -> Self {
        let mut all = self.clone();
        match &mut all {
            Prompt::Text(text) => text.push_str(more),
            Prompt::Turns { begun, .. } => begun.push_str(more),
        }
        all
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &'static str {
        match self {
            Prompt::Text(_) => "completions",
            Prompt::Turns { .. } => "chat/completions",
        }
    }

    pub fn characters(&self) -> usize {
        match self {
            Prompt::Text(text) => text.chars().count(),
            Prompt::Turns { turns, begun } => {
                let said = turns.iter().map(|(_, text)| text.chars().count());
                said.sum::<usize>() + begun.chars().count()
            }
        }
    }

    /// A request for what follows.
    ///
    /// # Errors
    /// A begun turn, where the server cannot go on with one.
    pub fn request(&self, model: &str, continues: bool) -> Result<Value, String> {
        Ok(match self {
            Prompt::Text(text) => json!({"model": model, "prompt": text, "stream": false}),
            Prompt::Turns { turns, begun } => {
                let message =
                    |(role, text): &(&str, String)| json!({"role": role, "content": text});
                let mut messages: Vec<Value> = turns.iter().map(message).collect();
                let mut request = json!({"model": model, "stream": false});
                if !begun.is_empty() {
                    if !continues {
                        return Err(format!(
                            "the server's chat endpoint cannot go on with an answer that begins with {begun:?}: use \
                             --wrap none or a text with {{prompt}}, which /completions continues, or labels of one token"
                        ));
                    }
                    messages.push(message(&("assistant", begun.clone())));
                    request["continue_final_message"] = true.into();
                    request["add_generation_prompt"] = false.into();
                }
                request["messages"] = messages.into();
                request
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chat::Turn;
    use crate::model::tokenizer::{Piece, Tokenizer, marked_chat};

    fn prompt(turns: &[(&'static str, &str)], cue: &str) -> Prompt {
        let turn = |(role, text): &(&'static str, &str)| Turn {
            role,
            content: vec![Piece::data("instruction", *text)],
        };
        let turns: Vec<Turn> = turns.iter().map(turn).collect();
        let mut pieces = marked_chat().render(&turns, true).unwrap();
        pieces.push(Piece::template(cue));
        Prompt::of(&Tokenizer::characters().encode(&pieces, false).unwrap().ids)
    }

    #[test]
    fn turns_become_messages() {
        let asked = prompt(&[("system", "be fair"), ("user", "rate")], "");
        let request = asked.request("m", false).unwrap();
        assert_eq!(
            request["messages"],
            json!([{"role": "system", "content": "be fair"}, {"role": "user", "content": "rate"}])
        );
        assert_eq!(asked.endpoint(), "chat/completions");
    }

    #[test]
    fn a_begun_turn_goes_only_where_it_is_continued() {
        let asked = prompt(&[("user", "rate")], "Rating:");
        assert!(
            asked
                .request("m", false)
                .unwrap_err()
                .contains("--wrap none")
        );
        let request = asked.request("m", true).unwrap();
        assert_eq!(request["messages"][1]["content"], "Rating:");
        assert_eq!(request["continue_final_message"], true);
    }

    #[test]
    fn a_text_stays_one() {
        let pieces = [Piece::template("Rate "), Piece::data("response", "x")];
        let asked = Prompt::of(&Tokenizer::characters().encode(&pieces, true).unwrap().ids);
        assert_eq!(asked, Prompt::Text("Rate x".into()));
        assert_eq!(asked.and("1"), Prompt::Text("Rate x1".into()));
        assert_eq!(asked.characters(), 6);
    }
}
