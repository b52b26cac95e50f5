//! What a decoder computes, in plain numbers: every architecture that Juror knows is one setting of
//! these. Read from `config.json` ([`super::config`]) or from GGUF metadata ([`super::gguf`]).

/// The whole shape of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// `llama`, `qwen2`, … for messages.
    pub architecture: String,
    pub vocab: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Width inside the gated feed-forward block.
    pub ffn: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    pub norm_eps: f64,
    /// RMS norms multiply by `1 + weight` (gemma) instead of `weight`.
    pub norm_adds_one: bool,
    pub norms: Norms,
    pub query_key_norm: QueryKeyNorm,
    /// Biases of the query, key and value projections.
    pub qkv_bias: bool,
    /// Bias of the attention's output projection.
    pub output_bias: bool,
    /// Biases of the feed-forward block's three projections.
    pub ffn_bias: bool,
    pub activation: Activation,
    /// Factor on the embeddings before the first layer (gemma: √dim), 1 otherwise.
    pub embedding_scale: f64,
    /// Factor on query · key.
    pub attention_scale: f64,
    /// Scores become `cap · tanh(score / cap)`.
    pub attention_cap: Option<f64>,
    /// Logits become `cap · tanh(logit / cap)`.
    pub final_cap: Option<f64>,
    /// One entry a layer.
    pub layers: Vec<LayerKind>,
    /// Rotary embeddings that layers choose from.
    pub ropes: Vec<Rope>,
    pub head: Head,
    /// Ids that end a text.
    pub end_tokens: Vec<u32>,
}

/// What differs between the layers of one decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerKind {
    /// A token sees itself and the `window − 1` tokens before; everything before where `None`.
    pub window: Option<usize>,
    /// Index into [`DecoderConfig::ropes`].
    pub rope: usize,
}

/// Where RMS norms stand in a block. Weight names are Hugging Face's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norms {
    /// `x + f(norm(x))`: `input_layernorm`, `post_attention_layernorm`.
    Pre,
    /// `x + norm(f(norm(x)))` (gemma 2 and 3): `input_layernorm`, `post_attention_layernorm` after
    /// attention, `pre_feedforward_layernorm`, `post_feedforward_layernorm`.
    PreAndPost,
    /// `x + norm(f(x))` (olmo2): `post_attention_layernorm`, `post_feedforward_layernorm`.
    Post,
}

/// RMS norms on queries and keys, before rotation: `self_attn.q_norm`, `self_attn.k_norm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKeyNorm {
    None,
    /// Over each head's `head_dim` (qwen3, gemma3).
    PerHead,
    /// Over all heads together (olmo2).
    Whole,
}

/// The gate's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Silu,
    /// `gelu_pytorch_tanh`.
    GeluTanh,
}

/// A rotary embedding with its scaling worked out.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Radians a position, one for each rotated pair; `2 · len` of a head's dimensions are rotated
    /// (in the half-split layout), the rest pass.
    pub frequencies: Vec<f64>,
    /// For sequences longer than `.0` tokens these frequencies hold instead (phi3's long RoPE).
    pub long: Option<(usize, Vec<f64>)>,
    /// Factor on cosine and sine.
    pub scale: f64,
}

/// What stands on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// Next-token logits; `tied` to the embedding, or `lm_head.weight`.
    Language { tied: bool },
    /// `score.weight`, `[labels, dim]`, at the last token (`*ForSequenceClassification`).
    Reward { labels: usize },
}
