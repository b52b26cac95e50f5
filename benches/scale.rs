//! How fast large files are opened, written and read: `cargo bench --bench scale -- --rows 1000000`.
//!
//! Made-up records of about a kilobyte are indexed as the explorer does it, opened again with the index that was kept,
//! written as scored rows and read back as `juror eval` reads them. Files are in the page cache: what is measured is Juror.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use juror::data::part::PartFile;
use juror::data::scored::{self, Wanted};
use juror::data::{LabelDistribution, Library, ReadOptions};
use juror::run::row::{Distribution, Named, Row};
use juror::stats::bootstrap::SplitMix64;
use serde_json::{Map, json};

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Characters of a record, about
    #[arg(long, default_value_t = 1000)]
    characters: usize,
    /// How often each is done; the best counts
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Where files go, and stay; without it, a folder that is removed
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

const WORDS: [&str; 16] = [
    "river",
    "counts",
    "the",
    "a",
    "slowly",
    "paper",
    "and",
    "green",
    "lamp",
    "seven",
    "over",
    "carries",
    "quiet",
    "\\\"so\\\"",
    "north",
    "bread",
];

/// Records with a response and a rating each.
fn make(path: &Path, arguments: &Arguments) -> Result<u64> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut random = SplitMix64(5);
    for n in 0..arguments.rows {
        let mut text = |characters: usize| {
            let mut text = String::with_capacity(characters + 16);
            while text.len() < characters {
                text.push_str(WORDS[random.next_u64() as usize % WORDS.len()]);
                text.push(' ');
            }
            text
        };
        let (asked, said) = (
            text(arguments.characters / 5),
            text(arguments.characters * 3 / 5),
        );
        writeln!(
            out,
            "{{\"id\":\"r{n}\",\"instruction\":\"{asked}\",\"response\":\"{said}\",\"generator\":\"g{}\",\"rating\":{},\"topic\":\"t{}\"}}",
            n % 7,
            n % 10,
            n % 31
        )?;
    }
    out.flush()?;
    // An index is kept of files that were not changed just now.
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    out.get_ref().set_modified(hour_ago)?;
    Ok(std::fs::metadata(path)?.len())
}

/// The most resident memory there was, in MiB, where the system tells.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<f64>().ok());
    number.unwrap_or(f64::NAN) / 1024.0
}

/// Prints the best of some turns.
fn best(name: &str, bytes: u64, turns: usize, mut turn: impl FnMut() -> Result<()>) -> Result<()> {
    let mut seconds = f64::INFINITY;
    for _ in 0..turns.max(1) {
        let began = Instant::now();
        turn()?;
        seconds = seconds.min(began.elapsed().as_secs_f64());
    }
    let megabytes = bytes as f64 / 1e6;
    println!(
        "| {name} | {megabytes:.0} MB | {seconds:.2} s | {:.0} MB/s | {:.0} MiB |",
        megabytes / seconds,
        peak()
    );
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let own = tempfile::tempdir()?;
    let folder = arguments.folder.as_deref().unwrap_or(own.path());
    let rows = arguments.rows;
    let path = folder.join("rows.jsonl");
    let bytes = make(&path, &arguments)?;
    println!(
        "{rows} records\n\n| | bytes | time | a second | most memory so far |\n|---|---|---|---|---|"
    );
    let options = ReadOptions::default();
    let fill = |indices: Option<&Path>| -> Result<Library> {
        let library = Library::default();
        library.fill(std::slice::from_ref(&path), &options, indices, &mut |_| ())?;
        ensure!(library.len() == rows, "{} of {rows} records", library.len());
        Ok(library)
    };
    best("index build", bytes, arguments.turns, || {
        fill(None).map(|_| ())
    })?;
    let indices = folder.join("indices");
    fill(Some(&indices))?;
    best(
        "opened with the index that was kept",
        bytes,
        arguments.turns,
        || fill(Some(&indices)).map(|_| ()),
    )?;
    let library = fill(Some(&indices))?;
    let mut random = SplitMix64(9);
    let began = Instant::now();
    let looks = 2000;
    for _ in 0..looks {
        let at = random.next_u64() as usize % rows;
        let item = library.get(at).context("a record is gone")?;
        ensure!(item.record.id == format!("r{at}"), "another record");
    }
    println!(
        "\na record anywhere: {:.3} ms\n",
        began.elapsed().as_secs_f64() * 1e3 / f64::from(looks)
    );
    let scored_path = folder.join("scored.jsonl");
    write(&scored_path, rows)?;
    let bytes = std::fs::metadata(&scored_path)?.len();
    println!("| | bytes | time | a second | most memory so far |\n|---|---|---|---|---|");
    best("scored rows written", bytes, arguments.turns, || {
        write(&scored_path, rows)
    })?;
    best(
        "scored rows read (signals, label, a field)",
        bytes,
        arguments.turns,
        || {
            let wanted = Wanted {
                label: Some("rating".to_owned()),
                fields: vec!["topic".to_owned()],
                ..Wanted::default()
            };
            let (found, errors) = scored::read(&scored_path, &wanted)?;
            ensure!(found.len() == rows && errors.is_empty(), "rows are missing");
            Ok(())
        },
    )
}

/// Writes scored rows as `juror score` does.
fn write(path: &Path, rows: usize) -> Result<()> {
    let (mut out, _) = PartFile::open(path, false)?;
    let judge = Named {
        name: "starter".to_owned(),
        hash: "0".repeat(64),
    };
    let found = LabelDistribution {
        labels: (0..10).map(|digit| digit.to_string()).collect(),
        values: (0..10).map(f64::from).collect(),
        probs: (1..11).map(|n| f64::from(n) / 55.0).collect(),
        mass: Some(0.987_654_321),
        missing: None,
    };
    for n in 0..rows {
        let id = format!("r{n}");
        let labels = BTreeMap::from([("rating".to_owned(), (n % 10) as f64)]);
        let mut signals = Map::new();
        for (name, value) in [
            ("self_eval", 6.0),
            ("self_eval_ref", 6.0),
            ("cosine", 0.71),
            ("fused", 0.78),
        ] {
            signals.insert(name.to_owned(), json!(value + n as f64 * 1e-8));
        }
        let mut meta = Map::new();
        meta.insert("topic".to_owned(), json!(format!("t{}", n % 31)));
        let row = Row {
            id: &id,
            response_id: "1",
            instruction_hash: format!("{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            generator: Some("g"),
            mode: "reference",
            signals,
            fusion: None,
            self_eval: Some(Distribution::from(&found)),
            embedder: Some(&judge),
            verdict: None,
            attribution: None,
            generated: None,
            judge: &judge,
            template: &judge,
            prompt_tokens: 312,
            labels: &labels,
            length: 600,
            list_items: 0,
            surface: (0..24).map(|n| n as f32 * 0.37).collect(),
            meta,
            error: None,
            shard: None,
        };
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(out.finish()?)
}
