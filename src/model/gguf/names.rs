//! From llama.cpp's tensor names to Hugging Face's, and what its converter did to the values.

use super::super::architecture::{Norms, QueryKeyNorm};

/// The architectures that are read, by llama.cpp's names. Mistral and SmolLM are `llama` there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Llama,
    Qwen2,
    Qwen3,
    Gemma2,
    Gemma3,
    Phi3,
    Olmo2,
}

/// What was done to a tensor on its way into the file, and is undone on the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    None,
    /// The rows of each head were interleaved for the rotary embedding's other layout.
    Interleaved {
        heads: usize,
    },
    /// One was added to a norm's weight.
    PlusOne,
}

impl Family {
    /// All, in the order of messages.
    pub const ALL: [(&'static str, Family); 7] = [
        ("llama", Family::Llama),
        ("qwen2", Family::Qwen2),
        ("qwen3", Family::Qwen3),
        ("gemma2", Family::Gemma2),
        ("gemma3", Family::Gemma3),
        ("phi3", Family::Phi3),
        ("olmo2", Family::Olmo2),
    ];

    /// What stands between `blk.N.` and `.weight` or `.bias` in all of them.
    pub const MODULES: [&'static str; 14] = [
        "attn_qkv",
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "attn_q_norm",
        "attn_k_norm",
        "attn_norm",
        "post_attention_norm",
        "ffn_norm",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
        "post_ffw_norm",
    ];

    /// llama.cpp's name.
    pub fn name(self) -> &'static str {
        let found = Family::ALL.iter().find(|(_, family)| *family == self);
        found.map_or("", |(name, _)| name)
    }

    /// By `general.architecture`.
    pub fn of(name: &str) -> Option<Family> {
        let found = Family::ALL.iter().find(|(n, _)| *n == name);
        found.map(|(_, family)| *family)
    }

    /// Gemma 2 or 3.
    pub fn is_gemma(self) -> bool {
        matches!(self, Family::Gemma2 | Family::Gemma3)
    }

    /// Where its norms stand.
    pub fn norms(self) -> Norms {
        match self {
            Family::Gemma2 | Family::Gemma3 => Norms::PreAndPost,
            Family::Olmo2 => Norms::Post,
            _ => Norms::Pre,
        }
    }

    /// Its norms on queries and keys.
    pub fn query_key_norm(self) -> QueryKeyNorm {
        match self {
            Family::Qwen3 | Family::Gemma3 => QueryKeyNorm::PerHead,
            Family::Olmo2 => QueryKeyNorm::Whole,
            _ => QueryKeyNorm::None,
        }
    }

    /// Hugging Face's name for a tensor and what to undo; `None` for one that has no place in this
    /// architecture.
    pub fn hugging_face(
        self,
        name: &str,
        heads: usize,
        kv_heads: usize,
    ) -> Option<(String, Change)> {
        let plus_one = match self.is_gemma() {
            true => Change::PlusOne,
            false => Change::None,
        };
        let outer = match name {
            "token_embd.weight" => Some(("model.embed_tokens.weight", Change::None)),
            "output_norm.weight" => Some(("model.norm.weight", plus_one)),
            "output.weight" => Some(("lm_head.weight", Change::None)),
            _ => None,
        };
        if let Some((name, change)) = outer {
            return Some((name.to_owned(), change));
        }
        let (layer, inner) = name.strip_prefix("blk.")?.split_once('.')?;
        let (module, kind) = inner.rsplit_once('.')?;
        // No leading zeros or signs: two names must not mean one tensor.
        let number: usize = layer.parse().ok()?;
        if number.to_string() != layer || !matches!(kind, "weight" | "bias") {
            return None;
        }
        let module = self.module(module)?;
        let change = match module {
            "self_attn.q_proj" if self == Family::Llama => Change::Interleaved { heads },
            "self_attn.k_proj" if self == Family::Llama => Change::Interleaved { heads: kv_heads },
            _ if module.ends_with("norm") => plus_one,
            _ => Change::None,
        };
        Some((format!("model.layers.{number}.{module}.{kind}"), change))
    }

    fn module(self, name: &str) -> Option<&'static str> {
        let norms = self.norms();
        let normed_heads = self.query_key_norm() != QueryKeyNorm::None;
        Some(match name {
            "attn_qkv" if self == Family::Phi3 => "self_attn.qkv_proj",
            "ffn_up" if self == Family::Phi3 => "mlp.gate_up_proj",
            "attn_q" | "attn_k" | "attn_v" | "ffn_gate" | "ffn_up" if self == Family::Phi3 => {
                return None;
            }
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            "attn_q_norm" if normed_heads => "self_attn.q_norm",
            "attn_k_norm" if normed_heads => "self_attn.k_norm",
            "attn_norm" if norms != Norms::Post => "input_layernorm",
            "ffn_norm" if norms == Norms::Pre => "post_attention_layernorm",
            "ffn_norm" if norms == Norms::PreAndPost => "pre_feedforward_layernorm",
            "post_attention_norm" if norms != Norms::Pre => "post_attention_layernorm",
            "post_ffw_norm" if norms != Norms::Pre => "post_feedforward_layernorm",
            _ => return None,
        })
    }
}

/// Tensors that are no weights: factors of the rotary embedding, and its frequencies, which old
/// converters wrote too.
pub fn is_rotary(name: &str) -> bool {
    [
        "rope_freqs.weight",
        "rope_factors_long.weight",
        "rope_factors_short.weight",
        "attn_rot_embd.weight",
    ]
    .iter()
    .any(|end| {
        name.strip_suffix(end)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}
