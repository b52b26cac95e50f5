//! What else a judge is asked of a response: sentences, samples, criteria, other judges.

use std::path::Path;

use serde_json::Value;

use super::pipelines::{data, json_of, lines, number};
use super::score::{juror, said};

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
