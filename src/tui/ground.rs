//! Whether the terminal's own background is dark or light: asked once the first frame is on
//! screen, never waited for.
//!
//! The answer comes among the keys (`ESC ] 11 ; rgb:1414/1717/1f1f BEL`), and crossterm, which
//! knows no such sequence, takes it apart into keys: Alt-`]`, `1`, `1`, `;` … Ctrl-`g`. So it is
//! put together again behind crossterm: no second reader takes bytes from the terminal, nothing
//! typed meanwhile is lost, and an answer over a slow line is as good as one at once.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::theme::contrast::contrast;
use super::theme::lab::{self, Rgb};

/// Keys that begin like an answer are held back this long: what terminals send comes at once.
const TYPED: Duration = Duration::from_millis(100);
/// The rest of what is an answer beyond doubt is waited for this long.
const REST: Duration = Duration::from_secs(1);
/// A lone Esc may be an answer cut in two this long after asking, and is a key later.
const FRESH: Duration = Duration::from_secs(2);
/// What an answer's text begins with.
const PREFIX: &str = "11;";
/// No answer is longer.
const LONGEST: usize = 40;

/// The background of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    Dark,
    Light,
}

impl Ground {
    /// Light is what black text reads better on than white text.
    pub fn of(colour: Rgb) -> Self {
        let (black, white) = ((0, 0, 0), (255, 255, 255));
        if contrast(black, colour) > contrast(white, colour) {
            Ground::Light
        } else {
            Ground::Dark
        }
    }

    /// A first guess, by what some terminals leave in `COLORFGBG`: `15;0`, `0;default;15`.
    pub fn guess(variable: Option<&str>) -> Option<Self> {
        let (_, ground) = variable?.rsplit_once(';')?;
        Some(Ground::of(lab::indexed(ground.trim().parse().ok()?)))
    }

    /// What an answer says: `11;rgb:1414/1717/1f1f`, `11;#14171f`.
    fn answer(text: &str) -> Option<Self> {
        let colour = text.strip_prefix(PREFIX)?;
        let channels: Vec<&str> = match colour.split_once(':') {
            Some(("rgb" | "rgba", channels)) => channels.split('/').collect(),
            _ => {
                let digits = colour.strip_prefix('#').filter(|hex| hex.is_ascii())?;
                let each = digits.len() / 3;
                (0..3)
                    .map(|n| digits.get(n * each..(n + 1) * each))
                    .collect::<Option<_>>()?
            }
        };
        let channel = |place: usize| {
            let digits = channels.get(place).filter(|digits| digits.len() <= 4)?;
            let most = 16_u32.checked_pow(digits.len() as u32)? - 1;
            let value = u32::from_str_radix(digits, 16).ok()?;
            u8::try_from(value * 255 / most.max(1)).ok()
        };
        Some(Ground::of((channel(0)?, channel(1)?, channel(2)?)))
    }
}

/// Whether asking makes sense: consoles without a background of their own are left alone.
pub fn can_be_asked(term: &str) -> bool {
    cfg!(unix) && !matches!(term, "" | "dumb" | "linux")
}

/// Asks the terminal. The answer is among what [`Listener::hear`] hears.
pub fn ask() -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(b"\x1b]11;?\x07")?;
    out.flush()
}

/// What comes from the terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Somebody did something.
    Event(Event),
    /// The answer.
    Ground(Ground),
}

/// Reads the terminal, and tells an answer from keys.
pub struct Listener {
    sieve: Sieve,
    ready: std::collections::VecDeque<Heard>,
}

impl Listener {
    /// After asking, or without having asked.
    pub fn new(asked: bool) -> Self {
        Listener {
            sieve: Sieve::new(asked.then(Instant::now)),
            ready: std::collections::VecDeque::new(),
        }
    }

    /// Whether there is something to hear that has come already.
    pub fn holds(&self) -> bool {
        !self.ready.is_empty() || self.sieve.patience().is_some()
    }

    /// Waits for what comes next.
    pub fn hear(&mut self) -> io::Result<Heard> {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return Ok(heard);
            }
            let late = match self.sieve.patience() {
                Some(patience) => !crossterm::event::poll(patience)?,
                None => false,
            };
            self.ready.extend(if late {
                self.sieve.late()
            } else {
                self.sieve.take(crossterm::event::read()?, Instant::now())
            });
        }
    }
}

