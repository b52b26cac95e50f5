//! Input that is wrong: always an error with file and line, never a panic, never a lost neighbour.

use std::io::Write;

use juror::data::{DataError, ReadOptions, read};
use proptest::prelude::*;

use super::{Folder, read_bytes};

const GOOD: &str = "{\"instruction\":\"i\",\"output\":\"o\"}\n";

/// The message about one bad row between two good ones, and its line.
fn bad_row(row: &[u8]) -> (u64, String) {
    let text = [GOOD.as_bytes(), row, b"\n", GOOD.as_bytes()].concat();
    let data = read_bytes("t.jsonl", &text).unwrap();
    assert_eq!(data.records.len(), 2);
    assert_eq!(data.errors.len(), 1);
    let message = data.errors[0].to_string();
    assert!(message.contains("t.jsonl:"), "{message}");
    // Strict reading stops there.
    let folder = Folder::new();
    let path = folder.file("t.jsonl", text);
    let options = ReadOptions {
        strict: true,
        ..ReadOptions::default()
    };
    let strict = read(&[path], &options).unwrap_err();
    assert!(matches!(&strict, DataError::Row(row) if row.message == data.errors[0].message));
    (data.errors[0].line, message)
}

#[test]
fn one_bad_row_is_named_and_skipped() {
    let cases: [(&[u8], &str); 16] = [
        (b"{\"instruction\":\"i\",\"output\":\"cut", "truncated"),
        (b"{\"instruction\":\"i\",", "truncated"),
        (
            b"{\"instruction\":7,\"output\":\"o\"}",
            "`instruction`: expected a string, found the number 7",
        ),
        (
            b"{\"instruction\":\"i\",\"output\":[\"o\"]}",
            "`output`: expected a string, found an array of 1",
        ),
        (
            b"{\"instruction\":\"i\",\"response\":\"r\",\"p\":\"high\"}",
            "`p`: expected a number, found the string",
        ),
        (
            b"{\"instruction\":\"i\",\"response\":\"r\",\"score\":{}}",
            "`score`: expected a number, found an object",
        ),
        (
            b"{\"instruction\":\"i\",\"response\":\"r\",\"score\":NaN}",
            "write null",
        ),
        (
            b"{\"instruction\":\"i\",\"response\":\"r\",\"score\":1e999}",
            "out of range",
        ),
        (
            b"{\"instruction\":\"i\",\"response_a\":\"r\"}",
            "`response_b` is missing",
        ),
        (
            b"{\"instruction\":\"i\",\"responses\":[{\"id\":\"a\"}]}",
            "`responses[0].response` is missing",
        ),
        (
            b"{\"instruction\":\"i\",\"responses\":[5]}",
            "`responses[0]`: expected an object or a string",
        ),
        (b"{\"output\":\"o\"}", "`instruction` is missing"),
        (b"{\"instruction\":\"i\"}", "`output` is missing"),
        (b"{}", "`instruction` is missing"),
        (b"[1, 2]", "expected a JSON object, found an array of 2"),
        (b"{\"instruction\":\"\xff\xfe\"}", "invalid UTF-8"),
    ];
    for (row, piece) in cases {
        let (line, message) = bad_row(row);
        assert_eq!(line, 2);
        assert!(message.contains(piece), "{message}");
    }
    let deep = format!("{{\"instruction\":\"i\",\"x\":{}", "[".repeat(200_000));
    assert!(
        bad_row(deep.as_bytes()).1.contains("truncated")
            || bad_row(deep.as_bytes()).1.contains("levels")
    );
    assert!(
        bad_row(br#"{"instruction":"\ud800","output":"o"}"#)
            .1
            .contains("not valid JSON")
    );
}

#[test]
fn a_bad_element_of_an_array_is_named_by_place() {
    let data = read_bytes(
        "t.json",
        "[\n{\"instruction\":\"i\",\"output\":\"o\"},\n{\"instruction\":\"i\",\n\"output\":1},\n{\"instruction\":\"i\",\"output\":\"o\"}\n]",
    )
    .unwrap();
    assert_eq!(data.records.len(), 2);
    let message = data.errors[0].to_string();
    assert!(
        message.contains("t.json:3 (element 2): field `output`"),
        "{message}"
    );
}

#[test]
fn empty_and_foreign_files() {
    for text in ["", "\n \r\n", "\u{feff}"] {
        let error = read_bytes("t.jsonl", text).unwrap_err();
        assert!(matches!(error, DataError::Empty { .. }), "{error}");
    }
    let data = read_bytes("t.json", "[]").unwrap();
    assert!(data.records.is_empty() && data.errors.is_empty());
    let error = read_bytes("t.jsonl", b"\x00\x01\x02\x03 binary").unwrap_err();
    assert!(error.to_string().contains("binary"), "{error}");
    let error = read_bytes(
        "t.jsonl",
        "{\"instruction\":\"i\"}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>(),
    );
    assert!(error.is_err());
    let error = read_bytes("t.csv", "frage,antwort\na,b\n").unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("t.csv:2: no instruction") && said.contains("--field instruction=NAME"),
        "{said}"
    );
}

