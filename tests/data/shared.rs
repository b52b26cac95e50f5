//! The measuring sets, where they lie beside the checkout: every row is read.

use std::path::{Path, PathBuf};

use juror::data::{DataSet, ReadOptions, read};

pub fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.join("README.md").is_file() {
        return Some(folder);
    }
    println!("skipped: no ../shared/data beside the checkout");
    None
}

pub fn whole(folder: &Path, name: &str) -> DataSet {
    let options = ReadOptions {
        strict: true,
        ..ReadOptions::default()
    };
    let data = read(&[folder.join(name)], &options).unwrap();
    assert_eq!(data.errors, []);
    assert_eq!(data.renamed, 0, "{name}");
    data
}

#[test]
fn every_row_is_read() {
    let Some(folder) = folder() else { return };
    let files = [
        ("alpaca_eval_judge.jsonl.gz", 35_607, 1, Some("p")),
        ("alpaca_eval_modelrank.dev.jsonl.gz", 1_944, 1, None),
        ("alpaca_eval1_judge.jsonl.gz", 5_104, 1, Some("p")),
        ("bon_tulu2_judge.jsonl.gz", 7_084, 1, Some("p")),
        ("absolute_scores.jsonl.gz", 6_093, 1, Some("score")),
        ("pairwise_human.jsonl.gz", 2_217, 2, None),
        ("tournament_vicuna80_gpt4.jsonl.gz", 1_064, 2, None),
        ("instruct_sample.jsonl.gz", 7_951, 1, None),
        ("alpaca_sample_200.json", 200, 1, None),
    ];
    for (name, rows, answers_a_row, label) in files {
        let data = whole(&folder, name);
        assert_eq!(data.response_count(), rows * answers_a_row, "{name}");
        let responses = || data.records.iter().flat_map(|record| &record.responses);
        match label {
            Some(label) => assert!(
                responses().all(|one| one.labels.contains_key(label)),
                "{name}"
            ),
            None => assert!(responses().all(|one| one.labels.is_empty()), "{name}"),
        }
        if answers_a_row == 2 {
            assert_eq!(data.records.len(), rows, "{name}");
            assert!(
                data.records
                    .iter()
                    .all(|record| record.meta["label"].is_string())
            );
        }
    }
}

#[test]
fn rows_are_gathered_by_instruction() {
    let Some(folder) = folder() else { return };
    let data = whole(&folder, "alpaca_eval_judge.jsonl.gz");
    assert_eq!(data.records.len(), 644);
    assert!(data.records.iter().all(|record| record.reference.is_some()));
    assert!(
        data.records
            .iter()
            .all(|record| record.responses.len() >= 53)
    );
    let data = whole(&folder, "bon_tulu2_judge.jsonl.gz");
    assert_eq!(data.records.len(), 644);
    assert!(
        data.records
            .iter()
            .all(|record| record.responses.len() == 11)
    );
    let data = whole(&folder, "alpaca_eval_modelrank.dev.jsonl.gz");
    assert_eq!(data.records.len(), 81);
    assert!(
        data.records
            .iter()
            .all(|record| record.responses.len() == 24)
    );
}
