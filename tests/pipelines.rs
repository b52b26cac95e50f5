//! What goes on from scores: ranking, best-of-N, fusion, training data, as a user runs them.

use std::path::Path;

use serde_json::Value;

use super::score::{juror, said};

pub fn json_of(arguments: &[&str]) -> Value {
    let output = juror(arguments);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Eight instructions, three responses to each, of which one repeats the reference.
pub fn data(folder: &Path) -> String {
    let path = folder.join("data.jsonl");
    let mut text = String::new();
    for i in 0..8 {
        let good = format!("Water boils at {} degrees when the pressure falls.", 60 + i);
        let rows = [
            ("near", good.clone(), 9),
            (
                "far",
                "Bananas are yellow and monkeys like them.".to_owned(),
                1,
            ),
            ("none", "I cannot help with that.".to_owned(), 0),
        ];
        for (generator, response, rating) in rows {
            let row = serde_json::json!({
                "id": format!("{i}-{generator}"), "instruction": format!("When does water boil at height {i}?"),
                "reference": good, "response": response, "generator": generator, "rating": rating,
                "dataset": "kitchen",
            });
            text += &format!("{row}\n");
        }
    }
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn generators_are_ranked_and_compared_with_a_leaderboard() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let board = folder.path().join("board.csv");
    std::fs::write(
        &board,
        "model,wins,more\nnear,90,1\nfar,20,\nnone,10,2\nother,5,3\n",
    )
    .unwrap();
    let board = board.to_str().unwrap();
    let scored = folder.path().join("scored.jsonl");
    let scored = scored.to_str().unwrap();
    let given = [
        "--leaderboard",
        board,
        "--column",
        "wins,more",
        "--rounds",
        "50",
        "--json",
    ];
    let first = json_of(&[&["rank", &data, "--scored", scored, "--quiet"], &given[..]].concat());
    assert_eq!(first["signal"], "fused");
    assert_eq!(first["instructions"], 8);
    let ranking = first["ranking"].as_array().unwrap();
    assert_eq!(ranking[0]["generator"], "near");
    assert_eq!(
        (&ranking[0]["rank"], &ranking[0]["rows"]),
        (&1.into(), &8.into())
    );
    assert!(number(&ranking[1]["mean"]["estimate"]) < number(&ranking[0]["mean"]["low"]));
    assert!(ranking[1]["rank"] != 1);
    assert_eq!(first["leaderboard"][0]["generators"], 3);
    assert_eq!(first["leaderboard"][1]["generators"], 2);
    // Scored rows say the same again.
    assert_eq!(json_of(&[&["rank", scored], &given[..]].concat()), first);
    for (more, cause) in [
        (
            vec!["--leaderboard", board, "--column", "losses"],
            "there are wins, more",
        ),
        (vec!["--signal", "reward"], "no signal `reward`"),
    ] {
        let output = juror(&[vec!["rank", scored], more].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(cause), "{}", said(&output));
    }
}

#[test]
fn the_best_response_is_picked_and_the_curve_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let out = folder.path().join("model_outputs.json");
    let given = [
        "best-of",
        &data,
        "-o",
        out.to_str().unwrap(),
        "--quiet",
        "--json",
        "--rounds",
        "50",
    ];
    let report = json_of(&given);
    assert_eq!(report["label"], "rating");
    let curve = report["curve"].as_array().unwrap();
    let of: Vec<u64> = curve.iter().map(|p| p["n"].as_u64().unwrap()).collect();
    assert_eq!(of, [1, 2, 3]);
    assert!((number(&curve[0]["label"]["estimate"]) - 10.0 / 3.0).abs() < 1e-9);
    assert_eq!(number(&curve[2]["label"]["estimate"]), 9.0);
    assert_eq!(number(&report["others"]["oracle"]["estimate"]), 9.0);
    // Scored rows tell the lengths, too.
    let scored = folder.path().join("scored.jsonl");
    let scored = scored.to_str().unwrap();
    assert!(juror(&["score", &data, "-o", scored]).status.success());
    let again = json_of(&["best-of", scored, "--json", "--rounds", "50"]);
    assert_eq!(again["others"], report["others"]);
    assert_eq!(again["curve"][2]["length"], report["curve"][2]["length"]);
    let picked: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let picked = picked.as_array().unwrap();
    assert_eq!(picked.len(), 8);
    for row in picked {
        assert!(row["output"].as_str().unwrap().starts_with("Water boils"));
        assert_eq!(row["generator"], "best-of-3");
        assert_eq!(row["dataset"], "kitchen");
    }
}

