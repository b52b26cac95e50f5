//! Judged pairs as a user evaluates and ranks them.

use std::path::Path;

use serde_json::{Value, json};

use super::pipelines::{json_of, number};
use super::score::{juror, said};

/// Rows as `juror pair` writes them: three generators on 30 instructions, the judge right where `right` says so.
fn pairs(folder: &Path, name: &str, right: impl Fn(usize) -> bool) -> String {
    let path = folder.join(name);
    let mut text = String::new();
    let mut row = 0;
    for i in 0..30usize {
        for (a, b) in [("good", "fair"), ("fair", "poor"), ("poor", "good")] {
            let label = match (row % 7, a) {
                (3, _) => "tie",
                (5, "poor") => "a",
                (5, _) => "b",
                (_, "poor") => "b",
                _ => "a",
            };
            let winner = match (right(row), label) {
                (true, label) => label,
                (false, "a") => "b",
                (false, _) => "a",
            };
            // The second order says the same, but for every fifth row.
            let lead = if winner == "a" { 0.4 } else { -0.3 };
            let second = if row % 5 == 0 { lead } else { -lead };
            let order = |order: usize, lead: f64| json!({"principle": "p", "order": order, "p_a": 0.5 + lead / 2.0, "p_b": 0.5 - lead / 2.0});
            text += &json!({
                "id": format!("{i}-{a}-{b}"), "instruction_hash": format!("h{i}"), "winner": winner, "s_a": 0.5, "s_b": 0.5,
                "margin": 0.0, "orders": [order(1, lead), order(2, second)], "position_bias": 0.0, "generator_a": a,
                "generator_b": b, "length_a": 100 + 7 * (row % 13), "length_b": 120 + 5 * (row % 11), "labels": {},
                "meta": {"label": label, "source": if i % 2 == 0 { "even" } else { "odd" }}, "error": null,
            })
            .to_string();
            text.push('\n');
            row += 1;
        }
    }
    text += &format!(
        "{}\n",
        json!({"id": "bad", "winner": null, "generator_a": "good", "generator_b": "fair", "labels": {},
        "meta": {"label": "a", "source": "even"}, "error": "too long"})
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn verdicts_are_compared_with_labels() {
    let folder = tempfile::tempdir().unwrap();
    let file = pairs(folder.path(), "pairs.jsonl", |row| row % 4 != 0);
    let given = [
        "eval",
        &file,
        "--pairwise",
        "--label",
        "label",
        "--rounds",
        "50",
    ];
    let report = json_of(&[&given[..], &["--by", "source", "--json"]].concat());
    let found = &report["evaluated"][0];
    assert_eq!(
        (&found["left_out"], &found["failed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&found["all"]["rows"], &found["all"]["decided"]),
        (&json!(90), &json!(77))
    );
    // Of 90 rows every fourth is wrong, of the 13 ties rows 24, 52 and 80 and some others are.
    let wrong = (0..90).filter(|row| row % 4 == 0 && row % 7 != 3).count() as f64;
    let accuracy = number(&found["all"]["accuracy"]["estimate"]);
    assert!((accuracy - (1.0 - wrong / 77.0)).abs() < 1e-12);
    assert!(number(&found["all"]["kappa"]["low"]) < number(&found["all"]["kappa"]["estimate"]));
    assert!(found["all"]["longer"]["accuracy"]["estimate"].is_f64());
    assert!(found["all"]["ahead_of_longer"]["low"].is_f64());
    assert_eq!(found["by"]["groups"].as_array().unwrap().len(), 2);
    assert_eq!(found["orders"].as_array().unwrap().len(), 2);
    // A verdict of a tie leans to b in each order alone.
    assert_eq!(number(&found["position_bias"]["flipped"]["estimate"]), 0.2);
    assert_eq!(found["position_bias"]["pairs"], 90);
    let output = juror(&[&given[..], &["--fail-below", "0.99"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("the longer one wins") && text.contains("position bias"),
        "{text}"
    );
    let better = pairs(folder.path(), "better.jsonl", |_| true);
    let output = [&["eval", &file, &better][..], &given[2..], &["--json"]].concat();
    let report = json_of(&output);
    let ahead = &report["evaluated"][1]["ahead_of_first"]["estimate"];
    assert!((number(ahead) - (1.0 - accuracy)).abs() < 1e-12);
}

#[test]
fn what_is_no_judged_pair_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = pairs(folder.path(), "pairs.jsonl", |_| true);
    let other = folder.path().join("other.jsonl");
    std::fs::write(
        &other,
        "{\"instruction\":\"x\",\"response_a\":\"y\",\"response_b\":\"z\",\"label\":\"a\"}\n",
    )
    .unwrap();
    let other = other.display().to_string();
    for (given, cause) in [
        (
            &["eval", &file, "--pairwise", "--label", "mood"][..],
            "no row has the label `mood`",
        ),
        (
            &["eval", &file, "--pairwise", "--label", "source"],
            "expected `a`, `b`, `tie`",
        ),
        (
            &[
                "eval",
                &file,
                "--pairwise",
                "--label",
                "label",
                "--by",
                "mood",
            ],
            "no row has the field `mood`",
        ),
        (
            &[
                "eval",
                &file,
                "--pairwise",
                "--label",
                "label",
                "--good",
                ">1",
            ],
            "cannot be used with",
        ),
        (
            &["eval", &other, "--pairwise", "--label", "label"],
            "no row has a `winner`",
        ),
        (
            &["rank", &other, "--label", "label"],
            "no row has two generators and the label",
        ),
        (
            &["rank", &file, "--baseline", "nobody"],
            "there are good, fair, poor",
        ),
        (&["rank", &file, "--where", "source=none"], "no row is left"),
        (
            &["rank", &file, "--signal", "cosine"],
            "these are judged pairs",
        ),
        (&["rank", &file, &other], "give such files alone"),
    ] {
        let output = juror(given);
        assert_eq!(output.status.code(), Some(2), "{given:?}");
        assert!(
            said(&output).contains(cause),
            "{given:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn generators_are_rated_from_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let file = pairs(folder.path(), "pairs.jsonl", |_| true);
    let board = folder.path().join("board.csv");
    std::fs::write(&board, "model,wins\ngood,90\nfair,20\npoor,10\n").unwrap();
    let board = board.to_str().unwrap();
    let given = [
        "rank",
        &file,
        "--rounds",
        "50",
        "--leaderboard",
        board,
        "--column",
        "wins",
    ];
    let report = json_of(&[&given[..], &["--baseline", "fair", "--json"]].concat());
    let ranking = report["ranking"].as_array().unwrap();
    let names: Vec<&str> = ranking
        .iter()
        .map(|r| r["generator"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["good", "fair", "poor"]);
    assert_eq!(number(&ranking[1]["rating"]["estimate"]), 1000.0);
    assert_eq!(
        (&report["comparisons"], &report["left_out"]),
        (&json!(90), &json!(1))
    );
    assert_eq!(report["instructions"], 30);
    let rates = &report["matrix"]["win_rate"];
    assert!((number(&rates[0][2]) + number(&rates[2][0]) - 1.0).abs() < 1e-12);
    assert_eq!(rates[0][0], Value::Null);
    assert_eq!(
        number(&report["leaderboard"][0]["spearman"]["estimate"]),
        1.0
    );
    let controlled = &report["length_controlled"];
    assert_eq!(controlled["difficulty_kept"], true);
    assert_eq!(controlled["generators"].as_array().unwrap().len(), 2);
    assert!(controlled["generators"][0]["length_controlled"]["low"].is_f64());
    // The label instead of the judge; here they are the same.
    let by_label = json_of(&[&given[..], &["--label", "label", "--json"]].concat());
    let rating = |report: &Value| number(&report["ranking"][0]["rating"]["estimate"]);
    let by_judge = json_of(&[&given[..], &["--json"]].concat());
    assert!((rating(&by_label) - rating(&by_judge)).abs() < 40.0);
    let output = juror(&given);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("the row wins against (count)"), "{text}");
}

#[test]
fn what_cannot_be_rated_names_the_groups_and_tells_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    let rows = [("x", "y", "a"), ("x", "y", "a"), ("y", "z", "tie")];
    let text: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(i, (a, b, winner))| {
            json!({"id": i.to_string(), "generator_a": a, "generator_b": b, "winner": winner})
                .to_string()
        })
        .collect();
    std::fs::write(&path, text.join("\n")).unwrap();
    let output = juror(&["rank", path.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("2 groups, {x} and {y, z}"),
        "{}",
        said(&output)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // By falling win rate x, z, y.
    assert_eq!(number(&report["matrix"]["win_rate"][0][2]), 1.0);
    assert_eq!(report["ranking"][0]["rating"], Value::Null);
    assert!(report["no_ratings"].as_str().unwrap().contains("{y, z}"));
}
