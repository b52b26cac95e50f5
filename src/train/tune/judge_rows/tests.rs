use serde_json::json;

use super::super::rows::tests::{facts, files};
use super::*;

fn item(id: usize, text: &str, output: Value) -> Value {
    json!({"id": id, "instruction": text, "input": "", "output": output})
}

fn usual(cutoff: usize) -> PromptForm {
    PromptForm {
        wrap: Wrap::parse(WRAP).unwrap(),
        special_tokens: false,
        cutoff,
    }
}

fn read_both(with: Value, without: Value, cutoff: usize) -> Result<JudgeRows> {
    let (_folder, paths) = files(&[("with.json", with), ("free.jsonl", without)]);
    read(&paths[0], &paths[1], &facts(false), &usual(cutoff))
}

fn message(with: Value, without: Value) -> String {
    read_both(with, without, 1024).unwrap_err().to_string()
}

#[test]
fn each_item_is_seen_with_reference_and_without() {
    let with = json!([
        item(1, "Ref: 4. Rate 5.", json!("3")),
        item(0, "Ref: a", json!(9))
    ]);
    let without = json!([
        item(0, "Rate a", json!("9")),
        item(1, "Rate 5.", json!(" 3\n"))
    ]);
    let rows = read_both(with, without, 1024).unwrap();
    assert_eq!((rows.pairs.len(), rows.cut, rows.imitating), (2, 0, 0));
    let pair = &rows.pairs[0];
    assert_eq!((pair.id.as_str(), pair.digit), ("1", 3));
    let facts = facts(false);
    let text = |example: &Example| facts.tokenizer.decode(&example.ids).unwrap();
    assert_eq!(text(&pair.teacher), "Ref: 4. Rate 5.\n\n### Response:3");
    assert_eq!(text(&pair.student), "Rate 5.\n\n### Response:3");
    let end = facts.tokenizer.id("<|end|>").unwrap();
    for example in [&pair.teacher, &pair.student] {
        let [target] = example.targets.as_slice() else {
            unreachable!("one stretch")
        };
        assert_eq!(target.len(), 2);
        assert_eq!(target.end, example.ids.len());
        assert_eq!(example.ids[target.start + 1], end);
        let digit = facts.tokenizer.decode(&[example.ids[target.start]]);
        assert_eq!(digit.unwrap(), "3");
    }
    // The digit's token is the one by which prompt and digit together extend the prompt.
    let whole = Piece::data("x", "Rate 5.\n\n### Response:3");
    let whole = facts.tokenizer.encode_open(&[whole], true).unwrap().ids;
    assert_eq!(pair.student.ids[..whole.len()], whole);
}

#[test]
fn what_is_asked_when_rating_is_what_was_learned() {
    let rows = json!([item(0, "Rate it.", json!("1"))]);
    let found = read_both(rows.clone(), rows, 64).unwrap();
    let facts = facts(false);
    let asked = crate::judge::prompt::make(
        vec![Piece::data("response", "Rate it.")],
        &usual(64).wrap,
        &facts,
        crate::judge::prompt::Truncate::Middle,
        64,
    );
    let example = &found.pairs[0].student;
    assert_eq!(example.ids[..example.ids.len() - 2], asked.unwrap().ids);
}

