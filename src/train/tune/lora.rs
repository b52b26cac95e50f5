//! Low-rank adapters (Hu et al. 2021): `y += α/r · dropout(x) · Aᵀ · Bᵀ`.

use std::ops::Range;

use super::ops::dropout::{Dropout, mix};
use super::ops::product::{Columns, product, weight_gradient};
use super::ops::{Bench, sized, zeroed};
use crate::kernel::View;

/// The four products of a layer, some of which stand for several projections side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    Qkv,
    Output,
    GateUp,
    Down,
}

/// Where in a model an adapter is asked, and what seeds its dropout there; without a key nothing is dropped.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub layer: usize,
    pub site: Site,
    pub key: Option<u64>,
}

/// What an adapter is like.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    pub rank: usize,
    pub alpha: f64,
    /// From 0 to below 1.
    pub dropout: f32,
    /// Names of projections: `q_proj`, …, `down_proj`, or `qkv_proj` and `gate_up_proj` where the model has them fused.
    pub targets: Vec<String>,
}

/// A projection that may be adapted.
#[derive(Clone, Debug)]
pub struct Module {
    /// Such as `model.layers.0.self_attn.q_proj`.
    pub name: String,
    pub layer: usize,
    pub site: Site,
    /// Its first output among those of the product.
    pub from: usize,
    pub outputs: usize,
    pub inputs: usize,
}

/// An adapted projection: `a` is `[rank, inputs]`, `b` `[outputs, rank]`.
#[derive(Clone, Debug)]
pub struct Part {
    pub module: Module,
    pub a: Range<usize>,
    pub b: Range<usize>,
}

/// All adapted projections of a model; their numbers lie in one vector.
pub struct Lora {
    pub config: LoraConfig,
    pub parts: Vec<Part>,
    pub values: Vec<f32>,
}

/// Buffers that are kept between calls.
#[derive(Default)]
pub struct Scratch {
    dropped: Vec<f32>,
    middle: Vec<f32>,
    grad_middle: Vec<f32>,
    grad_dropped: Vec<f32>,
}

impl Lora {
    /// One that changes nothing yet: `A` uniform up to `1/√inputs` as PEFT draws it, `B` zero.
    ///
    /// # Errors
    /// A target that no projection of the model is called by.
    pub fn new(config: LoraConfig, modules: &[Module], seed: u64) -> Result<Self, String> {
        let is = |module: &Module, target: &str| {
            let rest = module.name.strip_suffix(target);
            rest.is_some_and(|rest| rest.ends_with('.'))
        };
        for target in &config.targets {
            if !modules.iter().any(|module| is(module, target)) {
                let mut names: Vec<&str> = modules
                    .iter()
                    .filter_map(|module| module.name.rsplit('.').next())
                    .collect();
                names.dedup();
                names.truncate(7);
                return Err(format!(
                    "lora_target_modules: `{target}` is no projection of this model (it has {})",
                    names.join(", ")
                ));
            }
        }
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for module in modules {
            if !config.targets.iter().any(|target| is(module, target)) {
                continue;
            }
            let start = values.len();
            let bound = 1.0 / (module.inputs as f64).sqrt();
            let key = mix(seed, parts.len() as u64);
            values.extend((0..config.rank * module.inputs).map(|i| {
                let unit = (mix(key, i as u64) >> 11) as f64 / (1u64 << 53) as f64;
                ((2.0 * unit - 1.0) * bound) as f32
            }));
            let middle = values.len();
            values.resize(middle + module.outputs * config.rank, 0.0);
            parts.push(Part {
                module: module.clone(),
                a: start..middle,
                b: middle..values.len(),
            });
        }
        Ok(Lora {
            config,
            parts,
            values,
        })
    }

    fn scale(&self) -> f32 {
        (self.config.alpha / self.config.rank as f64) as f32
    }

    fn at(&self, place: Place) -> impl Iterator<Item = (usize, &Part)> {
        let here =
            move |part: &Part| part.module.layer == place.layer && part.module.site == place.site;
        self.parts
            .iter()
            .enumerate()
            .filter(move |(_, part)| here(part))
    }

