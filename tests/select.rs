//! `juror select` as a user runs it: shapes, edge cases, selecting anew.

use std::path::Path;

use serde_json::{Value, json};

use crate::golden::selectit::models;
use crate::pipelines::{json_of, lines};
use crate::score::{juror, said};

const ROW: &str = r#"{"instruction":"What is 2 + 2?","input":"","output":"4"}"#;

/// A tiny judge, data and prompts in a folder.
struct Place {
    folder: tempfile::TempDir,
    judge: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let judge = models(folder.path(), &["llama3"])["llama3"]
            .display()
            .to_string();
        Place { folder, judge }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// Selects from `data` into `out`.
    fn select(&self, data: &str, out: &str, more: &[&str]) -> Value {
        json_of(&self.arguments(data, out, &[more, &["--json"]].concat()))
    }

    fn arguments<'a>(&'a self, data: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let own = [
            "select",
            data,
            "-o",
            out,
            "--judge",
            &self.judge,
            "--dtype=f32",
        ];
        [&own[..], more].concat()
    }

    fn cause(&self, data: &str, more: &[&str]) -> String {
        let out = self.file("none.json");
        let output = juror(&self.arguments(data, &out, more));
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(!Path::new(&out).exists());
        said(&output)
    }
}

#[test]
fn rows_keep_their_shape_and_bad_ones_their_place() {
    let place = Place::new();
    let share = |first: &str| {
        json!({"id": 7, "conversations": [
            {"from": "human", "value": first}, {"from": "gpt", "value": "Yes."}
        ]})
    };
    let text = format!(
        "{}\n{{broken\n{}\n\n{}\n",
        share("Is it?"),
        share("So?"),
        json!({"conversations": []})
    );
    let data = place.write("chat.jsonl", &text);
    let out = place.file("out.jsonl");
    let report = place.select(&data, &out, &["--proportion", "1"]);
    assert_eq!(
        (&report["rows"], &report["errors"], &report["selected"]),
        (&json!(4), &json!(2), &json!(2))
    );
    let scores = lines(Path::new(&place.file("out.jsonl.scores.jsonl")));
    assert_eq!(scores.len(), 4);
    assert!(
        scores[1]["error"]
            .as_str()
            .unwrap()
            .contains("chat.jsonl:2")
    );
    assert!(
        scores[3]["error"]
            .as_str()
            .unwrap()
            .contains("conversations")
    );
    for bad in [1, 3] {
        assert_eq!(
            (&scores[bad]["score"], &scores[bad]["selected"]),
            (&Value::Null, &json!(false))
        );
    }
    let written = lines(Path::new(&out));
    assert!(written.contains(&share("Is it?")) && written.contains(&share("So?")));

    let output = juror(&place.arguments(&data, &out, &["--strict"]));
    assert_eq!(output.status.code(), Some(2));
    // Tables stay tables, with all their columns in order.
    let table = place.write(
        "t.csv",
        "input,output,instruction,more\n,a,Say a.,\n,b,Say b.,\n",
    );
    let csv = place.file("out.csv");
    place.select(&table, &csv, &["--proportion", "0.5"]);
    let written = place.read("out.csv");
    assert!(
        written.starts_with("input,output,instruction,more\n,"),
        "{written}"
    );
    assert_eq!(written.lines().count(), 2);
}

#[test]
fn the_proportion_is_moved_without_a_model() {
    let place = Place::new();
    let rows: Vec<Value> = (0..10)
        .map(|n| json!({"instruction": format!("Add {n} and {n}."), "output": format!("{}", 2 * n), "kind": n % 2}))
        .collect();
    let data = place.write("data.json", &json!(rows).to_string());
    let (out, again) = (place.file("out.json"), place.file("again.json"));
    place.select(&data, &out, &["--proportion", "0.5", "--prompts-last"]);
    let scores = place.file("out.json.scores.jsonl");
    let anew = |proportion: &str, more: &[&str]| {
        let given = [
            "select",
            &data,
            "-o",
            &again,
            "--scores",
            &scores,
            "--json",
            "--proportion",
            proportion,
        ];
        json_of(&[&given[..], more].concat())
    };
    let report = anew("0.5", &["--by", "kind"]);
    assert_eq!(place.read("again.json"), place.read("out.json"));
    assert_eq!(
        place.read("again.json.scores.jsonl"),
        place.read("out.json.scores.jsonl")
    );
    assert_eq!(report["category_by"], "kind");
    assert_eq!(
        report["statistics"]["categories"].as_array().unwrap().len(),
        2
    );
    anew("0.25", &[]);
    let all: Vec<Value> = serde_json::from_str(&place.read("out.json")).unwrap();
    let some: Vec<Value> = serde_json::from_str(&place.read("again.json")).unwrap();
    assert_eq!(some, all[..2]);
    anew("0.5", &["--keep-order"]);
    let kept: Vec<Value> = serde_json::from_str(&place.read("again.json")).unwrap();
    let in_order: Vec<&Value> = rows.iter().filter(|row| kept.contains(row)).collect();
    assert_eq!(in_order, kept.iter().collect::<Vec<_>>());
    // Scores of other data.
    let other = place.write("other.json", &format!("[{}]", [ROW; 10].join(",")));
    for (data, cause) in [
        (&other, "index 0"),
        (&place.write("one.json", ROW), "1 rows"),
    ] {
        let output = juror(&["select", data, "-o", &again, "--scores", &scores]);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(cause), "{}", said(&output));
    }
    // Neither the data nor the scores are written over.
    let output = juror(&["select", &data, "-o", &data, "--scores", &scores]);
    assert!(
        said(&output).contains("files that are read"),
        "{}",
        said(&output)
    );
}

