//! `juror collect` as a user runs it.

use std::path::Path;

use juror::data::collect::category::classify;
use serde_json::{Value, json};

use crate::pipelines::{json_of, lines};
use crate::score::{juror, said};

/// A folder with sources.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        std::fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn rows(&self, name: &str, rows: &[Value]) -> String {
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        self.write(name, &(lines.join("\n") + "\n"))
    }

    /// Collects into `out.jsonl`; the report.
    fn collect(&self, more: &[&str]) -> Value {
        let out = self.file("out.jsonl");
        json_of(&[&["collect", "-o", &out, "--json"], more].concat())
    }

    fn dropped(&self) -> Vec<(String, String)> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = lines(Path::new(&self.file("out.jsonl.dropped.jsonl")));
        rows.iter()
            .map(|row| (text(row, "id"), text(row, "reason")))
            .collect()
    }

    fn cause(&self, arguments: &[&str]) -> String {
        let output = juror(&[&["collect"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    }
}

fn task(id: &str, instruction: &str) -> Value {
    json!({"id": id, "instruction": instruction, "output": "An answer of some words."})
}

#[test]
fn every_reason_has_its_row_and_originals_are_kept() {
    let place = Place::new();
    let again = "tell me more ".repeat(12);
    let long = "many words ".repeat(3000);
    let mut rows = vec![
        json!({"id": "kept", "instruction": "Name three  RIVERS in Europe that flow to the north!", "output": "Rhine.", "more": [1]}),
        task("empty", "?!…"),
        task("too_short", "Go on"),
        task("too_long", &long),
        task("encoding", "Explain the cafÃ© culture of Paris"),
        task("placeholder", "Summarise this text: [Insert text here]"),
        task("symbols", "$$%%^^&&**((ab))__!!@@##"),
        task("repeated", &again),
        task("language", "Escribe un poema sobre el mar y los barcos"),
        task(
            "contaminated",
            "A train leaves at noon and travels at eighty kilometres an hour to the coast.",
        ),
        task(
            "exact_duplicate",
            "Please name three rivers in Europe that flow to the north.",
        ),
        task(
            "near_duplicate",
            "Name three rivres in Europe that flow to the north",
        ),
        task("fact", "Name three lakes in Europe that flow to the north"),
    ];
    rows.push(json!({"id": "no_response", "instruction": "Write about the sea.", "output": " "}));
    rows.push(json!({"id": "refusal", "instruction": "Write about the sea.", "output": "I'm sorry, but I can't."}));
    let source = place.rows("a.jsonl", &rows);
    std::fs::write(
        &source,
        std::fs::read_to_string(&source).unwrap() + "{broken\n",
    )
    .unwrap();
    let test = place.rows(
        "test.jsonl",
        &[task(
            "t",
            "A train leaves at noon and travels at eighty kilometres an hour.",
        )],
    );

    let report = place.collect(&[&source, "--against", &test]);
    let kept: Vec<Value> = lines(Path::new(&place.file("out.jsonl")));
    assert_eq!(kept.len(), 2);
    assert_eq!(
        (&kept[0]["id"], &kept[0]["source"], &kept[0]["more"]),
        (&json!("kept"), &json!("a"), &json!([1]))
    );
    assert_eq!(kept[0]["instruction"], rows[0]["instruction"]);
    assert_eq!(kept[1]["id"], "fact");
    let dropped = place.dropped();
    assert_eq!(dropped.len(), 14);
    for (id, reason) in &dropped {
        let wanted = if id.starts_with("a-") {
            "unreadable"
        } else {
            id.as_str()
        };
        assert_eq!(reason, wanted);
        assert_eq!(report["total"]["dropped"][reason], 1, "{reason}");
    }
    assert_eq!(
        (&report["total"]["read"], &report["total"]["kept"]),
        (&json!(16), &json!(2))
    );
    let stats: Value =
        serde_json::from_str(&std::fs::read_to_string(place.file("out.jsonl.stats.json")).unwrap())
            .unwrap();
    assert_eq!(stats["total"], report["total"]);

    let out = place.file("out.jsonl");
    let near = json_of(&[
        "collect",
        "-o",
        &out,
        "--json",
        "--explain",
        "near_duplicate",
    ]);
    assert_eq!(
        (&near["kept"], &near["dropped"][0]["twin"]),
        (&json!(false), &json!("kept"))
    );
    assert!(near["dropped"][0]["jaccard"].as_f64().unwrap() > 0.6);
    assert_eq!(near["row"]["id"], "kept");
    let kept = json_of(&["collect", "-o", &out, "--json", "--explain", "kept"]);
    assert_eq!(
        (&kept["kept"], &kept["instead_of"]),
        (&json!(true), &json!(["exact_duplicate", "near_duplicate"]))
    );
    let place_of = juror(&["collect", "-o", &out, "--explain", &format!("{source}:16")]);
    assert!(
        String::from_utf8_lossy(&place_of.stdout).contains("unreadable"),
        "{}",
        said(&place_of)
    );
    assert!(
        place
            .cause(&["-o", &out, "--explain", "nobody"])
            .contains("nobody")
    );
}

#[test]
fn a_configuration_names_fields_and_categories() {
    let place = Place::new();
    place.write(
        "x/q.csv",
        "q,a,category\nHow do I boil an egg?,Eight minutes.,food\n",
    );
    place.rows(
        "y.jsonl",
        &[
            task("1", "Write a poem about rain."),
            task("2", "Name a bird that swims."),
        ],
    );
    let config = place.write(
        "c.toml",
        "[[source]]\npath = 'x/q.csv'\nname = 'eggs'\ncategory = 'coding'\nfields = { instruction = 'q', output = 'a' }\n\
         [[source]]\npath = 'y.jsonl'\n",
    );
    let report = place.collect(&["--source-config", &config, "--category", "y=academic"]);
    assert_eq!(
        report["category_told_by"],
        json!({"rule": 3, "row": 0, "classifier": 0})
    );
    let rows = lines(Path::new(&place.file("out.jsonl")));
    let egg = json!({"id": "eggs-1", "source": "eggs", "category": "coding", "q": "How do I boil an egg?",
        "a": "Eight minutes.", "meta.category": "food"});
    assert_eq!(rows[0], egg);
    assert_eq!(rows[1]["category"], "academic");
    let out = place.file("none.jsonl");
    let wrong = place.write("wrong.toml", "[[source]]\npath = 'y.jsonl'\nkind = 'x'\n");
    let cause = place.cause(&["-o", &out, "--source-config", &wrong]);
    assert!(
        cause.contains("wrong.toml") && cause.contains("line 3") && cause.contains("kind"),
        "{cause}"
    );
    let cause = place.cause(&[
        "-o",
        &out,
        "--source-config",
        &config,
        "--category",
        "z=coding",
    ]);
    assert!(cause.contains("eggs, y"), "{cause}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn what_cannot_be_read_or_written_is_named() {
    let place = Place::new();
    let out = place.file("out.jsonl");
    let cause = place.cause(&[&place.file("gone.jsonl"), "-o", &out]);
    assert!(
        cause.contains("gone.jsonl") && cause.contains("no such file"),
        "{cause}"
    );
    let source = place.write(
        "a.jsonl",
        "{\"instruction\":\"Name three rivers.\"}\n{\"instruction\":\n[1]\n",
    );
    let output = juror(&["collect", &source, "-o", &out]);
    assert!(
        output.status.success() && said(&output).contains("a.jsonl:2"),
        "{}",
        said(&output)
    );
    let cause = place.cause(&[&source, "-o", &out, "--strict"]);
    assert!(cause.contains("a.jsonl:2"), "{cause}");
    let cause = place.cause(&[&source, "-o", &place.file("no/folder/out.jsonl")]);
    assert!(
        cause.contains("cannot write") && cause.contains("no/folder"),
        "{cause}"
    );
    assert!(
        place
            .cause(&[&source, "-o", &source])
            .contains("one of the files that are read")
    );
    assert!(
        place
            .cause(&[&source, "-o", &place.file("out.txt")])
            .contains(".jsonl")
    );
    let short = place.write("s.jsonl", "{\"instruction\":\"Go\"}\n");
    let none = place.file("none.jsonl");
    let cause = place.cause(&[&short, "-o", &none]);
    assert!(
        cause.contains("too_short") && !Path::new(&none).exists(),
        "{cause}"
    );
    // Nothing is left but what was written.
    let names: Vec<String> = std::fs::read_dir(place.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !names.iter().any(|name| name.contains("partial")),
        "{names:?}"
    );
}

#[test]
fn runs_repeat_to_the_byte_and_tables_are_written() {
    let place = Place::new();
    let rows: Vec<Value> = (0..3000)
        .map(|at| {
            let beast = ["fox", "crane", "otter", "lizard"][at % 4];
            task(
                &at.to_string(),
                &format!(
                    "Write {} lines about the {beast} called number {}",
                    at % 700,
                    at % 11
                ),
            )
        })
        .collect();
    let source = place.rows("a.jsonl", &rows);
    let read = |name: &str| std::fs::read(place.file(name)).unwrap();
    let files = [
        "out.jsonl",
        "out.jsonl.dropped.jsonl",
        "out.jsonl.stats.json",
    ];
    let report = place.collect(&[&source, "--threads", "1"]);
    let first = files.map(read);
    place.collect(&[&source, "--threads", "2"]);
    assert_eq!(files.map(read), first);
    let kept = report["total"]["kept"].as_u64().unwrap();
    for name in ["t.parquet", "t.csv.gz", "t.jsonl.zst"] {
        let out = place.file(name);
        let found = json_of(&["collect", &source, "-o", &out, "--json"]);
        assert_eq!(found["total"]["kept"], kept);
        let again = place.collect(&[&out]);
        assert_eq!(
            (&again["total"]["read"], &again["total"]["kept"]),
            (&json!(kept), &json!(kept)),
            "{name}"
        );
    }
    let loose = place.collect(&[&source, "--ignore-facts"]);
    assert!(loose["total"]["kept"].as_u64().unwrap() < kept);
}

/// Instructions of our own, labelled by hand; the figure stands in `benches/README.md`.
#[test]
fn categories_of_hand_labelled_instructions() {
    let rows =
        lines(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/collect/instructions.jsonl"));
    assert!(rows.len() >= 100);
    let right = rows
        .iter()
        .filter(|row| classify(row["instruction"].as_str().unwrap()).0.name() == row["category"]);
    let share = right.count() as f64 / rows.len() as f64;
    assert!(share >= 0.85, "{share}");
}
