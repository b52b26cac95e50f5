"""Makes the golden numbers of SelectIT (Liu et al. 2024) from transformers, written from the formulas alone.

    pip install torch transformers numpy
    python tests/golden/selectit.py

The models are those of architectures.py (weights are hashes), the tokenizer that of tokenizer.rs: `<s>`, then a token a
byte. Writes selectit.json: rows, rating lines, and for each form, level and place of the line the token-level scores,
the scores and the selected indices.
"""

import json
import math
import pathlib

import numpy as np
import torch

import architectures

HERE = pathlib.Path(__file__).parent
MODELS = ["llama3", "qwen2", "llama2"]
ALPHA, PROPORTION, K = 0.2, 0.4, 5
BOS = 1

ROWS = [
    {"instruction": "Add the numbers.", "input": "2 and 3", "output": "5", "tag": 1.5},
    {"instruction": "Name a colour.", "input": "", "output": "Blue."},
    {"output": "Tea is a drink made of leaves and hot water.", "instruction": "What is tea?"},
    {"instruction": "Say nothing.", "input": "", "output": ""},
    {"instruction": "Name a colour.", "input": "", "output": "Blue."},
    {"instruction": "Translate into German.", "input": "Good morning", "output": "Guten Morgen, schönes Wetter — 你好"},
    {"instruction": "Write a loop.", "input": "", "output": "for i in range(10):\n    print(i)\n"},
    {"instruction": "Why is the sky blue?", "input": "", "output": "Because air scatters blue light more than red light."},
    {"instruction": "Count to three.", "input": "", "output": "1, 2, 3"},
    {"instruction": "Repeat the slot.", "input": "{response}", "output": "{instruction} </s> {criterion}"},
    {"instruction": "Name a colour.", "input": "", "output": "Blue."},
]

# Nine lines as published prompts stand in their file: the last has no newline. Not the authors' text.
LINES = [f"Prompt {n}: rate the pair from 1 to 5.\n" for n in range(1, 9)] + ["Prompt 9: again, from 1 to 5."]


def encode(text):
    return [BOS] + [byte + 3 for byte in text.encode()]


def prompt(line, row, last):
    x = row["instruction"] + ("\n\n" + row["input"] if row.get("input") else "")
    pair = "Instruction:" + x + "\n" + "Response:" + row["output"]
    cue = "The answer is: \n"
    if last:
        return pair + "\n\n" + line + "\n" + cue
    return line + "\n" + pair + "\n" + cue


def ratings(model, text):
    """Probabilities of the tokens 1 … K next."""
    with torch.no_grad():
        logits = model(torch.tensor([encode(text)]), use_cache=False).logits[0, -1].double()
    p = torch.softmax(logits, -1)
    return [float(p[ord(str(k)) + 3]) for k in range(1, K + 1)]


def token_score(p, released):
    p = np.array(p) / sum(p)
    if released:
        p = np.exp(p) / np.exp(p).sum()
    base = int(np.argmax(p))
    return (base + 1) * float(np.abs(p[base] - p).sum()) / (K - 1)


def sentence_score(scores):
    return float(np.mean(scores) / (1 + ALPHA * np.std(scores)))


def select(scores):
    """As a stable descending sort with the index as second key: of equal scores the higher index first."""
    order = sorted(range(len(scores)), key=lambda i: (scores[i], i), reverse=True)
    return order[: math.floor(len(scores) * PROPORTION)]


def main():
    models = {name: architectures.build(name)[0] for name in MODELS}
    parameters = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    known = {}

    def p(name, line, row, last):
        text = prompt(line, row, last)
        if (name, text) not in known:
            known[name, text] = ratings(models[name], text)
        return known[name, text]

    cases = []
    for released in (False, True):
        for last in (False, True):
            def scores_of(name, lines):
                return [[token_score(p(name, line, row, last), released) for line in lines] for row in ROWS]

            def case(level, names, tokens, scores, **more):
                cases.append(dict(
                    released=released, last=last, level=level, judges=names, token_scores=tokens, scores=scores,
                    selected=select(scores), **more))

            for name in MODELS[:2]:
                for index in (0, 8):
                    tokens = scores_of(name, [LINES[index]])
                    case("token", [name], [[t] for t in tokens], [t[0] for t in tokens], index=index)
                tokens = scores_of(name, LINES[:5])
                case("sentence", [name], [[t] for t in tokens], [sentence_score(t) for t in tokens])
            names = MODELS if released else MODELS[:2]
            if released:
                weights = [7 / 20, 13 / 20, 70 / 90]
            else:
                weights = [parameters[n] / sum(parameters[m] for m in names) for n in names]
            each = [scores_of(name, LINES[:5]) for name in names]
            tokens = [list(of) for of in zip(*each)]
            scores = [sum(w * sentence_score(t) for w, t in zip(weights, of)) for of in tokens]
            case("model", names, tokens, scores, weights=weights)
    gaps = []
    for c in cases:
        ranked = sorted(set(c["scores"]), reverse=True)
        gaps.append(min(a - b for a, b in zip(ranked, ranked[1:])))
    golden = dict(rows=ROWS, lines=LINES, alpha=ALPHA, proportion=PROPORTION, parameters=parameters, cases=cases)
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    (HERE / "selectit.json").write_text(text + "\n")
    print(f"{len(cases)} cases, {len(text)} bytes; the nearest different scores differ by {min(gaps):.2e}")


if __name__ == "__main__":
    main()
