//! Embedder, policy and student on a server; what a server lacks is said before anything is asked.

use std::process::Command;

use serde_json::Value;

use super::Place;
use super::server::{Server, digits};
use crate::score::said;

#[test]
fn an_embedder_on_a_server_gives_the_cosine() {
    let (server, place) = (Server::start(digits), Place::new(3));
    let (_, rows) = place.score(&server.name(), &["--embedder", &server.name()]);
    for row in &rows {
        let cosine = row["signals"]["cosine"].as_f64().unwrap();
        assert!(cosine > 0.0 && cosine <= 1.0 && row["signals"]["fused"].is_number());
        assert_eq!(row["embedder"]["name"], "ours");
    }
    // A judge of this machine with an embedder elsewhere, and the other way round.
    let (_, mixed) = place.score("starter", &["--embedder", &server.name()]);
    let (_, turned) = place.score(&server.name(), &["--embedder", "starter"]);
    for ((row, mixed), turned) in rows.iter().zip(&mixed).zip(&turned) {
        assert_eq!(row["signals"]["cosine"], mixed["signals"]["cosine"]);
        assert_eq!(row["signals"]["self_eval"], turned["signals"]["self_eval"]);
        assert_ne!(row["signals"]["cosine"], turned["signals"]["cosine"]);
    }
}

#[test]
fn what_a_server_lacks_is_refused_before_anything_is_asked() {
    let (server, place) = (Server::start(digits), Place::new(2));
    let refused = |more: &[&str]| {
        let output = place.try_score(&server.name(), more);
        assert_eq!(output.status.code(), Some(2));
        assert!(server.asked().is_empty());
        said(&output)
    };
    assert!(refused(&["--signals", "reward"]).contains("reward head"));
    server.with(|state| {
        state.without.insert("/embeddings");
        state.without.insert("v1/completions");
    });
    let cosine = refused(&["--signals", "self_eval,cosine"]);
    assert!(
        cosine.contains("cosine") && cosine.contains("--embedder"),
        "{cosine}"
    );
    let ppl = refused(&["--signals", "ppl"]);
    assert!(
        ppl.contains("ppl") && ppl.contains("log-probabilities of a prompt"),
        "{ppl}"
    );
    // Without either endpoint there is nothing to ask.
    server.with(|state| state.without.insert("chat/completions"));
    assert!(refused(&[]).contains("404"));
}

#[test]
fn perplexity_and_ifd_come_from_echoed_prompts_or_what_stands_beside() {
    for beside in [false, true] {
        let (server, place) = (Server::start(digits), Place::new(2));
        server.with(|state| state.beside = beside);
        let (_, rows) = place.score(&server.name(), &["--signals", "ppl"]);
        for row in &rows {
            let ppl = row["signals"]["ppl"].as_f64().unwrap();
            assert!((ppl - 0.5_f64.exp()).abs() < 1e-9, "{ppl}");
        }
        let out = place.text("ifd.jsonl");
        let output = place.juror(&[
            "ifd",
            &place.text("data.jsonl"),
            "-o",
            &out,
            "--student",
            &server.name(),
            "--json",
        ]);
        assert!(output.status.success(), "{}", said(&output));
        let rows = place.rows("ifd.jsonl");
        assert!(rows.iter().all(|row| {
            row["ifd_ppl"]
                .as_f64()
                .is_some_and(|ifd| (ifd - 1.0).abs() < 1e-9)
        }));
        let table = place.juror(&["doctor", "--judge", &server.name()]).stdout;
        let by = ["by echo", "by prompt_logprobs"][usize::from(beside)];
        assert!(String::from_utf8(table).unwrap().contains(by), "{by}");
    }
}

