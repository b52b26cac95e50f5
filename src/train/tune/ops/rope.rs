//! Rotation of queries and keys by their positions (RoPE, Su et al. 2021, half-split layout).

use super::{Bench, TASK_ROWS};
use crate::kernel::vector;
use crate::model::architecture::Rope;
use crate::model::decoder::cpu::angles;

/// Cosines and sines of the first positions.
pub struct Rotation {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
    /// `−sin`, for the way back.
    minus: Vec<f32>,
}

impl Rotation {
    /// Those of one rotary embedding; `long` where sequences count as long for it.
    pub fn new(rope: &Rope, long: bool, positions: usize) -> Self {
        let mut new = Rotation {
            half: rope.frequencies.len(),
            cos: Vec::new(),
            sin: Vec::new(),
            minus: Vec::new(),
        };
        for position in 0..positions {
            for (cos, sin) in angles(rope, long, position) {
                new.cos.push(cos);
                new.sin.push(sin);
                new.minus.push(-sin);
            }
        }
        new
    }

    /// Turns the first `heads` heads of every row; `rows` are `stride` wide.
    pub fn forward(
        &self,
        bench: &Bench,
        positions: &[usize],
        rows: &mut [f32],
        (stride, heads, width): (usize, usize, usize),
    ) {
        self.turn(bench, &self.sin, positions, rows, (stride, heads, width));
    }

    /// Backward of [`Rotation::forward`]: the transpose, which turns back.
    pub fn backward(
        &self,
        bench: &Bench,
        positions: &[usize],
        rows: &mut [f32],
        (stride, heads, width): (usize, usize, usize),
    ) {
        self.turn(bench, &self.minus, positions, rows, (stride, heads, width));
    }

    fn turn(
        &self,
        bench: &Bench,
        sin: &[f32],
        positions: &[usize],
        rows: &mut [f32],
        (stride, heads, width): (usize, usize, usize),
    ) {
        if self.half == 0 {
            return;
        }
        let parts = rows
            .chunks_mut(TASK_ROWS * stride)
            .zip(positions.chunks(TASK_ROWS))
            .collect();
        bench
            .pool
            .each(parts, |(rows, positions): (&mut [f32], &[usize])| {
                for (row, position) in rows.chunks_mut(stride).zip(positions) {
                    let at = position * self.half..(position + 1) * self.half;
                    for head in row[..heads * width].chunks_mut(width) {
                        vector::rotate(head, &self.cos[at.clone()], &sin[at.clone()]);
                    }
                }
            });
    }
}
