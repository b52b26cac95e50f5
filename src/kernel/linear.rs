//! Products of activations with packed weight matrices: `x · Wᵀ` in `f32`, `bf16` or `int8`.
//!
//! A row of the product depends, bit for bit, on nothing but that row of `x` and the weights: not
//! on the other rows, on the thread count, or on which outputs are asked for.

mod bf16;
mod block;
pub(super) mod float;
mod int8;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod tile;

use super::aligned::Aligned;
use super::features::Isa;
use super::pool::Pool;
use super::square::SQUARE;
#[cfg(target_arch = "x86_64")]
use super::square::square;
use block::Product;
use tile::{LANES, ROWS};

/// Number format a weight matrix is kept and multiplied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F32,
    Bf16,
    Int8,
}

impl Format {
    /// `Bf16` where the processor multiplies it natively, else `F32`.
    pub fn best() -> Format {
        if Isa::Avx512.has(Format::Bf16) {
            Format::Bf16
        } else {
            Format::F32
        }
    }

    /// Inputs in a 32-bit unit.
    fn width(self) -> usize {
        match self {
            Format::F32 => 1,
            Format::Bf16 => bf16::WIDTH,
            Format::Int8 => int8::WIDTH,
        }
    }

    /// Groups of inputs that share a scale.
    fn groups(self, inputs: usize) -> usize {
        match self {
            Format::F32 | Format::Bf16 => 0,
            Format::Int8 => inputs.div_ceil(int8::GROUP),
        }
    }

    /// Turns inputs, a whole number of groups unless the row ends there, into units and scales.
    fn encode(self, x: &[f32], units: &mut [u32], scales: &mut [f32]) {
        match self {
            Format::F32 => {
                for (unit, x) in units.iter_mut().zip(x) {
                    *unit = x.to_bits();
                }
            }
            Format::Bf16 => bf16::encode(x, units),
            Format::Int8 => {
                let groups = x.chunks(int8::GROUP);
                let units = units.chunks_mut(int8::GROUP_STEPS);
                for ((x, units), scale) in groups.zip(units).zip(scales) {
                    *scale = int8::encode(x, units);
                }
            }
        }
    }
}

/// Units encoded at a time, before they are dealt out to the packed layout; two groups of `int8`.
const CHUNK: usize = 64;
const CHUNK_GROUPS: usize = CHUNK / int8::GROUP_STEPS;

/// Encodes rows and interleaves them by unit: that of row `r` at step `s` goes to
/// `s · stride + r` of `units`, its scale in group `g` to `g · stride + r` of `scales`.
fn interleave<'a>(
    format: Format,
    rows: impl Iterator<Item = &'a [f32]> + Clone,
    inputs: usize,
    stride: usize,
    units: &mut [u32],
    scales: &mut [f32],
) {
    let inputs_at_once = CHUNK * format.width();
    let mut encoded = [[0; CHUNK]; SQUARE];
    let mut scale = [0.0; CHUNK_GROUPS];
    for (chunk, from) in (0..inputs).step_by(inputs_at_once).enumerate() {
        let to = inputs.min(from + inputs_at_once);
        let steps = (to - from).div_ceil(format.width());
        let units = &mut units[chunk * CHUNK * stride..];
        let mut rows = rows.clone();
        for first in (0..).step_by(SQUARE) {
            let some = encoded.iter_mut().zip(&mut rows).enumerate();
            let mut count = 0;
            for (r, (encoded, row)) in some {
                count = r + 1;
                format.encode(&row[from..to], &mut encoded[..steps], &mut scale);
                let group = chunk * CHUNK_GROUPS;
                for (g, scale) in scale[..format.groups(to - from)].iter().enumerate() {
                    scales[(group + g) * stride + first + r] = *scale;
                }
            }
            if count == 0 {
                break;
            }
            turn(&encoded, (count, steps), stride, &mut units[first..]);
        }
    }
}

