"""Makes the golden numbers of training, from torch, transformers, peft and trl.

    pip install torch transformers peft trl datasets
    python tests/golden/training.py [case …]

It writes, into training/ beside itself:
  KIND.steps.json    what steps learn from; cases that learn from the same share it
  CASE.json          a small model, how it is trained, and losses, gradients and weights
  adapter.json       logits of a model with an adapter, as peft computes them

Weights are not stored: those of models and of adapters at the start are hashes of names and indices, as in
architectures.py. Every case is trained by the loop below, once in f32, which is what is stored, and once in f64 (but
for norms, attention's softmax and rotations, which transformers keeps in f32), which says how far rounding carries;
and by transformers' or trl's own trainer, where one trains in that way, which must come to the same.
"""

import json
import logging
import math
import pathlib
import sys
import tempfile
import warnings

import torch
import torch.nn.functional as F
import transformers as t
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from tokenizers import Tokenizer, models
from trl import DPOConfig, DPOTrainer

import architectures
from architectures import GLOBAL, LOCAL, fnv1a, prompt_ids, rounded, splitmix, weights

HERE = pathlib.Path(__file__).parent / "training"
# Step i learns from entry i modulo ENTRIES, so that losses fall.
STEPS, ENTRIES, ATTACHED_STEPS, ABLATION_STEPS = 20, 5, 5, 3
VOCAB, END = 320, 2
RANK, ALPHA = 4, 8
B_SCALE = 0.05
FREE_WEIGHT, KL_WEIGHT = 0.3, 2.0
BETA = 0.1
# How far transformers' and trl's trainers may be from the loop below: they pad, and so round otherwise.
TOLERANCE = 1e-4
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
torch.use_deterministic_algorithms(True)

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
LINEAR = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]

# What makes the models of architectures.py smaller, and their windows shorter than the sequences.
TWO = dict(num_hidden_layers=2)
WINDOW = dict(sliding_window=8)
SMALLER = {
    "llama2": TWO,
    "mistral": dict(TWO, **WINDOW),
    "qwen2": dict(TWO, **WINDOW, max_window_layers=1),
    "qwen3": TWO,
    "gemma2": dict(TWO, **WINDOW),
    "gemma3": dict(TWO, **WINDOW, layer_types=[LOCAL, GLOBAL]),
    "phi3": TWO,
    "olmo2": TWO,
    "smollm3": dict(TWO, no_rope_layers=[1, 0]),
}
for architecture, smaller in SMALLER.items():
    config_class, differences, model_class, _ = architectures.CASES[architecture]
    architectures.CASES[f"{architecture}-small"] = (config_class, {**differences, **smaller}, model_class, 8)


class Draws:
    """Whole numbers from splitmix64, by name."""

    def __init__(self, name):
        self.left = iter(prompt_ids(fnv1a(name), 20000, 2**31).tolist())

    def between(self, low, high):
        """From low to high, both among them."""
        return low + next(self.left) % (high - low + 1)

    def ids(self, low, high):
        """Tokens, as many as from low to high; none is the end."""
        return [self.between(3, VOCAB - 1) for _ in range(self.between(low, high))]


def example(prompt, answer):
    return {"ids": prompt + answer, "targets": [[len(prompt), len(prompt) + len(answer)]]}


def sft_step(draw):
    """Four answers to four prompts, each ended."""
    return [example(draw.ids(3, 20), draw.ids(4, 19) + [END]) for _ in range(4)]


def turns(draw):
    """A talk of two or three turns; each answer and its end are learned."""
    ids, targets = [], []
    for _ in range(draw.between(2, 3)):
        ids += draw.ids(2, 7)
        start = len(ids)
        ids += draw.ids(1, 5) + [END]
        targets.append([start, len(ids)])
    return {"ids": ids, "targets": targets}


def jsft_step(draw):
    """Two talks, a judgment of one token, and one with its reasons; no judgment is ended."""
    short = example(draw.ids(8, 30), [draw.between(65, 66)])
    long = example(draw.ids(8, 25), [draw.between(65, 66)] + draw.ids(5, 14))
    return [turns(draw), short, turns(draw), long]


def judge_step(draw):
    """Four answers of a digit and the end, each after a prompt with the reference and after one without."""
    items = []
    for _ in range(4):
        start, reference, rest = draw.ids(3, 12), draw.ids(4, 14), draw.ids(3, 12)
        answer = [draw.between(100, 109), END]
        items.append({"teacher": example(start + reference + rest, answer), "student": example(start + rest, answer)})
    return items


