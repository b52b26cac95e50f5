//! Rows of any DATA as conversations, all of whose answers are to be learned.

use serde_json::{Map, Value};

use crate::data::conversation::{self, Role, Turn};
use crate::data::detect;
use crate::data::fields::Fields;
use crate::data::{ReadOptions, read};
use crate::data::{Record, Shape};

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Talk {
    pub turns: Vec<Turn>,
    /// What the one instruction is about, where the data tell it apart.
    pub input: Option<String>,
}

/// Why a row has nothing to be learned.
pub(super) enum NoTalk {
    /// It could not be read: cause and cure.
    Unreadable(String),
    /// It says nothing to learn.
    LeftOut(&'static str),
}

/// The conversation of a row, and the row's shape; `usual` is the shape of the rows before it. Of a record the one
/// response, else the reference, is the answer; of several responses the one that was chosen, where one was.
pub(super) fn of_row(
    mut object: Map<String, Value>,
    options: &ReadOptions,
    usual: Option<Shape>,
) -> Result<(Talk, Shape), NoTalk> {
    options.fields.apply(&mut object);
    detect::unpack(&mut object);
    let shape = Shape::of(&object).or(usual);
    if shape == Some(Shape::Conversation) {
        let turns = conversation::turns(Fields::new(object));
        let turns = turns.map_err(|e| NoTalk::Unreadable(e.to_string()))?;
        return Ok((Talk { turns, input: None }, Shape::Conversation));
    }
    // The fields have their names now: mapped a second time, they would be taken for absent.
    let mapped = ReadOptions {
        strict: options.strict,
        labels: options.labels.clone(),
        ..ReadOptions::default()
    };
    let (record, shape) = read::row(object, &mapped, usual).map_err(NoTalk::Unreadable)?;
    Ok((of_record(record)?, shape))
}

fn of_record(record: Record) -> Result<Talk, NoTalk> {
    let answer = answer(&record)?;
    let turn = |role, text| Turn { role, text };
    let question = match &record.context {
        Some(before) => format!("{before}\n\n{}", record.instruction),
        None => record.instruction,
    };
    Ok(Talk {
        turns: vec![turn(Role::User, question), turn(Role::Assistant, answer)],
        input: record.input,
    })
}

fn answer(record: &Record) -> Result<String, NoTalk> {
    let reference = || record.reference.clone();
    let found = match record.responses.as_slice() {
        [one] => Some(one.text.clone()).filter(|text| !text.trim().is_empty()),
        [] => None,
        several => {
            let is_chosen = |label: Option<&f64>| label.is_some_and(|x| *x == 1.0);
            let mut chosen = several
                .iter()
                .filter(|response| is_chosen(response.labels.get("chosen")));
            let one = match (reference(), chosen.next(), chosen.next()) {
                (Some(reference), ..) => Some(reference),
                (None, Some(one), None) => Some(one.text.clone()),
                _ => None,
            };
            return one.ok_or(NoTalk::LeftOut("with several answers and no reference"));
        }
    };
    found
        .or_else(reference)
        .ok_or(NoTalk::LeftOut("without an answer"))
}

impl Talk {
    /// Whether a turn is an answer that says something.
    pub fn is_answer(turn: &Turn) -> bool {
        turn.role == Role::Assistant && !turn.text.trim().is_empty()
    }

    /// What an answer (its place among the turns) answers, for a format that knows one instruction alone: what the
    /// system says, the turns before, the last user turn. `None` where no user says anything before it.
    pub fn question(&self, answer: usize) -> Option<String> {
        let before = self.turns.get(..answer)?;
        let asked = before.iter().rposition(|turn| turn.role == Role::User)?;
        let mut parts: Vec<String> = before
            .iter()
            .filter(|turn| turn.role == Role::System)
            .map(|turn| turn.text.clone())
            .collect();
        for (place, turn) in before.iter().enumerate() {
            let told = place != asked && turn.role != Role::System;
            if told && !turn.text.trim().is_empty() {
                parts.push(format!("{}: {}", turn.role.word(), turn.text.trim()));
            }
        }
        parts.push(before.get(asked)?.text.clone());
        Some(parts.join("\n\n"))
    }
}
