//! Every reader of data. What was read is written and read again: the same texts. JSON lines whose places alone are kept
//! are the same records.
#![no_main]

use std::path::Path;

use juror::data::judged::Judged;
use juror::data::{DataSet, Facts, Library, ReadOptions, SubjectKey, judged, read, scored, write};
use libfuzzer_sys::fuzz_target;

const ENDINGS: [&str; 10] = [
    "jsonl", "json", "csv", "tsv", "parquet", "arrow", "jsonl.gz", "jsonl.zst", "csv.gz", "feather",
];

fuzz_target!(|input: &[u8]| {
    let Some((ending, bytes)) = juror_fuzz::chosen(input, &ENDINGS) else {
        return;
    };
    let path = juror_fuzz::file(&format!("data.{ending}"), bytes);
    let options = ReadOptions {
        labels: vec!["rating".into()],
        ..ReadOptions::default()
    };
    match read(&[path.clone()], &options) {
        Err(error) => juror_fuzz::check_message(&error.to_string()),
        Ok(set) if set.records.is_empty() => (),
        Ok(set) => {
            for error in &set.errors {
                juror_fuzz::check_message(&error.to_string());
            }
            let keys = |records: &[juror::data::Record]| -> Vec<SubjectKey> {
                records.iter().flat_map(SubjectKey::of_all).collect()
            };
            let lines: Vec<String> = set
                .records
                .iter()
                .map(|record| serde_json::to_string(&write::to_json(record)).unwrap())
                .collect();
            let again = juror_fuzz::file("again.jsonl", lines.join("\n").as_bytes());
            let again = read(&[again], &options).expect("what was written");
            assert_eq!(keys(&set.records), keys(&again.records), "{lines:?}");
            if ending == "jsonl" {
                check_indexed(&path, &options, set);
            }
        }
    }
    let _ = scored::read(&path, &scored::Wanted::default());
    let fields = juror::data::FieldMap::new();
    let _ = Judged::default().read(&path, &fields, &judged::Wanted::default());
});

fn check_indexed(path: &Path, options: &ReadOptions, set: DataSet) {
    let (library, mut facts, mut errors) = (Library::default(), Facts::default(), Vec::new());
    let filled = library.fill(&[path.to_path_buf()], options, None, &mut |progress| {
        facts = progress.facts;
        errors.extend(progress.errors);
    });
    filled.expect("what was read");
    assert_eq!(errors, set.errors);
    for (at, item) in library.iter() {
        assert_eq!(item.record, set.records[at]);
        let keys = (0..item.responses.len()).map(|response| library.key(at, response));
        assert!(keys.eq(item.keys.iter().copied().map(Some)));
    }
    assert_eq!(library.len(), set.records.len());
    assert_eq!(facts, Library::of(set.records).1);
}
