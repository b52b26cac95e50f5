//! stand-in until the kernel lands
use super::vector;
use std::ops::Range;
pub struct Stretch<'a> {
    pub keys: &'a [f32],
    pub values: &'a [f32],
}
#[derive(Default)]
pub struct Scratch {}
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
    _scratch: &mut Scratch,
) {
    for r in 0..rows {
        let q = &q[r * q_stride..r * q_stride + head_dim];
        let mut scores = Vec::new();
        let mut at = 0;
        for s in stretches {
            for k in s.keys.chunks(head_dim) {
                if visible[r].contains(&at) {
                    let mut x = vector::dot(q, k) * scale;
                    if let Some(c) = cap {
                        x = c * (x / c).tanh();
                    }
                    scores.push(x);
                }
                at += 1;
            }
        }
        let max = vector::max(&scores);
        let sum = vector::exp_shifted(&mut scores, max);
        let out = &mut out[r * out_stride..r * out_stride + head_dim];
        out.fill(0.0);
        let mut at = 0;
        let mut i = 0;
        for s in stretches {
            for v in s.values.chunks(head_dim) {
                if visible[r].contains(&at) {
                    vector::add_scaled(out, v, scores[i] / sum);
                    i += 1;
                }
                at += 1;
            }
        }
    }
}
