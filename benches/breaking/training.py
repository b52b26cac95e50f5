"""Kills while a model is trained: every checkpoint is whole, and the last one is that of a training nobody killed."""

import json

from place import Lost, Place, expect, digest, names
from tally import listing, strike

STEPS = 8


def prepare(place, kind):
    """Data and a configuration without its output; how it is started."""
    count = 16
    if kind == "judge":
        for name, reference in (("with", " Reference: seven."), ("free", "")):
            items = [{"id": n, "input": "", "output": str(n % 10),
                      "instruction": f"Rate answer {n}.{reference} The answer: {'so ' * (n % 10 + 1)}"} for n in range(count)]
            place.path(f"{name}.json").write_text(json.dumps(items))
        data = f"with_reference = {json.dumps(str(place.path('with.json')))}\nreference_free = {json.dumps(str(place.path('free.json')))}\nlora_r = 4\n"
    else:
        items = [{"instruction": f"Say {n} twice.", "input": "", "output": f"{n} {n}, {'and so on ' * (n % 4)}"} for n in range(count)]
        place.path("sft.json").write_text(json.dumps(items))
        data = f"data = {json.dumps(str(place.path('sft.json')))}\n" + ("lora_r = 4\n" if kind == "sft" else "")
    return (f"model = \"starter\"\n{data}batch_size = 4\nmicro_batch_size = 4\nlearning_rate = 1e-3\nwarmup_steps = 2\n"
            f"epochs = 2\nthreads = 1\nsave_steps = 1\nseed = 3\n")


def start(place, kind, settings, output):
    config = place.path(f"{output}.toml")
    config.write_text(f"output = {json.dumps(str(place.path(output)))}\n{settings}")
    return ["train", "judge" if kind == "judge" else "sft", "--config", config, "--quiet"]


def files(folder):
    return {name: digest(folder / name) for name in names(folder) if (folder / name).is_file()}


def result(folder):
    """What a training leaves for others, and its last checkpoint."""
    made = {name: found for name, found in files(folder).items() if name.endswith((".safetensors", ".json"))}
    last = max((name for name in names(folder) if name.startswith("checkpoint-")), key=lambda name: int(name[11:]))
    return made, last, files(folder / last)


def run(juror, tally):
    with Place(juror) as place:
        number = 0
        while not tally.enough():
            kind = ("judge", "sft", "all")[number % 3]
            settings = prepare(place, kind)
            usual = place.timed(*start(place, kind, settings, f"whole-{number}"))
            whole = result(place.path(f"whole-{number}"))
            # The same step has the same bytes whenever it is seen.
            seen = {}
            for again in range(4):
                if tally.enough():
                    break
                one(place, tally, kind, settings, f"out-{number}-{again}", usual, whole, seen)
            number += 1
    return tally


def one(place, tally, kind, settings, name, usual, whole, seen):
    out = place.path(name)
    arguments = start(place, kind, settings, name)
    finished = lambda: out.exists() and any('"event":"end"' in line for line in log(out))
    while not finished() and not tally.enough():
        more = ["--resume"] if out.exists() else []
        child = place.start(*arguments, *more)
        strike(tally, child, usual * 0.7, finished, lambda: listing(out))
        try:
            look(out, seen, tally)
            place.sound()
        except Lost as lost:
            tally.lost.append(f"{kind}: {lost}")
    try:
        if not finished():
            place.done(*arguments, *(["--resume"] if out.exists() else []))
        expect(result(out) == whole, "the training that was killed has left something else than the one that was not")
        steps = [json.loads(line) for line in log(out)]
        steps = [entry["step"] for entry in steps if entry.get("event") == "step"]
        expect(steps == list(range(1, STEPS + 1)), f"steps in the log: {steps}")
        left = [found for found in names(out) if "partial" in found]
        expect(not left, f"left behind: {left}")
        tally.add("trainings equal to an uninterrupted one")
    except Lost as lost:
        tally.lost.append(f"{kind}: {lost}")


def log(out):
    path = out / "log.jsonl"
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def look(out, seen, tally):
    """Every checkpoint by its name has all files, the same as whenever that step was seen."""
    if not out.exists():
        return
    for name in names(out):
        if name.startswith("checkpoint-"):
            found = files(out / name)
            expect("state.json" in found and "state.safetensors" in found, f"{name} has only {sorted(found)}")
            expect(seen.setdefault(name, found) == found, f"{name} has other bytes than before")
            tally.add("checkpoints compared")
