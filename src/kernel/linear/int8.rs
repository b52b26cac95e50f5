//! Tiles of `int8` products: a unit holds four neighbouring inputs, a group 128.
//!
//! Weights and activations are quantised symmetrically by groups. Within a group the sum is exact
//! in `i32`; its product with the two scales is added to the `f32` sum by one fused operation, so
//! every variant gives the same bits. Activations are kept as `q + 128`, which is what the VNNI
//! instruction wants, and the sum starts at `-128 · Σ weights` to make up for it.

use super::tile::{LANES, Tile};
#[cfg(target_arch = "x86_64")]
use super::tile::{claim, with_rows, with_six_rows};
use crate::kernel::features::Isa;
use multiversion::multiversion;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Inputs in a unit.
pub(super) const WIDTH: usize = 4;
/// Inputs that share a scale.
pub(super) const GROUP: usize = 128;
/// Steps in a group.
pub(super) const GROUP_STEPS: usize = GROUP / WIDTH;
/// Four bytes of activations that stand for zero.
const ZERO: u32 = 0x8080_8080;

/// Quantises up to a group of inputs into units of bytes `q + 128`; gives back the scale. A group
/// with a number that is not finite has a scale that is not a number, and so have its products.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn encode(x: &[f32], units: &mut [u32]) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it rounds to the nearest integer.
    let byte = |x: f32, inverse: f32| (x * inverse + ROUND).to_bits() & 0xff ^ 0x80;
    // As integers: that way the largest of numbers with a NaN among them is the NaN.
    let largest = x.iter().fold(0, |max, x| max.max(x.to_bits() << 1));
    let largest = f32::from_bits(largest >> 1);
    let (scale, inverse) = if !largest.is_finite() {
        (f32::NAN, f32::NAN)
    } else if largest < 1e-30 {
        (0.0, 0.0)
    } else {
        (largest / 127.0, 127.0 / largest)
    };
    let (quads, rest) = x.as_chunks::<WIDTH>();
    for (unit, x) in units.iter_mut().zip(quads) {
        *unit = byte(x[0], inverse)
            | byte(x[1], inverse) << 8
            | byte(x[2], inverse) << 16
            | byte(x[3], inverse) << 24;
    }
    if let (false, Some(unit)) = (rest.is_empty(), units.get_mut(quads.len())) {
        *unit = ZERO;
        for (i, x) in rest.iter().enumerate() {
            *unit = *unit & !(0xff << (8 * i)) | byte(*x, inverse) << (8 * i);
        }
    }
    scale
}

/// A unit of activations as one of weights (bytes `q`), or the other way round.
#[inline(always)]
pub(super) fn signed(unit: u32) -> u32 {
    unit ^ ZERO
}

/// The four weights of a unit, not yet scaled.
#[inline(always)]
pub(super) fn decode(unit: u32) -> [i8; WIDTH] {
    unit.to_le_bytes().map(|byte| byte as i8)
}

/// The scales of a tile's groups.
#[derive(Clone, Copy)]
pub(super) struct Groups {
    /// Of row `r`, group `g`, at `g · a_step + r`.
    pub a: *const f32,
    /// Of lane `l`, group `g`, at `g · LANES + l`.
    pub b: *const f32,
    /// Where the sum of lane `l` in group `g` starts, at `g · LANES + l`.
    pub start: *const i32,
}

/// Computes a tile of `int8` units that begins with a group; the units of a step are adjacent.
///
/// # Safety
/// The processor has the variant for `Format::Int8`; the tile has 1 to 12 rows, and everything it
/// and its groups address is readable (`c` also writable, by nobody else meanwhile).
pub(super) unsafe fn multiply(isa: Isa, tile: &Tile, groups: &Groups) {
    // SAFETY: the caller's promises are those of the variants.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => with_rows!(tile.rows, avx512 [] (tile, groups)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                let first = tile.rows.min(6);
                with_six_rows!(first, avx2 [] (tile, groups));
                if first < tile.rows {
                    let rest = tile.below::<1>(first);
                    let a = groups.a.add(first);
                    with_six_rows!(rest.rows, avx2 [] (&rest, &Groups { a, ..*groups }));
                }
            }
            _ => portable(tile, groups),
        }
    }
}

