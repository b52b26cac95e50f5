//! CSV and Parquet in and out, and annotations as files, as a user runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use juror::data::{ReadOptions, Record, SubjectKey, read};
use juror::store::{Event, Kind, Store};
use serde_json::{Value, json};

use super::pipelines::lines;
use super::score::said;

/// A folder with a home of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.name(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn juror(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_juror"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("JUROR_HOME", self.path("home"))
            .output()
            .unwrap()
    }

    /// What standard error says, where it went well.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.juror(arguments);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }

    /// What standard error says, where it did not.
    fn bad(&self, arguments: &[&str]) -> String {
        let output = self.juror(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    }
}

fn records(path: &Path) -> Vec<Record> {
    let set = read(&[path.to_path_buf()], &ReadOptions::default()).unwrap();
    assert_eq!(set.errors, []);
    set.records
}

const DATA: &str = r#"{"id":"r1","instruction":"Why, \"oh\" why?","input":"a\nb","reference":"ref","responses":[{"id":"a","generator":"m","response":"one, two","rating":7,"reason":"=good"},{"id":"b","response":"","rating":2.5},{"id":"c","response":"three","rating":7}]}
{"id":"r2","instruction":"Two?","responses":[{"id":"a","response":"ünï 😀\r\n","rating":1},{"id":"b","response":"x","rating":4}]}
"#;

#[test]
fn records_go_through_every_format() {
    let place = Place::new();
    let data = place.file("data.jsonl", DATA);
    let expected = records(Path::new(&data));
    let first = place.name("first.jsonl");
    place.good(&["export", &data, "-o", &first, "--as", "records"]);
    for name in ["t.csv", "t.csv.gz", "t.tsv.zst", "t.parquet", "t.jsonl.gz"] {
        let out = place.name(name);
        let told = place.good(&["export", &data, "-o", &out, "--as", "records"]);
        assert!(told.contains("5 rows written"), "{told}");
        assert_eq!(records(Path::new(&out)), expected, "{name}");
        // And the table of a table is the same.
        let again = place.name("again.jsonl");
        place.good(&["export", &out, "-o", &again, "--as", "records"]);
        assert_eq!(lines(Path::new(&again)), lines(Path::new(&first)), "{name}");
    }
    let output = place.juror(&["export", &data, "-o", "-", "--as", "records"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 5);
    // A folder means its tables of records, and no others.
    std::fs::create_dir(place.path("folder")).unwrap();
    std::fs::copy(place.path("t.csv"), place.path("folder/t.csv")).unwrap();
    place.file("folder/board.csv", "name,win_rate\nx,1\n");
    let found = juror::data::discover(&[place.path("folder")]).unwrap();
    assert_eq!(found, [place.path("folder/t.csv")]);
}

#[test]
fn parquet_comes_through_a_pipe() {
    let place = Place::new();
    let data = place.file("data.jsonl", DATA);
    let table = place.name("t.parquet");
    place.good(&["export", &data, "-o", &table, "--as", "records"]);
    let output = Command::new(env!("CARGO_BIN_EXE_juror"))
        .args(["export", "-", "-o", "-", "--as", "records"])
        .stdin(std::fs::File::open(&table).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 5);
}

#[test]
fn other_names_nested_cells_and_empty_ones() {
    let place = Place::new();
    let text = "\u{feff}\n,Frage;2;Antwort\n0,\"x\ny\",4,\"[{\"\"from\"\":1}]\"\n";
    let path = place.path("a.csv");
    std::fs::write(&path, text.replace(';', ",")).unwrap();
    let options = ReadOptions {
        fields: "instruction=Frage,response=Antwort,rating=2"
            .parse()
            .unwrap(),
        ..ReadOptions::default()
    };
    let set = read(std::slice::from_ref(&path), &options).unwrap();
    assert_eq!(set.errors, []);
    assert_eq!(set.records[0].instruction, "x\ny");
    assert_eq!(set.records[0].responses[0].text, "[{\"from\":1}]");
    assert_eq!(set.records[0].responses[0].labels["rating"], 4.0);
    assert_eq!(
        set.records[0].meta.len() + set.records[0].responses[0].meta.len(),
        0
    );
    std::fs::write(
        &path,
        "messages;rating\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"q\"\"},\
         {\"\"role\"\":\"\"assistant\"\",\"\"content\"\":\"\"a\"\"}]\";\n",
    )
    .unwrap();
    let talk = records(&path);
    assert_eq!(talk[0].instruction, "q");
    assert_eq!(talk[0].responses[0].text, "a");
    assert!(talk[0].responses[0].labels.is_empty());
}

#[test]
fn a_bad_row_is_named_with_its_line_or_its_row() {
    let place = Place::new();
    let table = "instruction,response,rating\nq,\"two\nlines\",1\nq,a,high\nq,b\nq,c,3\n";
    let path = place.path("t.csv");
    std::fs::write(&path, table).unwrap();
    let set = read(std::slice::from_ref(&path), &ReadOptions::default()).unwrap();
    let told: Vec<String> = set.errors.iter().map(ToString::to_string).collect();
    assert!(
        told[0].contains("t.csv:4: field `rating`: expected a number"),
        "{told:?}"
    );
    assert!(
        told[1].contains("t.csv:5: 2 cells where the header has 3"),
        "{told:?}"
    );
    assert_eq!(set.response_count(), 2);
    // The same as Parquet, where rows have numbers.
    let rows = [
        json!({"instruction": "q", "response": "a"}),
        json!({"instruction": "q"}),
    ];
    let path = place.path("t.parquet");
    juror::data::export::write(&path, || {
        rows.iter().filter_map(|row| row.as_object().cloned())
    })
    .unwrap();
    let set = read(std::slice::from_ref(&path), &ReadOptions::default()).unwrap();
    assert!(
        set.errors[0]
            .to_string()
            .contains("t.parquet (row 2): field `response` is missing")
    );
    // Whatever is cut off is said to be.
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let told = place.bad(&[
        "export",
        &place.name("t.parquet"),
        "-o",
        "-",
        "--as",
        "records",
    ]);
    assert!(
        told.contains("t.parquet") && told.contains("truncated"),
        "{told}"
    );
}

#[test]
fn a_damaged_parquet_file_is_an_error_and_no_more() {
    let place = Place::new();
    let data = place.file("data.jsonl", DATA);
    let table = place.path("t.parquet");
    place.good(&[
        "export",
        &data,
        "-o",
        &place.name("t.parquet"),
        "--as",
        "records",
    ]);
    let bytes = std::fs::read(&table).unwrap();
    for at in (4..bytes.len()).step_by(3) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&table, bytes).unwrap();
        // Whatever comes of it: an error that names the file, or rows.
        if let Err(error) = read(std::slice::from_ref(&table), &ReadOptions::default()) {
            assert!(error.to_string().contains("t.parquet"), "{error}");
        }
    }
}

