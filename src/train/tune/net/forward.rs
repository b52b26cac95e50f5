//! Forward over a pack.

use std::ops::Range;

use super::{Embedding, Kept, Manner, Net, Tape};
use crate::kernel::vector;
use crate::model::architecture::QueryKeyNorm;
use crate::model::{ModelError, Result};
use crate::train::tune::lora::{Place, Scratch, Site};
use crate::train::tune::ops::attention::{self, Heads};
use crate::train::tune::ops::product::Weight;
use crate::train::tune::ops::rope::Rotation;
use crate::train::tune::ops::{Bench, TASK_ROWS, add, gate, norm, sized};
use crate::train::tune::pack::Pack;

impl Tape {
    /// The rotation of a layer's queries and keys.
    pub(super) fn rotation(&self, net: &Net, layer: usize) -> Option<&Rotation> {
        self.rotations.get(net.config.layers.get(layer)?.rope)
    }

    fn prepare(&mut self, net: &Net, pack: &Pack) {
        let longest = pack.longest();
        let long_from = net
            .config
            .ropes
            .iter()
            .filter_map(|rope| Some(rope.long.as_ref()?.0));
        let long = long_from.min().is_some_and(|from| longest > from);
        if self.rotated.0 < longest || self.rotated.1 != long || self.rotations.is_empty() {
            let positions = longest
                .next_power_of_two()
                .min(net.config.context.max(longest));
            let ropes = net.config.ropes.iter();
            self.rotations = ropes
                .map(|rope| Rotation::new(rope, long, positions))
                .collect();
            self.rotated = (positions, long);
        }
        self.layers
            .resize_with(net.config.layers.len(), Kept::default);
        self.inputs
            .resize_with(net.config.layers.len(), Vec::default);
    }
}

impl Net {
    pub(super) fn eps(&self) -> f32 {
        self.config.norm_eps as f32
    }

    /// A product with what the adapter adds to it.
    fn adapted(
        &self,
        bench: &Bench,
        (at, base): (Place, bool),
        weight: &Weight,
        x: &[f32],
        out: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) {
        let rows = x.len() / weight.inputs;
        let out = sized(out, rows * weight.outputs);
        weight.forward(bench, &self.parameters, x, out);
        if let Some(adapter) = self.adapter.as_ref().filter(|_| !base) {
            adapter.forward(bench, at, x, (out, weight.outputs), scratch);
        }
    }

