//! `juror reflect` as a user runs it, its teacher on a server of ours or the starter.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::replies;
use super::server::{Fault, Server};
use crate::score::said;

const KEY: &str = "sk-the-secret-of-ours";

/// A folder with data.
struct Place(TempDir);

impl Place {
    fn new(rows: &[Value]) -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        std::fs::write(place.text("data.json"), json!(rows).to_string()).unwrap();
        place
    }

    fn text(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn command(&self, teacher: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_juror"));
        command
            .args([
                "reflect",
                &self.text("data.json"),
                "-o",
                &self.text("out.jsonl"),
                "--teacher",
                teacher,
            ])
            .args([
                "--student",
                "starter",
                "--dtype",
                "f32",
                "--threads",
                "1",
                "--wrap",
                "alpaca",
                "--json",
            ])
            .args(more)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("JUROR_HOME", self.0.path())
            .env("JUROR_API_KEY", KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn reflect(&self, teacher: &str, more: &[&str]) -> Output {
        let output = self.command(teacher, more).output().unwrap();
        let told = format!(
            "{}{}",
            said(&output),
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(!told.contains(KEY), "{told}");
        output
    }

    /// Of a run that ended well.
    fn summary(&self, teacher: &str, more: &[&str]) -> Value {
        let output = self.reflect(teacher, more);
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.text(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn details(&self) -> Vec<Value> {
        self.lines("out.jsonl.details.jsonl")
    }
}

fn rows(count: usize) -> Vec<Value> {
    let row = |at: usize| {
        json!({
            "instruction": format!("Sample {at:02}: name a thing of the sea."),
            "input": if at.is_multiple_of(2) { "" } else { "Not a fish." },
            "output": format!("The tide, number {at}."),
            "source": "ours",
        })
    };
    (0..count).map(row).collect()
}

fn sample_of(prompt: &str) -> usize {
    let at = prompt.find("Sample ").unwrap() + "Sample ".len();
    prompt[at..at + 2].parse().unwrap()
}

fn asks_for_response(prompt: &str) -> bool {
    prompt.contains("[Better Answer]")
}

/// What a good teacher replies.
fn good(prompt: &str) -> (String, bool) {
    let at = sample_of(prompt);
    let reply = match asks_for_response(prompt) {
        true => format!(
            "Too short.\n[Better Answer]\nThe tide of sample {at}, which comes and goes twice a day.\n[End]"
        ),
        false => format!(
            "Too easy.\n[New Instruction]\nSample {at:02}: explain in three steps how the moon raises the tide.\n[End]\n\
             [New Answer]\n1. It pulls.\n2. The water follows.\n3. The earth turns below.\n[End]"
        ),
    };
    (reply, false)
}

/// The published selection by the numbers in a details row, written a second time.
fn decide(row: &Value, as_released: bool) -> (&'static str, Option<&'static str>) {
    let of = |form: &str, name: &str| row["forms"][form][name].as_f64().unwrap_or(f64::NAN);
    let (base, better) = match of("Q*", "ifd_ppl") > of("original", "ifd_ppl") {
        true => ("Q*", "QA*"),
        false => ("original", "A*"),
    };
    let form = match of(better, "rifd_ppl") < of(base, "rifd_ppl") {
        true => better,
        false => base,
    };
    let (ifd, rifd) = (of(form, "ifd_ppl"), of(form, "rifd_ppl"));
    let dropped = match () {
        () if ifd.is_nan() || rifd.is_nan() => Some("undefined"),
        () if ifd >= 1.0 => Some("ifd"),
        () if rifd >= 1.0 => Some("rifd"),
        () if as_released && form == base => Some("released"),
        () => None,
    };
    (form, dropped)
}

#[test]
fn every_form_is_made_measured_and_decided_on() {
    let place = Place::new(&rows(8));
    let server = Server::start(good);
    let summary = place.summary(&server.name, &["--price-in", "2", "--price-out", "10"]);
    let details = place.details();
    assert_eq!((summary["rows"].as_u64(), details.len()), (Some(8), 8));
    let out = place.lines("out.jsonl");
    let mut kept = out.iter();
    for (at, row) in details.iter().enumerate() {
        let (form, dropped) = decide(row, false);
        assert_eq!(row["decision"], form);
        assert_eq!(row["dropped"].as_str(), dropped);
        let forms = &row["forms"];
        assert_eq!(forms.as_object().unwrap().len(), 4);
        let merged = format!("Sample {at:02}: name a thing of the sea.");
        let merged = if at % 2 == 0 {
            merged
        } else {
            format!("{merged}\n\nNot a fish.")
        };
        assert_eq!(forms["A*"]["instruction"], merged);
        assert_eq!(
            (&forms["A*"]["input"], &forms["QA*"]["input"]),
            (&json!(""), &json!(""))
        );
        assert_eq!(forms["QA*"]["instruction"], forms["Q*"]["instruction"]);
        assert_eq!(
            forms["QA*"]["output"], forms["A*"]["output"],
            "the same reply to both"
        );
        if dropped.is_none() {
            let one = kept.next().unwrap();
            assert_eq!(
                (&one["decision"], &one["output"]),
                (&json!(form), &forms[form]["output"])
            );
            assert_eq!(one["input"], forms[form]["input"]);
            assert_eq!(one["source"], "ours");
            for name in ["ifd_ppl", "rifd_ppl", "ifd_loss", "rifd_loss"] {
                assert_eq!(one["candidates"][form][name], forms[form][name]);
            }
        }
    }
    assert!(kept.next().is_none());
    let seen = server.seen();
    assert_eq!(seen.len(), 24);
    assert!(
        seen.iter()
            .all(|s| s.key.as_deref() == Some(&format!("Bearer {KEY}")))
    );
    assert_eq!(
        (&seen[0].body["temperature"], &seen[0].body["model"]),
        (&json!(0.0), &json!("teacher"))
    );
    let tokens: usize = seen.iter().map(|s| s.prompt.len() / 4).sum();
    let written: usize = seen.iter().map(|s| good(&s.prompt).0.len() / 4).sum();
    let teacher = &summary["teacher"];
    assert_eq!(teacher["prompt_tokens"], tokens);
    assert_eq!(teacher["written_tokens"], written);
    let cost = (2 * tokens + 10 * written) as f64 / 1e6;
    assert!((teacher["cost"].as_f64().unwrap() - cost).abs() < 1e-12);
    // Asking only where it counts comes to the same selection, out of the same journal.
    let asked = server.seen().len();
    let again = place.summary(&server.name, &["--only-needed"]);
    assert_eq!(again["teacher"]["calls"], 0);
    assert_eq!(
        (again["teacher"]["reused"].as_u64(), server.seen().len()),
        (Some(16), asked)
    );
    for (row, before) in place.details().iter().zip(&details) {
        assert_eq!(
            (&row["decision"], &row["dropped"]),
            (&before["decision"], &before["dropped"])
        );
        assert_eq!(row["forms"].as_object().unwrap().len(), 3);
    }
    let released = place.summary(&server.name, &["--as-released"]);
    for row in place.details() {
        assert_eq!(row["dropped"].as_str(), decide(&row, true).1);
    }
    assert!(released["kept"].as_u64() <= summary["kept"].as_u64());
}

#[test]
fn forty_malformed_replies_are_counted_by_cause() {
    let all = replies();
    let place = Place::new(&rows(all.len()));
    let script = move |prompt: &str| {
        let reply = &all[sample_of(prompt)];
        match (reply["on"] == "response") == asks_for_response(prompt) {
            true => (
                reply["reply"].as_str().unwrap().to_owned(),
                reply["cut"] == true,
            ),
            false => good(prompt),
        }
    };
    let server = Server::start(script);
    let summary = place.summary(&server.name, &[]);
    let mut want: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let details = place.details();
    for (row, reply) in details.iter().zip(replies()) {
        let forms = match reply["on"] == "response" {
            true => vec!["A*"],
            false => vec!["Q*"],
        };
        for form in forms {
            let found = &row["forms"][form];
            match reply["cause"].as_str() {
                Some(cause) => {
                    *want.entry((form, cause.to_owned())).or_default() += 1;
                    assert_eq!(found["cause"], cause, "{}", reply["why"]);
                    assert_ne!(row["decision"], form);
                }
                None => assert_eq!(found["output"], reply["answer"], "{}", reply["why"]),
            }
        }
        let (form, dropped) = decide(row, false);
        assert_eq!(
            (row["decision"].as_str(), row["dropped"].as_str()),
            (Some(form), dropped)
        );
    }
    for ((form, cause), count) in want {
        assert_eq!(summary["unparsed"][form][&cause], count, "{form} {cause}");
    }
    // Each unreadable reply was asked for once more, with a word on the markers.
    let seen = server.seen();
    let again = seen
        .iter()
        .filter(|s| s.prompt.contains("Keep to the markers exactly"));
    let unread = replies().iter().filter(|r| r["cause"].is_string()).count();
    assert!(again.count() >= unread);
}

#[test]
fn a_server_that_stumbles_is_asked_again() {
    let place = Place::new(&rows(3));
    let server = Server::start(good);
    server.with(|state| {
        state.faults.extend([
            Fault::Status(429, "Retry-After: 0\r\n", ""),
            Fault::Status(503, "Retry-After: 1\r\n", ""),
            Fault::Cut(20),
            Fault::Page,
            Fault::Status(500, "", ""),
        ]);
    });
    let summary = place.summary(&server.name, &["--concurrency", "2"]);
    assert_eq!(
        (summary["teacher"]["calls"].as_u64(), server.seen().len()),
        (Some(9), 14)
    );
    assert_eq!(summary["unparsed"], json!({}));
}

#[test]
fn what_no_attempt_can_mend_ends_the_run_or_the_sample() {
    let place = Place::new(&rows(2));
    let server = Server::start(good);
    let leak = r#"{"error":{"message":"Incorrect API key provided: sk-the-secret-of-ours"}}"#;
    server.with(|state| state.always = Some(Fault::Status(401, "", leak)));
    let output = place.reflect(&server.name, &["--concurrency", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("wants another key"),
        "{}",
        said(&output)
    );
    assert_eq!(server.seen().len(), 1);
    assert!(!Path::new(&place.text("out.jsonl")).exists());
    // A prompt that the server does not take costs its form, not the run.
    let long = r#"{"error":{"message":"too long, sk-the-secret-of-ours"}}"#;
    server.with(|state| {
        state.always = None;
        state.faults.push_back(Fault::Status(400, "", long));
    });
    let summary = place.summary(&server.name, &["--concurrency", "1"]);
    assert_eq!(summary["unparsed"]["Q*"]["failed"], 1);
    // What failed is not remembered.
    let summary = place.summary(&server.name, &[]);
    assert_eq!(summary["unparsed"], json!({}));
    // A server that is out of reach is named.
    let output = place.reflect(
        "http://127.0.0.1:9/v1#x",
        &["--retries", "0", "--max-tokens", "77"],
    );
    let told = said(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("127.0.0.1:9") && told.contains("goes on from there"),
        "{told}"
    );
    let output = place.reflect("http://example.org/v1#x", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("use https"), "{}", said(&output));
}

#[test]
fn a_cap_holds_and_a_later_run_goes_on() {
    let place = Place::new(&rows(12));
    let server = Server::start(good);
    let cap = ["--max-tokens", "200", "--max-teacher-tokens", "5000"];
    let capped = place.summary(&server.name, &cap);
    let (calls, tokens) = (&capped["teacher"]["calls"], &capped["teacher"]["tokens"]);
    assert!(tokens.as_u64().unwrap() <= 5000, "{tokens}");
    assert!((1..36).contains(&calls.as_u64().unwrap()), "{calls}");
    let over = |form: &str| capped["unparsed"][form]["over_cap"].as_u64().unwrap_or(0);
    assert!(over("Q*") + over("A*") + over("QA*") > 0, "{capped}");
    // The cap counts what earlier runs took.
    let asked = server.seen().len();
    place.summary(&server.name, &cap);
    assert!(server.seen().len() <= asked + 1);
    let whole = place.summary(&server.name, &cap[..2]);
    assert_eq!(whole["unparsed"], json!({}));
    assert_eq!(server.seen().len(), 36, "nothing is asked twice");
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let whole = Place::new(&rows(10));
    let server = Server::start(good);
    whole.summary(&server.name, &[]);
    let place = Place::new(&rows(10));
    let slow = Server::start(good);
    slow.with(|state| state.delay = Duration::from_millis(60));
    let journal = place.text("out.jsonl.journal.jsonl");
    let replied = || {
        std::fs::read_to_string(&journal)
            .unwrap_or_default()
            .matches("\"kind\":\"reply\"")
            .count()
    };
    let mut child = place
        .command(&slow.name, &["--concurrency", "1"])
        .spawn()
        .unwrap();
    let started = Instant::now();
    while replied() < 4 {
        assert!(started.elapsed() < Duration::from_secs(60), "no replies");
        std::thread::sleep(Duration::from_millis(10));
    }
    // SIGKILL: it can tidy nothing up.
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = replied();
    assert!(!Path::new(&place.text("out.jsonl")).exists());
    // And the machine may die within a line.
    let mut torn = std::fs::OpenOptions::new()
        .append(true)
        .open(&journal)
        .unwrap();
    std::io::Write::write_all(&mut torn, b"{\"kind\":\"reply\",\"key\":\"").unwrap();
    drop(torn);
    slow.with(|state| state.seen.clear());
    let summary = place.summary(&slow.name, &["--concurrency", "1"]);
    assert_eq!(slow.seen().len(), 30 - kept);
    assert_eq!(summary["teacher"]["reused"], kept);
    for name in ["out.jsonl", "out.jsonl.details.jsonl"] {
        assert_eq!(
            place.lines(name),
            whole.lines(name),
            "as if nothing had happened"
        );
    }
}

#[test]
fn a_model_of_ours_can_be_the_teacher() {
    let place = Place::new(&rows(2));
    let summary = place.summary("starter", &["--max-tokens", "12"]);
    let teacher = &summary["teacher"];
    assert!(teacher["prompt_tokens"].as_u64().unwrap() > 0);
    assert!(teacher["written_tokens"].as_u64().unwrap() <= 12 * teacher["calls"].as_u64().unwrap());
    // It was never taught the markers: both samples stay as they were, and that is counted.
    assert!(summary["unparsed"]["Q*"].is_object(), "{summary}");
    for row in place.details() {
        assert_eq!(row["decision"], "original");
    }
    let again = place.summary("starter", &["--max-tokens", "12"]);
    assert_eq!(
        (&again["teacher"]["calls"], &again["kept"]),
        (&json!(0), &summary["kept"])
    );
}
