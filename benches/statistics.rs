//! Time and memory of the statistics over many rows, `cargo bench --bench statistics -- --rows 10000000`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Instant;

use clap::Parser;
use juror::stats::bootstrap::SplitMix64;
use juror::stats::evaluation::{self, Rows, Settings};
use juror::stats::pair_order::{Answer, Level, pair_accuracy};
use juror::stats::pairwise::length_controlled::length_controlled;
use juror::stats::pairwise::{Draws, Games, bradley_terry, ratings, win_rates};
use juror::stats::threshold::{Found, pac};
use juror::stats::{auroc, coverage, kendall, pearson, ranking, spearman};

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 10_000_000)]
    rows: usize,
    /// Rows of one instruction.
    #[arg(long, default_value_t = 4)]
    together: usize,
    /// Comparisons of generators.
    #[arg(long, default_value_t = 100_000)]
    pairs: usize,
    #[arg(long, default_value_t = 100)]
    generators: usize,
    /// What cargo gives to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Resident memory in MiB, and the most there was, where the system tells.
fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| -> f64 {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<f64>().ok());
        number.unwrap_or(f64::NAN) / 1024.0
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn timed<T>(name: &str, of: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let found = std::hint::black_box(of());
    println!(
        "| {name} | {:.2} s | {:.0} MiB |",
        started.elapsed().as_secs_f64(),
        memory().1
    );
    found
}

fn main() {
    let arguments = Arguments::parse();
    let rows = arguments.rows;
    let mut random = SplitMix64(1);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let label: Vec<f64> = (0..rows).map(|_| (uniform() * 10.0).floor()).collect();
    let score: Vec<f64> = label.iter().map(|l| 0.5 * l + 4.0 * uniform()).collect();
    let cluster: Vec<usize> = (0..rows).map(|row| row / arguments.together).collect();
    let good: Vec<bool> = label.iter().map(|l| *l >= 6.0).collect();
    println!(
        "{rows} rows, {} of an instruction; the columns take {:.0} MiB\n",
        arguments.together,
        memory().0
    );
    println!("| statistic | time | most memory so far |\n|---|---|---|");
    timed("Pearson", || pearson(&score, &label));
    timed("Spearman", || spearman(&score, &label));
    timed("Kendall τ-b", || kendall(&score, &label));
    timed("AUROC", || auroc(&score, &good));
    let loss: Vec<f64> = good.iter().map(|g| f64::from(u8::from(!g))).collect();
    timed("risk–coverage, AURC", || coverage::curve(&score, &loss));
    let all = Rows {
        score: &score,
        label: &label,
        cluster: &cluster,
    };
    let settings = Settings {
        rounds: 1000,
        seed: 1,
        scale: Some((0.0, 9.0)),
    };
    timed("three correlations with intervals", || {
        evaluation::correlations(&all, &settings)
    });
    timed("AUROC, AURC and excess with intervals", || {
        evaluation::selective(&all, Some(&good), &settings)
    });
    timed("calibration, isotonic and affine", || {
        evaluation::calibration(&all, &good, 1)
    });
    timed("agreement with intervals", || {
        evaluation::agreement(&all, &settings)
    });
    let answers: Vec<Answer> = (0..rows)
        .map(|row| Answer {
            score: score[row],
            label: label[row],
            record: cluster[row],
            cluster: cluster[row],
            style: f64::NAN,
        })
        .collect();
    timed("order of answers within records", || {
        pair_accuracy(&answers, Level::All, 1000, 1)
    });
    drop(answers);
    let generator: Vec<usize> = (0..rows).map(|row| row % arguments.together).collect();
    let ranked = ranking::Rows {
        score: &score,
        generator: &generator,
        instruction: &cluster,
    };
    timed("ranking of generators", || {
        ranking::standings(&ranked, 1000, 1)
    });
    let bad: Vec<bool> = good.iter().map(|g| !g).collect();
    timed("threshold with a guarantee (pac)", || {
        matches!(pac(&score, &bad, 0.1, 0.95), Found::Threshold(_))
    });
    drop((score, label, cluster));
    pairwise(&arguments);
}

/// Generators with strengths from −2 to 2, in pairs by chance, 50 of an instruction; then all against the first.
fn pairwise(arguments: &Arguments) {
    let generators = arguments.generators;
    let mut random = SplitMix64(2);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let strength = |generator: usize| 4.0 * generator as f64 / generators as f64 - 2.0;
    let (mut one, mut other, mut won, mut instruction) = (vec![], vec![], vec![], vec![]);
    let (mut length_one, mut length_other) = (vec![], vec![]);
    while won.len() < arguments.pairs {
        let of = |u: f64| (u * generators as f64) as usize;
        let (a, b) = (of(uniform()), of(uniform()));
        if a != b {
            let wins = uniform() < bradley_terry::logistic(strength(a) - strength(b));
            instruction.push(won.len() / 50);
            one.push(a);
            other.push(b);
            won.push(f64::from(u8::from(wins)));
            length_one.push((1000.0 * uniform()).floor());
            length_other.push((1000.0 * uniform()).floor());
        }
    }
    let games = |one, other, instruction| Games {
        one,
        other,
        won: &won,
        instruction,
        generators,
    };
    println!(
        "\n{} comparisons of {generators} generators, 1,000 rounds of the bootstrap\n",
        arguments.pairs
    );
    println!("| statistic | time | most memory so far |\n|---|---|---|");
    let draws = Draws {
        rounds: 1000,
        seed: 1,
    };
    let all = games(&one, &other, &instruction);
    timed("Bradley–Terry ratings", || {
        bradley_terry::fit(&juror::stats::pairwise::WinMatrix::of_all(&all)).is_ok()
    });
    timed("the same with intervals", || {
        ratings(&all, None, draws, |_| Vec::new()).unwrap()
    });
    timed("win rates with intervals", || {
        win_rates::intervals(&all, draws)
    });
    let own = (0..won.len()).map(|row| 1 + row % (generators - 1));
    let own: Vec<usize> = own.collect();
    let baseline = vec![0; won.len()];
    let instruction: Vec<usize> = (0..won.len()).map(|row| row / (generators - 1)).collect();
    let against = games(&own, &baseline, &instruction);
    let lengths = (&length_one[..], &length_other[..]);
    timed("length-controlled win rates with intervals", || {
        length_controlled(&against, lengths, 0, draws, |_| Vec::new())
    });
}
