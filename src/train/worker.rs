//! One thread's part of the starter's training: forward, losses and backward of packs.

use super::loss::{self, Auxiliary, LossSums};
use super::pack::Pack;
use super::tune::net::{Manner, Net, Tape};
use super::tune::ops::Bench;
use crate::kernel::vector;
use crate::model::Result;

/// Everything one thread needs to run packs; buffers are kept between calls.
pub struct Worker {
    bench: Bench,
    tape: Tape,
}

impl Default for Worker {
    fn default() -> Self {
        Worker {
            bench: Bench::new(1),
            tape: Tape::default(),
        }
    }
}

impl Worker {
    /// Runs the decoder; the hidden states after the last norm are in [`Worker::hidden`].
    ///
    /// # Errors
    /// A sequence longer than the context, an id outside the vocabulary.
    pub fn forward(&mut self, net: &Net, pack: &Pack) -> Result<()> {
        net.forward(&self.bench, pack, Manner::default(), &mut self.tape)
    }

    /// Hidden states of the last [`Worker::forward`], `[tokens, dim]`.
    pub fn hidden(&self) -> &[f32] {
        &self.tape.hidden
    }

    /// Probabilities of `tokens` at the asks of the pack, after [`Worker::forward`] on it.
    pub fn probabilities(&self, net: &Net, pack: &Pack, tokens: &[u32]) -> Vec<Vec<f32>> {
        let (embedding, dim) = (net.table(), net.config.dim);
        loss::probabilities(&pack.asks, self.hidden(), embedding, dim, tokens)
    }

