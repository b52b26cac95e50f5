//! What self-training learns from and asks about: fixed pairs to replay, as `juror export` writes them or with `prompt`,
//! and the instructions that a policy is to answer.

use std::path::PathBuf;

use super::rows::{Counts, Result, end_token};
use crate::data::{ReadOptions, Record, Subject, discover};
use crate::judge::dialogue::{answered, request};
use crate::model::facts::Facts;

/// Two answers to a prompt. A sequence is the prompt with one of them behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferencePair {
    pub id: String,
    /// As a policy is asked.
    pub prompt: Vec<u32>,
    /// With the end token, unless it was too long.
    pub chosen: Vec<u32>,
    /// As `chosen`.
    pub rejected: Vec<u32>,
}

impl PreferencePair {
    /// Tokens that are computed for it: the prompt once.
    pub fn tokens(&self) -> usize {
        self.prompt.len() + self.chosen.len() + self.rejected.len()
    }
}

/// Pairs, and what became of the other rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairRows {
    /// In the order of the data.
    pub pairs: Vec<PreferencePair>,
    pub counts: Counts,
}

/// An instruction to be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub record: Record,
    pub ids: Vec<u32>,
}

/// Instructions, and what became of the other rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptRows {
    /// In the order of the data.
    pub prompts: Vec<Prompt>,
    pub counts: Counts,
}

/// Reads pairs. Prompt and answer together have at most `cutoff` tokens (and at most the model's context): a longer
/// answer loses its end, and with it the end token; a prompt that leaves no room for an answer leaves the row out.
///
/// # Errors
/// Files that cannot be read or are empty; the first bad row where `options` are strict; no pair at all; a model without
/// an end token; what tokenizer and chat template say.
pub fn read(
    paths: &[PathBuf],
    options: &ReadOptions,
    facts: &Facts,
    cutoff: usize,
) -> Result<PairRows> {
    let end = end_token(facts)?;
    let limit = cutoff.min(facts.context);
    let (records, mut counts) = records(paths, options)?;
    let mut pairs = Vec::new();
    for record in records {
        let by_label = |label: f64| {
            let mut side = record.responses.iter();
            side.find(|response| response.labels.get("chosen") == Some(&label))
        };
        let (Some(chosen), Some(rejected)) = (by_label(1.0), by_label(0.0)) else {
            counts.leave_out("without chosen and rejected");
            continue;
        };
        if chosen.text == rejected.text {
            counts.leave_out("with the same answer twice");
            continue;
        }
        let mut prompt = Vec::new();
        let mut sides = [Vec::new(), Vec::new()];
        let mut cut = false;
        for (side, response) in sides.iter_mut().zip([chosen, rejected]) {
            let answer;
            (prompt, answer) = answered(&Subject::of(&record, &response.text), facts)?;
            *side = answer;
            side.push(end);
            let room = limit.saturating_sub(prompt.len());
            cut |= side.len() > room;
            side.truncate(room);
        }
        let [chosen, rejected] = sides;
        if chosen.is_empty() || prompt.is_empty() {
            counts.leave_out("with a prompt that leaves no room");
            continue;
        }
        counts.cut += usize::from(cut);
        pairs.push(PreferencePair {
            id: record.id,
            prompt,
            chosen,
            rejected,
        });
    }
    counts.some(pairs.len(), &named(paths))?;
    Ok(PairRows { pairs, counts })
}

/// Reads instructions. Their prompts leave at least one of `cutoff` tokens (and of the model's context).
///
/// # Errors
/// As [`read`].
pub fn prompts(
    paths: &[PathBuf],
    options: &ReadOptions,
    facts: &Facts,
    cutoff: usize,
) -> Result<PromptRows> {
    let limit = cutoff.min(facts.context);
    let (records, mut counts) = records(paths, options)?;
    let mut prompts = Vec::new();
    for record in records {
        match request(&Subject::of(&record, ""), facts) {
            Ok(ids) if ids.len() < limit => prompts.push(Prompt { record, ids }),
            Ok(_) => counts.leave_out("with a prompt that leaves no room"),
            Err(e) => counts.fail("that cannot be asked", format!("{}: {e}", record.id)),
        }
    }
    counts.some(prompts.len(), &named(paths))?;
    Ok(PromptRows { prompts, counts })
}

