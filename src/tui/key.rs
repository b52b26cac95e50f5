//! Keys as plain data, and the names they are written by.

use std::fmt;

/// What was pressed, apart from modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A character as typed; shift is already in it.
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    /// A function key.
    F(u8),
}

/// One key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// What was pressed.
    pub code: Code,
    /// With Ctrl.
    pub ctrl: bool,
    /// With Alt.
    pub alt: bool,
    /// With Shift; never set on characters, whose case says it.
    pub shift: bool,
}

/// Keys with a name of their own.
const NAMES: [(&str, Code); 16] = [
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("backtab", Code::BackTab),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("left", Code::Left),
    ("right", Code::Right),
    ("up", Code::Up),
    ("down", Code::Down),
    ("home", Code::Home),
    ("end", Code::End),
    ("pageup", Code::PageUp),
    ("pagedown", Code::PageDown),
    ("space", Code::Char(' ')),
    ("lt", Code::Char('<')),
];

impl Key {
    /// A key without modifiers.
    pub fn plain(code: Code) -> Self {
        Key {
            code,
            ctrl: false,
            alt: false,
            shift: false,
        }
    }

    /// Reads a name such as `j`, `G`, `esc`, `f1`, `ctrl-d`, `alt-enter`.
    pub fn parse(name: &str) -> Option<Self> {
        let mut rest = name;
        let mut key = Key::plain(Code::Esc);
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-") {
                key.ctrl = true;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("alt-") {
                key.alt = true;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("shift-") {
                key.shift = true;
                rest = after;
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        key.code = match (chars.next(), chars.next()) {
            (Some(c), None) => Code::Char(c),
            (Some('f' | 'F'), Some('0'..='9')) => {
                let number = rest[1..].parse().ok().filter(|n| (1..=24).contains(n))?;
                Code::F(number)
            }
            _ => {
                let lower = rest.to_ascii_lowercase();
                NAMES.iter().find(|(name, _)| *name == lower)?.1
            }
        };
        Some(key)
    }

    /// Reads a sequence separated by blanks, such as `g g`.
    pub fn parse_sequence(names: &str) -> Option<Vec<Self>> {
        let keys: Option<Vec<_>> = names.split_whitespace().map(Key::parse).collect();
        keys.filter(|keys| !keys.is_empty())
    }

    /// Reads typed text in which named keys stand in angle brackets: `jj]ihello<esc>`.
    pub fn parse_typed(text: &str) -> Option<Vec<Self>> {
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c == '<' {
                let end = rest.find('>')?;
                keys.push(Key::parse(&rest[1..end])?);
                rest = &rest[end + 1..];
            } else {
                keys.push(Key::plain(match c {
                    '\n' => Code::Enter,
                    '\t' => Code::Tab,
                    c => Code::Char(c),
                }));
                rest = &rest[c.len_utf8()..];
            }
        }
        Some(keys)
    }

    /// The character this key types, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// The key as the footer and the help show it.
    pub fn label(self, ascii: bool) -> String {
        let mut out = String::new();
        if self.ctrl {
            out.push_str("Ctrl-");
        }
        if self.alt {
            out.push_str("Alt-");
        }
        if self.shift {
            out.push_str("Shift-");
        }
        match self.code {
            Code::Char(' ') => out.push_str("Space"),
            Code::Char(c) => out.push(c),
            Code::F(n) => out.push_str(&format!("F{n}")),
            Code::Left if !ascii => out.push('←'),
            Code::Right if !ascii => out.push('→'),
            Code::Up if !ascii => out.push('↑'),
            Code::Down if !ascii => out.push('↓'),
            code => out.push_str(match code {
                Code::Enter => "Enter",
                Code::Esc => "Esc",
                Code::Tab => "Tab",
                Code::BackTab => "Shift-Tab",
                Code::Backspace => "Backspace",
                Code::Delete => "Del",
                Code::Left => "Left",
                Code::Right => "Right",
                Code::Up => "Up",
                Code::Down => "Down",
                Code::Home => "Home",
                Code::End => "End",
                Code::PageUp => "PgUp",
                Code::PageDown => "PgDn",
                Code::Char(_) | Code::F(_) => "",
            }),
        }
        out
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        assert_eq!(Key::parse("j"), Some(Key::plain(Code::Char('j'))));
        assert_eq!(Key::parse("f12"), Some(Key::plain(Code::F(12))));
        assert_eq!(Key::parse("f"), Some(Key::plain(Code::Char('f'))));
        assert_eq!(Key::parse("-"), Some(Key::plain(Code::Char('-'))));
        let ctrl_d = Key::parse("ctrl-d").unwrap();
        assert!(ctrl_d.ctrl && ctrl_d.code == Code::Char('d'));
        assert_eq!(Key::parse("nonsense"), None);
        assert_eq!(Key::parse("f99"), None);
        assert_eq!(Key::parse_sequence("g g").unwrap().len(), 2);
    }

    #[test]
    fn typed_text_is_read() {
        let keys = Key::parse_typed("j<lt>é<esc><ctrl-g>").unwrap();
        assert_eq!(keys.len(), 5);
        assert_eq!(keys[1].code, Code::Char('<'));
        assert_eq!(keys[3].code, Code::Esc);
        assert!(keys[4].ctrl);
    }
}
