"""Makes the GGUF files and golden values that the tests of `juror::model::gguf` compare with.

    pip install torch transformers accelerate gguf sentencepiece protobuf
    python tests/golden/make_gguf.py

Each file holds a tiny random model of transformers, written as llama.cpp's converter writes it; the
golden values are transformers' own weights, configuration and rotary frequencies, what the gguf
package dequantises, and the ids of sentencepiece and transformers. Loading each file with
transformers checks the writer.
"""

import hashlib
import io
import json
import pathlib
import random
import tempfile

import gguf
import numpy as np
import sentencepiece
import torch
from gguf import GGMLQuantizationType as Q
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, GPT2Tokenizer, LlamaTokenizer, Qwen2Tokenizer
from transformers import (
    Gemma2Config, Gemma3TextConfig, LlamaConfig, Olmo2Config, Phi3Config, Qwen2Config, Qwen3Config,
)
from transformers.convert_slow_tokenizer import TikTokenConverter, generate_merges

HERE = pathlib.Path(__file__).parent
OUT = HERE / "gguf"
SAMPLES = HERE.parent.parent / "sample_data"
CORPUS = [
    text
    for line in (SAMPLES / "common.jsonl").read_text().splitlines()
    for record in [json.loads(line)]
    for text in [record["instruction"], record["reference"]]
]
random.seed(5)
torch.manual_seed(5)
rng = np.random.default_rng(5)

TEXTS = [
    "", " ", "a", " a", "a ", "  two  spaces   three", "Hello, world! It's 12345.678 o'clock, isn't IT?",
    "tabs\tand\nnew\n\nlines\r\n\r\n  indented\n   \n", "naïve café — “quotes” … 東京は夜の七時 🦀👩‍👩‍👧",
    "e\u0301 \u00e9 \u1100\u1161 \ufb01", "def f(x):\n    return x**2  # ▁ under", "the the the thethe THE'S we'LL",
    "<s> </s> <unk> <0x0A> <|end|>", "\u0000\u00a0\u2003x\u200b", "1 12 123 1234 12345 ١٢٣ ⅷ",
] + [
    "".join(random.choice("ab cdeth\n  .,'12éß世🦀<>▁") for _ in range(random.randint(1, 50)))
    for _ in range(24)
] + [" ".join(random.choice(CORPUS).split()[: random.randint(1, 20)]) for _ in range(10)]


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<f4").tobytes()).hexdigest()[:16]


# Vocabularies -----------------------------------------------------------------------------------

def byte_level():
    """Tokens and merges of a small byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=280, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS[:40], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(m) for m in model["merges"]]


VOCAB, MERGES = byte_level()
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def bpe_ids():
    """Ids that transformers' own tokenizer classes give, by llama.cpp's name of the splitting."""
    llama = Tokenizer(models.BPE(vocab=VOCAB, merges=MERGES, ignore_merges=True))
    pattern = TikTokenConverter(vocab_file="").pattern
    llama.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(__import__("tokenizers").Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    plain = {"vocab": VOCAB, "merges": MERGES}
    found = {
        "gpt-2": GPT2Tokenizer(**plain)._tokenizer,
        "qwen2": Qwen2Tokenizer(**plain)._tokenizer,
        "llama-bpe": llama,
    }
    return {name: [t.encode(text, add_special_tokens=False).ids for text in TEXTS] for name, t in found.items()}


def write_bpe(writer, pre):
    tokens = sorted(VOCAB, key=VOCAB.get) + SPECIALS
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(VOCAB) + [3] * len(SPECIALS))
    writer.add_token_merges([" ".join(m) for m in MERGES])
    writer.add_pad_token_id(len(VOCAB))
    writer.add_bos_token_id(len(VOCAB))
    writer.add_eos_token_id(len(VOCAB) + 2)
    return len(tokens)


def pieces(user_defined):
    """A SentencePiece model: pieces, scores, types, and the processor itself."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, model_type="bpe", vocab_size=400,
        byte_fallback=True, character_coverage=0.99, normalization_rule_name="identity",
        remove_extra_whitespaces=False, add_dummy_prefix=not user_defined, split_digits=True,
        allow_whitespace_only_pieces=True, user_defined_symbols=user_defined, minloglevel=2,
        num_threads=1,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    rows = []
    for i in range(processor.get_piece_size()):
        kind = 1
        if processor.is_unknown(i):
            kind = 2
        elif processor.is_control(i):
            kind = 3
        elif processor.is_byte(i):
            kind = 6
        elif processor.id_to_piece(i) in user_defined:
            kind = 4
        rows.append((processor.id_to_piece(i), processor.get_score(i), kind))
    return rows, processor


def write_spm(writer, rows, prefix):
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    # The converter writes the spaces of user-defined pieces as spaces.
    writer.add_token_list([p.replace("▁", " ") if k == 4 else p for p, _, k in rows])
    writer.add_token_scores([s for _, s, _ in rows])
    writer.add_token_types([k for _, _, k in rows])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(prefix)
    return len(rows)


