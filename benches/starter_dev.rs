//! How good a judge is on the development rows of the judge data, beside what a ridge on surface
//! features knows. Nothing is fitted on the judge's scores.
//!
//!     cargo bench --bench starter_dev -- --data ../shared/data
//!
//!     cargo bench --bench starter_dev -- --data ../shared/data --dtypes
//!
//! says how far bf16 and int8 weights move the expected score instead.
//!
//! The rows are those with `annotator` = weighted_gpt4_turbo: `clean` are new models on new
//! instructions (what is reported), `--rows all` adds every other dev row.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::{Parser, ValueEnum};
use juror::data::{self, ReadOptions, Record, Response, Shard};
use juror::engine::{Engine, Options};
use juror::judge::{Judge, Setup};
use juror::kernel::Format;
use juror::run::score::{Mode, ScoreRun, Scorer, Signal, held};
use juror::stats::judge_figures::{Comparison, compare, intervals};
use juror::stats::surface::{Baseline, Triple, fit_baseline};
use juror::stats::{Interval, JudgedRows, Resampler, auroc, figures, pearson, spearman};
use juror::train::scratch::corpus;
use serde_json::Value;

#[derive(Parser)]
struct Arguments {
    /// Folder with the judge data
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    #[arg(long, default_value = "starter")]
    judge: String,
    /// `clean`, or `all` weighted dev rows as well (takes many times as long)
    #[arg(long, value_enum, default_value_t = Rows::Clean)]
    rows: Rows,
    /// Compare number formats of the weights on the clean rows, and stop
    #[arg(long)]
    dtypes: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rows {
    Clean,
    All,
}

/// A response with all that is known of it.
struct Row<'a> {
    record: &'a Record,
    response: &'a Response,
    instruction: usize,
}

impl<'a> Row<'a> {
    fn meta(&self, name: &str) -> &'a str {
        self.response
            .meta
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    fn p(&self) -> f64 {
        self.response.labels.get("p").copied().unwrap_or(0.0)
    }

    fn length(&self) -> f64 {
        self.response.text.chars().count() as f64
    }

    fn triple(&self) -> Triple<'a> {
        Triple {
            instruction: &self.record.instruction,
            reference: self.record.reference.as_deref(),
            response: &self.response.text,
        }
    }

    fn free(&self) -> Triple<'a> {
        Triple {
            reference: None,
            ..self.triple()
        }
    }
}

fn rows(records: &[Record]) -> Vec<Row<'_>> {
    let rows = records
        .iter()
        .enumerate()
        .flat_map(|(instruction, record)| {
            record.responses.iter().map(move |response| Row {
                record,
                response,
                instruction,
            })
        });
    rows.collect()
}

/// What a judge says of a row.
#[derive(Clone, Copy, Default)]
struct Score {
    with: f64,
    free: f64,
    cosine: f64,
}

const BOTH: [Signal; 3] = [Signal::SelfEvalRef, Signal::SelfEvalFree, Signal::Cosine];

struct Jury {
    engine: Engine,
    judge: Judge,
}

impl Jury {
    fn load(name: &str, dtype: Option<Format>) -> Result<Self> {
        let options = Options {
            judge: name.to_owned(),
            dtype,
            ..Options::default()
        };
        let (engine, cast) = Engine::load(options, |_, _, _| ())?;
        let judge = Judge::new(cast, Setup::default())?;
        Ok(Jury { engine, judge })
    }

    /// Scores rows, in order.
    fn score(&self, rows: &[&Row<'_>], signals: &[Signal]) -> Result<Vec<Score>> {
        let mut records: Vec<Record> = Vec::new();
        for row in rows {
            if records.last().is_none_or(|r| r.id != row.record.id) {
                records.push(Record {
                    responses: Vec::new(),
                    ..row.record.clone()
                });
            }
            if let Some(last) = records.last_mut() {
                last.responses.push(row.response.clone());
            }
        }
        let run = ScoreRun {
            mode: Mode::Auto,
            signals: signals.to_vec(),
            cut: None,
            attribute: false,
            shard: Shard::WHOLE,
            strict: true,
        };
        let mut out = Vec::new();
        let scorer = Scorer::new(&self.judge, &self.engine, &run);
        let summary = scorer.run(&mut held(&records), &mut out, &mut |n, _| {
            if n.is_multiple_of(500) {
                eprintln!("{n} of {} rows", rows.len());
            }
        })?;
        eprintln!(
            "{} rows, {:.0} tokens/s",
            summary.rows, summary.tokens_per_s
        );
        let mut scores = Vec::with_capacity(rows.len());
        for line in out.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let row: Value = serde_json::from_slice(line)?;
            let number = |name: &str| row["signals"][name].as_f64().unwrap_or(f64::NAN);
            scores.push(Score {
                with: number("self_eval_ref"),
                free: number("self_eval_free"),
                cosine: number("cosine"),
            });
        }
        Ok(scores)
    }
}

fn number(x: Option<f64>) -> String {
    x.map_or("–".into(), |x| format!("{x:.3}"))
}

