//! `juror pair DATA -o OUT.jsonl`

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use super::DataArguments;
use super::output::{EndArguments, spare, write_to};
use super::pairing::PairingArguments;
use super::progress::{bar, loading};
use crate::data;
use crate::judge::pairwise::PairJudge;
use crate::run::pair::{PairRun, Pairer, Pairing, Summary, count};

/// Said below the options.
const LONG: &str = "\
Pairs are rows with response_a and response_b, or the responses of a record (--pairs). The score of a response is the mean
probability of the judge token that names it, over both orders. A principle is won by the larger score, the pair by more
principles, then by the larger mean score. Identical responses tie; an empty response is judged like any other; a record
with fewer than two responses gets a row with `error` set, and so does one whose prompt does not fit the judge even with
its responses cut; a row without an instruction is told of and passed over.";

/// Which of two responses is better: by one token for each principle, in both orders.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    pairing: PairingArguments,
    /// Where the rows go; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// Which of more than two responses meet
    #[arg(long, value_enum, default_value_t)]
    pairs: Pairing,
    /// Judge each response against the reference; rows then have the signal `pair`, s_a − s_b from −1 to 1, for eval,
    /// threshold and rank
    #[arg(long, conflicts_with = "pairs")]
    against_reference: bool,
    /// Scores this close are ties
    #[arg(long, default_value_t = 0.0)]
    margin: f64,
    /// Let the judge write why, for each principle, behind its verdict
    #[arg(long)]
    rationale: bool,
    /// Longest text of a rationale, in tokens; it has one for each position where the templates mark them
    #[arg(long, default_value_t = 256)]
    rationale_tokens: usize,
    #[command(flatten)]
    end: EndArguments,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.end.check(&arguments.output)?;
    let run = PairRun {
        pairing: match arguments.against_reference {
            true => Pairing::Reference,
            false => arguments.pairs,
        },
        strict: arguments.data.strict,
        rationale: arguments.rationale.then_some(arguments.rationale_tokens),
    };
    let setup = arguments.pairing.setup(arguments.margin)?;
    let files = data::discover(&arguments.data.data)?;
    spare(&files, [Some(&arguments.output)])?;
    let set = data::read(&files, &arguments.data.options()?)?;
    super::tell(&set.errors);
    let bar = bar(arguments.end.quiet, count(&set.records, run.pairing));
    let summary = write_to(&arguments.output, |out| {
        let started = Instant::now();
        let (engine, cast) = arguments.pairing.judge.start(loading(&bar))?;
        let judge = PairJudge::new(cast, setup)?;
        let load_s = started.elapsed().as_secs_f64();
        let pairer = Pairer::new(&judge, &engine, run).on_first_failure(|what| {
            bar.suspend(|| {
                note!("juror: {what} (the first such row; see `error` in the output)");
            });
        });
        let started = Instant::now();
        let summary = pairer.run(&set.records, out, &mut |rows, tokens| {
            bar.set_position(rows as u64);
            let rate = tokens as f64 / started.elapsed().as_secs_f64().max(1e-3);
            bar.set_message(format!("{rate:.0} tok/s"));
        })?;
        Ok(Summary { load_s, ..summary })
    })?;
    bar.finish_and_clear();
    let summary = Summary {
        errors: summary.errors + set.errors.len(),
        ..summary
    };
    arguments.end.tell(&summary, sentence)
}

fn sentence(s: &Summary) -> String {
    let cut = match s.truncated {
        0 => String::new(),
        n => format!(", {n} cut to fit"),
    };
    let bias = s.position_bias;
    format!(
        "{} of {} pairs judged, {} errors{cut}: {} a, {} b, {} ties; {:.1} % flip with the order, position A leads by {:+.3} \
         on average; the judge tokens have {:.3} of the probability; {} prompt tokens ({} computed) in {:.1} s, {:.0} tok/s; \
         loading took {:.2} s",
        s.rows - s.failed,
        s.rows,
        s.errors,
        s.a,
        s.b,
        s.ties,
        100.0 * bias.flips,
        bias.mean_shift,
        s.mass,
        s.prompt_tokens,
        s.computed_tokens,
        s.judge_s,
        s.tokens_per_s,
        s.load_s
    )
}
