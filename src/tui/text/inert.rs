//! Control characters never reach the terminal.

use std::borrow::Cow;

/// Whether a character could steer a terminal or reorder the text around it.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// The sign drawn in place of an active character.
fn stand_in(c: char, ascii: bool) -> char {
    match c {
        _ if ascii => '?',
        '\u{7F}' => '␡',
        c if (c as u32) < 0x20 => char::from_u32(0x2400 + c as u32).unwrap_or('\u{FFFD}'),
        _ => '\u{FFFD}',
    }
}

/// Text for drawing: active characters become visible signs, tabs become blanks. Line feeds stay.
/// In ASCII mode everything else outside ASCII stays too: it is the data's, not ours.
pub fn inert(text: &str, ascii: bool) -> Cow<'_, str> {
    let touched = |c: char| (c != '\n' && is_active(c)) || c == '\t';
    if !text.contains(touched) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' => out.push_str("    "),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => out.push('\n'),
            c if is_active(c) => out.push(stand_in(c, ascii)),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Text for editing: line ends become `\n`, every other active character is dropped.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\n' | '\t' => out.push(c),
            c if is_active(c) => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_visible_and_harmless() {
        let hostile = "a\u{1b}[31mred\u{7}\u{202e}txt\u{9b}2J";
        let shown = inert(hostile, false);
        assert_eq!(shown, "a␛[31mred␇\u{FFFD}txt\u{FFFD}2J");
        assert!(!shown.chars().any(is_active));
        assert_eq!(inert(hostile, true), "a?[31mred??txt?2J");
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(inert("one\ntwo 漢字", false), Cow::Borrowed(_)));
    }

    #[test]
    fn pasted_text_loses_controls_and_keeps_lines() {
        assert_eq!(clean("a\r\nb\rc\td\u{1b}[0m\u{202e}e"), "a\nb\nc\td[0me");
    }
}
