//! `juror report` as a user runs it.

use std::path::Path;

use serde_json::{Value, json};

use super::score::{juror, said};

const HOSTILE: &str = "</script><b>&\"x";

/// Rows of two categories, one with a hostile name; the label `rating` is missing once where `labelled`, else always.
fn scored(path: &Path, labelled: bool) -> String {
    let mut text = String::new();
    for i in 0..240 {
        let score = f64::from(i * 37 % 90) / 10.0;
        let rating = (score * 0.6 + f64::from(i % 4)).round();
        let labels = match labelled && i != 7 {
            true => json!({"rating": rating}),
            false => json!({}),
        };
        let row = json!({
            "id": format!("{HOSTILE}{}", i / 4), "response_id": format!("{i}"), "generator": format!("g{}", i % 4),
            "mode": "reference", "signals": {"self_eval": score, "ppl": 20.0 - score}, "labels": labels,
            "self_eval": {"labels": ["0", "9"]}, "meta": {"category": if i % 3 == 0 { HOSTILE } else { "plain" }},
            "judge": {"name": "/secret/folder/judge-1", "hash": "abc"}, "template": {"name": HOSTILE, "hash": "def"},
            "fusion": "range 0.5", "error": if i == 9 { json!(HOSTILE) } else { Value::Null },
        });
        text += &format!("{row}\n");
    }
    std::fs::write(path, text).unwrap();
    path.display().to_string()
}

/// The page and its figures.
fn report(file: &str, more: &[&str]) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.html");
    let given = ["report", file, "-o", out.to_str().unwrap(), "--json"];
    let output = juror(&[&given, more].concat());
    assert!(output.status.success(), "{}", said(&output));
    let page = std::fs::read_to_string(out).unwrap();
    (page, serde_json::from_slice(&output.stdout).unwrap())
}