def self_step(draw):
    """Three pairs of completions of different lengths."""
    return [
        {"prompt": draw.ids(4, 16), "chosen": draw.ids(2, 12) + [END], "rejected": draw.ids(2, 12) + [END]}
        for _ in range(3)
    ]


KINDS = {"sft": sft_step, "jsft": jsft_step, "judge": judge_step, "self": self_step}


def entries_of(kind):
    draw = Draws(f"{kind} steps")
    return [KINDS[kind](draw) for _ in range(ENTRIES)]


def lora(targets, b_scale=0.0):
    return {"r": RANK, "alpha": ALPHA, "dropout": 0, "targets": targets, "b_scale": b_scale}


def case(kind, architecture, adapter, rate, schedule, warmup, decay=0.0, values=16, **more):
    return dict(
        kind=kind, architecture=architecture, lora=adapter, rate=rate, decay=decay, values=values,
        schedule={"kind": schedule, "warmup": warmup, "total": STEPS}, **more,
    )


CASES = {
    "sft-llama-lora": case("sft", "llama2", lora(LINEAR), 3e-3, "cosine", 2),
    "sft-llama-full": case("sft", "llama2", None, 1e-3, "linear", 0, decay=0.01),
    # Tied.
    "sft-gemma2-full": case("sft", "gemma2", None, 1e-3, "linear", 0, decay=0.01),
    # With biases, and decay strong enough to tell what decays from what does not.
    "sft-qwen2-full": case("sft", "qwen2", None, 1e-3, "constant", 0, decay=0.5),
    "judge-llama-lora": case("judge", "llama2", lora(ATTENTION), 3e-3, "linear", 2),
    "judge-qwen2-lora": case("judge", "qwen2", lora(ATTENTION), 3e-3, "linear", 2),
    "jsft-llama-lora": case("jsft", "llama2", lora(LINEAR), 3e-3, "cosine", 1),
}
for architecture in SMALLER:
    if architecture != "llama2":
        targets = ["qkv_proj", "o_proj"] if architecture == "phi3" else ATTENTION
        CASES[f"sft-{architecture}-lora"] = case("sft", architecture, lora(targets), 3e-3, "cosine", 2, values=4)
for loss in ("sigmoid", "hinge", "ipo-sum", "ipo-mean"):
    CASES[f"self-llama-{loss}"] = case(
        "self", "llama2", lora(LINEAR, B_SCALE), 1e-3, "constant", 2, values=8, loss=loss
    )


def base(architecture):
    """The small model, its configuration's text, and its tensors."""
    model, _, golden = architectures.build(f"{architecture}-small")
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = (pathlib.Path(folder) / "config.json").read_text()
    return model, config, {key: golden[key] for key in ("tensors", "sha256", "first_weights")}


def lora_config(adapter):
    return LoraConfig(
        r=adapter["r"], lora_alpha=adapter["alpha"], lora_dropout=0.0, target_modules=adapter["targets"],
        bias="none", task_type="CAUSAL_LM",
    )


def named(model):
    """What is learned, by the names that files give: peft's files leave out the adapter's name."""
    return [(name.replace(".default.", "."), p) for name, p in model.named_parameters() if p.requires_grad]


def fill_adapter(model, b_scale):
    """Gives the adapter its first weights; gives back how they are made."""
    tensors = []
    with torch.no_grad():
        for name, parameter in named(model):
            shape = list(parameter.shape)
            scale = 1 / math.sqrt(shape[1]) if ".lora_A." in name else b_scale
            scale = float(torch.tensor(scale, dtype=torch.float32))
            parameter.copy_(torch.from_numpy(weights(name, shape, 0, scale)))
            tensors.append([name, shape, 0.0, scale])
    return tensors


def prepared(settings):
    """The model to be trained, and what of it is stored."""
    model, config, golden = base(settings["architecture"])
    golden["config"] = config
    if settings["lora"]:
        model = get_peft_model(model, lora_config(settings["lora"]))
        golden["adapter_tensors"] = fill_adapter(model, settings["lora"]["b_scale"])
    return model, golden


def logits_of(model, ids):
    return model(torch.tensor([ids]), use_cache=False).logits[0]


def token_losses(logits, row):
    """Cross-entropy at each target of a row."""
    at = [i for start, end in row["targets"] for i in range(start, end)]
    return F.cross_entropy(logits[[i - 1 for i in at]], torch.tensor(row["ids"])[at], reduction="none")


def sft_loss(model, rows, _settings):
    """As transformers takes it: the sum over all rows' targets by their number."""
    return torch.cat([token_losses(logits_of(model, row["ids"]), row) for row in rows]).mean(), {}