def llama_tokenizer(rows):
    """As transformers converts such a vocabulary."""
    vocab = {p: i for i, (p, _, _) in enumerate(rows)}
    scores = {p: s for p, s, k in rows if k == 1}
    merges = generate_merges(vocab, scores, [p for p, _, k in rows if k in (2, 3, 6)])
    return LlamaTokenizer(vocab=vocab, merges=merges, legacy=True)


# Models -----------------------------------------------------------------------------------------

def permute(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def tiny(config, steps=64):
    """A random model whose weights are exact in f16, and its norms also with one added."""
    config.torch_dtype = "float32"
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((torch.randn_like(p) * 0.5 * steps).round() / steps)
    return model


def write(name, arch, model, vocabulary, extra=lambda w: None, types=lambda name, shape: None):
    """Writes a file as the converter does; returns its golden values."""
    config = model.config
    path = OUT / f"{name}.gguf"
    w = gguf.GGUFWriter(path, arch)
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    if arch != "gemma2":
        w.add_rope_freq_base(rope["rope_theta"])
    if arch != "phi3":
        w.add_key_length(head_dim)
        w.add_value_length(head_dim)
    extra(w)
    assert vocabulary(w) == config.vocab_size
    w.add_chat_template("{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch.upper()], config.num_hidden_layers)
    state, golden = dict(model.state_dict()), {}
    if config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    stored = {}
    for key, tensor in state.items():
        new = names.get_name(key, try_suffixes=(".weight", ".bias"))
        array = tensor.float().numpy().copy()
        if arch == "llama" and ".q_proj." in key:
            array = permute(array, config.num_attention_heads)
        if arch == "llama" and ".k_proj." in key:
            array = permute(array, config.num_key_value_heads)
        if arch in ("gemma2", "gemma3") and key.endswith("norm.weight"):
            array = array + 1
        kind = types(new, array.shape) or (Q.F32 if array.ndim == 1 else Q.F16)
        if kind in (Q.Q4_K, Q.Q5_K, Q.Q6_K):
            # The package only dequantises these: random blocks with small scales.
            block, size = gguf.GGML_QUANT_SIZES[kind]
            raw = rng.integers(0, 256, (array.shape[0], array.shape[1] // block * size), dtype=np.uint8)
            scales = [208] if kind == Q.Q6_K else [0, 2]
            blocks = raw.reshape(-1, size)
            for at in scales:
                small = (rng.standard_normal(len(blocks)) * 0.01).astype(np.float16)
                blocks[:, at : at + 2] = small.view(np.uint8).reshape(-1, 2)
            data = raw
        else:
            data = gguf.quantize(array, kind)
        w.add_tensor(new, data, raw_dtype=kind)
        stored[key] = (new, kind)
        values = gguf.dequantize(data, kind).reshape(array.shape)
        golden[key] = (values, array, kind)
    if rope.get("rope_type") == "llama3":
        # What the converter works out; transformers' own frequencies are the golden ones.
        inv = model.model.rotary_emb.inv_freq.numpy()
        plain = 1.0 / rope["rope_theta"] ** (np.arange(0, head_dim, 2, dtype=np.float32) / head_dim)
        w.add_tensor("rope_freqs.weight", (plain / inv).astype(np.float32))
    if rope.get("rope_type") == "longrope":
        for kind in ("long", "short"):
            w.add_tensor(f"rope_factors_{kind}.weight", np.array(rope[f"{kind}_factor"], dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    tensors = {}
    for key, (values, array, kind) in golden.items():
        values = values.astype(np.float32)
        if arch == "llama" and ".q_proj." in key or arch == "llama" and ".k_proj." in key:
            heads = config.num_attention_heads if ".q_proj." in key else config.num_key_value_heads
            half = values.shape[0] // heads // 2
            values = values.reshape(heads, half, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
        if arch in ("gemma2", "gemma3") and key.endswith("norm.weight"):
            values = values - 1
        if kind in (Q.F32, Q.F16):
            assert np.array_equal(values, state[key].float().numpy()), key
        tensors[key] = {"shape": list(values.shape), "sha": sha(values), "type": kind.name}
    checked = False
    try:
        again = AutoModelForCausalLM.from_pretrained(OUT, gguf_file=path.name, dtype=torch.float32)
        for key, value in again.state_dict().items():
            if key in tensors:
                assert sha(value.numpy()) == tensors[key]["sha"], (name, key)
        checked = True
    except Exception as error:
        print(name, "is not read by transformers:", type(error).__name__, str(error)[:200])
    rotary = model.model.rotary_emb
    frequencies = {}
    for kind in ("inv_freq", "full_attention_inv_freq", "sliding_attention_inv_freq"):
        if hasattr(rotary, kind):
            frequencies[kind] = getattr(rotary, kind).double().tolist()
    scaling = getattr(rotary, "attention_scaling", None) or getattr(rotary, "full_attention_attention_scaling", 1.0)
    print(name, path.stat().st_size, "read by transformers" if checked else "")
    return {
        "tensors": tensors,
        "frequencies": frequencies,
        "attention_scaling": scaling,
        "scale": float(model.model.layers[0].self_attn.scaling),
        "layer_types": getattr(config, "layer_types", None),
        "sliding_window": getattr(config, "sliding_window", None),
        "head_dim": head_dim,
        "tied": config.tie_word_embeddings,
    }


def main():
    OUT.mkdir(exist_ok=True)
    rows, processor = pieces([])
    blanks = ["\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁"]
    gemma_rows, gemma_processor = pieces(blanks + ["<start_of_turn>", "<end_of_turn>"])
    bpe = len(VOCAB) + len(SPECIALS)
    shape = dict(
        hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=64, pad_token_id=None, bos_token_id=0, eos_token_id=1, tie_word_embeddings=True,
    )
    models_ = {}

    order = {"attn_q": [Q.F32, Q.Q8_0, Q.BF16], "attn_k": [Q.BF16, Q.Q4_0, Q.Q8_0], "ffn_gate": [Q.Q4_0, Q.Q5_0, Q.Q8_0],
             "ffn_up": [Q.Q4_1, Q.Q5_1, Q.Q4_0], "ffn_down": [Q.Q4_K, Q.Q5_K, Q.Q6_K]}

    def types(name, _):
        parts = name.split(".")
        if name in ("token_embd.weight", "output.weight"):
            return Q.Q8_0
        return order[parts[2]][int(parts[1])] if len(parts) > 3 and parts[2] in order else None

    config = LlamaConfig(**(shape | dict(
        hidden_size=32, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        tie_word_embeddings=False, vocab_size=len(rows), rope_theta=500.0)))
    models_["llama"] = write("llama", "llama", tiny(config), lambda w: write_spm(w, rows, True), types=types)
    config = LlamaConfig(**shape, vocab_size=bpe, attention_bias=True, rope_parameters={
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 16})
    models_["llama3"] = write("llama3", "llama", tiny(config), lambda w: write_bpe(w, "llama-bpe"))
    config = Qwen2Config(**shape, vocab_size=bpe, rope_theta=1e6)
    models_["qwen2"] = write("qwen2", "qwen2", tiny(config), lambda w: write_bpe(w, "qwen2"))
    config = Qwen3Config(**shape, vocab_size=bpe, head_dim=8, rope_parameters={
        "rope_type": "linear", "rope_theta": 1e6, "factor": 4.0})

    def linear(factor):
        def extra(w):
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(factor)
        return extra

    models_["qwen3"] = write("qwen3", "qwen3", tiny(config), lambda w: write_bpe(w, "qwen2"), linear(4.0))

    def gemma2(w):
        w.add_attn_logit_softcapping(40.0)
        w.add_final_logit_softcapping(20.0)
        w.add_sliding_window(8)

    config = Gemma2Config(**shape, vocab_size=len(gemma_rows), head_dim=8, sliding_window=8, query_pre_attn_scalar=8,
                          attn_logit_softcapping=40.0, final_logit_softcapping=20.0)
    models_["gemma2"] = write("gemma2", "gemma2", tiny(config), lambda w: write_spm(w, gemma_rows, False), gemma2)

    def gemma3(w):
        linear(8.0)(w)
        w.add_sliding_window(8)

    config = Gemma3TextConfig(**(shape | dict(num_hidden_layers=7)), vocab_size=bpe, head_dim=8, sliding_window=8,
                              query_pre_attn_scalar=8, rope_parameters={
        "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}})
    models_["gemma3"] = write("gemma3", "gemma3", tiny(config), lambda w: write_bpe(w, "gpt-2"), gemma3)

    def phi3(w):
        w.add_rope_scaling_orig_ctx_len(16)
        w.add_rope_dimension_count(6)
        w.add_sliding_window(12)
        w.add_rope_scaling_attn_factors((1 + np.log(64 / 16) / np.log(16)) ** 0.5)

    config = Phi3Config(**(shape | dict(hidden_size=16)), vocab_size=bpe, sliding_window=12,
                        original_max_position_embeddings=16, rope_parameters={
        "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": 16,
        "short_factor": [1.0, 1.25, 1.5], "long_factor": [2.0, 4.0, 8.0]})
    models_["phi3"] = write("phi3", "phi3", tiny(config), lambda w: write_bpe(w, "gpt-4o"), phi3)
    config = Olmo2Config(**shape, vocab_size=bpe, rope_theta=5e5)
    models_["olmo2"] = write("olmo2", "olmo2", tiny(config), lambda w: write_bpe(w, "dbrx"))

    # Since version 5, transformers adds no space before a text that begins with one, and finds the
    # names of control tokens in a text; SentencePiece itself, and older versions, do neither.
    hf, spm = llama_tokenizer(rows), [processor.encode(text) for text in TEXTS]
    for text, ids in zip(TEXTS, spm):
        if not text.startswith((" ", "▁")) and "<s>" not in text:
            assert hf(text, add_special_tokens=False)["input_ids"] == ids, text
    golden = {
        "models": models_,
        "texts": TEXTS,
        "bpe": bpe_ids(),
        "spm": spm,
        "gemma": [gemma_processor.encode(text) for text in TEXTS],
    }
    (OUT / "golden.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")


main()