/// # Safety
/// As for [`multiply`], with `avx512f` and `avx512vnni`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn avx512<const R: usize>(t: &Tile, groups: &Groups) {
    let mut total = [[_mm512_setzero_ps(); 2]; R];
    // SAFETY: every address is one the tile covers (the caller's promise).
    unsafe {
        claim::<R>(t);
        if t.carry {
            for (r, total) in total.iter_mut().enumerate() {
                let c = t.c.add(r * t.c_row);
                *total = [_mm512_loadu_ps(c), _mm512_loadu_ps(c.add(16))];
            }
        }
        let (mut a, mut b) = (t.a.cast::<i32>(), t.b.cast::<i32>());
        for group in 0..t.steps.div_ceil(GROUP_STEPS) {
            let start = groups.start.add(group * LANES);
            let start = [
                _mm512_loadu_si512(start.cast()),
                _mm512_loadu_si512(start.add(16).cast()),
            ];
            let mut sum = [start; R];
            for _ in 0..GROUP_STEPS.min(t.steps - group * GROUP_STEPS) {
                let b0 = _mm512_loadu_si512(b.cast());
                let b1 = _mm512_loadu_si512(b.add(16).cast());
                for (r, sum) in sum.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(*a.add(r));
                    sum[0] = _mm512_dpbusd_epi32(sum[0], x, b0);
                    sum[1] = _mm512_dpbusd_epi32(sum[1], x, b1);
                }
                a = a.wrapping_add(t.a_step);
                b = b.wrapping_add(t.b_step);
            }
            let scale = groups.b.add(group * LANES);
            let (scale0, scale1) = (_mm512_loadu_ps(scale), _mm512_loadu_ps(scale.add(16)));
            for (r, (total, sum)) in total.iter_mut().zip(&sum).enumerate() {
                let x = _mm512_set1_ps(*groups.a.add(group * t.a_step + r));
                let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[0]), scale0);
                total[0] = _mm512_fmadd_ps(scaled, x, total[0]);
                let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[1]), scale1);
                total[1] = _mm512_fmadd_ps(scaled, x, total[1]);
            }
        }
        for (r, total) in total.iter().enumerate() {
            let c = t.c.add(r * t.c_row);
            _mm512_storeu_ps(c, total[0]);
            _mm512_storeu_ps(c.add(16), total[1]);
        }
    }
}

/// Multiplies the even and the odd bytes as 16-bit numbers: the instruction for bytes saturates.
///
/// # Safety
/// As for [`multiply`], with `avx2` and `fma`; at most 6 rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize>(t: &Tile, groups: &Groups) {
    for quarter in (0..LANES).step_by(8) {
        let mut total = [_mm256_setzero_ps(); R];
        // SAFETY: every address is one the tile covers (the caller's promise).
        unsafe {
            if t.carry {
                for (r, total) in total.iter_mut().enumerate() {
                    *total = _mm256_loadu_ps(t.c.add(r * t.c_row + quarter));
                }
            }
            let (mut a, mut b) = (t.a, t.b.add(quarter));
            for group in 0..t.steps.div_ceil(GROUP_STEPS) {
                let lane = group * LANES + quarter;
                let mut sum = [_mm256_loadu_si256(groups.start.add(lane).cast()); R];
                for _ in 0..GROUP_STEPS.min(t.steps - group * GROUP_STEPS) {
                    let bytes = _mm256_loadu_si256(b.cast());
                    let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes));
                    let odd = _mm256_srai_epi16::<8>(bytes);
                    for (r, sum) in sum.iter_mut().enumerate() {
                        let x = *a.add(r);
                        let low = _mm256_set1_epi32((x & 0x00ff_00ff) as i32);
                        let high = _mm256_set1_epi32((x >> 8 & 0x00ff_00ff) as i32);
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(low, even));
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(high, odd));
                    }
                    a = a.wrapping_add(t.a_step);
                    b = b.wrapping_add(t.b_step);
                }
                let scale = _mm256_loadu_ps(groups.b.add(lane));
                for (r, (total, sum)) in total.iter_mut().zip(&sum).enumerate() {
                    let x = _mm256_set1_ps(*groups.a.add(group * t.a_step + r));
                    let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(*sum), scale);
                    *total = _mm256_fmadd_ps(scaled, x, *total);
                }
            }
            for (r, total) in total.iter().enumerate() {
                _mm256_storeu_ps(t.c.add(r * t.c_row + quarter), *total);
            }
        }
    }
}

/// # Safety
/// As for [`multiply`].
unsafe fn portable(t: &Tile, groups: &Groups) {
    // SAFETY: every address is one the tile covers (the caller's promise).
    unsafe {
        for r in 0..t.rows {
            let c = t.c.add(r * t.c_row).cast::<[f32; LANES]>();
            let mut total = if t.carry { *c } else { [0.0; LANES] };
            for group in 0..t.steps.div_ceil(GROUP_STEPS) {
                let mut sum = *groups.start.add(group * LANES).cast::<[i32; LANES]>();
                let first = group * GROUP_STEPS;
                for s in first..t.steps.min(first + GROUP_STEPS) {
                    let x = (*t.a.add(r + s * t.a_step)).to_le_bytes().map(i32::from);
                    let b = &*t.b.add(s * t.b_step).cast::<[[i8; WIDTH]; LANES]>();
                    for (sum, b) in sum.iter_mut().zip(b) {
                        let b = b.map(i32::from);
                        *sum += x[0] * b[0] + x[1] * b[1] + x[2] * b[2] + x[3] * b[3];
                    }
                }
                let x = *groups.a.add(group * t.a_step + r);
                let scale = &*groups.b.add(group * LANES).cast::<[f32; LANES]>();
                for ((total, sum), scale) in total.iter_mut().zip(sum).zip(scale) {
                    // Fused even where that is slow: once per group, for the same bits everywhere.
                    *total = (sum as f32 * scale).mul_add(x, *total);
                }
            }
            *c = total;
        }
    }
}
