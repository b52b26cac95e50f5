"""Makes pairwise.json: judgments of pairs and tournaments on tiny random models, computed with transformers.

    pip install torch transformers jinja2
    python tests/golden/pairwise.py

Written from the formulas alone (Lee et al. 2024, arXiv 2402.11253): prompts, both orders, verdicts and tournaments are
made here a second time. The models are those of architectures.py; the tokenizer is a token a byte (tokenizer.rs).
"""

import hashlib
import json
import pathlib

import jinja2
import torch

from architectures import build

HERE = pathlib.Path(__file__).parent
BOS, EOS = 1, 2
# Stands for "</s>" that a person wrote: no end token.
HARMLESS = "\ue100"

CHAT = """<|s|>
{% for message in messages %}
    {% if message['role'] == 'system' %}
{{ message['content'] }}
    {% elif message['role'] == 'user' %}
{{ '\\n<|u|>\\n' + message['content'] }}
    {% else %}
{{ '\\n<|a|>\\n' + message['content'] + eos_token }}
    {% endif %}
{% endfor %}"""

PUBLISHED = {
    "chat": CHAT,
    "tokens": [" A", " B"],
    "decision": "\nDecision: Response",
    "principles": {
        "zeal": {
            "system": "Be keen.",
            "user": "Which is keener?\n{context}\nA: {response_a}\nB: {response_b}\nA or B?",
            "assistant": "Sure!\n",
        },
        "calm": {
            "system": "Be calm.",
            "user": "Which is calmer?\n{context}\nA: {response_a}\nB: {response_b}\nA or B?",
            "assistant": "Well.\n",
        },
    },
}
PLAIN = {
    "chat": None,
    "tokens": ["A", "B"],
    "decision": "",
    "principles": {
        name: {
            "system": "Compare.",
            "user": "{context}\n1: {response_a}\n2: {response_b}\nMore " + name + ":",
            "assistant": "It is ",
        }
        for name in ("truth", "wit", "care")
    },
}


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        yield z ^ z >> 31


def words(seed, count):
    vocabulary = "the a red old cat dog sees makes Größe 42 quickly never </s> {context} house. tree, why? und ☃".split()
    draw = splitmix(seed)
    return " ".join(vocabulary[next(draw) % len(vocabulary)] for _ in range(count))


def encode(text):
    """Ids of a text whose "</s>" are end tokens, behind a BOS."""
    ids = [BOS]
    for at, part in enumerate(text.split("</s>")):
        if at:
            ids.append(EOS)
        ids += [byte + 3 for byte in part.replace(HARMLESS, "</s>").encode()]
    return ids


def prompt(templates, name, context, a, b):
    texts = templates["principles"][name]
    data = {"context": context, "response_a": a, "response_b": b}
    user = texts["user"].format(**{k: v.replace("</s>", HARMLESS) for k, v in data.items()})
    cue = texts["assistant"] + templates["decision"]
    if templates["chat"] is None:
        return f"{texts['system']}\n\n{user}\n\n{cue}"
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    turns = [("system", texts["system"]), ("user", user), ("assistant", cue)]
    messages = [{"role": role, "content": content} for role, content in turns]
    text = environment.from_string(templates["chat"]).render(messages=messages, eos_token="</s>", bos_token="<s>")
    # The end token goes, and with it what a template writes behind it.
    text, _, behind = text.rpartition("</s>")
    assert not behind.strip()
    return text


class Judge:
    def __init__(self, model, templates, released=False, renormalize=False):
        self.model, self.templates, self.released, self.renormalize = model, templates, released, renormalize

    def next(self, ids):
        with torch.no_grad():
            logits = self.model(torch.tensor([ids]), use_cache=False).logits[0, -1]
        return torch.softmax(logits.double(), -1)

    def probabilities(self, text):
        ids = encode(text)
        tokens = [[byte + 3 for byte in token.encode()] for token in self.templates["tokens"]]
        # The last token of a judge token is only predicted.
        limit = 2048 - (len(tokens[0]) - 1)
        if self.released and len(ids) > limit:
            ids = ids[:1] + ids[len(ids) - limit + 1:]
        assert len(ids) <= limit, len(ids)
        first, found = self.next(ids), []
        for token in tokens:
            p, so_far = float(first[token[0]]), list(token[:1])
            for part in token[1:]:
                p *= float(self.next(ids + so_far)[part])
                so_far.append(part)
            found.append(p)
        return found

    def judge(self, context, a, b):
        found = []
        for name in self.templates["principles"]:
            orders = [self.probabilities(prompt(self.templates, name, context, *pair)) for pair in ((a, b), (b, a))]
            if self.renormalize:
                orders = [[p / sum(order) for p in order] for order in orders]
            s_a = (orders[0][0] + orders[1][1]) / 2
            s_b = (orders[0][1] + orders[1][0]) / 2
            found.append({"principle": name, "s_a": s_a, "s_b": s_b, "orders": orders})
        mean_a = sum(p["s_a"] for p in found) / len(found)
        mean_b = sum(p["s_b"] for p in found) / len(found)
        # Identical responses make identical prompts; all else differs by far more than rounding.
        equal = a == b
        if self.released:
            share = 0 if equal else sum(p["s_a"] > p["s_b"] for p in found) / len(found)
            winner = "a" if share > 0.5 or (share == 0.5 and mean_a > mean_b) else "b"
        elif equal:
            winner = "tie"
        else:
            lead = sum((p["s_a"] > p["s_b"]) - (p["s_a"] < p["s_b"]) for p in found)
            winner = "a" if (lead, mean_a) > (0, mean_b) else "b"
        return {"winner": winner, "s_a": mean_a, "s_b": mean_b, "principles": found}


