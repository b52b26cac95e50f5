//! The form of a text that is compared: words in lower case, one blank between them. Originals are never replaced by it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::hash::{Hashed, text_hash};

/// Words that may come, go or be exchanged for one another without another task being asked.
const NEUTRAL: &str = "a an the this that these those please kindly can could would will shall should you your yours i \
    im id me my mine we us our it its is are was were be been being am do does did of in on at for with as so and then \
    also just very really quite simply there here what which who whose have has had having want need like let lets \
    help tell to by about into hi hello thanks thank using use";

/// Words that stand for one another, the first for all.
const SYNONYMS: [&[&str]; 12] = [
    &[
        "write", "compose", "create", "produce", "generate", "draft", "craft", "make",
    ],
    &["give", "provide", "offer", "supply"],
    &["explain", "describe"],
    &["list", "name", "enumerate"],
    &["short", "brief", "concise"],
    &["big", "large"],
    &["find", "identify", "determine"],
    &["calculate", "compute"],
    &["detailed", "detail", "details", "thorough"],
    &["quick", "quickly", "fast"],
    &["text", "passage", "paragraph"],
    &["good", "great", "nice"],
];

/// Politeness before a task and behind it, in normal form; the longer one first.
const BEFORE: [&str; 18] = [
    "i would like you to",
    "id like you to",
    "i want you to",
    "i need you to",
    "would you please",
    "could you please",
    "can you please",
    "would you",
    "could you",
    "can you",
    "will you",
    "please",
    "kindly",
    "hello",
    "hi",
    "hey",
    "help me to",
    "help me",
];
const BEHIND: [&str; 7] = [
    "thank you very much",
    "thanks in advance",
    "thank you",
    "thanks",
    "for me",
    "for me please",
    "please",
];

/// What turns a task into its opposite.
const POLAR: &str = "not no never without except unless neither nor none cannot cant dont doesnt didnt isnt arent wasnt \
    werent wont wouldnt shouldnt couldnt only";

/// The form that is compared: letters and digits in lower case; marks that carry a meaning (`c++`, `3 - 4`, `5 %`) are
/// words of their own, all others part words or vanish.
pub fn normal(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    let mut line_start = true;
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let before = at.checked_sub(1).and_then(|i| chars.get(i)).copied();
        if is_word(c) {
            // A word of a script without blanks is a letter.
            if is_ideograph(c) {
                part(&mut out);
            }
            match c.is_ascii() {
                true => out.push(c.to_ascii_lowercase()),
                false => out.extend(c.to_lowercase()),
            }
            if is_ideograph(c) {
                part(&mut out);
            }
            line_start = false;
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while chars.get(end) == Some(&c) && !c.is_whitespace() {
            end += 1;
        }
        let around = Around {
            before,
            after: chars.get(end).copied(),
            count: end - at,
            line_start,
        };
        match mark(c, &around) {
            Mark::Parts => part(&mut out),
            Mark::Vanishes => {}
            Mark::Stays => out.push(c),
            Mark::Word => {
                part(&mut out);
                out.extend(&chars[at..end]);
                part(&mut out);
            }
            Mark::Ends => {
                out.extend(&chars[at..end]);
                part(&mut out);
            }
        }
        line_start = c == '\n' || (line_start && c.is_whitespace());
        at = end;
    }
    out.truncate(out.trim_end().len());
    out
}

/// A normal text without the politeness around it.
pub fn bare(normal: &str) -> &str {
    let before =
        |text: &str, polite: &str| Some(text.strip_prefix(polite)?.strip_prefix(' ')?.len());
    let behind =
        |text: &str, polite: &str| Some(text.strip_suffix(polite)?.strip_suffix(' ')?.len());
    let mut text = normal;
    while let Some(left) = BEFORE.iter().find_map(|polite| before(text, polite)) {
        text = &text[text.len() - left..];
    }
    while let Some(left) = BEHIND.iter().find_map(|polite| behind(text, polite)) {
        text = &text[..left];
    }
    text
}

/// What becomes of a mark.
enum Mark {
    Parts,
    Vanishes,
    /// Part of the number around it.
    Stays,
    Word,
    /// The end of the word before it.
    Ends,
}

struct Around {
    before: Option<char>,
    after: Option<char>,
    /// How often the mark is repeated.
    count: usize,
    line_start: bool,
}

fn mark(c: char, around: &Around) -> Mark {
    let is = |found: Option<char>, like: fn(char) -> bool| found.is_some_and(like);
    let digits =
        is(around.before, |c| c.is_ascii_digit()) && is(around.after, |c| c.is_ascii_digit());
    let apart = is(around.before, char::is_whitespace) && is(around.after, char::is_whitespace);
    let glued = is(around.before, is_word) && is(around.after, is_word);
    match c {
        '\'' | '’' | '‘' | 'ʼ' if is(around.before, is_word) => Mark::Vanishes,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' => Mark::Vanishes,
        '.' if digits && around.count == 1 => Mark::Stays,
        ',' if digits => Mark::Vanishes,
        '+' if around.count == 2 && is(around.before, is_word) => Mark::Ends,
        '#' if around.count == 1 && is(around.before, char::is_alphabetic) => Mark::Ends,
        // Bullets, headings and quotations say nothing.
        '-' | '*' | '+' | '>' | '#' if around.line_start => Mark::Parts,
        '%' | '$' | '€' | '£' | '^' | '<' | '>' | '+' | '=' | '&' if around.count <= 3 => {
            Mark::Word
        }
        '*' | '/' if around.count <= 2 && (apart || (glued && (digits || c == '*'))) => Mark::Word,
        '-' | '−'
            if around.count == 1
                && is(around.after, |c| c.is_ascii_digit())
                && !is(around.before, is_word) =>
        {
            Mark::Word
        }
        '-' | '−' if digits => Mark::Word,
        '!' | '|' if around.count <= 2 && around.after == Some('=') => Mark::Word,
        _ => Mark::Parts,
    }
}

