//! The loops around the tiles: blocks that fit the caches, dealt out to the threads.

use super::super::features::Isa;
use super::super::pool::Pool;
use super::tile::{LANES, ROWS, Tile};
use super::{Activations, Format, Linear, bf16, float, int8};

/// Steps between two passes over the sums: a panel then takes 64 KiB, which streams from the
/// second cache while a tile's activations (24 KiB) stay in the first. A whole number of groups.
const STEPS: usize = 512;
/// Bytes of a block of rows' activations that the second cache keeps beside a panel.
const BLOCK_BYTES: usize = 600 << 10;
/// Tiles that share a panel at least: with fewer, weights would have to stream too fast.
const MIN_TILES: usize = 10;
const MAX_TILES: usize = 40;
/// Where the inputs are too many for that: tiles in a block of rows (480 KiB over [`STEPS`]), and
/// panels whose sums stay in the second cache between two stretches of steps.
const LONG_TILES: usize = 20;
const LONG_PANELS: usize = 8;
/// Panels in a task at most.
const PANELS: usize = 16;
/// Tasks per thread that balance a loop well enough.
const TASKS: usize = 8;

/// A product to compute: operands that fit together.
pub(super) struct Product<'a> {
    isa: Isa,
    x: &'a Activations,
    w: &'a Linear,
    steps: usize,
    groups: usize,
}

/// A pointer the tasks of a loop may share: they write to disjoint parts of what it points to.
struct Shared(*mut f32);

// SAFETY: see the type; the pointer is only used while the loop runs.
unsafe impl Sync for Shared {}

impl Shared {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

impl<'a> Product<'a> {
    pub(super) fn new(isa: Isa, x: &'a Activations, w: &'a Linear) -> Self {
        assert_eq!(x.format, w.format, "formats of the two operands");
        assert_eq!(x.inputs, w.inputs, "inputs of the two operands");
        assert!(isa.has(w.format), "{isa:?} on this processor");
        Self {
            isa,
            x,
            w,
            steps: w.steps(),
            groups: w.format.groups(w.inputs),
        }
    }

    /// All outputs, into `out[rows, outputs]`.
    pub(super) fn run(&self, pool: &Pool, out: &mut [f32]) {
        let (rows, outputs) = (self.x.rows, self.w.outputs);
        assert_eq!(out.len(), rows * outputs, "size of the product");
        if rows == 0 || outputs == 0 {
            return;
        }
        let (tiles, panels) = (rows.div_ceil(ROWS), outputs.div_ceil(LANES));
        // Either all inputs of a block of rows stay in the second cache while one panel after the
        // other comes by, or a stretch of them does for some panels, then the next stretch.
        let fitting = BLOCK_BYTES / (ROWS * size_of::<u32>() * self.steps.max(1));
        let (most, together) = if fitting >= MIN_TILES {
            (fitting.min(MAX_TILES), 1)
        } else {
            (LONG_TILES, LONG_PANELS)
        };
        let row_blocks = tiles.div_ceil(most);
        let block_tiles = tiles.div_ceil(row_blocks);
        // Few rows still make several tasks, and many rows no small ones.
        let wanted = (pool.threads() * TASKS).div_ceil(row_blocks);
        let group = panels.div_ceil(wanted).min(PANELS);
        let groups = panels.div_ceil(group);
        let out = Shared(out.as_mut_ptr());
        // Panels vary first: a thread's next task finds the same activations in its cache.
        pool.run(row_blocks * groups, |task| {
            let (first_panel, tile) = (task % groups * group, task / groups * block_tiles);
            let end_panel = panels.min(first_panel + group);
            let some_tiles = tile..tiles.min(tile + block_tiles);
            for panel in (first_panel..end_panel).step_by(together) {
                let some_panels = panel..end_panel.min(panel + together);
                for first in (0..self.steps.max(1)).step_by(STEPS) {
                    let steps = first..self.steps.min(first + STEPS);
                    for panel in some_panels.clone() {
                        for tile in some_tiles.clone() {
                            let at = tile * ROWS * outputs + panel * LANES;
                            // SAFETY: the element (first row of the tile, first lane of the panel)
                            // lies in `out`; tasks differ in their panels or their tiles.
                            unsafe { self.store(tile, panel, steps.clone(), out.get().add(at)) };
                        }
                    }
                }
            }
        });
    }

