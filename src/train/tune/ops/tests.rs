//! Every backward against finite differences of its forward.

use super::attention::{self, Heads, Saved};
use super::dropout::Dropout;
use super::product::Weight;
use super::rope::Rotation;
use super::{Bench, gate, norm};
use crate::kernel::vector::dot;
use crate::model::architecture::{Activation, Rope};
use crate::train::tune::lora::{Lora, LoraConfig, Module, Place, Scratch, Site};
use crate::train::tune::pack::Pack;

/// Numbers from −1 to 1 that look random.
pub fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let of = |i| super::dropout::mix(seed, i as u64) >> 40;
    let numbers = (0..count).map(|i| of(i) as f32 / (1u64 << 23) as f32 - 1.0);
    numbers.collect()
}

/// Compares a gradient with differences of `loss` along single numbers and along random directions.
pub fn check(what: &str, x: &[f32], grad: &[f32], mut loss: impl FnMut(&[f32]) -> f64) {
    const STEP: f32 = 3e-3;
    assert_eq!(x.len(), grad.len(), "{what}");
    assert!(dot(grad, grad) > 0.0, "{what}: no gradient");
    let stride = x.len().div_ceil(12);
    let one = |at: usize| {
        let mut direction = vec![0.0; x.len()];
        direction[at] = 1.0;
        direction
    };
    let single = (0..x.len()).step_by(stride).map(one);
    let several = (0..3).map(|seed| {
        let direction = numbers(seed + 70, x.len());
        let length = dot(&direction, &direction).sqrt();
        direction.iter().map(|d| d / length).collect()
    });
    for direction in single.chain(several) {
        let mut at = |sign: f32| {
            let moved = x.iter().zip(&direction);
            let moved: Vec<f32> = moved.map(|(x, d)| x + sign * STEP * d).collect();
            loss(&moved)
        };
        let want = (at(1.0) - at(-1.0)) / f64::from(2.0 * STEP);
        let got = f64::from(dot(grad, &direction));
        assert!(
            (want - got).abs() < 2e-3 + 0.01 * want.abs(),
            "{what}: difference {want}, gradient {got}"
        );
    }
}

fn sum(x: &[f32], weights: &[f32]) -> f64 {
    let products = x.iter().zip(weights);
    products.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
}

#[test]
fn norms() {
    let bench = Bench::new(2);
    let (x, weight, go) = (numbers(1, 70 * 8), numbers(2, 8), numbers(3, 70 * 8));
    let loss = |x: &[f32], weight: &[f32]| {
        let mut out = vec![0.0; x.len()];
        norm::forward(&bench, &mut out, x, weight, 1e-5);
        sum(&out, &go)
    };
    let (mut gx, mut gw) = (vec![0.0; x.len()], vec![0.0; 8]);
    norm::backward(&bench, &mut gx, Some(&mut gw), &go, &x, &weight, 1e-5);
    check("norm's input", &x, &gx, |x| loss(x, &weight));
    check("norm's weight", &weight, &gw, |weight| loss(&x, weight));
}

#[test]
fn gates() {
    let bench = Bench::new(2);
    let go = numbers(5, 40 * 6);
    let x: Vec<f32> = numbers(4, 40 * 12).iter().map(|x| 3.0 * x).collect();
    for activation in [Activation::Silu, Activation::GeluTanh] {
        let mut grad = x.clone();
        gate::backward(&bench, activation, &mut grad, &go, 6);
        check(&format!("{activation:?}"), &x, &grad, |x| {
            let mut out = vec![0.0; go.len()];
            gate::forward(&bench, activation, &mut out, x, 6);
            sum(&out, &go)
        });
    }
}

#[test]
fn rotations() {
    let bench = Bench::new(2);
    let rope = Rope {
        frequencies: vec![1.0, 0.3],
        long: None,
        scale: 1.2,
    };
    let rotation = Rotation::new(&rope, false, 64);
    let positions: Vec<usize> = (0..50).map(|i| i * 7 % 60).collect();
    // Two heads of six are turned, four dimensions of each; a third is left.
    let shape = (18, 2, 6);
    let (x, go) = (numbers(6, 50 * 18), numbers(7, 50 * 18));
    let mut grad = go.clone();
    rotation.backward(&bench, &positions, &mut grad, shape);
    check("rotation", &x, &grad, |x| {
        let mut out = x.to_vec();
        rotation.forward(&bench, &positions, &mut out, shape);
        sum(&out, &go)
    });
}

fn tree() -> Pack {
    let mut pack = Pack::default();
    let ids: Vec<u32> = (0..80).collect();
    let root = pack.add(None, &ids[..70]);
    let a = pack.add(Some(root), &ids[..5]);
    pack.add(Some(root), &ids[..9]);
    pack.add(Some(a), &ids[..3]);
    pack.add(None, &ids[..12]);
    pack
}

