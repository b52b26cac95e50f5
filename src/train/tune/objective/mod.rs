//! What is minimised: losses over the examples of a batch, and their gradients.

pub mod foresee;
pub mod judge;
pub mod prefer;

use std::collections::BTreeMap;

use super::example::Example;
use super::head::{Ask, Gradients};
use super::net::{Manner, Net, Tape};
use super::ops::Bench;
use super::ops::dropout::mix;
use super::pack::Pack;
use crate::model::ModelError;

/// Figures of a batch by name; `loss` is what is minimised.
pub type Figures = BTreeMap<&'static str, f64>;

/// What a step works with.
pub struct Desk<'a> {
    pub net: &'a Net,
    pub bench: &'a Bench,
    pub tape: &'a mut Tape,
    /// As [`Net::trained`] lies; added to.
    pub grads: &'a mut [f32],
    /// Seeds dropout; without one nothing is dropped.
    pub seed: Option<u64>,
    /// Tokens of a pass at most, unless a single unit has more.
    pub pass_tokens: usize,
    /// Units of a pass at most: `micro_batch_size`.
    pub pass_units: usize,
    /// Compute activations again on the way back instead of keeping them.
    pub recompute: bool,
}

impl Desk<'_> {
    /// How the `n`-th pass of the step is run.
    fn manner(&self, n: usize) -> Manner {
        Manner {
            dropout: self.seed.map(|seed| mix(seed, n as u64)),
            recompute: self.recompute,
            ..Manner::default()
        }
    }

    /// A batch cut into passes.
    fn passes<'u, T>(&self, units: &'u [T], tokens: impl Fn(&T) -> usize) -> Vec<&'u [T]> {
        let (mut all, mut from, mut sum) = (Vec::new(), 0, 0);
        for (at, unit) in units.iter().enumerate() {
            let more = tokens(unit);
            let full = sum + more > self.pass_tokens || at - from == self.pass_units.max(1);
            if at > from && full {
                all.push(&units[from..at]);
                (from, sum) = (at, 0);
            }
            sum += more;
        }
        if from < units.len() {
            all.push(&units[from..]);
        }
        all
    }

    fn forward(&mut self, pack: &Pack, manner: Manner) -> Result<(), ModelError> {
        self.net.forward(self.bench, pack, manner, self.tape)
    }

    /// Takes a loss at the head of the last forward all the way back: `lose` gives its gradients.
    fn learn<R>(
        &mut self,
        pack: &Pack,
        lose: impl FnOnce(&Net, &Bench, &Tape, &mut Gradients<'_>) -> R,
    ) -> R {
        let (net, bench) = (self.net, self.bench);
        let mut hidden = vec![0.0; pack.len() * net.config.dim];
        let mut into = Gradients {
            hidden: &mut hidden,
            trained: &mut *self.grads,
        };
        let found = lose(net, bench, self.tape, &mut into);
        net.backward(bench, pack, self.tape, &hidden, self.grads, None);
        found
    }
}

/// Puts an example into a pack and gives back what is asked of it.
fn add(pack: &mut Pack, example: &Example, weight: f32) -> Vec<Ask> {
    let segment = pack.add(None, &example.ids);
    let first = pack.segments[segment].rows.start;
    let places = example.targets.iter().cloned().flatten();
    places
        .map(|at| Ask {
            row: first + at - 1,
            token: example.ids[at],
            weight,
        })
        .collect()
}
