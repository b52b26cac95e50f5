//! `juror eval` as a user runs it.

use juror::stats::bootstrap::SplitMix64;
use juror::stats::{kendall, pearson, spearman};
use serde_json::Value;

use super::score::{juror, said};

/// Scored rows of some generators, the label `rating` noisy and missing once.
fn scored(folder: &std::path::Path) -> (String, Vec<f64>, Vec<f64>) {
    let path = folder.join("scored.jsonl");
    let (mut text, mut scores, mut labels) = (String::new(), Vec::new(), Vec::new());
    for i in 0..120 {
        let score = f64::from(i * 37 % 90) / 10.0;
        let label = (score * 0.6 + f64::from(i % 4)).round();
        let rating = match i {
            7 => Value::Null,
            _ => label.into(),
        };
        let row = serde_json::json!({
            "id": format!("r{}", i / 4), "response_id": format!("{i}"), "generator": format!("g{}", i % 4),
            "signals": {"self_eval": score, "cosine": (score / 9.0).sin()},
            "self_eval": {"labels": ["0", "9"]}, "labels": {"rating": rating}, "meta": {"topic": "x"},
            "error": null,
        });
        text += &format!("{row}\n");
        if i != 7 {
            scores.push(score);
            labels.push(label);
        }
    }
    std::fs::write(&path, text).unwrap();
    (path.display().to_string(), scores, labels)
}

#[test]
fn the_figures_are_those_of_the_columns() {
    let folder = tempfile::tempdir().unwrap();
    let (file, scores, labels) = scored(folder.path());
    let output = juror(&[
        "eval", &file, "--label", "rating", "--good", ">=5", "--rounds", "100", "--json",
    ]);
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &report["evaluated"][0];
    assert_eq!(first["signal"], "self_eval");
    assert_eq!(
        (&first["left_out"], &first["all"]["rows"]),
        (&1.into(), &119.into())
    );
    for (name, want) in [
        ("pearson", pearson(&scores, &labels)),
        ("spearman", spearman(&scores, &labels)),
        ("kendall", kendall(&scores, &labels)),
    ] {
        let found = first["all"][name]["estimate"].as_f64().unwrap();
        assert!((found - want.unwrap()).abs() < 1e-12, "{name}");
        assert!(first["all"][name]["low"].as_f64().unwrap() < found);
    }
    assert_eq!(first["by"]["groups"].as_array().unwrap().len(), 4);
    assert!(first["selective"]["auroc"]["estimate"].as_f64().unwrap() > 0.7);
    assert_eq!(first["calibration"].as_array().unwrap().len(), 2);
    assert!(first["agreement"]["quadratic_kappa"]["estimate"].is_f64());
    let second = &report["evaluated"][1];
    assert!(second["ahead_of_first"]["pearson"]["estimate"].is_f64());
}

#[test]
fn tables_gates_and_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (file, ..) = scored(folder.path());
    let eval = |more: &[&str]| {
        let given = ["eval", &file, "--rounds", "0"];
        juror(&[&given, more].concat())
    };
    let output = eval(&["--label", "rating", "--where", "generator=g1"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("self_eval"));
    let cells: Vec<&str> = line.unwrap().split_whitespace().take(3).collect();
    assert_eq!(cells, ["self_eval", "30", "0"], "{text}");
    let gate = eval(&["--label", "rating", "--fail-below", "0.99"]);
    assert_eq!(gate.status.code(), Some(1));
    for (given, cause) in [
        (
            &["--label", "quality"][..],
            "no row has the label `quality`",
        ),
        (
            &["--label", "rating", "--signal", "ppl"],
            "no signal `ppl`; the rows have cosine, self_eval",
        ),
        (
            &["--label", "rating", "--where", "topic=y"],
            "no row is left by --where",
        ),
        (
            &["--label", "rating", "--by", "mood"],
            "no row has the field `mood`",
        ),
        (
            &["--label", "rating", "--cluster", "mood"],
            "no row has the field `mood`",
        ),
        (
            &["--label", "rating", "--good", "6"],
            "expected a comparison",
        ),
    ] {
        let output = eval(given);
        assert_eq!(output.status.code(), Some(2), "{given:?}");
        assert!(said(&output).contains(cause), "{}", said(&output));
    }
}