/// Finds the answer among events.
struct Sieve {
    /// When it was asked; none when nothing is awaited.
    asked: Option<Instant>,
    /// Keys that may be the beginning of an answer.
    held: Vec<Event>,
    /// What they say, from `]` on.
    text: String,
    /// The last one was an Esc of its own.
    escaped: bool,
}

impl Sieve {
    fn new(asked: Option<Instant>) -> Self {
        Sieve {
            asked,
            held: Vec::new(),
            text: String::new(),
            escaped: false,
        }
    }

    /// How long to wait for the next event; as long as it takes where nothing is held.
    fn patience(&self) -> Option<Duration> {
        match (self.held.is_empty(), self.is_answer()) {
            (true, _) => None,
            (false, false) => Some(TYPED),
            (false, true) => Some(REST),
        }
    }

    /// Nobody types this.
    fn is_answer(&self) -> bool {
        self.text
            .strip_prefix(']')
            .is_some_and(|text| text.starts_with(PREFIX))
    }

    /// Nothing came in time: keys were keys, and half an answer is nothing.
    fn late(&mut self) -> Vec<Heard> {
        if self.is_answer() {
            self.clear();
            return Vec::new();
        }
        self.release()
    }

    fn take(&mut self, event: Event, now: Instant) -> Vec<Heard> {
        let (Some(asked), Event::Key(key)) = (self.asked, &event) else {
            return vec![Heard::Event(event)];
        };
        if key.kind == KeyEventKind::Release {
            return vec![Heard::Event(event)];
        }
        if self.held.is_empty() {
            let fresh = now.duration_since(asked) < FRESH;
            match part(key) {
                Part::Escaped(']') => self.text.push(']'),
                Part::Escape if fresh => self.escaped = true,
                _ => return vec![Heard::Event(event)],
            }
            self.held.push(event);
            return Vec::new();
        }
        self.go_on(event)
    }

    /// Takes a key behind those held back.
    fn go_on(&mut self, event: Event) -> Vec<Heard> {
        let Event::Key(key) = &event else {
            return vec![Heard::Event(event)];
        };
        let escaped = std::mem::take(&mut self.escaped);
        let part = match part(key) {
            Part::Sign(sign) if escaped => Part::Escaped(sign),
            part => part,
        };
        match part {
            Part::Bell | Part::Escaped('\\') if self.is_answer() => {
                let ground = Ground::answer(&self.text[1..]);
                self.clear();
                self.asked = None;
                return ground.map(Heard::Ground).into_iter().collect();
            }
            Part::Escape if self.is_answer() => self.escaped = true,
            Part::Escaped(']') if self.text.is_empty() => self.text.push(']'),
            Part::Sign(sign) if self.fits(sign) => self.text.push(sign),
            _ if self.is_answer() => {
                self.clear();
                return vec![Heard::Event(event)];
            }
            _ => {
                // Other keys after all; this one may begin the answer.
                let mut heard = self.release();
                heard.extend(self.take(event, Instant::now()));
                return heard;
            }
        }
        self.held.push(event);
        Vec::new()
    }

    /// Whether an answer may go on with this sign.
    fn fits(&self, sign: char) -> bool {
        let Some(text) = self.text.strip_prefix(']') else {
            return false;
        };
        match PREFIX.chars().nth(text.len()) {
            Some(expected) => sign == expected,
            None => {
                let usual = sign.is_ascii_alphanumeric() || matches!(sign, ':' | '/' | '#');
                usual && text.len() < LONGEST
            }
        }
    }

    fn release(&mut self) -> Vec<Heard> {
        let held = std::mem::take(&mut self.held);
        self.clear();
        held.into_iter().map(Heard::Event).collect()
    }

    fn clear(&mut self) {
        self.held.clear();
        self.text.clear();
        self.escaped = false;
    }
}

/// What a key would be in an answer.
enum Part {
    Escape,
    Escaped(char),
    Bell,
    Sign(char),
    Other,
}

fn part(key: &KeyEvent) -> Part {
    // A capital letter comes with shift.
    let modifiers = key.modifiers.difference(KeyModifiers::SHIFT);
    match key.code {
        KeyCode::Esc if modifiers.is_empty() => Part::Escape,
        KeyCode::Char('g') if modifiers == KeyModifiers::CONTROL => Part::Bell,
        KeyCode::Char(sign) if modifiers == KeyModifiers::ALT => Part::Escaped(sign),
        KeyCode::Char(sign) if modifiers.is_empty() => Part::Sign(sign),
        _ => Part::Other,
    }
}

#[cfg(test)]
mod tests;
