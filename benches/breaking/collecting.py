"""Kills while instructions are collected: the collection is there whole or not at all, and nothing stays behind."""

import json
import random

from place import Lost, Place, expect, names, sentence
from tally import listing, strike

ROWS = 2500


def sources(place):
    draw = random.Random(5)
    for name in ("first", "second"):
        with open(place.path(f"{name}.jsonl"), "w") as file:
            for n in range(ROWS):
                text = f"Explain how {sentence(draw, 12)}" if n % 9 else "Explain how water boils in a kettle."
                file.write(json.dumps({"id": f"{name}{n}", "instruction": text, "output": sentence(draw, 30)}) + "\n")
    return [place.path("first.jsonl"), place.path("second.jsonl")]


def three(place):
    """The files of a collection, as far as they are there."""
    ends = ("", ".dropped.jsonl", ".stats.json")
    paths = [place.path("out", f"all.jsonl{end}") for end in ends]
    return [path.read_bytes() if path.exists() else None for path in paths]


def run(juror, tally):
    with Place(juror) as place:
        given = sources(place)
        place.path("out").mkdir()
        # As a user goes on: the whole of the first source alone is there, then it is collected anew of both.
        place.done("collect", given[0], "-o", "out/all.jsonl", "--quiet", "--any-quality", "--threads", 1)
        old = three(place)
        arguments = ["collect", *given, "-o", "out/all.jsonl", "--quiet", "--any-quality", "--threads", 1]
        usual = place.timed(*arguments)
        new = three(place)
        expect(None not in new and new != old, "the collection is not what the script expects")
        number = 0
        while not tally.enough():
            number += 1
            before = old if number % 2 else [None] * 3
            for path, content in zip(("all.jsonl", "all.jsonl.dropped.jsonl", "all.jsonl.stats.json"), before):
                place.path("out", path).unlink(missing_ok=True)
                if content is not None:
                    place.path("out", path).write_bytes(content)
            finished = lambda: three(place) == new
            strike(tally, place.start(*arguments), usual, finished, lambda: listing(place.path("out")))
            try:
                for found, was, will in zip(three(place), before, new):
                    expect(found in (was, will), "a file is neither as it was nor as it will be")
                if three(place)[0] == new[0]:
                    expect(three(place) == new, "the collection is there without what belongs to it")
                tally.add("files compared", 3)
                if number % 5 == 0:
                    place.done(*arguments)
                    expect(three(place) == new, "the run behind a killed one has other bytes")
                    left = [name for name in names(place.path("out")) if not name.startswith("all.jsonl") or "partial" in name]
                    expect(not left, f"left behind: {left}")
                    tally.add("runs equal to an uninterrupted one")
            except Lost as lost:
                tally.lost.append(str(lost))