#[test]
fn prompts_are_as_published_and_bad_ones_are_named() {
    let place = Place::new();
    let data = place.write("data.json", &format!("[{ROW}]"));
    let out = place.file("out.json");
    let scores = || place.read("out.json.scores.jsonl");
    let all = ["--proportion", "1", "--prompt-count", "2", "--prompts"];
    let plain = place.write("plain.txt", "Rate it: 1 to 5.\nAgain: 1 to 5.\nAnd again.");
    place.select(&data, &out, &[&all[..], &[&plain]].concat());
    let expected = scores();
    // CRLF is a line end, and blank lines are no prompts.
    let other = place.write(
        "other.txt",
        "\u{FEFF}Rate it: 1 to 5.\r\n\r\n  \r\nAgain: 1 to 5.\r\n\r\n",
    );
    place.select(&data, &out, &[&all[..], &[&other]].concat());
    assert_eq!(scores(), expected);
    // A last line without its end is another prompt than one with it.
    let last = place.write("last.txt", "Rate it: 1 to 5.\nAgain: 1 to 5.");
    place.select(&data, &out, &[&all[..], &[&last]].concat());
    assert_ne!(scores(), expected);

    let none = place.write("none.txt", "\n\r\n");
    for (more, cause) in [
        (
            vec!["--prompts", &plain],
            "5 rating prompts are asked for, and ",
        ),
        (vec!["--prompts", &plain], "has 3"),
        (
            vec![
                "--prompts",
                &plain,
                "--level",
                "token",
                "--prompt-index",
                "3",
            ],
            "has 3 lines",
        ),
        (vec!["--prompts", &none], "no line with a prompt"),
        (vec!["--prompt-index", "1"], "--level token"),
        (vec!["--as-released", "--k", "3"], "5 ratings and 5 prompts"),
        (
            vec!["--as-released", "--level", "model"],
            "exactly three judges",
        ),
        (vec!["--params", "1,2"], "2 numbers for 1 judges"),
        (vec!["--proportion", "0"], "--proportion"),
        (vec!["--k", "1"], "--k 1"),
        (vec!["--template", &plain], "--prompts-last"),
        (vec!["--by", "colour"], "no row has this field"),
    ] {
        let said = place.cause(&data, &more);
        assert!(said.contains(cause), "{more:?}: {said}");
    }
    let both = format!("{0},{0}", place.judge);
    let output = juror(&[
        "select", &data, "-o", &out, "--level", "sentence", "--judge", &both,
    ]);
    assert!(said(&output).contains("--level model"), "{}", said(&output));
}

#[test]
fn edge_cases_are_what_they_are_said_to_be() {
    let place = Place::new();
    let long = "word ".repeat(1000);
    let rows = json!([
        {"instruction": "Say nothing.", "output": ""},
        {"instruction": "", "output": "no task"},
        {"instruction": "", "input": "only input", "output": "fine"},
        {"instruction": "long", "output": long},
        {"instruction": long, "output": "short"},
        {"instruction": "none", "output": null},
        {"instruction": "ref", "reference": "the reference is rated"},
        {"instruction": "two", "responses": ["a", "b"]},
    ]);
    let data = place.write("data.json", &rows.to_string());
    let out = place.file("out.json");
    let report = place.select(
        &data,
        &out,
        &["--proportion", "1", "--prompts-last", "--novelty"],
    );
    let scores = lines(Path::new(&place.file("out.json.scores.jsonl")));
    let errors: Vec<(usize, &str)> = scores
        .iter()
        .enumerate()
        .filter_map(|(at, row)| Some((at, row["error"].as_str()?)))
        .collect();
    let places: Vec<usize> = errors.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [1, 4, 5, 6, 7], "{errors:?}");
    assert!(errors[0].1.contains("instruction"));
    assert!(errors[1].1.contains("does not fit"), "{}", errors[1].1);
    assert!(errors[2].1.contains("output"));
    assert_eq!(report["truncated"], 1);
    assert_eq!(report["selected"], 3);
    let masses = report["judges"][0]["mass"].as_f64().unwrap();
    assert!(masses > 0.0 && masses < 1.0);
    // Ratings of several tokens.
    let report = place.select(
        &data,
        &out,
        &["--k", "12", "--prompt-count", "1", "--prompts-last"],
    );
    assert_eq!(report["prompts"], 1);
    // On a pipe the rows alone, and no score file.
    let output = juror(&place.arguments(&data, "-", &["--proportion", "0.125"]));
    assert!(output.status.success(), "{}", said(&output));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(said(&output).contains("5 rows have no score"));
}