/// Writes the first `steps` units of the first `count` rows as `steps` rows `stride` apart.
fn turn(
    rows: &[[u32; CHUNK]; SQUARE],
    (count, steps): (usize, usize),
    stride: usize,
    into: &mut [u32],
) {
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if Isa::Avx512.has(Format::F32) {
        while done + SQUARE <= steps && count > 0 {
            let into = &mut into[done * stride..][..(SQUARE - 1) * stride + count];
            // SAFETY: sixteen rows of `CHUNK` units are there to be read from `done` on, and as many of `count` units
            // to be written (sliced above); units are plain bits, as `f32` are; the processor has been asked.
            unsafe {
                let from = rows.as_ptr().cast::<f32>().add(done);
                square(from, CHUNK, into.as_mut_ptr().cast(), stride, count);
            }
            done += SQUARE;
        }
    }
    for (r, row) in rows[..count].iter().enumerate() {
        for (s, unit) in row[done..steps].iter().enumerate() {
            into[(done + s) * stride + r] = *unit;
        }
    }
}

/// A weight matrix of `outputs` rows and `inputs` columns, packed in panels of 32 outputs through
/// which a kernel streams: `[panel][step][lane]`, the last panel filled up with zeros.
pub struct Linear {
    format: Format,
    outputs: usize,
    inputs: usize,
    units: Aligned,
    /// `int8`: `[panel][group][lane]`.
    scales: Aligned,
    /// `int8`: where the sum of a group starts, `-128 · Σ weights`, as `i32`; `[panel][group][lane]`.
    starts: Aligned,
}

impl Linear {
    /// Packs `weights`, dense `[outputs, inputs]`.
    pub fn pack(weights: &[f32], outputs: usize, inputs: usize, format: Format) -> Linear {
        assert_eq!(weights.len(), outputs * inputs, "size of the weights");
        Self::pack_rows(outputs, inputs, format, |first, rows| {
            rows.copy_from_slice(&weights[first * inputs..][..rows.len()]);
        })
    }

    /// Packs the weights that `fill(first, rows)` writes: those of the outputs from `first` on.
    fn pack_rows(
        outputs: usize,
        inputs: usize,
        format: Format,
        mut fill: impl FnMut(usize, &mut [f32]),
    ) -> Linear {
        let (steps, groups) = (inputs.div_ceil(format.width()), format.groups(inputs));
        let panels = outputs.div_ceil(LANES);
        let mut new = Self {
            format,
            outputs,
            inputs,
            units: Aligned::zeros(panels * steps * LANES),
            scales: Aligned::zeros(panels * groups * LANES),
            starts: Aligned::zeros(panels * groups * LANES),
        };
        if inputs == 0 {
            return new;
        }
        let mut rows = vec![0.0; LANES * inputs];
        for panel in 0..panels {
            let first = panel * LANES;
            let rows = &mut rows[..LANES.min(outputs - first) * inputs];
            fill(first, rows);
            let units = &mut new.units.u32s_mut()[panel * steps * LANES..][..steps * LANES];
            let part = panel * groups * LANES..(panel + 1) * groups * LANES;
            let scales = &mut new.scales.f32s_mut()[part.clone()];
            interleave(
                format,
                rows.chunks_exact(inputs),
                inputs,
                LANES,
                units,
                scales,
            );
            if format == Format::Int8 {
                let lanes = rows.len() / inputs;
                let starts = &mut new.starts.u32s_mut()[part];
                for (s, units) in units.chunks_exact_mut(LANES).enumerate() {
                    let starts = &mut starts[s / int8::GROUP_STEPS * LANES..];
                    for (unit, start) in units[..lanes].iter_mut().zip(starts) {
                        *unit = int8::signed(*unit);
                        let sum: i32 = int8::decode(*unit).map(i32::from).iter().sum();
                        *start = start.wrapping_sub((128 * sum) as u32);
                    }
                }
            }
        }
        new
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// The memory the packed weights take.
    pub fn bytes(&self) -> usize {
        (self.units.len() + self.scales.len() + self.starts.len()) * size_of::<u32>()
    }

    /// One output's weights as the kernel sees them, for look-ups of embeddings and for tests.
    pub fn row(&self, output: usize, into: &mut [f32]) {
        assert!(output < self.outputs, "output {output} of {}", self.outputs);
        assert_eq!(into.len(), self.inputs, "length of the row");
        let (panel, lane) = (output / LANES, output % LANES);
        let (steps, groups) = (self.steps(), self.format.groups(self.inputs));
        let units = self.units.u32s()[panel * steps * LANES..].iter();
        let units = units.skip(lane).step_by(LANES);
        match self.format {
            Format::F32 => {
                for (x, unit) in into.iter_mut().zip(units) {
                    *x = f32::from_bits(*unit);
                }
            }
            Format::Bf16 => {
                for (x, unit) in into.chunks_mut(bf16::WIDTH).zip(units) {
                    x.copy_from_slice(&bf16::decode(*unit)[..x.len()]);
                }
            }
            Format::Int8 => {
                let scales = &self.scales.f32s()[panel * groups * LANES + lane..];
                for (s, (x, unit)) in into.chunks_mut(int8::WIDTH).zip(units).enumerate() {
                    let scale = scales[s / int8::GROUP_STEPS * LANES];
                    for (x, q) in x.iter_mut().zip(int8::decode(*unit)) {
                        *x = f32::from(q) * scale;
                    }
                }
            }
        }
    }

    fn steps(&self) -> usize {
        self.inputs.div_ceil(self.format.width())
    }
}

/// Activations converted once for several products: the buffers are reused by the next `set`.
///
/// Packed in tiles of twelve rows, the last as high as there are rows left: `[tile][step][row]`,
/// and likewise `[tile][group][row]` for the scales of `int8`.
pub struct Activations {
    format: Format,
    rows: usize,
    inputs: usize,
    units: Aligned,
    scales: Aligned,
}

/// Tiles of activations that one task packs.
const PART_TILES: usize = 4;

/// Rows to pack, from the first of a tile on, and where to.
struct Part<'a> {
    x: &'a [f32],
    units: &'a mut [u32],
    scales: &'a mut [f32],
}

