//! Time, memory and accuracy of `juror collect` over many made-up rows.
//!
//!     cargo bench --bench collect -- --rows 5750000
//!
//! Rows are filled into templates, so that many differ in one fact alone (`Write a short story about a fox in Lisbon …`,
//! `… about a crane in Oslo …`). Some are made again with slips of the pen, other politeness, spelling, marks, a word on
//! top or sentences in another order: these are the planted duplicates. Beside others stands the same text with one fact
//! exchanged, which is the hardest thing not to drop. How often a planted duplicate is found is the recall; how many of the
//! rows that are dropped as duplicates were planted is the precision.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "collect/make.rs"]
mod make;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use juror::data::FieldMap;
use juror::data::collect::contamination::TestSets;
use juror::data::collect::filter::Limits;
use juror::data::collect::output::{Beside, DroppedRow};
use juror::data::collect::reason::Reason;
use juror::data::collect::source::Sources;
use juror::data::collect::{Plan, collect, near};
use make::{Kind, Maker};

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 200_000)]
    rows: usize,
    /// Where rows and results go; without it, a folder that is removed
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Sources that the rows are spread over
    #[arg(long, default_value_t = 37)]
    sources: usize,
    #[arg(long, default_value_t = near::Rule::default().jaccard)]
    jaccard: f64,
    /// Tell so many of the mistakes of each sort
    #[arg(long, default_value_t = 0)]
    mistakes: usize,
    #[arg(long)]
    threads: Option<usize>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// The most resident memory there was, in MiB, where the system tells.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<f64>().ok());
    number.unwrap_or(f64::NAN) / 1024.0
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .expect("threads");
    }
    let kept = tempfile::tempdir().expect("folder");
    let folder = arguments
        .folder
        .clone()
        .unwrap_or_else(|| kept.path().to_owned());
    let data = folder.join("rows");
    std::fs::create_dir_all(&data).expect("folder");

    let started = Instant::now();
    let mut files: Vec<BufWriter<File>> = (0..arguments.sources)
        .map(|at| {
            BufWriter::new(File::create(data.join(format!("source-{at:02}.jsonl"))).expect("file"))
        })
        .collect();
    // What each id is, and for a planted one of which row.
    let mut maker = Maker::new(7);
    let mut kinds: Vec<(Kind, u32)> = Vec::with_capacity(arguments.rows);
    let mut bytes = 0;
    while kinds.len() < arguments.rows {
        for made in maker.next_rows(kinds.len() as u32) {
            let line = made.line(kinds.len());
            bytes += line.len();
            // A duplicate is in another source than its original, and in a later one.
            let per_file = arguments.rows.div_ceil(arguments.sources);
            let file = (kinds.len() / per_file).min(arguments.sources - 1);
            writeln!(files[file], "{line}").expect("row");
            kinds.push((made.kind, made.of));
        }
    }
    for file in &mut files {
        file.flush().expect("file");
    }
    drop(files);
    println!(
        "{} rows, {} MB, made in {:.1} s; peak {:.0} MiB",
        kinds.len(),
        bytes >> 20,
        started.elapsed().as_secs_f64(),
        peak()
    );

    let mut sources = Sources::default();
    sources
        .add_paths(&[data], &FieldMap::new())
        .expect("sources");
    let plan = Plan {
        sources,
        tests: TestSets::new(0.6),
        limits: Limits::default(),
        near: near::Rule {
            jaccard: arguments.jaccard,
            ..near::Rule::default()
        },
        with_responses: false,
        strict: true,
        output: folder.join("out.jsonl"),
        temporary: None,
    };
    let started = Instant::now();
    let mut stage = String::new();
    let (report, _) = collect(&plan, &mut |now, _, _| {
        if now != stage {
            println!(
                "  {:.1} s: {now}, peak {:.0} MiB",
                started.elapsed().as_secs_f64(),
                peak()
            );
            now.clone_into(&mut stage);
        }
    })
    .expect("collection");
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "collected in {seconds:.1} s, {:.0} rows a second, peak {:.0} MiB; {} pairs compared, {} crowded",
        kinds.len() as f64 / seconds,
        peak(),
        report.compared_pairs,
        report.crowded
    );
    println!(
        "kept {}, dropped {}",
        report.total.kept,
        serde_json::to_string(&report.total.dropped).unwrap()
    );
    accuracy(&plan, &kinds, arguments.mistakes);
}

/// Duplicates found against those planted.
fn accuracy(plan: &Plan, kinds: &[(Kind, u32)], mistakes: usize) {
    let mut reasons: HashMap<u32, (Reason, String, String)> = HashMap::new();
    let file = File::open(Beside::of(&plan.output).dropped).expect("dropped");
    for line in BufReader::new(file).lines() {
        let row: DroppedRow = serde_json::from_str(&line.unwrap()).unwrap();
        let told = format!("{} | {}", row.start, row.detail);
        let twin = row.twin.unwrap_or_default();
        reasons.insert(row.id.parse().unwrap(), (row.reason, twin, told));
    }
    let dropped = |id: u32| {
        let found = reasons.get(&id).filter(|(reason, _, _)| {
            matches!(reason, Reason::ExactDuplicate | Reason::NearDuplicate)
        });
        found.map(|(_, _, told)| told)
    };
    let (mut planted, mut found, mut wrong, mut hard) =
        ([0usize; 8], [0usize; 8], 0usize, (0usize, 0usize));
    let (mut missed_told, mut wrong_told) = (0, 0);
    for (id, (kind, of)) in kinds.iter().enumerate() {
        let told = dropped(id as u32);
        match kind {
            Kind::Planted(edit) => {
                // A row that goes for another reason, or whose original does, has no twin to be found by.
                let other = |id: &u32| {
                    let found = reasons.get(id).map(|(reason, _, _)| *reason);
                    found.is_some_and(|r| {
                        !matches!(r, Reason::ExactDuplicate | Reason::NearDuplicate)
                    })
                };
                if other(of) || other(&(id as u32)) {
                    continue;
                }
                planted[*edit] += 1;
                found[*edit] += usize::from(told.is_some());
                if told.is_none() && missed_told < mistakes {
                    missed_told += 1;
                    println!("missed: {id} of {of}, edit {}", make::EDITS[*edit]);
                }
            }
            kind => {
                if *kind == Kind::Hard {
                    hard.0 += 1;
                    hard.1 += usize::from(told.is_some());
                }
                if let Some(told) = told {
                    wrong += 1;
                    if wrong_told < mistakes {
                        wrong_told += 1;
                        println!("wrong: {id} {told}");
                    }
                }
            }
        }
    }
    let (all, right): (usize, usize) = (planted.iter().sum(), found.iter().sum());
    println!(
        "recall {:.4} ({right} of {all} planted)",
        right as f64 / all.max(1) as f64
    );
    println!(
        "precision {:.4} ({wrong} rows dropped that were not planted)",
        right as f64 / (right + wrong).max(1) as f64
    );
    println!(
        "rows with one fact exchanged: {} of {} dropped",
        hard.1, hard.0
    );
    for (at, name) in make::EDITS.iter().enumerate() {
        println!("  {name}: {} of {}", found[at], planted[at]);
    }
}
