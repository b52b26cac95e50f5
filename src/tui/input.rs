//! What the terminal sends, as messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::event::{MouseButton, MouseEventKind};

use super::key::{Code, Key};
use super::message::{Message, Mouse, MouseKind};

/// The message of a terminal event, if it is one of ours.
pub fn message(event: Event) -> Option<Message> {
    match event {
        Event::Key(event) => key(event).map(Message::Key),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(width, height) => Some(Message::Resize(width, height)),
        Event::Mouse(event) => {
            let kind = match event.kind {
                MouseEventKind::Down(MouseButton::Left) => MouseKind::Press,
                MouseEventKind::Drag(MouseButton::Left) => MouseKind::Drag,
                MouseEventKind::Down(MouseButton::Right) => MouseKind::Open,
                MouseEventKind::ScrollDown => MouseKind::ScrollDown,
                MouseEventKind::ScrollUp => MouseKind::ScrollUp,
                _ => return None,
            };
            Some(Message::Mouse(Mouse {
                kind,
                column: event.column,
                row: event.row,
            }))
        }
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let code = match event.code {
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    let with = |modifier| event.modifiers.contains(modifier);
    // A character's case already says shift, and back-tab is shifted by itself.
    let shift = !matches!(code, Code::Char(_) | Code::BackTab) && with(KeyModifiers::SHIFT);
    Some(Key {
        code,
        ctrl: with(KeyModifiers::CONTROL),
        alt: with(KeyModifiers::ALT),
        shift,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_translated() {
        let event = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        let press = |name: &str| Some(Message::Key(Key::parse(name).unwrap()));
        let none = KeyModifiers::NONE;
        assert_eq!(message(event(KeyCode::Char('j'), none)), press("j"));
        assert_eq!(
            message(event(KeyCode::Char('G'), KeyModifiers::SHIFT)),
            press("G")
        );
        assert_eq!(
            message(event(KeyCode::Char('d'), KeyModifiers::CONTROL)),
            press("ctrl-d")
        );
        assert_eq!(
            message(event(KeyCode::BackTab, KeyModifiers::SHIFT)),
            press("backtab")
        );
        assert_eq!(message(event(KeyCode::F(2), none)), press("f2"));
        let mut release = KeyEvent::new(KeyCode::Char('j'), none);
        release.kind = KeyEventKind::Release;
        assert_eq!(message(Event::Key(release)), None);
    }
}
