"""Self-J's claim in small: is a judge better without the reference when it was distilled from itself with it?

    cargo build --release
    pip install numpy
    python benches/distillation.py                       # a few minutes a run, twelve runs

Targets are what the starter says of training rows with the reference shown; four ways to learn from them, three seeds each,
measured on the clean rows (new models on new instructions) without the reference: Pearson over all rows and within
instructions (mean of those with varying scores), with 95 % intervals by bootstrap over instructions, seeds averaged.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import subprocess

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent.parent
# How the starter is asked. The files' prompts hold its markers, and `special_tokens` reads them as such.
TEMPLATE = """name = "starter-own"
reference = "<|instruction|>{instruction}<|reference|>{reference}<|response|>{response}<|rate|>"
free = "<|instruction|>{instruction}<|response|>{response}<|rate|>"
"""
CONFIG = """model = "starter"
output = "{output}"
with_reference = "{rows}/with_reference.json"
reference_free = "{rows}/reference_free.json"
alpha_for_kd = {distillation}
wrap = "none"
special_tokens = true
seed = {seed}
epochs = 1
batch_size = 16
learning_rate = 5e-4
warmup_steps = 10
lora_r = 16
lora_target_modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""
# Name: targets, weight of the distillation.
WAYS = {"distilled": ("fused", 2), "without": ("fused", 0), "self_eval_only": ("self_eval", 2), "cosine_only": ("cosine", 2)}


def prepare(data, work, count):
    """Training rows that are not too long, and the clean rows."""
    with gzip.open(data / "alpaca_eval_judge.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    rows = [r for r in rows if r["annotator"] == "weighted_gpt4_turbo"]
    clean = [r for r in rows if r["instr_split"] == "dev" and r["model_split"] == "dev"]
    train = [r for r in rows if r["split"] == "train" and r["provenance"] != "unmerged-pr" and r["response"].strip()]
    train = [r for r in train if len(r["response"]) < 1600 and len(r["reference"]) < 2200 and len(r["instruction"]) < 800]
    train = random.Random(5).sample(train, 2 * count)[:count]
    for name, part in (("train", train), ("clean", clean)):
        fields = ("id", "instruction", "reference", "response", "generator") + (("p",) if name == "clean" else ())
        lines = [json.dumps({field: row[field] for field in fields}) + "\n" for row in part]
        (work / f"{name}.jsonl").write_text("".join(lines))


def scores(path):
    rows = map(json.loads, path.read_text().splitlines())
    return {row["response_id"]: (row["signals"]["self_eval"], row["labels"]["p"], row["instruction_hash"]) for row in rows}


def figures(score, label, groups):
    rows = np.concatenate(groups)
    varied = [g for g in groups if score[g].std() > 0 and label[g].std() > 0]
    within = [np.corrcoef(score[g], label[g])[0, 1] for g in varied]
    return np.array([np.corrcoef(score[rows], label[rows])[0, 1], np.mean(within)])


def shown(name, mean, draws):
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    parts = [f"{what} {m:+.3f} [{a:+.3f}, {b:+.3f}]" for what, m, a, b in zip(("Pearson", "within"), mean, low, high)]
    print(f"{name:28} {'  '.join(parts)}")


def report(work, ways):
    first = scores(work / "untouched.jsonl")
    ids = sorted(first)
    label, owner = np.array([first[i][1] for i in ids]), np.array([first[i][2] for i in ids])
    groups = [np.where(owner == key)[0] for key in sorted(set(owner))]
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(groups), len(groups)) for _ in range(2000)]
    means, draws = {}, {}
    for name, files in ways.items():
        every = [np.array([found[i][0] for i in ids]) for found in map(scores, files)]
        means[name] = np.mean([figures(s, label, groups) for s in every], 0)
        draws[name] = np.array([np.mean([figures(s, label, [groups[k] for k in d]) for s in every], 0) for d in drawn])
        shown(name, means[name], draws[name])
    for name in ways:
        if name != "distilled":
            shown(f"distilled − {name}", means["distilled"] - means[name], draws["distilled"] - draws[name])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--juror", default=HERE / "target/release/juror")
    parser.add_argument("--data", type=pathlib.Path, default=HERE.parent / "shared/data")
    parser.add_argument("--work", type=pathlib.Path, default=HERE / "target/distillation")
    parser.add_argument("--rows", type=int, default=750)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, JUROR_HOME=str(work / "home"), JUROR_SHARE=str(HERE))

    def juror(*words):
        subprocess.run([arguments.juror, *words, "--quiet"], cwd=work, env=environment, check=True)

    def score(judge, name):
        juror("score", "clean.jsonl", "--judge", judge, "--mode", "free", "--labels-only", "-o", f"{name}.jsonl")
        return work / f"{name}.jsonl"

    prepare(arguments.data, work, arguments.rows)
    (work / "own.toml").write_text(TEMPLATE)
    for target in {target for target, _ in WAYS.values()}:
        juror("make-training", "train.jsonl", "-o", f"rows_{target}", "--target", target, "--mode", "reference",
              "--train-template", "own.toml")
    ways = {"untouched": [score("starter", "untouched")]}
    for seed in range(arguments.seeds):
        for name, (target, distillation) in WAYS.items():
            run = f"{name}-{seed}"
            config = CONFIG.format(output=f"run_{run}", rows=f"rows_{target}", distillation=distillation, seed=seed)
            (work / f"{run}.toml").write_text(config)
            juror("train", "judge", "--config", f"{run}.toml")
            ways.setdefault(name, []).append(score(f"starter+run_{run}", run))
    report(work, ways)


if __name__ == "__main__":
    main()
