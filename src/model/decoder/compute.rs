//! What the forwards (a decoder's and an encoder's) ask of a device. Each is written once, over this.

use std::ops::Range;

use super::pass::{Keys, Pass};
use crate::model::Result;
use crate::model::architecture::{Activation, DecoderConfig, QueryKeyNorm};

/// Weights of a layer's attention beside its projections.
pub struct AttentionAt<'a, V> {
    pub config: &'a DecoderConfig,
    pub layer: usize,
    /// Norms of queries and keys, where the architecture has them.
    pub query_norm: Option<&'a V>,
    pub key_norm: Option<&'a V>,
    /// Only these rows of the pass ask; keys and values are made of all.
    pub asking: Option<&'a [usize]>,
}

impl<V> AttentionAt<'_, V> {
    /// Whether norms run over each head by itself.
    pub fn per_head(&self) -> bool {
        self.config.query_key_norm == QueryKeyNorm::PerHead
    }
}

/// A device that computes.
pub trait Compute: Send + Sync + Sized {
    /// A weight matrix `[outputs, inputs]` with an optional bias, in the device's own layout.
    type Matrix: Send + Sync;
    /// A vector of weights.
    type Vector: Send + Sync;
    /// The token embeddings.
    type Table: Send + Sync;
    /// Activations, `[rows, width]`.
    type Rows;
    /// Keys and values.
    type Keys: Keys;

    /// The same device with weights in f32.
    ///
    /// # Errors
    /// What the device says.
    fn exact(&self) -> Result<Self>;

    fn matrix(
        &self,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
        bias: Option<Vec<f32>>,
    ) -> Result<Self::Matrix>;

    fn vector(&self, weights: Vec<f32>) -> Result<Self::Vector>;

    fn table(&self, weights: &[f32], rows: usize, width: usize) -> Result<Self::Table>;

    /// Room for `capacity` tokens, none in it yet.
    fn keys(&self, config: &DecoderConfig, capacity: usize) -> Result<Self::Keys>;

    /// Rows of the table times `scale`.
    fn embed(&self, table: &Self::Table, ids: &[u32], scale: f64) -> Result<Self::Rows>;

    /// RMS norm of every row: `x / √(mean x² + eps) · weight`.
    fn norm(&self, x: &Self::Rows, weight: &Self::Vector, eps: f64) -> Result<Self::Rows>;

    /// Layer norm of every row: `(x − mean) / √(variance + eps) · weight + bias`.
    fn layer_norm(
        &self,
        x: &Self::Rows,
        weight: &Self::Vector,
        bias: &Self::Vector,
        eps: f64,
    ) -> Result<Self::Rows>;

    /// `x · Φ(x)`, GELU by the error function.
    fn gelu(&self, x: Self::Rows) -> Result<Self::Rows>;

    /// `x · weightᵀ + bias`.
    fn product(&self, x: &Self::Rows, weight: &Self::Matrix) -> Result<Self::Rows>;

    /// The outputs `of` of the same product, `[rows, of]`, with its bits.
    fn product_of(&self, x: &Self::Rows, weight: &Self::Matrix, of: &[u32]) -> Result<Self::Rows>;

    /// `activation(gate) · up` of rows that hold gate and up side by side.
    fn gate(&self, both: Self::Rows, activation: Activation) -> Result<Self::Rows>;

    /// `x += y`.
    fn add(&self, x: &mut Self::Rows, y: &Self::Rows) -> Result<()>;

    /// Some of the rows.
    fn pick(&self, x: &Self::Rows, rows: &[usize]) -> Result<Self::Rows>;

    /// Attention of one layer from rows of queries, keys and values side by side: norms and rotates
    /// queries and keys, keeps keys and values in the segments' [`Keys`], and gives back
    /// `[asking rows, heads · head_dim]`.
    fn attend(
        &self,
        at: &AttentionAt<'_, Self::Vector>,
        qkv: Self::Rows,
        pass: &mut Pass<Self::Keys>,
    ) -> Result<Self::Rows>;

    /// Attention among the rows of each text, all of which see one another; `qkv` has queries, keys and
    /// values side by side, each `heads` heads wide. Gives back `[rows, width of the queries]`.
    fn attend_among(
        &self,
        qkv: &Self::Rows,
        heads: usize,
        texts: &[Range<usize>],
    ) -> Result<Self::Rows>;

    /// Says that the segments' keys and values of all layers are there.
    fn grown(&self, pass: &mut Pass<Self::Keys>);

    /// On the host, row-major.
    fn read(&self, x: &Self::Rows) -> Result<Vec<f32>>;

    /// From the host.
    fn rows(&self, values: Vec<f32>, width: usize) -> Result<Self::Rows>;
}
