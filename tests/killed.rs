//! Kills at random moments: nothing that was promised is lost. `benches/breaking` does the same hundreds of times.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use juror::store::{Kind, Store};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::scale::{many, started};
use crate::score::{juror, said};
use crate::terminal::Pty;

/// The ratings that the store holds, in their order, and of how many responses they are.
fn rated(home: &Path) -> (Vec<f64>, usize) {
    let store = Store::at(&home.join("juror.db")).unwrap();
    let events = store.events().unwrap();
    assert!(events.iter().all(|event| event.kind == Kind::Label));
    let subjects: std::collections::HashSet<_> = events.iter().map(|e| e.subject).collect();
    let values = events.iter().filter_map(|event| event.value).collect();
    (values, subjects.len())
}

fn is_sound(home: &Path) {
    let path = home.join("juror.db");
    if path.exists() {
        let base = rusqlite::Connection::open(path).unwrap();
        let found: String = base
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, "ok");
    }
}

#[test]
fn labels_that_the_screen_has_moved_on_from_outlive_kills() {
    let data = [
        "sample_data/common.jsonl",
        "--no-judge",
        "--annotator",
        "ada",
        "--scale",
        "rating=0-9",
    ];
    let mut random = SmallRng::seed_from_u64(7);
    let mut home = tempfile::tempdir().unwrap();
    let (mut sure, mut responses): (Vec<f64>, usize) = (Vec::new(), 0);
    for round in 0..8 {
        let mut pty = Pty::at_home(home, &data, 100, 30);
        pty.wait_for("Records");
        pty.press("\u{1b}[15~");
        pty.wait_for(&format!("{responses} of 168"));
        let moment = Instant::now() + Duration::from_millis(random.random_range(1..250));
        let mut under_way = None;
        for _ in 0..18 {
            let digit = random.random_range(0..10);
            pty.press(&digit.to_string());
            // Where the kill came before the place was kept, the one rated last is rated anew: that is under way, too.
            let next = format!("{} of 168", responses + 1);
            if !pty.until(moment, |text| text.contains(&next)) {
                under_way = Some((f64::from(digit), next));
                break;
            }
            sure.push(f64::from(digit));
            responses += 1;
        }
        pty.kill();
        if let Some((digit, next)) = &under_way
            && pty.text().contains(next)
        {
            sure.push(*digit);
            under_way = None;
        }
        home = pty.home.take().unwrap();
        is_sound(home.path());
        let (found, of) = rated(home.path());
        responses = of;
        assert_eq!(found[..sure.len()], sure, "round {round}");
        match (&found[sure.len()..], under_way) {
            ([], _) => (),
            ([one], Some((digit, _))) if *one == digit => sure.push(digit),
            (more, _) => panic!("round {round}: nobody said {more:?}"),
        }
    }
    assert!(sure.len() >= 8, "{} labels", sure.len());
}

#[test]
fn scores_outlive_kills_and_come_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = many(folder.path(), 300);
    let whole = path("whole.jsonl");
    let begun = Instant::now();
    let output = juror(&["score", &data, "-o", &whole, "--no-cache", "--quiet"]);
    let usual = begun.elapsed();
    assert!(output.status.success(), "{}", said(&output));
    let whole = fs::read(whole).unwrap();
    let mut random = SmallRng::seed_from_u64(7);
    let (out, part) = (path("out.jsonl"), path("out.jsonl.part"));
    let (home, mut kills) = (folder.path().join("home"), 0);
    let arguments = ["score", &data, "-o", &out, "--quiet", "--resume"];
    while kills < 8 {
        let mut child = started(&home, &arguments);
        thread::sleep(usual.mul_f64(random.random_range(0.0..0.6)));
        child.kill().unwrap();
        child.wait().unwrap();
        is_sound(&home);
        if Path::new(&out).exists() {
            assert_eq!(fs::read(&out).unwrap(), whole);
            fs::remove_file(&out).unwrap();
            fs::remove_dir_all(&home).unwrap();
            continue;
        }
        kills += 1;
        if let Ok(there) = fs::read(&part) {
            assert!(whole.starts_with(&there), "{} bytes", there.len());
        }
    }
    assert!(started(&home, &arguments).wait().unwrap().success());
    assert_eq!(fs::read(&out).unwrap(), whole);
    assert!(!Path::new(&part).exists());
}

#[test]
fn a_file_is_as_it_was_or_whole_and_what_a_kill_leaves_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let data = many(folder.path(), 4000);
    let out = folder.path().join("table.csv");
    let shown = out.display().to_string();
    let arguments = ["export", &data, "--as", "records", "-o", &shown];
    let begun = Instant::now();
    let output = juror(&arguments);
    let usual = begun.elapsed();
    assert!(output.status.success(), "{}", said(&output));
    let whole = fs::read(&out).unwrap();
    let mut random = SmallRng::seed_from_u64(7);
    for _ in 0..12 {
        fs::write(&out, b"as it was").unwrap();
        let mut child = started(folder.path(), &arguments);
        thread::sleep(usual.mul_f64(random.random_range(0.2..1.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = fs::read(&out).unwrap();
        assert!(found == b"as it was" || found == whole, "{}", found.len());
    }
    assert!(juror(&arguments).status.success());
    assert_eq!(fs::read(&out).unwrap(), whole);
    let left = fs::read_dir(folder.path()).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains("partial"));
    assert_eq!(left.count(), 0);
}

#[test]
fn whoever_reads_no_more_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.jsonl");
    let run = |arguments: &[&str]| {
        // Both ends that could read are closed before anything is said.
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let mut child = Command::new(env!("CARGO_BIN_EXE_juror"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("JUROR_HOME", folder.path())
            .stdout(write.try_clone().unwrap())
            .stderr(write)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        child.wait().unwrap().code()
    };
    let out = out.display().to_string();
    let data = "sample_data/coding.jsonl";
    assert_eq!(run(&["score", data, "-o", &out]), Some(0));
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 168);
    assert_eq!(run(&["score", data, "-o", "-"]), Some(0));
    assert_eq!(run(&["eval", &out, "--label", "rating"]), Some(0));
    let fuse = ["fuse", &out, "--normalize", "rank", "-o", "-"];
    assert_eq!(run(&fuse), Some(0));
    assert_eq!(run(&["collect", data, "-o", "-"]), Some(0));
    assert_eq!(run(&["score", "nowhere.jsonl", "-o", &out]), Some(2));
    assert_eq!(run(&["scorre"]), Some(2));
}
