"""Hours of work in minutes: a person who never rests, beside a batch, and what the program holds meanwhile."""

import os
import pathlib
import random
import select
import subprocess
import sys
import time

from place import Place, rows
from screen import Explorer

RECORDS = 3000
FRAME_ENDS = b"\x1b[?2026l"
# Milliseconds: two frames, of which one may be under way.
BUDGET = 33.0
LOOKED_AT = 2000
SAMPLED = 100
# A share of the actions until drafts, caches and arenas are as large as they get.
WARM = 0.2
F = {1: b"\x1bOP", 2: b"\x1bOQ", 3: b"\x1bOR", 4: b"\x1bOS", 5: b"\x1b[15~", 6: b"\x1b[17~"}


class Hand:
    """Draws the next keys: what a person does on each screen, and nothing that ends the program or writes files."""

    def __init__(self, draw):
        self.draw, self.screen = draw, 1

    def keys(self):
        draw = self.draw.random()
        if draw < 0.06:
            self.screen = self.draw.choice((1, 2, 3, 4, 5, 6))
            return [F[self.screen]]
        if draw < 0.07:
            return [b"?", b"\x1b"]
        if draw < 0.08 and self.screen == 1:
            return [b"/", *(bytes([c]) for c in self.draw.choice((b"ba", b"q0001", b"dor"))), b"\r", b"\x1b"]
        if draw < 0.10 and self.screen == 2:
            word = self.draw.choice((b"clear ", b"wrong ", b"a river "))
            return [b"i", *(bytes([c]) for c in word), b"\x7f", b"\x1b"]
        if draw < 0.20 and self.screen == 5:
            return [self.draw.choice((b"0", b"4", b"9", b"s", b"u", b"U"))]
        return [self.draw.choice((b"j", b"k", b"J", b"K", b"j", b"J", b"\x1b[B", b"\x1b[A", b"\x1b[6~", b"\x1b[5~", b"\t"))]


class Watch:
    """What a process holds."""

    def __init__(self, pid):
        self.pid, self.seen = pid, []

    def look(self, actions):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        number = lambda name: int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])
        files = len(os.listdir(f"/proc/{self.pid}/fd"))
        self.seen.append((actions, number("VmRSS:") / 1024, number("Threads:"), files))


class Batch:
    """`juror score` on one core, again and again."""

    def __init__(self, place, data):
        self.place, self.data, self.runs, self.child = place, data, 0, None

    def go_on(self):
        if self.child is None or self.child.poll() is not None:
            if self.child is not None and self.child.returncode != 0:
                raise SystemExit(f"the batch ended with {self.child.returncode}")
            self.runs += 1
            arguments = ["score", self.data, "-o", f"out-{self.runs}.jsonl", "--threads", "1", "--no-cache"]
            self.child = subprocess.Popen([self.place.juror, *arguments], cwd=self.place.root, env=self.place.environment(),
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                          preexec_fn=lambda: os.nice(2))  # as the explorer is

    def end(self):
        self.child.kill()
        self.child.wait()


def drain(terminal, patience=0.0):
    """Output that is there, or comes in this time."""
    found = b""
    while select.select([terminal], [], [], patience)[0]:
        try:
            found += os.read(terminal, 1 << 16)
        except OSError:  # it has ended
            break
        patience = 0.0
    return found


def stolen():
    """Hundredths of a second, over all cores, in which a virtual machine's host ran something else."""
    return int(pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[8])


def answered(terminal, key):
    """Milliseconds from a key to the end of the frame that shows it, and whether the host took a core meanwhile; none where
    other frames come all the time."""
    quiet = time.monotonic() + 1.0
    while drain(terminal, 0.05):
        if time.monotonic() > quiet:
            return None
    before = stolen()
    began, found = time.monotonic(), b""
    os.write(terminal, key)
    while FRAME_ENDS not in found:
        more = drain(terminal, 1.0)
        if not more:
            return None
        found += more
    return 1000 * (time.monotonic() - began), stolen() > before


def run(options, actions):
    with Place(options.juror) as place:
        data = rows(place.path("data.jsonl"), RECORDS, responses=2)
        batch = Batch(place, rows(place.path("batch.jsonl"), 400, seed=2, responses=2))
        explorer = Explorer(place, data, "--annotator", "ada", "--scale", "rating=0-9")
        explorer.until(lambda text: "Records" in text, time.monotonic() + 30)
        hand, watch, waits = Hand(random.Random(options.seed)), Watch(explorer.pid), []
        began = time.monotonic()
        for action in range(actions):
            for key in hand.keys():
                os.write(explorer.terminal, key)
                # An escape is one alone if nothing follows it at once.
                if key == b"\x1b":
                    time.sleep(0.03)
            drain(explorer.terminal)
            if action % SAMPLED == 0:
                batch.go_on()
                hand.screen = 1 + action // SAMPLED % 5
                wait = answered(explorer.terminal, F[hand.screen])
                waits += [] if wait is None else [(*wait, hand.screen, action)]
            if action % LOOKED_AT == 0:
                if not explorer.lives():
                    print(f"ended after {action} actions", file=sys.stderr)
                    return True
                watch.look(action)
            ahead = began + action / options.pace - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        seconds = time.monotonic() - began
        watch.look(actions)
        batch.end()
        drain(explorer.terminal, 0.5)
        # What is open is closed; a template that was edited is asked for once.
        for key in (b"\x1b", b"\x1b", F[1], b"q", b"q"):
            if explorer.lives():
                explorer.press(key)
                drain(explorer.terminal, 0.3)
        ended = explorer.ends()
        explorer.close()
        place.sound()
        base = place.database()
        events = base.execute("SELECT count(*) FROM events").fetchone()[0]
        base.close()
        return told(watch.seen, sorted(waits), (actions, seconds, batch.runs, events, ended))


def told(seen, measured, run):
    actions, seconds, batches, events, ended = run
    waits = [wait for wait, *_ in measured]
    late = [taken for wait, taken, *_ in measured if wait > BUDGET]
    warm = [one for one in seen if one[0] >= WARM * actions]
    first, last = warm[0], warm[-1]
    drift = 100 * (last[1] / first[1] - 1)
    share = 100 * len(late) / max(len(waits), 1)
    at = lambda part: waits[min(int(part * len(waits)), len(waits) - 1)]
    print("| actions | a second | batches beside | events | memory when warm, at the end | threads | files | key to frame: median, 99 %, most |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| {actions:,} | {actions / seconds:.0f} | {batches} | {events:,} | {first[1]:.0f}, {last[1]:.0f} MiB ({drift:+.1f} %) "
          f"| {first[2]}, {last[2]} | {first[3]}, {last[3]} "
          f"| {at(0.5):.1f}, {at(0.99):.1f}, {waits[-1]:.1f} ms of {len(waits)}; {share:.1f} % above {BUDGET:.0f} ms, "
          f"{sum(late)} of these {len(late)} while the host took a core |")
    for action, memory, threads, files in seen[:: max(len(seen) // 10, 1)]:
        print(f"  {action:7} actions: {memory:.1f} MiB, {threads} threads, {files} files", file=sys.stderr)
    for wait, taken, screen, action in measured[-8:]:
        host = ", the host took a core" if taken else ""
        print(f"  {wait:.1f} ms to show F{screen} at action {action}{host}", file=sys.stderr)
    if ended != 0:
        print(f"it ended with {ended}", file=sys.stderr)
    return abs(drift) > 5 or last[2] > first[2] or last[3] > first[3] or ended != 0