fn event(number: i64, who: &str, record: &Record, response: usize, value: f64) -> Event {
    Event {
        uid: format!("{who}-{number}"),
        at: number * 1000,
        annotator: who.into(),
        subject: SubjectKey::of(record, &record.responses[response].text),
        record: record.id.clone(),
        response: record.responses[response].id.clone(),
        kind: Kind::Label,
        name: Some("rating".into()),
        value: Some(value),
        text: None,
        target: None,
        seconds: None,
        blind: Some(true),
    }
}

/// Five annotations of two people, in the store of the place.
fn annotated(place: &Place) -> String {
    let data = place.file("data.jsonl", DATA);
    let all = records(Path::new(&data));
    std::fs::create_dir(place.path("home")).unwrap();
    let mut store = Store::at(&place.path("home/juror.db")).unwrap();
    let events = [
        event(1, "ada", &all[0], 0, 8.0),
        event(2, "ada", &all[0], 2, 3.0),
        event(3, "bob", &all[0], 0, 6.0),
        event(4, "bob", &all[0], 2, 9.0),
        event(5, "bob", &all[1], 1, 5.0),
    ];
    assert_eq!(store.add_events(&events).unwrap(), 5);
    data
}

#[test]
fn annotations_travel() {
    let (here, there) = (Place::new(), Place::new());
    annotated(&here);
    let (all, bob) = (here.name("all.jsonl"), here.name("bob.jsonl"));
    here.good(&["annotations", "export", "-o", &all]);
    here.good(&["annotations", "export", "-o", &bob, "--annotator", "bob"]);
    assert_eq!(lines(Path::new(&bob)).len(), 3);
    let json = there.juror(&["annotations", "import", &bob, "--json"]);
    let told: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told, json!({"events": 3, "new": 3, "known": 0}));
    let output = there.juror(&["annotations", "import", &all, &bob]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, "2 of 5 annotations are new, 3 were known\n");
    let merged = here.name("merged.jsonl");
    here.good(&["annotations", "merge", &bob, &all, "-o", &merged]);
    assert_eq!(lines(Path::new(&merged)), lines(Path::new(&all)));
    let output = there.juror(&["annotations", "export"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 5);
    // A wrong line adds nothing, and is named.
    let wrong = here.file("wrong.jsonl", &format!("{text}{{}}\n"));
    let told = Place::new().bad(&["annotations", "import", &wrong]);
    assert!(told.contains("wrong.jsonl:6: not an annotation"), "{told}");
    let changed = here.file("changed.jsonl", &text.replace("8.0", "1.0"));
    let told = here.bad(&["annotations", "merge", &all, &changed, "-o", &merged]);
    assert!(told.contains("ada-1"), "{told}");
    let told = here.bad(&["annotations", "merge", &all, "-o", &all]);
    assert!(told.contains("one of the files"), "{told}");
    let told = here.bad(&["annotations", "export", "--annotator", "eve"]);
    assert!(told.contains("there are ada, bob"), "{told}");
}

