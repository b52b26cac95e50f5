"""Disks that are full, that cannot be written, that are gone."""

import contextlib
import os
import random
import subprocess
import time

import collecting
import exporting
import training
from annotating import Annotator, check, exported, item
from place import Place, clear, expect, names, rows
from screen import Explorer


@contextlib.contextmanager
def small(place, name, size):
    """A file system of its own, so small that it is soon full."""
    folder = place.path(name)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=1000", "juror-breaking", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def fill(folder):
    """Takes what room is left."""
    ballast = os.open(folder / "ballast", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(ballast, bytes(4096))
    os.close(ballast)


def full_score(place):
    data = rows(place.path("data.jsonl"), 300, responses=2)
    place.done("score", data, "-o", "whole.jsonl", "--quiet")
    with small(place, "small", "128k") as folder:
        said = place.refused("score", data, "-o", folder / "out.jsonl", "--quiet", words=["No space left", "out.jsonl.part", "--resume"])
        expect(not (folder / "out.jsonl").exists(), "half an output has the name of a whole one")
        remount(folder, "size=8m")
        place.done("score", data, "-o", folder / "out.jsonl", "--quiet", "--resume")
        expect((folder / "out.jsonl").read_bytes() == place.path("whole.jsonl").read_bytes(), "other bytes after a full disk")
        expect(names(folder) == ["out.jsonl"], f"left behind: {names(folder)}")
        fill(folder)
        # Scores that cannot be kept cost time, never a result.
        place.home = folder / "home"
        place.done("score", data, "-o", "again.jsonl", "--quiet")
        expect(place.path("again.jsonl").read_bytes() == place.path("whole.jsonl").read_bytes(), "other bytes without a cache")
    return said


def full_annotate(place):
    data = rows(place.path("data.jsonl"), 200)
    with small(place, "home", "512k") as folder:
        explorer, hand = annotator(place, data)
        for number in range(10):
            hand.one(number)
        fill(folder)
        for number in range(400):
            if not hand.one(number):
                break
        said = explorer.text()
        expect("disk is full" in said, f"the screen does not say that the disk is full:\n{said}")
        here = item(said)
        (folder / "ballast").unlink()
        # A comment that was refused is still there to be kept: out of its box.
        explorer.press(b"\x1b")
        explorer.until(lambda text: False, time.monotonic() + 0.3)
        explorer.press("7")
        expect(explorer.until(lambda text: item(text) not in (None, here), time.monotonic() + 10), "it does not go on when there is room")
        hand.acknowledged.append(("label", here, 7.0, None))
        check(place, hand.acknowledged, None, Ignored())
        leave(explorer)
        check(place, hand.acknowledged, None, Ignored())
    return line(said, "Not kept")


def full_train(place):
    settings = training.prepare(place, "all")
    arguments = training.start(place, "all", settings, "whole")
    place.done(*arguments)
    with small(place, "out", "100m") as folder:
        arguments = training.start(place, "all", settings, "out")
        said = place.refused(*arguments, words=["No space left", "was not kept", "checkpoint-"])
        for name in names(folder):
            if name.startswith("checkpoint-"):
                expect("state.json" in names(folder / name), f"{name} is half written")
        expect(not [name for name in names(folder) if "partial" in name], f"left behind: {names(folder)}")
        remount(folder, "size=400m")
        place.done(*arguments, "--resume")
        expect(training.result(folder) == training.result(place.path("whole")), "other weights after a full disk")
    return said


def full_collect(place):
    given = collecting.sources(place)
    with small(place, "small", "600k") as folder:
        said = place.refused("collect", *given, "-o", folder / "all.jsonl", "--quiet", words=["No space left"])
        expect(names(folder) == [], f"left behind: {names(folder)}")
        place.path("big").mkdir()
        other = place.refused("collect", *given, "-o", place.path("big", "all.jsonl"), "--temporary", folder, "--quiet", words=["No space left", str(folder)])
        expect(names(place.path("big")) == [] and names(folder) == [], "something is left behind")
        remount(folder, "size=100m")
        place.done("collect", *given, "-o", folder / "all.jsonl", "--quiet")
    return said


def full_exports(place):
    data = rows(place.path("data.jsonl"), 2000, responses=2, words=40)
    exporting.RECORDS = 4000
    exporting.annotated(place, data)
    some = rows(place.path("some.jsonl"), 300, responses=2)
    place.done("score", some, "-o", "scored.jsonl", "--quiet")
    said = ""
    for name, arguments in exporting.work(place, data).items():
        with small(place, f"small-{name}", "64k") as folder:
            (folder / name).write_bytes(b"before\n")
            said = place.refused(*arguments, folder / name, words=["No space left", name])
            expect((folder / name).read_bytes() == b"before\n", f"{name} is not as it was")
            expect(names(folder) in ([name], [name, "tokenizer.json"]), f"left behind: {names(folder)}")
    return said


def read_only(place):
    data = rows(place.path("data.jsonl"), 30, responses=2)
    place.done("score", data, "-o", "scored.jsonl", "--quiet")
    exporting.RECORDS = 100
    exporting.annotated(place, data)
    before = place.run("annotations", "export")[1]
    with small(place, "fixed", "64m") as folder:
        subprocess.run(["cp", "-a", place.home, folder / "home"], check=True)
        remount(folder, "ro")
        for name, arguments in exporting.work(place, data).items():
            place.refused(*arguments, folder / name, words=["Read-only", name])
        said = place.refused("score", data, "-o", folder / "out.jsonl", "--quiet", words=["Read-only", "out.jsonl"])
        place.refused("collect", data, "-o", folder / "all.jsonl", "--quiet", words=["Read-only", "all.jsonl"])
        settings = training.prepare(place, "sft")
        config = place.path("fixed.toml")
        config.write_text(f"output = \"{folder / 'out'}\"\n{settings}")
        place.refused("train", "sft", "--config", config, "--quiet", words=["Read-only", "out"])
        # A store that cannot be written: scores are computed, people are told, what is there can be read or the cure is said.
        place.home = folder / "home"
        place.done("score", data, "-o", "again.jsonl", "--quiet")
        expect(place.path("again.jsonl").read_bytes() == place.path("scored.jsonl").read_bytes(), "other bytes without a cache")
        code, told = place.run("annotations", "export")
        expect(code == 0 and told == before or code == 2 and "JUROR_HOME" in told, f"a store that can only be read: {code} {told[-300:]}")
        explorer = Explorer(place, data, "--no-judge")
        expect(explorer.until(lambda text: "Records" in text, time.monotonic() + 10), "it does not start")
        explorer.press(b"\x1b[15~5")
        expect(explorer.until(lambda text: "Nothing can be kept" in text or "Not kept" in text, time.monotonic() + 10), f"nobody is told:\n{explorer.text()}")
        shown = line(explorer.text(), "kept")
        leave(explorer)
    return shown


def vanished(place):
    """The working directory is removed before the program starts, or while it goes on."""
    data = rows(place.path("data.jsonl"), 30, responses=2)
    place.done("score", data, "-o", "whole.jsonl", "--quiet")

    def gone(number):
        folder = place.path(f"gone-{number}")
        folder.mkdir()
        return folder

    def inside(folder):
        return lambda: (os.chdir(folder), os.rmdir(folder))

    def run(number, *arguments):
        folder = gone(number)
        child = subprocess.Popen([place.juror, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, env=place.environment(), preexec_fn=inside(folder))
        said = child.communicate(timeout=120)[0].decode(errors="replace")
        return child.returncode, said

    code, said = run(1, "score", data, "-o", place.path("out.jsonl"), "--quiet")
    expect(code == 0, f"full names are not enough: {said}")
    expect(place.path("out.jsonl").read_bytes() == place.path("whole.jsonl").read_bytes(), "other bytes")
    for number, arguments in enumerate((
            ["score", data, "-o", "out.jsonl"], ["score", "data.jsonl", "-o", "out.jsonl"], ["export", data, "--as", "records", "-o", "out.csv"],
            ["collect", data, "-o", "all.jsonl"], ["report", place.path("out.jsonl"), "-o", "report.html"],
            ["model", "quantize", "starter", "--type", "q8_0", "-o", "x.gguf"])):
        code, said = run(10 + number, *arguments)
        clear(code, said, ["o such file"])
    explorer = Explorer(place, data, "--no-judge")
    leave(explorer, wait="Records")
    folder = gone(99)
    explorer = Explorer(place, data, "--annotator", "ada", "--scale", "rating=0-9", cwd=folder)
    hand = Annotator(explorer, random.Random(1), time.monotonic() + 60)
    expect(hand.begin() is not False, f"it does not annotate without a working directory:\n{explorer.text()}")
    os.rmdir(folder)
    for number in range(12):
        hand.one(number)
    # An export to a name without a folder cannot go anywhere, and says so.
    leave(explorer)
    check(place, hand.acknowledged, None, Ignored())
    return said


def annotator(place, data, who="ada", environment=None, seed=3):
    explorer = Explorer(place, data, "--no-judge", "--annotator", who, "--scale", "rating=0-9", environment=environment)
    hand = Annotator(explorer, random.Random(seed), time.monotonic() + 120)
    expect(hand.begin() is not False, f"the explorer does not annotate:\n{explorer.text()}")
    return explorer, hand


def leave(explorer, wait=None):
    """Quits in good order; the terminal is as it was before."""
    if wait:
        expect(explorer.until(lambda text: wait in text, time.monotonic() + 20), f"no {wait}:\n{explorer.text()}")
    for _ in range(3):
        explorer.press(b"\x03")
        explorer.until(lambda text: False, time.monotonic() + 0.2)
        if not explorer.lives():
            break
    code = explorer.ends()
    expect(code == 0, f"left with exit code {code}:\n{explorer.text()}")
    expect(explorer.given_back(), "the terminal is not given back")
    explorer.close()


def line(text, word):
    return next((one.strip() for one in text.splitlines() if word in one), "")


class Ignored:
    def add(self, *_):
        pass


ALL = {"disk full: score": full_score, "disk full: annotate": full_annotate, "disk full: train": full_train,
       "disk full: collect": full_collect, "disk full: ten kinds of files": full_exports,
       "read-only folder": read_only, "no working directory": vanished}
