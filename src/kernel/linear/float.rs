//! Tiles of `f32` products.

#[cfg(not(target_arch = "x86_64"))]
use super::tile::{LANES, Tile};
#[cfg(target_arch = "x86_64")]
use super::tile::{LANES, Tile, claim, with_rows, with_six_rows};
use crate::kernel::features::Isa;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Computes a tile of `f32` units whose rows are `A_ROW` units apart.
///
/// # Safety
/// The processor has the variant for `Format::F32`; the tile has 1 to 12 rows, and everything it
/// addresses is readable (`c` also writable, by nobody else meanwhile).
pub(in crate::kernel) unsafe fn multiply<const A_ROW: usize>(isa: Isa, tile: &Tile) {
    // SAFETY: the caller's promises are those of the variants.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => with_rows!(tile.rows, avx512[A_ROW](tile)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                let first = tile.rows.min(6);
                with_six_rows!(first, avx2[A_ROW](tile));
                if first < tile.rows {
                    let rest = tile.below::<A_ROW>(first);
                    with_six_rows!(rest.rows, avx2[A_ROW](&rest));
                }
            }
            _ => portable::<A_ROW>(tile),
        }
    }
}

/// # Safety
/// As for [`multiply`], with `avx512f`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const R: usize, const A_ROW: usize>(t: &Tile) {
    let mut acc = [[_mm512_setzero_ps(); 2]; R];
    // SAFETY: every address is one the tile covers (the caller's promise).
    unsafe {
        claim::<R>(t);
        if t.carry {
            for (r, acc) in acc.iter_mut().enumerate() {
                let c = t.c.add(r * t.c_row);
                *acc = [_mm512_loadu_ps(c), _mm512_loadu_ps(c.add(16))];
            }
        }
        let (mut a, mut b) = (t.a.cast::<f32>(), t.b.cast::<f32>());
        for _ in 0..t.steps {
            let (b0, b1) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
            for (r, acc) in acc.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*a.add(r * A_ROW));
                acc[0] = _mm512_fmadd_ps(x, b0, acc[0]);
                acc[1] = _mm512_fmadd_ps(x, b1, acc[1]);
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

/// Half a panel at a time: two vectors of eight lanes by six rows fill the sixteen registers.
///
/// # Safety
/// As for [`multiply`], with `avx2` and `fma`; at most 6 rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize, const A_ROW: usize>(t: &Tile) {
    for half in [0, LANES / 2] {
        let mut acc = [[_mm256_setzero_ps(); 2]; R];
        // SAFETY: every address is one the tile covers (the caller's promise).
        unsafe {
            if t.carry {
                for (r, acc) in acc.iter_mut().enumerate() {
                    let c = t.c.add(r * t.c_row + half);
                    *acc = [_mm256_loadu_ps(c), _mm256_loadu_ps(c.add(8))];
                }
            }
            let (mut a, mut b) = (t.a.cast::<f32>(), t.b.cast::<f32>().add(half));
            for _ in 0..t.steps {
                let (b0, b1) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
                for (r, acc) in acc.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*a.add(r * A_ROW));
                    acc[0] = _mm256_fmadd_ps(x, b0, acc[0]);
                    acc[1] = _mm256_fmadd_ps(x, b1, acc[1]);
                }
                a = a.wrapping_add(t.a_step);
                b = b.wrapping_add(t.b_step);
            }
            for (r, acc) in acc.iter().enumerate() {
                let c = t.c.add(r * t.c_row + half);
                _mm256_storeu_ps(c, acc[0]);
                _mm256_storeu_ps(c.add(8), acc[1]);
            }
        }
    }
}

/// `a · b + c`, fused where that is one instruction of the target.
#[inline(always)]
pub(super) fn madd(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// # Safety
/// As for [`multiply`].
unsafe fn portable<const A_ROW: usize>(t: &Tile) {
    // SAFETY: every address is one the tile covers (the caller's promise).
    unsafe {
        for r in 0..t.rows {
            let c = t.c.add(r * t.c_row).cast::<[f32; LANES]>();
            let mut acc = if t.carry { *c } else { [0.0; LANES] };
            for s in 0..t.steps {
                let x = *t.a.cast::<f32>().add(r * A_ROW + s * t.a_step);
                let b = &*t.b.add(s * t.b_step).cast::<[f32; LANES]>();
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = madd(x, *b, *acc);
                }
            }
            *c = acc;
        }
    }
}
