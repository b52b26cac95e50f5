//! Every format, and how rows become records.

use std::io::Write;

use juror::data::{FieldMap, ReadOptions, discover, read, records};

use super::{Folder, good};

#[test]
fn the_own_format() {
    let data = good(
        r#"{"id":"x","category":"coding","instruction":"i","input":"","reference":"ref","responses":[{"id":"a","generator":"g","response":"r","rating":7,"reason":"fine","seen":true},"bare"],"source":"s"}"#,
    );
    let record = &data.records[0];
    assert_eq!(record.id, "x");
    assert_eq!(record.category.as_deref(), Some("coding"));
    assert_eq!(record.input, None);
    assert_eq!(record.reference.as_deref(), Some("ref"));
    assert_eq!(record.meta["source"], "s");
    assert_eq!(record.responses.len(), 2);
    let response = &record.responses[0];
    assert_eq!(response.labels["rating"], 7.0);
    assert_eq!(response.reason.as_deref(), Some("fine"));
    assert_eq!(response.generator.as_deref(), Some("g"));
    assert_eq!(response.meta["seen"], true);
    assert_eq!(record.responses[1].text, "bare");
    assert_eq!(record.responses[1].id, "2");
}

#[test]
fn rows_of_one_instruction_are_gathered() {
    let data = good(
        r#"{"id":"1","instruction":"i","reference":"f","response":"r1","generator":"g","p":0.25,"dataset":"d","rationale":"so"}
{"id":"2","instruction":"i","reference":"f","response":"r2","generator":"h","p":1}
{"id":"3","instruction":"i","reference":"other","response":"r3"}
{"id":"4","instruction":"j","response":"r4"}
{"id":"5","instruction":"i","reference":"f","response":"r5"}
"#,
    );
    let sketch: Vec<_> = data
        .records
        .iter()
        .map(|record| {
            let ids: Vec<_> = record.responses.iter().map(|one| one.id.as_str()).collect();
            (record.id.as_str(), ids)
        })
        .collect();
    assert_eq!(
        sketch,
        [
            ("1", vec!["1", "2"]),
            ("3", vec!["3"]),
            ("4", vec!["4"]),
            ("5", vec!["5"])
        ]
    );
    let first = &data.records[0].responses[0];
    assert_eq!(first.labels["p"], 0.25);
    assert_eq!(first.meta["dataset"], "d");
    assert_eq!(first.reason.as_deref(), Some("so"));
    assert!(data.records[0].meta.is_empty());
    assert_eq!(data.response_count(), 5);
}

#[test]
fn a_bad_row_does_not_part_its_neighbours() {
    let data = super::read_bytes(
        "t.jsonl",
        r#"{"id":"1","instruction":"i","response":"r1"}
{"id":"2","instruction":"i"}
{"id":"3","instruction":"i","response":"r3"}
"#,
    )
    .unwrap();
    assert_eq!(data.records.len(), 1);
    assert_eq!(data.records[0].responses.len(), 2);
    assert_eq!(data.errors[0].line, 2);
    assert!(data.errors[0].message.contains("`response` is missing"));
}

#[test]
fn alpaca_as_array_and_as_lines() {
    let row = r#"{"instruction":"i","input":"x","output":"o","cherry":false}"#;
    for text in [
        format!("[\n {row},\n {row}\n]"),
        format!("{row}\n{row}\n"),
        format!("{row}\r\n{row}\r\n"),
        format!("\u{feff}{row}\n{row}"),
    ] {
        let data = good(text);
        assert_eq!(data.records.len(), 2, "equal rows stay two");
        assert_eq!(data.records[0].id, "t-1");
        assert_eq!(data.records[1].id, "t-2");
        let record = &data.records[1];
        assert_eq!(record.input.as_deref(), Some("x"));
        assert_eq!(record.task(), "i\n\nx");
        assert_eq!(record.responses[0].text, "o");
        assert_eq!(record.responses[0].id, "1");
        assert_eq!(record.meta["cherry"], false);
    }
}

#[test]
fn one_object_over_several_lines() {
    let data = good("{\n  \"instruction\": \"i\",\n  \"output\": \"o\"\n}\n");
    assert_eq!(data.records[0].responses[0].text, "o");
}