    /// Forward and backward: adds the gradient of the weighted losses of the pack to `grads`.
    ///
    /// # Errors
    /// As [`Worker::forward`].
    pub fn step(
        &mut self,
        net: &Net,
        grads: &mut [f32],
        pack: &Pack,
        auxiliary: Auxiliary,
    ) -> Result<LossSums> {
        let mut sums = LossSums::default();
        if pack.is_empty() {
            return Ok(sums);
        }
        self.forward(net, pack)?;
        let (dim, eps) = (net.config.dim, net.config.norm_eps as f32);
        let layers = net.config.layers.len();
        let mut grad_hidden = vec![0.0; pack.len() * dim];
        loss::cross_entropy(
            &pack.asks,
            &self.tape.hidden,
            net.table(),
            dim,
            &mut grad_hidden,
            &mut grads[net.table_at()],
            &mut sums,
        );
        let hidden = &self.tape.hidden;
        let weight = auxiliary.contrast;
        loss::contrast(pack, hidden, dim, weight, &mut grad_hidden, &mut sums);
        let mut probe = |layer: usize, stream: &[f32], grad: &mut [f32]| {
            let probes: &[(loss::Probe, f32)] = match layers - layer {
                1 => &[
                    (loss::relevance, auxiliary.relevance),
                    (loss::surface, auxiliary.surface),
                ],
                2 => &[(loss::found, auxiliary.found)],
                _ => return,
            };
            let rows = stream.chunks(dim);
            let inverse: Vec<f32> = rows
                .map(|row| 1.0 / (vector::dot(row, row) / dim as f32 + eps).sqrt())
                .collect();
            for (loss, weight) in probes {
                loss(pack, stream, &inverse, dim, *weight, grad, &mut sums);
            }
        };
        let (bench, tape) = (&self.bench, &mut self.tape);
        net.backward(bench, pack, tape, &grad_hidden, grads, Some(&mut probe));
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::pack::{Ask, AskKind};
    use crate::train::shape::Shape;

    fn shape() -> Shape {
        Shape {
            vocab: 19,
            dim: 16,
            layers: 2,
            heads: 2,
            ffn: 24,
            context: 64,
            rope_theta: 100.0,
            norm_eps: 1e-5,
        }
    }

    fn weights(shape: &Shape) -> Vec<f32> {
        let mut w: Vec<f32> = (0..shape.layout().len)
            .map(|i| ((i * 7919 % 10007) as f32 / 10007.0 - 0.5) * 0.6)
            .collect();
        for t in shape.tensors().iter().filter(|t| t.rows == 1) {
            w[t.range.clone()].iter_mut().for_each(|w| *w += 1.0);
        }
        w
    }

    fn tree() -> Pack {
        let mut pack = Pack::default();
        let root = pack.add(None, &[1, 2, 3, 4, 5]);
        let a = pack.add(Some(root), &[6, 7, 8]);
        let b = pack.add(Some(root), &[9, 10]);
        let leaf = pack.add(Some(a), &[11]);
        let c = pack.add(None, &[12, 13]);
        for (segment, target) in [(leaf, vec![(3, 0.25), (4, 0.75)]), (b, vec![(7, 1.0)])] {
            pack.asks.push(Ask {
                row: pack.last_row(segment),
                target,
                weight: 0.7,
                kind: AskKind::Judgment,
                firm: None,
            });
        }
        pack.asks.push(Ask {
            row: 1,
            target: vec![(3, 1.0)],
            weight: 0.3,
            kind: AskKind::Language,
            firm: None,
        });
        pack.twins = vec![(a, b), (root, c)];
        pack.relevant = vec![(5..8, true), (8..10, false)];
        pack.in_reference = vec![(6, true), (8, false)];
        pack.in_task = vec![(7, true)];
        pack.surfaces = vec![(pack.last_row(leaf), vec![0.5, -1.0, 2.0])];
        pack
    }

    const AUXILIARY: Auxiliary = Auxiliary {
        contrast: 0.05,
        relevance: 0.2,
        found: 0.15,
        surface: 0.1,
    };

    /// The weighted loss that `step` differentiates.
    fn loss_of(worker: &mut Worker, net: &Net, pack: &Pack) -> f64 {
        let mut unused = vec![0.0; net.parameters.len()];
        let mut total = 0.0;
        for ask in &pack.asks {
            let mut one = pack.clone();
            one.asks = vec![ask.clone()];
            one.twins.clear();
            one.relevant.clear();
            one.in_reference.clear();
            one.in_task.clear();
            one.surfaces.clear();
            let sums = worker
                .step(net, &mut unused, &one, Auxiliary::default())
                .unwrap();
            total += (sums.language + sums.judgment) * f64::from(ask.weight);
        }
        let mut twins = pack.clone();
        twins.asks.clear();
        let sums = worker.step(net, &mut unused, &twins, AUXILIARY).unwrap();
        total + sums.contrast * 0.05 + sums.relevance * 0.2 + sums.found * 0.15 + sums.surface * 0.1
    }

    #[test]
    fn every_tensor_has_the_gradient_of_finite_differences() {
        let (shape, pack) = (shape(), tree());
        let (mut worker, base) = (Worker::default(), weights(&shape));
        let mut net = shape.net(base.clone());
        let mut grads = vec![0.0; base.len()];
        worker.step(&net, &mut grads, &pack, AUXILIARY).unwrap();
        for tensor in shape.tensors() {
            let norm = vector::dot(&grads[tensor.range.clone()], &grads[tensor.range.clone()]);
            assert!(norm > 0.0, "{} gets no gradient", tensor.name);
            // A few entries of each tensor, among them its largest gradient.
            let largest = tensor
                .range
                .clone()
                .max_by(|a, b| grads[*a].abs().total_cmp(&grads[*b].abs()))
                .unwrap();
            let some = tensor.range.clone().step_by(tensor.range.len() / 3 + 1);
            for i in some.chain([largest]) {
                net.parameters[i] = base[i] + 5e-3;
                let above = loss_of(&mut worker, &net, &pack);
                net.parameters[i] = base[i] - 5e-3;
                let below = loss_of(&mut worker, &net, &pack);
                net.parameters[i] = base[i];
                let want = (above - below) / 1e-2;
                let got = f64::from(grads[i]);
                assert!(
                    (want - got).abs() < 2e-3 + 0.02 * want.abs(),
                    "{}[{i}]: finite difference {want}, gradient {got}",
                    tensor.name
                );
            }
        }
    }

    #[test]
    fn a_shared_prefix_changes_nothing() {
        let shape = shape();
        let net = shape.net(weights(&shape));
        let mut worker = Worker::default();
        let shared = tree();
        worker.forward(&net, &shared).unwrap();
        let branch = worker.hidden()[shared.last_row(3) * 16..][..16].to_vec();
        let mut alone = Pack::default();
        alone.add(None, &[1, 2, 3, 4, 5, 6, 7, 8, 11]);
        worker.forward(&net, &alone).unwrap();
        for (a, b) in branch.iter().zip(&worker.hidden()[8 * 16..]) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
