//! Strided matrix views over `f32` slices and their product.

/// Where an element of a matrix lies in its slice: `offset = row · row_stride + col · col_stride`.
#[derive(Clone, Copy, Debug)]
struct Shape {
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl Shape {
    /// The number of slice elements the matrix reaches into.
    fn span(&self) -> usize {
        if self.rows == 0 || self.cols == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride + 1
    }
}

/// A read-only matrix over a slice.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    data: &'a [f32],
    shape: Shape,
}

impl<'a> View<'a> {
    /// `rows × cols`, consecutive rows `row_stride` elements apart.
    ///
    /// # Panics
    /// When the slice is too short for the shape.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        let shape = Shape {
            rows,
            cols,
            row_stride,
            col_stride: 1,
        };
        assert!(shape.span() <= data.len(), "matrix reaches past its slice");
        View { data, shape }
    }

    /// `rows × cols` without gaps.
    pub fn dense(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::new(data, rows, cols, cols)
    }

    /// The transpose; no data moves.
    pub fn t(self) -> Self {
        View {
            data: self.data,
            shape: Shape {
                rows: self.shape.cols,
                cols: self.shape.rows,
                row_stride: self.shape.col_stride,
                col_stride: self.shape.row_stride,
            },
        }
    }

    #[cfg(test)]
    fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.shape.row_stride + col * self.shape.col_stride]
    }
}

/// A writable matrix over a slice.
#[derive(Debug)]
pub struct ViewMut<'a> {
    data: &'a mut [f32],
    shape: Shape,
}

impl<'a> ViewMut<'a> {
    /// `rows × cols`, consecutive rows `row_stride` elements apart.
    ///
    /// # Panics
    /// When the slice is too short for the shape, or rows would overlap.
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        let shape = Shape {
            rows,
            cols,
            row_stride,
            col_stride: 1,
        };
        assert!(shape.span() <= data.len(), "matrix reaches past its slice");
        assert!(rows <= 1 || row_stride >= cols, "rows overlap");
        ViewMut { data, shape }
    }

    /// `rows × cols` without gaps.
    pub fn dense(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::new(data, rows, cols, cols)
    }
}

/// `out = keep · out + scale · left · right` on the calling thread.
///
/// With `keep == 0` the old contents of `out` are not read.
///
/// # Panics
/// When the shapes do not fit together.
pub fn matmul(out: ViewMut<'_>, keep: f32, left: View<'_>, right: View<'_>, scale: f32) {
    let (m, n, k) = (out.shape.rows, out.shape.cols, left.shape.cols);
    assert_eq!(m, left.shape.rows, "rows of the product");
    assert_eq!(n, right.shape.cols, "columns of the product");
    assert_eq!(k, right.shape.rows, "inner dimension");
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the constructors have checked that every (row, col) of each shape lies inside its
    // slice, the three slices cannot alias (one is `&mut`), rows of `out` do not overlap, and the
    // shapes agree (asserted above), so `gemm` touches only memory the views borrow.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.data.as_mut_ptr(),
            out.shape.col_stride as isize,
            out.shape.row_stride as isize,
            keep != 0.0,
            left.data.as_ptr(),
            left.shape.col_stride as isize,
            left.shape.row_stride as isize,
            right.data.as_ptr(),
            right.shape.col_stride as isize,
            right.shape.row_stride as isize,
            keep,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(seed: u64, n: usize) -> Vec<f32> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
            })
            .collect()
    }

    proptest! {
        #[test]
        fn matmul_equals_the_triple_loop(
            m in 1usize..40, n in 1usize..40, k in 1usize..70,
            gap in 0usize..5, keep in prop_oneof![Just(0.0f32), Just(1.0)],
            left_t: bool, right_t: bool, seed: u64,
        ) {
            let (lr, lc) = if left_t { (k, m) } else { (m, k) };
            let (rr, rc) = if right_t { (n, k) } else { (k, n) };
            let (a, b) = (numbers(seed, lr * (lc + gap)), numbers(seed ^ 99, rr * rc));
            let before = numbers(seed ^ 7, m * (n + gap));
            let left = View::new(&a, lr, lc, lc + gap);
            let left = if left_t { left.t() } else { left };
            let right = View::dense(&b, rr, rc);
            let right = if right_t { right.t() } else { right };
            let mut out = before.clone();
            matmul(ViewMut::new(&mut out, m, n, n + gap), keep, left, right, 0.5);
            for row in 0..m {
                for col in 0..n {
                    let sum: f32 = (0..k).map(|i| left.at(row, i) * right.at(i, col)).sum();
                    let want = keep * before[row * (n + gap) + col] + 0.5 * sum;
                    let got = out[row * (n + gap) + col];
                    prop_assert!((want - got).abs() < 1e-4, "{want} {got}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "past its slice")]
    fn a_view_longer_than_its_slice_is_refused() {
        View::dense(&[0.0; 5], 2, 3);
    }
}
