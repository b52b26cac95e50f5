"""Measures Juror, llama.cpp and PyTorch on the same random weights and the same prompts.

    pip install llama-cpp-python torch transformers gguf
    cargo bench --bench engine --no-run
    python benches/engines.py --quick          # the 135M shape alone
    python benches/engines.py --models 135m 0.5b 2048 --pairs 5 --json engines.json

Models are made once, in --folder. Every engine is a process of its own with the same number of
threads; they take the same requests in turns, and loading is not counted. `--against torch` leaves llama.cpp out. Prompts are random ids,
new in each turn, so that every prefix cache starts cold. `tests/golden` compares results; here the
log-probabilities are only shown to be the same distribution.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

SHAPES = {
    "135m": ("llama", dict(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, vocab_size=49152)),
    "0.5b": ("qwen2", dict(
        hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
        num_key_value_heads=2, vocab_size=151936)),
    "2048": ("llama", dict(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
        num_key_value_heads=8, vocab_size=49152)),
    # Judges so fast that all the rest shows.
    "tiny": ("llama", dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, vocab_size=512)),
}
LABELS = list(range(300, 311))
BATCHES = [1, 4, 8, 16]
# Prompts whose results an engine tells.
SHOWN = 8


# Models -----------------------------------------------------------------------------------------

def make(folder, name):
    """A random model as safetensors in bf16, and the same weights as GGUF."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

    arch, shape = SHAPES[name]
    path = folder / name
    if not (path / "done").exists():
        torch.manual_seed(5)
        common = dict(max_position_embeddings=4096, tie_word_embeddings=True, rope_theta=1e5,
                      bos_token_id=256, eos_token_id=257, pad_token_id=None)
        config = {"llama": LlamaConfig, "qwen2": Qwen2Config}[arch](**shape, **common)
        model = AutoModelForCausalLM.from_config(config).to(torch.bfloat16)
        with torch.no_grad():
            for p in model.parameters():
                if p.ndim == 1:
                    p.add_(torch.randn_like(p) * 0.1)
        model.save_pretrained(path)
        write_tokenizer(path)
        for kind in ("F16", "Q8_0"):
            write_gguf(path / f"{kind}.gguf", arch, model, kind)
        (path / "done").touch()
    return path


def alphabet():
    """The 256 characters that stand for bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + n) for n in range(len(others))]


def write_tokenizer(path):
    """A byte-level BPE without merges: enough to load; prompts are ids."""
    special = [
        dict(id=256 + n, content=text, single_word=False, lstrip=False, rstrip=False,
             normalized=False, special=True) for n, text in enumerate(["<|bos|>", "<|eos|>"])
    ]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    (path / "tokenizer.json").write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, added_tokens=special, normalizer=None,
        pre_tokenizer=level, post_processor=None, decoder=level,
        model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None,
                   end_of_word_suffix=None, fuse_unk=False, byte_fallback=False, merges=[],
                   vocab={c: n for n, c in enumerate(alphabet())}))))
    (path / "tokenizer_config.json").write_text(json.dumps(dict(
        tokenizer_class="PreTrainedTokenizerFast", bos_token="<|bos|>", eos_token="<|eos|>")))


def write_gguf(path, arch, model, kind):
    """Writes the weights as llama.cpp's converter does."""
    import gguf
    import numpy as np
    from gguf import GGMLQuantizationType as Q

    c = model.config
    head_dim = c.hidden_size // c.num_attention_heads
    w = gguf.GGUFWriter(path, arch)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(c.rope_parameters["rope_theta"])
    w.add_rope_dimension_count(head_dim)
    w.add_vocab_size(c.vocab_size)
    tokens = alphabet() + ["<|bos|>", "<|eos|>"]
    unused = c.vocab_size - len(tokens)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2" if arch == "qwen2" else "smollm")
    w.add_token_list(tokens + [f"<unused{n}>" for n in range(unused)])
    w.add_token_types([1] * 256 + [3] * 2 + [5] * unused)
    w.add_token_merges(["a b"])
    w.add_bos_token_id(256)
    w.add_eos_token_id(257)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch.upper()], c.num_hidden_layers)
    for key, tensor in model.state_dict().items():
        if key == "lm_head.weight":
            continue
        array = tensor.float().numpy()
        for part, heads in ((".q_proj.", c.num_attention_heads), (".k_proj.", c.num_key_value_heads)):
            if arch == "llama" and part in key:
                halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
                array = halves.swapaxes(1, 2).reshape(array.shape)
        stored = Q.F32 if array.ndim == 1 else Q[kind]
        data = gguf.quantize(np.ascontiguousarray(array), stored)
        w.add_tensor(names.get_name(key, try_suffixes=(".weight", ".bias")), data, raw_dtype=stored)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def products(name):
    """Weights that every token is multiplied with: all but the embedding."""
    _, c = SHAPES[name]
    dim, ffn, layers = c["hidden_size"], c["intermediate_size"], c["num_hidden_layers"]
    kv = dim // c["num_attention_heads"] * c["num_key_value_heads"]
    return layers * (2 * dim * dim + 2 * dim * kv + 3 * dim * ffn)


