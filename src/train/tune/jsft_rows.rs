//! What a judge of pairs learns (JSFT; Lee et al. 2024, arXiv 2402.11253, §3): verdicts by each principle, in both orders,
//! put as it will be asked.

use std::path::PathBuf;

use super::example::Example;
use super::ratings;
use super::rows::{Counts, Result, RowsError};
use crate::data::{ReadOptions, Record, discover};
use crate::judge::JudgeError;
use crate::judge::pairwise::{Pair, PairJudge};

/// Verdicts, and what became of the other rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JudgmentRows {
    /// Record by record, principle by principle, the first order before the second.
    pub examples: Vec<Example>,
    pub counts: Counts,
    /// Verdicts without a reason, where reasons were asked for and the data have none.
    pub without_rationale: usize,
}

/// How verdicts are made of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lessons {
    /// Of the draw among worse responses.
    pub seed: u64,
    /// Whether the judge is taught to say why. Each principle then has a draw of its own.
    pub rationale: bool,
    /// Tokens of the longest example.
    pub cutoff: usize,
}

/// Reads pairs (`chosen, rejected`, or `response_a, response_b` with who won in `label`) and rated responses, of which the
/// best meets one that is worse. Targets are the judge token and, where they are asked for and known, the rationales of
/// both responses; never an end token.
///
/// # Errors
/// Files that cannot be read or are empty; the first bad row where `options` are strict; rationales where the templates
/// have no place for them; a judge token that does not follow the prompt; nothing to learn from.
pub fn read(
    paths: &[PathBuf],
    options: &ReadOptions,
    judge: &PairJudge,
    lessons: Lessons,
) -> Result<JudgmentRows> {
    let templates = judge.templates();
    if lessons.rationale && templates.rationale.is_none() {
        return Err(RowsError::Text(format!(
            "`rationale`: the templates {} have no `decision_rationale` that introduces one: set it to false, or give \
             `templates` that have it",
            templates.name
        )));
    }
    // A template whose prompts cannot be made is no fault of the rows.
    let probe = Pair {
        context: "1 + 1".into(),
        a: "2".into(),
        b: "3".into(),
    };
    for principle in 0..templates.principles.len() {
        let rationales = lessons.rationale.then_some(["good", "bad"]);
        judge.lesson(&probe, (principle, false), true, rationales, usize::MAX)?;
    }
    let data = crate::data::read(&discover(paths)?, options)?;
    let mut found = JudgmentRows::default();
    for error in &data.errors {
        found.counts.rows += 1;
        found.counts.fail("unreadable", error);
    }
    for record in &data.records {
        found.counts.rows += 1;
        add(record, judge, lessons, &mut found);
    }
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    found.counts.some(found.examples.len(), &names.join(", "))?;
    Ok(found)
}

/// The verdicts of a record.
fn add(record: &Record, judge: &PairJudge, lessons: Lessons, found: &mut JudgmentRows) {
    let counts = &mut found.counts;
    let worth = match ratings::worth(record) {
        Ok(worth) => worth,
        Err(cause) => return counts.fail("unreadable", format!("{}: {cause}", record.id)),
    };
    if worth.iter().flatten().count() < 2 {
        return counts.leave_out("without two rated responses");
    }
    for (place, principle) in judge.templates().principles.iter().enumerate() {
        let name = match lessons.rationale {
            true => principle.name.as_str(),
            false => "",
        };
        let drawn = ratings::draw(record, &worth, (lessons.seed, name));
        let sides = drawn.and_then(|[better, worse]| {
            Some([record.responses.get(better)?, record.responses.get(worse)?])
        });
        let Some(sides) = sides else {
            return counts.leave_out("without a better response");
        };
        let texts = sides.map(|side| side.text.as_str());
        if texts[0] == texts[1] {
            return counts.leave_out("with the same response twice");
        }
        let said = sides.map(|side| ratings::rationale(record, side, &principle.name));
        let rationales = match said {
            [Some(better), Some(worse)] if lessons.rationale => Some([better, worse]),
            _ => None,
        };
        let pair = Pair::of(record, texts[0], texts[1]);
        for swapped in [false, true] {
            // What does not fit is the row's fault: the templates were tried.
            match lesson(judge, &pair, (place, swapped), rationales, lessons.cutoff) {
                Ok((example, truncated)) => {
                    counts.cut += usize::from(truncated);
                    found.without_rationale +=
                        usize::from(lessons.rationale && rationales.is_none());
                    found.examples.push(example);
                }
                Err(e) => counts.fail(
                    "verdicts that cannot be asked for",
                    format!("{}: {e}", record.id),
                ),
            }
        }
    }
}

fn lesson(
    judge: &PairJudge,
    pair: &Pair,
    at: (usize, bool),
    rationales: Option<[&str; 2]>,
    cutoff: usize,
) -> std::result::Result<(Example, bool), JudgeError> {
    let lesson = judge.lesson(pair, at, true, rationales, cutoff)?;
    let (prompt, answer) = lesson.ids.split_at(lesson.from);
    Ok((Example::answer(prompt, answer), lesson.truncated))
}

#[cfg(test)]
mod tests;