def tournament(judge, seed, record, context, responses):
    left, rounds = list(range(len(responses))), []
    while len(left) > 1:
        digest = hashlib.sha256(f"{seed}\0{record}\0{len(rounds) + 1}".encode()).digest()
        draw = splitmix(int.from_bytes(digest[:8], "little"))
        for at in range(len(left) - 1, 0, -1):
            other = next(draw) * (at + 1) >> 64
            left[at], left[other] = left[other], left[at]
        following = left[:1] if len(left) % 2 else []
        playing, played = left[len(left) % 2:], []
        for a, b in zip(playing[::2], playing[1::2]):
            winner = judge.judge(context, responses[a], responses[b])["winner"]
            played.append([a, b, b if winner == "b" else a])
        rounds.append(played)
        left = following + [match[2] for match in played]
    return rounds, left[0]


def yaml_of(templates):
    """The same in the layout of the published files. JSON is YAML."""
    texts = [{"system": p["system"], "user": p["user"], "assistant": p["assistant"]} for p in templates["principles"].values()]
    block = {"judge": dict(zip(templates["principles"], texts)), "tokens": templates["tokens"]}
    if templates["chat"]:
        block["chat"] = templates["chat"]
    if templates["decision"]:
        block["decision_rationale"] = {"decision": templates["decision"], "rationale": "\nOn {position}:"}
    return json.dumps({"templates": block, "dataset": "none"}, ensure_ascii=False)


PAIRS = [
    {"context": words(1, 12), "a": words(2, 20), "b": words(3, 25)},
    {"context": words(4, 6), "a": "", "b": words(5, 15)},
    {"context": words(6, 6), "a": words(7, 8), "b": words(7, 8)},
    {"context": "", "a": words(8, 8), "b": words(9, 9)},
    {"context": "User: " + words(10, 5) + "\n\nAssistant: " + words(11, 5) + "\n\nUser: " + words(12, 5),
     "a": words(13, 30), "b": words(14, 10)},
]
LONG = {"context": words(15, 80), "a": words(16, 300), "b": words(17, 200)}


def case(name, templates, released=False, renormalize=False, pairs=PAIRS):
    model, _, _ = build(name)
    judge = Judge(model, templates, released, renormalize)
    judged = [dict(pair, **judge.judge(**pair)) for pair in pairs]
    records = []
    for n, record in enumerate(("one", "two", "five", "eight")):
        count = (1, 2, 5, 8)[n]
        responses = [words(100 * n + i, 5 + i) for i in range(count)]
        if count == 8:
            responses[3] = responses[5]
            responses[6] = ""
        context = words(1000 + n, 8)
        rounds, winner = tournament(judge, 7, record, context, responses)
        records.append({"id": record, "instruction": context, "responses": responses, "rounds": rounds, "winner": winner})
    print(name, [(p["winner"], f"{p['s_a']:.5f} {p['s_b']:.5f}") for p in judged], [r["winner"] for r in records])
    return {"model": name, "templates": yaml_of(templates), "as_released": released, "renormalize": renormalize,
            "pairs": judged, "tournaments": records}


if __name__ == "__main__":
    cases = []
    for name in ("llama3", "qwen2"):
        cases.append(case(name, PUBLISHED))
        cases.append(case(name, PLAIN, renormalize=True))
        cases.append(case(name, PLAIN, released=True, renormalize=True, pairs=PAIRS[:3] + [LONG]))
    text = json.dumps(cases, ensure_ascii=False, separators=(",", ":"))
    (HERE / "pairwise.json").write_text(text + "\n")
    print(len(text), "bytes")