fn range(x: Option<Interval>) -> String {
    x.map_or("–".into(), |i| {
        format!("{:+.3} [{:+.3}, {:+.3}]", i.estimate, i.low, i.high)
    })
}

/// One table: judge, surface ridge, both, and paired differences with the ridge.
fn table(title: &str, rows: &[&Row<'_>], judge: &[f64], surface: &[f64]) {
    let instruction: Vec<usize> = rows.iter().map(|r| r.instruction).collect();
    let p: Vec<f64> = rows.iter().map(|r| r.p()).collect();
    let length: Vec<f64> = rows.iter().map(|r| r.length()).collect();
    let judged = JudgedRows {
        p: &p,
        instruction: &instruction,
        length: &length,
    };
    println!("\n{title}: {} rows", rows.len());
    println!("| | Pearson | within (Pearson) | within (Spearman) | AUC p>½ | pairs |");
    println!("|---|---|---|---|---|---|");
    let both = both(judge, surface);
    for (name, scores) in [
        ("judge", judge),
        ("surface ridge", surface),
        ("ridge + ½ judge", &both),
    ] {
        let f = figures(&judged, scores);
        println!(
            "| {name} | {} | {} | {} | {} | {} of {} |",
            number(f.pearson),
            number(f.within),
            number(f.within_spearman),
            number(f.auc),
            number(f.pairs),
            f.pair_count
        );
    }
    let resampler = Resampler::new(&instruction, 1);
    let line = |name: &str, c: &Comparison| {
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            range(c.pearson),
            range(c.within),
            range(c.within_spearman),
            range(c.auc),
            range(c.pairs)
        );
    };
    line("judge, 95 %", &intervals(&judged, judge, &resampler));
    line(
        "judge − ridge, 95 %",
        &compare(&judged, judge, surface, &resampler),
    );
    line(
        "ridge + ½ judge − ridge, 95 %",
        &compare(&judged, &both, surface, &resampler),
    );
}

/// What the judge knows beside the ridge: half of its standardised score added to the ridge's. The weight is not fitted.
fn both(judge: &[f64], surface: &[f64]) -> Vec<f64> {
    let standardised = |x: &[f64]| -> Vec<f64> {
        let count = x.len() as f64;
        let mean = x.iter().sum::<f64>() / count;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        x.iter().map(|x| (x - mean) / variance.sqrt()).collect()
    };
    let pairs = standardised(judge).into_iter().zip(standardised(surface));
    pairs.map(|(judge, ridge)| ridge + 0.5 * judge).collect()
}

