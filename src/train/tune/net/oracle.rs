//! Gradients of the whole decoder against candle's autograd, which has it in f64 and one sequence after the other.

use std::collections::HashMap;

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::ops::{log_softmax, softmax};

use super::tests::{adapter, config, loss, made};
use super::*;
use crate::train::tune::ops::Bench;
use crate::train::tune::ops::tests::numbers;

const CPU: Device = Device::Cpu;

/// A decoder of candle's operations.
struct Oracle<'a> {
    config: &'a DecoderConfig,
    /// Under Hugging Face's names; adapters under PEFT's.
    weights: HashMap<String, Var>,
    /// α/r
    strength: f64,
}

fn var(values: &[f32], shape: &[usize]) -> Var {
    let values: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &CPU).unwrap()).unwrap()
}

impl<'a> Oracle<'a> {
    fn of(config: &'a DecoderConfig, whole: &Net) -> Self {
        let named = whole.tensors.iter().map(|tensor| {
            let values = &whole.parameters[tensor.range.clone()];
            (tensor.name.clone(), var(values, &tensor.shape))
        });
        Oracle {
            config,
            weights: named.collect(),
            strength: 0.0,
        }
    }

    /// `x · Wᵀ + b`, and what the adapter adds.
    fn linear(&self, module: &str, x: &Tensor) -> Result<Tensor> {
        let named = |part: &str| self.weights.get(&format!("{module}.{part}"));
        let mut y = x.matmul(&named("weight").unwrap().t()?)?;
        if let Some(bias) = named("bias") {
            y = y.broadcast_add(bias)?;
        }
        match (named("lora_A.weight"), named("lora_B.weight")) {
            (Some(a), Some(b)) => y + (x.matmul(&a.t()?)?.matmul(&b.t()?)? * self.strength)?,
            _ => Ok(y),
        }
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let square = (x.sqr()?.mean_keepdim(D::Minus1)? + self.config.norm_eps)?;
        let weight = (self.weights[&format!("{name}.weight")].as_tensor() + 1.0)?;
        x.broadcast_div(&square.sqrt()?)?.broadcast_mul(&weight)
    }

    /// Turns `[tokens, width]`, the first half of the columns with the second.
    fn turned(&self, x: &Tensor) -> Result<Tensor> {
        let frequencies = &self.config.ropes[0].frequencies;
        let (tokens, half) = (x.dim(0)?, frequencies.len());
        let angles = (0..tokens).flat_map(|at| frequencies.iter().map(move |f| at as f64 * f));
        let angles = Tensor::from_iter(angles, &CPU)?.reshape((tokens, half))?;
        let (cos, sin) = (angles.cos()?, angles.sin()?);
        let (a, b) = (x.narrow(1, 0, half)?, x.narrow(1, half, half)?);
        let first = ((&a * &cos)? - (&b * &sin)?)?;
        let second = ((&b * &cos)? + (&a * &sin)?)?;
        Tensor::cat(&[first, second], 1)
    }

    fn attended(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        let (c, tokens) = (self.config, x.dim(0)?);
        let at = |name: &str| format!("model.layers.{layer}.self_attn.{name}");
        let window = c.layers[layer].window.unwrap_or(usize::MAX);
        let unseen = (0..tokens).flat_map(|query| {
            (0..tokens).map(move |key| match key <= query && query - key < window {
                true => 0.0,
                false => -1e30,
            })
        });
        let unseen = Tensor::from_iter(unseen, &CPU)?.reshape((tokens, tokens))?;
        let [q, k, v] = ["q_proj", "k_proj", "v_proj"].map(|name| self.linear(&at(name), x));
        let (q, k, v) = (q?, k?, v?);
        let head = |all: &Tensor, head| {
            let columns = all.narrow(1, head * c.head_dim, c.head_dim)?;
            columns.contiguous()
        };
        let mut heads = Vec::new();
        for query in 0..c.heads {
            let key = query / (c.heads / c.kv_heads);
            let q = self.turned(&self.norm(&at("q_norm"), &head(&q, query)?)?)?;
            let k = self.turned(&self.norm(&at("k_norm"), &head(&k, key)?)?)?;
            let cap = c.attention_cap.unwrap();
            let scores = (q.matmul(&k.t()?)? * (c.attention_scale / cap))?;
            let scores = (scores.tanh()? * cap)?;
            let shares = softmax(&(scores + &unseen)?, D::Minus1)?;
            heads.push(shares.matmul(&head(&v, key)?)?);
        }
        self.linear(&at("o_proj"), &Tensor::cat(&heads, 1)?)
    }

