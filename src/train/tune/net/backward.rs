//! Backward over a pack.

use std::ops::Range;

use super::{Embedding, Kept, Net, Tape};
use crate::kernel::vector;
use crate::train::tune::lora::Site;
use crate::train::tune::ops::attention::{self, Heads, Saved};
use crate::train::tune::ops::product::Weight;
use crate::train::tune::ops::{Bench, add, gate, norm, sized, zeroed};
use crate::train::tune::pack::Pack;

/// Looks at the residual stream that a layer sees, and may add to its gradient.
pub type Probe<'a> = &'a mut dyn FnMut(usize, &[f32], &mut [f32]);

/// Where a pass back is computed, and what it adds to.
struct Back<'a> {
    bench: &'a Bench,
    /// As [`Net::trained`] lies.
    grads: &'a mut [f32],
}

impl Net {
    /// The gradient of a norm's input added to `grad_x`; of its weight, to `grads` where all weights are trained.
    fn norm_back(
        &self,
        back: &mut Back<'_>,
        at: &Range<usize>,
        x: &[f32],
        grad_out: &[f32],
        grad_x: &mut [f32],
    ) {
        let grad_weight = self.all().then(|| &mut back.grads[at.clone()]);
        let (weight, eps) = (self.norm_weight(at), self.eps());
        norm::backward(back.bench, grad_x, grad_weight, grad_out, x, &weight, eps);
    }

    /// The gradient of a product's input, and of what is trained in it.
    fn product_back(
        &self,
        back: &mut Back<'_>,
        tape: &mut Tape,
        (layer, site): (usize, Site),
        weight: &Weight,
        (x, grad_out): (&[f32], &[f32]),
        mut grad_x: Option<&mut [f32]>,
    ) {
        let bench = back.bench;
        if let Some(grad_x) = grad_x.as_deref_mut() {
            weight.backward(bench, &self.parameters, grad_out, grad_x);
        }
        match &self.adapter {
            None => weight.learn(bench, grad_out, x, back.grads),
            Some(_) if tape.manner.base => (),
            Some(adapter) => {
                let at = tape.manner.place(layer, site);
                let grad_y = (grad_out, weight.outputs);
                let into = (grad_x, &mut *back.grads);
                adapter.backward(bench, at, x, grad_y, into, &mut tape.lora);
            }
        }
    }

    /// Backward of the last [`Net::forward`]: adds to `grads`, which lies as [`Net::trained`] does. `grad_hidden` is the
    /// gradient of [`Tape::hidden`], `[tokens, dim]`. `probe` is called with each layer's number, the residual
    /// stream that comes in there, and its gradient.
    pub fn backward(
        &self,
        bench: &Bench,
        pack: &Pack,
        tape: &mut Tape,
        grad_hidden: &[f32],
        grads: &mut [f32],
        probe: Option<Probe<'_>>,
    ) {
        let mut probe = probe;
        let mut grad = vec![0.0; grad_hidden.len()];
        let mut back = Back { bench, grads };
        let stream = std::mem::take(&mut tape.stream);
        self.norm_back(&mut back, &self.norm, &stream, grad_hidden, &mut grad);
        tape.stream = stream;
        for layer in (0..self.layers.len()).rev() {
            let slot = tape.manner.slot(layer);
            let mut kept = std::mem::take(&mut tape.layers[slot]);
            let is_top = layer + 1 == self.layers.len();
            if tape.manner.recompute && !is_top {
                std::mem::swap(&mut kept.input, &mut tape.inputs[layer]);
                self.layer_forward(bench, layer, pack, tape, &mut kept);
            }
            self.layer_backward(&mut back, layer, pack, tape, &mut kept, &mut grad);
            if let Some(probe) = probe.as_deref_mut() {
                probe(layer, &kept.input, &mut grad);
            }
            tape.layers[slot] = kept;
        }
        if let (true, Embedding::Dense(at)) = (self.all(), &self.embedding) {
            let (dim, scale) = (self.config.dim, self.config.embedding_scale as f32);
            let table = &mut back.grads[at.clone()];
            for (row, id) in grad.chunks(dim).zip(&pack.ids) {
                let from = *id as usize * dim;
                vector::add_scaled(&mut table[from..from + dim], row, scale);
            }
        }
    }

