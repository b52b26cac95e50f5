use serde_json::{Value, json};

use super::super::rows::tests::{facts, files};
use super::*;

fn read_one(rows: Value, facts: &Facts, wrap: Option<&str>, cutoff: usize) -> Result<SftRows> {
    let (_folder, paths) = files(&[("d.jsonl", rows)]);
    let form = SftForm::new(facts, wrap, cutoff)?;
    read(&paths, &ReadOptions::default(), &form)
}

/// Text of all tokens, special ones among them, targets in brackets.
fn shown(example: &Example, facts: &Facts) -> String {
    let end = facts.tokenizer.id("<|end|>").unwrap();
    let mut text = String::new();
    for (place, id) in example.ids.iter().enumerate() {
        if example.targets.iter().any(|t| t.start == place) {
            text.push('[');
        }
        let token = match facts.tokenizer.is_added(*id) {
            true if *id == end => "<end>".into(),
            true => facts.tokenizer.token(*id).unwrap(),
            false => facts.tokenizer.decode(&[*id]).unwrap(),
        };
        text.push_str(&token);
        if example.targets.iter().any(|t| t.end == place + 1) {
            text.push(']');
        }
    }
    text
}

fn all_shown(rows: &SftRows, facts: &Facts) -> Vec<String> {
    rows.examples.iter().map(|e| shown(e, facts)).collect()
}

#[test]
fn every_answer_of_a_conversation_and_its_end() {
    let facts = facts(true);
    let rows = json!([{"conversations": [
        {"from": "human", "value": "One?"}, {"from": "gpt", "value": "first"},
        {"from": "human", "value": "Two?"}, {"from": "gpt", "value": "second <|end|>"},
        {"from": "human", "value": "Thanks"}
    ]}]);
    let found = read_one(rows, &facts, None, 2048).unwrap();
    assert_eq!(
        all_shown(&found, &facts),
        [
            "<|bos|><|instruction|>One?<|response|>[first<end>]<|instruction|>Two?<|response|>[second <|end|><end>]"
        ],
        "what only looks like a marker is text"
    );
    let example = &found.examples[0];
    let end = facts.tokenizer.id("<|end|>").unwrap();
    assert_eq!(example.ids.iter().filter(|id| **id == end).count(), 2);
    assert_eq!(found.counts.rows, 1);
    assert!(found.counts.left_out.is_empty());
}

#[test]
fn the_prompt_is_what_a_policy_is_asked() {
    let facts = facts(true);
    let rows = json!([{"instruction": "Add.", "input": "1 2", "output": "3"}]);
    let found = read_one(rows, &facts, None, 2048).unwrap();
    let subject = crate::data::Subject {
        instruction: "Add.\n\n1 2".into(),
        ..Default::default()
    };
    let asked = crate::judge::dialogue::request(&subject, &facts).unwrap();
    let example = &found.examples[0];
    assert_eq!(example.ids[..example.targets[0].start], asked);
}

#[test]
fn data_of_any_shape_have_one_answer() {
    let facts = facts(false);
    for (row, answer) in [
        (json!({"instruction": "Q", "output": "a"}), Some("a")),
        (
            json!({"instruction": "Q", "response": "a", "generator": "g"}),
            Some("a"),
        ),
        (
            json!({"instruction": "Q", "responses": [{"response": "a"}], "reference": "r"}),
            Some("a"),
        ),
        (
            json!({"instruction": "Q", "responses": [], "reference": "r"}),
            Some("r"),
        ),
        (
            json!({"instruction": "Q", "responses": ["a", "b"], "reference": "r"}),
            Some("r"),
        ),
        (
            json!({"prompt": "Q", "chosen": "a", "rejected": "b"}),
            Some("a"),
        ),
        (json!({"messages": ["Q", "a"]}), Some("a")),
        (json!({"instruction": "Q", "responses": ["a", "b"]}), None),
        (json!({"instruction": "Q", "output": " "}), None),
        (json!({"messages": ["Q"]}), None),
        (json!({"messages": [{"role": "user", "content": 5}]}), None),
    ] {
        let found = read_one(json!([row.clone()]), &facts, Some("{instruction}:"), 2048);
        match answer {
            Some(answer) => {
                let found = found.unwrap();
                assert_eq!(
                    all_shown(&found, &facts),
                    [format!("<|bos|>Q:[{answer}<end>]")],
                    "{row}"
                );
            }
            None => {
                let said = found.unwrap_err().to_string();
                assert!(
                    said.contains("nothing to learn from (1 rows; left out: 1 "),
                    "{said}"
                );
            }
        }
    }
}

