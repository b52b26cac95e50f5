//! The judge data as groups: an instruction with its references, rated responses and choices.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::targets;
use crate::data::source;

/// A response and what is known of it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub text: String,
    /// Its quality in [0, 9], where a rating exists.
    pub quality: Option<f64>,
    pub origin: Origin,
}

/// Where a response comes from; only responses of one origin are paired by quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    AlpacaEval2,
    AlpacaEval1,
    BestOf,
    Absolute,
    Choice,
    Instruct,
}

/// One instruction of the training part.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The task: instruction, blank line, input.
    pub task: String,
    /// `helpful_base`, `coding`, a source's name, … for hard negatives.
    pub category: String,
    pub references: Vec<String>,
    pub answers: Vec<Answer>,
    /// (first answer, second answer, probability that the first is better).
    pub choices: Vec<(usize, usize, f64)>,
}

/// A labelled row that is never trained on.
#[derive(Clone, Debug)]
pub struct DevRow {
    pub task: String,
    pub reference: String,
    pub response: String,
    pub p: f64,
}

/// What a run trains on, and the rows it is tuned on.
#[derive(Debug, Default)]
pub struct Corpus {
    pub groups: Vec<Group>,
    /// `instr_split` = train, `model_split` = dev: new models on known instructions.
    pub tuning: Vec<DevRow>,
    /// The same on the instructions of [`is_held_out`]: new models on instructions that are not
    /// trained on either, which is what a judge meets.
    pub unseen: Vec<DevRow>,
}

/// The instruction (plus input) reduced to lower-case letters and digits.
pub fn key(instruction: &str, input: &str) -> String {
    instruction
        .chars()
        .chain(input.chars())
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_ascii_alphanumeric())
        .collect()
}

fn task(instruction: &str, input: &str) -> String {
    if input.trim().is_empty() {
        instruction.to_owned()
    } else {
        format!("{instruction}\n\n{input}")
    }
}

/// Whether the split rules put an instruction of a source outside AlpacaEval on the dev side.
pub fn is_dev_by_hash(source: &str, key: &str) -> bool {
    let mut crc = flate2::Crc::new();
    crc.update(key.as_bytes());
    match source {
        "arena_bench_v1" => crc.sum() % 2 == 1,
        _ => crc.sum().is_multiple_of(5),
    }
}

/// Whether a training instruction of AlpacaEval, by its key, is kept out of training to tune on.
pub fn is_held_out(key: &str) -> bool {
    let mut crc = flate2::Crc::new();
    crc.update(key.as_bytes());
    crc.sum() % 10 == 7
}

/// The rows of one file, with the file's name for errors.
fn rows(data: &Path, name: &str) -> Result<Vec<Value>> {
    let path: PathBuf = data.join(name);
    let mut rows = Vec::new();
    for (n, line) in source::open(&path)?.lines().enumerate() {
        let place = || format!("{} line {}", path.display(), n + 1);
        let line = line.with_context(place)?;
        rows.push(serde_json::from_str(&line).with_context(place)?);
    }
    Ok(rows)
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or("")
}

/// Groups under construction.
struct Builder {
    dev: HashSet<String>,
    at: HashMap<String, usize>,
    groups: Vec<Group>,
}