fn part(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// The words of a normal text.
pub fn words(normal: &str) -> impl Iterator<Item = &str> {
    normal.split(' ').filter(|word| !word.is_empty())
}

/// The words that say what is asked.
pub fn content(normal: &str) -> impl Iterator<Item = &str> {
    words(normal).filter(|word| !is_neutral(word))
}

/// Whether a word may come and go.
pub fn is_neutral(word: &str) -> bool {
    word.len() <= 8 && lists().neutral.contains(&text_hash(word))
}

/// Whether a word turns a task into its opposite.
pub fn is_polar(word: &str) -> bool {
    lists().polar.contains(&text_hash(word))
}

/// Whether a word tells a quantity or an operation, which is never a slip of the pen.
pub fn is_exact(word: &str) -> bool {
    word.chars().any(|c| !c.is_alphabetic())
}

/// A word without its ending and spelling: what stays is equal where the meaning is.
pub fn stem(word: &str) -> Cow<'_, str> {
    if is_exact(word) || !word.is_ascii() {
        return Cow::Borrowed(word);
    }
    if let Some(first) = lists().synonyms.get(&text_hash(word)) {
        return Cow::Borrowed(first);
    }
    let start = |end: &str| word.strip_suffix(end).filter(|start| start.len() >= 3);
    let word = ["ing", "ed", "es", "s"]
        .into_iter()
        .find_map(start)
        .unwrap_or(word);
    if word.len() < 5 {
        return Cow::Borrowed(word);
    }
    let word = word.trim_end_matches('e');
    // Nearly no word has any of these.
    let bytes = word.as_bytes();
    if !bytes.ends_with(b"is")
        && !bytes
            .windows(3)
            .any(|part| part == b"our" || part == b"isa")
    {
        return Cow::Borrowed(word);
    }
    let mut word = word.replace("isation", "ization").replace("our", "or");
    if let Some(start) = word.strip_suffix("is") {
        word = format!("{start}iz");
    }
    Cow::Owned(word)
}

struct Lists {
    neutral: HashSet<u64, Hashed>,
    polar: HashSet<u64, Hashed>,
    synonyms: HashMap<u64, &'static str, Hashed>,
}

fn lists() -> &'static Lists {
    static LISTS: std::sync::LazyLock<Lists> = std::sync::LazyLock::new(|| Lists {
        neutral: NEUTRAL.split_whitespace().map(text_hash).collect(),
        polar: POLAR.split_whitespace().map(text_hash).collect(),
        synonyms: SYNONYMS
            .iter()
            .flat_map(|group| group.iter().map(|word| (text_hash(word), group[0])))
            .collect(),
    });
    &LISTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_gone() {
        for (text, want) in [
            (
                "What's  the\nCapital, of “France”?!",
                "whats the capital of france",
            ),
            ("- one\n* two\n  # Three", "one two three"),
            ("**bold** and well-known", "bold and well known"),
            ("It costs $1,000.50.", "it costs $ 1000.50"),
            ("C++ or C# or C", "c++ or c# or c"),
            ("3 + 4, 3-4, 3*4, -5, x**2", "3 + 4 3 - 4 3 * 4 - 5 x ** 2"),
            ("a_b != c", "a_b ! = c"),
            ("――――", ""),
            ("东京", "东 京"),
        ] {
            assert_eq!(normal(text), want, "{text}");
        }
    }

    #[test]
    fn what_has_a_meaning_stays() {
        let differ = [
            ("3+4", "3-4"),
            ("x < y", "x > y"),
            ("C", "C++"),
            ("1.5", "15"),
            ("C#", "C++"),
            ("5 %", "5"),
        ];
        for (one, other) in differ {
            assert_ne!(normal(one), normal(other));
        }
    }

    #[test]
    fn politeness_goes() {
        for text in [
            "Name a river",
            "Please name a river.",
            "Hello, can you please name a river? Thanks!",
            "I would like you to name a river for me, please",
        ] {
            assert_eq!(bare(&normal(text)), "name a river");
        }
        assert_eq!(bare("please"), "please");
    }

    #[test]
    fn stems() {
        for (one, other) in [
            ("colour", "colors"),
            ("organise", "organized"),
            ("compose", "write"),
            ("sentence", "sentences"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
        assert_ne!(stem("four"), stem("for"));
        assert_eq!(stem("1990s"), "1990s");
        assert!(is_neutral("please") && !is_neutral("paris") && is_polar("never"));
    }
}
