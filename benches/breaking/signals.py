"""Signals, terminals that hang up, and pipes that are closed."""

import os
import random
import select
import signal
import subprocess
import time

import exporting
import training
from annotating import Annotator, check, item, stored
from disk import Ignored, annotator, leave
from place import expect, rows
from screen import Explorer


def stopped(place):
    """SIGSTOP and SIGCONT, again and again; a shell writes over the screen meanwhile."""
    data = rows(place.path("data.jsonl"), 300, responses=2)
    explorer, hand = annotator(place, data)
    for number in range(30):
        hand.one(number)
        if number % 5 == 0:
            before = explorer.text()
            os.kill(explorer.pid, signal.SIGSTOP)
            time.sleep(0.05)
            # As a shell leaves it: cooked, and with its own words on the screen.
            subprocess.run(["stty", "sane"], stdin=explorer.terminal, check=True)
            explorer.screen.__init__()
            os.kill(explorer.pid, signal.SIGCONT)
            shown = item(before)
            expect(explorer.until(lambda text: item(text) == shown and "F5 Annotate" in text, time.monotonic() + 5),
                   f"the screen is not drawn again:\n{explorer.text()}")
    leave(explorer)
    check(place, hand.acknowledged, None, Ignored())
    place.done("score", data, "-o", "whole.jsonl", "--quiet", "--no-cache")
    settings = training.prepare(place, "judge")
    place.done(*training.start(place, "judge", settings, "whole"))
    child = place.start("score", data, "-o", "out.jsonl", "--quiet", "--no-cache")
    expect(paused(child) == 0, "a run that was stopped for a while does not end well")
    expect(place.path("out.jsonl").read_bytes() == place.path("whole.jsonl").read_bytes(), "other bytes")
    child = place.start(*training.start(place, "judge", settings, "out"))
    expect(paused(child) == 0, "a training that was stopped for a while does not end well")
    expect(training.result(place.path("out")) == training.result(place.path("whole")), "other weights")
    return "drawn again each time; rows and weights the same"


def paused(child):
    while child.poll() is None:
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.03)
        child.send_signal(signal.SIGCONT)
        time.sleep(0.07)
    return child.returncode


def ended(place):
    """SIGTERM, SIGINT and SIGHUP give the terminal back and keep what was said."""
    data = rows(place.path("data.jsonl"), 300)
    sure = []
    for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        explorer, hand = annotator(place, data, seed=how)
        for number in range(10):
            hand.one(number)
        sure += hand.acknowledged
        os.kill(explorer.pid, how)
        code = explorer.ends()
        expect(code == -how, f"ended by {how.name} with {code}")
        expect(explorer.given_back(), f"{how.name}: the terminal is not given back")
        explorer.close()
        check(place, sure, None, Ignored())
    return f"{len(sure)} events"


def hang_up(place):
    """The terminal goes away, with and without somebody who listens to its signal."""
    data = rows(place.path("data.jsonl"), 300)
    sure, said = [], []
    for number, before in enumerate((None, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), None)):
        explorer = Explorer(place, data, *(["--no-judge"] if number < 2 else []), "--annotator", "ada", "--scale", "rating=0-9", before=before)
        hand = Annotator(explorer, random.Random(number), time.monotonic() + 60)
        expect(hand.begin() is not False, explorer.text())
        for at in range(10):
            hand.one(at)
        sure += hand.acknowledged
        explorer.press("5")
        explorer.close()
        end = time.monotonic() + 10
        while explorer.lives() and time.monotonic() < end:
            time.sleep(0.01)
        if explorer.status is None:
            os.kill(explorer.pid, signal.SIGKILL)
            os.waitpid(explorer.pid, 0)
            expect(False, f"it goes on without a terminal ({'ignoring' if before else 'hearing'} SIGHUP)")
        code = os.waitstatus_to_exitcode(explorer.status)
        expect(code in (-signal.SIGHUP, 0, 2), f"exit code {code}")
        said.append(str(code))
        there = stored_since(place, sure)
        sure = there
        place.sound()
    return f"{len(sure)} events, exit codes {', '.join(said)}"


