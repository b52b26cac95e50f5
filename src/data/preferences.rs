//! Benchmarks of preferences: which of the answers is the better one. RewardBench (`prompt, chosen, rejected`, `subset`),
//! RM-Bench (lists of answers that differ in style), JudgeBench (`question, response_A, response_B`, `label` `A>B`).
//! The better answers get the label `chosen` 1, the others 0.

use serde_json::{Value, json};

use super::conversation;
use super::fields::{FieldError, Fields};
use super::record::{Record, Response};

/// Names that the instruction has in these files.
const ASKED: [&str; 3] = ["instruction", "prompt", "question"];

/// Reads `chosen` and `rejected`: a text each, or several, or a conversation that ends in one.
pub fn read(mut row: Fields) -> Result<Record, FieldError> {
    let mut asked = None;
    let mut sides = Vec::new();
    for (side, label) in [("chosen", 1.0), ("rejected", 0.0)] {
        let value = row
            .value(side)
            .ok_or_else(|| row.missing(side, "; a preference has both sides"))?;
        let (texts, record) = answers(&row, side, value)?;
        asked = asked.or(record);
        let generator = row.filled(&format!("{side}_model"))?;
        sides.push((side, label, texts, generator));
    }
    let mut record = task(&mut row, asked)?;
    // Answers in the same order of styles can be told apart by it.
    let styles = sides.iter().all(|(_, _, texts, _)| texts.len() > 1)
        && sides.windows(2).all(|two| two[0].2.len() == two[1].2.len());
    for (side, label, texts, generator) in sides {
        let several = texts.len() > 1;
        for (place, text) in texts.into_iter().enumerate() {
            let mut response = Response {
                id: match several {
                    true => format!("{side}-{place}"),
                    false => side.to_owned(),
                },
                generator: generator.clone(),
                text,
                ..Response::default()
            };
            response.labels.insert("chosen".to_owned(), label);
            if styles {
                response.meta.insert("style".to_owned(), json!(place));
            }
            record.responses.push(response);
        }
    }
    record.id = row.id()?.unwrap_or_default();
    record.meta = row.rest();
    Ok(record)
}

/// Reads `response_A` and `response_B` with who is better in `label`.
pub fn read_verdict(mut row: Fields) -> Result<Record, FieldError> {
    let mut record = task(&mut row, None)?;
    let (a, b) = match row.value("label") {
        None => (None, None),
        Some(Value::String(label)) => match label.replace(' ', "").as_str() {
            "A>B" | "A>>B" => (Some(1.0), Some(0.0)),
            "B>A" | "B>>A" | "A<B" | "A<<B" => (Some(0.0), Some(1.0)),
            "A=B" | "B=A" | "tie" => (Some(0.5), Some(0.5)),
            _ => return Err(row.wrong("label", "`A>B`, `B>A` or `A=B`", &label.into())),
        },
        Some(other) => return Err(row.wrong("label", "`A>B`, `B>A` or `A=B`", &other)),
    };
    let generator = row.filled("response_model")?;
    for (side, label) in [("A", a), ("B", b)] {
        let text = row.needed(&format!("response_{side}"), "; a pair has two answers")?;
        let mut response = Response {
            id: side.to_owned(),
            generator: generator.clone(),
            text,
            ..Response::default()
        };
        if let Some(label) = label {
            response.labels.insert("chosen".to_owned(), label);
        }
        record.responses.push(response);
    }
    if let Some(Value::String(id)) = row.value("pair_id") {
        record.id = id;
    }
    record.meta = row.rest();
    Ok(record)
}

/// The record's task, under any of its names or from the conversation that the answers end.
fn task(row: &mut Fields, asked: Option<Record>) -> Result<Record, FieldError> {
    let mut record = row.setting()?;
    let known = ASKED.iter().find(|name| row.has(name));
    match (
        known.and_then(|name| Some((*name, row.value(name)?))),
        asked,
    ) {
        (Some((_, Value::String(text))), _) if !text.trim().is_empty() => {
            record.instruction = text;
        }
        (Some((name, turns @ Value::Array(_))), _) => {
            let talk = talk(name, turns)?;
            record.instruction = talk.instruction;
            record.context = record.context.or(talk.context);
        }
        (_, Some(talk)) => {
            record.instruction = talk.instruction;
            record.context = record.context.or(talk.context);
        }
        (Some((name, other)), None) => {
            return Err(row.wrong(name, "a text or an array of turns", &other));
        }
        (None, None) => {
            return Err(row.missing(
                "prompt",
                "; where it has another name, give --field prompt=NAME",
            ));
        }
    }
    Ok(record)
}