def judge_loss(model, items, settings):
    reference, free, divergences = [], [], []
    for item in items:
        teacher, student = (logits_of(model, item[row]["ids"]) for row in ("teacher", "student"))
        reference.append(token_losses(teacher, item["teacher"]))
        free.append(token_losses(student, item["student"]))
        # Each distribution is at the place before the digit.
        teacher, student = (
            logits[item[row]["targets"][0][0] - 1].log_softmax(-1)
            for row, logits in (("teacher", teacher), ("student", student))
        )
        if not settings.get("attached"):
            teacher = teacher.detach()
        divergences.append((teacher.exp() * (teacher - student)).sum())
    parts = {
        "ref": torch.cat(reference).mean(), "free": torch.cat(free).mean(), "kl": torch.stack(divergences).mean(),
    }
    kl_weight = settings.get("kl_weight", KL_WEIGHT)
    return parts["ref"] + FREE_WEIGHT * parts["free"] + kl_weight * parts["kl"], parts


def advantage(model, prompt, completion, mean):
    """How much more probable the adapter makes a completion: log-probabilities, summed or per token."""
    row = example(prompt, completion)
    policy = -token_losses(logits_of(model, row["ids"]), row)
    with torch.no_grad(), model.disable_adapter():
        reference = -token_losses(logits_of(model, row["ids"]), row)
    return (policy - reference).mean() if mean else (policy - reference).sum()


def self_loss(model, pairs, settings):
    loss, losses, deltas = settings["loss"], [], []
    for pair in pairs:
        chosen, rejected = (
            advantage(model, pair["prompt"], pair[side], loss == "ipo-mean") for side in ("chosen", "rejected")
        )
        delta = chosen - rejected
        deltas.append(delta)
        if loss == "sigmoid":
            losses.append(-F.logsigmoid(BETA * delta))
        elif loss == "hinge":
            losses.append(F.relu(1 - BETA * delta))
        else:
            losses.append((delta - 1 / (2 * BETA)) ** 2)
    return torch.stack(losses).mean(), {"delta": torch.stack(deltas).mean()}


LOSSES = {"sft": sft_loss, "jsft": sft_loss, "judge": judge_loss, "self": self_loss}


def decays(name):
    """The rule of transformers' trainer; `check_decay` holds it against the original."""
    return not (name.endswith("bias") or "norm.weight" in name)


def check_decay(model):
    parameters = [name for name, p in model.named_parameters() if p.requires_grad]
    theirs = t.Trainer.get_decay_parameter_names(None, model)
    assert [n for n in parameters if decays(n)] == [n for n in parameters if n in theirs]


def scheduler_of(optimizer, schedule):
    # transformers' "constant" has no warm-up.
    kind = {"constant": "constant_with_warmup"}.get(schedule["kind"], schedule["kind"])
    return t.get_scheduler(kind, optimizer, num_warmup_steps=schedule["warmup"], num_training_steps=schedule["total"])


def train(model, settings, steps):
    """Takes the steps; gives back losses, their parts, gradient norms and learning rates."""
    check_decay(model)
    parameters = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for n, p in parameters if decays(n)], "weight_decay": settings["decay"]},
        {"params": [p for n, p in parameters if not decays(n)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        [g for g in groups if g["params"]], lr=settings["rate"], betas=(0.9, 0.999), eps=1e-8, foreach=False
    )
    scheduler = scheduler_of(optimizer, settings["schedule"])
    told = {"losses": [], "parts": [], "grad_norms": [], "learning_rates": []}
    for step in steps:
        loss, parts = LOSSES[settings["kind"]](model, step, settings)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in parameters], 1.0, foreach=False)
        told["losses"].append(loss.item())
        told["parts"].append({name: part.item() for name, part in parts.items()})
        told["grad_norms"].append(norm.item())
        told["learning_rates"].append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return told


def some_of(name, parameter, count):
    values = parameter.detach().reshape(-1)
    drawn = (splitmix(fnv1a(name), 4 * count) % values.numel()).tolist()
    at = sorted([*dict.fromkeys(drawn)][:count])
    wide = values.double()
    return {
        "name": name, "at": at, "values": rounded(values[at]),
        "sum": rounded([wide.sum()])[0], "norm": rounded([wide.norm()])[0],
    }


def weights_after(model, settings):
    last = f".layers.{model.config.num_hidden_layers - 1}."
    every = settings["values"] > 4
    return [some_of(n, p, settings["values"]) for n, p in named(model) if every or last in n]


def apart(ours, theirs):
    """The greatest difference, relative to numbers above 1."""
    return max(abs(a - b) / max(1.0, abs(a)) for a, b in zip(ours, theirs, strict=True))


