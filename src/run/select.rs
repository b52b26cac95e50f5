//! SelectIT over a data set: ratings of each judge, scores, what is selected, and the score file.

use std::io::{self, BufRead, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::{Record, Subject};
use crate::engine::line::{Answered, EngineGone, Line};
use crate::engine::{Ask, Engine, Outcome, Role, Task};
use crate::judge::{Judge, rating};
use crate::method::selectit::{self, Form, Level};

/// Pairs with the engine at a time.
const AHEAD: usize = 64;

/// What a judge said of the pairs of a data set.
#[derive(Clone, Debug, Default)]
pub struct Ratings {
    /// Token-level score by each prompt of each pair, or why there is none.
    pub pairs: Vec<Result<Vec<f64>, String>>,
    /// Tokens of each response; 0 where it could not be read.
    pub tokens: Vec<usize>,
    /// Mean probability that the ratings hold among the whole vocabulary, where it was computed.
    pub mass: Option<f64>,
    pub truncated: usize,
    pub prompt_tokens: usize,
    pub computed_tokens: usize,
    pub score_s: f64,
}

/// How pairs are rated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rating {
    pub form: Form,
    /// Compute the ratings' probabilities alone, not their mass.
    pub labels_only: bool,
}

/// A pair on its way.
struct Asked {
    prompt_tokens: usize,
    truncated: bool,
    tokens: usize,
}

/// Why rating ended early.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    #[error(transparent)]
    Engine(#[from] EngineGone),
    /// Whoever follows the progress wants no more.
    #[error("row {0}: {1}")]
    Row(usize, String),
}

/// Lets a judge with rating templates (see [`crate::judge::rating`]) rate pairs; those that are errors stay so.
/// With `strict`, the first that cannot be rated ends it. `progress(pairs, prompt_tokens)` is called after each.
///
/// # Errors
/// See [`RateError`].
pub fn rate(
    judge: &Judge,
    engine: &Engine,
    pairs: &[Result<Subject, String>],
    (rating, strict): (Rating, bool),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Ratings, RateError> {
    let started = Instant::now();
    let mut found = Ratings::default();
    let (mut mass, mut asked_for_mass) = (0.0, 0usize);
    let mut line = Line::new(engine, AHEAD);
    let mut next = pairs.iter();
    loop {
        while line.has_room()
            && let Some(pair) = next.next()
        {
            match pair.as_ref().map_err(String::clone).and_then(|pair| {
                let tasks = tasks(judge, pair, rating)?;
                Ok::<_, String>(tasks)
            }) {
                Ok((asked, tasks)) => line.push(Ok(asked), tasks),
                Err(cause) => line.push(Err(cause), Vec::new()),
            }
        }
        let Some((asked, answered)) = line.pop()? else {
            break;
        };
        let scores = match &asked {
            Err(cause) => Err(cause.clone()),
            Ok(_) => read(answered, rating.form, &mut |computed, held| {
                found.computed_tokens += computed;
                if let Some(held) = held {
                    mass += held;
                    asked_for_mass += 1;
                }
            }),
        };
        if let Ok(asked) = &asked {
            found.prompt_tokens += asked.prompt_tokens;
            found.truncated += usize::from(asked.truncated);
        }
        found.tokens.push(asked.map_or(0, |asked| asked.tokens));
        if let (Err(cause), true) = (&scores, strict) {
            return Err(RateError::Row(found.pairs.len(), cause.clone()));
        }
        found.pairs.push(scores);
        progress(found.pairs.len(), found.prompt_tokens);
    }
    found.mass = (asked_for_mass > 0).then(|| mass / asked_for_mass as f64);
    found.score_s = started.elapsed().as_secs_f64();
    Ok(found)
}

/// The prompts of a pair, one for each line: one job, so that they share what they have in common.
fn tasks(judge: &Judge, pair: &Subject, rating: Rating) -> Result<(Asked, Vec<Task>), String> {
    let template = judge.templates().free.as_ref();
    let template = template.ok_or("the judge has no rating template")?;
    let prompts = judge.prompts(template, pair).map_err(|e| e.to_string())?;
    let facts = &judge.cast().judge;
    let response = facts.tokenizer.encode_data(&pair.response, false);
    let mut asked = Asked {
        prompt_tokens: 0,
        truncated: false,
        tokens: response.map_err(|e| e.to_string())?.ids.len(),
    };
    let tasks = prompts.into_iter().map(|(prompt, labels)| {
        asked.prompt_tokens += prompt.ids.len();
        asked.truncated |= prompt.truncated;
        Task {
            role: Role::Judge,
            ids: prompt.ids,
            ask: Ask::Labels {
                labels,
                mass: !rating.labels_only,
                top: None,
            },
        }
    });
    let tasks = tasks.collect();
    Ok((asked, tasks))
}

/// Token-level scores out of a pair's outcomes; `tell(computed, mass)` is called for each.
fn read(
    answered: Answered,
    form: Form,
    tell: &mut dyn FnMut(usize, Option<f64>),
) -> Result<Vec<f64>, String> {
    let score = |outcome: &Outcome| match outcome {
        Outcome::Labels {
            probabilities,
            mass,
            computed,
            ..
        } => {
            tell(*computed, mass.then(|| probabilities.iter().sum()));
            selectit::token_score(probabilities, form)
                .ok_or_else(|| "the judge gives no rating any probability".to_owned())
        }
        _ => Err("an outcome of another kind".into()),
    };
    answered?.iter().map(score).collect()
}

/// One line of the score file: what the explorer and other programs read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Place in the data, from 0, bad rows among them.
    pub index: usize,
    pub score: Option<f64>,
    /// By judge, and of each by prompt; empty where a judge could not say.
    pub token_scores: Vec<Vec<f64>>,
    pub selected: bool,
    /// Of the response, by the first judge's tokenizer.
    #[serde(default)]
    pub tokens: usize,
    /// Tells the texts that were rated from others: 16 hexadecimal digits.
    #[serde(default)]
    pub hash: String,
    #[serde(default)]
    pub error: Option<String>,
}

