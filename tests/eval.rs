//! `juror eval` as a user runs it.

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
    assert!(text.contains("self_eval    29         1"), "{text}");
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
            &["--label", "rating", "--good", "6"],
            "expected a comparison",
        ),
    ] {
        let output = eval(given);
        assert_eq!(output.status.code(), Some(2), "{given:?}");
        assert!(said(&output).contains(cause), "{}", said(&output));
    }
}