#[test]
fn fields_may_have_other_names() {
    let facts = facts(false);
    let (_folder, paths) = files(&[(
        "d.jsonl",
        json!([{"q": "Q", "a": "A"}, {"chat": ["Q", "A"]}]),
    )]);
    let names = ["instruction=q", "output=a", "messages=chat"];
    let options = ReadOptions {
        fields: crate::data::FieldMap::parse(&names).unwrap(),
        ..ReadOptions::default()
    };
    let form = SftForm::new(&facts, Some("{instruction}:"), 2048).unwrap();
    let found = read(&paths, &options, &form).unwrap();
    assert_eq!(all_shown(&found, &facts), ["<|bos|>Q:[A<end>]"; 2]);
}

#[test]
fn without_a_chat_template_each_answer_follows_its_wrapper() {
    let facts = facts(false);
    let rows = json!([
        {"instruction": "Add.", "input": "1 2", "output": "3"},
        {"messages": [{"role": "system", "content": "S"}, "One?", "first", "Two?", "second"]},
        {"messages": [{"role": "assistant", "content": "hi"}]}
    ]);
    let found = read_one(rows, &facts, None, 2048).unwrap();
    let shown = all_shown(&found, &facts);
    assert_eq!(shown.len(), 3);
    assert!(
        shown[0].ends_with("### Input:\n1 2\n\n### Response:[3<end>]"),
        "{}",
        shown[0]
    );
    assert!(
        shown[1].ends_with("### Instruction:\nS\n\nOne?\n\n### Response:[first<end>]"),
        "{}",
        shown[1]
    );
    let last = "S\n\nUser: One?\n\nAssistant: first\n\nTwo?\n\n### Response:[second<end>]";
    assert!(shown[2].ends_with(last), "{}", shown[2]);
    assert_eq!(found.counts.left_out["without a question"], 1);
}

#[test]
fn what_is_too_long_loses_its_end() {
    let facts = facts(true);
    let long = "word ".repeat(100);
    let rows = json!([
        {"instruction": "Q", "output": long},
        {"instruction": long, "output": "a"},
        {"instruction": "Q", "output": "a"}
    ]);
    let found = read_one(rows, &facts, None, 40).unwrap();
    assert_eq!((found.examples.len(), found.counts.cut), (2, 1));
    let example = &found.examples[0];
    assert_eq!((example.ids.len(), example.targets[0].end), (40, 40));
    let end = facts.tokenizer.id("<|end|>").unwrap();
    assert!(!example.ids.contains(&end), "it does not end there");
    assert_eq!(found.counts.left_out["too long before the answer"], 1);
}

#[test]
fn templates_differ_in_what_ends_an_answer() {
    let mut facts = facts(true);
    let of = |facts: &mut Facts, source: &str| {
        facts.chat = Some(ChatTemplate::new(
            source.into(),
            String::new(),
            "<|end|>".into(),
        ));
        let rows = json!([{"messages": [{"role": "system", "content": "S"}, "Q", "a", "R", "b"]}]);
        let found = read_one(rows, facts, None, 2048).unwrap();
        shown(&found.examples[0], facts)
    };
    let open = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
    assert_eq!(
        of(&mut facts, open),
        "system: S\nuser: Q\nassistant:[ a]\nuser: R\nassistant:[ b<end>]",
        "a token that begins in the template is the answer's"
    );
    let late = "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ '\n' + eos_token + '\n' }}\
                {% endif %}|{% endfor %}";
    assert_eq!(of(&mut facts, late), "S|Q|[a\n<end>]\n|R|[b\n<end>]");
    let strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}\
                  {% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}|{% endfor %}";
    assert_eq!(of(&mut facts, strict), "S\n\nQ|[a<end>]|R|[b<end>]");
    let refusing = "{{ raise_exception('never') }}";
    facts.chat = Some(ChatTemplate::new(
        refusing.into(),
        String::new(),
        "<|end|>".into(),
    ));
    let error = read_one(json!([{"messages": ["Q", "a"]}]), &facts, None, 99).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("1 refused by the chat template") && said.contains("never"),
        "{said}"
    );
}

#[test]
fn bad_rows_are_counted_or_end_it() {
    let facts = facts(true);
    let (_folder, paths) = files(&[(
        "d.jsonl",
        json!([{"instruction": "Q", "output": "a"}, {"what": 1}, {"instruction": "", "output": "x"}]),
    )]);
    let form = SftForm::new(&facts, None, 2048).unwrap();
    let found = read(&paths, &ReadOptions::default(), &form).unwrap();
    assert_eq!((found.examples.len(), found.counts.rows), (1, 3));
    assert_eq!(found.counts.left_out["unreadable"], 2);
    assert!(
        found.counts.to_string().contains("d.jsonl:2: "),
        "{}",
        found.counts
    );
    let strict = ReadOptions {
        strict: true,
        ..ReadOptions::default()
    };
    let error = read(&paths, &strict, &form).unwrap_err().to_string();
    assert!(error.contains("d.jsonl:2: "), "{error}");
    assert!(SftForm::new(&super::super::rows::tests::facts(false), Some("chat"), 99).is_err());
}