# Engines ----------------------------------------------------------------------------------------

class LlamaCpp:
    def __init__(self, path, threads):
        from llama_cpp import Llama
        self.llama = Llama(model_path=path, n_ctx=2048, n_batch=512, n_ubatch=512, n_threads=threads,
                           n_threads_batch=threads, verbose=False)
        self.held = []

    def logits(self, ids):
        """Logits after a prompt; what it shares with the one before stays in the cache."""
        import llama_cpp
        shared = 0
        while shared < min(len(ids) - 1, len(self.held)) and ids[shared] == self.held[shared]:
            shared += 1
        self.llama.n_tokens = shared
        self.llama.eval(ids[shared:])  # Drops what the cache holds behind `n_tokens`.
        self.held = list(ids)
        row = llama_cpp.llama_get_logits_ith(self.llama.ctx, -1)
        import numpy as np
        return np.ctypeslib.as_array(row, shape=(self.llama.n_vocab(),)), len(ids) - shared

    def labels(self, prompts, labels):
        import numpy as np
        results, tokens = [], 0
        for ids in prompts:
            logits, computed = self.logits(ids)
            e = np.exp(logits - logits.max())
            results.append((e[labels] / e.sum(dtype=np.float64)).tolist())
            tokens += computed
        return results, tokens

    def generate(self, ids, count):
        written, first, started = [], None, time.perf_counter()
        while len(written) < count:
            logits, _ = self.logits(ids + written)
            written.append(int(logits.argmax()))
            first = first or time.perf_counter() - started
        return written, first


class Torch:
    def __init__(self, path, threads, dtype="bfloat16"):
        import torch
        from transformers import AutoModelForCausalLM
        torch.set_num_threads(threads)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(
            path, dtype=getattr(torch, dtype), attn_implementation="sdpa").eval()

    def labels(self, prompts, labels, batch):
        results = []
        with self.torch.inference_mode():
            for at in range(0, len(prompts), batch):
                ids = self.torch.tensor(prompts[at : at + batch])
                logits = self.model(ids, use_cache=False, logits_to_keep=1).logits[:, -1].float()
                results += logits.softmax(-1)[:, labels].tolist()
        return results, sum(map(len, prompts))


def serve(engine, path, threads):
    """An engine's process: a request a line, as in `benches/engine.rs`."""
    engines = {"llama": LlamaCpp, "torch": Torch, "exact": lambda *given: Torch(*given, dtype="float32")}
    model = engines[engine](path, threads)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started, first = time.perf_counter(), None
        if "generate" in request:
            written, first = model.generate(request["prompts"][0], request["generate"])
            results, tokens = [written], len(written)
        elif "batch" in request:
            results, tokens = model.labels(request["prompts"], request["labels"], request["batch"])
        else:
            results, tokens = model.labels(request["prompts"], request["labels"])
        seconds = time.perf_counter() - started
        print(json.dumps(dict(seconds=seconds, first=first, tokens=tokens, results=results[:SHOWN])), flush=True)


