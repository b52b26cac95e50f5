//! Texts of which parts are marked: what two do not share, what sentences are worth.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::Mark;
use crate::judge::attribution::Attribution;
use crate::tui::text::inert;

/// Long texts are compared no longer than this.
const PATIENCE: Duration = Duration::from_millis(60);

/// Of a scale whose length is 9: one step of worth.
const STEP: f64 = 0.45;

type Parts = Vec<(String, Mark)>;

/// Two texts with the words marked that the other lacks.
pub fn apart(one: &str, other: &str) -> (Parts, Parts) {
    let diff = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_unicode_words(other, one);
    let (mut ones, mut others) = (Parts::new(), Parts::new());
    for change in diff.iter_all_changes() {
        let text = change.value();
        // Blanks are nobody's own.
        let own = match text.trim().is_empty() {
            true => Mark::Plain,
            false => Mark::Own,
        };
        match change.tag() {
            ChangeTag::Equal => {
                push(&mut ones, text, Mark::Plain);
                push(&mut others, text, Mark::Plain);
            }
            ChangeTag::Delete => push(&mut others, text, own),
            ChangeTag::Insert => push(&mut ones, text, own),
        }
    }
    (ones, others)
}

/// A response with its sentences marked by their worth, which stands behind each.
pub fn worth(text: &str, worth: &Attribution, ascii: bool) -> Parts {
    let chars: Vec<char> = text.chars().collect();
    let mut parts = Parts::new();
    for sentence in &worth.sentences {
        let range = sentence.start.min(chars.len())..sentence.end.min(chars.len());
        let raw: String = chars[range].iter().collect();
        let shown = inert(&raw, ascii);
        let end = shown.trim_end().len();
        let step = (sentence.drop / STEP).round().clamp(-3.0, 3.0) as i8;
        push(&mut parts, &shown[..end], Mark::Worth(step));
        push(&mut parts, &format!(" [{:+.1}]", sentence.drop), Mark::Note);
        push(&mut parts, &shown[end..], Mark::Plain);
    }
    parts
}

fn push(parts: &mut Parts, text: &str, mark: Mark) {
    match parts.last_mut() {
        Some((last, known)) if *known == mark => last.push_str(text),
        _ if text.is_empty() => {}
        _ => parts.push((text.to_owned(), mark)),
    }
}

/// Lines of at most so many columns, broken between words where that can be.
pub fn wrapped(parts: &[(String, Mark)], columns: usize) -> Vec<Parts> {
    let columns = columns.max(1);
    let mut lines = vec![Parts::new()];
    let mut used = 0;
    let start = |lines: &mut Vec<Parts>| {
        lines.push(Parts::new());
        0
    };
    for (text, mark) in parts {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                used = start(&mut lines);
            }
            let words: Vec<&str> = match mark {
                // A number is not torn from its sign.
                Mark::Note => vec![line],
                _ => line.split_word_bounds().collect(),
            };
            for word in words {
                let width = word.width();
                let blank = word.trim().is_empty();
                if used + width > columns && used > 0 {
                    used = start(&mut lines);
                    if blank {
                        continue;
                    }
                }
                for grapheme in word.graphemes(true) {
                    let wide = grapheme.width();
                    if used + wide > columns && used > 0 {
                        used = start(&mut lines);
                    }
                    if let Some(line) = lines.last_mut() {
                        push(line, grapheme, *mark);
                    }
                    used += wide;
                }
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::attribution::Sentence;

    fn own(parts: &Parts) -> Vec<&str> {
        let own = parts.iter().filter(|(_, mark)| *mark == Mark::Own);
        own.map(|(text, _)| text.as_str()).collect()
    }

    #[test]
    fn words_that_the_other_lacks_are_marked() {
        let (one, other) = apart("Boil for six minutes.", "Boil it for ten minutes.");
        assert_eq!(own(&one), ["six"]);
        assert_eq!(own(&other), ["it", "ten"]);
        let text = |parts: &Parts| parts.iter().map(|(t, _)| t.as_str()).collect::<String>();
        assert_eq!(text(&one), "Boil for six minutes.");
        assert_eq!(text(&other), "Boil it for ten minutes.");
    }

    #[test]
    fn sentences_carry_their_worth() {
        let found = Attribution {
            sentences: vec![
                Sentence {
                    start: 0,
                    end: 5,
                    drop: 0.5,
                },
                Sentence {
                    start: 5,
                    end: 9,
                    drop: -4.0,
                },
            ],
            whole: 1.0,
        };
        let parts = worth("One. Zwö\u{1b}", &found, false);
        assert_eq!(parts[0], ("One.".into(), Mark::Worth(1)));
        assert_eq!(parts[1], (" [+0.5]".into(), Mark::Note));
        assert_eq!(parts[3], ("Zwö␛".into(), Mark::Worth(-3)));
    }

    #[test]
    fn lines_fit_and_lose_nothing_but_blanks() {
        let parts = vec![
            ("some words ".to_owned(), Mark::Plain),
            ("漢字漢字漢字 and\nmore".to_owned(), Mark::Own),
        ];
        for columns in 1..20 {
            let lines = wrapped(&parts, columns);
            let mut all = String::new();
            for line in &lines {
                let text: String = line.iter().map(|(t, _)| t.as_str()).collect();
                assert!(text.width() <= columns.max(2), "{text:?} in {columns}");
                all.push_str(&text);
            }
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&all), "somewords漢字漢字漢字andmore");
        }
    }
}
