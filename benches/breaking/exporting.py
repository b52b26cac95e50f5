"""Kills while files are written: each is as it was before, or whole."""

import json
import random
import re
import time

from annotating import Annotator
from place import Lost, Place, expect, names, rows
from screen import Explorer
from tally import listing, strike

RECORDS = 3000
# When it was made, in a report.
MADE = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")


def annotated(place, data):
    """A store with a label for each record, by the way that annotations come from elsewhere."""
    place.done("annotations", "import", events(place, data))


def events(place, data):
    """Events need the keys of texts, which the program alone makes: some are made by hand, more of these."""
    draw = random.Random(2)
    explorer = Explorer(place, data, "--no-judge", "--annotator", "ada", "--scale", "rating=0-9")
    hand = Annotator(explorer, draw, time.monotonic() + 60)
    expect(hand.begin(), f"the explorer does not annotate:\n{explorer.text()}")
    for number in range(40):
        hand.one(number)
    explorer.kill()
    explorer.close()
    place.done("annotations", "export", "-o", "events.jsonl")
    with open(place.path("events.jsonl")) as file:
        all_ = [event for event in map(json.loads, file) if event["kind"] == "label"]
    path = place.path("more.jsonl")
    with open(path, "w") as file:
        for n in range(RECORDS):
            like = all_[n % len(all_)]
            event = {**like, "uid": f"made-{n}", "at": like["at"] + n, "annotator": f"p{n // len(all_)}", "value": float(n % 10)}
            file.write(json.dumps(event) + "\n")
    return path


def work(place, data):
    """What is written by which command."""
    scored = place.path("scored.jsonl")
    return {
        "records.jsonl": ["export", data, "--as", "records", "-o"],
        "records.csv.gz": ["export", data, "--as", "records", "-o"],
        "records.parquet": ["export", data, "--as", "records", "-o"],
        "pairs.csv.zst": ["export", data, "--as", "pairs", "--label", "rating", "-o"],
        "events.jsonl": ["annotations", "export", "-o"],
        "labels.csv": ["annotations", "export", "--as", "labels", "--data", data, "-o"],
        "report.html": ["report", scored, "--label", "rating", "--good", ">=6", "--rounds", "100", "-o"],
        "fused.jsonl": ["fuse", scored, "--normalize", "zscore", "-o"],
        "merged.jsonl": ["annotations", "merge", place.path("more.jsonl"), "-o"],
        "starter.gguf": ["model", "quantize", "starter", "--type", "q8_0", "--force", "-o"],
    }


def content(path):
    return MADE.sub(b"then", path.read_bytes()) if path.exists() else None


def run(juror, tally):
    with Place(juror) as place:
        data = rows(place.path("data.jsonl"), RECORDS, responses=2, words=40)
        annotated(place, data)
        some = rows(place.path("some.jsonl"), 300, responses=2)
        place.done("score", some, "-o", "scored.jsonl", "--quiet")
        all_ = work(place, data)
        whole, usual = {}, {}
        for name, arguments in all_.items():
            place.path(f"whole-{name}").mkdir()
            usual[name] = place.timed(*arguments, place.path(f"whole-{name}", name))
            whole[name] = content(place.path(f"whole-{name}", name))
            place.path(f"out-{name}").mkdir()
        number = 0
        while not tally.enough():
            name = list(all_)[number % len(all_)]
            number += 1
            folder = place.path(f"out-{name}")
            path = folder / name
            before = b"what was there before\n" if (number // len(all_)) % 2 else None
            path.unlink(missing_ok=True)
            if before:
                path.write_bytes(before)
            finished = lambda: content(path) == whole[name]
            strike(tally, place.start(*all_[name], path), usual[name], finished, lambda: listing(folder))
            try:
                expect(content(path) in (before, whole[name]), f"{name} is neither as it was nor whole")
                place.sound()
                tally.add("files compared")
                if tally.draw.random() < 0.2:
                    place.done(*all_[name], path)
                    expect(content(path) == whole[name], f"{name}: the run behind a killed one has other bytes")
                    allowed = {name, "tokenizer.json"} if name.endswith(".gguf") else {name, name + ".normalizer.json"}
                    left = set(names(folder)) - allowed
                    expect(not left, f"left behind: {sorted(left)}")
                    tally.add("runs equal to an uninterrupted one")
            except Lost as lost:
                tally.lost.append(str(lost))