#[test]
fn the_policy_writes_where_there_is_nothing_to_pick_from() {
    let folder = tempfile::tempdir().unwrap();
    let (questions, samples) = (folder.path().join("q.jsonl"), folder.path().join("s.jsonl"));
    let rows = "{\"instruction\":\"Name three colours.\"}\n{\"instruction\":\"What is 2 + 2?\"}\n";
    std::fs::write(&questions, rows).unwrap();
    let (questions, out) = (questions.to_str().unwrap(), samples.to_str().unwrap());
    let given = [
        "best-of",
        questions,
        "--n",
        "5",
        "--max-tokens",
        "12",
        "--samples",
        out,
        "--quiet",
        "--json",
    ];
    let report = json_of(&given);
    assert_eq!(report["signal"], "self_eval");
    assert_eq!(report["curve"][0]["instructions"], 2);
    let written = lines(&samples);
    assert_eq!(written[0]["responses"].as_array().unwrap().len(), 5);
    let texts = |row: &Value| -> Vec<String> {
        let each = row["responses"].as_array().unwrap().iter();
        each.map(|r| r["response"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(
        texts(&written[0])[1..]
            .iter()
            .any(|t| *t != texts(&written[0])[0])
    );
    // The texts of a record do not depend on what else is asked.
    std::fs::write(questions, rows.lines().nth(1).unwrap()).unwrap();
    json_of(&given);
    assert_eq!(texts(&lines(&samples)[0]), texts(&written[1]));
}

#[test]
fn a_second_pass_fuses_what_a_first_one_scored() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (scored, fused, again, preset) =
        (at("s.jsonl"), at("f.jsonl"), at("g.jsonl"), at("p.toml"));
    assert!(
        juror(&["score", &data, "-o", &scored, "--quiet"])
            .status
            .success()
    );
    let output = juror(&[
        "fuse",
        &scored,
        "-o",
        &fused,
        "--normalize",
        "zscore",
        "--weight",
        "0.25",
    ]);
    assert!(output.status.success(), "{}", said(&output));
    let rows = lines(Path::new(&fused));
    let column =
        |name: &str| -> Vec<f64> { rows.iter().map(|r| number(&r["signals"][name])).collect() };
    let normalized = |values: &[f64]| -> Vec<f64> {
        let n = values.len() as f64;
        let center = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|x| (x - center).powi(2)).sum::<f64>() / n).sqrt();
        values.iter().map(|x| (x - center) / sd).collect()
    };
    let (one, other) = (
        normalized(&column("self_eval")),
        normalized(&column("cosine")),
    );
    for (row, fused) in column("fused").iter().enumerate() {
        assert!((fused - (0.75 * one[row] + 0.25 * other[row])).abs() < 1e-9);
    }
    assert_eq!(
        rows[0]["instruction_hash"],
        lines(Path::new(&scored))[0]["instruction_hash"]
    );
    // The fitted normaliser gives the same again, and a threshold on it holds for it alone.
    let normalizer = format!("{fused}.normalizer.json");
    assert!(
        juror(&["fuse", &scored, "-o", &again, "--normalizer", &normalizer])
            .status
            .success()
    );
    assert_eq!(lines(Path::new(&again)), rows);
    let threshold = [
        "threshold",
        &fused,
        "--label",
        "rating",
        "--good",
        ">=6",
        "--signal",
        "fused",
    ];
    let output = juror(&[&threshold[..], &["--target-coverage", "0.5", "-o", &preset]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let output = juror(&["score", &data, "-o", &again, "--threshold", &preset]);
    assert!(
        said(&output).contains("fused by `zscore 0.25"),
        "{}",
        said(&output)
    );
    let output = juror(&["fuse", &scored, "-o", &scored]);
    assert!(
        said(&output).contains("is one of the files that are read"),
        "{}",
        said(&output)
    );
}

#[test]
fn training_data_come_in_two_aligned_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let out = folder.path().join("training");
    let output = juror(&["make-training", &data, "-o", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    let read = |name: &str| -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap()
    };
    let (with, without) = (read("with_reference.json"), read("reference_free.json"));
    assert_eq!((with.len(), without.len()), (24, 24));
    for (one, other) in with.iter().zip(&without) {
        assert_eq!(
            (&one["id"], &one["output"]),
            (&other["id"], &other["output"])
        );
        assert_eq!(one["input"], "");
        let (one, other) = (
            one["instruction"].as_str().unwrap(),
            other["instruction"].as_str().unwrap(),
        );
        assert!(
            one.contains("# Reference answer\nWater boils at") && !other.contains("# Reference")
        );
        assert!(one.ends_with("Grade:"));
    }
    // The repeated references are the best third.
    let digit = |row: &Value| row["output"].as_str().unwrap().parse::<usize>().unwrap();
    let (near, rest): (Vec<_>, Vec<_>) = with.iter().enumerate().partition(|(i, _)| i % 3 == 0);
    let least = near.iter().map(|(_, row)| digit(row)).min().unwrap();
    let most = rest.iter().map(|(_, row)| digit(row)).max().unwrap();
    assert!(least >= most, "{least} {most}");
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let before = std::fs::read(&data).unwrap();
    let scored = folder.path().join("scored.jsonl");
    let scored = scored.to_str().unwrap();
    assert!(juror(&["score", &data, "-o", scored]).status.success());
    let same = format!("{}/./data.jsonl", folder.path().display());
    for given in [
        vec!["score", &data, "-o", &same],
        vec!["rank", &data, "--scored", &same],
        vec!["best-of", &data, "-o", &same],
        vec!["best-of", &data, "--samples", &same],
        vec!["fuse", scored, "-o", scored],
        vec![
            "threshold",
            scored,
            "--label",
            "rating",
            "--good",
            ">=6",
            "--target-coverage",
            "0.5",
            "-o",
            scored,
        ],
    ] {
        let output = juror(&given);
        assert_eq!(output.status.code(), Some(2), "{given:?}");
        assert!(
            said(&output).contains("one of the files that are read"),
            "{}",
            said(&output)
        );
    }
    assert_eq!(std::fs::read(&data).unwrap(), before);
}

#[test]
fn a_preset_holds_for_its_mode_embedder_and_fusion() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, scored, preset, out) = (
        data(folder.path()),
        at("s.jsonl"),
        at("p.toml"),
        at("o.jsonl"),
    );
    assert!(juror(&["score", &data, "-o", &scored]).status.success());
    let fused = at("f.jsonl");
    assert!(
        juror(&["fuse", &scored, "-o", &fused, "--normalize", "rank"])
            .status
            .success()
    );
    let threshold = |file: &str, signal: &str| {
        let given = [
            "threshold",
            file,
            "--label",
            "rating",
            "--good",
            ">=6",
            "--signal",
            signal,
        ];
        let output = juror(&[&given[..], &["--target-coverage", "0.5", "-o", &preset]].concat());
        assert!(output.status.success(), "{}", said(&output));
    };
    let verdicts = |file: &str| -> usize {
        let rows = lines(Path::new(file));
        rows.iter()
            .filter(|row| row.get("verdict").is_some_and(Value::is_string))
            .count()
    };
    threshold(&scored, "self_eval");
    let score = |more: &[&str]| {
        let given = ["score", &data, "-o", &out, "--threshold", &preset, "--json"];
        juror(&[&given, more].concat())
    };
    assert!(score(&[]).status.success());
    assert_eq!(verdicts(&out), 24);
    let output = score(&["--mode", "free"]);
    assert_eq!(verdicts(&out), 0);
    assert!(
        said(&output).contains("24 rows have no verdict"),
        "{}",
        said(&output)
    );
    // Another weight is another fusion; what was fused in a second pass is cut there.
    threshold(&scored, "fused");
    assert!(said(&score(&["--weight", "0.4"])).contains("fused by `range 0.4`"));
    threshold(&fused, "fused");
    assert!(said(&score(&[])).contains("juror fuse --threshold"));
    let given = [
        "fuse",
        &scored,
        "-o",
        &out,
        "--normalize",
        "rank",
        "--threshold",
        &preset,
    ];
    assert!(juror(&given).status.success());
    assert_eq!(verdicts(&out), 24);
    // Without the preset no verdict on other scores stays.
    assert!(
        juror(&["fuse", &out, "-o", &at("g.jsonl"), "--normalize", "zscore"])
            .status
            .success()
    );
    assert_eq!(verdicts(&at("g.jsonl")), 0);
    let embedder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert");
    threshold(&scored, "cosine");
    let output = score(&["--embedder", embedder.to_str().unwrap()]);
    assert!(
        said(&output).contains("by an embedder with the hash"),
        "{}",
        said(&output)
    );
    let output = juror(&[
        "threshold",
        &scored,
        "--label",
        "rating",
        "--good",
        ">=6",
        "--signal",
        "ppl",
        "--target-coverage",
        "0.5",
    ]);
    assert!(said(&output).contains("the better one"));
}
