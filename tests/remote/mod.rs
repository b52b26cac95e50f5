//! Judges, policies and embedders on a server: `juror` as a user runs it, against a server of ours.

mod engine;
mod faults;
mod roles;
mod score;
mod server;

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::score::said;

const KEY: &str = "sk-the-secret-of-ours";

/// A folder with data, and what is remembered.
struct Place(TempDir);

impl Place {
    /// Records with a reference and a response each; responses differ in length.
    fn new(records: usize) -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        let record = |n: usize| {
            json!({"id": n.to_string(), "instruction": format!("Name {n} things."), "reference": "A, b and c.",
                   "responses": [{"id": "r", "response": format!("Response {n}{}", "!".repeat(n))}]})
        };
        let lines: Vec<String> = (0..records).map(|n| record(n).to_string()).collect();
        std::fs::write(place.text("data.jsonl"), lines.join("\n")).unwrap();
        place
    }

    fn text(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn juror(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_juror"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("JUROR_HOME", self.0.path().join("home"))
            .env("JUROR_API_KEY", KEY)
            .output()
            .unwrap();
        let told = format!(
            "{}{}",
            said(&output),
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(!told.contains(KEY), "{told}");
        output
    }

    fn try_score(&self, judge: &str, more: &[&str]) -> Output {
        let (data, out) = (self.text("data.jsonl"), self.text("out.jsonl"));
        let arguments = [
            "score", &data, "-o", &out, "--judge", judge, "--json", "--quiet",
        ];
        self.juror(&[&arguments[..], more].concat())
    }

    /// Summary and rows of a run that ended well.
    fn score(&self, judge: &str, more: &[&str]) -> (Value, Vec<Value>) {
        let output = self.try_score(judge, more);
        assert!(output.status.success(), "{}", said(&output));
        (
            serde_json::from_slice(&output.stdout).unwrap(),
            self.rows("out.jsonl"),
        )
    }

    fn rows(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.text(name)).unwrap();
        assert!(!text.contains(KEY));
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
