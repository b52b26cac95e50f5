//! `juror ifd` on tiny random models against transformers (see ifd.py beside this file).

use std::path::Path;

use serde_json::{Value, json};

use super::{here, json as read_json, numbers, tokenizer, weights};
use crate::score::{juror, said};

/// A golden model with a token a byte, and a BOS before every text or none.
fn model(case: &str, bos: bool, folder: &Path) {
    let config = here("architectures").join(format!("{case}.config.json"));
    weights::write_model(&config, folder);
    tokenizer::write(folder, None);
    if !bos {
        let path = folder.join("tokenizer.json");
        let mut tokenizer = read_json(path.clone());
        tokenizer["post_processor"] = Value::Null;
        std::fs::write(path, tokenizer.to_string()).unwrap();
    }
}

/// Relative; both are undefined or neither.
fn near(got: &Value, want: &Value, what: &str) {
    let (Some(a), Some(b)) = (got.as_f64(), want.as_f64()) else {
        assert_eq!(got, want, "{what}");
        return;
    };
    assert!(
        (a - b).abs() <= 1e-4 * b.abs().max(1e-9),
        "{what}: {a} is not {b}"
    );
}

#[test]
fn losses_and_ratios_equal_transformers() {
    let golden = read_json(here("ifd.json"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let text = |name: &str| file(name).display().to_string();
    std::fs::write(file("data.json"), golden["pairs"].to_string()).unwrap();
    std::fs::write(file("reverse.txt"), golden["reverse"].as_str().unwrap()).unwrap();
    let names = [
        "ppl_Q_direct",
        "ppl_A_direct",
        "ppl_Q_condition",
        "ppl_A_condition",
    ];
    let max_length = golden["max_length"].to_string();
    for case in golden["cases"].as_array().unwrap() {
        let (name, bos) = (
            case["model"].as_str().unwrap(),
            case["bos"].as_bool().unwrap(),
        );
        let wrap = case["wrap"].as_str().unwrap();
        let student = tempfile::tempdir().unwrap();
        model(name, bos, student.path());
        let output = juror(&[
            "ifd",
            &text("data.json"),
            "-o",
            &text("out.jsonl"),
            "--analysis",
            &text("analysis.jsonl"),
            "--student",
            student.path().to_str().unwrap(),
            "--dtype",
            "f32",
            "--threads",
            "1",
            "--wrap",
            wrap,
            "--reverse",
            &text("reverse.txt"),
            "--max-length",
            &max_length,
        ]);
        assert!(output.status.success(), "{}", said(&output));
        let rows = std::fs::read_to_string(file("out.jsonl")).unwrap();
        let lines = std::fs::read_to_string(file("analysis.jsonl")).unwrap();
        let want = case["rows"].as_array().unwrap();
        assert_eq!(rows.lines().count(), want.len());
        for (n, ((row, line), want)) in rows.lines().zip(lines.lines()).zip(want).enumerate() {
            let row: Value = serde_json::from_str(row).unwrap();
            let line: Value = serde_json::from_str(line).unwrap();
            let what = format!("{name} bos {bos} {wrap} row {n}");
            for (at, field) in names.iter().enumerate() {
                near(&row[field], &want["ppl"][at], &what);
                near(&row[field.replace("ppl", "loss")], &want["loss"][at], &what);
                near(&line["ppl"][at], &want["ppl"][at], &what);
            }
            let ratios = ["ifd_ppl", "rifd_ppl", "ifd_loss", "rifd_loss"];
            for (at, field) in ratios.iter().enumerate() {
                near(&row[field], &want["ratios"][at], &what);
            }
            let is_whole = want["loss"]
                .as_array()
                .unwrap()
                .iter()
                .all(|loss| !loss.is_null());
            assert_eq!(row["error"].is_null(), is_whole, "{what}: {}", row["error"]);
            assert_eq!(row["output"], golden["pairs"][n]["output"]);
        }
    }
}

#[test]
fn an_analysis_that_was_kept_gives_the_same_fields() {
    let golden = read_json(here("ifd.json"));
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| folder.path().join(name).display().to_string();
    let case = &golden["cases"][0]["rows"];
    // The released scripts write 0 for what failed, and Python NaN for what is not a number.
    let lines: String = case
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{}\n", json!({"ppl": row["ppl"], "loss": row["loss"]})))
        .collect();
    let rows = numbers(&case[0]["ppl"]).len();
    assert_eq!(rows, 4);
    let lines = lines.replacen("null", "NaN", 1).replacen("null", "0.0", 1);
    std::fs::write(text("analysis.jsonl"), lines).unwrap();
    std::fs::write(text("data.json"), golden["pairs"].to_string()).unwrap();
    let output = juror(&[
        "ifd",
        &text("data.json"),
        "-o",
        "-",
        "--from-analysis",
        &text("analysis.jsonl"),
    ]);
    assert!(output.status.success(), "{}", said(&output));
    let out = String::from_utf8(output.stdout).unwrap();
    for (n, line) in out.lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap();
        near(&row["ifd_ppl"], &case[n]["ratios"][0], &format!("row {n}"));
        near(
            &row["rifd_loss"],
            &case[n]["ratios"][3],
            &format!("row {n}"),
        );
    }
    std::fs::write(
        text("short.jsonl"),
        "{\"ppl\":[1,1,1,1],\"loss\":[0,0,0,0]}\n",
    )
    .unwrap();
    let output = juror(&[
        "ifd",
        &text("data.json"),
        "-o",
        "-",
        "--from-analysis",
        &text("short.jsonl"),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("1 lines for 7 rows"),
        "{}",
        said(&output)
    );
}