#[test]
fn attentions() {
    let (bench, pack) = (Bench::new(2), tree());
    let plain = Heads {
        count: 4,
        kv_count: 2,
        width: 6,
        scale: 0.6,
        cap: None,
        window: None,
    };
    for heads in [
        plain,
        Heads {
            cap: Some(1.5),
            ..plain
        },
        Heads {
            window: Some(7),
            ..plain
        },
        Heads {
            window: Some(66),
            kv_count: 4,
            ..plain
        },
    ] {
        let qkv = numbers(8, pack.len() * heads.stride());
        let go = numbers(9, pack.len() * heads.out());
        let forward = |qkv: &[f32]| {
            let mut out = vec![0.0; pack.len() * heads.out()];
            let mut log_sums = vec![0.0; pack.len() * heads.count];
            attention::forward(&bench, &heads, &pack, qkv, &mut out, &mut log_sums);
            (out, log_sums)
        };
        let (out, log_sums) = forward(&qkv);
        let saved = Saved {
            qkv: &qkv,
            out: &out,
            log_sums: &log_sums,
            grad_out: &go,
        };
        let mut grad = vec![0.0; qkv.len()];
        attention::backward(&bench, &heads, &pack, &saved, &mut grad);
        check(&format!("{heads:?}"), &qkv, &grad, |qkv| {
            sum(&forward(qkv).0, &go)
        });
    }
}

#[test]
fn products_and_biases() {
    let bench = Bench::new(2);
    let (rows, outputs, inputs) = (40, 10, 6);
    let mut weight = Weight::dense(outputs, inputs, 0..60);
    weight.bias = Some(60..70);
    let (parameters, x) = (numbers(10, 70), numbers(11, rows * inputs));
    let go = numbers(12, rows * outputs);
    let loss = |parameters: &[f32], x: &[f32]| {
        let mut out = vec![0.0; go.len()];
        weight.forward(&bench, parameters, x, &mut out);
        sum(&out, &go)
    };
    let (mut gx, mut grads) = (vec![0.0; x.len()], vec![0.0; 70]);
    weight.backward(&bench, &parameters, &go, &mut gx);
    weight.learn(&bench, &go, &x, &mut grads);
    check("a product's input", &x, &gx, |x| loss(&parameters, x));
    check("weights and bias", &parameters, &grads, |p| loss(p, &x));
}

#[test]
fn adapters_with_dropout() {
    let bench = Bench::new(2);
    let (rows, inputs) = (40, 8);
    let module = |name: &str, from: usize, outputs: usize| Module {
        name: format!("model.layers.0.self_attn.{name}"),
        layer: 0,
        site: Site::Qkv,
        from,
        outputs,
        inputs,
    };
    let config = LoraConfig {
        rank: 3,
        alpha: 6.0,
        dropout: 0.3,
        targets: vec!["q_proj".into(), "v_proj".into()],
    };
    let modules = [
        module("q_proj", 0, 8),
        module("k_proj", 8, 4),
        module("v_proj", 12, 4),
    ];
    let mut lora = Lora::new(config, &modules, 3).unwrap();
    let values = numbers(13, lora.values.len());
    let (x, go) = (numbers(14, rows * inputs), numbers(15, rows * 16));
    let place = Place {
        layer: 0,
        site: Site::Qkv,
        key: Some(77),
    };
    let mut scratch = Scratch::default();
    lora.values.clone_from(&values);
    let (mut gx, mut grads) = (vec![0.0; x.len()], vec![0.0; values.len()]);
    let into = (Some(&mut gx[..]), &mut grads[..]);
    lora.backward(&bench, place, &x, (&go, 16), into, &mut scratch);
    let mut loss = |values: &[f32], x: &[f32]| {
        lora.values.clear();
        lora.values.extend_from_slice(values);
        let mut out = vec![0.0; go.len()];
        lora.forward(&bench, place, x, (&mut out, 16), &mut scratch);
        assert!(
            out.chunks(16).all(|row| row[8..12] == [0.0; 4]),
            "k is none"
        );
        sum(&out, &go)
    };
    check("an adapter's input", &x, &gx, |x| loss(&values, x));
    check("A and B", &values, &grads, |values| loss(values, &x));
}

#[test]
fn dropout_drops_its_share_and_keeps_the_mean() {
    let bench = Bench::new(2);
    let dropout = Dropout { rate: 0.25, key: 5 };
    let x = vec![1.0; 64 * 37];
    let mut out = vec![0.0; x.len()];
    dropout.forward(&bench, &mut out, &x, 37);
    let dropped = out.iter().filter(|x| **x == 0.0).count() as f64 / x.len() as f64;
    assert!((dropped - 0.25).abs() < 0.03, "{dropped}");
    assert!(
        out.iter()
            .all(|x| *x == 0.0 || (x - 4.0 / 3.0).abs() < 1e-6)
    );
    let mut grad = vec![0.0; x.len()];
    dropout.backward(&bench, &mut grad, &x, 37);
    assert_eq!(grad, out, "the same mask on the way back");
    let other = Dropout { key: 6, ..dropout };
    other.forward(&bench, &mut grad, &x, 37);
    assert_ne!(grad, out);
}
