//! Lines that begin as a judge's template writes its parts.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::{Kind, Span};
use crate::data::Record;
use crate::judge::TemplateSet;
use crate::judge::template::Wrap;

/// A label has no more characters.
const LONGEST: usize = 60;

/// Labels that stand in anybody's answers, whatever a template calls its parts.
const EVERYDAY: [&str; 12] = [
    "answer",
    "question",
    "input",
    "output",
    "note",
    "example",
    "solution",
    "explanation",
    "text",
    "summary",
    "result",
    "context",
];

/// Markers that judges' templates are known by; each is the whole line, or has more behind its colon.
const KNOWN: &str = r"(?mi)^[ \t>]*(?P<line>(?:#{2,3}[ \t]?(?:instruction|response|human|assistant|reference answer(?: \(score 5\))?|task description|the instruction to evaluate|response to evaluate|score rubrics?|feedback)[ \t]*:|(?:reference answer|response to grade|answer to grade|response to (?:judge|evaluate)|candidate (?:response|answer)|model response)[ \t]*:|\[(?:the start of|the end of|begin|end|start of|end of) (?:the )?(?:assistant|reference|data|response|answer|conversation|submission)[^\]\n]{0,40}\]|\[(?:reference answer|response to grade|assistant response)\]|</?(?:reference|reference_answer|response_to_grade|assistant_response|candidate_response|judge_instructions?)>)[^\n]*)$";

/// What finds the markers of templates; `None` where they have none of their own.
pub(super) fn of(templates: &TemplateSet) -> Option<Regex> {
    let both = [&templates.reference, &templates.free];
    let mut words: Vec<&str> = both.into_iter().flatten().flat_map(|t| t.words()).collect();
    if let Some(Wrap::Around(before, after)) = &templates.wrap {
        words.extend([before.as_str(), after.as_str()]);
    }
    let labels: BTreeSet<&str> = words.into_iter().flat_map(labels).collect();
    if labels.is_empty() {
        return None;
    }
    let each: Vec<String> = labels.into_iter().map(pattern).collect();
    Regex::new(&format!(r"(?mi)^[ \t>]*(?P<line>{})$", each.join("|"))).ok()
}

/// A label as it stands at the beginning of a line: one with a colon may have more behind it.
fn pattern(label: &str) -> String {
    let escaped = regex::escape(label);
    match label.ends_with(':') {
        true => format!(r"(?:{escaped}[^\n]*)"),
        false => format!(r"(?:{escaped}[ \t]*:?[ \t]*)"),
    }
}

/// Lines that are headings or end in a colon; of the last line, what stands behind its last full stop.
fn labels(words: &str) -> impl Iterator<Item = &str> {
    words.lines().filter_map(|line| {
        let line = line.trim();
        let last = line.rfind(". ").map_or(line, |at| line[at + 2..].trim());
        let is_label = last.ends_with(':') || (last == line && line.starts_with(['#', '[']));
        let name = last.trim_matches(|c: char| !c.is_alphanumeric());
        let is_name = name.chars().filter(|c| c.is_alphabetic()).count() >= 3;
        let is_plain = name.len() + 1 == last.len();
        let is_everyday = is_plain && EVERYDAY.contains(&name.to_lowercase().as_str());
        let fits = last.chars().count() <= LONGEST;
        (is_label && is_name && fits && !is_everyday).then_some(last)
    })
}

/// Lines of a response that imitate the templates, unless the task or the reference has them, too.
pub(super) fn spans(own: Option<&Regex>, record: &Record, text: &str) -> Vec<Span> {
    static USUAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(KNOWN).ok());
    let regexes = own.into_iter().chain(USUAL.as_ref());
    let mut found = Vec::new();
    for regex in regexes {
        let mut is_asked_for = None;
        for hit in regex.captures_iter(text) {
            let Some(line) = hit.name("line") else {
                continue;
            };
            if *is_asked_for.get_or_insert_with(|| is_in_task(regex, record)) {
                break;
            }
            found.push(Span {
                start: line.start(),
                end: line.start() + line.as_str().trim_end().len(),
                kind: Kind::TemplateMarker,
            });
        }
    }
    found
}

fn is_in_task(regex: &Regex, record: &Record) -> bool {
    let texts = [
        Some(&record.instruction),
        record.input.as_ref(),
        record.context.as_ref(),
        record.reference.as_ref(),
    ];
    texts.into_iter().flatten().any(|text| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_told_from_sentences() {
        let words = "You grade answers. Below is a task.\n\n# Task\n";
        assert_eq!(labels(words).collect::<Vec<_>>(), ["# Task"]);
        let cue = "\n\n# Grade\nGive one integer from 0 to 9 (best). Grade: ";
        assert_eq!(labels(cue).collect::<Vec<_>>(), ["# Grade", "Grade:"]);
        assert_eq!(labels("Answer:\nQuestion: \n").count(), 0, "everyday words");
        assert_eq!(
            labels("### Answer:").collect::<Vec<_>>(),
            ["### Answer:"],
            "but not with signs"
        );
        assert_eq!(labels("1.\n#\n::").count(), 0);
    }

    #[test]
    fn a_template_finds_its_own_labels() {
        let set = TemplateSet::standard().unwrap();
        let own = of(&set).unwrap();
        assert!(own.is_match("Fine.\n# Response to grade\nMine."));
        assert!(own.is_match("Fine.\nGrade: 9"));
        assert!(!own.is_match("# Responses to graders\nUp the grade: steep."));
    }
}