    fn dropout(&self, key: Option<u64>, part: usize) -> Option<Dropout> {
        let key = key.filter(|_| self.config.dropout > 0.0)?;
        Some(Dropout {
            rate: self.config.dropout,
            key: mix(key, part as u64),
        })
    }

    fn a<'v>(&self, values: &'v [f32], part: &Part) -> View<'v> {
        View::dense(
            &values[part.a.clone()],
            self.config.rank,
            part.module.inputs,
        )
    }

    fn b<'v>(&self, values: &'v [f32], part: &Part) -> View<'v> {
        View::dense(
            &values[part.b.clone()],
            part.module.outputs,
            self.config.rank,
        )
    }

    /// Adds what the adapters of a product say; `y` is `[rows, stride]`.
    pub fn forward(
        &self,
        bench: &Bench,
        place: Place,
        x: &[f32],
        (y, stride): (&mut [f32], usize),
        scratch: &mut Scratch,
    ) {
        let rank = Columns::all(self.config.rank);
        for (n, part) in self.at(place) {
            let (inputs, rows) = (part.module.inputs, x.len() / part.module.inputs);
            let x = match self.dropout(place.key, n) {
                None => x,
                Some(dropout) => {
                    let dropped = sized(&mut scratch.dropped, x.len());
                    dropout.forward(bench, dropped, x, inputs);
                    &*dropped
                }
            };
            let middle = sized(&mut scratch.middle, rows * self.config.rank);
            let a = self.a(&self.values, part).t();
            product(
                bench,
                (middle, rank),
                0.0,
                (x, Columns::all(inputs)),
                a,
                1.0,
            );
            let to = Columns {
                stride,
                from: part.module.from,
                count: part.module.outputs,
            };
            let b = self.b(&self.values, part).t();
            product(bench, (y, to), 1.0, (middle, rank), b, self.scale());
        }
    }

    /// Backward of [`Lora::forward`]: adds to `grads`, which lies as the values do, and to the gradient of `x` where
    /// that is wanted.
    pub fn backward(
        &self,
        bench: &Bench,
        place: Place,
        x: &[f32],
        (grad_y, stride): (&[f32], usize),
        (mut grad_x, grads): (Option<&mut [f32]>, &mut [f32]),
        scratch: &mut Scratch,
    ) {
        let (r, scale) = (self.config.rank, self.scale());
        let rank = Columns::all(r);
        for (n, part) in self.at(place) {
            let (inputs, rows) = (part.module.inputs, x.len() / part.module.inputs);
            let whole = Columns::all(inputs);
            let from = Columns {
                stride,
                from: part.module.from,
                count: part.module.outputs,
            };
            let dropout = self.dropout(place.key, n);
            let x = match dropout {
                None => x,
                Some(dropout) => {
                    let dropped = sized(&mut scratch.dropped, x.len());
                    dropout.forward(bench, dropped, x, inputs);
                    &*dropped
                }
            };
            let middle = sized(&mut scratch.middle, rows * r);
            let a = self.a(&self.values, part);
            product(bench, (middle, rank), 0.0, (x, whole), a.t(), 1.0);
            let grad_b = &mut grads[part.b.clone()];
            weight_gradient(bench, grad_b, (grad_y, from), (middle, rank), scale);
            let grad_middle = sized(&mut scratch.grad_middle, rows * r);
            let b = self.b(&self.values, part);
            product(bench, (grad_middle, rank), 0.0, (grad_y, from), b, scale);
            let grad_a = &mut grads[part.a.clone()];
            weight_gradient(bench, grad_a, (grad_middle, rank), (x, whole), 1.0);
            let Some(grad_x) = grad_x.as_deref_mut() else {
                continue;
            };
            match dropout {
                None => product(bench, (grad_x, whole), 1.0, (grad_middle, rank), a, 1.0),
                Some(dropout) => {
                    let grad = zeroed(&mut scratch.grad_dropped, x.len());
                    product(bench, (grad, whole), 0.0, (grad_middle, rank), a, 1.0);
                    dropout.backward(bench, grad_x, grad, inputs);
                }
            }
        }
    }
}
