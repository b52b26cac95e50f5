//! The running softmax of rows over blocks of keys.

use super::super::vector::exp;
use super::BLOCK;
use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use std::ops::Range;

const LANES: usize = 16;

/// What a row has seen so far.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// The largest score.
    max: f32,
    /// The sum of the exponentials, relative to `max`.
    pub sum: f32,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            max: f32::NEG_INFINITY,
            sum: 0.0,
        }
    }
}

/// Combines sixteen lanes in pairs: in a fixed order, and in four steps rather than fifteen.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = f(lanes[i], lanes[i + half]);
        }
    }
    lanes[0]
}

/// The larger number, or `b` where one is a NaN: one instruction.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Turns each row's products with the block of keys that begins at `first` into the exponentials
/// of its scores, zero for keys it does not see, takes them into account, and brings the row of
/// `sums` (`width` long) to the new largest score.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub(super) fn advance(
    scores: &mut [[f32; BLOCK]],
    rows: &mut [Row],
    sums: &mut [f32],
    visible: &[Range<usize>],
    first: usize,
    scale: f32,
    cap: Option<f32>,
) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    let width = sums.len() / rows.len().max(1);
    let sums = sums.chunks_exact_mut(width);
    for (((scores, row), visible), sums) in scores.iter_mut().zip(rows).zip(visible).zip(sums) {
        let from = visible.start.clamp(first, first + BLOCK) - first;
        let to = visible.end.clamp(first, first + BLOCK) - first;
        if from >= to {
            *scores = [0.0; BLOCK];
            continue;
        }
        let mut x = *scores;
        for x in &mut x {
            *x *= scale;
        }
        if let Some(cap) = cap {
            for x in &mut x {
                *x = cap * tanh::<FUSED>(*x / cap);
            }
        }
        let whole = from == 0 && to == BLOCK;
        if !whole {
            for (i, x) in x.iter_mut().enumerate() {
                let seen = i as u32 >= from as u32 && (i as u32) < to as u32;
                *x = if seen { *x } else { f32::NEG_INFINITY };
            }
        }

        let mut lanes = [row.max; LANES];
        for chunk in x.as_chunks::<LANES>().0 {
            for i in 0..LANES {
                lanes[i] = larger(chunk[i], lanes[i]);
            }
        }
        let max = fold(lanes, larger);

        for x in &mut x {
            // `exp` clamps, so that what is not seen would weigh a little.
            let weight = exp::<FUSED>(*x - max);
            *x = if *x == f32::NEG_INFINITY { 0.0 } else { weight };
        }
        *scores = x;
        let mut lanes = [0.0; LANES];
        for chunk in x.as_chunks::<LANES>().0 {
            for i in 0..LANES {
                lanes[i] += chunk[i];
            }
        }
        let sum = fold(lanes, |a, b| a + b);
        if row.max != max {
            let rescale = exp::<FUSED>(row.max - max);
            row.sum *= rescale;
            for sum in sums {
                *sum *= rescale;
            }
        }
        row.sum += sum;
        row.max = max;
    }
}

/// Hyperbolic tangent, to 1e-7 of absolute error.
#[inline(always)]
fn tanh<const FUSED: bool>(x: f32) -> f32 {
    1.0 - 2.0 / (exp::<FUSED>(2.0 * x) + 1.0)
}
