"""Measures LoRA training: Juror and PyTorch with peft on the same random weights and the same batches.

    pip install torch transformers peft
    cargo bench --bench training --no-run
    python benches/training.py                        # the 135M shape
    python benches/training.py --recompute            # activations computed again on the way back, on both sides

Each side is a process of its own with the same number of threads; they take the same batches in turns, and loading is
not counted. A batch is one optimiser step: 16 rows of 400 random ids, of which the last 120 are learned; rank 16 on
q, k, v, o, dropout 0.05, AdamW. PyTorch takes it in the micro-batch that is best for it (found first). Peaks are
those of resident memory over the whole process.
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import time

import engines

ROWS, LENGTH, ANSWER = 16, 400, 120
MICRO = [1, 2, 4, 8]


def serve(path, threads, dtype, recompute):
    """PyTorch's process."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype), attn_implementation="sdpa")
    if recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    model = get_peft_model(model, LoraConfig(
        r=16, lora_alpha=16, lora_dropout=0.05, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        task_type="CAUSAL_LM"))
    model.train()
    weights = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(weights, lr=3e-4, weight_decay=0.0)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        rows, answer, micro = request["rows"], request["answer"], request["micro"]
        count, total = len(rows) * answer, 0.0
        for at in range(0, len(rows), micro):
            ids = torch.tensor(rows[at : at + micro])
            labels = ids.clone()
            labels[:, :-answer] = -100
            loss = model(input_ids=ids, labels=labels, use_cache=False, num_items_in_batch=count).loss
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        adam.zero_grad()
        seconds = time.perf_counter() - started
        status = pathlib.Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) << 10
        print(json.dumps(dict(seconds=seconds, tokens=sum(map(len, rows)), loss=total, peak=peak)), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("target/engines"))
    parser.add_argument("--model", default="135m")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", choices=["bf16", "f32"], help="where cores have no bf16 instructions, bf16 takes PyTorch long")
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--juror")
    parser.add_argument("--serve")
    parser.add_argument("--dtype", default="bfloat16")
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.threads, options.dtype, options.recompute)

    path = engines.make(options.folder, options.model)
    vocab = engines.SHAPES[options.model][1]["vocab_size"]
    draw = random.Random(3)

    def request(rows=ROWS):
        ids = lambda: [draw.randrange(300, vocab) for _ in range(LENGTH)]
        return dict(rows=[ids() for _ in range(rows)], answer=ANSWER)

    more = ["--recompute"] if options.recompute else []
    ours = lambda dtype: engines.Engine(
        [engines.binary(options.juror, "training"), "--model", path, "--dtype", dtype, "--threads", options.threads, *more],
        options.threads)
    torch = lambda dtype: engines.Engine(
        [sys.executable, __file__, "--serve", path, "--dtype", dtype, "--threads", options.threads, *more],
        options.threads)
    for mine, other in [("bf16", "bfloat16"), ("f32", "float32")]:
        if options.only not in (None, mine):
            continue
        sides = {"juror": ours(mine), "PyTorch + peft": torch(other)}
        # The smallest micro-batch has the smallest peak: it is tried first, and its peak told.
        rates, peaks = {}, {}
        for micro in MICRO:
            tried = request(8)
            sides["PyTorch + peft"].ask(**tried, micro=micro)
            found = sides["PyTorch + peft"].ask(**tried, micro=micro)
            rates[micro], peaks[micro] = found["tokens"] / found["seconds"], found["peak"]
        best = max(rates, key=rates.get)
        print(f"{mine}: PyTorch's micro-batches " + ", ".join(
            f"{micro}: {rate:.0f} tokens/s, peak so far {peaks[micro] / 2**20:.0f} MiB" for micro, rate in rates.items()))
        ratios, speeds, losses, memory = [], {}, {}, {}
        for turn in range(options.pairs + 1):
            asked = request()
            found = {name: side.ask(**asked, micro=best) for name, side in sides.items()}
            if turn == 0:
                continue
            for name, answer in found.items():
                speeds.setdefault(name, []).append(answer["tokens"] / answer["seconds"])
                losses.setdefault(name, []).append(answer["loss"])
                memory[name] = answer["peak"]
            ratios.append(speeds["juror"][-1] / speeds["PyTorch + peft"][-1])
        for name in sides:
            print(f"  {name}: {statistics.median(speeds[name]):.0f} tokens/s, peak {memory[name] / 2**20:.0f} MiB, "
                  f"losses {', '.join(f'{loss:.3f}' for loss in losses[name])}")
        print(f"  ratio {statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)}), micro-batch {best}")
        for side in sides.values():
            side.stop()


if __name__ == "__main__":
    main()