    /// Log-probabilities of the next token behind every token, `[tokens, vocab]`.
    fn logs(&self, ids: &[u32]) -> Result<Tensor> {
        let c = self.config;
        let table = self.weights["model.embed_tokens.weight"].as_tensor();
        let mut x = (table.index_select(&Tensor::new(ids, &CPU)?, 0)? * c.embedding_scale)?;
        for layer in 0..c.layers.len() {
            let at = |name: &str| format!("model.layers.{layer}.{name}");
            let y = self.attended(layer, &self.norm(&at("input_layernorm"), &x)?)?;
            x = (x + self.norm(&at("post_attention_layernorm"), &y)?)?;
            let y = self.norm(&at("pre_feedforward_layernorm"), &x)?;
            let gate = self.linear(&at("mlp.gate_proj"), &y)?.gelu()?;
            let inner = (gate * self.linear(&at("mlp.up_proj"), &y)?)?;
            let y = self.linear(&at("mlp.down_proj"), &inner)?;
            x = (x + self.norm(&at("post_feedforward_layernorm"), &y)?)?;
        }
        let logits = self.norm("model.norm", &x)?.matmul(&table.t()?)?;
        let cap = c.final_cap.unwrap();
        log_softmax(&((logits / cap)?.tanh()? * cap)?, D::Minus1)
    }

    /// What [`loss`] is, of the sequences that its pack stands for.
    fn loss(&self) -> Result<Tensor> {
        let first = self.logs(&[1, 2, 3, 4, 5, 6, 7, 8, 9])?;
        let second = self.logs(&[1, 2, 3, 4, 5, 6, 10, 11])?;
        let third = self.logs(&[12, 13, 3, 1])?;
        let asks = [
            (&first, 8, 4, 0.7),
            (&second, 7, 5, -0.4),
            (&first, 2, 9, 0.5),
        ];
        let (teacher, student) = (first.get(8)?.detach(), third.get(3)?);
        let mut all = ((teacher.exp()? * (teacher - student)?)?.sum_all()? * 0.8)?;
        for (logs, row, token, weight) in asks {
            all = (all - (logs.get(row)?.get(token)? * weight)?)?;
        }
        Ok(all)
    }

    /// Compares the gradients of these with those found.
    fn check(&self, value: f64, found: &[(String, &[f32])]) {
        let loss = self.loss().unwrap();
        let own: f64 = loss.to_scalar().unwrap();
        assert!((own - value).abs() < 1e-5, "loss {value}, candle's {own}");
        let grads = loss.backward().unwrap();
        for (name, found) in found {
            let want = grads.get(&self.weights[name]).unwrap();
            let want: Vec<f64> = want.flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(want.len(), found.len(), "{name}");
            let most = want.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            assert!(most > 1e-6, "{name}: no gradient");
            let differ = want
                .iter()
                .zip(*found)
                .map(|(w, f)| (w - f64::from(*f)).abs());
            let differ = differ.fold(0.0, f64::max);
            assert!(
                differ <= 1e-4 * most,
                "{name}: differs by {differ} of {most}"
            );
        }
    }
}

#[test]
fn every_weight_and_every_adapter_has_candles_gradient() {
    let (config, bench) = (config(), Bench::new(2));
    let tensors = made(&config);
    let load = |trained| Net::load(config.clone(), &tensors, trained, Format::F32, 3).unwrap();
    let whole = load(Trained::All);
    let mut oracle = Oracle::of(&config, &whole);
    let mut grads = vec![0.0; whole.trained().len()];
    let value = loss(&whole, &bench, &mut grads);
    let found = whole.tensors.iter();
    let found = found.map(|tensor| (tensor.name.clone(), &grads[tensor.range.clone()]));
    oracle.check(value, &found.collect::<Vec<_>>());

    let mut adapted = load(Trained::Adapter(adapter()));
    let start = numbers(9, adapted.trained().len());
    adapted.change(|all| all.copy_from_slice(&start));
    let mut grads = vec![0.0; start.len()];
    let value = loss(&adapted, &bench, &mut grads);
    let (rank, mut found) = (adapter().rank, Vec::new());
    for part in &adapted.adapter.as_ref().unwrap().parts {
        let module = &part.module;
        let a = (
            format!("{}.lora_A.weight", module.name),
            &part.a,
            [rank, module.inputs],
        );
        let b = (
            format!("{}.lora_B.weight", module.name),
            &part.b,
            [module.outputs, rank],
        );
        for (name, at, shape) in [a, b] {
            oracle
                .weights
                .insert(name.clone(), var(&start[at.clone()], &shape));
            found.push((name, &grads[at.clone()]));
        }
    }
    assert_eq!(found.len(), 2 * 7 * config.layers.len());
    oracle.strength = adapter().alpha / rank as f64;
    oracle.check(value, &found);
}
