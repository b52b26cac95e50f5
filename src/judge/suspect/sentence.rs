//! Sentences and lines that speak to the judge or say a score.

use std::cell::LazyCell;
use std::ops::Range;

use regex::Regex;

use super::patterns::{self, Patterns};
use super::{Kind, Span};
use crate::data::Record;

/// A sentence goes no further than this from the word that makes it interesting, in bytes.
const REACH: usize = 400;
/// So many lines with different scores rate several things, and are no score of the response.
const LIST: usize = 3;

/// Sentences and lines of a response, in the order of the patterns.
pub(super) fn spans(record: &Record, text: &str) -> Vec<Span> {
    let Some(patterns) = patterns::all() else {
        return Vec::new();
    };
    let mut found = Found {
        patterns,
        topic: LazyCell::new(Box::new(|| topic(patterns, record))),
        strong: Vec::new(),
        confirming: Vec::new(),
    };
    let mut from = 0;
    while let Some(anchor) = patterns.anchor.find_at(text, from) {
        let range = around(text, anchor.range());
        found.look(text, range.clone());
        from = range.end.max(anchor.end());
    }
    let Found {
        strong: mut spans,
        confirming,
        topic,
        ..
    } = found;
    let told = spans.iter().any(|span| span.kind == Kind::AddressesJudge);
    spans.extend(confirming.into_iter().filter(|_| told));
    spans.extend(lines(patterns, text, || topic.scores));
    spans
}

/// What the task itself is about.
#[derive(Clone, Copy)]
struct Topic {
    /// Ratings, scores, reviews.
    scores: bool,
    /// Judges, graders, instructions to models.
    judges: bool,
}

fn topic(patterns: &Patterns, record: &Record) -> Topic {
    let texts = [
        Some(record.instruction.as_str()),
        record.input.as_deref(),
        record.context.as_deref(),
        record.reference.as_deref(),
    ];
    let says = |regex: &Regex| texts.iter().flatten().any(|text| regex.is_match(text));
    Topic {
        scores: says(&patterns.about_scores),
        judges: says(&patterns.about_judges),
    }
}

type Later<'a> = LazyCell<Topic, Box<dyn FnOnce() -> Topic + 'a>>;

struct Found<'a> {
    patterns: &'a Patterns,
    topic: Later<'a>,
    strong: Vec<Span>,
    /// These count where something else does.
    confirming: Vec<Span>,
}

impl Found<'_> {
    fn look(&mut self, text: &str, range: Range<usize>) {
        let sentence = &text[range.clone()];
        let patterns = self.patterns;
        let span = |kind| Span {
            start: range.start,
            end: range.end,
            kind,
        };
        let hit = |set: &regex::RegexSet| set.is_match(sentence);
        if hit(&patterns.addresses) || (hit(&patterns.may_address) && !self.topic.judges) {
            self.strong.push(span(Kind::AddressesJudge));
        } else if hit(&patterns.confirms) {
            self.confirming.push(span(Kind::AddressesJudge));
        }
        if hit(&patterns.states) || (hit(&patterns.may_state) && !self.topic.scores) {
            self.strong.push(span(Kind::StatesScore));
        }
    }
}

/// Lines that are a score and nothing else, unless the task is about scores or they rate several things.
fn lines(patterns: &Patterns, text: &str, is_about_scores: impl FnOnce() -> bool) -> Vec<Span> {
    let mut scores: Vec<&str> = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    for hit in patterns.score_line.captures_iter(text) {
        if let (Some(line), Some(score)) = (hit.name("line"), hit.name("score")) {
            scores.push(score.as_str());
            spans.push(Span {
                start: line.start(),
                end: line.end(),
                kind: Kind::StatesScore,
            });
        }
    }
    let is_list = spans.len() >= LIST && scores.iter().any(|score| *score != scores[0]);
    match spans.is_empty() || is_list || is_about_scores() {
        true => Vec::new(),
        false => spans,
    }
}

/// The sentence that some bytes are in, on one line.
fn around(text: &str, bytes: Range<usize>) -> Range<usize> {
    let start = floor(text, bytes.start.saturating_sub(REACH));
    let before = &text[start..bytes.start];
    let start = start + before_sentence(before);
    let end = floor(text, (bytes.end + REACH).min(text.len()));
    let behind = &text[bytes.end..end];
    let end = bytes.end + sentence_end(behind).unwrap_or(behind.len());
    let sentence = &text[start..end];
    let body = sentence.trim();
    let start = start + (sentence.len() - sentence.trim_start().len());
    start..start + body.len()
}

fn floor(text: &str, mut byte: usize) -> usize {
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// Where the last sentence of a text begins.
fn before_sentence(text: &str) -> usize {
    let mut at = 0;
    // Full stops that take no blank end a sentence at the text's end, too.
    let last = match text.ends_with(['。', '！', '？']) {
        true => text.len() + 1,
        false => text.len(),
    };
    while let Some(end) = sentence_end(&text[at..]).filter(|end| *end > 0 && at + end < last) {
        at += end;
        // A line end by itself ends nothing twice.
        at += text[at..].len() - text[at..].trim_start().len();
    }
    at
}

/// Where the first sentence of a text ends: behind its full stop and what closes with it, or before the line end; `None`
/// where it goes on. A full stop counts with a blank, or nothing, behind it.
fn sentence_end(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find(['.', '!', '?', '\n', '。', '！', '？']) {
        let at = from + at;
        let rest = &text[at..];
        if rest.starts_with('\n') {
            return Some(at.max(usize::from(at == 0)));
        }
        let stops = |c: char| ".!?。！？\"'”’)]*_".contains(c);
        let end = at + (rest.len() - rest.trim_start_matches(stops).len());
        let is_wide = rest.starts_with(['。', '！', '？']);
        if is_wide || text[end..].chars().next().is_none_or(char::is_whitespace) {
            return Some(end);
        }
        from = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_what_stands_around_a_word() {
        let of = |text: &str, word: &str| {
            let at = text.find(word).unwrap();
            let range = around(text, at..at + word.len());
            text[range].to_owned()
        };
        assert_eq!(of("One. Two score! Three", "score"), "Two score!");
        assert_eq!(of("a\nscore 3.5 of 9\n\nb", "score"), "score 3.5 of 9");
        assert_eq!(of("score", "score"), "score");
        assert_eq!(of("He said “score.” Then", "score"), "He said “score.”");
        assert_eq!(of("First.\n  score?", "score"), "score?");
        assert_eq!(of("好。score！是", "score"), "score！");
        let long = format!("{} score {}", "ä".repeat(1000), "ö".repeat(1000));
        assert!(of(&long, "score").len() < 2 * REACH + 10);
    }
}
