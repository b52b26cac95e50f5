//! `juror model` and `juror doctor` as a user runs them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::hub::server::{COMMIT, Fault, Server};

/// With a hub cache of its own and nothing of the environment's.
fn juror(cache: &Path, more: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_juror"));
    for name in [
        "HF_HOME",
        "HF_TOKEN",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "JUROR_SHARE",
    ] {
        command.env_remove(name);
    }
    command
        .env("JUROR_HOME", cache)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("HF_HUB_CACHE", cache)
        .env("HF_TOKEN_PATH", cache.join("no-token"))
        .envs(more.iter().copied())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn object(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The starter as a repository on a hub.
fn starter_hub() -> Server {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data/starter");
    let names = [
        "config.json",
        "juror.toml",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    let contents = names.map(|n| std::fs::read(folder.join(n)).unwrap());
    let files: Vec<(&str, &[u8], bool)> = names
        .iter()
        .zip(&contents)
        .map(|(n, c)| (*n, c.as_slice(), n.ends_with(".safetensors")))
        .collect();
    Server::start(&files)
}

#[test]
fn a_pulled_model_is_listed_shown_and_scores() {
    let (server, cache) = (starter_hub(), tempfile::tempdir().unwrap());
    let cache = cache.path();
    server.with(|s| s.faults.push_back(("/cdn/", Fault::Cut(1 << 20))));
    let online = [
        ("HF_ENDPOINT", server.url.as_str()),
        ("HF_TOKEN", "hf_secret"),
    ];
    let offline = [("HF_HUB_OFFLINE", "1")];

    let early = juror(cache, &online, &["model", "show", "hf:org/name"]);
    assert_eq!(early.status.code(), Some(2));
    assert!(
        said(&early).contains("juror model pull hf:org/name"),
        "{}",
        said(&early)
    );

    let pulled = juror(cache, &online, &["model", "pull", "hf:org/name", "--json"]);
    let object_ = object(&pulled);
    let snapshot = cache.join("models--org--name/snapshots").join(COMMIT);
    assert_eq!(object_["path"], snapshot.to_str().unwrap());
    assert!(
        object_["fetched_bytes"].as_u64().unwrap() > 4 << 20,
        "{object_}"
    );
    assert!(!said(&pulled).contains("hf_secret"));

    let list = object(&juror(cache, &offline, &["model", "list", "--json"]));
    assert_eq!(list[0]["name"], "starter");
    assert_eq!(list[1]["name"], "hf:org/name");
    assert_eq!(list[1]["architecture"], "llama");
    assert_eq!(list[1]["bytes"], list[0]["bytes"]);
    let table = juror(cache, &offline, &["model", "list"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("hf:org/name") && table.contains("MiB"),
        "{table}"
    );

    let show = |name| object(&juror(cache, &offline, &["model", "show", name, "--json"]));
    let (hub, own) = (show("hf:org/name"), show("starter"));
    assert_eq!(
        (&hub["hash"], &hub["templates"]["labels"]),
        (&own["hash"], &own["templates"]["labels"])
    );
    assert_eq!(
        own["templates"]["modes"],
        serde_json::json!(["reference", "free"])
    );
    assert_eq!(own["chat_template"], true);
    assert_eq!(own["context"], 2048);

    // A row scored by it states the hash that `show` does.
    let data = cache.join("in.jsonl");
    std::fs::write(
        &data,
        r#"{"id":"x","instruction":"Name a fish.","response":"Carp."}"#,
    )
    .unwrap();
    let row = |name| {
        let data = data.to_str().unwrap();
        object(&juror(
            cache,
            &offline,
            &[
                "score",
                data,
                "-o",
                "-",
                "--judge",
                name,
                "--signals",
                "self_eval",
            ],
        ))
    };
    let (by_hub, by_own) = (row("hf:org/name"), row("starter"));
    assert_eq!(by_hub["signals"], by_own["signals"]);
    assert_eq!(by_hub["judge"]["name"], "name");
    assert_eq!(by_hub["judge"]["hash"], hub["hash"]);
}

#[test]
fn what_is_shown_of_the_starter_is_so() {
    let cache = tempfile::tempdir().unwrap();
    let output = juror(cache.path(), &[], &["model", "show", "starter"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "architecture   llama",
        "parameters     5.3M",
        "chat template  yes",
        "starter (the model's own): reference, free",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_cannot_be_pulled_is_said() {
    let (server, cache) = (starter_hub(), tempfile::tempdir().unwrap());
    let online = [("HF_ENDPOINT", server.url.as_str())];
    let offline = [("HF_HUB_OFFLINE", "1"), online[0]];
    for (environment, name, said_) in [
        (&online[..], "starter", "only names on the hub are fetched"),
        (&online[..], "hf:org/gated", "accept the terms on"),
        (&online[..], "hf:org/other", "set HF_TOKEN"),
        (&offline[..], "hf:org/name", "HF_HUB_OFFLINE forbids"),
    ] {
        let output = juror(cache.path(), environment, &["model", "pull", name]);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(said_), "{}", said(&output));
    }
}

#[test]
fn the_doctor_finds_what_the_first_run_needs() {
    let cache = tempfile::tempdir().unwrap();
    let healthy = juror(
        cache.path(),
        &[("JUROR_HOME", "/tmp/of-juror")],
        &["doctor", "--json"],
    );
    let report = object(&healthy);
    assert_eq!(report["ok"], true);
    assert_eq!(report["data_folder"], "/tmp/of-juror");
    assert_eq!(report["hub"]["path"], cache.path().to_str().unwrap());
    assert_eq!(report["hub"]["token"], false);
    assert!(report["cpu"]["threads"].as_u64().unwrap() >= 1);
    assert!(report["devices"][0]["available"].as_bool().unwrap());
    assert!(!report["kernels"].as_array().unwrap().is_empty());
    let table = juror(cache.path(), &[], &["doctor"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("starter") && table.contains("hub cache"),
        "{table}"
    );

    // A copy of the program far from the bundled data, started elsewhere.
    let alone = cache.path().join("juror");
    std::fs::copy(env!("CARGO_BIN_EXE_juror"), &alone).unwrap();
    let output = Command::new(&alone)
        .args(["doctor", "--json"])
        .current_dir(cache.path())
        .env_remove("JUROR_SHARE")
        .env("HF_HUB_CACHE", cache.path().join("hub"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["ok"], &report["share"]["ok"]),
        (&false.into(), &false.into())
    );
    assert!(
        report["share"]["note"]
            .as_str()
            .unwrap()
            .contains("JUROR_SHARE")
    );
}

#[test]
fn a_quantised_starter_judges_like_the_starter() {
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("starter.gguf");
    let path = file.to_str().unwrap();
    let quantize = ["model", "quantize", "starter", "-o", path, "--json"];
    let written = object(&juror(cache.path(), &[], &quantize));
    assert_eq!(written["type"], "q8_0");
    assert_eq!(written["tokenizer"], Value::Null);
    let size = std::fs::metadata(&file).unwrap().len();
    assert_eq!(written["bytes"].as_u64(), Some(size));

    let again = juror(cache.path(), &[], &quantize);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("--force"), "{}", said(&again));
    let forced = [&quantize[..], &["--force"]].concat();
    assert!(juror(cache.path(), &[], &forced).status.success());
    let of_gguf = ["model", "quantize", path, "-o", path, "--force"];
    let refused = juror(cache.path(), &[], &of_gguf);
    assert!(
        said(&refused).contains("quantised already"),
        "{}",
        said(&refused)
    );

    let rows = cache.path().join("rows.jsonl");
    let row =
        r#"{"instruction": "Name a bear.", "reference": "A panda.", "response": "The panda."}"#;
    std::fs::write(&rows, row).unwrap();
    let scores = |judge: &str, out: &str| -> f64 {
        let out = cache.path().join(out);
        let (rows, to) = (rows.to_str().unwrap(), out.to_str().unwrap());
        let templates = "sample_data/starter/juror.toml";
        let score = [
            "score",
            rows,
            "-o",
            to,
            "--judge",
            judge,
            "--template",
            templates,
            "--signals",
            "self_eval",
            "--dtype",
            "f32",
            "--quiet",
        ];
        let output = juror(cache.path(), &[], &score);
        assert!(output.status.success(), "{}", said(&output));
        let text = std::fs::read_to_string(out).unwrap();
        let row: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        row["signals"]["self_eval"].as_f64().unwrap()
    };
    let (whole, eight_bits) = (scores("starter", "a.jsonl"), scores(path, "b.jsonl"));
    assert!((whole - eight_bits).abs() < 0.2, "{whole} {eight_bits}");
}
