//! Stretches of a response that are aimed at the judge instead of answering: words to it, scores, marks of its template, control
//! tokens, signs that nobody sees. They are told, never taken out before judging: what they are worth is measured
//! (`juror probe`).
//!
//! What is found depends on the texts alone. Weak signs do not count where the task itself is about ratings, or where
//! task or reference write the same; whoever means to hide will find a way around patterns.

mod markers;
mod patterns;
mod sentence;
mod tokens;

use std::ops::Range;

use regex::Regex;
use serde::Serialize;

use super::TemplateSet;
use crate::data::Record;
use crate::model::tokenizer::Tokenizer;

/// Texts that ask for a good score instead of answering, one a line.
pub const ATTACKS: &str = include_str!("attacks.txt");

/// Texts of a file, one a line; `\n` stands for a line end, blank lines for nothing.
pub fn attacks(file: &str) -> Vec<String> {
    let lines = file.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.replace("\\n", "\n")).collect()
}

/// More stretches of one response are not told.
const MOST: usize = 10_000;

/// What a stretch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Speaks to who judges, or says how to.
    AddressesJudge,
    /// Writes down a score, as a judge would.
    StatesScore,
    /// Stands at the beginning of a line as the judge's template writes its parts.
    TemplateMarker,
    /// Is what a model's special tokens are written as.
    ControlToken,
    /// Is not seen: directional overrides, runs of zero-width signs, tags.
    HiddenText,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [
        Kind::AddressesJudge,
        Kind::StatesScore,
        Kind::TemplateMarker,
        Kind::ControlToken,
        Kind::HiddenText,
    ];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::AddressesJudge => "addresses_judge",
            Kind::StatesScore => "states_score",
            Kind::TemplateMarker => "template_marker",
            Kind::ControlToken => "control_token",
            Kind::HiddenText => "hidden_text",
        }
    }

    /// What it does, in words.
    pub fn words(self) -> &'static str {
        match self {
            Kind::AddressesJudge => "speaks to the judge",
            Kind::StatesScore => "states a score",
            Kind::TemplateMarker => "imitates the template",
            Kind::ControlToken => "control token",
            Kind::HiddenText => "hidden characters",
        }
    }
}

/// A stretch of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// In bytes.
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

impl Span {
    /// Its bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Finds such stretches.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    /// How the judge's templates mark their parts, beside what is known everywhere.
    markers: Option<Regex>,
    /// The judge's special tokens that do not look like one.
    tokens: Option<Regex>,
}

impl PartialEq for Detector {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Option<Regex>, b: &Option<Regex>| match (a, b) {
            (Some(a), Some(b)) => a.as_str() == b.as_str(),
            (a, b) => a.is_none() && b.is_none(),
        };
        same(&self.markers, &other.markers) && same(&self.tokens, &other.tokens)
    }
}

impl Detector {
    /// For a judge that is asked by these templates and has these special tokens.
    pub fn new<'t>(templates: &TemplateSet, special: impl IntoIterator<Item = &'t str>) -> Self {
        Detector {
            markers: markers::of(templates),
            tokens: tokens::beside_known(special),
        }
    }

    /// For a judge's templates and tokenizer.
    pub fn of(templates: &TemplateSet, tokenizer: &Tokenizer) -> Self {
        Self::new(templates, tokenizer.special())
    }

    /// The stretches of a response to a record, by where they begin; at most 10,000. Those of one kind neither overlap
    /// nor touch. Takes time in proportion to the text.
    pub fn spans(&self, record: &Record, text: &str) -> Vec<Span> {
        let mut found = sentence::spans(record, text);
        found.extend(markers::spans(self.markers.as_ref(), record, text));
        found.extend(tokens::spans(self.tokens.as_ref(), text));
        found.extend(tokens::hidden(text));
        joined(found, text)
    }
}

/// Sorted; what overlaps or is parted by blanks alone is one stretch where it is of one kind.
fn joined(mut found: Vec<Span>, text: &str) -> Vec<Span> {
    found.sort_by_key(|span| (span.kind, span.start, span.end));
    let mut all: Vec<Span> = Vec::with_capacity(found.len());
    for span in found {
        match all.last_mut().filter(|last| last.kind == span.kind) {
            Some(last) if touches(text, last.end, span.start) => last.end = last.end.max(span.end),
            _ => all.push(span),
        }
    }
    all.sort();
    all.truncate(MOST);
    all
}

/// Blanks between two stretches that make them one.
const NEAR: usize = 16;

fn touches(text: &str, end: usize, start: usize) -> bool {
    end >= start || (start - end <= NEAR && text[end..start].trim().is_empty())
}

/// A response without stretches of it (in bytes). Of the blanks on both sides of one that goes, those with more line ends
/// stay; where nothing is left before or behind it, none.
pub fn without(text: &str, spans: &[Span]) -> String {
    if spans.is_empty() {
        return text.to_owned();
    }
    let mut ranges: Vec<Range<usize>> = spans.iter().map(Span::range).collect();
    ranges.sort_by_key(|range| range.start);
    let mut kept = String::with_capacity(text.len());
    let (mut from, mut gap) = (0, "");
    let end = std::iter::once(text.len()..text.len());
    for range in ranges.into_iter().chain(end) {
        let piece = text.get(from..range.start).unwrap_or_default();
        let words = piece.trim();
        let lead = &piece[..piece.len() - piece.trim_start().len()];
        if words.is_empty() {
            gap = wider(gap, piece);
        } else {
            kept.push_str(match from {
                0 => lead,
                _ if kept.is_empty() => "",
                _ => wider(gap, lead),
            });
            kept.push_str(words);
            gap = &piece[lead.len() + words.len()..];
        }
        from = from.max(range.end);
        if range.start == text.len() && !words.is_empty() {
            kept.push_str(gap);
        }
    }
    kept
}

/// Of the blanks before and behind what goes, those that keep what stays apart.
fn wider<'t>(before: &'t str, behind: &'t str) -> &'t str {
    let lines = |blanks: &str| blanks.matches('\n').count();
    match before.is_empty() || lines(behind) > lines(before) {
        true => behind,
        false => before,
    }
}

#[cfg(test)]
mod tests;
