//! What a judge learns from (Ye & Ng 2024, §3.4): each row as a teacher sees it, with the reference, and as a student
//! does, without. Files as `make-training` and the authors write them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::Value;

use super::example::Example;
use super::rows::{Result, RowsError, end_token};
use crate::data::container::{RawRow, RawRows};
use crate::data::fields::{Fields, describe};
use crate::data::{DataError, FieldMap, RowError};
use crate::judge::prompt::{label_tokens, wrapped};
use crate::judge::template::Wrap;
use crate::model::facts::Facts;
use crate::model::tokenizer::Piece;

/// Around the prompt, as the authors have it; the digit follows with nothing between.
pub const WRAP: &str = "{prompt}\n\n### Response:";

/// Labels are the digits below this.
const DIGITS: u8 = 10;

/// Ids named in a message.
const NAMED: usize = 5;

/// One item of both files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgePair {
    pub id: String,
    pub digit: u8,
    /// With the reference. The one stretch of targets is digit and end token, in that order.
    pub teacher: Example,
    /// Without it; targets as the teacher's.
    pub student: Example,
}

/// How the files' prompts become tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptForm {
    /// Around each prompt.
    pub wrap: Wrap,
    /// Whether tokens of the model's own that stand in the prompts are these tokens, not their letters: for prompts of a
    /// template that writes such tokens.
    pub special_tokens: bool,
    /// Tokens of an example at most, and at most the model's context.
    pub cutoff: usize,
}

/// Two files, item by item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JudgeRows {
    /// In the order of the file with reference.
    pub pairs: Vec<JudgePair>,
    /// Examples whose prompt lost its middle.
    pub cut: usize,
    /// Prompts that hold what would be a token of the model's own, such as `<|end|>`, had a template written it, and that
    /// are read as plain text: who rates with a template that writes such tokens asks otherwise than what is learned here.
    pub imitating: usize,
}

/// A row of one file.
struct Row {
    id: String,
    instruction: String,
    input: Option<String>,
    digit: u8,
}

/// Reads both files. A prompt that is too long loses its middle, never what the wrap puts behind it or the target.
///
/// # Errors
/// A file that cannot be read or is empty; a row that is none, lacks its id or text, or has a label that is no digit, with
/// file and line; an id twice, or in one file only; one item with two digits; a tokenizer of which a digit is no token.
pub fn read(with: &Path, without: &Path, facts: &Facts, form: &PromptForm) -> Result<JudgeRows> {
    let (teacher, student) = (rows(with)?, rows(without)?);
    missing(&teacher, &student, with, without)?;
    missing(&student, &teacher, without, with)?;
    let by_id: HashMap<&str, &Row> = student.iter().map(|row| (row.id.as_str(), row)).collect();
    let maker = Maker::new(facts, form)?;
    let mut found = JudgeRows::default();
    for row in &teacher {
        // Both have the same ids, as was seen.
        let Some(other) = by_id.get(row.id.as_str()) else {
            continue;
        };
        if row.digit != other.digit {
            return Err(RowsError::Text(format!(
                "{} and {} do not belong together: id {} is {} in one and {} in the other; write both in one run of \
                 `juror make-training`",
                with.display(),
                without.display(),
                row.id,
                row.digit,
                other.digit
            )));
        }
        let teacher = maker.example(row, &mut found)?;
        let student = maker.example(other, &mut found)?;
        found.pairs.push(JudgePair {
            id: row.id.clone(),
            digit: row.digit,
            teacher,
            student,
        });
    }
    Ok(found)
}

/// All rows of a file.
fn rows(path: &Path) -> Result<Vec<Row>> {
    let mut raw = RawRows::open(path, &FieldMap::default())?;
    if raw.is_empty() {
        let path = path.to_path_buf();
        return Err(DataError::Empty { path }.into());
    }
    let (mut rows, mut known) = (Vec::new(), HashSet::new());
    for next in raw {
        let RawRow {
            object,
            line,
            element,
            ..
        } = next?;
        let row = row(Fields::new(object)).and_then(|row| match known.insert(row.id.clone()) {
            true => Ok(row),
            false => Err(format!(
                "id {} a second time: each item has an id of its own",
                row.id
            )),
        });
        rows.push(row.map_err(|message| RowError {
            file: path.to_path_buf(),
            line,
            element,
            message,
        })?);
    }
    match rows.is_empty() {
        true => Err(RowsError::Text(format!("{}: no rows", path.display()))),
        false => Ok(rows),
    }
}

fn row(mut fields: Fields) -> std::result::Result<Row, String> {
    let said = |e: crate::data::fields::FieldError| e.to_string();
    let id = fields.id().map_err(said)?.ok_or(
        "field `id` is missing: rows with and without reference are told to belong together by it",
    )?;
    let instruction = fields
        .needed("instruction", "; it holds the whole judge prompt")
        .map_err(said)?;
    let input = fields.filled("input").map_err(said)?;
    if instruction.trim().is_empty() {
        return Err("field `instruction` is empty: it holds the whole judge prompt".into());
    }
    let output = fields.value("output").unwrap_or_default();
    let digit = match &output {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_u64().and_then(|n| u8::try_from(n).ok()),
        _ => None,
    };
    let digit = digit.filter(|digit| *digit < DIGITS).ok_or_else(|| {
        format!(
            "field `output`: expected a digit from 0 to 9, found {}; ratings on another scale are put into ten bins \
             by `juror make-training`",
            describe(&output)
        )
    })?;
    Ok(Row {
        id,
        instruction,
        input,
        digit,
    })
}

