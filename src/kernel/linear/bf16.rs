//! Tiles of `bf16` products with `f32` sums: a unit holds two neighbouring inputs.

use super::float::madd;
use super::tile::{LANES, Tile};
#[cfg(target_arch = "x86_64")]
use super::tile::{claim, with_rows, with_six_rows};
use crate::kernel::features::Isa;
use multiversion::multiversion;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Inputs in a unit.
pub(super) const WIDTH: usize = 2;

/// The upper half of the result is `x` rounded to the nearest `bf16`, ties to even.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    // Rounding could carry a NaN's payload over into another number: keep it quiet instead.
    if x.is_nan() {
        bits | 0x40_0000
    } else {
        rounded
    }
}

/// Rounds `x` into units; an odd last input is paired with zero.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn encode(x: &[f32], units: &mut [u32]) {
    let (pairs, rest) = x.as_chunks::<WIDTH>();
    for (unit, [low, high]) in units.iter_mut().zip(pairs) {
        *unit = round(*low) >> 16 | round(*high) & 0xffff_0000;
    }
    if let ([last], Some(unit)) = (rest, units.get_mut(pairs.len())) {
        *unit = round(*last) >> 16;
    }
}

/// The two inputs of a unit.
#[inline(always)]
pub(super) fn decode(unit: u32) -> [f32; WIDTH] {
    [
        f32::from_bits(unit << 16),
        f32::from_bits(unit & 0xffff_0000),
    ]
}

/// Computes a tile of `bf16` units; the units of a step are adjacent.
///
/// # Safety
/// The processor has the variant for `Format::Bf16`; the tile has 1 to 12 rows, and everything it
/// addresses is readable (`c` also writable, by nobody else meanwhile).
pub(super) unsafe fn multiply(isa: Isa, tile: &Tile) {
    // SAFETY: the caller's promises are those of the variants.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => with_rows!(tile.rows, avx512 [] (tile)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                let first = tile.rows.min(6);
                with_six_rows!(first, avx2 [] (tile));
                if first < tile.rows {
                    let rest = tile.below::<1>(first);
                    with_six_rows!(rest.rows, avx2 [] (&rest));
                }
            }
            _ => portable(tile),
        }
    }
}

/// # Safety
/// As for [`multiply`], with `avx512f` and `avx512bf16`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn avx512<const R: usize>(t: &Tile) {
    let mut acc = [[_mm512_setzero_ps(); 2]; R];
    // SAFETY: every address is one the tile covers (the caller's promise); the vector types of the
    // same width are plain bits.
    unsafe {
        claim::<R>(t);
        if t.carry {
            for (r, acc) in acc.iter_mut().enumerate() {
                let c = t.c.add(r * t.c_row);
                *acc = [_mm512_loadu_ps(c), _mm512_loadu_ps(c.add(16))];
            }
        }
        let (mut a, mut b) = (t.a.cast::<i32>(), t.b.cast::<i32>());
        for _ in 0..t.steps {
            let b0: __m512bh = std::mem::transmute(_mm512_loadu_si512(b.cast()));
            let b1: __m512bh = std::mem::transmute(_mm512_loadu_si512(b.add(16).cast()));
            for (r, acc) in acc.iter_mut().enumerate() {
                let x: __m512bh = std::mem::transmute(_mm512_set1_epi32(*a.add(r)));
                acc[0] = _mm512_dpbf16_ps(acc[0], x, b0);
                acc[1] = _mm512_dpbf16_ps(acc[1], x, b1);
            }
            a = a.wrapping_add(t.a_step);
            b = b.wrapping_add(t.b_step);
        }
        for (r, acc) in acc.iter().enumerate() {
            let c = t.c.add(r * t.c_row);
            _mm512_storeu_ps(c, acc[0]);
            _mm512_storeu_ps(c.add(16), acc[1]);
        }
    }
}

/// Widens each unit into two `f32` and multiplies those: for processors without `avx512_bf16`.
///
/// # Safety
/// As for [`multiply`], with `avx2` and `fma`; at most 6 rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize>(t: &Tile) {
    let mask = _mm256_set1_epi32(0xffff_0000_u32 as i32);
    for quarter in (0..LANES).step_by(8) {
        let mut acc = [_mm256_setzero_ps(); R];
        // SAFETY: every address is one the tile covers (the caller's promise).
        unsafe {
            if t.carry {
                for (r, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm256_loadu_ps(t.c.add(r * t.c_row + quarter));
                }
            }
            let (mut a, mut b) = (t.a, t.b.add(quarter));
            for _ in 0..t.steps {
                let pair = _mm256_loadu_si256(b.cast());
                let low = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pair));
                let high = _mm256_castsi256_ps(_mm256_and_si256(pair, mask));
                for (r, acc) in acc.iter_mut().enumerate() {
                    let [x, y] = decode(*a.add(r));
                    *acc = _mm256_fmadd_ps(_mm256_set1_ps(x), low, *acc);
                    *acc = _mm256_fmadd_ps(_mm256_set1_ps(y), high, *acc);
                }
                a = a.wrapping_add(t.a_step);
                b = b.wrapping_add(t.b_step);
            }
            for (r, acc) in acc.iter().enumerate() {
                _mm256_storeu_ps(t.c.add(r * t.c_row + quarter), *acc);
            }
        }
    }
}

/// # Safety
/// As for [`multiply`].
unsafe fn portable(t: &Tile) {
    // SAFETY: every address is one the tile covers (the caller's promise).
    unsafe {
        for r in 0..t.rows {
            let c = t.c.add(r * t.c_row).cast::<[f32; LANES]>();
            let mut acc = if t.carry { *c } else { [0.0; LANES] };
            for s in 0..t.steps {
                let [x, y] = decode(*t.a.add(r + s * t.a_step));
                let b = &*t.b.add(s * t.b_step).cast::<[u32; LANES]>();
                for (acc, b) in acc.iter_mut().zip(b) {
                    let [low, high] = decode(*b);
                    *acc = madd(y, high, madd(x, low, *acc));
                }
            }
            *c = acc;
        }
    }
}