/// Whether every tag that is opened is closed, in order.
fn check_tags(page: &str) {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap();
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{part}");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        assert!(!text.contains('>') || open.contains(&"style"), "{part}");
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_numbers_are_those_of_eval() {
    let folder = tempfile::tempdir().unwrap();
    let file = scored(&folder.path().join("scored.jsonl"), true);
    let same = ["--label", "rating", "--good", ">=5", "--rounds", "50"];
    let (page, found) = report(&file, &[&same[..], &["--threshold", "4"]].concat());
    let given = ["eval", &file, "--json", "--signal", "self_eval"];
    let output = juror(&[&given, &same[..], &["--by", "category"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let eval: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (eval, found) = (&eval["evaluated"][0], &found["sections"][0]);
    for name in [
        "signal",
        "left_out",
        "all",
        "selective",
        "calibration",
        "agreement",
    ] {
        assert_eq!(eval[name], found[name], "{name}");
        assert!(!found[name].is_null(), "{name}");
    }
    // Slices come by their number of rows.
    let (groups, slices) = (&eval["by"]["groups"], &found["by"]["slices"]);
    for (at, other) in [(0, 1), (1, 0)] {
        assert_eq!(slices[at]["value"], groups[other]["value"]);
        for name in ["rows", "pearson", "spearman", "kendall"] {
            assert_eq!(slices[at]["all"][name], groups[other][name]);
        }
    }
    let estimate = found["all"]["pearson"]["estimate"].as_f64().unwrap();
    assert!(page.contains(&format!("<td>{estimate:.3} [")), "Pearson");
    // 4 and more, of all and of labelled rows.
    let cut = &found["cut"];
    let answered = (0..240).filter(|i| i * 37 % 90 >= 40).count();
    assert_eq!(
        (&cut["coverage"]["part"], &cut["coverage"]["whole"]),
        (&json!(answered), &json!(240))
    );
    let c = &cut["labelled"]["confusion"];
    let rows = [
        "answered_good",
        "answered_bad",
        "declined_good",
        "declined_bad",
    ];
    assert_eq!(
        rows.iter()
            .map(|name| c[*name].as_u64().unwrap())
            .sum::<u64>(),
        239
    );
    assert_eq!(found["facts"]["errors"], 1);
}

#[test]
fn the_page_needs_nothing_and_gives_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = scored(&folder.path().join("scored.jsonl"), true);
    let other = scored(&folder.path().join("bare.jsonl"), false);
    let more = [
        "--good",
        ">=5",
        "--threshold",
        "4",
        "--rounds",
        "20",
        "--title",
        HOSTILE,
    ];
    let (page, found) = report(&file, &[&more[..], &[&other]].concat());
    assert_eq!(found["sections"].as_array().unwrap().len(), 2);
    check_tags(&page);
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"));
    for text in [
        "</script>",
        "<b>",
        "secret",
        folder.path().to_str().unwrap(),
    ] {
        assert!(!page.contains(text), "{text}");
    }
    assert!(page.contains("&lt;b&gt;") && page.contains("judge-1 (abc)"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    assert!(page.contains("scored.jsonl") && page.contains(env!("CARGO_PKG_VERSION")));
    // The second file has no labels: it says so, and has its scores.
    let (_, second) = page.split_once("id=\"part2\"").unwrap();
    assert!(second.contains("the rows have no label") && second.contains("part2-scores-title"));
    assert!(!second.contains("part2-curve-title"));
    // By quality, where a lower number is the better one.
    let (page, found) = report(&file, &["--signal", "ppl", "--rounds", "0"]);
    check_tags(&page);
    assert_eq!(found["sections"][0]["signal"], "−ln ppl");
}

#[test]
fn a_preset_brings_its_label_signal_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    let file = scored(&folder.path().join("scored.jsonl"), true);
    let preset = folder.path().join("preset.toml");
    let preset = preset.to_str().unwrap();
    let given = ["threshold", &file, "--label", "rating", "--good", ">=5"];
    let output = juror(&[&given[..], &["--target-coverage", "0.5", "-o", preset]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let (page, found) = report(&file, &["--threshold", preset, "--rounds", "0"]);
    let found = &found["sections"][0];
    let kept: toml::Value = toml::from_str(&std::fs::read_to_string(preset).unwrap()).unwrap();
    assert_eq!(
        found["cut"]["threshold"].as_f64(),
        kept["threshold"].as_float()
    );
    assert_eq!(
        (&found["label"], &found["good"]),
        (&json!("rating"), &json!(">=5"))
    );
    assert!(page.contains("by the preset preset.toml, calibrated on"));
    // Rows of another judge are on another scale.
    let text = std::fs::read_to_string(&file).unwrap();
    let other = folder.path().join("other.jsonl");
    std::fs::write(&other, text.replace("\"abc\"", "\"xyz\"")).unwrap();
    let other = other.to_str().unwrap();
    let out = folder.path().join("x.html");
    let out = out.to_str().unwrap();
    for (given, cause) in [
        (
            &[other, "--threshold", preset][..],
            "another judge or template",
        ),
        (&[&file, "--threshold", "nan"], "a number expected"),
        (&[&file, "--threshold", "none.toml"], "none.toml"),
        (
            &[&file, "--threshold", "4", "--signal", "ppl"],
            "a lower `ppl`",
        ),
        (
            &[&file, "--label", "quality"],
            "no row has the label `quality`",
        ),
        (
            &[&file, "--signal", "reward"],
            "no signal `reward`; the rows have",
        ),
        (&[&file, "--by", "mood"], "no row has the field `mood`"),
        (
            &[&file, "--where", "category=x"],
            "no row is left by --where",
        ),
    ] {
        let output = juror(&[&["report", "-o", out], given].concat());
        assert_eq!(output.status.code(), Some(2), "{given:?}");
        assert!(said(&output).contains(cause), "{}", said(&output));
        assert!(!Path::new(out).exists());
    }
    let output = juror(&["report", &file, "-o", &file]);
    assert!(said(&output).contains("one of the files that are read"));
    let output = juror(&["report", &file, "-o", "-", "--rounds", "0"]);
    assert!(output.stdout.starts_with(b"<!DOCTYPE html>"));
}
