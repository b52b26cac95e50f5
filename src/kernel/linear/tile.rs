//! What the inner kernels of all formats share: the shape of a tile and how it is addressed.
//!
//! Both operands are kept as 32-bit *units* along the inputs: one `f32`, two `bf16` or four bytes.
//! A step of a kernel multiplies one unit of each row by one unit of each of [`LANES`] outputs.
//! Every element of the product is one chain of fused operations over the steps in their order,
//! whatever the tile's height and however the steps are cut into stretches (the chain goes on from
//! the stored `f32`): that is why a row's bits do not depend on the rows around it.

/// Outputs in a panel of packed weights.
pub(in crate::kernel) const LANES: usize = 32;
/// Rows in a full tile: with two vectors of sixteen lanes each, 24 accumulators of the 32
/// registers of AVX-512.
pub(in crate::kernel) const ROWS: usize = 12;

/// One product of `rows` rows with a panel of [`LANES`] outputs over a stretch of steps.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Tile {
    /// Between 1 and [`ROWS`].
    pub rows: usize,
    pub steps: usize,
    /// Activations: the unit of row `r` (a kernel's constant `A_ROW` apart) at step `s` is at
    /// `r · A_ROW + s · a_step`.
    pub a: *const u32,
    pub a_step: usize,
    /// Weights: the unit of lane `l` at step `s` is at `s · b_step + l`.
    pub b: *const u32,
    pub b_step: usize,
    /// The product: row `r`, lane `l` is at `r · c_row + l`.
    pub c: *mut f32,
    pub c_row: usize,
    /// Whether the sums go on from what `c` holds, or start at zero.
    pub carry: bool,
}

#[cfg(target_arch = "x86_64")]
impl Tile {
    /// The tile without its first `rows` rows.
    ///
    /// # Safety
    /// `rows` is at most the tile's.
    pub(super) unsafe fn below<const A_ROW: usize>(&self, rows: usize) -> Tile {
        // SAFETY: row `rows` is in the tile or one past its end (the caller's promise).
        unsafe {
            Tile {
                rows: self.rows - rows,
                a: self.a.add(rows * A_ROW),
                c: self.c.add(rows * self.c_row),
                ..*self
            }
        }
    }
}

/// Asks for the cache lines of a tile's sums, to be written. A product is larger than the caches:
/// without this every tile waits for its lines at its end.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
pub(super) fn claim<const R: usize>(t: &Tile) {
    use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
    for r in 0..R {
        for lane in [0, 16, LANES - 1] {
            let at = t.c.wrapping_add(r * t.c_row + lane);
            // SAFETY: a prefetch reads nothing, whatever the address. (Newer compilers know.)
            #[allow(unused_unsafe)]
            unsafe {
                _mm_prefetch::<_MM_HINT_ET0>(at.cast_const().cast())
            };
        }
    }
}

/// Calls `$f::<R, …>` with the number of rows, at most twelve, as a constant.
#[cfg(target_arch = "x86_64")]
macro_rules! with_rows {
    ($rows:expr, $f:ident [$($c:tt)*] ($($arg:expr),*)) => {
        match $rows {
            1 => $f::<1, $($c)*>($($arg),*),
            2 => $f::<2, $($c)*>($($arg),*),
            3 => $f::<3, $($c)*>($($arg),*),
            4 => $f::<4, $($c)*>($($arg),*),
            5 => $f::<5, $($c)*>($($arg),*),
            6 => $f::<6, $($c)*>($($arg),*),
            7 => $f::<7, $($c)*>($($arg),*),
            8 => $f::<8, $($c)*>($($arg),*),
            9 => $f::<9, $($c)*>($($arg),*),
            10 => $f::<10, $($c)*>($($arg),*),
            11 => $f::<11, $($c)*>($($arg),*),
            _ => $f::<12, $($c)*>($($arg),*),
        }
    };
}
/// The same for at most six rows.
#[cfg(target_arch = "x86_64")]
macro_rules! with_six_rows {
    ($rows:expr, $f:ident [$($c:tt)*] ($($arg:expr),*)) => {
        match $rows {
            1 => $f::<1, $($c)*>($($arg),*),
            2 => $f::<2, $($c)*>($($arg),*),
            3 => $f::<3, $($c)*>($($arg),*),
            4 => $f::<4, $($c)*>($($arg),*),
            5 => $f::<5, $($c)*>($($arg),*),
            _ => $f::<6, $($c)*>($($arg),*),
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use {with_rows, with_six_rows};