#[test]
fn annotations_are_joined_with_their_data() {
    let place = Place::new();
    let data = annotated(&place);
    let labels = place.name("labels.csv");
    place.good(&[
        "annotations",
        "export",
        "--as",
        "labels",
        "--data",
        &data,
        "-o",
        &labels,
    ]);
    let text = std::fs::read_to_string(&labels).unwrap();
    assert_eq!(
        text.lines().take(2).collect::<Vec<_>>(),
        [
            "id,response_id,annotator,rating,skipped,at",
            "r1,a,ada,8,false,1970-01-01T00:00:01Z"
        ]
    );
    assert_eq!(text.lines().count(), 6);
    let same = place.name("same.csv");
    place.good(&["export", &data, "--as", "labels", "-o", &same]);
    assert_eq!(std::fs::read_to_string(&same).unwrap(), text);
    let pairs = |more: &[&str]| -> Vec<Value> {
        let start = [
            "annotations",
            "export",
            "--as",
            "pairs",
            "--label",
            "rating",
            "--data",
            &data,
        ];
        let output = place.juror(&[&start[..], more].concat());
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    // (8 + 6) / 2 = 7 beats (3 + 9) / 2 = 6, though bob thinks otherwise.
    let both = pairs(&[]);
    assert_eq!(
        (both.len(), &both[0]["chosen_id"], &both[0]["margin"]),
        (1, &json!("a"), &json!(1))
    );
    assert_eq!(pairs(&["--annotator", "bob"])[0]["chosen_id"], "c");
    let output = place.juror(&["annotations", "agreement", "--label", "rating", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["responses"], &told["pairs"][0]["shared"]),
        (&json!(2), &json!(2))
    );
    for (arguments, expected) in [
        (
            &["annotations", "export", "--as", "labels"][..],
            "give --data",
        ),
        (&["annotations", "export", "--data", &data], "--as labels"),
        (
            &["annotations", "export", "--data", &data, "--as", "pairs"],
            "there are rating",
        ),
        (
            &["annotations", "agreement", "--label", "style"],
            "labels rating by ada, bob",
        ),
        (
            &["export", &data, "--as", "labels", "-o", "x.txt"],
            ".parquet",
        ),
        (
            &["export", &data, "--as", "records", "-o", &data],
            "one of the files",
        ),
        (
            &["export", "sample_data", "--as", "labels", "-o", "-"],
            "nothing was said",
        ),
    ] {
        let told = place.bad(arguments);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn preferences_come_from_labels_of_the_data() {
    let place = Place::new();
    let data = place.file("data.jsonl", DATA);
    let out = place.name("pairs.parquet");
    let count = |more: &[&str]| -> usize {
        let start = [
            "export", &data, "--as", "pairs", "--label", "rating", "-o", &out,
        ];
        place.good(&[&start[..], more].concat());
        let found = records(Path::new(&out));
        assert!(found.iter().all(|r| r.responses[0].labels["chosen"] == 1.0));
        found.len()
    };
    assert_eq!(count(&[]), 3);
    assert_eq!(count(&["--best-worst"]), 2);
    assert_eq!(count(&["--margin", "4"]), 2);
    let told = place.bad(&[
        "export", &data, "--as", "pairs", "--label", "rating", "--margin", "9", "-o", &out,
    ]);
    assert!(told.contains("differ by 9 or more in `rating`"), "{told}");
    let told = place.bad(&["export", &data, "--as", "pairs", "--label", "p", "-o", &out]);
    assert!(told.contains("there are rating"), "{told}");
}