#[test]
fn rows_of_unknown_shape() {
    let error = read_bytes("t.jsonl", "{\"prompt\":\"q\",\"completion\":\"a\"}\n").unwrap_err();
    let message = error.to_string();
    assert!(message.contains("`prompt`, `completion`"), "{message}");
    assert!(message.contains("--field instruction=NAME"), "{message}");
    // A whole file of them is given up early.
    let error = read_bytes("t.jsonl", "{\"prompt\":\"q\"}\n".repeat(5000)).unwrap_err();
    assert!(
        matches!(error, DataError::NothingRead { errors: 100, .. }),
        "{error}"
    );
}

#[test]
fn a_truncated_archive_keeps_what_came_before() {
    let rows: String = (0..2000)
        .map(|row| {
            format!(
                "{{\"instruction\":\"question {row} {}\",\"output\":\"o\"}}\n",
                row * 7919 % 1013
            )
        })
        .collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(rows.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(rows.as_bytes(), 1).unwrap();
    for (bytes, whole) in [(&gzip, 2000), (&zstd, 2000)] {
        assert_eq!(read_bytes("t", bytes).unwrap().records.len(), whole);
        // The checksum alone is missing.
        let data = read_bytes("t", &bytes[..bytes.len() - 4]);
        if let Ok(data) = data {
            assert!(data.records.len() <= whole);
        }
    }
    let data = read_bytes("t", &gzip[..gzip.len() / 2]).unwrap();
    assert!(
        (100..2000).contains(&data.records.len()),
        "{}",
        data.records.len()
    );
    let last = data.errors.last().unwrap();
    assert!(last.message.contains("truncated"), "{last}");
    assert!(last.line > 100);
    let mut damaged = gzip.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40].fill(0xff);
    if let Ok(data) = read_bytes("t", damaged) {
        assert!(!data.errors.is_empty());
    }
}

#[test]
fn ids_that_occur_twice_are_kept_apart() {
    let data = read_bytes(
        "t.jsonl",
        r#"{"id":"x","instruction":"i","responses":[{"id":"a","response":"1"},{"id":"a","response":"2"}]}
{"id":"x","instruction":"j","responses":[]}
"#,
    )
    .unwrap();
    assert_eq!(data.renamed, 1);
    assert_eq!(data.records[1].id, "x#2");
    let ids: Vec<_> = data.records[0]
        .responses
        .iter()
        .map(|one| &one.id)
        .collect();
    assert_eq!(ids, ["a", "a#2"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_bytes("t", bytes);
    }

    #[test]
    fn no_json_like_text_makes_it_panic(text in "[\\[\\]{}\",:\\\\a1 \n\r]{0,60}") {
        let _ = read_bytes("t", &text);
        let _ = read_bytes("t", format!("[{{\"instruction\":\"i\"}},{text}"));
    }

    #[test]
    fn a_file_cut_anywhere_keeps_the_whole_rows(cut in 0usize..400) {
        let text = GOOD.repeat(12);
        let cut = cut.min(text.len());
        let whole = cut / GOOD.len() + usize::from(cut % GOOD.len() == GOOD.len() - 1);
        if let Ok(data) = read_bytes("t", &text[..cut]) {
            prop_assert_eq!(data.records.len(), whole);
        } else {
            prop_assert_eq!(whole, 0);
        }
    }
}
