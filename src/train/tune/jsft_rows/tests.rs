use serde_json::{Value, json};

use super::super::rows::tests::{cast, facts, files};
use super::*;
use crate::engine::Ask;
use crate::judge::pairwise::{PairSetup, PairTemplates};

const TEMPLATES: &str = r#"
templates:
  judge:
    zeal: { system: "Z.", user: "{context}|{response_a}|{response_b}", assistant: "Zeal:" }
    calm: { system: "", user: "{context}|{response_a}|{response_b}", assistant: "Calm:" }
  decision_rationale: { decision: " the better is", rationale: "\nOn {position}:" }
"#;

fn judge(templates: &str) -> PairJudge {
    let templates = PairTemplates::parse("t.yaml", templates, false).unwrap();
    let setup = PairSetup {
        templates: Some(templates),
        ..PairSetup::default()
    };
    PairJudge::new(cast(facts(false)), setup).unwrap()
}

fn lessons(rationale: bool, cutoff: usize) -> Lessons {
    Lessons {
        seed: 1,
        rationale,
        cutoff,
    }
}

fn read_with(rows: Value, judge: &PairJudge, lessons: Lessons) -> Result<JudgmentRows> {
    let (_folder, paths) = files(&[("p.jsonl", rows)]);
    read(&paths, &ReadOptions::default(), judge, lessons)
}

/// Prompt and target of an example.
fn shown(example: &Example, judge: &PairJudge) -> [String; 2] {
    let text = |ids: &[u32]| judge.cast().judge.tokenizer.decode(ids).unwrap();
    let target = example.targets[0].clone();
    assert_eq!((example.targets.len(), target.end), (1, example.ids.len()));
    [
        text(&example.ids[..target.start]),
        text(&example.ids[target]),
    ]
}

#[test]
fn each_principle_in_both_orders() {
    let judge = judge(TEMPLATES);
    let rows = json!([{"instruction": "Q", "chosen": "good", "rejected": "bad"},
                      {"instruction": "Q", "response_a": "x", "response_b": "y", "label": "b"}]);
    let found = read_with(rows, &judge, lessons(false, 2048)).unwrap();
    assert_eq!((found.examples.len(), found.without_rationale), (8, 0));
    let shown: Vec<[String; 2]> = found.examples.iter().map(|e| shown(e, &judge)).collect();
    let expect = |at: usize, prompt: &str, target: &str| {
        assert_eq!(shown[at], [prompt.to_owned(), target.to_owned()]);
    };
    expect(0, "Z.\n\nQ|good|bad\n\nZeal: the better is", " A");
    expect(1, "Z.\n\nQ|bad|good\n\nZeal: the better is", " B");
    expect(2, "Q|good|bad\n\nCalm: the better is", " A");
    expect(4, "Z.\n\nQ|y|x\n\nZeal: the better is", " A");
}

#[test]
fn a_lesson_is_the_prompt_of_a_judgment() {
    let judge = judge(TEMPLATES);
    let rows = json!([{"instruction": "Q", "chosen": "good <|end|>", "rejected": "bad"}]);
    let found = read_with(rows, &judge, lessons(false, 2048)).unwrap();
    let pair = Pair {
        context: "Q".into(),
        a: "good <|end|>".into(),
        b: "bad".into(),
    };
    let plan = judge.plan(&pair).unwrap();
    for (at, (example, task)) in found.examples.iter().zip(&plan.tasks).enumerate() {
        let (prompt, target) = example.ids.split_at(example.targets[0].start);
        assert_eq!(prompt, task.ids);
        let Ask::Labels { labels, .. } = &task.ask else {
            unreachable!("labels are asked for")
        };
        assert_eq!(target, labels[at % 2]);
    }
}

#[test]
fn rationales_follow_the_positions() {
    let judge = judge(TEMPLATES);
    let said = |text: &str| json!({"zeal": {"Rating": 1, "Rationale": format!("{text} zeal.\n")}});
    let response = |text: &str, score: u8| json!({"response": text, "score": score, "annotations": said(text)});
    let mut best = response("good", 0);
    best["annotations"]["zeal"]["Rating"] = json!(5);
    let rows = json!([{"id": "u", "instruction": "Q", "responses": [response("bad", 0), best]}]);
    let found = read_with(rows, &judge, lessons(true, 2048)).unwrap();
    let shown: Vec<[String; 2]> = found.examples.iter().map(|e| shown(e, &judge)).collect();
    assert_eq!(shown[0][1], " A\n\nOn A:good zeal.\nOn B:bad zeal.");
    assert_eq!(shown[1][1], " B\n\nOn A:bad zeal.\nOn B:good zeal.");
    assert_eq!(
        [&*shown[2][1], &*shown[3][1]],
        [" A", " B"],
        "nobody spoke of calm"
    );
    assert_eq!(found.without_rationale, 2);
    let silent = self::judge(&TEMPLATES.replace("decision_rationale: {", "name: n # {"));
    let rows = json!([{"instruction": "Q", "chosen": "good", "rejected": "bad"}]);
    let error = read_with(rows, &silent, lessons(true, 99)).unwrap_err();
    assert!(
        error.to_string().contains("`decision_rationale`"),
        "{error}"
    );
}

#[test]
fn what_is_too_long_keeps_cue_and_verdict() {
    let judge = judge(TEMPLATES);
    let long = "word ".repeat(200);
    let rows = json!([{"instruction": "Q", "chosen": long, "rejected": "bad", "rationale_chosen": long,
                       "rationale_rejected": "short"}]);
    for rationale in [false, true] {
        let found = read_with(rows.clone(), &judge, lessons(rationale, 64)).unwrap();
        assert_eq!((found.examples.len(), found.counts.cut), (4, 4));
        for (at, example) in found.examples.iter().enumerate() {
            assert!(example.ids.len() <= 64);
            let [prompt, target] = shown(example, &judge);
            assert!(
                prompt.ends_with(": the better is") && prompt.contains("bad"),
                "{prompt}"
            );
            assert!(target.starts_with([" A", " B"][at % 2]), "{target}");
            assert_eq!(example.target_count() > 20, rationale);
        }
    }
}

#[test]
fn what_says_nothing_is_left_out() {
    let judge = judge(TEMPLATES);
    let rows = json!([
        {"instruction": "Q", "chosen": "good", "rejected": "bad"},
        {"instruction": "Q", "response_a": "x", "response_b": "y", "label": "tie"},
        {"instruction": "Q", "response_a": "x", "response_b": "y", "label": "who knows"},
        {"instruction": "Q", "response_a": "x", "response_b": "y"},
        {"instruction": "Q", "chosen": "same", "rejected": "same"},
        {"instruction": "word ".repeat(99), "chosen": "a", "rejected": "b"},
        {"what": 1}
    ]);
    let found = read_with(rows.clone(), &judge, lessons(false, 48)).unwrap();
    assert_eq!((found.examples.len(), found.counts.rows), (4, 7));
    let left_out = &found.counts.left_out;
    assert_eq!(left_out["without a better response"], 1);
    assert_eq!(left_out["unreadable"], 2);
    assert_eq!(left_out["without two rated responses"], 1);
    assert_eq!(left_out["with the same response twice"], 1);
    assert_eq!(left_out["verdicts that cannot be asked for"], 4);
    let nothing = read_with(json!([rows[1]]), &judge, lessons(false, 48)).unwrap_err();
    assert!(nothing.to_string().contains("nothing to learn from"));
}
