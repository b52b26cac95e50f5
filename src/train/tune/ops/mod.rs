//! The operations of a decoder, each with its backward.

pub mod attention;
pub mod dropout;
pub mod gate;
pub mod norm;
pub mod product;
pub mod rope;
#[cfg(test)]
pub mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kernel::{Activations, Pool};

/// Rows that one task of an element-wise operation works on. What is summed over rows is summed task by task, so
/// that neither the number of threads nor their order changes a bit.
pub const TASK_ROWS: usize = 32;

/// Where operations are computed: threads, and the buffer for converted activations.
pub struct Bench {
    pub pool: Pool,
    activations: Mutex<Activations>,
}

impl Bench {
    /// `threads` compute, at least one.
    pub fn new(threads: usize) -> Self {
        Bench {
            pool: Pool::new(threads.max(1)),
            activations: Mutex::default(),
        }
    }

    fn activations(&self) -> MutexGuard<'_, Activations> {
        self.activations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// `len` zeros in a buffer that is kept.
pub fn zeroed(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.clear();
    buffer.resize(len, 0.0);
    buffer
}

/// `len` numbers, whichever, in a buffer that is kept.
pub fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    buffer
}

/// `x += y`.
pub fn add(bench: &Bench, x: &mut [f32], y: &[f32]) {
    const SIZE: usize = 1 << 14;
    let parts = x.chunks_mut(SIZE).zip(y.chunks(SIZE)).collect();
    bench.pool.each(parts, |(x, y): (&mut [f32], &[f32])| {
        crate::kernel::vector::add_scaled(x, y, 1.0);
    });
}