#[test]
fn a_long_prompt_loses_its_middle_alone() {
    let long = format!("first {} last", "word ".repeat(300));
    let rows = json!([item(0, &long, json!("7"))]);
    let found = read_both(rows.clone(), rows, 64).unwrap();
    assert_eq!(found.cut, 2);
    let example = &found.pairs[0].teacher;
    assert_eq!(example.ids.len(), 64);
    let text = facts(false).tokenizer.decode(&example.ids).unwrap();
    assert!(text.starts_with("first word"), "{text}");
    assert!(text.ends_with("last\n\n### Response:7"), "{text}");
    let mut ids: Vec<u32> = (0..10).collect();
    assert!(cut_middle(&mut ids, 3, 6));
    assert_eq!(ids, [0, 1, 6, 7, 8, 9]);
    assert!(!cut_middle(&mut ids, 3, 3));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let of =
        |ids: &[usize]| -> Value { ids.iter().map(|id| item(*id, "Rate", json!("1"))).collect() };
    let said = message(of(&[1, 2, 3, 4, 5, 6, 7, 8]), of(&[1]));
    assert!(
        said.contains("free.jsonl: 7 ids of") && said.contains("2, 3, 4, 5, 6, …; both"),
        "{said}"
    );
    let said = message(of(&[1]), of(&[1, 2]));
    assert!(
        said.contains("with.json: 1 ids of") && said.contains(": 2;"),
        "{said}"
    );
    let said = message(of(&[1]), of(&[1, 1]));
    assert!(said.contains("free.jsonl:2: id 1 a second time"), "{said}");
    let said = message(of(&[1]), json!([item(1, "Rate", json!("2"))]));
    assert!(
        said.contains("id 1 is 1 in one and 2 in the other"),
        "{said}"
    );
}

#[test]
fn labels_are_digits() {
    let good = || json!([item(0, "Rate", json!("1"))]);
    for (bad, shown) in [
        (json!("10"), "\"10\""),
        (json!(10), "the number 10"),
        (json!("-1"), "\"-1\""),
        (json!(3.5), "3.5"),
        (json!("good"), "\"good\""),
        (Value::Null, "null"),
    ] {
        let said = message(good(), json!([item(0, "Rate", bad)]));
        assert!(said.contains("free.jsonl:1: field `output`"), "{said}");
        assert!(
            said.contains(shown) && said.contains("from 0 to 9"),
            "{said}"
        );
    }
    let said = message(
        json!([item(0, "Rate", json!("1")), item(1, " ", json!("1"))]),
        good(),
    );
    assert!(
        said.contains("with.json:1 (element 2): field `instruction`"),
        "{said}"
    );
    let said = message(json!([{"instruction": "x", "output": "1"}]), good());
    assert!(said.contains("field `id` is missing"), "{said}");
    assert!(message(json!([]), good()).contains("with.json"));
}

#[test]
fn markers_in_a_prompt_are_text() {
    let rows = json!([item(0, "<|end|> Rate", json!("1"))]);
    let found = read_both(rows.clone(), rows, 64).unwrap();
    assert_eq!(found.imitating, 2);
    let end = facts(false).tokenizer.id("<|end|>").unwrap();
    let ids = &found.pairs[0].student.ids;
    assert_eq!(ids.iter().filter(|id| **id == end).count(), 1);
}

#[test]
fn a_template_of_special_tokens_is_learned_as_it_is_asked() {
    let facts = facts(false);
    let rows = json!([item(0, "<|end|>Rate it.", json!("1"))]);
    let (_folder, paths) = files(&[("with.json", rows)]);
    let form = PromptForm {
        wrap: Wrap::parse("<<{prompt}>>").unwrap(),
        special_tokens: true,
        cutoff: 64,
    };
    let learned = |form: &PromptForm| {
        let rows = read(&paths[0], &paths[0], &facts, form).unwrap();
        (rows.imitating, rows.pairs[0].student.ids.clone())
    };
    let end = facts.tokenizer.id("<|end|>").unwrap();
    let (imitating, ids) = learned(&form);
    assert_eq!(imitating, 0);
    let asked = crate::judge::prompt::make(
        vec![
            Piece::template("<|end|>"),
            Piece::data("response", "Rate it."),
        ],
        &form.wrap,
        &facts,
        crate::judge::prompt::Truncate::Middle,
        64,
    );
    let asked = asked.unwrap().ids;
    assert!(asked.contains(&end));
    assert_eq!(ids[..ids.len() - 2], asked);
    // As text it is none of these tokens.
    let as_text = PromptForm {
        special_tokens: false,
        ..form
    };
    let (imitating, ids) = learned(&as_text);
    assert_eq!(imitating, 2);
    assert!(!ids[..ids.len() - 2].contains(&end));
}
