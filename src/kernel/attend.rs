//! Attention of a block of queries over stretches of keys, without the matrix of scores.
//!
//! Keys are taken in blocks of 64 at absolute positions: block `b` covers the keys
//! `64 b .. 64 (b + 1)` of the concatenated stretches, wherever those begin and end. Within a block
//! every score and every sum is one chain in a fixed order, and what a row does not see adds an
//! exact zero. A row's bits therefore depend on its query, the keys it sees and their positions,
//! not on how the keys are cut into stretches or on the rows beside it.

mod softmax;
#[cfg(test)]
mod tests;
mod transpose;

use super::aligned::Aligned;
use super::features::Isa;
use super::linear::Format;
use super::linear::float::multiply;
use super::linear::tile::{LANES, ROWS, Tile};
use std::ops::Range;
use transpose::transpose;

/// Keys in a block.
const BLOCK: usize = 64;

/// Consecutive keys and values, each dense `[len, head_dim]`.
#[derive(Clone, Copy)]
pub struct Stretch<'a> {
    pub keys: &'a [f32],
    pub values: &'a [f32],
}

/// Buffers of [`attend`], kept between calls.
#[derive(Default)]
pub struct Scratch {
    /// `[tile][dim][row]`.
    queries: Aligned,
    /// One block, transposed: `[dim][key]`.
    keys: Aligned,
    /// One block: `[key][dim]`, dimensions filled up to whole panels with zeros.
    values: Aligned,
    /// One tile's: `[row][key]`; the scores, then their exponentials.
    scores: Aligned,
    /// `[row][dim]`, filled up as `values`.
    sums: Aligned,
    softmax: Vec<softmax::Row>,
}

impl Scratch {
    pub fn new() -> Self {
        Self::default()
    }
}

/// The smallest range that holds all of `ranges` that are not empty.
fn union(ranges: &[Range<usize>]) -> Range<usize> {
    let seen = ranges.iter().filter(|range| !range.is_empty());
    let (start, end) = seen.fold((usize::MAX, 0), |(start, end), range| {
        (start.min(range.start), end.max(range.end))
    });
    start..end
}

