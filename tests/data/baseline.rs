//! The surface baseline on the measuring set, where it lies beside the checkout.

use juror::data::Record;
use juror::stats::judge_figures::intervals;
use juror::stats::surface::{Triple, fit_baseline};
use juror::stats::{JudgedRows, Resampler, figures};

use super::shared::{folder, whole};

struct Row<'a> {
    triple: Triple<'a>,
    p: f64,
    instruction: usize,
    split: [&'a str; 3],
}

fn rows(records: &[Record]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (instruction, record) in records.iter().enumerate() {
        for response in &record.responses {
            let meta = |name: &str| response.meta[name].as_str().unwrap();
            if meta("annotator") != "weighted_gpt4_turbo" || meta("provenance") == "unmerged-pr" {
                continue;
            }
            rows.push(Row {
                triple: Triple {
                    instruction: &record.instruction,
                    reference: record.reference.as_deref(),
                    response: &response.text,
                },
                p: response.labels["p"],
                instruction,
                split: ["split", "instr_split", "model_split"].map(meta),
            });
        }
    }
    rows
}

#[test]
fn what_the_surface_tells_of_the_clean_rows() {
    let Some(folder) = folder() else { return };
    if cfg!(debug_assertions) {
        println!("skipped: minutes without optimisation");
        return;
    }
    let data = whole(&folder, "alpaca_eval_judge.jsonl.gz");
    let rows = rows(&data.records);
    let train: Vec<&Row> = rows.iter().filter(|row| row.split[0] == "train").collect();
    let clean: Vec<&Row> = rows
        .iter()
        .filter(|row| row.split[1] == "dev" && row.split[2] == "dev")
        .collect();
    assert_eq!((train.len(), clean.len()), (20_831, 648));

    let triples: Vec<Triple> = train.iter().map(|row| row.triple).collect();
    let roots: Vec<f64> = train.iter().map(|row| row.p.sqrt()).collect();
    let groups: Vec<usize> = train.iter().map(|row| row.instruction).collect();
    let baseline = fit_baseline(&triples, &roots, &groups).unwrap();

    let scores: Vec<f64> = clean
        .iter()
        .map(|row| baseline.score(&row.triple).unwrap())
        .collect();
    let p: Vec<f64> = clean.iter().map(|row| row.p).collect();
    let groups: Vec<usize> = clean.iter().map(|row| row.instruction).collect();
    let length: Vec<f64> = clean
        .iter()
        .map(|row| row.triple.response.chars().count() as f64)
        .collect();
    let judged = JudgedRows {
        p: &p,
        instruction: &groups,
        length: &length,
    };
    let found = figures(&judged, &scores);
    println!("lambda {}: {found:?}", baseline.lambda);
    println!(
        "{:?}",
        intervals(&judged, &scores, &Resampler::new(&groups, 1))
    );
    assert!((0.46..0.53).contains(&found.pearson.unwrap()));
    assert!((0.60..0.68).contains(&found.within.unwrap()));
    assert!((0.82..0.86).contains(&found.auc.unwrap()));
}
