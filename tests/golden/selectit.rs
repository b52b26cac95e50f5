//! SelectIT as a user runs it against transformers: every level, the paper's form and the released one, the rating line
//! before and after the pair (see selectit.py).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{here, json, numbers, tokenizer, weights};
use crate::pipelines::{json_of, lines};

/// Golden models by name, in folders that a byte tokenizer completes.
pub fn models(root: &Path, names: &[&str]) -> HashMap<String, PathBuf> {
    let make = |name: &&str| {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let config = here("architectures").join(format!("{name}.config.json"));
        weights::write_model(&config, &folder);
        tokenizer::write(&folder, None);
        ((*name).to_owned(), folder)
    };
    names.iter().map(make).collect()
}

#[test]
fn scores_and_selections_equal_an_independent_implementation() {
    let golden = json(here("selectit.json"));
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let models = models(root, &["llama3", "qwen2", "llama2"]);
    let (data, prompts) = (root.join("data.json"), root.join("prompts.txt"));
    std::fs::write(&data, golden["rows"].to_string()).unwrap();
    let text: String = golden["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    std::fs::write(&prompts, text).unwrap();
    let rows = golden["rows"].as_array().unwrap();
    let mut worst: f64 = 0.0;
    for (at, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
        let out = root.join(format!("{at}.json"));
        let judges: Vec<String> = case["judges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| models[name.as_str().unwrap()].display().to_string())
            .collect();
        let text = |path: &Path| path.display().to_string();
        let mut arguments = vec![
            "select".to_owned(),
            text(&data),
            "-o".into(),
            text(&out),
            "--level".into(),
            case["level"].as_str().unwrap().into(),
            "--judge".into(),
            judges.join(","),
            "--prompts".into(),
            text(&prompts),
            "--proportion".into(),
            golden["proportion"].to_string(),
            "--alpha".into(),
            golden["alpha"].to_string(),
            "--dtype=f32".into(),
            "--json".into(),
            "--threads=2".into(),
        ];
        if case["released"] == true {
            arguments.push("--as-released".into());
        }
        if case["last"] == true {
            arguments.push("--prompts-last".into());
        }
        if let Some(index) = case["index"].as_u64() {
            arguments.extend(["--prompt-index".into(), index.to_string()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let report = json_of(&arguments);
        let found = lines(&root.join(format!("{at}.json.scores.jsonl")));
        assert_eq!(found.len(), rows.len());
        let mut near = |got: &Value, want: &Value| {
            let far = (got.as_f64().unwrap() - want.as_f64().unwrap()).abs();
            worst = worst.max(far);
            assert!(far <= 1e-4, "case {at}: {got} is not {want}");
        };
        for (index, row) in found.iter().enumerate() {
            assert_eq!(row["index"], index);
            near(&row["score"], &case["scores"][index]);
            let by_judge = row["token_scores"].as_array().unwrap();
            assert_eq!(by_judge.len(), judges.len());
            for (got, want) in by_judge
                .iter()
                .zip(case["token_scores"][index].as_array().unwrap())
            {
                let (got, want) = (got.as_array().unwrap(), want.as_array().unwrap());
                assert_eq!(got.len(), want.len());
                got.iter().zip(want).for_each(|(got, want)| near(got, want));
            }
        }
        // The rows themselves, in descending score, ties the higher index first.
        let written = json(out);
        let chosen = numbers(&case["selected"]);
        assert_eq!(written.as_array().unwrap().len(), chosen.len());
        for (row, index) in written.as_array().unwrap().iter().zip(&chosen) {
            assert_eq!(row, &rows[*index as usize], "case {at}");
            assert_eq!(found[*index as usize]["selected"], true);
        }
        if let Some(weights) = case["weights"].as_array() {
            for (judge, weight) in report["judges"].as_array().unwrap().iter().zip(weights) {
                near(&judge["weight"], weight);
                let name = judge["name"].as_str().unwrap();
                assert_eq!(
                    judge["parameters"].as_f64(),
                    golden["parameters"][name].as_f64()
                );
            }
        }
    }
    println!("scores differ by at most {worst:.1e}");
}