def stored_since(place, sure):
    """What is in the store: what was acknowledged, and perhaps the key that was pressed last."""
    there = stored(place)
    expect(there[:len(sure)] == sure and len(there) <= len(sure) + 1, "events are lost")
    return there


def closed_pipe(place):
    """Whoever reads has had enough, of rows, of messages or of both."""
    data = rows(place.path("data.jsonl"), 400, responses=2)
    place.done("score", rows(place.path("some.jsonl"), 50), "-o", "scored.jsonl", "--quiet")
    exporting.RECORDS = 20000
    exporting.annotated(place, data)
    flat = place.path("flat.jsonl")
    flat.write_text("".join(f'{{"instruction": "Say {n}.", "input": "", "output": "It is {n}."}}\n' for n in range(60)))
    bad = place.path("bad.jsonl")
    bad.write_text("no row\n" * 50 + place.path("some.jsonl").read_text())
    scored = place.path("scored.jsonl")
    commands = {
        "score rows": ["score", data, "-o", "-"],
        "score figures": ["score", place.path("some.jsonl"), "-o", "x.jsonl", "--json"],
        "score with rows that cannot be read": ["score", bad, "-o", "-"],
        "export": ["export", data, "--as", "records", "-o", "-"],
        "events": ["annotations", "export"],
        "labels": ["annotations", "export", "--as", "labels", "--data", data],
        "eval": ["eval", scored, "--label", "rating"],
        "eval --json": ["eval", scored, "--label", "rating", "--json"],
        "collect": ["collect", data, "-o", "-"],
        "fuse": ["fuse", scored, "--normalize", "rank", "-o", "-"],
        "select": ["select", flat, "--level", "sentence", "-o", "-"],
        "tournament": ["tournament", place.path("some2.jsonl"), "-o", "-"],
        "threshold": ["threshold", scored, "--label", "rating", "--good", ">=6", "--signal", "fused", "--target-coverage", "0.8"],
        "agreement": ["annotations", "agreement", "--label", "rating"],
        "rank": ["rank", scored],
        "models": ["model", "list"],
        "doctor": ["doctor"],
        "help": ["--help"],
        "nothing there": ["score", "nowhere.jsonl", "-o", "x.jsonl"],
        "nothing meant": ["scorre"],
        "pair": ["pair", place.path("some2.jsonl"), "-o", "-"],
        "ifd": ["ifd", place.path("some.jsonl"), "-o", "-"],
        "report": ["report", scored, "-o", "-"],
    }
    rows(place.path("some2.jsonl"), 60, responses=2)
    wrong = []
    for name, arguments in commands.items():
        for ends in (["out"], ["err"], ["out", "err"]):
            code, said = piped(place, arguments, ends)
            bad_end = name in ("nothing there", "nothing meant")
            good = code in ((2,) if bad_end else (0,)) if "err" not in ends or bad_end else code in (0, 2)
            if "panicked" in said or not good:
                wrong.append(f"{name}, {' and '.join(ends)} closed: exit code {code} {said.strip()[-200:]}")
    expect(not wrong, "; ".join(wrong))
    head = subprocess.run(f"'{place.juror}' score '{data}' -o - --quiet | head -1", shell=True, executable="/bin/bash",
                          capture_output=True, env=place.environment(), cwd=place.root)
    expect(head.stdout.count(b"\n") == 1 and not head.stderr, f"score | head: {head.stderr[-300:]}")
    return f"{3 * len(commands)} commands with a closed pipe"


def piped(place, arguments, ends):
    """Runs with pipes of which some are closed from the beginning on."""
    pipes = {name: os.pipe() for name in ("out", "err")}
    for name in ends:
        os.close(pipes[name][0])
    child = place.start(*arguments, out=pipes["out"][1], err=pipes["err"][1])
    for _, write in pipes.values():
        os.close(write)
    said = b""
    left = [pipes[name][0] for name in pipes if name not in ends]
    while left:
        for one in select.select(left, [], [])[0]:
            data = os.read(one, 1 << 16)
            said += data
            if not data:
                left.remove(one)
                os.close(one)
    return child.wait(timeout=120), said.decode(errors="replace")


ALL = {"stopped and gone on with": stopped, "asked to end": ended, "terminal hung up": hang_up, "closed pipes": closed_pipe}
