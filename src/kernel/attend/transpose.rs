//! Keys as columns: what a block of scores streams through.

use super::super::features::Isa;
use super::super::square::SQUARE;
#[cfg(target_arch = "x86_64")]
use super::super::square::square;
use super::BLOCK;

/// Writes keys, dense `[len, head_dim]`, as columns [`BLOCK`] apart; there are at most as many as
/// `into` has room for in its last row.
pub(super) fn transpose(isa: Isa, keys: &[f32], head_dim: usize, into: &mut [f32]) {
    let (whole_keys, whole_dims) = squares(isa, keys, head_dim, into);
    // Sixteen dimensions at a time: the lines written stay in the first cache over all keys.
    for from in (0..head_dim).step_by(SQUARE) {
        let to = head_dim.min(from + SQUARE);
        let done = if from < whole_dims { whole_keys } else { 0 };
        for (key, x) in keys.chunks_exact(head_dim).enumerate().skip(done) {
            for (dim, x) in x[from..to].iter().enumerate() {
                into[(from + dim) * BLOCK + key] = *x;
            }
        }
    }
}

/// Turns what divides into squares, where the processor has the registers for them: the first so many
/// keys' first so many dimensions.
#[cfg(target_arch = "x86_64")]
fn squares(isa: Isa, keys: &[f32], head_dim: usize, into: &mut [f32]) -> (usize, usize) {
    let len = keys.len() / head_dim;
    if isa != Isa::Avx512 || len == 0 {
        return (0, 0);
    }
    assert!(
        (head_dim - 1) * BLOCK + len <= into.len(),
        "room for the keys"
    );
    let (whole_keys, whole_dims) = (len / SQUARE * SQUARE, head_dim / SQUARE * SQUARE);
    for dim in (0..whole_dims).step_by(SQUARE) {
        for key in (0..whole_keys).step_by(SQUARE) {
            let from = keys[key * head_dim + dim..].as_ptr();
            let to = into[dim * BLOCK + key..].as_mut_ptr();
            // SAFETY: the square ends within `keys` by the bounds of the loops, and within `into` by
            // the assertion; whoever passes the variant has checked the processor.
            unsafe { square(from, head_dim, to, BLOCK, SQUARE) };
        }
    }
    (whole_keys, whole_dims)
}

#[cfg(not(target_arch = "x86_64"))]
fn squares(_: Isa, _: &[f32], _: usize, _: &mut [f32]) -> (usize, usize) {
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::linear::Format;

    #[test]
    fn every_key_becomes_its_column() {
        let variants = [Isa::Avx512, Isa::Avx2, Isa::Portable];
        for isa in variants.into_iter().filter(|isa| isa.has(Format::F32)) {
            for (len, head_dim) in [(64, 64), (33, 48), (16, 80), (7, 20), (50, 16), (1, 5)] {
                let keys: Vec<f32> = (0..len * head_dim).map(|i| i as f32).collect();
                let mut columns = vec![-1.0; (head_dim - 1) * BLOCK + len];
                transpose(isa, &keys, head_dim, &mut columns);
                for key in 0..len {
                    for dim in 0..head_dim {
                        assert_eq!(columns[dim * BLOCK + key], keys[key * head_dim + dim]);
                    }
                }
                let written = columns.iter().filter(|x| **x >= 0.0).count();
                assert_eq!(written, len * head_dim, "{isa:?} {len} {head_dim}");
            }
        }
    }
}
