"""Makes the golden numbers of every decoder architecture, from transformers.

    pip install torch transformers
    python tests/golden/architectures.py [case …]

For each case it writes, into architectures/ beside itself:
  CASE.config.json    the configuration of a small model, as transformers writes it
  CASE.json           its weights' names and shapes, its prompt, and what transformers computes

Weights are not stored. Each is a hash of its tensor's name and its index; weights.rs makes the same
ones, to the last bit.
"""

import copy
import hashlib
import json
import math
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers as t

HERE = pathlib.Path(__file__).parent / "architectures"
COLUMNS = 32  # Every tenth token's logit is stored at the chosen positions.
torch.set_num_threads(1)
t.logging.set_verbosity_error()
t.logging.disable_progress_bar()


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def splitmix(seed, n):
    """The first n outputs of splitmix64."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def prompt_ids(seed, n, vocab):
    return (splitmix(seed, n) >> np.uint64(32)) % np.uint64(vocab)


def weights(name, shape, offset, scale):
    """offset + scale · u, with u uniform in [-1, 1) in steps of 2⁻²³; every step rounds to f32."""
    count = int(np.prod(shape))
    u = ((splitmix(fnv1a(name), count) >> np.uint64(40)).astype(np.float32) - np.float32(2**23)) / np.float32(2**23)
    return (np.float32(offset) + np.float32(scale) * u).reshape(shape)


def offset_and_scale(name, shape, gemma):
    """Sizes that make logits differ by several units and attention far from even."""
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return (0.6 if gemma else 1.6), 0.25
    if name.endswith("norm.weight"):
        return (0.0 if gemma else 1.0), 0.25
    if name.endswith(".bias"):
        return 0.0, 0.5
    if name == "model.embed_tokens.weight":
        return 0.0, 0.75
    gain = 4.0
    if "q_proj" in name or "k_proj" in name or "qkv_proj" in name:
        gain = 3.0
    elif "lm_head" in name or "score" in name:
        gain = 5.0
    elif "o_proj" in name or "down_proj" in name:
        gain = 2.5
    return 0.0, float(np.float32(gain / math.sqrt(shape[1])))


SIZES = dict(
    vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=2048, rms_norm_eps=1e-5, tie_word_embeddings=False,
    pad_token_id=None, bos_token_id=1, eos_token_id=2,
)
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
GEMMA = dict(tie_word_embeddings=True, head_dim=32, query_pre_attn_scalar=24, sliding_window=64, num_hidden_layers=4)
LONG_ROPE = {
    "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
    "original_max_position_embeddings": 1024, "short_factor": [1.0, 1.05, 1.1, 1.2, 1.3, 1.5],
    "long_factor": [1.0, 1.3, 2.0, 3.0, 5.0, 8.0],
}
LOCAL, GLOBAL = "sliding_attention", "full_attention"

# Name: configuration, its differences from SIZES, class, tokens in the prompt.
CASES = {
    "llama2": (t.LlamaConfig, dict(rope_parameters=ROPE, num_key_value_heads=4), t.LlamaForCausalLM, 1500),
    "llama3": (
        t.LlamaConfig,
        dict(rope_parameters={
            "rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 512,
        }),
        t.LlamaForCausalLM, 1500,
    ),
    "llama-biases": (
        t.LlamaConfig,
        dict(attention_bias=True, mlp_bias=True, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}),
        t.LlamaForCausalLM, 1500,
    ),
    "mistral": (t.MistralConfig, dict(rope_parameters=ROPE, sliding_window=64), t.MistralForCausalLM, 1500),
    "qwen2": (
        t.Qwen2Config,
        dict(rope_parameters=ROPE, use_sliding_window=True, sliding_window=64, max_window_layers=2),
        t.Qwen2ForCausalLM, 1500,
    ),
    "qwen2-yarn": (
        t.Qwen2Config,
        dict(rope_parameters={
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 512,
        }),
        t.Qwen2ForCausalLM, 1500,
    ),
    "qwen3": (t.Qwen3Config, dict(rope_parameters=ROPE, head_dim=32, tie_word_embeddings=True), t.Qwen3ForCausalLM, 1500),
    "gemma2": (
        t.Gemma2Config,
        dict(GEMMA, rope_parameters=ROPE, attn_logit_softcapping=10.0, final_logit_softcapping=12.0),
        t.Gemma2ForCausalLM, 1500,
    ),
    "gemma3": (
        t.Gemma3TextConfig,
        dict(
            GEMMA, layer_types=[LOCAL, LOCAL, GLOBAL, LOCAL],
            rope_parameters={
                LOCAL: ROPE, GLOBAL: {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 2.0},
            },
        ),
        t.Gemma3ForCausalLM, 1500,
    ),
    "phi3": (t.Phi3Config, dict(rope_parameters=ROPE, original_max_position_embeddings=2048), t.Phi3ForCausalLM, 1500),
    "phi3-long": (
        t.Phi3Config,
        dict(
            rope_parameters=LONG_ROPE, original_max_position_embeddings=1024, max_position_embeddings=4096,
            sliding_window=600,
        ),
        t.Phi3ForCausalLM, 1500,
    ),
    "smollm": (
        t.LlamaConfig,
        dict(hidden_size=96, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=4,
             tie_word_embeddings=True, rope_parameters=dict(ROPE, rope_theta=100000.0)),
        t.LlamaForCausalLM, 1500,
    ),
    "smollm3": (
        t.SmolLM3Config,
        dict(num_hidden_layers=4, tie_word_embeddings=True, rope_parameters=dict(ROPE, rope_theta=2000000.0)),
        t.SmolLM3ForCausalLM, 1500,
    ),
    "olmo2": (t.Olmo2Config, dict(rope_parameters=ROPE), t.Olmo2ForCausalLM, 1500),
    "llama-reward": (t.LlamaConfig, dict(rope_parameters=ROPE, num_labels=1), t.LlamaForSequenceClassification, 1500),
    "qwen2-reward": (t.Qwen2Config, dict(rope_parameters=ROPE, num_labels=3), t.Qwen2ForSequenceClassification, 1500),
}
# The same model with few enough tokens for the short factors.
CASES["phi3-short"] = (*CASES["phi3-long"][:3], 1000)


def rounded(values):
    return [float(f"{float(x):.9g}") for x in values]


def ropes(model):
    """What transformers rotates by: frequencies, long ones if any, and the factor."""
    rotary = model.model.rotary_emb
    if isinstance(rotary.rope_type, dict):
        return [
            {
                "frequencies": rounded(getattr(rotary, f"{kind}_inv_freq")),
                "scale": getattr(rotary, f"{kind}_attention_scaling"),
            }
            for kind in (LOCAL, GLOBAL)
        ]
    rope = {"frequencies": rounded(rotary.original_inv_freq), "scale": rotary.attention_scaling}
    if getattr(rotary, "long_inv_freq", None) is not None:
        rope["long"] = rounded(rotary.long_inv_freq)
    return [rope]


def build(case):
    config_class, differences, model_class, length = CASES[case]
    # A configuration writes into the objects that it is given.
    config = config_class(**copy.deepcopy({**SIZES, **differences}))
    config._attn_implementation = "eager"
    model = model_class(config).eval().float()
    gemma = case.startswith("gemma")
    tied = set(model._tied_weights_keys or []) if config.tie_word_embeddings else set()
    tensors, digest, first = [], hashlib.sha256(), None
    with torch.no_grad():
        for name, parameter in sorted(model.state_dict().items()):
            if name in tied:
                continue
            shape = list(parameter.shape)
            offset, scale = offset_and_scale(name, shape, gemma)
            values = weights(name, shape, offset, scale)
            parameter.copy_(torch.from_numpy(values))
            digest.update(values.astype("<f4").tobytes())
            tensors.append([name, shape, offset, scale])
            if first is None:
                first = [name, [float(x) for x in values.reshape(-1)[:4]]]
    seed = fnv1a(case) >> 12  # JSON numbers are exact below 2⁵³.
    ids = prompt_ids(seed, length, config.vocab_size).astype(np.int64)
    golden = {
        "prompt": {"seed": seed, "length": length, "first": ids[:8].tolist()},
        "tensors": tensors,
        "sha256": digest.hexdigest(),
        "first_weights": first,
    }
    return model, torch.from_numpy(ids)[None], golden


def compute(model, ids):
    """Logits at every position (or the labels'), and the last hidden state."""
    with torch.no_grad():
        hidden = model.model(ids, use_cache=False).last_hidden_state[0]
        logits = model(ids, use_cache=False).logits[0]
    return logits, hidden


def make(case):
    model, ids, golden = build(case)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        (HERE / f"{case}.config.json").write_bytes((pathlib.Path(folder) / "config.json").read_bytes())
    logits, hidden = compute(model, ids)
    golden["ropes"] = ropes(model)
    golden["hidden"] = rounded(hidden[-1])
    if "reward" in case:
        golden["labels"] = rounded(logits)
        spread = f"labels {golden['labels']}"
    else:
        n = ids.shape[1]
        log_probs = torch.log_softmax(logits.double(), -1)
        followed = log_probs[:-1].gather(1, ids[0, 1:, None])
        positions = [p for p in (0, 63, 64, 500, 777, 1023, 1024) if p < n]
        columns = list(range(0, model.config.vocab_size, model.config.vocab_size // COLUMNS))
        golden["logits"] = {
            "columns": columns,
            "at": [[p, rounded(logits[p, columns])] for p in positions],
            "last": rounded(logits[-1]),
        }
        golden["log_probs"] = rounded(log_probs[-1])
        golden["mean_negative_log_likelihood"] = float(-followed.mean())
        spread = f"logits ±{logits.std():.2f}, loss {golden['mean_negative_log_likelihood']:.3f}"
    text = json.dumps(golden, separators=(",", ":"))
    (HERE / f"{case}.json").write_text(text + "\n")
    print(f"{case}: {len(text)} bytes, {spread}")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for case in sys.argv[1:] or CASES:
        make(case)
