//! Runs that are killed, cut into shards, or fed by a pipe.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::pipelines::{data, json_of};
use super::score::{juror, said};

/// A run that looks nothing up, on its way.
pub fn started(home: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_juror"));
    let command = command.args(arguments).env("JUROR_HOME", home);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let quiet = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    quiet.stderr(Stdio::piped()).spawn().unwrap()
}

/// Many records, each text another.
pub fn many(folder: &Path, count: usize) -> String {
    let path = folder.join("many.jsonl");
    let row = |i: usize| {
        serde_json::json!({"id": format!("r{i}"), "instruction": format!("Name {i} trees of the north."),
            "response": format!("The {i} trees are birch, spruce, pine and aspen. ").repeat(1 + i % 7), "score": i % 10})
    };
    let text: String = (0..count).map(|i| format!("{}\n", row(i))).collect();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_killed_run_goes_on_to_the_bytes_of_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = many(folder.path(), 600);
    let score = |out: &str, more: &[&str]| {
        let all = [
            "score",
            &data,
            "-o",
            out,
            "--no-cache",
            "--threads",
            "2",
            "--quiet",
        ];
        [&all, more]
            .concat()
            .iter()
            .map(|s| (*s).to_owned())
            .collect::<Vec<_>>()
    };
    let run = |out: &str, more: &[&str]| {
        let arguments = score(out, more);
        juror(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (whole, killed) = (path("whole.jsonl"), path("killed.jsonl"));
    let output = run(&whole, &[]);
    assert!(output.status.success(), "{}", said(&output));
    let part = path("killed.jsonl.part");
    let mut kills = 0;
    loop {
        let arguments = score(&killed, &["--resume"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = started(folder.path(), &arguments);
        let before = fs::metadata(&part).map_or(0, |meta| meta.len());
        let begun = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            let grown = fs::metadata(&part).is_ok_and(|meta| meta.len() > before);
            if kills < 2 && grown {
                break None;
            }
            assert!(begun.elapsed() < Duration::from_secs(300));
            std::thread::sleep(Duration::from_millis(5));
        };
        match ended {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                // What is there is not written over by a run that was not told to go on.
                let again = run(&killed, &[]);
                assert_eq!(again.status.code(), Some(2));
                assert!(
                    said(&again).contains("--resume goes on from it"),
                    "{}",
                    said(&again)
                );
            }
        }
    }
    assert!(kills > 0, "the run was over before it could be killed");
    assert!(fs::read(&whole).unwrap() == fs::read(&killed).unwrap());
    assert!(!Path::new(&part).exists());
}

#[test]
fn what_is_gone_on_from_has_to_be_of_this_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let out = folder.path().join("out.jsonl");
    let name = out.display().to_string();
    let scored = juror(&["score", &data, "-o", &name, "--quiet"]);
    assert!(scored.status.success(), "{}", said(&scored));
    let part = folder.path().join("out.jsonl.part");
    let text = fs::read_to_string(&out).unwrap();
    let ten: String = text.split_inclusive('\n').take(10).collect();
    fs::write(&part, format!("{ten}{{\"id\":\"half")).unwrap();
    let figures = json_of(&["score", &data, "-o", &name, "--resume", "--json"]);
    assert_eq!(
        (&figures["resumed"], &figures["rows"]),
        (&10.into(), &24.into())
    );
    assert_eq!(fs::read_to_string(&out).unwrap(), text);

    fs::write(&part, &ten).unwrap();
    let refused = |more: &[&str]| {
        let output = juror(&[&["score", &data, "-o", &name, "--resume", "--quiet"], more].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(part.exists());
        said(&output)
    };
    let other = refused(&["--mode", "free"]);
    assert!(
        other.contains("`mode` is reference, where reference-free is expected"),
        "{other}"
    );
    let other = refused(&["--signals", "ppl"]);
    assert!(other.contains("it has no ppl"), "{other}");
    let swapped: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&part, format!("{}{}", swapped[1], swapped[0])).unwrap();
    let other = refused(&[]);
    assert!(
        other.contains("out.jsonl.part") && other.contains("row 1 of"),
        "{other}"
    );
    fs::write(&part, format!("{text}{ten}")).unwrap();
    let other = refused(&[]);
    assert!(
        other.contains("row 25 of") && other.contains("the data end before it"),
        "{other}"
    );
}

#[test]
fn shards_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = data(folder.path());
    let whole = path("whole.jsonl");
    let run = |out: &str, more: &[&str]| {
        let all = ["score", &data, "-o", out, "--quiet"];
        let output = juror(&[&all, more].concat());
        assert!(output.status.success(), "{}", said(&output));
    };
    run(&whole, &[]);
    let shards: Vec<String> = (1..=3).map(|i| path(&format!("{i}.jsonl"))).collect();
    for (i, shard) in shards.iter().enumerate() {
        run(shard, &["--shard", &format!("{}/3", i + 1)]);
    }
    let merged = path("merged.jsonl");
    let [a, b, c] = [&shards[0], &shards[1], &shards[2]].map(String::as_str);
    let output = juror(&["merge", c, a, b, "-o", &merged]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read(&whole).unwrap(), fs::read(&merged).unwrap());
    let refused = |shards: &[&str], cause: &str| {
        let output = juror(&[&["merge", "-o", &merged], shards].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(cause), "{}", said(&output));
    };
    refused(&[a, b], "1/2 is expected");
    refused(&[a, b, b], "3/3 is expected");
    refused(&[a, &whole, c], "a row of no shard");
    let text = fs::read_to_string(b).unwrap();
    let less: String = text.split_inclusive('\n').take(3).collect();
    fs::write(path("less.jsonl"), less).unwrap();
    refused(
        &[a, &path("less.jsonl"), c],
        "has more records than its share",
    );
    let output = juror(&["score", &data, "-o", &merged, "--shard", "4/3"]);
    assert!(said(&output).contains("I from 1 to N"), "{}", said(&output));
}

#[test]
fn a_pipe_is_scored_as_the_file_would_be() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let file = folder.path().join("file.jsonl").display().to_string();
    let output = juror(&["score", &data, "-o", &file, "--quiet"]);
    assert!(output.status.success(), "{}", said(&output));
    let mut child = started(folder.path(), &["score", "-", "-o", "-", "--quiet"]);
    let mut input = child.stdin.take().unwrap();
    let mut text = fs::read(&data).unwrap();
    text.extend_from_slice(b"no row\n");
    input.write_all(&text).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("standard input:25: not valid JSON"),
        "{}",
        said(&output)
    );
    let rows = |bytes: &[u8]| -> Vec<Value> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    };
    let (piped, read) = (rows(&output.stdout), rows(&fs::read(&file).unwrap()));
    assert_eq!(piped.len(), 24);
    assert_eq!(piped, read);
}
