//! What goes on from scores: ranking, best-of-N, fusion, training data, as a user runs them.

use std::path::Path;

use serde_json::Value;

use super::score::{juror, said};

fn json_of(arguments: &[&str]) -> Value {
    let output = juror(arguments);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Eight instructions, three responses to each, of which one repeats the reference.
fn data(folder: &Path) -> String {
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
fn a_sentence_is_worth_what_is_lost_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, out) = (at("data.jsonl"), at("out.jsonl"));
    let record = serde_json::json!({
        "id": "one", "instruction": "Why is the sky blue?", "reference": "Air scatters blue light most.",
        "responses": [
            {"id": "whole", "response": "Größe counts. Air scatters blue light.\n1. It is not a mirror."},
            {"id": "first", "response": "Air scatters blue light.\n1. It is not a mirror."},
            {"id": "second", "response": "Größe counts. 1. It is not a mirror."},
            {"id": "third", "response": "Größe counts. Air scatters blue light.\n"},
            {"id": "empty", "response": ""},
        ],
    });
    std::fs::write(&data, record.to_string()).unwrap();
    for mode in ["reference", "free"] {
        let output = juror(&[
            "score",
            &data,
            "-o",
            &out,
            "--attribute",
            "sentences",
            "--mode",
            mode,
        ]);
        assert!(output.status.success(), "{}", said(&output));
        let rows = lines(Path::new(&out));
        let score = |at: usize| number(&rows[at]["signals"]["self_eval"]);
        let found = &rows[0]["attribution"];
        let sentences = found["sentences"].as_array().unwrap();
        assert_eq!(sentences.len(), 3);
        for (at, sentence) in sentences.iter().enumerate() {
            assert!((number(&sentence["drop"]) - (score(0) - score(at + 1))).abs() < 1e-9);
        }
        // In characters, not bytes.
        assert_eq!(
            (&sentences[0]["end"], &sentences[2]["end"]),
            (&14.into(), &61.into())
        );
        assert!((number(&found["whole"]) - (score(0) - score(4))).abs() < 1e-9);
    }
}

#[test]
fn variation_is_the_mean_cosine_with_what_the_policy_writes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, samples, pairs, out) = (at("d.jsonl"), at("s.jsonl"), at("p.jsonl"), at("o.jsonl"));
    let question = "{\"instruction\":\"Name three colours.\"}\n";
    std::fs::write(&data, question).unwrap();
    let policy = ["--max-tokens", "20", "--seed", "3"];
    json_of(
        &[
            &[
                "best-of",
                &data,
                "--n",
                "4",
                "--samples",
                &samples,
                "--quiet",
                "--json",
            ],
            &policy[..],
        ]
        .concat(),
    );
    let written = lines(Path::new(&samples)).remove(0);
    let mut references = String::new();
    for sample in written["responses"].as_array().unwrap() {
        let row = serde_json::json!({
            "instruction": "Name three colours.", "response": "Red, green and blue.", "reference": sample["response"],
        });
        references += &format!("{row}\n");
    }
    std::fs::write(&pairs, references).unwrap();
    assert!(
        juror(&["score", &pairs, "-o", &out, "--signals", "cosine"])
            .status
            .success()
    );
    // A blank text is no reference, and like nothing.
    let cosine = |row: &Value| row["signals"]["cosine"].as_f64().unwrap_or(0.0);
    let cosines: Vec<f64> = lines(Path::new(&out)).iter().map(cosine).collect();
    assert!(cosines.iter().any(|c| *c > 0.0));
    assert_eq!(cosines.len(), 4);
    // Two rows of one instruction, with and without a reference: one set of samples.
    let row = "{\"instruction\":\"Name three colours.\",\"response\":\"Red, green and blue.\"";
    std::fs::write(&data, format!("{row}}}\n{row},\"reference\":\"Red.\"}}\n")).unwrap();
    let given = [
        "score",
        &data,
        "-o",
        &out,
        "--signals",
        "vro,cosine",
        "--vro-samples",
        "4",
    ];
    assert!(juror(&[&given, &policy[..]].concat()).status.success());
    for row in lines(Path::new(&out)) {
        let found = number(&row["signals"]["vro"]);
        assert!(
            (found - cosines.iter().sum::<f64>() / 4.0).abs() < 1e-6,
            "{found} {cosines:?}"
        );
    }
}