fn talk(name: &str, turns: Value) -> Result<Record, FieldError> {
    let map = json!({"messages": turns});
    let Value::Object(map) = map else {
        return Ok(Record::default());
    };
    conversation::read(Fields::within(format!("{name}."), map), &[])
}

/// The texts of one side, and what a conversation among them tells of the task.
fn answers(
    row: &Fields,
    side: &str,
    value: Value,
) -> Result<(Vec<String>, Option<Record>), FieldError> {
    let expected = "a text, texts, or an array of turns";
    match value {
        Value::String(text) => Ok((vec![text], None)),
        Value::Array(items) if items.iter().all(Value::is_string) && !items.is_empty() => {
            let text = |item: Value| match item {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Ok((items.into_iter().map(text).collect(), None))
        }
        Value::Array(items) if items.iter().all(Value::is_object) && !items.is_empty() => {
            let mut talk = talk(side, Value::Array(items))?;
            match talk.responses.pop() {
                Some(last) => Ok((vec![last.text], Some(talk))),
                None => Err(FieldError::Shape(format!(
                    "field `{side}`: the conversation has no turn of the assistant"
                ))),
            }
        }
        other => Err(row.wrong(side, expected, &other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(map) => Fields::new(map),
            _ => unreachable!("tests give objects"),
        }
    }

    fn told(record: &Record) -> Vec<(&str, &str, f64)> {
        let each = record.responses.iter();
        each.map(|r| (r.id.as_str(), r.text.as_str(), r.labels["chosen"]))
            .collect()
    }

    #[test]
    fn reward_bench() {
        let row = json!({"id": 30, "prompt": "How?", "chosen": "So.", "chosen_model": "m", "rejected": "No.",
            "rejected_model": "n", "subset": "alpacaeval-easy"});
        let record = read(fields(row)).unwrap();
        assert_eq!(
            (record.id.as_str(), record.instruction.as_str()),
            ("30", "How?")
        );
        assert_eq!(
            told(&record),
            [("chosen", "So.", 1.0), ("rejected", "No.", 0.0)]
        );
        assert_eq!(record.responses[1].generator.as_deref(), Some("n"));
        assert_eq!(record.meta["subset"], "alpacaeval-easy");
        assert!(!record.responses[0].meta.contains_key("style"));
    }

    #[test]
    fn rm_bench_and_uneven_lists() {
        let row = json!({"prompt": "How?", "chosen": ["a", "b", "c"], "rejected": ["x", "y", "z"], "domain": "chat"});
        let record = read(fields(row)).unwrap();
        assert_eq!(told(&record)[4], ("rejected-1", "y", 0.0));
        assert_eq!(record.responses[4].meta["style"], 1);
        let row = json!({"prompt": "How?", "chosen": ["a"], "rejected": ["x", "y", "z"]});
        let record = read(fields(row)).unwrap();
        assert_eq!(told(&record)[0], ("chosen", "a", 1.0));
        assert!(record.responses.iter().all(|r| r.meta.is_empty()));
    }

    #[test]
    fn conversations_on_both_sides() {
        let turns = |last: &str| {
            json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"},
                {"role": "user", "content": "How?"}, {"role": "assistant", "content": last}])
        };
        let row = json!({"chosen": turns("So."), "rejected": turns("No.")});
        let record = read(fields(row)).unwrap();
        assert_eq!(record.instruction, "How?");
        assert!(record.context.unwrap().contains("Yes?"));
        assert_eq!(record.responses[1].text, "No.");
    }

    #[test]
    fn judge_bench() {
        let row = json!({"pair_id": "p1", "question": "How?", "response_model": "m", "response_A": "a",
            "response_B": "b", "label": "B>A", "source": "mmlu-pro"});
        let record = read_verdict(fields(row)).unwrap();
        assert_eq!(record.id, "p1");
        assert_eq!(told(&record), [("A", "a", 0.0), ("B", "b", 1.0)]);
        let row = json!({"question": "How?", "response_A": "a", "response_B": "b", "label": "C"});
        let error = read_verdict(fields(row)).unwrap_err().to_string();
        assert!(error.contains("expected `A>B`"), "{error}");
    }

    #[test]
    fn what_is_missing_or_odd_is_named() {
        let of = |row: Value| read(fields(row)).unwrap_err().to_string();
        assert!(of(json!({"prompt": "x", "chosen": "y"})).contains("`rejected` is missing"));
        assert!(of(json!({"chosen": "x", "rejected": "y"})).contains("`prompt` is missing"));
        assert!(
            of(json!({"prompt": "x", "chosen": 3, "rejected": "y"})).contains("found the number 3")
        );
        assert!(
            of(json!({"prompt": "x", "chosen": [], "rejected": "y"})).contains("an array of 0")
        );
    }
}