def farthest(model, other):
    """The greatest difference between two models' learned weights."""
    pairs = zip(named(model), named(other), strict=True)
    return max((a.detach().double() - b.detach().double()).abs().max().item() for (_, a), (_, b) in pairs)


def rounding(settings, steps, told, model):
    """How far training in f64 leads from training in f32."""
    wide, _ = prepared(settings)
    wide = wide.double()
    wide_told = train(wide, settings, steps)
    weights_apart = farthest(model, wide)
    return {
        "losses": float(f"{apart(told['losses'], wide_told['losses']):.1e}"),
        "grad_norms": float(f"{apart(told['grad_norms'], wide_told['grad_norms']):.1e}"),
        "weights": float(f"{weights_apart:.1e}"),
    }


class Recorder:
    """Keeps a trainer's losses unrounded and its rows in order."""

    def compute_loss(self, *arguments, **more):
        loss = super().compute_loss(*arguments, **more)
        self.__dict__.setdefault("recorded", []).append(loss.item())
        return loss

    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


class RecordingTrainer(Recorder, t.Trainer):
    pass


class RecordingDPOTrainer(Recorder, DPOTrainer):
    def _prepare_dataset(self, dataset, *_):
        return dataset  # It is of tokens already.


def arguments_of(settings, per_step, folder, **more):
    schedule = settings["schedule"]
    return dict(
        output_dir=folder, per_device_train_batch_size=per_step, max_steps=STEPS, learning_rate=settings["rate"],
        weight_decay=settings["decay"], warmup_steps=schedule["warmup"], max_grad_norm=1.0, optim="adamw_torch",
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(schedule["kind"], schedule["kind"]),
        use_cpu=True, report_to=[], save_strategy="no", logging_steps=1, disable_tqdm=True, bf16=False,
        gradient_checkpointing=False, remove_unused_columns=False, **more,
    )


def padded(rows):
    """A batch as transformers takes it."""
    width = max(len(row["ids"]) for row in rows)
    batch = {"input_ids": [], "attention_mask": [], "labels": []}
    for row in rows:
        ids, pad = row["ids"], width - len(row["ids"])
        learned = {i for start, end in row["targets"] for i in range(start, end)}
        batch["input_ids"].append(ids + [0] * pad)
        batch["attention_mask"].append([1] * len(ids) + [0] * pad)
        batch["labels"].append([x if i in learned else -100 for i, x in enumerate(ids)] + [-100] * pad)
    return {key: torch.tensor(value) for key, value in batch.items()}


def silent(trainer):
    trainer.remove_callback(t.PrinterCallback)
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "grad_norm" in entry]
    return {
        "losses": trainer.recorded,
        "grad_norms": [entry["grad_norm"] for entry in logged],
        "learning_rates": [entry["learning_rate"] for entry in logged],
    }


def by_transformers(settings, steps):
    model, _ = prepared(settings)
    rows = [row for step in steps for row in step]
    with tempfile.TemporaryDirectory() as folder:
        arguments = t.TrainingArguments(**arguments_of(settings, len(steps[0]), folder))
        told = silent(RecordingTrainer(model, arguments, data_collator=padded, train_dataset=rows))
    return model, told


def a_tokenizer():
    """trl wants one even for tokens."""
    words = {f"w{i}": i for i in range(VOCAB)}
    return t.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")), pad_token="w0", eos_token=f"w{END}"
    )


def by_trl(settings, steps):
    # Given a model with an adapter, trl would compare with that adapter as it is at the start; given a configuration,
    # with no adapter. Hence the adapter's first weights are written after trl has made it.
    model, _, _ = base(settings["architecture"])
    rows = [{f"{key}_ids": ids for key, ids in pair.items()} for step in steps for pair in step]
    loss = {"ipo-mean": "ipo"}.get(settings["loss"], settings["loss"])
    with tempfile.TemporaryDirectory() as folder:
        arguments = DPOConfig(
            **arguments_of(settings, len(steps[0]), folder, loss_type=[loss], beta=BETA, max_length=None)
        )
        trainer = RecordingDPOTrainer(
            model, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=a_tokenizer(),
            peft_config=lora_config(settings["lora"]),
        )
        fill_adapter(trainer.model, settings["lora"]["b_scale"])
        told = silent(trainer)
    return trainer.model, told


def compare(name, told, model, theirs, by):
    """Stops unless another trainer came to the same."""
    other, other_told = theirs
    differences = {key: apart(told[key], other_told[key]) for key in ("losses", "grad_norms", "learning_rates")}
    differences["weights"] = farthest(model, other)
    print(f"  {by}: " + ", ".join(f"{key} {value:.1e}" for key, value in differences.items()))
    assert max(differences.values()) < TOLERANCE, (name, differences)


