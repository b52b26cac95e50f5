//! What sharing prefixes saves a tournament: the time of whole rounds beside that of one pass a prompt, and beside the
//! share of tokens that a prefix tree of all its prompts leaves to compute.
//!
//!     python -c "import engines, pathlib; engines.make(pathlib.Path('target/engines'), '135m')"      # in benches/
//!     cargo bench --bench tournament -- --judge target/engines/135m --threads 2
//!
//! One record of random texts, new ones in each turn, so that the prefix cache knows none of them; both ways judge the same
//! pairs. Told by the clock, and by processor time where the system tells it: that is what counts beside other load. The model of `engines.py` has a token a byte, so the templates here are as long in bytes as usual ones are in
//! tokens.

use std::sync::mpsc::channel;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use juror::data::{Record, Response};
use juror::engine::local::Cast;
use juror::engine::{Answer, Engine, Job, Lane, Options, Task};
use juror::judge::pairwise::{Pair, PairJudge, PairSetup, PairTemplates};
use juror::kernel::Format;
use juror::run::tournament::{Runner, TournamentRun};
use juror::stats::bootstrap::SplitMix64;
use serde_json::Value;

#[derive(Parser)]
struct Arguments {
    /// A model folder
    #[arg(long)]
    judge: String,
    #[arg(long)]
    threads: Option<usize>,
    #[arg(long, default_value_t = 32)]
    responses: usize,
    /// Tokens of a response, on average
    #[arg(long, default_value_t = 150)]
    tokens: usize,
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Memory for known prefixes, in MiB
    #[arg(long, default_value_t = 2048)]
    cache_mb: usize,
    /// Weights in bf16 instead of int8
    #[arg(long)]
    bf16: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

const SYSTEM: &str = "You compare two responses to one request.";
const CUE: &str = "The better one is Response";

/// Principles behind the content, as in the standard templates.
fn templates(principles: usize) -> Result<PairTemplates> {
    let mut judge = serde_json::Map::new();
    for name in &["helpful", "truthful", "harmless"][..principles] {
        let user = format!(
            "Request:\n{{context}}\n\nResponse A:\n{{response_a}}\n\nResponse B:\n{{response_b}}\n\nWhich one is the more {name} \
             one, however long?"
        );
        let texts = serde_json::json!({"system": SYSTEM, "user": user, "assistant": CUE});
        judge.insert((*name).to_owned(), texts);
    }
    // JSON is YAML.
    let text = serde_json::json!({"templates": {"judge": judge}}).to_string();
    Ok(PairTemplates::parse("bench", &text, false)?)
}

fn engine(arguments: &Arguments, cache_bytes: usize) -> Result<(Engine, Cast)> {
    let format = match arguments.bf16 {
        true => Format::Bf16,
        false => Format::best(),
    };
    let options = Options {
        judge: arguments.judge.clone(),
        device: "cpu".into(),
        dtype: Some(format),
        threads: arguments.threads,
        cache_bytes,
        ..Options::default()
    };
    Ok(Engine::load(options, |_, _, _| ())?)
}

/// A record of random letters.
fn record(arguments: &Arguments, seed: u64) -> Record {
    let mut random = SplitMix64(seed);
    let mut text = |count: usize| -> String {
        let letter = |random: &mut SplitMix64| char::from(b'a' + random.below(26) as u8);
        (0..count).map(|_| letter(&mut random)).collect()
    };
    let (half, spread) = (arguments.tokens / 2, arguments.tokens + 1);
    let mut lengths = SplitMix64(!seed);
    Record {
        id: seed.to_string(),
        instruction: text(60),
        responses: (0..arguments.responses)
            .map(|at| Response {
                id: at.to_string(),
                text: text(half + lengths.below(spread)),
                ..Response::default()
            })
            .collect(),
        ..Record::default()
    }
}

/// The prompts of a tournament that was played.
fn prompts(judge: &PairJudge, record: &Record, row: &Value) -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    let rounds = row["rounds"].as_array().into_iter().flatten();
    for played in rounds.filter_map(Value::as_array).flatten() {
        let text = |side: usize| {
            let place = played[side]
                .as_str()
                .and_then(|id| id.parse::<usize>().ok());
            let response = place.and_then(|place| record.responses.get(place));
            response.map(|r| r.text.as_str()).unwrap_or_default()
        };
        tasks.extend(judge.plan(&Pair::of(record, text(0), text(1)))?.tasks);
    }
    Ok(tasks)
}