fn records(paths: &[PathBuf], options: &ReadOptions) -> Result<(Vec<Record>, Counts)> {
    let data = crate::data::read(&discover(paths)?, options)?;
    let mut counts = Counts {
        rows: data.records.len() + data.errors.len(),
        ..Counts::default()
    };
    for error in &data.errors {
        counts.fail("unreadable", error);
    }
    Ok((data.records, counts))
}

fn named(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::rows::tests::{facts, files};
    use super::*;
    use crate::data::export::{PairRule, pairs};

    fn read_one(rows: Value, facts: &Facts, cutoff: usize) -> Result<PairRows> {
        let (_folder, paths) = files(&[("p.jsonl", rows)]);
        read(&paths, &ReadOptions::default(), facts, cutoff)
    }

    #[test]
    fn what_export_writes_is_replayed() {
        let facts = facts(true);
        let text = |ids: &[u32]| facts.tokenizer.decode(ids).unwrap();
        let (_folder, paths) = files(&[(
            "d.jsonl",
            json!([{"id": "r", "instruction": "do", "input": "this", "responses": [
                {"response": "worse", "score": 1}, {"response": "better <|end|>", "score": 2}]}]),
        )]);
        let records = crate::data::read(&paths, &ReadOptions::default())
            .unwrap()
            .records;
        let worth = |_: &Record, r: &crate::data::Response| r.labels.get("score").copied();
        let rows = pairs(&records, PairRule::default(), worth).map(Value::Object);
        let found = read_one(rows.collect(), &facts, 2048).unwrap();
        let pair = &found.pairs[0];
        assert_eq!(pair.id, "r");
        let asked = request(&Subject::of(&records[0], ""), &facts).unwrap();
        assert_eq!(pair.prompt, asked);
        assert_eq!(text(&pair.chosen), "better <|end|>");
        assert_eq!(text(&pair.rejected), "worse");
        let end = facts.tokenizer.id("<|end|>").unwrap();
        for side in [&pair.chosen, &pair.rejected] {
            assert_eq!(side.iter().rposition(|id| *id == end), Some(side.len() - 1));
            assert_eq!(side.iter().filter(|id| **id == end).count(), 1);
        }
    }

    #[test]
    fn other_files_of_preferences_are_read_too() {
        let facts = facts(false);
        let rows = json!([
            {"prompt": "Q", "chosen": "good", "rejected": "bad"},
            {"prompt": "Q", "chosen": "same", "rejected": "same"},
            {"prompt": "word ".repeat(50), "chosen": "good", "rejected": "bad"},
            {"prompt": "Q", "chosen": "good", "rejected": "bad ".repeat(50)},
            {"instruction": "Q", "response_a": "x", "response_b": "y", "label": "a"},
            {"what": 1}
        ]);
        let found = read_one(rows, &facts, 32).unwrap();
        assert_eq!((found.pairs.len(), found.counts.cut), (2, 1));
        let text = |ids: &[u32]| facts.tokenizer.decode(ids).unwrap();
        assert_eq!(text(&found.pairs[0].prompt), "Q\n\n");
        let long = &found.pairs[1];
        assert_eq!(long.prompt.len() + long.rejected.len(), 32);
        let left_out = &found.counts.left_out;
        assert_eq!(left_out["with the same answer twice"], 1);
        assert_eq!(left_out["with a prompt that leaves no room"], 1);
        assert_eq!(left_out["without chosen and rejected"], 1);
        assert_eq!(left_out["unreadable"], 1);
        assert!(read_one(json!([{"instruction": "Q"}]), &facts, 32).is_err());
    }

    #[test]
    fn prompts_are_what_a_policy_is_asked() {
        let facts = facts(true);
        let (_folder, paths) = files(&[(
            "d.jsonl",
            json!([{"instruction": "Q"}, {"instruction": "word ".repeat(50)}]),
        )]);
        let found = prompts(&paths, &ReadOptions::default(), &facts, 32).unwrap();
        assert_eq!(found.prompts.len(), 1);
        assert_eq!(found.prompts[0].record.instruction, "Q");
        let asked = request(&Subject::of(&found.prompts[0].record, ""), &facts);
        assert_eq!(found.prompts[0].ids, asked.unwrap());
        assert_eq!(
            found.counts.left_out["with a prompt that leaves no room"],
            1
        );
    }
}