/// That each id of `one` is in `other`, too.
fn missing(one: &[Row], other: &[Row], file: &Path, lacking: &Path) -> Result<()> {
    let there: HashSet<&str> = other.iter().map(|row| row.id.as_str()).collect();
    let gone: Vec<&str> = one
        .iter()
        .map(|row| row.id.as_str())
        .filter(|id| !there.contains(id))
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let more = match gone.len() > NAMED {
        true => ", …",
        false => "",
    };
    Err(RowsError::Text(format!(
        "{}: {} ids of {} are not here: {}{more}; both files need the same items: write both in one run of \
         `juror make-training`, or take the rows out",
        lacking.display(),
        gone.len(),
        file.display(),
        gone.get(..NAMED).unwrap_or(&gone).join(", ")
    )))
}

/// Makes examples for one model.
struct Maker<'a> {
    facts: &'a Facts,
    form: &'a PromptForm,
    limit: usize,
    end: u32,
    /// The token of each digit.
    digits: Vec<u32>,
}

impl<'a> Maker<'a> {
    fn new(facts: &'a Facts, form: &'a PromptForm) -> Result<Self> {
        let labels: Vec<String> = (0..DIGITS).map(|digit| digit.to_string()).collect();
        let refuse = |cause: String| {
            RowsError::Text(format!(
                "{}: {cause}; train a model whose tokenizer has the ten digits as tokens",
                facts.name
            ))
        };
        // The digits do not depend on the prompt.
        let probe = [Piece::data("response", "Rate it.")];
        wrapped(probe.to_vec(), &form.wrap, facts)?;
        let found = label_tokens(&probe, &form.wrap, facts, "", &labels)
            .map_err(|_| refuse("a digit and what stands before it share a token".into()))?;
        let mut digits = Vec::with_capacity(found.len());
        for (label, tokens) in labels.iter().zip(&found) {
            match tokens.as_slice() {
                [one] => digits.push(*one),
                many => {
                    let count = many.len();
                    return Err(refuse(format!("the digit {label} is {count} tokens")));
                }
            }
        }
        Ok(Maker {
            limit: form.cutoff.min(facts.context),
            form,
            end: end_token(facts)?,
            digits,
            facts,
        })
    }

    fn example(&self, row: &Row, counts: &mut JudgeRows) -> Result<Example> {
        let tokenizer = &self.facts.tokenizer;
        let mut prompt = vec![Piece::data("instruction", &row.instruction)];
        if let Some(input) = &row.input {
            prompt.push(Piece::data("instruction", "\n"));
            prompt.push(Piece::data("instruction", input));
        }
        let imitates = |piece: &Piece| tokenizer.imitates_added(&piece.text);
        let reads = self.form.special_tokens;
        counts.imitating += usize::from(!reads && prompt.iter().any(imitates));
        let (mut pieces, special) = wrapped(prompt, &self.form.wrap, self.facts)?;
        let bytes: usize = pieces.iter().map(|piece| piece.text.len()).sum();
        let behind = pieces.iter().rev().take_while(|piece| piece.slot.is_none());
        let behind = bytes - behind.map(|piece| piece.text.len()).sum::<usize>();
        if reads {
            pieces.iter_mut().for_each(|piece| piece.slot = None);
        }
        let encoded = tokenizer.encode_open(&pieces, special)?;
        let cue = encoded
            .offsets
            .iter()
            .rev()
            .take_while(|(_, end)| *end > behind)
            .count();
        let target = [
            self.digits.get(usize::from(row.digit)).copied(),
            Some(self.end),
        ];
        let target: Vec<u32> = target.into_iter().flatten().collect();
        let mut prompt = encoded.ids;
        let room = self.limit.saturating_sub(target.len());
        if prompt.len() > room {
            counts.cut += 1;
            if !cut_middle(&mut prompt, cue, room) {
                return Err(RowsError::Text(format!(
                    "`cutoff_len` ({}) leaves no room for a prompt: the answer cue alone has {cue} tokens",
                    self.limit
                )));
            }
        }
        Ok(Example::answer(&prompt, &target))
    }
}

/// Takes tokens out of the middle of all but the last `kept` ones; whether something besides these is left.
fn cut_middle(ids: &mut Vec<u32>, kept: usize, limit: usize) -> bool {
    let over = ids.len().saturating_sub(limit);
    let free = ids.len().saturating_sub(kept);
    if over >= free {
        return false;
    }
    let head = (free - over).div_ceil(2);
    ids.drain(head..head + over);
    true
}

#[cfg(test)]
mod tests;
