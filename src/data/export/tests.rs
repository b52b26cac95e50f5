use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::data::container::RawRows;
use crate::data::{FieldMap, ReadOptions, Record, Response, read};

fn rows(values: &Value) -> Vec<Row> {
    let rows = values.as_array().unwrap().iter();
    rows.map(|row| row.as_object().cloned().unwrap()).collect()
}

/// Writes rows under a name and reads them again.
fn through(name: &str, given: &[Row]) -> Vec<Row> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let count = write(&path, || given.iter().cloned()).unwrap();
    assert_eq!(count, given.len());
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "nothing lies beside it");
    let found = RawRows::open(&path, &FieldMap::new()).unwrap();
    found.map(|row| row.unwrap().object).collect()
}

/// As a table of text gives it back: strings, nothing where there is nothing, but for answers.
fn as_text(rows: &[Row]) -> Vec<Row> {
    let cells = |row: &Row| {
        let cell = |(name, value): (&String, &Value)| {
            let text = columns::text(Some(value)).filter(|text| !text.is_empty())?;
            Some((name.clone(), Value::String(text)))
        };
        row.iter().filter_map(cell).collect()
    };
    let answers = rows.iter().any(|row| row.contains_key("response"));
    let mut rows: Vec<Row> = rows.iter().map(cells).collect();
    for row in rows
        .iter_mut()
        .filter(|row| answers && !row.contains_key("response"))
    {
        row.insert("response".to_owned(), "".into());
    }
    rows
}

const HOSTILE: [&str; 9] = [
    "=1+1",
    "a \"quote\", and a comma; a\ttab",
    "two\nlines\r\nand a return\r",
    "  blanks  ",
    "{\"not\": \"an object\"}",
    "[1]",
    "\"",
    "😀 ünïcödé \u{0} \u{feff}",
    "'@SUM(A1)",
];

#[test]
fn rows_come_back_as_they_went() {
    let mut given = rows(&json!([
        {"instruction": "i", "n": 1, "x": 0.1, "flag": true, "mixed": 1, "list": [1, {"a": null}], "none": null},
        {"instruction": "j", "n": -9007199254740993i64, "x": 2, "mixed": "text", "late": "z"},
        {"n": 3, "flag": false, "mixed": [true]},
    ]));
    for text in HOSTILE {
        let row = json!({"instruction": text, "response": text, text: text});
        given.extend(rows(&json!([row])));
    }
    for name in ["a.jsonl", "a.jsonl.gz", "b.ndjson.zst"] {
        assert_eq!(through(name, &given), given, "{name}");
    }
    // Names of columns lose their blanks in tables of text.
    let trimmed: Vec<Row> = given
        .iter()
        .map(|row| {
            row.iter()
                .map(|(k, v)| (k.trim().to_owned(), v.clone()))
                .collect()
        })
        .collect();
    for name in ["a.csv", "a.CSV.gz", "a.csv.zst", "a.tsv"] {
        let found = through(name, &given);
        for (found, expected) in found.iter().zip(as_text(&trimmed)) {
            assert_eq!(found, &expected, "{name}");
        }
    }
    let found = through("a.parquet", &given);
    let number = |row: usize, name: &str| found[row].get(name).cloned();
    assert_eq!(number(1, "n"), Some(json!(-9007199254740993i64)));
    assert_eq!(number(0, "x"), Some(json!(0.1)));
    assert_eq!(number(1, "x"), Some(json!(2.0)));
    assert_eq!(number(2, "flag"), Some(json!(false)));
    assert_eq!(number(0, "mixed"), Some(json!("1")));
    assert_eq!(number(0, "list"), Some(json!("[1,{\"a\":null}]")));
    assert_eq!(number(0, "none"), None);
    assert_eq!(number(0, "late"), None);
    for (found, given) in found.iter().zip(&given).skip(3) {
        assert_eq!(found, given);
    }
}

#[test]
fn many_rows_are_several_groups() {
    let given: Vec<Row> = (0..70_000)
        .map(|n| rows(&json!([{"instruction": format!("{n}"), "p": n}])).remove(0))
        .collect();
    assert_eq!(through("a.parquet", &given), given);
}

#[test]
fn a_name_must_tell_the_format() {
    for name in ["a", "a.txt", "a.gz", "a.parquet.gz", "csv", ".jsonl.zip"] {
        let error = Format::of(Path::new(name)).unwrap_err().to_string();
        assert!(error.contains(".parquet"), "{error}");
    }
    let none = || std::iter::empty::<Row>();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    for name in ["a.csv", "a.parquet"] {
        let error = write(&path(name), none).unwrap_err().to_string();
        assert!(error.contains("no row"), "{error}");
    }
    assert_eq!(write(&path("a.jsonl"), none).unwrap(), 0);
    let nowhere = write(&path("no/such/a.csv"), || {
        rows(&json!([{"a": 1}])).into_iter()
    });
    assert!(nowhere.unwrap_err().to_string().starts_with("cannot write"));
}

#[test]
fn records_come_back_as_they_went() {
    let response = |id: &str, text: &str, p: f64| Response {
        id: id.into(),
        generator: Some(format!("model {id}")),
        text: text.into(),
        labels: [("p".to_owned(), p)].into(),
        reason: Some("because".into()),
        meta: rows(&json!([{"source": "=x"}])).remove(0),
    };
    let record = |id: &str, instruction: &str| Record {
        id: id.into(),
        instruction: instruction.into(),
        input: Some("in\nput".into()),
        reference: Some("ref, \"quoted\"".into()),
        category: Some("c".into()),
        responses: vec![response("a", "one\r\n", 0.25), response("b", " two ", 1.0)],
        ..Record::default()
    };
    let given = [record("r1", "first"), record("r2", "\nsecond")];
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "a.csv.gz", "a.tsv", "a.parquet"] {
        let path = folder.path().join(name);
        assert_eq!(write(&path, || records(&given)).unwrap(), 4);
        let found = read(&[path], &ReadOptions::default()).unwrap();
        assert_eq!(found.errors, []);
        assert_eq!(found.records, given, "{name}");
    }
}

proptest! {
    /// Any text in any cell of a column that is there survives all formats.
    #[test]
    fn any_text_survives(cells in proptest::collection::vec("\\PC{0,8}[\",;\n\r\t =]{0,3}\\PC{0,4}", 1..8)) {
        let given: Vec<Row> = cells
            .iter()
            .map(|text| rows(&json!([{"instruction": "i", "response": text}])).remove(0))
            .collect();
        prop_assert_eq!(&through("a.parquet", &given), &given);
        prop_assert_eq!(through("a.csv", &given), as_text(&given));
        prop_assert_eq!(through("a.tsv", &given), as_text(&given));
    }
}