#[test]
fn a_policy_on_a_server_writes_what_is_judged() {
    let (server, place) = (Server::start(digits), Place::new(0));
    let bare: Vec<String> = (0..3)
        .map(|n| format!(r#"{{"id":"{n}","instruction":"Name {n}."}}"#))
        .collect();
    std::fs::write(place.text("data.jsonl"), bare.join("\n")).unwrap();
    let samples = place.text("samples.jsonl");
    let arguments = [
        "best-of",
        &place.text("data.jsonl"),
        "--n",
        "4",
        "--judge",
        &server.name(),
        "--mode",
        "free",
        "--samples",
        &samples,
        "--json",
        "--rounds",
        "0",
    ];
    let output = place.juror(&arguments);
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["signal"], "self_eval");
    let records = place.rows("samples.jsonl");
    let responses = records[0]["responses"].as_array().unwrap();
    assert_eq!((records.len(), responses.len()), (3, 4));
    assert!(
        responses[0]["response"]
            .as_str()
            .unwrap()
            .starts_with("written ")
    );
    let seeds = server
        .asked()
        .into_iter()
        .filter_map(|seen| seen.body["seed"].as_u64());
    assert_eq!(
        seeds.collect::<std::collections::HashSet<_>>().len(),
        12,
        "each text has a seed of its own"
    );
}

#[test]
fn training_data_come_from_a_server_alone() {
    let (server, place) = (Server::start(digits), Place::new(0));
    let bare: Vec<String> = (0..4)
        .map(|n| format!(r#"{{"id":"{n}","instruction":"Name {n}.","reference":"It is {n}."}}"#))
        .collect();
    std::fs::write(place.text("data.jsonl"), bare.join("\n")).unwrap();
    let (name, samples) = (server.name(), place.text("samples.jsonl"));
    let made = |data: &str, out: &str, more: &[&str]| -> [Vec<u8>; 2] {
        let (data, folder) = (place.text(data), place.text(out));
        let roles = ["--judge", &name, "--embedder", &name, "--quiet"];
        let output =
            place.juror(&[&["make-training", &data, "-o", &folder], &roles[..], more].concat());
        assert!(output.status.success(), "{}", said(&output));
        ["with_reference.json", "reference_free.json"]
            .map(|file| std::fs::read(place.text(&format!("{out}/{file}"))).unwrap())
    };
    let written = made("data.jsonl", "first", &["--n", "2", "--samples", &samples]);
    for file in &written {
        let rows: Vec<Value> = serde_json::from_slice(file).unwrap();
        assert_eq!(rows.len(), 8);
        for (at, row) in rows.iter().enumerate() {
            let (prompt, digit) = (row["instruction"].as_str().unwrap(), &row["output"]);
            assert!(prompt.contains(&format!("Name {}.", at / 2)) && prompt.contains("written "));
            assert!(digit.as_str().unwrap().parse::<u8>().unwrap() < 10);
        }
    }
    // Of the texts that were kept, the same data, without a text being written again.
    let wrote = |server: &Server| {
        let asked = server.asked().into_iter();
        asked.filter(|seen| seen.body["seed"].is_u64()).count()
    };
    let before = wrote(&server);
    assert!(before >= 8, "{before}");
    assert_eq!(made("samples.jsonl", "second", &[]), written);
    assert_eq!(wrote(&server), before);
}

#[test]
fn doctor_tells_what_a_server_can() {
    let (server, place) = (Server::start(digits), Place::new(0));
    let output = place.juror(&["doctor", "--judge", &server.name()]);
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    for line in [
        "chat/completions",
        "12 likeliest",
        "by echo",
        "3 dimensions",
        "4096 tokens",
        "has 8 tokens",
    ] {
        assert!(table.contains(line), "{line} in\n{table}");
    }
    server.with(|state| state.without.insert("/embeddings"));
    let output = place.juror(&["doctor", "--judge", &server.name(), "--json"]);
    let probed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(probed["embeddings"].is_null() && probed["chat"] == 12);
    assert!(server.asked().is_empty(), "only probes");
    let output = place.juror(&["doctor", "--judge", "starter"]);
    assert!(said(&output).contains("https://HOST/v1#MODEL"));
}

#[test]
fn a_server_that_fails_to_list_its_models_judges_all_the_same() {
    let (server, place) = (Server::start(digits), Place::new(0));
    server.with(|state| state.broken.insert("/models"));
    let output = place.juror(&["doctor", "--judge", &server.name()]);
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("500 Internal Server Error") && table.contains("12 likeliest"),
        "{table}"
    );
    // Where everything fails, no judge is there.
    server.with(|state| {
        state
            .broken
            .extend(["completions", "/embeddings", "/tokenize"])
    });
    let output = place.juror(&["doctor", "--judge", &server.name()]);
    assert!(!output.status.success());
    assert!(said(&output).contains("500 Internal"), "{}", said(&output));
}

#[test]
fn a_run_that_is_killed_leaves_no_request_behind() {
    let (server, place) = (Server::start(digits), Place::new(8));
    server.with(|state| state.delay = std::time::Duration::from_secs(20));
    let mut child = Command::new(env!("CARGO_BIN_EXE_juror"))
        .args([
            "score",
            &place.text("data.jsonl"),
            "-o",
            &place.text("out.jsonl"),
            "--judge",
            &server.name(),
            "--quiet",
        ])
        .env("JUROR_HOME", place.0.path())
        .spawn()
        .unwrap();
    while server.asked().is_empty() {
        assert_eq!(child.try_wait().unwrap(), None, "it waits for the server");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let began = std::time::Instant::now();
    while server.with(|state| state.under_way) > 0 {
        assert!(began.elapsed() < std::time::Duration::from_secs(10));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(server.with(|state| state.abandoned) > 0);
}
