//! Buffers that start on a cache line, so that no vector load of a packed panel straddles two.

/// One cache line of 32-bit units.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; Line::UNITS]);

impl Line {
    const UNITS: usize = 16;
}

/// A growable buffer of 32-bit units, readable as `u32` or as `f32`.
#[derive(Default)]
pub(super) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// A buffer of `len` zeros.
    pub(super) fn zeros(len: usize) -> Self {
        let mut new = Self::default();
        new.resize(len);
        new
    }

    /// Sets the length. What the buffer then holds is unspecified (old contents or zeros).
    pub(super) fn resize(&mut self, len: usize) {
        let lines = len.div_ceil(Line::UNITS);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0; Line::UNITS]));
        }
        self.len = len;
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn u32s(&self) -> &[u32] {
        // SAFETY: `resize` keeps `len` within the lines; a `Line` is sixteen units without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub(super) fn u32s_mut(&mut self) -> &mut [u32] {
        // SAFETY: as in `u32s`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    pub(super) fn f32s(&self) -> &[f32] {
        // SAFETY: as in `u32s`; every bit pattern is a valid `f32` of the same size and alignment.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub(super) fn f32s_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `f32s`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