    /// Computes a tile over a stretch of steps into the product at `out`.
    ///
    /// # Safety
    /// `out` is that tile's place in the whole product, and nobody else uses the place.
    unsafe fn store(
        &self,
        tile: usize,
        panel: usize,
        steps: std::ops::Range<usize>,
        out: *mut f32,
    ) {
        let outputs = self.w.outputs;
        let lanes = LANES.min(outputs - panel * LANES);
        // SAFETY: rows of a tile are `outputs` apart in the product and `lanes` of them are the
        // product's own; where that is less than the kernel writes, it writes to `edge`.
        unsafe {
            if lanes == LANES {
                return self.tile(tile, panel, steps, out, outputs);
            }
            let mut edge = [[0.0f32; LANES]; ROWS];
            let rows = ROWS.min(self.x.rows - tile * ROWS);
            for (r, edge) in edge[..rows].iter_mut().enumerate() {
                out.add(r * outputs)
                    .copy_to_nonoverlapping(edge.as_mut_ptr(), lanes);
            }
            self.tile(tile, panel, steps, edge.as_mut_ptr().cast(), LANES);
            for (r, edge) in edge[..rows].iter().enumerate() {
                out.add(r * outputs)
                    .copy_from_nonoverlapping(edge.as_ptr(), lanes);
            }
        }
    }

    /// Computes a tile over a stretch of steps that begins with a group; sums go on from `c`
    /// unless it is the first stretch.
    ///
    /// # Safety
    /// `c` has [`LANES`] elements for each of the tile's rows, `c_row` apart, and nobody else uses
    /// them.
    unsafe fn tile(
        &self,
        tile: usize,
        panel: usize,
        steps: std::ops::Range<usize>,
        c: *mut f32,
        c_row: usize,
    ) {
        let first = tile * ROWS;
        let rows = ROWS.min(self.x.rows - first);
        let group = steps.start / int8::GROUP_STEPS;
        let a =
            &self.x.units.u32s()[first * self.steps + steps.start * rows..][..steps.len() * rows];
        let b = &self.w.units.u32s()[(panel * self.steps + steps.start) * LANES..]
            [..steps.len() * LANES];
        let tile = Tile {
            rows,
            steps: steps.len(),
            a: a.as_ptr(),
            a_step: rows,
            b: b.as_ptr(),
            b_step: LANES,
            c,
            c_row,
            carry: steps.start > 0,
        };
        // SAFETY: `new` has checked the variant; `a`, `b` and the scales are as long as the tile
        // reaches (sliced above and below); `c` is the caller's promise.
        unsafe {
            match self.w.format {
                Format::F32 => float::multiply::<1>(self.isa, &tile),
                Format::Bf16 => bf16::multiply(self.isa, &tile),
                Format::Int8 => {
                    let groups = steps.len().div_ceil(int8::GROUP_STEPS);
                    let a = first * self.groups + group * rows;
                    let b = (panel * self.groups + group) * LANES;
                    let scales = int8::Groups {
                        a: self.x.scales.f32s()[a..][..groups * rows].as_ptr(),
                        b: self.w.scales.f32s()[b..][..groups * LANES].as_ptr(),
                        start: self.w.starts.u32s()[b..][..groups * LANES].as_ptr().cast(),
                    };
                    int8::multiply(self.isa, &tile, &scales);
                }
            }
        }
    }

    /// The outputs `picked`, into `out[rows, picked.len()]`. Computes each panel with a picked
    /// output in it whole, by the same kernel: the bits are those of `run`.
    pub(super) fn run_picked(&self, picked: &[u32], out: &mut [f32]) {
        assert_eq!(out.len(), self.x.rows * picked.len(), "size of the product");
        let mut places: Vec<(usize, usize)> = Vec::with_capacity(picked.len());
        for (place, output) in picked.iter().enumerate() {
            let output = *output as usize;
            assert!(output < self.w.outputs, "output {output} of the product");
            places.push((output, place));
        }
        places.sort_unstable();
        for tile in 0..self.x.rows.div_ceil(ROWS) {
            let rows = tile * ROWS..self.x.rows.min((tile + 1) * ROWS);
            for places in places.chunk_by(|a, b| a.0 / LANES == b.0 / LANES) {
                let panel = places[0].0 / LANES;
                let mut sums = [[0.0f32; LANES]; ROWS];
                // SAFETY: `sums` has room for the tile, in rows `LANES` apart.
                unsafe {
                    self.tile(tile, panel, 0..self.steps, sums.as_mut_ptr().cast(), LANES);
                }
                for (row, sums) in rows.clone().zip(&sums) {
                    for (output, place) in places {
                        out[row * picked.len() + place] = sums[output % LANES];
                    }
                }
            }
        }
    }
}
