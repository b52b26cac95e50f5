//! Squares of sixteen by sixteen numbers, turned in registers.

/// Rows, and columns: a register each.
pub(super) const SQUARE: usize = 16;

/// Turns sixteen rows of sixteen, `from_row` apart, into sixteen columns: rows `to_row` apart, of which the first
/// `kept` elements are written.
///
/// # Safety
/// All of that can be read and written; the processor has `avx512f`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn square(
    from: *const f32,
    from_row: usize,
    to: *mut f32,
    to_row: usize,
    kept: usize,
) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise.
    let rows: [__m512; SQUARE] =
        std::array::from_fn(|r| unsafe { _mm512_loadu_ps(from.add(r * from_row)) });
    // Pairs of rows, pairs of pairs, then the quarters of the registers change places twice.
    let pairs: [__m512; SQUARE] = std::array::from_fn(|i| {
        let (a, b) = (rows[i & !1], rows[i | 1]);
        match i & 1 {
            0 => _mm512_unpacklo_ps(a, b),
            _ => _mm512_unpackhi_ps(a, b),
        }
    });
    // `fours[4 q + d]`: dimensions d, d + 4, d + 8, d + 12 of the rows 4 q .. 4 q + 4.
    let fours: [__m512d; SQUARE] = std::array::from_fn(|i| {
        let first = i & !3 | (i & 2) >> 1;
        let (a, b) = (pairs[first], pairs[first + 2]);
        let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
        match i & 1 {
            0 => _mm512_unpacklo_pd(a, b),
            _ => _mm512_unpackhi_pd(a, b),
        }
    });
    let mask = ((1u32 << kept) - 1) as u16;
    for d in 0..4 {
        let four = |q: usize| _mm512_castpd_ps(fours[4 * q + d]);
        // Dimensions d and d + 8 (low), d + 4 and d + 12 (high) of eight rows.
        let low = |q| _mm512_shuffle_f32x4::<0b10_00_10_00>(four(q), four(q + 1));
        let high = |q| _mm512_shuffle_f32x4::<0b11_01_11_01>(four(q), four(q + 1));
        let (low0, low1, high0, high1) = (low(0), low(2), high(0), high(2));
        let columns = [
            (d, _mm512_shuffle_f32x4::<0b10_00_10_00>(low0, low1)),
            (d + 4, _mm512_shuffle_f32x4::<0b10_00_10_00>(high0, high1)),
            (d + 8, _mm512_shuffle_f32x4::<0b11_01_11_01>(low0, low1)),
            (d + 12, _mm512_shuffle_f32x4::<0b11_01_11_01>(high0, high1)),
        ];
        for (dim, column) in columns {
            // SAFETY: the caller's promise.
            unsafe { _mm512_mask_storeu_ps(to.add(dim * to_row), mask, column) };
        }
    }
}