    /// The norm of `x` where there is one, else `x`.
    pub(super) fn normed<'a>(
        &self,
        bench: &Bench,
        at: Option<&Range<usize>>,
        x: &'a [f32],
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        match at {
            None => x,
            Some(at) => {
                let out = sized(buffer, x.len());
                norm::forward(bench, out, x, &self.norm_weight(at), self.eps());
                out
            }
        }
    }

    /// Runs a pack; the hidden states after the last norm are in [`Tape::hidden`].
    ///
    /// # Errors
    /// A sequence longer than the context, an id outside the vocabulary.
    pub fn forward(
        &self,
        bench: &Bench,
        pack: &Pack,
        manner: Manner,
        tape: &mut Tape,
    ) -> Result<()> {
        let c = &self.config;
        if pack.longest() > c.context {
            return Err(ModelError::Text(format!(
                "{} tokens do not fit into the model's context of {}",
                pack.longest(),
                c.context
            )));
        }
        if let Some(id) = pack.ids.iter().find(|id| **id as usize >= c.vocab) {
            return Err(ModelError::Text(format!(
                "token id {id} is outside the model's vocabulary of {}",
                c.vocab
            )));
        }
        tape.manner = manner;
        tape.prepare(self, pack);
        self.embed(bench, pack, &mut tape.stream);
        for layer in 0..self.layers.len() {
            let slot = manner.slot(layer);
            let mut kept = std::mem::take(&mut tape.layers[slot]);
            kept.input.clone_from(&tape.stream);
            if manner.recompute {
                tape.inputs[layer].clone_from(&tape.stream);
            }
            self.layer_forward(bench, layer, pack, tape, &mut kept);
            tape.layers[slot] = kept;
        }
        let weight = self.norm_weight(&self.norm);
        let hidden = sized(&mut tape.hidden, tape.stream.len());
        norm::forward(bench, hidden, &tape.stream, &weight, self.eps());
        Ok(())
    }

    fn embed(&self, bench: &Bench, pack: &Pack, stream: &mut Vec<f32>) {
        let dim = self.config.dim;
        let scale = self.config.embedding_scale as f32;
        let parts = sized(stream, pack.len() * dim)
            .chunks_mut(TASK_ROWS * dim)
            .zip(pack.ids.chunks(TASK_ROWS))
            .collect();
        bench.pool.each(parts, |(rows, ids): (&mut [f32], &[u32])| {
            for (row, id) in rows.chunks_mut(dim).zip(ids) {
                let from = *id as usize * dim;
                match &self.embedding {
                    Embedding::Dense(at) => {
                        let table = &self.parameters[at.clone()][from..from + dim];
                        row.iter_mut().zip(table).for_each(|(x, w)| *x = w * scale);
                    }
                    Embedding::Half(all) => {
                        let table = &all[from..from + dim];
                        let pairs = row.iter_mut().zip(table);
                        pairs.for_each(|(x, w)| *x = w.to_f32() * scale);
                    }
                }
            }
        });
    }

    /// One layer from `kept.input` on; `tape.stream` becomes its output.
    pub(super) fn layer_forward(
        &self,
        bench: &Bench,
        layer: usize,
        pack: &Pack,
        tape: &mut Tape,
        kept: &mut Kept,
    ) {
        let (l, c, manner) = (&self.layers[layer], &self.config, tape.manner);
        let heads = Heads::of(c, layer);
        let mut lora = std::mem::take(&mut tape.lora);
        let x = self.normed(
            bench,
            l.before_attention.as_ref(),
            &kept.input,
            &mut tape.normed,
        );
        let at = (manner.place(layer, Site::Qkv), manner.base);
        self.adapted(bench, at, &l.qkv, x, &mut kept.qkv, &mut lora);
        if l.query_norm.is_some() {
            kept.raw.clone_from(&kept.qkv);
            self.norm_queries_and_keys(bench, layer, &kept.raw, &mut kept.qkv);
        }
        if let Some(rotation) = tape.rotation(self, layer) {
            let shape = (heads.stride(), heads.count + heads.kv_count, heads.width);
            rotation.forward(bench, &pack.positions, &mut kept.qkv, shape);
        }
        sized(&mut kept.attended, pack.len() * heads.out());
        sized(&mut kept.log_sums, pack.len() * heads.count);
        attention::forward(
            bench,
            &heads,
            pack,
            &kept.qkv,
            &mut kept.attended,
            &mut kept.log_sums,
        );
        let at = (manner.place(layer, Site::Output), manner.base);
        let out = &mut tape.wide;
        self.adapted(bench, at, &l.output, &kept.attended, out, &mut lora);
        if l.after_attention.is_some() {
            kept.attention_out.clone_from(out);
        }
        let y = self.normed(bench, l.after_attention.as_ref(), out, &mut tape.normed);
        kept.middle.clone_from(&kept.input);
        add(bench, &mut kept.middle, y);
        let x = self.normed(bench, l.before_ffn.as_ref(), &kept.middle, &mut tape.normed);
        let at = (manner.place(layer, Site::GateUp), manner.base);
        self.adapted(bench, at, &l.gate_up, x, &mut kept.gate_up, &mut lora);
        let inner = sized(&mut tape.inner, pack.len() * c.ffn);
        gate::forward(bench, c.activation, inner, &kept.gate_up, c.ffn);
        let at = (manner.place(layer, Site::Down), manner.base);
        let out = &mut tape.wide;
        self.adapted(bench, at, &l.down, inner, out, &mut lora);
        if l.after_ffn.is_some() {
            kept.ffn_out.clone_from(out);
        }
        let y = self.normed(bench, l.after_ffn.as_ref(), out, &mut tape.normed);
        tape.stream.clone_from(&kept.middle);
        add(bench, &mut tape.stream, y);
        tape.lora = lora;
    }

    /// Where queries and keys lie in a row, how wide what is normed together is, and the norm's weights.
    pub(super) fn query_key_norms(&self, layer: usize) -> [(Range<usize>, &Range<usize>); 2] {
        let (l, c) = (&self.layers[layer], &self.config);
        let q = c.heads * c.head_dim;
        let nothing = &self.norm;
        [
            (0..q, l.query_norm.as_ref().unwrap_or(nothing)),
            (
                q..q + c.kv_heads * c.head_dim,
                l.key_norm.as_ref().unwrap_or(nothing),
            ),
        ]
    }

    fn norm_queries_and_keys(&self, bench: &Bench, layer: usize, raw: &[f32], qkv: &mut [f32]) {
        debug_assert_ne!(self.config.query_key_norm, QueryKeyNorm::None);
        let (stride, eps) = (Heads::of(&self.config, layer).stride(), self.eps());
        let norms = self
            .query_key_norms(layer)
            .map(|(columns, at)| (columns, self.norm_weight(at)));
        let size = TASK_ROWS * stride;
        let parts = qkv.chunks_mut(size).zip(raw.chunks(size)).collect();
        bench.pool.each(parts, |(out, x): (&mut [f32], &[f32])| {
            for (out, x) in out.chunks_mut(stride).zip(x.chunks(stride)) {
                for (columns, weight) in &norms {
                    let out = out[columns.clone()].chunks_mut(weight.len());
                    for (out, x) in out.zip(x[columns.clone()].chunks(weight.len())) {
                        vector::rms_norm(out, x, weight, eps);
                    }
                }
            }
        });
    }
}
