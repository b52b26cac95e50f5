//! SelectIT's sentence level with five prompts, shared against separate passes, in turns.
//!
//!     cargo bench --bench selectit -- --judge FOLDER --data FILE --rows 48 --turns 3
//!
//! *shared*: the rating line after the pair, the five prompts of a pair together, so that its keys are computed once.
//! *separate*: the same prompts in five passes over the data, one for each line, without a prefix cache: no prompt has
//! anything in common with another but its first word. *published*: the line before the pair, all prompts in one run.
//! Every side has an engine of its own, which starts cold; loading is not counted. What the share of unique tokens in
//! the prefix tree predicts is printed beside the ratio. Any model folder does; benches/engines.py makes the 135M shape
//! of random weights.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::{Parser, ValueEnum};
use juror::data::{self, ReadOptions, Subject};
use juror::engine::local::Cast;
use juror::engine::{Engine, Options};
use juror::judge::rating::{LinePlace, RatingLines, rated, templates};
use juror::judge::{Judge, Setup};
use juror::kernel::Format;
use juror::run::select::{Rating, rate};

#[derive(Parser)]
struct Arguments {
    /// A model folder or a GGUF file
    #[arg(long)]
    judge: String,
    /// Rows of instruction data, such as instruct_sample.jsonl.gz
    #[arg(long)]
    data: PathBuf,
    /// Rows of each turn; each turn has others
    #[arg(long, default_value_t = 48)]
    rows: usize,
    #[arg(long, default_value_t = 3)]
    turns: usize,
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
    #[arg(long)]
    threads: Option<usize>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dtype {
    F32,
    Bf16,
    Int8,
}

const PROMPTS: usize = 5;
const K: usize = 5;

/// What a side took and found.
struct Side {
    seconds: f64,
    /// Of all threads.
    processor_s: f64,
    computed: usize,
    /// Token-level, by pair.
    scores: Vec<Vec<f64>>,
}

/// Seconds that all threads of this process have computed for, in user space; NaN where Linux does not tell.
fn processor_s() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets, which may have blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().nth(11);
    ticks
        .and_then(|ticks| ticks.parse::<f64>().ok())
        .map_or(f64::NAN, |ticks| ticks / TICKS)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let options = ReadOptions::default();
    let set = data::read(std::slice::from_ref(&arguments.data), &options)?;
    let lines = RatingLines::built_in(K).first(PROMPTS)?;
    let one_each: Vec<Vec<String>> = lines.iter().map(|line| vec![line.clone()]).collect();
    let pairs: Vec<Result<Subject, String>> = set
        .records
        .iter()
        .filter_map(|record| Some(Ok(Subject::of(record, rated(record).ok()?))))
        .collect();
    // Spread over the file: its parts differ.
    let step = (pairs.len() / (arguments.rows * arguments.turns)).max(1);
    let pairs: Vec<_> = pairs.into_iter().step_by(step).collect();
    let mut ratios = Vec::new();
    println!(
        "{:>5}  {:>9} {:>9} {:>9}  {:>9} {:>9}  {:>9}",
        "turn", "shared s", "separate", "published", "by clock", "by proc.", "predicted"
    );
    for (turn, pairs) in pairs
        .chunks(arguments.rows)
        .take(arguments.turns)
        .enumerate()
    {
        let shared = run(
            &arguments,
            pairs,
            std::slice::from_ref(&lines),
            LinePlace::Last,
            true,
        )?;
        let separate = run(&arguments, pairs, &one_each, LinePlace::Last, false)?;
        let published = run(
            &arguments,
            pairs,
            std::slice::from_ref(&lines),
            LinePlace::First,
            true,
        )?;
        let far = shared
            .scores
            .iter()
            .flatten()
            .zip(separate.scores.iter().flatten());
        let far = far.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if far > 1e-3 || shared.scores.len() != separate.scores.len() {
            return Err(anyhow!("shared and separate scores differ by {far}"));
        }
        let ratio = separate.seconds / shared.seconds;
        let (all, unique) = tokens(&arguments, pairs, &lines)?;
        println!(
            "{turn:>5}  {:>9.2} {:>9.2} {:>9.2}  {ratio:>9.2} {:>9.2}  {:>9.2}",
            shared.seconds,
            separate.seconds,
            published.seconds,
            separate.processor_s / shared.processor_s,
            all as f64 / unique as f64,
        );
        println!(
            "       {} pairs, {all} prompt tokens, {unique} unique in the tree ({:.1} %); computed: shared {}, separate {}, published {}; {:.0} and {:.0} computed tokens a second; scores differ by at most {far:.1e}",
            pairs.len(),
            100.0 * unique as f64 / all as f64,
            shared.computed,
            separate.computed,
            published.computed,
            shared.computed as f64 / shared.seconds,
            separate.computed as f64 / separate.seconds,
        );
        ratios.push((ratio, separate.processor_s / shared.processor_s));
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let (clock, processor): (Vec<f64>, Vec<f64>) = ratios.into_iter().unzip();
    println!(
        "medians: shared is {:.2} times as fast as separate passes by the clock, {:.2} by processor time (bar 2.5)",
        median(clock),
        median(processor)
    );
    Ok(())
}

fn load(arguments: &Arguments, cached: bool) -> Result<(Engine, Cast)> {
    let default = Options::default();
    let options = Options {
        judge: arguments.judge.clone(),
        device: "cpu".into(),
        dtype: arguments.dtype.map(|dtype| match dtype {
            Dtype::F32 => Format::F32,
            Dtype::Bf16 => Format::Bf16,
            Dtype::Int8 => Format::Int8,
        }),
        threads: arguments.threads,
        cache_bytes: if cached { default.cache_bytes } else { 0 },
        ..default
    };
    Ok(Engine::load(options, |_, _, _| ())?)
}

fn judge(cast: Cast, lines: &[String], place: LinePlace) -> Result<Judge> {
    let setup = Setup {
        templates: Some(templates(lines, place, K)),
        ..Setup::default()
    };
    Ok(Judge::new(cast, setup)?)
}

/// Rates the pairs, once for each group of lines.
fn run(
    arguments: &Arguments,
    pairs: &[Result<Subject, String>],
    groups: &[Vec<String>],
    place: LinePlace,
    cached: bool,
) -> Result<Side> {
    let (engine, cast) = load(arguments, cached)?;
    let (mut seconds, mut computed) = (0.0, 0);
    let before = processor_s();
    let mut scores: Vec<Vec<f64>> = vec![Vec::new(); pairs.len()];
    for lines in groups {
        let judge = judge(cast.clone(), lines, place)?;
        let found = rate(
            &judge,
            &engine,
            pairs,
            (Rating::default(), true),
            &mut |_, _| (),
        )?;
        seconds += found.score_s;
        computed += found.computed_tokens;
        for (all, own) in scores.iter_mut().zip(found.pairs) {
            all.extend(own.map_err(|cause| anyhow!(cause))?);
        }
    }
    Ok(Side {
        seconds,
        processor_s: processor_s() - before,
        computed,
        scores,
    })
}

/// Tokens of all prompts with the line last, and those that are unique in their prefix tree.
fn tokens(
    arguments: &Arguments,
    pairs: &[Result<Subject, String>],
    lines: &[String],
) -> Result<(usize, usize)> {
    let (_engine, cast) = load(arguments, false)?;
    let judge = judge(cast, lines, LinePlace::Last)?;
    let template = judge.templates().free.clone();
    let template = template.ok_or_else(|| anyhow!("no rating template"))?;
    let mut prompts: Vec<Vec<u32>> = Vec::new();
    for pair in pairs.iter().flatten() {
        let found = judge.prompts(&template, pair)?;
        prompts.extend(found.into_iter().map(|(prompt, _)| prompt.ids));
    }
    let all = prompts.iter().map(Vec::len).sum();
    prompts.sort();
    let shared = |(one, other): (&Vec<u32>, &Vec<u32>)| {
        one.iter().zip(other).take_while(|(a, b)| a == b).count()
    };
    let known: usize = prompts.iter().zip(prompts.iter().skip(1)).map(shared).sum();
    Ok((all, all - known))
}
