"""Kills while a data set is scored: what is written is the beginning of the whole, and the whole comes of it."""

import json

from place import Lost, Place, expect, rows
from tally import size, strike

RECORDS = 30
# Kills of one run before it may come to its end.
EACH = 6


def check_part(place, whole, tally):
    """What is there at any moment is the beginning of the whole, or all of it."""
    out, part = place.path("out.jsonl"), place.path("out.jsonl.part")
    if out.exists():
        expect(out.read_bytes() == whole, "out.jsonl is there and is not whole")
    if part.exists():
        there = part.read_bytes()
        expect(whole.startswith(there), f"out.jsonl.part ({len(there)} bytes) is no beginning of the whole")
    tally.add("outputs looked at")


def cards(place):
    """What the store knows of scores."""
    if not (place.home / "juror.db").exists():
        return {}
    base = place.database()
    try:
        found = base.execute("SELECT maker, subject, card FROM scores").fetchall()
    except Exception:
        found = []
    base.close()
    # How much of a prompt was known from the one before depends on where a run began; nothing else does.
    bare = lambda card: {key: value for key, value in json.loads(card).items() if key != "computed_tokens"}
    return {(maker, subject): bare(card) for maker, subject, card in found}


def run(juror, tally):
    with Place(juror) as place:
        data = rows(place.path("data.jsonl"), RECORDS, responses=2)
        place.home = place.path("whole-home")
        usual = place.timed("score", data, "-o", "whole.jsonl", "--quiet", "--threads", 1)
        whole, known = place.path("whole.jsonl").read_bytes(), cards(place)
        expect(len(known) >= RECORDS, "scores were not kept")
        out, part = place.path("out.jsonl"), place.path("out.jsonl.part")
        round_ = 0
        while not tally.enough():
            # Without the cache and going on from the part; with the cache and going on; with the cache, from the beginning.
            round_ += 1
            kind = ("resume", "cached", "anew")[round_ % 3]
            place.home = place.path(f"home-{round_}")
            arguments = ["score", data, "-o", "out.jsonl", "--quiet", "--threads", 1]
            arguments += {"resume": ["--resume", "--no-cache"], "cached": ["--resume"], "anew": []}[kind]
            struck = 0
            while not out.exists() and not tally.enough() and struck < EACH:
                struck += 1
                child = place.start(*arguments)
                watched = lambda: size(part, place.home / "juror.db-wal")
                strike(tally, child, usual * 0.8, out.exists, watched)
                try:
                    check_part(place, whole, tally)
                    place.sound()
                    wrong = [key for key, card in cards(place).items() if known.get(key) != card]
                    expect(not wrong, f"{len(wrong)} kept scores are not those of a run that was not killed")
                except Lost as lost:
                    tally.lost.append(f"{kind}: {lost}")
                if kind == "anew":
                    part.unlink(missing_ok=True)
            try:
                if not out.exists():
                    place.done(*arguments)
                expect(out.read_bytes() == whole, "the resumed run has other bytes")
                if kind == "anew":
                    expect(cards(place) == known, "the store has other scores than that of a run that was not killed")
                expect(not part.exists(), "a part is left")
                tally.add("runs equal to an uninterrupted one")
            except Lost as lost:
                tally.lost.append(f"{kind}: {lost}")
            out.unlink(missing_ok=True)
            part.unlink(missing_ok=True)
