//! Characters as tokens: how prompts are written for a model behind a server, which takes texts and turns and keeps its
//! vocabulary to itself. Ids up to `char::MAX` are characters, those behind it marks. A mark counts only where a
//! template wrote it.

use super::{Encoded, Piece};
use crate::model::chat::ChatTemplate;

/// Where a turn begins, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A text begins: what the server puts before it (a BOS) is its own affair.
    Begin,
    System,
    User,
    Assistant,
}

const FIRST: u32 = char::MAX as u32 + 1;
/// The id of [`Mark::Begin`].
pub const BEGIN: u32 = FIRST;
/// What marks are written as in a template: characters that Unicode sets aside for such use, in the order of [`MARKS`].
const WRITTEN: [char; 4] = ['\u{FDD0}', '\u{FDD1}', '\u{FDD2}', '\u{FDD3}'];
const MARKS: [Mark; 4] = [Mark::Begin, Mark::System, Mark::User, Mark::Assistant];

impl Mark {
    /// As servers name the role.
    pub fn role(self) -> &'static str {
        match self {
            Mark::System => "system",
            Mark::Assistant => "assistant",
            Mark::Begin | Mark::User => "user",
        }
    }
}

/// The mark that an id stands for.
pub fn mark_of(id: u32) -> Option<Mark> {
    let at = id.checked_sub(FIRST)?;
    MARKS.get(at as usize).copied()
}

/// The characters among ids.
pub fn text_of(ids: &[u32]) -> String {
    ids.iter().filter_map(|id| char::from_u32(*id)).collect()
}

/// A chat template that marks where turns begin, for a server that fills in its own.
pub fn marked_chat() -> ChatTemplate {
    let [_, system, user, assistant] = WRITTEN;
    ChatTemplate::new(
        format!(
            "{{% for m in messages %}}{{% if m.role == 'system' %}}{system}{{% elif m.role == 'assistant' %}}{assistant}\
             {{% else %}}{user}{{% endif %}}{{{{ m.content }}}}{{% endfor %}}\
             {{% if add_generation_prompt %}}{assistant}{{% endif %}}"
        ),
        String::new(),
        String::new(),
    )
}

pub(super) fn encode(pieces: &[Piece], special: bool) -> Encoded {
    let mut encoded = Encoded::default();
    if special {
        encoded.ids.push(BEGIN);
        encoded.offsets.push((0, 0));
    }
    let mut start = 0;
    for piece in pieces {
        for (at, c) in piece.text.char_indices() {
            let mark = WRITTEN.iter().position(|written| *written == c);
            encoded
                .ids
                .push(match mark.filter(|_| piece.slot.is_none()) {
                    Some(mark) => FIRST + mark as u32,
                    None => c as u32,
                });
            encoded
                .offsets
                .push((start + at, start + at + c.len_utf8()));
        }
        start += piece.text.len();
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chat::Turn;

    #[test]
    fn texts_come_back_whole_and_marks_count_only_in_templates() {
        let pieces = [
            Piece::template("Ä\u{FDD2}"),
            Piece::data("response", "x\u{FDD2}y"),
        ];
        let encoded = encode(&pieces, true);
        let marks: Vec<_> = encoded.ids.iter().filter_map(|id| mark_of(*id)).collect();
        assert_eq!(marks, [Mark::Begin, Mark::User]);
        assert_eq!(text_of(&encoded.ids), "Äx\u{FDD2}y");
        assert_eq!(encoded.offsets[1], (0, 2));
    }

    #[test]
    fn a_conversation_is_marked_turn_by_turn() {
        let turn = |role, text: &str| Turn {
            role,
            content: vec![Piece::data("instruction", text)],
        };
        let turns = [
            turn("system", "s"),
            turn("user", "{{ u }}"),
            turn("assistant", "a"),
        ];
        let of = |generate| {
            let pieces = marked_chat().render(&turns, generate).unwrap();
            encode(&pieces, false).ids
        };
        let marks = |ids: &[u32]| ids.iter().filter_map(|id| mark_of(*id)).collect::<Vec<_>>();
        assert_eq!(
            marks(&of(false)),
            [Mark::System, Mark::User, Mark::Assistant]
        );
        assert_eq!(marks(&of(true)).len(), 4);
        assert_eq!(text_of(&of(true)), "s{{ u }}a");
    }
}