/// Scores of the ridge, without a reference where `free`.
fn surface(baseline: &Baseline, rows: &[&Row<'_>], free: bool) -> Vec<f64> {
    rows.iter()
        .map(|r| {
            baseline
                .score(&if free { r.free() } else { r.triple() })
                .unwrap_or(f64::NAN)
        })
        .collect()
}

fn fit(train: &[&Row<'_>], free: bool) -> Result<Baseline> {
    let triples: Vec<Triple> = train
        .iter()
        .map(|r| if free { r.free() } else { r.triple() })
        .collect();
    let roots: Vec<f64> = train.iter().map(|r| r.p().sqrt()).collect();
    let groups: Vec<usize> = train.iter().map(|r| r.instruction).collect();
    fit_baseline(&triples, &roots, &groups).ok_or_else(|| anyhow!("the ridge cannot be fitted"))
}

/// AUROC of the cosine to the reference: each response against a response to another instruction
/// of the same category, the nearest in length.
fn embedding(rows: &[&Row<'_>], jury: &Jury, scores: &[Score]) -> Result<Option<f64>> {
    let mut crossed: Vec<Record> = Vec::new();
    let mut by_category: HashMap<&str, Vec<&Row<'_>>> = HashMap::new();
    for row in rows {
        by_category
            .entry(row.meta("dataset"))
            .or_default()
            .push(row);
    }
    for row in rows {
        let same = by_category
            .get(row.meta("dataset"))
            .map_or(&[][..], Vec::as_slice);
        let nearest = same
            .iter()
            .filter(|o| o.instruction != row.instruction)
            .min_by(|a, b| {
                let far = |o: &Row<'_>| (o.length() - row.length()).abs();
                far(a).total_cmp(&far(b))
            });
        if let Some(other) = nearest {
            crossed.push(Record {
                id: format!("{}-{}", row.record.id, row.response.id),
                responses: vec![other.response.clone()],
                ..row.record.clone()
            });
        }
    }
    let crossed = self::rows(&crossed).into_iter().collect::<Vec<_>>();
    let strangers = jury.score(&crossed.iter().collect::<Vec<_>>(), &[Signal::Cosine])?;
    let all: Vec<f64> = scores.iter().chain(&strangers).map(|s| s.cosine).collect();
    let own: Vec<bool> = (0..all.len()).map(|i| i < scores.len()).collect();
    Ok(auroc(&all, &own))
}

fn read(folder: &Path, name: &str) -> Result<Vec<Record>> {
    Ok(data::read(&[folder.join(name)], &ReadOptions::default())?.records)
}

/// How far the scores of bf16 and int8 weights are from those of f32.
fn dtypes(judge: &str, rows: &[&Row<'_>]) -> Result<()> {
    let scores = |format| -> Result<Vec<f64>> {
        let scores = Jury::load(judge, Some(format))?.score(rows, &BOTH[..2])?;
        Ok(scores.iter().flat_map(|s| [s.with, s.free]).collect())
    };
    let exact = scores(Format::F32)?;
    println!("| weights | scores | largest difference | within 0.05 | Spearman with f32 |");
    println!("|---|---|---|---|---|");
    for (name, format) in [("bf16", Format::Bf16), ("int8", Format::Int8)] {
        let found = scores(format)?;
        let far = |pair: (&f64, &f64)| (pair.0 - pair.1).abs();
        let differences: Vec<f64> = found.iter().zip(&exact).map(far).collect();
        let near = differences.iter().filter(|d| **d <= 0.05).count();
        println!(
            "| {name} | {} | {:.4} | {:.2} % | {} |",
            found.len(),
            differences.iter().copied().fold(0.0, f64::max),
            100.0 * near as f64 / found.len() as f64,
            spearman(&found, &exact).map_or("–".into(), |x| format!("{x:.6}"))
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let _ = arguments.bench;
    let records = read(&arguments.data, "alpaca_eval_judge.jsonl.gz")?;
    let all = rows(&records);
    let weighted: Vec<&Row<'_>> = all
        .iter()
        .filter(|r| r.meta("annotator") == "weighted_gpt4_turbo")
        .filter(|r| r.meta("provenance") != "unmerged-pr")
        .collect();
    let part = |keep: &dyn Fn(&Row<'_>) -> bool| -> Vec<&Row<'_>> {
        weighted.iter().copied().filter(|r| keep(r)).collect()
    };
    let train = part(&|r| r.meta("split") == "train");
    let clean = part(&|r| r.meta("instr_split") == "dev" && r.meta("model_split") == "dev");
    if arguments.dtypes {
        return dtypes(&arguments.judge, &clean);
    }
    let jury = Jury::load(&arguments.judge, None)?;
    let (ridge, ridge_free) = (fit(&train, false)?, fit(&train, true)?);
    let with = |title: &str, rows: &[&Row<'_>], scores: &[Score]| {
        let judge: Vec<f64> = scores.iter().map(|s| s.with).collect();
        let surface = surface(&ridge, rows, false);
        table(&format!("{title}, with reference"), rows, &judge, &surface);
    };
    let free = |title: &str, rows: &[&Row<'_>], scores: &[Score]| {
        let judge: Vec<f64> = scores.iter().map(|s| s.free).collect();
        let surface = surface(&ridge_free, rows, true);
        table(&format!("{title}, without"), rows, &judge, &surface);
    };
    let scores = jury.score(&clean, &BOTH)?;
    let title = "clean rows (new models, new instructions)";
    with(title, &clean, &scores);
    free(title, &clean, &scores);
    let auc = embedding(&clean, &jury, &scores)?;
    println!(
        "\nembedding: AUC of the cosine to the reference, own response against one to another \
         instruction of the same category and length: {}",
        number(auc)
    );

    let arena: Vec<Record> = read(&arguments.data, "absolute_scores.jsonl.gz")?
        .into_iter()
        .filter(|r| {
            r.meta.get("source").or(r.responses[0].meta.get("source"))
                == Some(&"arena_bench_v1".into())
        })
        .filter(|r| {
            let key = corpus::key(&r.instruction, r.input.as_deref().unwrap_or(""));
            corpus::is_dev_by_hash("arena_bench_v1", &key)
        })
        .collect();
    let arena = rows(&arena);
    let arena: Vec<&Row<'_>> = arena.iter().collect();
    let scores = jury.score(&arena, &BOTH[..2])?;
    let label = |r: &&Row<'_>| r.response.labels.get("score").copied().unwrap_or(f64::NAN);
    let labels: Vec<f64> = arena.iter().map(label).collect();
    let of = |f: fn(&Score) -> f64| pearson(&scores.iter().map(f).collect::<Vec<_>>(), &labels);
    println!(
        "\narena_bench_v1, dev half, {} rows: Pearson {} with reference, {} without",
        arena.len(),
        number(of(|s| s.with)),
        number(of(|s| s.free))
    );

    if arguments.rows == Rows::All {
        let dev = part(&|r| r.meta("split") == "dev");
        let scores = jury.score(&dev, &BOTH[..1])?;
        with("all weighted dev rows", &dev, &scores);
        let known = |i: &usize| dev[*i].meta("instr_split") == "train";
        let known: Vec<usize> = (0..dev.len()).filter(known).collect();
        let rows: Vec<&Row<'_>> = known.iter().map(|i| dev[*i]).collect();
        let scores: Vec<Score> = known.iter().map(|i| scores[*i]).collect();
        with(
            "tuning rows (new models, known instructions)",
            &rows,
            &scores,
        );
    }
    Ok(())
}