impl Part<'_> {
    fn take(self, format: Format, inputs: usize) {
        let (steps, groups) = (inputs.div_ceil(format.width()), format.groups(inputs));
        for (tile, x) in self.x.chunks(ROWS * inputs).enumerate() {
            let (first, height) = (tile * ROWS, x.len() / inputs);
            interleave(
                format,
                x.chunks_exact(inputs),
                inputs,
                height,
                &mut self.units[first * steps..][..height * steps],
                &mut self.scales[first * groups..][..height * groups],
            );
        }
    }
}

impl Default for Activations {
    fn default() -> Self {
        Self::new()
    }
}

impl Activations {
    pub fn new() -> Self {
        Self {
            format: Format::F32,
            rows: 0,
            inputs: 0,
            units: Aligned::zeros(0),
            scales: Aligned::zeros(0),
        }
    }

    /// Takes over `x`, dense `[rows, inputs]`, for products with weights of that format.
    pub fn set(&mut self, x: &[f32], rows: usize, inputs: usize, format: Format) {
        for part in self.parts(x, rows, inputs, format) {
            part.take(format, inputs);
        }
    }

    /// The same on the pool's threads.
    pub fn set_on(&mut self, pool: &Pool, x: &[f32], rows: usize, inputs: usize, format: Format) {
        let parts = self.parts(x, rows, inputs, format);
        pool.each(parts, |part| part.take(format, inputs));
    }

    /// Some tiles each, in order.
    fn parts<'a>(
        &'a mut self,
        x: &'a [f32],
        rows: usize,
        inputs: usize,
        format: Format,
    ) -> Vec<Part<'a>> {
        assert_eq!(x.len(), rows * inputs, "size of the activations");
        let (steps, groups) = (inputs.div_ceil(format.width()), format.groups(inputs));
        (self.format, self.rows, self.inputs) = (format, rows, inputs);
        self.units.resize(rows * steps);
        self.scales.resize(rows * groups);
        let mut parts = Vec::new();
        if inputs == 0 {
            return parts;
        }
        let (mut units, mut scales) = (self.units.u32s_mut(), self.scales.f32s_mut());
        for x in x.chunks(PART_TILES * ROWS * inputs) {
            let rows = x.len() / inputs;
            let (own_units, other_units) = units.split_at_mut(rows * steps);
            let (own_scales, other_scales) = scales.split_at_mut(rows * groups);
            (units, scales) = (other_units, other_scales);
            parts.push(Part {
                x,
                units: own_units,
                scales: own_scales,
            });
        }
        parts
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }
}

/// `out[rows, outputs] = x · Wᵀ`, dense, on the pool's threads.
pub fn linear(pool: &Pool, x: &Activations, w: &Linear, out: &mut [f32]) {
    Product::new(Isa::best(w.format), x, w).run(pool, out);
}

/// The same for the outputs `picked` alone: `out[rows, picked.len()]`, with the bits of [`linear`].
pub fn linear_picked(x: &Activations, w: &Linear, picked: &[u32], out: &mut [f32]) {
    Product::new(Isa::best(w.format), x, w).run_picked(picked, out);
}