/// The first digits of the SHA-256 of what was rated; empty where there was nothing.
pub fn pair_hash(pair: &Result<Subject, String>) -> String {
    let Ok(pair) = pair else { return String::new() };
    let digest = Sha256::digest(format!("{}\0{}", pair.instruction, pair.response));
    hex::encode(&digest[..8])
}

/// The same of a record; nothing where it has no answer to rate.
pub fn hash_of(record: &Record) -> Option<String> {
    let pair = rating::pair(record);
    pair.is_ok().then(|| pair_hash(&pair))
}

/// Score rows of the pairs, nothing selected yet, out of what each judge said.
pub fn score_rows(
    pairs: &[Result<Subject, String>],
    judges: &[(String, Ratings)],
    (level, weights, alpha): (Level, &[f64], f64),
) -> Vec<ScoreRow> {
    let row = |(index, pair): (usize, &Result<Subject, String>)| {
        let said: Vec<_> = judges
            .iter()
            .filter_map(|(name, ratings)| Some((name, ratings.pairs.get(index)?)))
            .collect();
        let mut causes: Vec<String> = said
            .iter()
            .filter_map(|(name, scores)| Some(format!("{name}: {}", scores.as_ref().err()?)))
            .collect();
        if let Err(cause) = pair {
            causes = vec![cause.clone()];
        }
        let scores = said.iter().map(|(_, scores)| match scores {
            Ok(scores) => scores.clone(),
            Err(_) => Vec::new(),
        });
        let token_scores: Vec<Vec<f64>> = scores.collect();
        let score = match causes.is_empty() {
            true => selectit::score(level, &token_scores, weights, alpha),
            false => None,
        };
        let first = judges.first();
        ScoreRow {
            index,
            score: score.filter(|score| score.is_finite()),
            token_scores,
            selected: false,
            tokens: first.map_or(0, |(_, ratings)| {
                ratings.tokens.get(index).copied().unwrap_or(0)
            }),
            hash: pair_hash(pair),
            error: (!causes.is_empty()).then(|| causes.join("; ")),
        }
    };
    pairs.iter().enumerate().map(row).collect()
}

/// Marks the rows that a proportion selects; their places in descending score.
pub fn mark(rows: &mut [ScoreRow], proportion: f64) -> Vec<usize> {
    let scores: Vec<Option<f64>> = rows.iter().map(|row| row.score).collect();
    let chosen = selectit::select(&scores, proportion);
    rows.iter_mut().for_each(|row| row.selected = false);
    for at in &chosen {
        rows[*at].selected = true;
    }
    chosen
}

