"""What a scenario counts, and the table of all."""

import os
import signal
import sys
import time


class Tally:
    def __init__(self, name, wanted, draw):
        self.name, self.wanted, self.draw = name, wanted, draw
        self.kills = self.missed = 0
        self.checked = {}
        self.lost = []

    def add(self, what, count=1):
        self.checked[what] = self.checked.get(what, 0) + count

    def enough(self):
        return self.kills >= self.wanted

    def row(self):
        checked = ", ".join(f"{count:,} {what}" for what, count in self.checked.items())
        return f"| {self.name} | {self.kills} | {self.missed} | {checked} | {len(self.lost)} |"


HEAD = "| scenario | kills | not counted | checked | lost |\n|---|---|---|---|---|"


def strike(tally, child, usual, finished, watched=None):
    """Kills a process at a random moment of its usual duration, half of the times (where `watched` measures something of
    its files) right behind a change of that. A kill counts if the process lived and its work was not finished."""
    delay = tally.draw.uniform(0, usual)
    by_change = watched is not None and tally.draw.random() < 0.5
    end = time.monotonic() + delay
    while time.monotonic() < end and child.poll() is None:
        time.sleep(min(0.002, max(end - time.monotonic(), 0)))
    if by_change:
        before, end = watched(), time.monotonic() + usual / 4
        while time.monotonic() < end and child.poll() is None and watched() == before:
            time.sleep(0.0003)
        # Up to 2 ms behind it.
        time.sleep(tally.draw.choice((0, 0, tally.draw.uniform(0, 0.002))))
    if child.poll() is None:
        child.kill()
    code = child.wait()
    counts = code == -signal.SIGKILL and not finished()
    tally.kills += counts
    tally.missed += not counts
    if tally.kills % 25 == 0 and counts:
        print(f"  {tally.name}: {tally.kills} kills", file=sys.stderr, flush=True)
    return counts


def listing(folder):
    """Names in a folder with their lengths."""
    if not folder.exists():
        return ()
    found = sorted(entry.name for entry in os.scandir(folder))
    return tuple(zip(found, size(*(folder / name for name in found))))


def size(*paths):
    """Lengths of files as they are now."""
    def one(path):
        try:
            return path.stat().st_size
        except OSError:
            return -1
    return tuple(one(path) for path in paths)