impl Builder {
    /// The group of an instruction, or nothing if it must not be trained on.
    fn group(&mut self, row: &Value, category: &str) -> Option<&mut Group> {
        let (instruction, input) = (text(row, "instruction"), text(row, "input"));
        let key = key(instruction, input);
        if self.dev.contains(&key) {
            return None;
        }
        let at = *self.at.entry(key).or_insert_with(|| {
            self.groups.push(Group {
                task: task(instruction, input),
                category: category.to_owned(),
                ..Group::default()
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        let reference = text(row, "reference");
        if !reference.trim().is_empty() && !group.references.iter().any(|r| r == reference) {
            group.references.push(reference.to_owned());
        }
        Some(group)
    }

    fn rated(&mut self, row: &Value, origin: Origin, category: &str, quality: f64) {
        let response = text(row, "response");
        if response.trim().is_empty() {
            return;
        }
        if let Some(group) = self.group(row, category) {
            group.answers.push(Answer {
                text: response.to_owned(),
                quality: Some(quality),
                origin,
            });
        }
    }

    fn choice(&mut self, row: &Value) {
        let better = match text(row, "label") {
            "a" => 1.0,
            "b" => 0.0,
            _ => 0.5,
        };
        let source = text(row, "source").to_owned();
        let Some(group) = self.group(row, &source) else {
            return;
        };
        let mut add = |field: &str| {
            let answer = text(row, field);
            let known = group.answers.iter().position(|a| a.text == answer);
            known.unwrap_or_else(|| {
                group.answers.push(Answer {
                    text: answer.to_owned(),
                    quality: None,
                    origin: Origin::Choice,
                });
                group.answers.len() - 1
            })
        };
        let pair = (add("response_a"), add("response_b"));
        if pair.0 != pair.1 {
            group.choices.push((pair.0, pair.1, better));
        }
    }
}

/// Reads the training part of the judge data and the tuning rows.
///
/// # Errors
/// A file that is missing or malformed, named with its line.
pub fn read(data: &Path) -> Result<Corpus> {
    let alpaca2 = rows(data, "alpaca_eval_judge.jsonl.gz")?;
    let alpaca1 = rows(data, "alpaca_eval1_judge.jsonl.gz")?;
    let best_of = rows(data, "bon_tulu2_judge.jsonl.gz")?;
    let ranking = rows(data, "alpaca_eval_modelrank.dev.jsonl.gz")?;
    let absolute = rows(data, "absolute_scores.jsonl.gz")?;
    let pairs = rows(data, "pairwise_human.jsonl.gz")?;
    let tournament = rows(data, "tournament_vicuna80_gpt4.jsonl.gz")?;
    let instruct = rows(data, "instruct_sample.jsonl.gz")?;

    // An instruction that is dev anywhere is never trained on.
    let mut dev = HashSet::new();
    for row in alpaca2.iter().filter(|r| text(r, "instr_split") == "dev") {
        dev.insert(key(text(row, "instruction"), ""));
    }
    for row in &ranking {
        dev.insert(key(text(row, "instruction"), ""));
    }
    for row in alpaca2.iter().filter(|r| text(r, "instr_split") == "train") {
        let key = key(text(row, "instruction"), "");
        if is_held_out(&key) {
            dev.insert(key);
        }
    }
    for row in absolute
        .iter()
        .chain(&pairs)
        .chain(&tournament)
        .chain(&instruct)
    {
        let key = key(text(row, "instruction"), text(row, "input"));
        if is_dev_by_hash(text(row, "source"), &key) {
            dev.insert(key);
        }
    }

    let mut builder = Builder {
        dev,
        at: HashMap::new(),
        groups: Vec::new(),
    };
    let is_train = |row: &&Value| text(row, "split") == "train";
    for row in alpaca2.iter().filter(is_train) {
        let p = row["p"].as_f64().unwrap_or(0.0);
        let quality = targets::against_gpt4_turbo(p, text(row, "annotator"));
        builder.rated(row, Origin::AlpacaEval2, text(row, "dataset"), quality);
    }
    for row in best_of.iter().filter(is_train) {
        let quality = targets::against_gpt35(row["p"].as_f64().unwrap_or(0.0));
        builder.rated(row, Origin::BestOf, text(row, "dataset"), quality);
    }
    for row in alpaca1.iter().filter(is_train) {
        let quality = targets::against_davinci(row["p"].as_f64().unwrap_or(0.0));
        builder.rated(row, Origin::AlpacaEval1, text(row, "dataset"), quality);
    }
    for row in &absolute {
        let number = |field: &str| row[field].as_f64().unwrap_or(0.0);
        let (low, high) = (number("scale_min"), number("scale_max"));
        if high <= low {
            bail!("absolute_scores: {} has no scale", text(row, "id"));
        }
        let source = text(row, "source");
        let quality = targets::from_absolute(source, (number("score") - low) / (high - low));
        builder.rated(row, Origin::Absolute, source, quality);
    }
    for row in pairs.iter().chain(&tournament) {
        builder.choice(row);
    }
    for row in &instruct {
        let output = text(row, "output");
        if let Some(group) = builder.group(row, "instruct")
            && !output.trim().is_empty()
            && group.answers.is_empty()
        {
            group.answers.push(Answer {
                text: output.to_owned(),
                quality: None,
                origin: Origin::Instruct,
            });
        }
    }
    let mut groups = builder.groups;
    groups.retain(|g| !g.answers.is_empty());
    let (unseen, tuning) = alpaca2
        .iter()
        .filter(|r| text(r, "instr_split") == "train" && text(r, "model_split") == "dev")
        .filter(|r| text(r, "annotator") == "weighted_gpt4_turbo")
        .map(|r| DevRow {
            task: text(r, "instruction").to_owned(),
            reference: text(r, "reference").to_owned(),
            response: text(r, "response").to_owned(),
            p: r["p"].as_f64().unwrap_or(0.0),
        })
        .partition(|row: &DevRow| is_held_out(&key(&row.task, "")));
    Ok(Corpus {
        groups,
        tuning,
        unseen,
    })
}

/// Moves the ratings that each instruction has from one source by `share` of the way towards the
/// mean that `expected` gives for an instruction's answers, or else the source's; ratings on an
/// absolute scale stay.
///
/// How well all models do on an instruction cannot be told from a new one, but for what its surface
/// tells; a model that learns it has learned the instructions by heart.
pub fn flatten(
    groups: &mut [Group],
    share: f64,
    expected: impl Fn(usize, &Group, &Answer) -> Option<f64>,
) {
    for origin in [Origin::AlpacaEval2, Origin::AlpacaEval1, Origin::BestOf] {
        flatten_origin(groups, origin, share, &expected);
    }
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0), |(sum, n), x| (sum + x, n + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn flatten_origin(
    groups: &mut [Group],
    origin: Origin,
    share: f64,
    expected: impl Fn(usize, &Group, &Answer) -> Option<f64>,
) {
    let is_rated = |a: &&Answer| a.origin == origin && a.quality.is_some();
    let all = groups
        .iter()
        .flat_map(|g| g.answers.iter().filter(is_rated));
    let Some(common) = mean(all.filter_map(|a| a.quality)) else {
        return;
    };
    for (id, group) in groups.iter_mut().enumerate() {
        let rated = || group.answers.iter().filter(is_rated);
        let Some(own) = mean(rated().filter_map(|a| a.quality)) else {
            continue;
        };
        let towards = mean(rated().filter_map(|a| expected(id, group, a))).unwrap_or(common);
        for answer in &mut group.answers {
            if answer.origin == origin {
                let moved = |q: f64| (q + share * (towards - own)).clamp(0.0, 9.0);
                answer.quality = answer.quality.map(moved);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flattened_instructions_keep_their_order_and_share_a_mean() {
        let group = |qualities: &[f64]| Group {
            answers: qualities
                .iter()
                .map(|q| Answer {
                    text: String::new(),
                    quality: Some(*q),
                    origin: Origin::AlpacaEval2,
                })
                .collect(),
            ..Group::default()
        };
        let mut groups = [group(&[3.0, 5.0]), group(&[6.0, 8.0])];
        let qualities = |group: &Group| -> Vec<f64> {
            group.answers.iter().filter_map(|a| a.quality).collect()
        };
        flatten(&mut groups, 1.0, |_, _, _| None);
        for group in &groups {
            assert_eq!(qualities(group), [4.5, 6.5]);
        }
        flatten(&mut groups, 0.5, |_, _, _| Some(7.5));
        assert_eq!(qualities(&groups[0]), [5.5, 7.5]);
    }

    #[test]
    fn keys_keep_letters_and_digits() {
        assert_eq!(key("Héllo, World 2!", "In: x"), "hlloworld2inx");
    }

    #[test]
    fn no_dev_instruction_is_trained_on() {
        let data = Path::new("../shared/data");
        if !data.exists() {
            println!("judge data is not beside the checkout: nothing to check");
            return;
        }
        let corpus = read(data).unwrap();
        let trained: HashSet<String> = corpus.groups.iter().map(|g| key(&g.task, "")).collect();
        for row in rows(data, "alpaca_eval_judge.jsonl.gz").unwrap() {
            if text(&row, "instr_split") == "dev" {
                assert!(!trained.contains(&key(text(&row, "instruction"), "")));
            }
        }
        for name in ["absolute_scores.jsonl.gz", "pairwise_human.jsonl.gz"] {
            for row in rows(data, name).unwrap() {
                let key = key(text(&row, "instruction"), text(&row, "input"));
                if is_dev_by_hash(text(&row, "source"), &key) {
                    assert!(!trained.contains(&key));
                }
            }
        }
        // Responses of the dev models on known instructions are there to tune on, not to train on.
        let answers: HashSet<&str> = corpus
            .groups
            .iter()
            .flat_map(|g| &g.answers)
            .filter(|a| a.origin == Origin::AlpacaEval2)
            .map(|a| a.text.as_str())
            .collect();
        let long = corpus.tuning.iter().filter(|r| r.response.len() > 300);
        let shared = long
            .clone()
            .filter(|r| answers.contains(r.response.as_str()));
        assert!(shared.count() * 100 < long.count());
        assert_eq!(corpus.tuning.len() + corpus.unseen.len(), 4504);
        assert!((300..700).contains(&corpus.unseen.len()));
        for row in &corpus.unseen {
            assert!(!trained.contains(&key(&row.task, "")));
        }
    }
}