/// Writes score rows as JSON lines.
///
/// # Errors
/// What writing says.
pub fn write_scores(rows: &[ScoreRow], out: &mut dyn Write) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut *out, row)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads score rows, one for each row of the data they were made of.
///
/// # Errors
/// A line that is no score row, or is out of order; with its number.
pub fn read_scores(from: impl BufRead) -> Result<Vec<ScoreRow>, String> {
    let mut rows: Vec<ScoreRow> = Vec::new();
    for (at, line) in from.lines().enumerate() {
        let wrong = |cause: String| format!("line {}: {cause}", at + 1);
        let line = line.map_err(|e| wrong(e.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let row: ScoreRow = serde_json::from_str(&line).map_err(|e| {
            wrong(format!(
                "not a line of scores ({e}); give the OUT.scores.jsonl that `juror select` wrote"
            ))
        })?;
        if row.index != rows.len() {
            return Err(wrong(format!(
                "index {} where {} follows; the lines are in the order of the data",
                row.index,
                rows.len()
            )));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Whether scores are those of these pairs.
///
/// # Errors
/// Another number of rows, or another text, with its place.
pub fn same_data(rows: &[ScoreRow], pairs: &[Result<Subject, String>]) -> Result<(), String> {
    if rows.len() != pairs.len() {
        return Err(format!(
            "{} lines of scores, and the data have {} rows: they are of other data",
            rows.len(),
            pairs.len()
        ));
    }
    let differs = |(row, pair): &(&ScoreRow, &Result<Subject, String>)| {
        !row.hash.is_empty() && row.hash != pair_hash(pair)
    };
    match rows.iter().zip(pairs).find(differs) {
        None => Ok(()),
        Some((row, _)) => Err(format!(
            "index {}: the row's texts are not those that were scored: the data are others, or changed",
            row.index
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(text: &str) -> Result<Subject, String> {
        Ok(Subject {
            instruction: text.into(),
            ..Subject::default()
        })
    }

    fn ratings(pairs: Vec<Result<Vec<f64>, String>>) -> Ratings {
        Ratings {
            tokens: vec![7; pairs.len()],
            pairs,
            ..Ratings::default()
        }
    }

    #[test]
    fn rows_say_what_each_judge_said() {
        let pairs = [pair("a"), pair("b"), Err("no output".into())];
        let unread = || Err("no output".to_owned());
        let judges = [
            (
                "one".into(),
                ratings(vec![Ok(vec![1.0]), Ok(vec![2.0]), unread()]),
            ),
            (
                "two".into(),
                ratings(vec![Ok(vec![3.0]), Err("long".into()), unread()]),
            ),
        ];
        let mut rows = score_rows(&pairs, &judges, (Level::Model, &[0.25, 0.75], 0.2));
        assert_eq!(rows[0].score, Some(2.5));
        assert_eq!(rows[0].token_scores, [vec![1.0], vec![3.0]]);
        assert_eq!(
            (rows[1].score, rows[1].error.as_deref()),
            (None, Some("two: long"))
        );
        assert_eq!(rows[1].token_scores, [vec![2.0], vec![]]);
        assert_eq!(rows[2].error.as_deref(), Some("no output"));
        assert_eq!(mark(&mut rows, 1.0), [0]);
        assert!(rows[0].selected && !rows[1].selected);

        let mut file = Vec::new();
        write_scores(&rows, &mut file).unwrap();
        let again = read_scores(file.as_slice()).unwrap();
        assert_eq!(again.len(), 3);
        assert_eq!(again[0].score, rows[0].score);
        assert!(same_data(&again, &pairs).is_ok());
        assert!(
            same_data(&again, &pairs[..2])
                .unwrap_err()
                .contains("2 rows")
        );
        let other = [pair("a"), pair("c"), Err(String::new())];
        assert!(same_data(&again, &other).unwrap_err().contains("index 1"));
        let swapped = b"{\"index\":1,\"score\":1.0,\"token_scores\":[],\"selected\":false}";
        assert!(read_scores(&swapped[..]).unwrap_err().contains("line 1"));
        assert!(read_scores(&b"{}"[..]).unwrap_err().contains("line 1"));
    }
}
