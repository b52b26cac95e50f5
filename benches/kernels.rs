//! How near the CPU kernels come to the processor's limit.
//!
//!     cargo bench --bench kernels [-- linear | vector | attend | pool]
//!
//! The limit is measured too: the kernel's instruction in registers alone, on one thread; the share
//! is of the limit times the threads. One thread's figures are means over its processor time, so
//! that they hold on a busy machine too; two threads' are the best by the clock.

use std::hint::black_box;
use std::time::Instant;

use juror::kernel::attend::{Scratch, Stretch, attend};
use juror::kernel::{Activations, Format, Linear, Pool, kernel_name, linear, peak};

/// Time each figure gets; the best of the repetitions counts.
const EACH: f64 = 0.12;
const FORMATS: [Format; 3] = [Format::F32, Format::Bf16, Format::Int8];
const SHAPES: [(usize, usize); 3] = [(576, 1536), (896, 4864), (2048, 8192)];

/// Time this thread has had a processor for, where the system tells; the clock elsewhere.
fn processor_time(since: Instant) -> f64 {
    std::thread::yield_now(); // Makes the system bring its account up to date.
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    told.map_or_else(|| since.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

/// The mean processor time of a call, and that of a round of the format's limit measured in turns
/// with it: the processor's clock and its neighbours change from one moment to the next.
fn in_turns(format: Format, mut f: impl FnMut()) -> (f64, f64) {
    const ROUNDS: usize = 100_000;
    let (start, mut spent, mut calls) = (Instant::now(), [0.0; 2], [0.0; 2]);
    while spent[0] < EACH {
        let before = processor_time(start);
        black_box(peak::spin(format, black_box(ROUNDS)));
        let between = processor_time(start);
        let mut after = between;
        while after - between < 1e-3 {
            f();
            calls[0] += 1.0;
            after = processor_time(start);
        }
        spent[0] += after - between;
        spent[1] += between - before;
        calls[1] += 1.0;
    }
    let limit = peak::spin(format, 1) * ROUNDS as f64 * calls[1] / spent[1];
    (spent[0] / calls[0], limit / 1e9)
}

/// The shortest time one call takes.
fn best(mut f: impl FnMut()) -> f64 {
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while start.elapsed().as_secs_f64() < EACH {
        let start = Instant::now();
        f();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (i * 7919 % 1009) as f32 / 504.5 - 1.0)
        .collect()
}

fn matrices(format: Format) {
    for (inputs, outputs) in SHAPES {
        let w = Linear::pack(&numbers(inputs * outputs), outputs, inputs, format);
        for rows in [400, 2048] {
            let x = numbers(rows * inputs);
            let mut activations = Activations::new();
            let (set, _) = in_turns(format, || activations.set(&x, rows, inputs, format));
            let mut out = vec![0.0; rows * outputs];
            let operations = 2.0 * (rows * inputs * outputs) as f64 / 1e9;
            let one = Pool::new(1);
            let (time, limit) = in_turns(format, || linear(&one, &activations, &w, &mut out));
            let speed = operations / time;
            let two = Pool::new(2);
            let both = operations / best(|| linear(&two, &activations, &w, &mut out));
            println!(
                "{format:?} {rows} x {inputs} x {outputs}: set {:.2} ms, {speed:.0} GFLOP/s of {limit:.0} ({:.0} %), two threads {both:.0}",
                set * 1e3,
                100.0 * speed / limit,
            );
        }
    }
}

fn vectors(format: Format) {
    for (inputs, outputs) in SHAPES {
        let w = Linear::pack(&numbers(inputs * outputs), outputs, inputs, format);
        for rows in [1, 4] {
            let mut activations = Activations::new();
            activations.set(&numbers(rows * inputs), rows, inputs, format);
            let mut out = vec![0.0; rows * outputs];
            let one = Pool::new(1);
            let (time, _) = in_turns(format, || linear(&one, &activations, &w, &mut out));
            let (speed, two) = (w.bytes() as f64 / time / 1e9, Pool::new(2));
            let both = w.bytes() as f64 / best(|| linear(&two, &activations, &w, &mut out)) / 1e9;
            println!(
                "{format:?} {rows} x {inputs} x {outputs}: {:.0} µs, {speed:.1} GB/s, two threads {both:.1}",
                time * 1e6
            );
        }
    }
}

/// Causal attention of stacked heads; operations counted for the keys each row sees.
fn attention() {
    for (tokens, heads, head_dim) in [(400, 3, 64), (400, 7, 64), (1024, 4, 128), (1, 7, 64)] {
        let (keys, rows) = (tokens.max(400), tokens * heads);
        let (q, k, v) = (
            numbers(rows * head_dim),
            numbers(keys * head_dim),
            numbers(keys * head_dim + 1),
        );
        let stretches = [Stretch {
            keys: &k,
            values: &v[1..],
        }];
        let visible: Vec<_> = (0..rows)
            .map(|row| 0..keys - tokens + row / heads + 1)
            .collect();
        let pairs: usize = visible.iter().map(|keys| keys.end).sum();
        let (mut out, mut scratch) = (vec![0.0; rows * head_dim], Scratch::new());
        let (time, limit) = in_turns(Format::F32, || {
            let (d, out) = (head_dim, &mut out);
            attend(
                &q,
                d,
                rows,
                d,
                &stretches,
                &visible,
                0.125,
                None,
                out,
                d,
                &mut scratch,
            );
        });
        let speed = 4.0 * (pairs * head_dim) as f64 / time / 1e9;
        println!(
            "attention {tokens} tokens, {keys} keys, {heads} x {head_dim}: {:.0} µs, {speed:.0} GFLOP/s of {limit:.0} ({:.0} %)",
            time * 1e6,
            100.0 * speed / limit
        );
    }
}

fn pools() {
    let pool = Pool::new(2);
    let time = best(|| {
        (0..100).for_each(|_| {
            pool.run(2, |part| {
                black_box(part);
            })
        })
    });
    println!("pool: {:.2} µs per loop of two parts", time * 1e4);
}

fn main() {
    let only: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wanted = |what: &str| only.is_empty() || only.iter().any(|o| o == what);
    if wanted("pool") {
        pools();
    }
    if wanted("attend") {
        attention();
    }
    for format in FORMATS {
        println!("{format:?}: {}", kernel_name(format));
        if wanted("linear") {
            matrices(format);
        }
        if wanted("vector") {
            vectors(format);
        }
    }
}
