//! `juror pair` and `juror tournament` as a user runs them.

use std::path::Path;

use serde_json::{Value, json};

use super::pipelines::{lines, number};
use super::score::{juror, said};

/// A folder with a data file of these rows.
fn data(rows: &[Value]) -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(at("data.jsonl"), text).unwrap();
    let (data, out) = (at("data.jsonl"), at("out.jsonl"));
    (folder, data, out)
}

/// Runs a command that succeeds; the figures it tells, and the rows it writes.
fn done(arguments: &[&str], out: &str) -> (Value, Vec<Value>) {
    let output = juror(&[arguments, &["-o", out, "--json"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let summary = serde_json::from_slice(&output.stdout).unwrap();
    (summary, lines(Path::new(out)))
}

#[test]
fn pairs_are_judged_in_both_orders() {
    let (_folder, data, out) = data(&[
        json!({"id": "x", "source": "s", "instruction": "Why is the sky blue?", "label": "a",
               "response_a": "Air scatters blue light most.", "response_b": "It is a mirror.", "generator_a": "big"}),
        json!({"id": "same", "instruction": "Say yes.", "response_a": "Yes.", "response_b": "Yes.", "label": "tie"}),
        json!({"id": "empty", "instruction": "Say yes.", "response_a": "", "response_b": "Yes."}),
        json!({"id": "none", "instruction": "", "response_a": "a", "response_b": "b"}),
    ]);
    let (summary, rows) = done(&["pair", &data, "--templates", "standard"], &out);
    assert_eq!(
        (rows.len(), &summary["errors"]),
        (3, &json!(1)),
        "a row without an instruction"
    );
    let row = &rows[0];
    assert_eq!(row["labels"], json!({"label": "a"}));
    assert_eq!(
        (&row["meta"]["source"], &row["generator_a"]),
        (&json!("s"), &json!("big"))
    );
    assert_eq!(
        (&row["length_a"], &row["length_b"]),
        (&json!(29), &json!(15))
    );
    let (orders, principles) = (
        row["orders"].as_array().unwrap(),
        row["principles"].as_array().unwrap(),
    );
    assert_eq!((orders.len(), principles.len()), (6, 3));
    let p = |at: usize, which: &str| number(&orders[at][which]);
    let s_a = (p(0, "p_a") + p(1, "p_b")) / 2.0;
    assert!((number(&principles[0]["s_a"]) - s_a).abs() < 1e-12);
    let mean = principles.iter().map(|p| number(&p["s_a"])).sum::<f64>() / 3.0;
    assert!((number(&row["s_a"]) - mean).abs() < 1e-12);
    assert!((number(&row["margin"]) - number(&row["s_a"]) + number(&row["s_b"])).abs() < 1e-12);
    assert_eq!(
        (&rows[1]["winner"], &rows[1]["margin"]),
        (&json!("tie"), &json!(0.0))
    );
    assert_eq!(rows[2]["error"], Value::Null, "an empty response is judged");
    // What is judged the other way round is the same.
    let swapped = std::fs::read_to_string(&data).unwrap();
    let swapped = swapped
        .replace("response_a", "x")
        .replace("response_b", "response_a")
        .replace("\"x\"", "\"response_b\"");
    std::fs::write(&data, swapped).unwrap();
    let (_, other) = done(&["pair", &data, "--templates", "standard"], &out);
    assert!((number(&other[0]["margin"]) + number(&row["margin"])).abs() < 1e-5);
    // A wide margin makes everything a tie; as released nothing is one.
    let (summary, _) = done(&["pair", &data, "--margin", "1"], &out);
    assert_eq!(summary["ties"], 3);
    let (summary, rows) = done(&["pair", &data, "--as-released"], &out);
    assert_eq!(
        (&summary["ties"], &rows[1]["winner"]),
        (&json!(0), &json!("b"))
    );
    let (summary, _) = done(
        &["pair", &data, "--renormalize", "--principles", "better"],
        &out,
    );
    assert!(number(&summary["mass"]) < 1.0);
}

#[test]
fn all_responses_of_a_record_meet() {
    let responses = ["one", "two", "three", "four"];
    let (_folder, data, out) = data(&[
        json!({"id": "r", "instruction": "Count.", "reference": "one two three four", "responses":
               responses.map(|text| json!({"id": text, "response": text, "score": text.len()}))}),
        json!({"id": "lone", "instruction": "Count.", "responses": ["one"]}),
    ]);
    let (summary, rows) = done(&["pair", &data], &out);
    assert_eq!((rows.len(), &summary["errors"]), (7, &json!(1)));
    assert_eq!(rows[0]["labels"]["label"], "tie", "both have three letters");
    assert_eq!(rows[1]["labels"], json!({"score": "b", "label": "b"}));
    assert_eq!(
        (&rows[1]["response_a_id"], &rows[1]["response_b_id"]),
        (&json!("one"), &json!("three"))
    );
    assert!(rows[6]["error"].as_str().unwrap().contains("1 responses"));
    assert_eq!(rows[6]["winner"], Value::Null);
    assert_eq!(done(&["pair", &data, "--pairs", "first"], &out).1.len(), 4);
    let strict = juror(&["pair", &data, "-o", &out, "--strict"]);
    assert_eq!(strict.status.code(), Some(2), "{}", said(&strict));
    // Against the reference every row is a scored one.
    let (_, rows) = done(&["pair", &data, "--against-reference"], &out);
    assert_eq!(rows.len(), 5);
    assert_eq!(
        (&rows[0]["response_id"], &rows[0]["response_b_id"]),
        (&json!("one"), &json!("reference"))
    );
    assert_eq!(rows[0]["signals"]["pair"], rows[0]["margin"]);
    let eval = juror(&[
        "eval", &out, "--label", "score", "--signal", "pair", "--json",
    ]);
    assert!(eval.status.success(), "{}", said(&eval));
}

#[test]
fn what_cannot_be_asked_is_said_before_a_model_is_loaded() {
    let (folder, data, out) =
        data(&[json!({"instruction": "Q", "response_a": "a", "response_b": "b"})]);
    let templates = folder.path().join("t.yaml");
    let text = "templates:\n  judge:\n    zeal:\n      system: s\n      user: '{context} {response_a}'\n      assistant: ''\n";
    std::fs::write(&templates, text).unwrap();
    let fails = |more: &[&str]| {
        let output = juror(&[&["pair", &data, "-o", &out], more].concat());
        assert_eq!(output.status.code(), Some(2));
        said(&output)
    };
    let missing = fails(&["--templates", templates.to_str().unwrap()]);
    assert!(
        missing.contains("principle `zeal`: `user` has no slot {response_b}"),
        "{missing}"
    );
    assert!(fails(&["--templates", "nowhere.yaml"]).contains("nowhere.yaml"));
    assert!(fails(&["--principles", "zeal"]).contains("zeal"));
    assert!(fails(&["--margin", "0.1", "--as-released"]).contains("contradict"));
    assert!(fails(&["--judge-tokens", "A", "A"]).contains("different"));
}

#[test]
fn long_texts_are_cut_never_the_cue() {
    let long = "Light is scattered by air. ".repeat(400);
    let (_folder, data, out) = data(&[
        json!({"id": "r", "instruction": "Why?", "response_a": long, "response_b": "Because."}),
        json!({"id": "i", "instruction": long, "response_a": "x", "response_b": "y"}),
    ]);
    let (summary, rows) = done(&["pair", &data], &out);
    assert_eq!(
        (&summary["truncated"], &summary["errors"]),
        (&json!(1), &json!(1))
    );
    assert!(number(&rows[0]["mass"]) > 0.5, "the judge is still asked");
    assert!(rows[1]["error"].as_str().unwrap().contains("does not fit"));
    let (summary, rows) = done(&["pair", &data, "--as-released"], &out);
    assert_eq!(
        (&summary["truncated"], &summary["errors"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(rows[1]["prompt_tokens"], 2 * 2048);
    assert!(number(&rows[1]["mass"]) > 0.5);
    let (_, rows) = done(&["pair", &data, "--truncate", "error"], &out);
    assert!(rows[0]["error"].as_str().unwrap().contains("--truncate"));
}

#[test]
fn a_judge_says_why() {
    let (_folder, data, out) = data(&[
        json!({"instruction": "Name a colour.", "response_a": "Red.", "response_b": "Seven."}),
    ]);
    let arguments = [
        "pair",
        &data,
        "--rationale",
        "--rationale-tokens",
        "12",
        "--templates",
        "system-first",
    ];
    let (_, rows) = done(&arguments, &out);
    assert_eq!(rows[0]["error"], Value::Null);
    for said in rows[0]["principles"].as_array().unwrap() {
        // Markers of both positions, whatever the judge wrote between them.
        let text = said["rationale"].as_str().unwrap();
        assert!(
            text.starts_with("On Response A:") && text.contains("On Response B:"),
            "{text}"
        );
    }
    let (_, free) = done(
        &["pair", &data, "--rationale", "--rationale-tokens", "3"],
        &out,
    );
    assert!(free[0]["principles"][0]["rationale"].is_string());
}

#[test]
fn tournaments_of_any_size() {
    let texts = [
        "Red.",
        "Red.",
        "",
        "Blue and green.",
        "Yellow, I think.",
        "Seven.",
        "A colour is red.",
    ];
    let record = |id: &str, n: usize| {
        let responses = (0..n)
            .map(|at| json!({"id": format!("{id}{at}"), "response": texts[at % 7], "score": at}));
        json!({"id": id, "instruction": "Name a colour.", "responses": responses.collect::<Vec<_>>()})
    };
    let (folder, data, out) = data(&[
        record("a", 1),
        record("b", 7),
        record("c", 32),
        record("d", 2),
        record("e", 0),
    ]);
    let winners = folder.path().join("winners.jsonl");
    let winners_name = winners.to_str().unwrap();
    let arguments = [
        "tournament",
        data.as_str(),
        "--seed",
        "3",
        "--winners",
        winners_name,
    ];
    let (summary, rows) = done(&arguments, &out);
    assert_eq!(
        (&summary["judgments"], &summary["errors"]),
        (&json!(6 + 31 + 1), &json!(1))
    );
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
    assert_eq!(
        (&rows[0]["winner"], &rows[0]["rounds"]),
        (&json!("a0"), &json!([]))
    );
    assert!(rows[4]["error"].as_str().unwrap().contains("no response"));
    for (row, n) in rows.iter().zip([1, 7, 32, 2]) {
        assert_eq!(row["judgments"], n - 1);
        let rounds = row["rounds"].as_array().unwrap();
        if let Some(last) = rounds.last() {
            assert_eq!(last[0][2], row["winner"]);
        }
        // Whoever lost is out.
        let mut out = std::collections::HashSet::new();
        for one in rounds.iter().flat_map(|round| round.as_array().unwrap()) {
            assert!(!out.contains(&one[0]) && !out.contains(&one[1]));
            out.insert(if one[0] == one[2] { &one[1] } else { &one[0] });
        }
    }
    let kept = lines(&winners);
    assert_eq!(kept.len(), 4);
    assert_eq!(kept[2]["responses"][0]["id"], rows[2]["winner"]);
    // A record alone has the tournament that it has among others.
    std::fs::write(&data, record("b", 7).to_string()).unwrap();
    let alone = done(&["tournament", &data, "--seed", "3"], &out).1;
    assert_eq!(alone[0]["rounds"], rows[1]["rounds"]);
    let curve = done(&["tournament", &data, "--n", "5", "--curve"], &out).0;
    let sizes: Vec<i64> = curve["curve"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["n"].as_i64().unwrap())
        .collect();
    assert_eq!(sizes, [1, 2, 4, 5]);
    assert_eq!(curve["curve"][0]["labels"]["score"], 0.0);
    assert_eq!(curve["judgments"], 4);
}
