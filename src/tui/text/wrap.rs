//! Width and line breaking by grapheme.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Breaks text into lines of at most `columns`, at word borders where it can. Existing line ends
/// stay, an empty text is one empty line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        wrap_line(line.trim_end_matches('\r'), columns, &mut lines);
    }
    lines
}

fn wrap_line(line: &str, columns: usize, lines: &mut Vec<String>) {
    let mut current = String::new();
    let mut used = 0;
    for word in line.split_word_bounds() {
        let word_width = word.width();
        if used + word_width <= columns {
            current.push_str(word);
            used += word_width;
            continue;
        }
        if word.chars().all(char::is_whitespace) {
            // A blank at the edge is where the line ends.
            lines.push(std::mem::take(&mut current).trim_end().to_string());
            used = 0;
            continue;
        }
        if used > 0 && word_width <= columns && !is_closing(word) {
            lines.push(std::mem::take(&mut current).trim_end().to_string());
            current.push_str(word);
            used = word_width;
            continue;
        }
        for grapheme in word.graphemes(true) {
            let grapheme_width = grapheme.width();
            if used > 0 && used + grapheme_width > columns {
                used = carry(&mut current, grapheme, lines);
            }
            current.push_str(grapheme);
            used += grapheme_width;
        }
    }
    lines.push(current.trim_end().to_string());
}

/// Ends the line; a closing sign takes the word before it along. Returns the columns carried.
fn carry(current: &mut String, next: &str, lines: &mut Vec<String>) -> usize {
    let split = if is_closing(next) {
        // Some blanks have several bytes: French sets one before `!`.
        let mut letters = current.trim_end().char_indices();
        letters
            .rfind(|(_, c)| c.is_whitespace())
            .map(|(at, blank)| at + blank.len_utf8())
            .filter(|at| *at < current.len())
    } else {
        None
    };
    let rest = split.map(|at| current.split_off(at)).unwrap_or_default();
    lines.push(std::mem::take(current).trim_end().to_string());
    let carried = rest.width();
    *current = rest;
    carried
}

/// Signs that must not begin a line.
fn is_closing(word: &str) -> bool {
    !word.is_empty()
        && word
            .chars()
            .all(|c| ",.;:!?)]}»”’'\"%…。、，．！？：；）」』】".contains(c))
}

/// The start of a text as one line of at most `columns`, with `ellipsis` where something is cut.
/// Line ends count as blanks.
pub fn truncate(text: &str, columns: usize, ellipsis: &str) -> String {
    let room = columns.saturating_sub(ellipsis.width());
    let mut out = String::new();
    let mut used = 0;
    let mut cut_at = 0;
    let mut blank = true;
    for grapheme in text.graphemes(true) {
        let line_end = grapheme.starts_with(['\n', '\r']);
        if line_end && blank {
            continue;
        }
        let shown = if line_end { " " } else { grapheme };
        used += shown.width();
        if used > columns {
            out.truncate(cut_at);
            out.truncate(out.trim_end().len());
            if columns >= ellipsis.width() {
                out.push_str(ellipsis);
            }
            return out;
        }
        out.push_str(shown);
        blank = line_end;
        if used <= room {
            cut_at = out.len();
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The end of a text in at most `columns`, with `ellipsis` where something is cut: names that begin alike mostly differ
/// there.
pub fn truncate_start(text: &str, columns: usize, ellipsis: &str) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(ellipsis.width()) else {
        return String::new();
    };
    let (mut from, mut used) = (text.len(), 0);
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += grapheme.width();
        if used > room {
            break;
        }
        from = at;
    }
    format!("{ellipsis}{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_takes_the_word_behind_a_blank_of_several_bytes_along() {
        assert_eq!(wrap("le\u{a0}mot!", 6), ["le", "mot!"]);
        assert_eq!(wrap("a\u{202f}?!", 2), ["a", "?!"]);
    }

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn punctuation_does_not_begin_a_line() {
        assert_eq!(wrap("one two three, four", 13), ["one two", "three, four"]);
    }

    #[test]
    fn wide_characters_count_two_columns() {
        assert_eq!(wrap("漢字漢字漢", 4), ["漢字", "漢字", "漢"]);
        for line in wrap("mixed 漢字 and e\u{301}toile 👩‍👩‍👧 end", 7) {
            assert!(width(&line) <= 7, "{line:?}");
        }
    }

    #[test]
    fn names_that_begin_alike_keep_their_ends() {
        assert_eq!(truncate_start("tulu_3 b", 8, "…"), "tulu_3 b");
        assert_eq!(truncate_start("tulu_human_71 b", 8, "…"), "…an_71 b");
        assert_eq!(truncate_start("漢字漢字", 4, "…"), "…字");
        assert_eq!(truncate_start("abc", 2, "..."), "");
    }

    #[test]
    fn truncation_is_marked() {
        assert_eq!(truncate("hello world", 20, "…"), "hello world");
        assert_eq!(truncate("hello world", 8, "…"), "hello w…");
        assert_eq!(truncate("hello world", 7, "…"), "hello…");
        assert_eq!(truncate("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(truncate("one\ntwo", 20, "…"), "one two");
    }
}
