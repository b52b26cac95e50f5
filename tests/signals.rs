//! `juror score --signals ppl,reward,generated` as a user runs it, on tiny random models.

use std::path::{Path, PathBuf};

use juror::kernel::Format;
use serde_json::Value;
use tempfile::TempDir;

use super::golden::{forward, tokenizer, weights};
use super::score::{said, score};

const ROWS: &str = r#"{"id":"x","instruction":"Name a colour.","response":"Blue, <s>."}
{"id":"y","instruction":"Name a fish.","response":"Carp."}
{"id":"z","instruction":"Say nothing.","response":""}
"#;

const CHAT: &str = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}\
                    {% if add_generation_prompt %}<assistant>{% endif %}";

/// A golden model in a folder of its own, with a tokenizer.
fn model(case: &str, chat: Option<&str>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/architectures");
    weights::write_model(&golden.join(format!("{case}.config.json")), folder.path());
    tokenizer::write(folder.path(), chat);
    folder
}

fn name(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

fn number(row: &Value, signal: &str) -> f64 {
    let value = &row["signals"][signal];
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{signal} of {row}"))
}

/// What the model itself says: the perplexity of a text's end, or what its head says at the end.
fn perplexity(folder: &Path, before: &str, text: &str) -> f64 {
    let decoder = forward::open(folder, Format::F32, 1);
    let ids = tokenizer::ids(&format!("{before}{text}"));
    let (hidden, _) = forward::hidden(&decoder, &ids, &[]).unwrap();
    let dim = decoder.config().dim;
    let from = ids.len() - text.len();
    let log_prob =
        |at: usize| forward::last_log_probs(&decoder, &hidden[..at * dim])[ids[at] as usize];
    let sum: f64 = (from..ids.len()).map(log_prob).sum();
    (-sum / text.len() as f64).exp()
}

fn reward(folder: &Path, text: &str) -> f64 {
    let decoder = forward::open(folder, Format::F32, 1);
    let (hidden, _) = forward::hidden(&decoder, &tokenizer::ids(text), &[]).unwrap();
    let last = &hidden[hidden.len() - decoder.config().dim..];
    f64::from(forward::logits(&decoder, last)[0])
}

fn near(got: f64, want: f64) {
    assert!((got / want - 1.0).abs() < 1e-3, "{got} is not {want}");
}

#[test]
fn perplexity_is_of_the_response_alone() {
    for (chat, between) in [
        (None, ("", "\n\n")),
        (Some(CHAT), ("<user>", "\n<assistant>")),
    ] {
        let policy = model("llama2", chat);
        let more = [
            "--signals",
            "ppl",
            "--policy",
            name(&policy),
            "--dtype",
            "f32",
        ];
        let (rows, output) = score(ROWS, &more);
        assert!(output.status.success(), "{}", said(&output));
        for (row, (x, y)) in rows
            .iter()
            .zip([("Name a colour.", "Blue, <s>."), ("Name a fish.", "Carp.")])
        {
            assert_eq!(row["error"], Value::Null);
            let before = format!("{}{x}{}", between.0, between.1);
            near(number(row, "ppl"), perplexity(policy.path(), &before, y));
            assert!(row.get("generated").is_none());
        }
        assert_eq!(rows[2]["signals"]["ppl"], Value::Null);
        let error = rows[2]["error"].as_str().unwrap();
        assert!(error.contains("the response is empty"), "{error}");
    }
}

#[test]
fn a_reward_model_sees_turns_or_what_a_template_says() {
    let plain = model("llama-reward", None);
    let chat = model("llama-reward", Some(CHAT));
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("ultra.txt");
    std::fs::write(&template, "Human: {instruction}\nAssistant: {response}").unwrap();
    let template = template.to_str().unwrap();
    let by_template = ["--template", template, "--wrap", "none"];
    for (model, more, want) in [
        (&plain, &[][..], "Name a fish.\n\nCarp."),
        (&chat, &[], "<user>Name a fish.\n<assistant>Carp.\n"),
        (&chat, &by_template, "Human: Name a fish.\nAssistant: Carp."),
    ] {
        let mut all = vec![
            "--signals",
            "reward",
            "--judge",
            name(model),
            "--dtype",
            "f32",
        ];
        all.extend(more);
        let (rows, output) = score(ROWS, &all);
        assert!(output.status.success(), "{}", said(&output));
        assert!(rows.iter().all(|row| row["error"].is_null()));
        near(number(&rows[1], "reward"), reward(model.path(), want));
    }
}

#[test]
fn signals_of_two_models_stand_in_one_row() {
    let (judge, policy) = (model("llama-reward", None), model("llama2", None));
    let (rows, output) = score(
        ROWS,
        &[
            "--signals",
            "reward,ppl",
            "--judge",
            name(&judge),
            "--policy",
            name(&policy),
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    for row in &rows[..2] {
        assert!(number(row, "ppl") > 1.0 && number(row, "reward").is_finite());
        assert!(row["prompt_tokens"].as_u64().unwrap() > 30);
    }
    // The empty response has a reward still.
    assert!(number(&rows[2], "reward").is_finite());
    assert_eq!(rows[2]["signals"]["ppl"], Value::Null);
}

#[test]
fn what_a_model_cannot_give_is_an_error_on_the_row() {
    let reward = model("llama-reward", None);
    let labels = model("qwen2-reward", None);
    for (model, signals, expected) in [
        (
            Some(&reward),
            "self_eval",
            "needs a model with a language head",
        ),
        (Some(&labels), "reward", "has 1 label, this model 3"),
        (None, "reward", "needs a model with a reward head"),
        (None, "generated", "asks for no text"),
    ] {
        let mut all = vec!["--signals", signals];
        if let Some(model) = model {
            all.extend(["--judge", name(model)]);
        }
        let (rows, output) = score(ROWS, &all);
        assert!(output.status.success(), "{}", said(&output));
        let error = rows[1]["error"].as_str().unwrap();
        assert!(error.contains(expected), "{error}");
        assert_eq!(rows[1]["signals"][signals], Value::Null);
    }
}

fn template(folder: &TempDir, generate: &str) -> PathBuf {
    let path = folder.path().join("rate.toml");
    let text =
        format!("free = \"{{instruction}} {{response}} Rating: 7\\n\"\n[generate]\n{generate}\n");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_score_is_read_out_of_what_is_written() {
    let judge = model("llama2", None);
    let folder = tempfile::tempdir().unwrap();
    // A random model writes random bytes; hot and long enough, there are digits among them.
    let file = template(
        &folder,
        "pattern = '([0-9])'\nmax_tokens = 400\ntemperature = 4.0\nseed = 5",
    );
    let run = || {
        score(
            ROWS,
            &[
                "--signals",
                "generated",
                "--judge",
                name(&judge),
                "--template",
                file.to_str().unwrap(),
            ],
        )
    };
    let (rows, output) = run();
    assert!(output.status.success(), "{}", said(&output));
    for row in &rows {
        let text = row["generated"].as_str().unwrap();
        let last = text.chars().rev().find(char::is_ascii_digit).unwrap();
        assert_eq!(
            number(row, "generated"),
            f64::from(last.to_digit(10).unwrap())
        );
        assert_eq!(row["error"], Value::Null);
        assert_eq!(row["mode"], "reference-free");
    }
    assert_eq!(run().0, rows, "the same seed writes the same");
}

#[test]
fn what_has_no_score_is_shown_and_the_prompt_never_counts() {
    let judge = model("llama2", None);
    let folder = tempfile::tempdir().unwrap();
    let file = template(&folder, "pattern = 'Rating: ([0-9]+)'\nmax_tokens = 120");
    let (rows, output) = score(
        ROWS,
        &[
            "--signals",
            "generated,self_eval",
            "--judge",
            name(&judge),
            "--template",
            file.to_str().unwrap(),
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    for row in &rows {
        assert_eq!(row["signals"]["generated"], Value::Null);
        // What can be had is there.
        assert!((0.0..=9.0).contains(&number(row, "self_eval")));
        assert!(!row["generated"].as_str().unwrap().is_empty());
        let error = row["error"].as_str().unwrap();
        assert!(
            error.contains("no score in what the judge wrote"),
            "{error}"
        );
        assert!(!error.contains(char::is_control), "{error:?}");
    }
    let bad = template(&folder, "pattern = 'Rating'");
    let (_, output) = score(ROWS, &["--template", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("has no group"), "{}", said(&output));
}

#[test]
fn a_gguf_file_judges_with_its_own_tokenizer() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gguf");
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("short.txt");
    std::fs::write(&template, "{response} ").unwrap();
    for name in ["llama3.gguf", "qwen2.gguf"] {
        let file = here.join(name);
        let more = ["--judge", file.to_str().unwrap(), "--template"];
        let mut more = more.to_vec();
        more.push(template.to_str().unwrap());
        more.extend(["--wrap", "none", "--signals", "self_eval_free"]);
        let (rows, output) = score(ROWS, &more);
        assert!(output.status.success(), "{}", said(&output));
        for row in &rows[..2] {
            assert_eq!(row["error"], Value::Null, "{row}");
            assert!((0.0..=9.0).contains(&number(row, "self_eval_free")));
        }
    }
}