    /// `grad` comes in as the gradient of the layer's output and leaves as that of its input.
    fn layer_backward(
        &self,
        back: &mut Back<'_>,
        layer: usize,
        pack: &Pack,
        tape: &mut Tape,
        kept: &mut Kept,
        grad: &mut [f32],
    ) {
        let bench = back.bench;
        let (l, c) = (&self.layers[layer], &self.config);
        let (tokens, heads) = (pack.len(), Heads::of(c, layer));
        let mut normed = std::mem::take(&mut tape.normed);
        let mut grad_in = std::mem::take(&mut tape.wide);
        let mut inner = std::mem::take(&mut tape.inner);
        let mut grad_inner = Vec::new();

        // Feed-forward: norm ∘ down ∘ gate ∘ gate_up ∘ norm.
        let mut after = Vec::new();
        let grad_out = self.behind(back, l.after_ffn.as_ref(), &kept.ffn_out, grad, &mut after);
        sized(&mut inner, tokens * c.ffn);
        gate::forward(bench, c.activation, &mut inner, &kept.gate_up, c.ffn);
        let to = Some(sized(&mut grad_inner, tokens * c.ffn));
        let at = (layer, Site::Down);
        self.product_back(back, tape, at, &l.down, (&inner, grad_out), to);
        gate::backward(bench, c.activation, &mut kept.gate_up, &grad_inner, c.ffn);
        let x = self.normed(bench, l.before_ffn.as_ref(), &kept.middle, &mut normed);
        let to = Some(sized(&mut grad_in, tokens * c.dim));
        let at = (layer, Site::GateUp);
        self.product_back(back, tape, at, &l.gate_up, (x, &kept.gate_up), to);
        match &l.before_ffn {
            Some(at) => self.norm_back(back, at, &kept.middle, &grad_in, grad),
            None => add(bench, grad, &grad_in),
        }

        // Attention: norm ∘ output ∘ attend ∘ rotate ∘ norms ∘ qkv ∘ norm.
        let grad_out = self.behind(
            back,
            l.after_attention.as_ref(),
            &kept.attention_out,
            grad,
            &mut after,
        );
        let mut grad_attended = inner;
        let to = Some(sized(&mut grad_attended, tokens * heads.out()));
        let at = (layer, Site::Output);
        self.product_back(back, tape, at, &l.output, (&kept.attended, grad_out), to);
        let mut grad_qkv = grad_inner;
        sized(&mut grad_qkv, tokens * heads.stride());
        let saved = Saved {
            qkv: &kept.qkv,
            out: &kept.attended,
            log_sums: &kept.log_sums,
            grad_out: &grad_attended,
        };
        attention::backward(bench, &heads, pack, &saved, &mut grad_qkv);
        if let Some(rotation) = tape.rotation(self, layer) {
            let shape = (heads.stride(), heads.count + heads.kv_count, heads.width);
            rotation.backward(bench, &pack.positions, &mut grad_qkv, shape);
        }
        if l.query_norm.is_some() {
            self.query_key_norms_back(layer, &kept.raw, &mut grad_qkv, back.grads);
        }
        let x = self.normed(bench, l.before_attention.as_ref(), &kept.input, &mut normed);
        // Below the lowest layer nothing is trained but embeddings.
        let wanted = layer > 0 || self.all();
        let to = wanted.then(|| sized(&mut grad_in, tokens * c.dim));
        let at = (layer, Site::Qkv);
        self.product_back(back, tape, at, &l.qkv, (x, &grad_qkv), to);
        if wanted {
            match &l.before_attention {
                Some(at) => self.norm_back(back, at, &kept.input, &grad_in, grad),
                None => add(bench, grad, &grad_in),
            }
        }
        (tape.normed, tape.wide, tape.inner) = (normed, grad_in, grad_attended);
    }

    /// The gradient behind a block's closing norm, where it has one.
    fn behind<'a>(
        &self,
        back: &mut Back<'_>,
        at: Option<&Range<usize>>,
        x: &[f32],
        grad: &'a [f32],
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        match at {
            None => grad,
            Some(at) => {
                let out = zeroed(buffer, grad.len());
                self.norm_back(back, at, x, grad, out);
                out
            }
        }
    }

    /// Backward of the norms on queries and keys, in place.
    fn query_key_norms_back(
        &self,
        layer: usize,
        raw: &[f32],
        grad_qkv: &mut [f32],
        grads: &mut [f32],
    ) {
        let (stride, eps) = (Heads::of(&self.config, layer).stride(), self.eps());
        for (columns, at) in self.query_key_norms(layer) {
            let weight = self.norm_weight(at);
            let (mut sum, mut back) = (vec![0.0; weight.len()], vec![0.0; weight.len()]);
            for (grad, x) in grad_qkv.chunks_mut(stride).zip(raw.chunks(stride)) {
                let heads = grad[columns.clone()].chunks_mut(weight.len());
                for (grad, x) in heads.zip(x[columns.clone()].chunks(weight.len())) {
                    back.fill(0.0);
                    let mean = vector::dot(x, x) / x.len() as f32;
                    let inverse = 1.0 / (mean + eps).sqrt();
                    vector::rms_norm_backward(&mut back, &mut sum, grad, x, &weight, inverse);
                    grad.copy_from_slice(&back);
                }
            }
            if self.all() {
                vector::add_scaled(&mut grads[at.clone()], &sum, 1.0);
            }
        }
    }
}