def variants(settings, steps, told):
    """Judges trained with the teacher attached, and without distillation."""
    attached = train(prepared(settings)[0], dict(settings, attached=True), steps[:ATTACHED_STEPS])
    # The first two updates are too small to tell, or none: the rate warms up.
    assert apart(told["losses"][:ATTACHED_STEPS], attached["losses"]) > 1e-3
    assert apart(told["grad_norms"][:1], attached["grad_norms"][:1]) > 1e-3
    alone = train(prepared(settings)[0], dict(settings, kl_weight=0.0), steps[:ABLATION_STEPS])
    return {
        "free_weight": FREE_WEIGHT,
        "kl_weight": KL_WEIGHT,
        "losses_attached": rounded(attached["losses"]),
        "grad_norms_attached": rounded(attached["grad_norms"]),
        "ablation": {
            "kl_weight": 0.0, "losses": rounded(alone["losses"]), "grad_norms": rounded(alone["grad_norms"]),
        },
    }


def write(name, golden):
    text = json.dumps(golden, separators=(",", ":"))
    (HERE / name).write_text(text + "\n")
    return len(text)


def make(name):
    settings = CASES[name]
    kind, entries = settings["kind"], entries_of(settings["kind"])
    write(f"{kind}.steps.json", entries)
    steps = [entries[i % ENTRIES] for i in range(STEPS)]
    model, golden = prepared(settings)
    told = train(model, settings, steps)
    out = {
        "case": name, "kind": kind, "architecture": settings["architecture"], "steps": f"{kind}.steps.json",
        "lora": settings["lora"],
        "optimizer": {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": settings["decay"]},
        "learning_rate": settings["rate"], "schedule": settings["schedule"], "max_grad_norm": 1.0,
        **golden,
        **{key: rounded(told[key]) for key in ("losses", "grad_norms", "learning_rates")},
    }
    for part in told["parts"][0]:
        out.setdefault("parts", {})[part] = rounded(parts[part] for parts in told["parts"])
    out["weights_after"] = weights_after(model, settings)
    out["rounding"] = rounding(settings, steps, told, model)
    print(f"{name}: losses {told['losses'][0]:.4f} … {told['losses'][-1]:.4f}, "
          f"norms {min(told['grad_norms']):.3g} … {max(told['grad_norms']):.3g}, f64 {out['rounding']}")
    if kind in ("sft", "jsft"):
        compare(name, told, model, by_transformers(settings, steps), "transformers")
    if kind == "judge":
        out |= variants(settings, steps, told)
    if kind == "self":
        # trl has no sum for ipo.
        theirs = None if settings["loss"] == "ipo-sum" else by_trl(settings, steps)
        if theirs:
            compare(name, told, model, theirs, "trl")
        out |= {"loss": settings["loss"], "beta": BETA, "trl_loss": theirs and rounded(theirs[1]["losses"][:1])[0]}
    print(f"  {write(f'{name}.json', out)} bytes")


def make_adapter():
    """A model with an adapter that peft has saved."""
    adapter = lora(LINEAR, B_SCALE)
    model, config, golden = base("llama2")
    ids = prompt_ids(fnv1a("adapter prompt"), 24, VOCAB).tolist()
    places, columns = [0, 11, 23], list(range(0, VOCAB, VOCAB // 16))
    with torch.no_grad():
        plain = logits_of(model, ids)
        model = get_peft_model(model, lora_config(adapter))
        tensors = fill_adapter(model, B_SCALE)
        logits = logits_of(model, ids)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        adapter_config = json.loads((pathlib.Path(folder) / "adapter_config.json").read_text())
        saved = load_file(f"{folder}/adapter_model.safetensors")
    adapter_config["target_modules"].sort()  # peft writes a set: another order each time.
    assert {n: list(x.shape) for n, x in saved.items()} == {n: shape for n, shape, _, _ in tensors}
    out = {
        "case": "adapter", "architecture": "llama2", "config": config, **golden, "lora": adapter,
        "adapter_config": json.dumps(adapter_config, indent=2), "adapter_tensors": tensors,
        "ids": ids, "columns": columns,
        "logits": [[p, rounded(logits[p, columns])] for p in places],
        "logits_without": [[p, rounded(plain[p, columns])] for p in places],
    }
    print(f"adapter: logits moved by up to {(logits - plain).abs().max():.2f}, {write('adapter.json', out)} bytes")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for case_name in sys.argv[1:] or [*CASES, "adapter"]:
        make_adapter() if case_name == "adapter" else make(case_name)
