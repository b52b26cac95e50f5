//! The losses at the head, and the whole way down, against finite differences.

use std::collections::HashMap;

use super::*;
use crate::model::architecture::{Activation, Head, LayerKind, Norms, QueryKeyNorm, Rope};
use crate::model::tensors::Tensors;
use crate::model::{ModelError, Result};
use crate::train::tune::head::{Ask, Gradients, Lesson};
use crate::train::tune::ops::Bench;
use crate::train::tune::ops::tests::{check, numbers};
use crate::train::tune::pack::Pack;

/// Weights out of a map.
pub struct Made(HashMap<String, (Vec<usize>, Vec<f32>)>);

impl Tensors for Made {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.0.get(name)?.0.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        let found = self.0.get(name).map(|(_, values)| values.clone());
        found.ok_or_else(|| ModelError::Text(name.to_owned()))
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn hash_with(&self, _: &mut dyn FnMut(u64, u64)) -> Result<String> {
        Ok(String::new())
    }
}

/// Everything that an architecture can have at once: norms everywhere, caps, a window, biases.
pub fn config() -> DecoderConfig {
    DecoderConfig {
        architecture: "test".into(),
        vocab: 23,
        dim: 12,
        ffn: 16,
        heads: 4,
        kv_heads: 2,
        head_dim: 4,
        context: 64,
        norm_eps: 1e-5,
        norm_adds_one: true,
        norms: Norms::PreAndPost,
        query_key_norm: QueryKeyNorm::PerHead,
        qkv_bias: true,
        output_bias: true,
        ffn_bias: true,
        activation: Activation::GeluTanh,
        embedding_scale: 1.7,
        attention_scale: 0.6,
        attention_cap: Some(3.0),
        final_cap: Some(4.0),
        layers: vec![
            LayerKind {
                window: Some(4),
                rope: 0,
            },
            LayerKind {
                window: None,
                rope: 0,
            },
        ],
        ropes: vec![Rope {
            frequencies: vec![1.0, 0.2],
            long: None,
            scale: 1.0,
        }],
        head: Head::Language { tied: true },
        end_tokens: Vec::new(),
    }
}

pub fn made(c: &DecoderConfig) -> Made {
    let (q, kv) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let mut all = HashMap::new();
    let mut put = |name: String, shape: &[usize], scale: f32| {
        let count = shape.iter().product();
        let seed = name
            .bytes()
            .fold(7, |h: u64, b| h.wrapping_mul(31) + u64::from(b));
        let values = numbers(seed, count).iter().map(|x| x * scale).collect();
        all.insert(name, (shape.to_vec(), values));
    };
    put("model.embed_tokens.weight".into(), &[c.vocab, c.dim], 0.8);
    put("model.norm.weight".into(), &[c.dim], 0.3);
    for layer in 0..c.layers.len() {
        let at = |name: &str| format!("model.layers.{layer}.{name}");
        for name in [
            "input_layernorm",
            "post_attention_layernorm",
            "pre_feedforward_layernorm",
            "post_feedforward_layernorm",
        ] {
            put(at(&format!("{name}.weight")), &[c.dim], 0.3);
        }
        for name in ["q_norm", "k_norm"] {
            put(at(&format!("self_attn.{name}.weight")), &[c.head_dim], 0.3);
        }
        for (name, outputs, inputs) in [
            ("self_attn.q_proj", q, c.dim),
            ("self_attn.k_proj", kv, c.dim),
            ("self_attn.v_proj", kv, c.dim),
            ("self_attn.o_proj", c.dim, q),
            ("mlp.gate_proj", c.ffn, c.dim),
            ("mlp.up_proj", c.ffn, c.dim),
            ("mlp.down_proj", c.dim, c.ffn),
        ] {
            put(at(&format!("{name}.weight")), &[outputs, inputs], 0.5);
            put(at(&format!("{name}.bias")), &[outputs], 0.2);
        }
    }
    Made(all)
}

fn pack() -> Pack {
    let mut pack = Pack::default();
    let root = pack.add(None, &[1, 2, 3, 4, 5, 6]);
    pack.add(Some(root), &[7, 8, 9]);
    pack.add(Some(root), &[10, 11]);
    pack.add(None, &[12, 13, 3, 1]);
    pack
}