#[test]
fn criteria_have_a_score_each_and_a_mean() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, both, out) = (data(folder.path()), at("both.toml"), at("out.jsonl"));
    let template = "reference = '<|instruction|>{instruction} {criterion}<|reference|>{reference}<|response|>{response}<|rate|>'\nwrap = 'none'\n";
    let criteria = [("brief", "Be brief."), ("true", "Is it true?")];
    let table: String = criteria
        .iter()
        .map(|(n, t)| format!("{n} = '{t}'\n"))
        .collect();
    std::fs::write(&both, format!("{template}[criteria]\n{table}")).unwrap();
    let scored = |template: &str| {
        let given = [
            "score",
            &data,
            "-o",
            &out,
            "--template",
            template,
            "--attribute",
            "sentences",
        ];
        let output = juror(&given);
        assert!(output.status.success(), "{}", said(&output));
        lines(Path::new(&out))
    };
    let all = scored(&both);
    let mut sums = vec![(0.0, 0.0, 0.0); all.len()];
    for (name, text) in criteria {
        let one = at("one.toml");
        std::fs::write(&one, template.replace("{criterion}", text)).unwrap();
        for ((row, one), sum) in all.iter().zip(scored(&one)).zip(&mut sums) {
            let found = number(&row["signals"][format!("self_eval.{name}")]);
            assert!((found - number(&one["signals"]["self_eval"])).abs() < 1e-9);
            sum.0 += found / 2.0;
            sum.1 += number(&one["self_eval"]["mass"]) / 2.0;
            sum.2 += number(&one["attribution"]["whole"]) / 2.0;
        }
    }
    for (row, (mean, mass, whole)) in all.iter().zip(sums) {
        assert!((number(&row["signals"]["self_eval"]) - mean).abs() < 1e-9);
        assert!((number(&row["self_eval"]["mass"]) - mass).abs() < 1e-9);
        assert!((number(&row["attribution"]["whole"]) - whole).abs() < 1e-9);
    }
}

#[test]
fn judges_together_give_their_mean_and_disagreement() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, out) = (data(folder.path()), at("out.jsonl"));
    // The same weights asked in another way are another judge.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data/starter");
    for file in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        std::fs::copy(starter.join(file), other.join(file)).unwrap();
    }
    let own = std::fs::read_to_string(starter.join("juror.toml")).unwrap();
    let own = own.replace("<|response|>{response}", "<|response|>Well: {response}");
    std::fs::write(other.join("juror.toml"), own).unwrap();
    let other = other.to_str().unwrap();
    let scored = |judge: &str| {
        let output = juror(&["score", &data, "-o", &out, "--judge", judge]);
        assert!(output.status.success(), "{}", said(&output));
        lines(Path::new(&out))
    };
    let (one, two) = (scored("starter"), scored(other));
    let both = scored(&format!("starter,{other}"));
    assert_eq!(both.len(), 24);
    for ((row, one), two) in both.iter().zip(&one).zip(&two) {
        let of = |row: &Value, name: &str| number(&row["signals"][name]);
        let (a, b) = (of(one, "self_eval"), of(two, "self_eval"));
        assert!((of(row, "self_eval") - (a + b) / 2.0).abs() < 1e-9);
        assert!((of(row, "disagreement") - (a - b).abs() / 2.0).abs() < 1e-9);
        assert!((of(row, "cosine") - of(one, "cosine")).abs() < 1e-9);
        assert_eq!(row["judges"][1]["judge"], two["judge"]["judge"]);
        assert_eq!(row["id"], one["id"]);
    }
    assert!(
        both.iter()
            .any(|row| number(&row["signals"]["disagreement"]) > 0.01)
    );
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

#[test]
fn digits_outside_the_likeliest_tokens_count_as_nothing_as_released() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let out = folder.path().join("out.jsonl");
    let scored = |more: &[&str]| {
        let given = ["score", &data, "-o", out.to_str().unwrap()];
        let output = juror(&[&given, more].concat());
        assert!(output.status.success(), "{}", said(&output));
        lines(&out)
    };
    let (all, released) = (scored(&[]), scored(&["--as-released"]));
    let mut changed = 0;
    for (all, released) in all.iter().zip(&released) {
        assert_ne!(all["template"]["hash"], released["template"]["hash"]);
        let probs = |row: &Value| -> Vec<f64> {
            row["self_eval"]["probs"]
                .as_array()
                .unwrap()
                .iter()
                .map(number)
                .collect()
        };
        let mass = |row: &Value| number(&row["self_eval"]["mass"]);
        let kept: f64 = probs(all)
            .iter()
            .zip(probs(released))
            .filter(|(_, r)| *r > 0.0)
            .map(|(p, _)| p)
            .sum();
        for (p, r) in probs(all).iter().zip(probs(released)) {
            assert!(r == 0.0 || (r - p / kept).abs() < 1e-9);
            changed += usize::from(r == 0.0);
        }
        assert!((mass(released) - kept * mass(all)).abs() < 1e-9);
    }
    // The starter is sure of digits: few others are ever among its likeliest.
    assert!(changed < 24 * 10 / 2);
}
