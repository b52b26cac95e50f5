//! Keys and values in memory.

use std::ops::Range;

use crate::model::decoder::pass::Keys;

/// Keys and values of one layer, each `[kv_heads][capacity][head_dim]`.
#[derive(Clone, Debug)]
pub(super) struct LayerKeys {
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
}

/// Keys and values of a stretch of tokens.
#[derive(Clone, Debug)]
pub struct CpuKeys {
    pub(super) layers: Vec<LayerKeys>,
    kv_heads: usize,
    head_dim: usize,
    capacity: usize,
    pub(super) len: usize,
}

impl CpuKeys {
    pub(super) fn with_capacity(
        layers: usize,
        kv_heads: usize,
        head_dim: usize,
        capacity: usize,
    ) -> Self {
        let size = kv_heads * capacity * head_dim;
        let empty = || LayerKeys {
            keys: vec![0.0; size],
            values: vec![0.0; size],
        };
        CpuKeys {
            layers: (0..layers).map(|_| empty()).collect(),
            kv_heads,
            head_dim,
            capacity,
            len: 0,
        }
    }

    /// The elements of some tokens for one head.
    pub(super) fn at(&self, head: usize, tokens: &Range<usize>) -> Range<usize> {
        let base = head * self.capacity;
        (base + tokens.start) * self.head_dim..(base + tokens.end) * self.head_dim
    }

    fn copied(&self, tokens: Range<usize>, capacity: usize) -> Self {
        let (layers, heads, dim) = (self.layers.len(), self.kv_heads, self.head_dim);
        let mut copy = Self::with_capacity(layers, heads, dim, capacity);
        copy.len = tokens.len();
        let to = 0..tokens.len();
        for (layer, own) in self.layers.iter().enumerate() {
            for head in 0..heads {
                let (from, to) = (self.at(head, &tokens), copy.at(head, &to));
                let new = &mut copy.layers[layer];
                new.keys[to.clone()].copy_from_slice(&own.keys[from.clone()]);
                new.values[to].copy_from_slice(&own.values[from]);
            }
        }
        copy
    }

    /// Makes room for `more` tokens; grows by doubling, so that a generation copies seldom.
    pub(super) fn reserve(&mut self, more: usize) {
        if self.len + more > self.capacity {
            let capacity = (self.len + more).max(2 * self.capacity);
            *self = self.copied(0..self.len, capacity);
        }
    }
}

impl Keys for CpuKeys {
    fn len(&self) -> usize {
        self.len
    }

    fn slice(&self, tokens: Range<usize>) -> Self {
        let len = tokens.len();
        self.copied(tokens, len)
    }

    fn bytes_per_token(&self) -> usize {
        2 * size_of::<f32>() * self.layers.len() * self.kv_heads * self.head_dim
    }
}