#[test]
fn outputs_of_several_files_are_merged_by_instruction() {
    let folder = Folder::new();
    let row = |instruction: &str, output: &str, generator: &str| {
        format!(
            r#"{{"dataset":"d","instruction":"{instruction}","output":"{output}","generator":"{generator}"}}"#
        )
    };
    let one = folder.file(
        "one.json",
        format!(
            "[{},{},{}]",
            row("i", "1", "g"),
            row("j", "2", "g"),
            row("i", "3", "g")
        ),
    );
    let two = folder.file(
        "two.json",
        format!(
            "[{},{},{},{}]",
            row("j", "4", "h"),
            row("i", "5", "h"),
            row("k", "6", "h"),
            row("i", "7", "h")
        ),
    );
    let data = read(&[one.clone(), two], &ReadOptions::default()).unwrap();
    let sketch: Vec<_> = data
        .records
        .iter()
        .map(|record| {
            let texts: Vec<_> = record
                .responses
                .iter()
                .map(|response| format!("{}{}", response.id, response.text))
                .collect();
            format!("{}: {}", record.instruction, texts.join(" "))
        })
        .collect();
    assert_eq!(sketch, ["i: g1 h5", "j: g2 h4", "i: g3 h7", "k: h6"]);
    // The same generator twice: both stay, with ids of their own.
    let data = read(&[one.clone(), one], &ReadOptions::default()).unwrap();
    let ids: Vec<_> = data.records[0]
        .responses
        .iter()
        .map(|one| &one.id)
        .collect();
    assert_eq!(ids, ["g", "g#2"]);
}

#[test]
fn conversations() {
    let data = good(
        r#"{"id":"c","conversations":[{"from":"human","value":"q1"},{"from":"gpt","value":"a1"},{"from":"human","value":"q2"},{"from":"gpt","value":"a2"}]}
{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rating":3}
"#,
    );
    assert_eq!(data.records[0].id, "c");
    assert_eq!(data.records[0].instruction, "q2");
    assert_eq!(
        data.records[0].context.as_deref(),
        Some("User: q1\n\nAssistant: a1")
    );
    assert_eq!(data.records[1].id, "t-2");
    assert_eq!(data.records[1].meta["system"], "s");
    assert_eq!(data.records[1].responses[0].labels["rating"], 3.0);
}

#[test]
fn pairs() {
    let data = good(
        r#"{"id":"p","instruction":"i","input":"","response_a":"1","response_b":"2","generator_a":"g","label":"tie","order_votes":[0,-1]}"#,
    );
    let record = &data.records[0];
    let ids: Vec<_> = record.responses.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(record.responses[0].generator.as_deref(), Some("g"));
    assert_eq!(record.responses[1].generator, None);
    assert_eq!(record.meta["label"], "tie");
    assert_eq!(record.meta["order_votes"][1], -1);
}

#[test]
fn instructions_alone() {
    let data = good("{\"instruction\":\"i\",\"reference\":\"f\",\"score\":3}\n");
    assert!(data.records[0].responses.is_empty());
    assert_eq!(data.records[0].meta["score"], 3);
    // Answers may begin later.
    let data = good("{\"instruction\":\"i\"}\n{\"instruction\":\"j\",\"output\":\"o\"}\n");
    assert_eq!(data.response_count(), 1);
}

#[test]
fn other_names_for_fields_and_labels() {
    let folder = Folder::new();
    let path = folder.file(
        "t.jsonl",
        r#"{"prompt":"q","completion":"a","quality":{"overall":4},"helpful":2,"p":"not a label here"}"#,
    );
    let options = ReadOptions {
        fields: FieldMap::parse(&[
            "instruction=prompt",
            "response=completion",
            "overall=quality.overall",
        ])
        .unwrap(),
        labels: vec!["helpful".to_string(), "overall".to_string()],
        ..ReadOptions::default()
    };
    let data = read(&[path], &options).unwrap();
    let response = &data.records[0].responses[0];
    assert_eq!(data.records[0].instruction, "q");
    assert_eq!(response.text, "a");
    assert_eq!(response.labels.len(), 2);
    assert_eq!(response.labels["overall"], 4.0);
    assert_eq!(response.meta["p"], "not a label here");
}

#[test]
fn compressed_files_under_any_name() {
    let text = "{\"instruction\":\"i\",\"output\":\"o\"}\n".repeat(3);
    let folder = Folder::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let paths = [
        folder.file("plain.gz", &text),
        folder.file("gzip.json", gzip.finish().unwrap()),
        folder.file("zstd", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ];
    let data = read(&paths, &ReadOptions::default()).unwrap();
    assert_eq!(data.records.len(), 9);
    assert_eq!(data.renamed, 0);
    let found = discover(&[folder.path().to_path_buf()]).unwrap();
    assert_eq!(found, [folder.path().join("gzip.json")]);
}

#[test]
fn streaming_is_lazy() {
    let folder = Folder::new();
    let path = folder.file(
        "t.jsonl",
        "{\"id\":1,\"instruction\":\"i\",\"output\":\"o\"}\n{\"id\":2,\"instruction\":\"j\",\"output\":\"o\"}\nrubbish\n",
    );
    let mut stream = records(&path, &ReadOptions::default()).unwrap();
    assert_eq!(stream.next().unwrap().unwrap().id, "1");
    // The next record may still grow, so what is behind it is looked at first.
    assert!(stream.next().unwrap().is_err());
    assert_eq!(stream.next().unwrap().unwrap().id, "2");
    assert!(stream.next().is_none());
}
