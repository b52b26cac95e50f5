"""SELF-JUDGE in small: JSFT of the starter, then on-policy self-training by its own judgments, and who finds it better.

    cargo build --release
    pip install numpy
    python benches/self_training.py [--seeds 3]          # some minutes a seed

Each model answers 100 development instructions; the answers after a training stand beside those before it, and the judge
that JSFT made (both orders), a ridge on surface features (fitted on AlpacaEval's train rows) and length say which is better.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import re
import subprocess
import zlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent.parent
ADAPTER = """learning_rate = 1e-3
epochs = 2
lora_r = 16
lora_target_modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""
JSFT = 'model = "starter"\noutput = "jsft"\nsft_data = "sft.jsonl"\npairs = "pairs.jsonl"\nbatch_size = 16\ncutoff_len = 800\n'
SELF = 'model = "starter+jsft"\noutput = "self{seed}"\nprompts = "prompts.jsonl"\nbatch_size = 20\nseed = {seed}\nmax_new_tokens = 96\n'
# Of a row's `surface`, those that need no reference.
FREE = 20


def rows(path):
    with (gzip.open(path, "rt") if path.suffix == ".gz" else open(path)) as file:
        return [json.loads(line) for line in file]


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def prepare(data, work):
    """Train rows to learn from, 100 development instructions to answer."""
    def key(row):
        return re.sub("[^a-z0-9]", "", (row["instruction"] + (row.get("input") or "")).lower())

    judged = rows(data / "alpaca_eval_judge.jsonl.gz")
    held = {key(row) for row in judged if row["instr_split"] == "dev"}

    def is_dev(row):
        return key(row) in held or zlib.crc32(key(row).encode()) % 5 == 0

    draw = random.Random(3)
    brief = [r for r in rows(data / "instruct_sample.jsonl.gz") if len(r["instruction"]) + len(r["input"] or "") < 300]
    train, dev = [r for r in brief if not is_dev(r)], [r for r in brief if is_dev(r)]
    draw.shuffle(train)
    draw.shuffle(dev)
    learned = [r for r in train if 40 < len(r["output"]) < 500][:500]
    known = {key(row) for row in learned}
    prompts = [r for r in train if key(r) not in known][:200]
    write(work / "sft.jsonl", [{f: r[f] for f in ("instruction", "input", "output")} for r in learned])
    for name, part in (("prompts", prompts), ("test", dev[:100])):
        write(work / f"{name}.jsonl", [{"id": f"{name}{i}", "instruction": r["instruction"], "input": r["input"]} for i, r in enumerate(part)])
    pairs = [r for r in rows(data / "pairwise_human.jsonl.gz") if not is_dev(r) and r["label"] != "tie"]
    pairs = [r for r in pairs if len(r["instruction"]) + len(r["response_a"]) + len(r["response_b"]) < 1800]
    write(work / "pairs.jsonl", draw.sample(pairs, min(400, len(pairs))))
    rated = [r for r in judged if r["split"] == "train" and r["annotator"] == "weighted_gpt4_turbo" and r["response"].strip()]
    write(work / "rated.jsonl", [{f: r[f] for f in ("id", "instruction", "response", "p")} for r in draw.sample(rated, 1500)])


def ridge(scored, strength=10):
    x, y = np.array([r["surface"][:FREE] for r in scored]), np.array([r["labels"]["p"] for r in scored])
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = (x - mean) / spread
    weights = np.linalg.solve(z.T @ z + strength * np.eye(FREE), z.T @ (y - y.mean()))
    return lambda row: float((np.array(row["surface"][:FREE]) - mean) / spread @ weights)


def share(wins, draw):
    wins = np.array(wins)
    low, high = np.percentile([draw.choice(wins, len(wins)).mean() for _ in range(2000)], [2.5, 97.5])
    return f"{wins.mean():.2f} [{low:.2f}, {high:.2f}]"


def better(new, old):
    return 0.5 if new == old else float(new > old)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--juror", default=HERE / "target/release/juror")
    parser.add_argument("--data", type=pathlib.Path, default=HERE.parent / "shared/data")
    parser.add_argument("--work", type=pathlib.Path, default=HERE / "target/self_training")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, JUROR_HOME=str(work / "home"), JUROR_SHARE=str(HERE))

    def juror(*words):
        subprocess.run([arguments.juror, *words, "--quiet"], cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL)

    def answered(name, policy):
        juror("best-of", "test.jsonl", "--n", "1", "--policy", policy, "--judge", "starter", "--mode", "free", "--max-tokens", "96",
              "--seed", "7", "--samples", f"{name}.jsonl", "--scored", f"{name}.scored.jsonl")
        texts = {r["id"]: r["responses"][0]["response"] for r in rows(work / f"{name}.jsonl")}
        return {r["id"]: (r, texts[r["id"]]) for r in rows(work / f"{name}.scored.jsonl")}

    prepare(arguments.data, work)
    (work / "jsft.toml").write_text(JSFT + ADAPTER)
    juror("train", "jsft", "--config", "jsft.toml")
    juror("score", "rated.jsonl", "--mode", "free", "--signals", "self_eval", "-o", "rated.scored.jsonl")
    rate, draw = ridge(rows(work / "rated.scored.jsonl")), np.random.default_rng(0)
    before, after_jsft = answered("starter", "starter"), answered("jsft-answers", "starter+jsft")
    trained = [("JSFT beside the starter", after_jsft, before)]
    for seed in range(arguments.seeds):
        (work / f"self{seed}.toml").write_text(SELF.format(seed=seed) + ADAPTER)
        juror("train", "self", "--config", f"self{seed}.toml")
        answers = answered(f"self{seed}-answers", f"starter+jsft+self{seed}")
        trained.append((f"self-training, seed {seed}, beside JSFT", answers, after_jsft))
    for name, new, old in trained:
        both = [i for i in old if i in new]
        tasks = {r["id"]: r for r in rows(work / "test.jsonl")}
        write(work / "pair.jsonl", [dict(tasks[i], response_a=new[i][1] or " ", response_b=old[i][1] or " ") for i in both])
        juror("pair", "pair.jsonl", "--judge", "starter+jsft", "-o", "verdicts.jsonl")
        judge = [{"a": 1.0, "b": 0.0}.get(r["winner"], 0.5) for r in rows(work / "verdicts.jsonl")]
        by_ridge = [better(rate(new[i][0]), rate(old[i][0])) for i in both]
        longer = [better(new[i][0]["length"], old[i][0]["length"]) for i in both]
        lengths = [np.mean([side[i][0]["length"] for i in both]) for side in (new, old)]
        print(f"{name}: judge {share(judge, draw)}, ridge {share(by_ridge, draw)}, longer {share(longer, draw)}; "
              f"mean length {lengths[0]:.0f} beside {lengths[1]:.0f}", flush=True)


if __name__ == "__main__":
    main()
