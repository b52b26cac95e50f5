//! `juror train …` as a user runs it: whole, killed and gone on with, stopped, and with everything that can be wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::score::said;

/// Data and configuration of a judge training on the starter.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, reference) in [("with", " Reference: seven."), ("free", "")] {
            let rows: Vec<Value> = (0..48)
                .map(|id| {
                    let digit = id % 10;
                    json!({
                        "id": id, "input": "", "output": digit.to_string(),
                        "instruction": format!("Rate answer {id}.{reference} The answer: {}", "so ".repeat(digit + 1)),
                    })
                })
                .collect();
            place.write(
                &format!("{name}.json"),
                &serde_json::to_string(&rows).unwrap(),
            );
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A configuration that writes into `output`.
    fn config(&self, output: &str, more: &str) -> PathBuf {
        let path = |name: &str| self.path(name).display().to_string();
        self.write(
            &format!("{output}.toml"),
            &format!(
                "model = \"starter\"\noutput = {:?}\nwith_reference = {:?}\nreference_free = {:?}\nlora_r = 4\n\
                 batch_size = 8\nmicro_batch_size = 4\nlearning_rate = 1e-3\nwarmup_steps = 2\nepochs = 4\nthreads = 2\n\
                 save_steps = 4\n{more}",
                path(output),
                path("with.json"),
                path("free.json"),
            ),
        );
        self.path(&format!("{output}.toml"))
    }

    fn command(&self, config: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_juror"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("JUROR_HOME", self.path("home"))
            .args(["train", "judge", "--config"])
            .arg(config)
            .args(more);
        command
    }

    /// What a training that has to succeed tells.
    fn train(&self, config: &Path, more: &[&str]) -> Value {
        let output = self
            .command(config, &[more, &["--json", "--quiet"]].concat())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn cause(&self, config: &Path, more: &[&str]) -> String {
        let output = self.command(config, more).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    }

    fn adapter(&self, output: &str) -> Vec<u8> {
        fs::read(self.path(output).join("adapter_model.safetensors")).unwrap()
    }

    /// The steps that a log tells of.
    fn steps(&self, output: &str) -> Vec<u64> {
        let log = fs::read_to_string(self.path(output).join("log.jsonl")).unwrap();
        let entries = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let steps = entries.filter(|entry| entry["event"] == "step");
        steps.map(|entry| entry["step"].as_u64().unwrap()).collect()
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_killed_training_goes_on_to_the_same_bytes() {
    let place = Place::new();
    let whole = place.train(&place.config("whole", ""), &[]);
    assert_eq!(whole["end"], "done");
    assert_eq!(whole["steps"], 24);
    let config = place.config("killed", "");
    let mut child = place
        .command(&config, &["--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = place.path("killed").join("checkpoint-8");
    until("a checkpoint", || {
        checkpoint.exists() || child.try_wait().unwrap().is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("killed").join("adapter_config.json").exists());
    let said = place.cause(&config, &[]);
    assert!(said.contains("--resume goes on with it"), "{said}");
    place.train(&config, &["--resume"]);
    assert_eq!(place.adapter("killed"), place.adapter("whole"));
    assert_eq!(place.steps("killed"), (1..=24).collect::<Vec<u64>>());
    // What learned, rates: the adapter is an adapter of the starter.
    let changed = place.config("killed", "seed = 7\n");
    let said = place.cause(&changed, &["--resume"]);
    assert!(said.contains("other settings"), "{said}");
}

#[test]
fn a_stop_keeps_a_checkpoint() {
    let place = Place::new();
    let config = place.config("stopped", "max_steps = 400\n");
    let text = fs::read_to_string(&config)
        .unwrap()
        .replace("epochs = 4\n", "epochs = 400\n");
    fs::write(&config, text).unwrap();
    let child = place
        .command(&config, &["--json", "--quiet"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("a step", || {
        let log = fs::read_to_string(place.path("stopped").join("log.jsonl"));
        log.is_ok_and(|log| log.contains("\"step\":2,"))
    });
    place.write("stopped/stop", "");
    let output = child.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["end"], "cancelled");
    let last = told["steps"].as_u64().unwrap();
    assert!(last < 400);
    assert!(place.path(&format!("stopped/checkpoint-{last}")).exists());
    assert!(!place.path("stopped/stop").exists());
}

#[test]
fn what_is_no_number_ends_it_and_the_weights_before_are_kept() {
    let place = Place::new();
    let config = place.config("nan", "");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text + "lora_alpha = 1e18\nlora_target_modules = ['gate_proj', 'up_proj', 'down_proj']\n",
    )
    .unwrap();
    let said = place.cause(&config, &["--quiet"]);
    assert!(said.contains("nothing can be learned from that"), "{said}");
    assert!(said.contains("Its batch: id "), "{said}");
    assert!(said.contains("are kept in"), "{said}");
    let log = fs::read_to_string(place.path("nan/log.jsonl")).unwrap();
    assert!(log.contains("\"reason\":\"nan\""), "{log}");
    let kept = fs::read_dir(place.path("nan")).unwrap().flatten();
    assert!(
        kept.into_iter()
            .any(|e| e.file_name().to_string_lossy().starts_with("checkpoint-"))
    );
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_leaves_the_checkpoint_before() {
    let place = Place::new();
    let config = place.config("full", "");
    let mut child = place
        .command(&config, &["--quiet"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = place.path("full/checkpoint-4");
    until("a checkpoint", || {
        first.exists() || child.try_wait().unwrap().is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = fs::read_dir(place.path("full"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("state.json").exists())
        .max()
        .unwrap();
    // No file may grow beyond 64 KiB, as if the disk were full.
    let output = Command::new("bash")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("JUROR_HOME", place.path("home"))
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 64; exec \"$0\" train judge --resume --quiet --config \"$1\"",
        ])
        .arg(env!("CARGO_BIN_EXE_juror"))
        .arg(&config)
        .output()
        .unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("was not kept; the last whole checkpoint is"),
        "{said}"
    );
    assert!(kept.join("state.safetensors").exists());
    let partial = fs::read_dir(place.path("full")).unwrap().flatten();
    for entry in partial {
        assert!(
            !entry.file_name().to_string_lossy().ends_with(".partial"),
            "{entry:?}"
        );
    }
    place.train(&config, &["--resume"]);
}

#[test]
fn what_does_not_fit_together_is_told() {
    let place = Place::new();
    let rows: Vec<Value> =
        serde_json::from_slice(&fs::read(place.path("free.json")).unwrap()).unwrap();
    place.write("free.json", &serde_json::to_string(&rows[1..]).unwrap());
    let said = place.cause(&place.config("unaligned", ""), &[]);
    assert!(said.contains("free.json") && said.contains('0'), "{said}");
    let place = Place::new();
    let said = place.cause(&place.config("typo", "learning_rte = 3\n"), &[]);
    assert!(
        said.contains("typo.toml:") && said.contains("learning_rte"),
        "{said}"
    );
    let config = place.config("target", "lora_target_modules = [\"q_proj\", \"w_proj\"]\n");
    let said = place.cause(&config, &[]);
    assert!(said.contains("`w_proj`"), "{said}");
    let text = fs::read_to_string(place.config("other", "")).unwrap();
    place.write(
        "other.toml",
        &text.replace("\"starter\"", "\"no-such-model\""),
    );
    let said = place.cause(&place.path("other.toml"), &[]);
    assert!(said.contains("no-such-model"), "{said}");
    assert!(!place.path("other").join("log.jsonl").exists());
}