/// Cross-entropy at some rows and a divergence between two.
pub fn loss(net: &Net, bench: &Bench, grads: &mut [f32]) -> f64 {
    let (pack, mut tape) = (pack(), Tape::default());
    net.forward(bench, &pack, Manner::default(), &mut tape)
        .unwrap();
    let asks = [(8, 4, 0.7), (10, 5, -0.4), (2, 9, 0.5)].map(|(row, token, weight)| Ask {
        row,
        token,
        weight,
    });
    let lessons = [Lesson {
        teacher: 8,
        student: 14,
    }];
    let mut hidden = vec![0.0; pack.len() * net.config.dim];
    let mut into = Gradients {
        hidden: &mut hidden,
        trained: grads,
    };
    let found = net.foresee(bench, &tape, &asks, &mut into);
    assert_eq!(found, net.log_probabilities(bench, &tape, &asks));
    let divergences = net.distil(bench, &tape, &lessons, 0.8, &mut into);
    net.backward(bench, &pack, &mut tape, &hidden, grads, None);
    let foreseen: f64 = asks
        .iter()
        .zip(&found)
        .map(|(a, f)| -f64::from(a.weight) * f)
        .sum();
    foreseen + 0.8 * divergences[0]
}

/// An adapter of every projection.
pub fn adapter() -> LoraConfig {
    LoraConfig {
        rank: 2,
        alpha: 3.0,
        dropout: 0.0,
        targets: [
            "q_proj",
            "k_proj",
            "v_proj",
            "o_proj",
            "gate_proj",
            "up_proj",
            "down_proj",
        ]
        .map(Into::into)
        .to_vec(),
    }
}

#[test]
fn every_weight_and_every_adapter_has_the_gradient_of_differences() {
    let (config, bench) = (config(), Bench::new(2));
    let tensors = made(&config);
    let load = |trained| Net::load(config.clone(), &tensors, trained, Format::F32, 3).unwrap();
    let mut net = load(Trained::All);
    let mut grads = vec![0.0; net.trained().len()];
    loss(&net, &bench, &mut grads);
    // The teacher stands still: what its logits would have done is in differences, so it is held with its own weights.
    let teacher = load(Trained::All);
    for tensor in net.tensors.clone() {
        let x = net.parameters[tensor.range.clone()].to_vec();
        let grad = &grads[tensor.range.clone()];
        check(&tensor.name, &x, grad, |x| {
            net.change(|all| all[tensor.range.clone()].copy_from_slice(x));
            let value = held(&net, &teacher, &bench);
            net.change(|all| {
                all[tensor.range.clone()].copy_from_slice(&teacher.parameters[tensor.range.clone()])
            });
            value
        });
    }
    let (mut net, mut teacher) = (
        load(Trained::Adapter(adapter())),
        load(Trained::Adapter(adapter())),
    );
    let start = numbers(9, net.trained().len());
    net.change(|all| all.copy_from_slice(&start));
    teacher.change(|all| all.copy_from_slice(&start));
    let mut grads = vec![0.0; start.len()];
    loss(&net, &bench, &mut grads);
    check("adapters", &start, &grads, |x| {
        net.change(|all| all.copy_from_slice(x));
        held(&net, &teacher, &bench)
    });
}

/// The loss with the teacher's logits of other weights.
fn held(net: &Net, teacher: &Net, bench: &Bench) -> f64 {
    let (pack, mut tape) = (pack(), Tape::default());
    let asks = [(8, 4, 0.7), (10, 5, -0.4), (2, 9, 0.5)];
    let mut all = Vec::new();
    for net in [net, teacher] {
        net.forward(bench, &pack, Manner::looking(), &mut tape)
            .unwrap();
        let logs = |row: usize| {
            let logits = net.logits(bench, &tape, &[row]);
            let sum: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
            let logs = logits.iter().map(|l| f64::from(*l) - sum.ln());
            logs.collect::<Vec<f64>>()
        };
        all.push([8, 10, 2, 14].map(logs));
    }
    let [own, held] = [&all[0], &all[1]];
    let foreseen: f64 = asks
        .iter()
        .zip(own)
        .map(|((_, token, weight), logs)| -weight * logs[*token as usize])
        .sum();
    let divergence: f64 = held[0]
        .iter()
        .zip(&own[3])
        .map(|(t, s)| t.exp() * (t - s))
        .sum();
    foreseen + 0.8 * divergence
}
