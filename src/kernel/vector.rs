//! Element-wise and row-wise kernels on `f32` slices.
//!
//! Each public function is compiled for several instruction sets and the best one the processor
//! has is taken at run time. Sums run in sixteen lanes so that they vectorise.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

const LANES: usize = 16;

/// `a · b + c`, rounded once where that is one instruction.
#[inline(always)]
fn madd<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` by range reduction and a polynomial of degree six; relative error below 2e-7, results
/// clamped to the finite range. `FUSED` where the caller is compiled for a processor that fuses products and sums.
#[inline(always)]
pub(super) fn exp<const FUSED: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it rounds to the nearest integer.
    let x = x.clamp(-87.0, 88.0);
    let shifted = madd::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let f = madd::<FUSED>(n, 2.121_944_4e-4, madd::<FUSED>(n, -0.693_359_4, x));
    let tail = [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let p = tail
        .iter()
        .fold(1.0 / 720.0, |p, c| madd::<FUSED>(f, p, *c));
    p * f32::from_bits(((exponent + 127) << 23) as u32)
}

#[inline(always)]
fn sum_lanes(lanes: [f32; LANES]) -> f32 {
    lanes.iter().sum()
}

/// `Σ a·b`.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += x[i] * y[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sum_lanes(lanes) + rest
}

/// `out += scale · x`.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn add_scaled(out: &mut [f32], x: &[f32], scale: f32) {
    for (o, x) in out.iter_mut().zip(x) {
        *o += scale * x;
    }
}

/// Rotates the first `2 · cos.len()` elements, the half-split way.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn rotate(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let half = cos.len();
    let (left, right) = x[..2 * half].split_at_mut(half);
    for (((a, b), cos), sin) in left.iter_mut().zip(right).zip(cos).zip(sin) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

/// The largest element, or -∞ of an empty slice.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (x, rest) = x.as_chunks::<LANES>();
    for x in x {
        for i in 0..LANES {
            lanes[i] = if x[i] > lanes[i] { x[i] } else { lanes[i] };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max)
}

/// `x = e^(x − shift)`; gives back the sum of the results.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn exp_shifted(x: &mut [f32], shift: f32) -> f32 {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    let mut lanes = [0.0f32; LANES];
    let (x, rest) = x.as_chunks_mut::<LANES>();
    for x in x {
        for i in 0..LANES {
            x[i] = exp::<FUSED>(x[i] - shift);
            lanes[i] += x[i];
        }
    }
    let mut tail = 0.0;
    for x in rest {
        *x = exp::<FUSED>(*x - shift);
        tail += *x;
    }
    sum_lanes(lanes) + tail
}

/// `grad = prob · (grad − shift) · scale`: the softmax backward of one row, `prob` its output.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn softmax_backward(grad: &mut [f32], prob: &[f32], shift: f32, scale: f32) {
    for (g, p) in grad.iter_mut().zip(prob) {
        *g = p * (*g - shift) * scale;
    }
}

/// `out = silu(gate) · up`, `gate` and `up` the two halves of `gate_up`.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn swiglu(out: &mut [f32], gate_up: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    let (gate, up) = gate_up.split_at(out.len());
    for ((o, g), u) in out.iter_mut().zip(gate).zip(up) {
        *o = g / (1.0 + exp::<FUSED>(-g)) * u;
    }
}

/// `out = gelu(gate) · up` with the tanh form of GELU, `gate` and `up` the two halves of `gate_up`.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn geglu_tanh(out: &mut [f32], gate_up: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    const ROOT: f32 = 0.797_884_6; // √(2/π)
    let (gate, up) = gate_up.split_at(out.len());
    for ((o, g), u) in out.iter_mut().zip(gate).zip(up) {
        let inner = ROOT * (g + 0.044715 * g * g * g);
        // ½ (1 + tanh z) = 1 / (1 + e^(−2z))
        *o = g / (1.0 + exp::<FUSED>(-2.0 * inner)) * u;
    }
}

/// Backward of [`swiglu`]: `gate_up` becomes its own gradient, given that of the output.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn swiglu_backward(gate_up: &mut [f32], grad_out: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    let (gate, up) = gate_up.split_at_mut(grad_out.len());
    for ((g, u), d) in gate.iter_mut().zip(up).zip(grad_out) {
        let sigmoid = 1.0 / (1.0 + exp::<FUSED>(-*g));
        let silu = *g * sigmoid;
        let grad_gate = d * *u * (sigmoid + silu * (1.0 - sigmoid));
        *u = d * silu;
        *g = grad_gate;
    }
}

/// Backward of [`geglu_tanh`]: `gate_up` becomes its own gradient, given that of the output.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn geglu_tanh_backward(gate_up: &mut [f32], grad_out: &[f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    const ROOT: f32 = 0.797_884_6; // √(2/π)
    let (gate, up) = gate_up.split_at_mut(grad_out.len());
    for ((g, u), d) in gate.iter_mut().zip(up).zip(grad_out) {
        let square = *g * *g;
        let inner = ROOT * *g * (1.0 + 0.044715 * square);
        let share = 1.0 / (1.0 + exp::<FUSED>(-2.0 * inner));
        let slope =
            share + *g * 2.0 * share * (1.0 - share) * ROOT * (1.0 + 3.0 * 0.044715 * square);
        let gelu = *g * share;
        *g = d * *u * slope;
        *u = d * gelu;
    }
}

/// `out = x · weight / rms(x)`; gives back `1 / rms(x)`.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn rms_norm(out: &mut [f32], x: &[f32], weight: &[f32], eps: f32) -> f32 {
    let mean = dot(x, x) / x.len() as f32;
    let inverse = 1.0 / (mean + eps).sqrt();
    for ((o, x), w) in out.iter_mut().zip(x).zip(weight) {
        *o = x * inverse * w;
    }
    inverse
}

/// `out = (x − mean x) / √(variance x + eps) · weight + bias`.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn layer_norm(out: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
    let count = x.len() as f32;
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += chunk[i];
        }
    }
    let mean = (sum_lanes(lanes) + rest.iter().sum::<f32>()) / count;
    let mut lanes = [0.0f32; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += (chunk[i] - mean) * (chunk[i] - mean);
        }
    }
    let tail: f32 = rest.iter().map(|x| (x - mean) * (x - mean)).sum();
    let variance = (sum_lanes(lanes) + tail) / count;
    let inverse = 1.0 / (variance + eps).sqrt();
    for (((o, x), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *o = (x - mean) * inverse * w + b;
    }
}

/// `x = x · Φ(x)`: GELU by the error function (Abramowitz and Stegun 7.1.26, absolute error 1.5e-7).
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn gelu(x: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    for x in x {
        let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * z);
        let tail = -1.453_152 + t * 1.061_405_4;
        let tail = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * tail)));
        // ½ (1 − erf z): what lies beyond |x|.
        let beyond = 0.5 * tail * exp::<FUSED>(-z * z);
        let below = if *x < 0.0 { beyond } else { 1.0 - beyond };
        *x *= below;
    }
}

/// Backward of [`rms_norm`]: adds to the gradients of `x` and of `weight`.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn rms_norm_backward(
    grad_x: &mut [f32],
    grad_weight: &mut [f32],
    grad_out: &[f32],
    x: &[f32],
    weight: &[f32],
    inverse: f32,
) {
    let mut lanes = [0.0f32; LANES];
    for ((g, x), w) in grad_out
        .chunks(LANES)
        .zip(x.chunks(LANES))
        .zip(weight.chunks(LANES))
    {
        for i in 0..g.len() {
            lanes[i] += g[i] * x[i] * w[i];
        }
    }
    let along = sum_lanes(lanes) * inverse * inverse * inverse / x.len() as f32;
    for i in 0..x.len() {
        grad_weight[i] += grad_out[i] * x[i] * inverse;
        grad_x[i] += grad_out[i] * weight[i] * inverse - x[i] * along;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize, low: f32, high: f32) -> Vec<f32> {
        (0..n)
            .map(|i| low + (high - low) * ((i * 37 % n) as f32) / n as f32)
            .collect()
    }

    #[test]
    fn exp_is_right_to_two_in_ten_million() {
        let mut x = ramp(4099, -80.0, 80.0);
        let before = x.clone();
        let sum = exp_shifted(&mut x, 1.5);
        let mut want_sum = 0.0f64;
        for (got, before) in x.iter().zip(&before) {
            let want = f64::from(before - 1.5).exp();
            want_sum += want;
            assert!((f64::from(*got) / want - 1.0).abs() < 3e-7, "{before}");
        }
        assert!((f64::from(sum) / want_sum - 1.0).abs() < 1e-5);
        let mut low = [-1e30f32];
        assert!(exp_shifted(&mut low, 0.0) < 1e-30);
    }

    #[test]
    fn gelu_is_the_integral_of_the_normal_density() {
        // Values of x · Φ(x) from scipy.stats.norm.
        let known = [
            (-6.0, -5.919_526e-9),
            (-2.0, -0.045_500_264),
            (-0.5, -0.154_268_77),
            (0.0, 0.0),
            (0.1, 0.053_982_784),
            (1.0, 0.841_344_7),
            (3.0, 2.995_950_3),
            (9.0, 9.0),
        ];
        let mut x: Vec<f32> = known.iter().map(|(x, _)| *x).collect();
        gelu(&mut x);
        for (got, (at, want)) in x.iter().zip(known) {
            assert!((got - want).abs() < 5e-7 * (1.0 + at.abs()), "{at}: {got}");
        }
    }

    #[test]
    fn layer_norm_gives_mean_and_deviation_of_its_weights() {
        for n in [1, 7, 16, 33] {
            let x = ramp(n, -3.0, 5.0);
            let (weight, bias) = (vec![2.0; n], vec![0.5; n]);
            let mut out = vec![0.0; n];
            layer_norm(&mut out, &x, &weight, &bias, 1e-12);
            let mean = out.iter().sum::<f32>() / n as f32;
            let variance = out.iter().map(|o| (o - mean) * (o - mean)).sum::<f32>() / n as f32;
            assert!((mean - 0.5).abs() < 1e-5);
            assert!(n == 1 || (variance.sqrt() - 2.0).abs() < 1e-4);
        }
    }

    #[test]
    fn dot_and_max_handle_every_length() {
        for n in 0..70 {
            let (a, b) = (ramp(n.max(1), -1.0, 2.0), ramp(n.max(1), 3.0, -1.0));
            let (a, b) = (&a[..n], &b[..n]);
            let want: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
            assert!((dot(a, b) - want).abs() < 1e-4);
            let want = a.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max(a), want);
        }
    }

    /// Central differences of a scalar function of `x`.
    fn differences(x: &[f32], f: impl Fn(&[f32]) -> f32) -> Vec<f32> {
        (0..x.len())
            .map(|i| {
                let (mut a, mut b) = (x.to_vec(), x.to_vec());
                a[i] += 1e-2;
                b[i] -= 1e-2;
                (f(&a) - f(&b)) / 2e-2
            })
            .collect()
    }

    fn close(a: &[f32], b: &[f32]) {
        for (x, y) in a.iter().zip(b) {
            assert!((x - y).abs() < 2e-3 * (1.0 + y.abs()), "{x} {y}");
        }
    }

    #[test]
    fn swiglu_gradient_is_its_finite_difference() {
        let n = 21;
        let (gate_up, grad) = (ramp(2 * n, -2.0, 2.0), ramp(n, -1.0, 1.0));
        let loss = |x: &[f32]| {
            let mut out = vec![0.0; n];
            swiglu(&mut out, x);
            dot(&out, &grad)
        };
        let want = differences(&gate_up, loss);
        let mut got = gate_up.clone();
        swiglu_backward(&mut got, &grad);
        close(&got, &want);
    }

    #[test]
    fn rms_norm_gradient_is_its_finite_difference() {
        let n = 33;
        let (x, w, grad) = (ramp(n, -2.0, 2.0), ramp(n, 0.5, 1.5), ramp(n, 1.0, -1.0));
        let loss = |x: &[f32], w: &[f32]| {
            let mut out = vec![0.0; n];
            rms_norm(&mut out, x, w, 1e-5);
            dot(&out, &grad)
        };
        let mut out = vec![0.0; n];
        let inverse = rms_norm(&mut out, &x, &w, 1e-5);
        let (mut gx, mut gw) = (vec![0.0; n], vec![0.0; n]);
        rms_norm_backward(&mut gx, &mut gw, &grad, &x, &w, inverse);
        close(&gx, &differences(&x, |x| loss(x, &w)));
        close(&gw, &differences(&w, |w| loss(&x, w)));
    }
}
