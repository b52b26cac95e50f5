"""Makes ifd.json: the four losses, IFD and rIFD of tiny random models, from transformers.

    pip install torch transformers
    python tests/golden/ifd.py

Written from the paper's definitions (Li et al. 2024, arXiv 2402.10110). The models are those of architectures.py; the
tokenizer is one token a byte, with a BOS before every text or without. ifd.rs makes the same models and compares.
"""

import json
import math
import pathlib

import torch
import transformers as t

import architectures as golden

HERE = pathlib.Path(__file__).parent
LIMIT = 400  # Short, so that some texts are cut.
torch.set_num_threads(1)
ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{x}\n\n### Response:",
    "Below is an instruction that describes a task, paired with an input that provides further context. Write a response "
    "that appropriately completes the request.\n\n### Instruction:\n{x}\n\n### Input:\n{i}\n\n### Response:",
)
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and "
    "polite answers to the user's questions. "
)
WRAPPERS = {
    "alpaca": ALPACA,
    "wizardlm": ("{x}\n\n### Response:", "{x}\n{i}\n\n### Response:"),
    "vicuna": (SYSTEM + "USER: {x} ASSISTANT:", SYSTEM + "USER: {x}\nInput:\n{i} ASSISTANT:"),
}
REVERSE = "An answer:\n{response}\nIts question?"
PAIRS = [
    ("Name a colour.", "", "Blue."),
    ("Add the numbers.", "1, 2 and 3", "They make 6, for 1 + 2 + 3 = 6.\nThat is all."),
    ("Übersetze: „Tür“ {response} {x}", "", "Door — {instruction}"),
    ("Say much.", "", "A long answer goes on and on. " * 12),
    ("Read this at length. " * 18, "and this", "Read."),
    ("A?", "", "B"),
    ("Say nothing.", "", ""),
]


def encode(text, bos):
    return ([1] if bos else []) + [byte + 3 for byte in text.encode()]


def loss(model, ids, start, limit):
    """The mean negative log-likelihood of the tokens from `start` on, of the first `limit`; the first has none."""
    ids = ids[:limit]
    labels = [-100 if at < max(start, 1) else token for at, token in enumerate(ids)]
    if all(label == -100 for label in labels):
        return None
    with torch.no_grad():
        out = model(torch.tensor([ids]), labels=torch.tensor([labels]))
    return out.loss.item()


def losses(model, bos, wrapper, x, i, r):
    plain, with_input = WRAPPERS[wrapper]
    # Slots are filled once; replace() in this order on split text keeps data as it is.
    form = with_input if i else plain
    before, after = form.split("{x}")
    prompt = before + x + after.replace("{i}", i)
    before, after = plain.split("{x}")
    reverse_before, reverse_after = REVERSE.split("{response}")
    reversed_prompt = before + reverse_before + r + reverse_after + after
    found = [None] * 4
    for at, target, prefix in [(1, r, prompt), (0, x + i, reversed_prompt)]:
        if target:
            start = len(encode(prefix, bos))
            found[at + 2] = loss(model, encode(prefix + target, bos), start, LIMIT)
            found[at] = loss(model, encode(target, bos), 1, max(LIMIT - start + 1, 0))
    return [found[0], found[1], found[2], found[3]]


def model_of(case):
    """The golden model, its weights made of hashes."""
    config_class, changes, model_class, _ = golden.CASES[case]
    config = config_class.from_json_file(str(HERE / "architectures" / f"{case}.config.json"))
    model = model_class(config).float().eval()
    listed = json.loads((HERE / "architectures" / f"{case}.json").read_text())["tensors"]
    state = {name: torch.from_numpy(golden.weights(name, shape, o, s)) for name, shape, o, s in listed}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all("rotary" in name for name in missing), (missing, unexpected)
    return model


def ratio(above, below):
    return None if above is None or not below else above / below


def main():
    cases = []
    for name in ["llama3", "qwen2"]:
        model = model_of(name)
        for bos in [True, False]:
            for wrapper in WRAPPERS:
                rows = []
                for x, i, r in PAIRS:
                    found = losses(model, bos, wrapper, x, i, r)
                    ppl = [None if value is None else math.exp(value) for value in found]
                    rows.append({
                        "loss": found, "ppl": ppl,
                        "ratios": [
                            ratio(ppl[3], ppl[1]), ratio(ppl[2], ppl[0]),
                            ratio(found[3], found[1]), ratio(found[2], found[0]),
                        ],
                    })
                cases.append({"model": name, "bos": bos, "wrap": wrapper, "rows": rows})
    pairs = [{"instruction": x, "input": i, "output": r} for x, i, r in PAIRS]
    out = {"max_length": LIMIT, "reverse": REVERSE, "pairs": pairs, "cases": cases}
    (HERE / "ifd.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
