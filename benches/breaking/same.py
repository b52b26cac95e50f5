"""The same inputs, seed, number format and threads: the same bytes; with other threads, the same numbers."""

import json
import math
import sys
import time

import collecting
import training
from place import Lost, Place, digest, expect, names, rows

# Numbers that tell of time.
TIMES = {"load_s", "score_s", "tokens_per_s", "seconds"}


def numbers(value):
    """All numbers of a JSON value, and everything else of it."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return [], [value]
    if isinstance(value, (int, float)):
        return [value], []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found, rest = [], []
    for key, one in items:
        inner, other = numbers(one)
        found += inner
        rest += [key, *other]
    return found, rest


def apart(first, second):
    """How far two files of JSON lines differ in a number; infinite if in anything else."""
    if first == second:
        return 0.0
    rows = [[json.loads(line) for line in text.splitlines()] for text in (first, second)]
    (a, other_a), (b, other_b) = numbers(rows[0]), numbers(rows[1])
    if len(a) != len(b) or other_a != other_b:
        return math.inf
    return max((abs(x - y) for x, y in zip(a, b)), default=0.0)


def weights(first, second):
    """How far two safetensors files differ in a number (f32)."""
    import struct
    if first == second:
        return 0.0
    if len(first) != len(second):
        return math.inf
    begin = 8 + struct.unpack("<Q", first[:8])[0]
    count = (len(first) - begin) // 4
    a, b = (struct.unpack(f"<{count}f", text[begin:]) for text in (first, second))
    return max(abs(x - y) for x, y in zip(a, b))


def kinds(place):
    data = rows(place.path("data.jsonl"), 60, responses=2)
    flat = place.path("flat.jsonl")
    with open(flat, "w") as file:
        for n, line in enumerate(open(data)):
            row = json.loads(line)
            file.write(json.dumps({"instruction": row["instruction"], "input": "", "output": row["responses"][0]["response"]}) + "\n")
    given = collecting.sources(place)
    found = {f"score, {dtype}": (["score", data, "--no-cache", "--dtype", dtype, "--quiet"], "out.jsonl") for dtype in ("f32", "bf16", "int8")}
    found |= {
        "vro (sampled texts)": (["score", place.path("few.jsonl"), "--no-cache", "--signals", "vro", "--vro-samples", "2", "--max-tokens", "32", "--quiet"], "out.jsonl"),
        "pair": (["pair", data, "--quiet"], "out.jsonl"),
        "tournament": (["tournament", data, "--quiet"], "out.jsonl"),
        "select": (["select", flat, "--level", "sentence", "--quiet"], "out.jsonl"),
        "ifd": (["ifd", flat, "--quiet"], "out.jsonl"),
        "collect": (["collect", *given, "--quiet", "--any-quality"], "out.jsonl"),
    }
    rows(place.path("few.jsonl"), 12, responses=2)
    return found


def everything(folder):
    return {name: (folder / name).read_bytes() for name in names(folder) if (folder / name).is_file()}


def run(options, only):
    table = ["| what | times, byte-identical | other threads: largest difference |", "|---|---|---|"]
    failed = False
    with Place(options.juror) as place:
        for name, (arguments, out) in kinds(place).items():
            if only and not any(one in name for one in only):
                continue
            results = {}
            for threads in (1, 2):
                for time_ in range(options.times if threads == 2 else max(options.times // 3, 1)):
                    folder = place.path(f"{name.replace(' ', '-').replace(',', '')}-{threads}-{time_}")
                    folder.mkdir()
                    place.done(*arguments, "-o", folder / out, "--threads", threads)
                    results.setdefault(threads, []).append(everything(folder))
            same = all(one == of[0] for of in results.values() for one in of)
            a, b = results[1][0], results[2][0]
            difference = max(apart(a[file], b[file]) if file.endswith("l") else 0.0 if a[file] == b[file] else math.inf for file in a)
            failed |= not same or difference > 1e-4
            table.append(f"| {name} | {len(results[2])} with 2 threads, {len(results[1])} with 1: {'yes' if same else '**no**'} | {difference:.1e} |")
            print(table[-1], file=sys.stderr, flush=True)
        for kind in ("judge", "sft", "all"):
            if only and not any(one in f"train {kind}" for one in only):
                continue
            results = {}
            for threads in (1, 2):
                settings = training.prepare(place, kind).replace("threads = 1", f"threads = {threads}")
                for time_ in range(options.times if threads == 2 else max(options.times // 3, 1)):
                    output = f"{kind}-{threads}-{time_}"
                    place.done(*training.start(place, kind, settings, output))
                    file = "model.safetensors" if kind == "all" else "adapter_model.safetensors"
                    results.setdefault(threads, []).append((place.path(output, file).read_bytes(), training.result(place.path(output))))
            same = all(one == of[0] for of in results.values() for one in of)
            difference = weights(results[1][0][0], results[2][0][0])
            failed |= not same or difference > 1e-4
            named = {"judge": "train judge, adapter", "sft": "train sft, adapter", "all": "train sft, all weights"}[kind]
            table.append(f"| {named} | {len(results[2])} with 2 threads, {len(results[1])} with 1: {'yes' if same else '**no**'} | {difference:.1e} |")
            print(table[-1], file=sys.stderr, flush=True)
    print("\n".join(table), flush=True)
    return failed