/// Tokens of the prompts, and of the tree that they form.
fn tokens(tasks: &[Task]) -> (usize, usize) {
    let mut ids: Vec<&[u32]> = tasks.iter().map(|task| task.ids.as_slice()).collect();
    ids.sort_unstable();
    ids.dedup();
    let shared = |two: &[&[u32]]| {
        two[0]
            .iter()
            .zip(two[1])
            .take_while(|(a, b)| a == b)
            .count()
    };
    let all: usize = tasks.iter().map(|task| task.ids.len()).sum();
    let distinct: usize = ids.iter().map(|ids| ids.len()).sum();
    (all, distinct - ids.windows(2).map(shared).sum::<usize>())
}

/// Seconds.
#[derive(Clone, Copy)]
struct Time {
    clock: f64,
    /// All threads'; NaN where unknown.
    processor: f64,
}

/// Processor time of this process so far, in seconds, as Linux tells it in hundredths.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may have blanks.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.filter_map(|t| t.parse().ok()).collect();
    match ticks.len() {
        2 => ticks.iter().sum::<f64>() / 100.0,
        _ => f64::NAN,
    }
}

/// How long something takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Time)> {
    let (started, before) = (Instant::now(), processor());
    let done = work()?;
    let time = Time {
        clock: started.elapsed().as_secs_f64(),
        processor: processor() - before,
    };
    Ok((done, time))
}

/// One pass a prompt, nothing shared.
fn separately(engine: &Engine, tasks: Vec<Task>) -> Result<()> {
    for (id, task) in (0..).zip(tasks) {
        let (reply, answers) = channel();
        engine.submit(Job {
            id,
            lane: Lane::Batch,
            tasks: vec![task],
            reply,
        });
        match answers.recv()? {
            Answer::Done { .. } => (),
            other => bail!("{other:?}"),
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (shared, cast) = engine(&arguments, arguments.cache_mb << 20)?;
    let (alone, _) = engine(&arguments, 0)?;
    for principles in [1, 3] {
        let setup = PairSetup {
            templates: Some(templates(principles)?),
            ..PairSetup::default()
        };
        let judge = PairJudge::new(cast.clone(), setup)?;
        let (mut clocks, mut processors, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..arguments.turns as u64 {
            let records = [record(&arguments, 1000 * principles as u64 + turn)];
            let run = TournamentRun {
                seed: turn,
                n: None,
                strict: true,
            };
            let mut out = Vec::new();
            let runner = Runner::new(&judge, &shared, run);
            let ((summary, _), together) =
                timed(|| Ok(runner.run(&records, &mut out, &mut |_, _| ())?))?;
            let tasks = prompts(&judge, &records[0], &serde_json::from_slice(&out)?)?;
            let (all, unique) = tokens(&tasks);
            let ((), one_by_one) = timed(|| separately(&alone, tasks))?;
            println!(
                "{principles} principles, {} judgments: {:.2} s (processor {:.2} s) together, {:.2} s ({:.2} s) one by one; \
                 {unique} of {all} tokens ({} computed)",
                summary.judgments,
                together.clock,
                together.processor,
                one_by_one.clock,
                one_by_one.processor,
                summary.computed_tokens,
            );
            clocks.push(together.clock / one_by_one.clock);
            processors.push(together.processor / one_by_one.processor);
            shares.push(unique as f64 / all as f64);
        }
        let share = median(shares);
        let bar = match principles {
            3 => "; time at most 35 %",
            _ => "",
        };
        for (name, ratios) in [("the clock", clocks), ("processor time", processors)] {
            let ratio = median(ratios);
            println!(
                "{principles} principles, medians by {name}: time {:.1} %, tokens {:.1} %, {:.2} of what these predict (bar 1.10{bar})",
                100.0 * ratio,
                100.0 * share,
                ratio / share
            );
        }
    }
    Ok(())
}