/// `out = softmax(scale · q · Kᵀ) · V` over the keys each row sees.
///
/// `q` and `out` hold `rows` rows of `head_dim` elements, `q_stride` and `out_stride` apart: query
/// heads that share a head of keys are stacked as further rows. Row `r` sees the keys `visible[r]`
/// of the concatenated `stretches`; one that sees none gives zeros. With `cap`, a score becomes
/// `cap · tanh(score / cap)`.
#[allow(clippy::too_many_arguments)]
pub fn attend(
    q: &[f32],
    q_stride: usize,
    rows: usize,
    head_dim: usize,
    stretches: &[Stretch<'_>],
    visible: &[Range<usize>],
    scale: f32,
    cap: Option<f32>,
    out: &mut [f32],
    out_stride: usize,
    scratch: &mut Scratch,
) {
    let isa = Isa::best(Format::F32);
    let shape = Rows {
        rows,
        head_dim,
        q_stride,
        out_stride,
    };
    attend_with(isa, q, shape, stretches, visible, scale, cap, out, scratch);
}

/// The rows of a call: how many, how long, and how far apart.
#[derive(Clone, Copy)]
struct Rows {
    rows: usize,
    head_dim: usize,
    q_stride: usize,
    out_stride: usize,
}

#[allow(clippy::too_many_arguments)]
fn attend_with(
    isa: Isa,
    q: &[f32],
    shape: Rows,
    stretches: &[Stretch<'_>],
    visible: &[Range<usize>],
    scale: f32,
    cap: Option<f32>,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let Rows { rows, head_dim, .. } = shape;
    assert_eq!(visible.len(), rows, "number of visible ranges");
    assert!(isa.has(Format::F32), "{isa:?} on this processor");
    if rows == 0 || head_dim == 0 {
        return;
    }
    for (stride, len) in [(shape.q_stride, q.len()), (shape.out_stride, out.len())] {
        assert!(stride >= head_dim, "rows overlap");
        assert!(
            (rows - 1) * stride + head_dim <= len,
            "rows past their slice"
        );
    }
    let mut total = 0;
    for stretch in stretches {
        let (keys, values) = (stretch.keys.len(), stretch.values.len());
        assert!(keys == values && keys % head_dim == 0, "size of a stretch");
        total += keys / head_dim;
    }
    let all = union(visible);
    assert!(all.end <= total, "a key past the last");

    let width = head_dim.next_multiple_of(LANES);
    scratch.prepare(rows, head_dim, width);
    scratch.take_queries(q, shape);
    let tiles: Vec<_> = visible.chunks(ROWS).map(union).collect();
    for first in (all.start / BLOCK * BLOCK..all.end).step_by(BLOCK) {
        let seen = |tile: &Range<usize>| {
            let (from, to) = (tile.start.max(first), tile.end.min(first + BLOCK));
            (from < to).then(|| from - first..to - first)
        };
        if tiles.iter().all(|tile| seen(tile).is_none()) {
            continue;
        }
        let block = first..total.min(first + BLOCK);
        let in_place = scratch.take_block(isa, stretches, head_dim, width, block);
        for (tile, keys) in tiles.iter().enumerate() {
            let Some(keys) = seen(keys) else {
                continue;
            };
            let of_tile = tile * ROWS..rows.min((tile + 1) * ROWS);
            scratch.scores(isa, of_tile.clone(), head_dim, keys.clone());
            softmax::advance(
                scratch.scores.f32s_mut().as_chunks_mut::<BLOCK>().0,
                &mut scratch.softmax[of_tile.clone()],
                &mut scratch.sums.f32s_mut()[of_tile.start * width..of_tile.end * width],
                &visible[of_tile.clone()],
                first,
                scale,
                cap,
            );
            scratch.add_values(isa, in_place, of_tile, width, keys);
        }
    }
    for row in 0..rows {
        let sum = scratch.softmax[row].sum;
        let inverse = if sum == 0.0 { 0.0 } else { 1.0 / sum };
        let out = &mut out[row * shape.out_stride..][..head_dim];
        for (out, sum) in out.iter_mut().zip(&scratch.sums.f32s()[row * width..]) {
            *out = sum * inverse;
        }
    }
}

impl Scratch {
    fn prepare(&mut self, rows: usize, head_dim: usize, width: usize) {
        self.queries.resize(rows * head_dim);
        self.keys.resize(head_dim * BLOCK);
        self.values.resize(BLOCK * width);
        self.scores.resize(ROWS * BLOCK);
        self.sums.resize(rows * width);
        self.sums.f32s_mut().fill(0.0);
        self.values.f32s_mut().fill(0.0);
        self.softmax.clear();
        self.softmax.resize(rows, softmax::Row::default());
    }

    fn take_queries(&mut self, q: &[f32], shape: Rows) {
        let tiles = self.queries.f32s_mut().chunks_mut(ROWS * shape.head_dim);
        for (tile, into) in tiles.enumerate() {
            let height = into.len() / shape.head_dim;
            for r in 0..height {
                let row = &q[(tile * ROWS + r) * shape.q_stride..][..shape.head_dim];
                for (dim, x) in row.iter().enumerate() {
                    into[dim * height + r] = *x;
                }
            }
        }
    }

    /// Gathers a block of keys and values from the stretches it lies in; keys past the last are
    /// left as they are, since nobody sees them. Values that can be used where they are, are not
    /// copied but given back.
    fn take_block<'a>(
        &mut self,
        isa: Isa,
        stretches: &[Stretch<'a>],
        head_dim: usize,
        width: usize,
        block: Range<usize>,
    ) -> Option<&'a [f32]> {
        let mut at = 0;
        for stretch in stretches {
            let len = stretch.keys.len() / head_dim;
            let (from, to) = (block.start.max(at), block.end.min(at + len));
            if from < to {
                let part = (from - at) * head_dim..(to - at) * head_dim;
                let place = from - block.start;
                let keys = &stretch.keys[part.clone()];
                transpose(isa, keys, head_dim, &mut self.keys.f32s_mut()[place..]);
                if width == head_dim && to - from == block.len() {
                    return Some(&stretch.values[part]);
                }
                let values = stretch.values[part].chunks_exact(head_dim);
                let into = self.values.f32s_mut()[place * width..].chunks_exact_mut(width);
                for (values, into) in values.zip(into) {
                    into[..head_dim].copy_from_slice(values);
                }
            }
            at += len;
        }
        None
    }

    /// Computes a tile's scores with the block's keys, in whole panels around those seen.
    fn scores(&mut self, isa: Isa, rows: Range<usize>, head_dim: usize, keys: Range<usize>) {
        let queries = &self.queries.u32s()[rows.start * head_dim..rows.end * head_dim];
        let scores = &mut self.scores.f32s_mut()[..rows.len() * BLOCK];
        for panel in (keys.start / LANES * LANES..keys.end).step_by(LANES) {
            let tile = Tile {
                rows: rows.len(),
                steps: head_dim,
                a: queries.as_ptr(),
                a_step: rows.len(),
                b: self.keys.u32s()[panel..].as_ptr(),
                b_step: BLOCK,
                c: scores[panel..].as_mut_ptr(),
                c_row: BLOCK,
                carry: false,
            };
            // SAFETY: the caller has checked the variant. `queries` is `[head_dim][rows]`, `keys`
            // `[head_dim][BLOCK]`, `scores` `[rows][BLOCK]`; the panel ends within a block.
            unsafe { multiply::<1>(isa, &tile) };
        }
    }

    /// Adds the values of the keys seen, by the exponentials in `scores`, to the rows' sums.
    fn add_values(
        &mut self,
        isa: Isa,
        in_place: Option<&[f32]>,
        rows: Range<usize>,
        width: usize,
        keys: Range<usize>,
    ) {
        let values = in_place.unwrap_or(self.values.f32s());
        let values = &values[keys.start * width..keys.end * width];
        let sums = &mut self.sums.f32s_mut()[rows.start * width..rows.end * width];
        for panel in (0..width).step_by(LANES) {
            let tile = Tile {
                rows: rows.len(),
                steps: keys.len(),
                a: self.scores.u32s()[keys.start..].as_ptr(),
                a_step: 1,
                b: values[panel..].as_ptr().cast(),
                b_step: width,
                c: sums[panel..].as_mut_ptr(),
                c_row: width,
                carry: true,
            };
            // SAFETY: the caller has checked the variant. Rows of `scores` are `BLOCK` apart and
            // hold `keys`; `values` is `[keys][width]`, `sums` `[rows][width]`, and `width` is a
            // whole number of panels.
            unsafe { multiply::<BLOCK>(isa, &tile) };
        }
    }
}