class Engine:
    """A process that answers requests."""

    def __init__(self, command, threads):
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.read()

    def read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.process.args} ended")

    def processor(self):
        """Seconds of processor time so far, of all its threads; 0 where the system does not tell."""
        try:
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, **request):
        before = self.processor()
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read() | {"processor": self.processor() - before}

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def binary(given, name="engine"):
    if given:
        return given
    built = subprocess.run(
        ["cargo", "bench", "--bench", name, "--no-run", "--message-format=json"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in built.splitlines()]
    return next(m["executable"] for m in messages
                if m.get("executable") and m.get("target", {}).get("name") == name)


# Workloads --------------------------------------------------------------------------------------

class Bench:
    def __init__(self, name, path, options):
        self.name, self.options, self.vocab = name, options, SHAPES[name][1]["vocab_size"]
        self.random = random.Random(17)
        threads = options.threads
        juror = lambda dtype: Engine(
            [options.juror, "--judge", path, "--dtype", dtype, "--threads", threads], threads)
        other = lambda engine, at: Engine(
            [sys.executable, pathlib.Path(__file__), "--serve", engine, at, "--threads", threads], threads)
        self.other = other
        self.engines = {"juror bf16": juror("bf16"), "juror int8": juror("int8")}
        self.path = path
        if "torch" in options.against:
            self.engines["PyTorch bf16"] = other("torch", path)
        if "llama" in options.against:
            self.engines["llama.cpp Q8_0"] = other("llama", path / "Q8_0.gguf")
            self.engines["llama.cpp F16"] = other("llama", path / "F16.gguf")
        self.judging = [name for name in self.engines if name != "llama.cpp F16"]
        self.batch = BATCHES[0]
        self.peak = {}
        self.rows = {}
        self.missed = {}

    def ids(self, count):
        return [self.random.randrange(300, self.vocab) for _ in range(count)]

    def turns(self, workload, engines, requests, pairs):
        """Every engine answers the same requests in turns; the last request of each is timed."""
        for turn in range(pairs + 1):
            asked, answers = requests(), {}
            for name in engines:
                for request in asked:
                    extra = {"batch": self.batch} if name.startswith("PyTorch") else {}
                    answers[name] = self.engines[name].ask(**request, **extra)
            if turn > 0:  # The first warms up.
                for name, answer in answers.items():
                    self.rows.setdefault(workload, {}).setdefault(name, []).append(answer)
            self.compare(workload, answers)

    def compare(self, workload, answers):
        """Largest difference of a log-probability from PyTorch's (or the first engine's)."""
        import math
        base = answers.get("PyTorch bf16") or next(iter(answers.values()))
        for name, answer in answers.items():
            if answer["results"] and isinstance(answer["results"][0][0], float):
                pairs = [(p, q) for a, b in zip(answer["results"], base["results"]) for p, q in zip(a, b)]
                worst = max(abs(math.log(p / q)) for p, q in pairs)
                assert worst < 0.5, (workload, name, worst)
                answer["difference"] = worst

    def tune(self):
        """PyTorch's best batch."""
        prompts = [self.ids(400) for _ in range(16)]
        torch = self.engines.get("PyTorch bf16")
        if not torch:
            return
        torch.ask(prompts=prompts[:1], labels=LABELS, batch=1)
        # Of the largest batch's prompts as many as small batches need to be told apart.
        seconds = {b: torch.ask(prompts=prompts[: max(b, 4)], labels=LABELS, batch=b)["seconds"] / max(b, 4)
                   for b in BATCHES}
        self.batch = min(seconds, key=seconds.get)
        print(f"{self.name}: PyTorch, seconds a prompt by batch: {seconds}", flush=True)

    def limit(self):
        for dtype in ("bf16", "int8"):
            answer = self.engines[f"juror {dtype}"].ask(peak=0.5)
            self.peak[dtype] = answer["operations_per_second"]

    def different(self):
        count = self.options.prompts
        self.turns("different", self.judging, lambda: [dict(
            prompts=[self.ids(400) for _ in range(count)], labels=LABELS)], self.options.pairs)

    def shared(self):
        def request():
            prompts = []
            for _ in range(self.options.instructions):
                head = self.ids(280)
                prompts += [head + self.ids(120) for _ in range(8)]
            return [dict(prompts=prompts, labels=LABELS)]
        self.turns("shared", self.judging, request, self.options.pairs)

    def typing(self):
        def request(labels_only):
            head, tail = self.ids(984), self.ids(16)
            full = dict(prompts=[head + tail], labels=LABELS)
            return [full, dict(prompts=[head + self.ids(3) + tail], labels=LABELS, labels_only=labels_only)]
        main = ["juror bf16", "juror int8"]
        self.turns("typing", main, lambda: request(False), self.options.pairs)
        self.turns("typing, labels only", main, lambda: request(True), self.options.pairs)
        self.turns("full", main, lambda: [dict(prompts=[self.ids(1000)], labels=LABELS)], self.options.pairs)

    def generation(self):
        request = lambda: [dict(prompts=[self.ids(200)], generate=128)]
        pairs = [("juror bf16", "llama.cpp F16"), ("juror int8", "llama.cpp Q8_0")]
        for pair in pairs:
            pair = [name for name in pair if name in self.engines]
            self.turns("generation", pair, request, self.options.pairs)

    def errors(self):
        """How far the expected label is from that of PyTorch in f32."""
        labels = LABELS[:10]
        exact = self.other("exact", self.path)
        missed = {name: [] for name in self.judging}
        for _ in range(0, self.options.prompts, SHOWN):
            request = dict(prompts=[self.ids(400) for _ in range(SHOWN)], labels=labels)
            means = lambda engine, **extra: [
                sum(d * p for d, p in enumerate(row)) / sum(row) for row in engine.ask(**request, **extra)["results"]]
            right = means(exact, batch=1)
            for name in self.judging:
                extra = {"batch": 1} if name.startswith("PyTorch") else {}
                missed[name] += [abs(a - b) for a, b in zip(means(self.engines[name], **extra), right)]
        exact.stop()
        self.missed = {name: sorted(all) for name, all in missed.items()}

    def stop(self):
        for engine in self.engines.values():
            engine.stop()

    def report(self):
        """Medians, and medians of the ratios within a turn, by the clock and of processor time."""
        found = []
        of = lambda workload, name, key="seconds": [a[key] for a in self.rows.get(workload, {}).get(name, [])]
        def row(workload, dtype, against, bar, name, other, unit, base=None):
            base = base or workload
            ours, theirs = of(workload, name), of(base, other)
            if not ours or not theirs:
                return
            cpu = zip(of(workload, name, "processor"), of(base, other, "processor"))
            cpu = [b / a for a, b in cpu if a > 0]
            found.append(dict(
                model=self.name, workload=workload, dtype=dtype, against=against, bar=bar, pairs=len(ours),
                ratio=statistics.median(b / a for a, b in zip(ours, theirs)),
                processor_ratio=statistics.median(cpu) if cpu else 0.0,
                ours=unit / statistics.median(ours), theirs=unit / statistics.median(theirs)))
        bars = {
            ("different", "llama.cpp Q8_0"): (1.8, 2.6), ("different", "PyTorch bf16"): (1.3, 1.9),
            ("shared", "llama.cpp Q8_0"): (1.8, 2.6), ("shared", "PyTorch bf16"): (3.0, 4.2),
        }
        for (workload, against), pair in bars.items():
            unit = self.options.prompts if workload == "different" else 8 * self.options.instructions
            for dtype, bar in zip(("bf16", "int8"), pair):
                row(workload, dtype, against, bar, f"juror {dtype}", against, unit)
        for dtype, against in (("bf16", "llama.cpp F16"), ("int8", "llama.cpp Q8_0")):
            name = f"juror {dtype}"
            row("generation", dtype, against, 1.0, name, against, 128)
            for workload in ("typing", "typing, labels only"):
                row(workload, dtype, "full pass", 1 / 0.03, name, name, 1, "full")
            work = 2 * products(self.name)
            for workload in ("different", "full"):
                rows = self.rows.get(workload, {}).get(name, [])
                if rows and dtype in self.peak:
                    share = statistics.median(work * a["tokens"] / a["seconds"] for a in rows) / self.peak[dtype]
                    found.append(dict(model=self.name, workload=workload, dtype=dtype, share_of_peak=share,
                                      peak=self.peak[dtype]))
        for name, all in self.missed.items():
            found.append(dict(model=self.name, engine=name, prompts=len(all), median_error=statistics.median(all),
                              p99_error=all[min(len(all) - 1, int(0.99 * len(all)))]))
        return found


def table(found):
    lines = [
        "| model | workload | dtype | against | ours, 1/s | theirs, 1/s | ratio | of processor time | bar |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for f in found:
        if "ratio" in f:
            lines.append("| {model} | {workload} | {dtype} | {against} | {ours:.2f} | {theirs:.2f} | {ratio:.2f} | {processor_ratio:.2f} | {bar:.2f} |".format(**f))
    for f in found:
        if "p99_error" in f:
            lines.append("{model}, {engine}: expected label off by {median_error:.2e} (median), {p99_error:.2e} (99 %) "
                         "over {prompts} prompts".format(**f))
        if "share_of_peak" in f:
            lines.append("{model}, {workload}, {dtype}: {share_of_peak:.0%} of {0:.0f} G operations/s".format(f["peak"] / 1e9, **f))
    return "\n".join(lines)


WORKLOADS = ["different", "shared", "typing", "generation", "errors"]


def arguments(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("target/engines"))
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--quick", action="store_true", help="the 135M shape alone, few prompts")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--against", nargs="*", choices=["llama", "torch"], default=["llama", "torch"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--prompts", type=int, default=64, help="different prompts in a turn")
    parser.add_argument("--instructions", type=int, default=8, help="each with 8 responses, in a turn")
    parser.add_argument("--juror", help="the bench binary; built by cargo unless given")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--serve", nargs=2, metavar=("ENGINE", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.quick:
        options.models, options.prompts, options.instructions = ["135m"], 8, 1
    return options


def main():
    options = arguments()
    if options.serve:
        return serve(*options.serve, options.threads)
    options.juror = binary(options.juror)
    found = []
    for name in options.models:
        bench = Bench(name, make(options.folder, name), options)
        bench.limit()
        bench.tune()
        for workload in options.workloads:
            getattr(bench, workload)()
        bench.stop()
        found += bench.report()
        print(table(found), flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
