"""Kills while a person annotates: what the screen has moved on from is in the store, once, in its order."""

import json
import re
import time

from place import Lost, Place, expect, rows
from screen import Explorer

SHOWN = re.compile(r"Answer \d to ([a-z]\d{6})")
F5 = b"\x1b[15~"
RECORDS = 12000


def item(text):
    found = SHOWN.search(text)
    return found.group(1) if found else None


class Annotator:
    """Presses keys and remembers what the screen said of them."""

    def __init__(self, explorer, draw, deadline):
        self.explorer, self.draw, self.deadline = explorer, draw, deadline
        self.acknowledged, self.doubtful = [], None
        self.last = None

    def begin(self):
        wait = self.explorer.until
        return (wait(lambda text: "Records" in text, self.deadline)
                and self.press(F5)
                and wait(lambda text: item(text) and " of " in text, self.deadline))

    def press(self, keys):
        self.explorer.press(keys)
        return True

    def does(self, event, keys, shown):
        """One event: sure once the screen shows what follows from it."""
        self.doubtful = event
        self.press(keys)
        refused = lambda text: any(word in text for word in ("still being", "still read", "Not kept", "just come on screen"))
        if not self.explorer.until(lambda text: shown(text) or refused(text), self.deadline, patience=60):
            return False
        if not shown(self.explorer.text()):
            # Refused in so many words: the store is not read yet, or cannot be written.
            self.doubtful = None
            self.explorer.until(lambda text: not refused(text), time.monotonic() + 0.05)
            return not "Not kept" in self.explorer.text()
        self.acknowledged.append(event)
        self.doubtful = None
        self.last = event
        return True

    def one(self, number):
        here = item(self.explorer.text())
        moved = lambda text: item(text) not in (None, here)
        kind = self.draw.random()
        if kind < 0.08 and self.last and self.last[0] in ("label", "skip"):
            of = self.last[1]
            return self.does(("undo", of, None, None), "u", lambda text: "Undone" in text and item(text) == of)
        if kind < 0.16:
            return self.does(("skip", here, None, None), "s", moved)
        if kind < 0.24:
            words = f"n{number}x"
            return (self.press("c") and self.explorer.until(lambda text: "omment" in text, self.deadline)
                    and self.does(("comment", here, None, words), "\x7f" * 20 + words + "\r", lambda text: f"“{words}”" in text))
        digit = self.draw.randrange(10)
        return self.does(("label", here, float(digit), None), str(digit), moved)


def stored(place):
    base = place.database()
    found = base.execute("SELECT kind, record, value, text FROM events ORDER BY id").fetchall()
    base.close()
    return found


def fold(events):
    """What the events of one annotator come to: label and comment of each record."""
    done = []
    for event in events:
        if event[0] == "undo":
            at = max(at for at, one in enumerate(done) if one[1] == event[1])
            done.pop(at)
        else:
            done.append(event)
    said = {}
    for kind, record, value, text in done:
        of = said.setdefault(record, {"rating": None, "comment": None, "skipped": False})
        if kind == "label":
            of["rating"], of["skipped"] = value, False
        elif kind == "comment":
            of["comment"] = text
        else:
            of["skipped"] = True
    return said


def check(place, sure, doubtful, tally):
    """The store holds what was acknowledged and perhaps what was under way, nothing else; gives back what it holds."""
    place.sound()
    if not (place.home / "juror.db").exists():
        expect(not sure, f"{len(sure)} acknowledged events, and no store")
        return []
    try:
        found = stored(place)
    except Exception:
        expect(not sure, f"{len(sure)} acknowledged events, and a store without tables")
        return []
    expect(found[:len(sure)] == sure, f"acknowledged {sure[-3:]} (of {len(sure)}), found {found[-3:]} (of {len(found)})")
    more = found[len(sure):]
    expect(more in ([], [doubtful]), f"under way was {doubtful}, found {more}")
    tally.add("stores sound")
    return found


def exported(place, data, sure):
    """That the program itself tells the same labels."""
    said = fold(sure)
    if not any(one["rating"] is not None for one in said.values()):
        return
    place.done("annotations", "export", "--as", "labels", "--data", data, "-o", "labels.jsonl")
    with open(place.path("labels.jsonl")) as file:
        found = {row["id"]: row for row in map(json.loads, file)}
    for record, one in said.items():
        row = found.get(record, {})
        same = (row.get("rating") == one["rating"] and row.get("comment") == one["comment"]
                and row.get("skipped", False) == one["skipped"])
        expect(same, f"{record}: {one} was said, {row} is exported")


def run(juror, tally):
    while not tally.enough():
        with Place(juror) as place:
            in_one_store(place, tally)


def in_one_store(place, tally):
    data = rows(place.path("data.jsonl"), RECORDS)
    sure, number, startup = [], 0, 0.4
    while not tally.enough():
        began = time.monotonic()
        early = tally.draw.random() < 0.1
        length = tally.draw.uniform(0, startup) if early else startup + tally.draw.uniform(0, 0.7)
        explorer = Explorer(place, data, "--no-judge", "--annotator", "ada", "--scale", "rating=0-9")
        hand = Annotator(explorer, tally.draw, began + length)
        if hand.begin():
            startup = 0.7 * startup + 0.3 * (time.monotonic() - began)
            while time.monotonic() < hand.deadline:
                number += 1
                if not hand.one(number):
                    break
        elif length > startup + 0.5:
            startup += 0.1
        lived = explorer.kill()
        # What it had drawn before it died counts as shown.
        shown = item(explorer.text())
        explorer.close()
        tally.kills += lived
        tally.missed += not lived
        if hand.doubtful and hand.doubtful[0] in ("label", "skip") and shown not in (None, hand.doubtful[1]):
            hand.acknowledged.append(hand.doubtful)
            hand.doubtful = None
        tally.add("labels acknowledged", sum(event[0] == "label" for event in hand.acknowledged))
        try:
            sure = check(place, sure + hand.acknowledged, hand.doubtful, tally)
            if tally.kills % 20 == 0:
                exported(place, data, sure)
        except Lost as lost:
            tally.lost.append(str(lost))
            sure = stored(place)
        if number > RECORDS * 3 // 4:
            break
    exported(place, data, sure)
    tally.add("events in one store at the end", len(sure))
