"""Makes the starter's weights of checkpoints of one training run: their mean, and a wider use of the scale.

    pip install torch transformers safetensors
    python benches/starter_finish.py OUT 2=CHECKPOINT.safetensors 1=OTHER.safetensors … [--data ../shared/data]

A checkpoint is the `model.safetensors` that `juror train scratch` exports beside tokenizer and config; the number
before it is its weight in the mean. Most rated answers lie in the middle of the scale, and weights that are means say
the middle more often than either of them. The second step is what a loss that weighs digit d by
exp(BALANCE·(d − 4.5)² − DOUBT·[d ≤ 3]) does to the output layer alone (importance weighting of rare labels): the
digits' logits rise by that exponent. A llama has no bias there, so each digit's row of the tied embedding gets a
multiple of the mean last hidden state of training rows, along which those states hardly differ.
"""

import argparse
import gzip
import json
import pathlib
import random
import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

BALANCE, DOUBT = 0.11, 0.35
STARTER = pathlib.Path(__file__).parent.parent / "sample_data" / "starter"


def mean(parts):
    total = sum(weight for weight, _ in parts)
    sums = {}
    for weight, path in parts:
        for name, tensor in load_file(path).items():
            sums[name] = sums.get(name, 0) + weight / total * tensor.float()
    return sums


def prompts(data, count):
    """Rows of training instructions and training models, with the reference and without."""
    with gzip.open(data / "alpaca_eval_judge.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    rows = [r for r in rows if r["split"] == "train" and len(r["reference"]) + len(r["response"]) < 4000]
    for row in random.Random(1).sample(rows, count):
        for reference in ("<|reference|>" + row["reference"], ""):
            yield "<|instruction|>" + row["instruction"] + reference + "<|response|>" + row["response"] + "<|rate|>"


def widen(folder, data, count=300):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        states = [
            model.model(torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0, -1]
            for text in prompts(data, count)
        ]
        states = torch.stack(states)
        centre = states.mean(0)
        along = centre / centre.dot(centre)
        spread = states @ along
        print(f"along the mean state: {spread.mean():.3f} ± {spread.std():.3f}, |state| {states.norm(dim=1).mean():.1f}")
        rows = model.get_input_embeddings().weight
        for digit in range(10):
            rise = BALANCE * (digit - 4.5) ** 2 - DOUBT * (digit <= 3)
            row = rows[tokenizer.convert_tokens_to_ids(str(digit))]
            print(f"digit {digit}: logit {rise:+.2f}, row {row.norm():.2f} moved by {abs(rise) * along.norm():.3f}")
            row += rise * along
        return rows.clone()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    arguments = parser.parse_args()
    parts = [part.split("=", 1) for part in arguments.parts]
    weights = mean([(float(weight), path) for weight, path in parts])
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "juror.toml"):
        shutil.copy(STARTER / name, arguments.out / name)

    def save():
        halves = {name: tensor.half().contiguous() for name, tensor in weights.items()}
        save_file(halves, arguments.out / "model.safetensors", metadata={"format": "pt"})

    save()
    weights["model.embed_tokens.weight"] = widen(arguments.out, arguments.data)
    save()


if __name__ == "__main__":
    main()