/// Scored rows of 800 records whose labels are good the more often the higher the score is.
fn labelled(folder: &std::path::Path) -> String {
    let path = folder.join("labelled.jsonl");
    let mut random = SplitMix64(5);
    let mut text = String::new();
    for i in 0..800u32 {
        let score = f64::from(i * 7919 % 800) / 800.0;
        let chance = (random.next_u64() >> 40) as f64 / f64::from(1 << 24);
        let row = serde_json::json!({
            "id": format!("r{i}"), "response_id": "1", "signals": {"fused": score},
            "labels": {"rating": if chance < 0.6 * (1.0 - score) { 2 } else { 8 }},
            "meta": {"topic": if i % 2 == 0 { "even" } else { "odd" }}, "error": null,
            "judge": {"name": "j", "hash": "abc"}, "template": {"name": "t", "hash": "def"},
        });
        text += &format!("{row}\n");
    }
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_threshold_keeps_its_promise_on_rows_it_has_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = labelled(folder.path());
    let threshold = |more: &[&str]| {
        let given = [
            "threshold",
            &file,
            "--label",
            "rating",
            "--good",
            ">=6",
            "--json",
        ];
        let output = juror(&[&given, more].concat());
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["thresholds"].clone()
    };
    let number = |value: &Value| value.as_f64().unwrap();
    let pac = &threshold(&["--target-risk", "0.2", "--guarantee", "pac"])[0];
    let (tau, reported) = (number(&pac["threshold"]), &pac["reported"][0]);
    assert!(
        number(&reported["risk"]) < 0.2 && number(&reported["coverage"]) > 0.3,
        "{pac}"
    );
    let c = &reported["confusion"];
    let all = [
        "answered_good",
        "answered_bad",
        "declined_good",
        "declined_bad",
    ];
    let rows: f64 = all.iter().map(|name| number(&c[*name])).sum();
    assert_eq!(rows + number(&pac["calibrated_on"]), 800.0);
    let expected = &threshold(&["--target-risk", "0.1", "--guarantee", "expectation"])[0];
    assert!(number(&expected["reported"][0]["risk"]) < 0.25);
    let bare = &threshold(&["--target-risk", "0.2"])[0];
    assert!(number(&bare["threshold"]) <= tau);
    let covering = &threshold(&["--target-coverage", "0.5", "--by", "topic"])[0];
    assert!((number(&covering["reported"][0]["coverage"]) - 0.5).abs() < 0.08);
    assert_eq!(covering["reported"].as_array().unwrap().len(), 3);
    let each = threshold(&[
        "--target-risk",
        "0.25",
        "--guarantee",
        "pac",
        "--per-group",
        "topic",
    ]);
    assert_eq!(each.as_array().unwrap().len(), 2);
    let strict = &threshold(&["--target-risk", "0.001", "--guarantee", "pac"])[0];
    assert!(
        strict["threshold"].is_null() && strict["none"].as_str().unwrap().contains("not reachable")
    );
    let output = juror(&["threshold", &file, "--label", "rating", "--good", ">=6"]);
    assert!(
        said(&output).contains("--target-risk 0.1"),
        "{}",
        said(&output)
    );
    for (more, cause) in [
        (["--by", "mood"], "no row has the field `mood`"),
        (["--cluster", "mood"], "no row has the field `mood`"),
        (["--signal", "ppl"], "a lower `ppl` is the better one"),
    ] {
        let given = ["threshold", &file, "--label", "rating", "--good", ">=6"];
        let output = juror(&[&given[..], &["--target-risk", "0.2"], &more].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(cause), "{}", said(&output));
    }
}

#[test]
fn a_preset_decides_for_the_judge_it_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let run = |given: &[&str]| {
        let output = juror(given);
        assert!(output.status.success(), "{}", said(&output));
        output
    };
    let (data, scored, preset) = (
        "sample_data/common.jsonl",
        at("scored.jsonl"),
        at("preset.toml"),
    );
    run(&["score", data, "-o", &scored]);
    run(&[
        "threshold",
        &scored,
        "--label",
        "rating",
        "--good",
        ">=5",
        "--target-coverage",
        "0.5",
        "-o",
        &preset,
    ]);
    let again = at("again.jsonl");
    let output = run(&[
        "score",
        data,
        "-o",
        &again,
        "--threshold",
        &preset,
        "--json",
    ]);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kept: toml::Value = toml::from_str(&std::fs::read_to_string(&preset).unwrap()).unwrap();
    let tau = kept["threshold"].as_float().unwrap();
    let text = std::fs::read_to_string(&again).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    for row in &rows {
        let answers = row["signals"]["fused"].as_f64().unwrap() >= tau;
        assert_eq!(row["verdict"], if answers { "ANSWER" } else { "DECLINE" });
    }
    let answered = rows.iter().filter(|row| row["verdict"] == "ANSWER").count();
    assert_eq!(summary["answered"], answered);
    assert!(summary["drift"].as_f64().unwrap() < 0.05);
    // Scores of other data are told apart from those it was calibrated on.
    let other = at("other.jsonl");
    let line = r#"{"instruction":"Name a colour.","reference":"Red.","response":"Red."}"#;
    std::fs::write(&other, format!("{line}\n").repeat(20)).unwrap();
    let output = run(&["score", &other, "-o", &at("x"), "--threshold", &preset]);
    assert!(
        said(&output).contains("population stability"),
        "{}",
        said(&output)
    );
    for (more, cause) in [
        (["--signals", "self_eval"], "not among the signals"),
        (["--dtype", "f32"], ""),
        (["--label-prefix", " "], "another judge or template"),
    ] {
        let given = ["score", &other, "-o", &at("y"), "--threshold", &preset];
        let output = juror(&[&given[..], &more].concat());
        assert_eq!(
            output.status.success(),
            cause.is_empty(),
            "{}",
            said(&output)
        );
        assert!(said(&output).contains(cause), "{}", said(&output));
    }
}
