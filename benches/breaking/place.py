"""A folder to break things in: made-up data, the program under test, and what it left."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time

WORDS = [f"{a}{b}" for a in ("ba", "ke", "lo", "mi", "nu", "ra", "se", "ti") for b in ("dor", "fen", "lim", "mas", "pel", "run", "sol", "tek")]


class Lost(Exception):
    """Something that was promised is not there."""


def sentence(draw, count):
    return " ".join(draw.choices(WORDS, k=count)).capitalize() + "."


def rows(path, count, seed=1, responses=1, words=24, prefix="q"):
    """Records whose instruction begins with their number, so that a screen tells which one it shows."""
    draw = random.Random(seed)
    with open(path, "w") as file:
        for n in range(count):
            answers = [
                {"id": f"a{k}", "generator": f"m{k}", "response": f"Answer {k} to {prefix}{n:06d}. {sentence(draw, words)}",
                 "rating": (n * 3 + k) % 10}
                for k in range(responses)
            ]
            row = {"id": f"{prefix}{n:06d}", "category": f"c{n % 5}", "instruction": f"{prefix}{n:06d} {sentence(draw, 9)}",
                   "reference": sentence(draw, 12), "responses": answers}
            file.write(json.dumps(row) + "\n")
    return str(path)


class Place:
    """A temporary folder with a store of its own, and the program."""

    def __init__(self, juror, root=None):
        self.juror = str(juror)
        self.share = os.environ.get("JUROR_SHARE") or str(pathlib.Path(__file__).resolve().parents[2])
        self.own = root is None
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="juror-breaking-"))
        self.root.mkdir(exist_ok=True)
        self.home = self.root / "home"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.own:
            shutil.rmtree(self.root, ignore_errors=True)

    def path(self, *names):
        return self.root.joinpath(*names)

    def environment(self, **more):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "JUROR_SHARE": self.share, "JUROR_HOME": str(self.home), "TERM": "xterm-256color", "COLORTERM": "truecolor", **more}

    def start(self, *arguments, out=subprocess.DEVNULL, err=subprocess.DEVNULL, cwd=None, environment=None, before=None):
        # Nice: whoever else works on this machine goes first.
        return subprocess.Popen(
            [self.juror, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd or self.root,
            env=self.environment(**(environment or {})), preexec_fn=before or (lambda: os.nice(2)))

    def run(self, *arguments, **more):
        """Exit code and all that was said."""
        child = self.start(*arguments, out=subprocess.PIPE, err=subprocess.STDOUT, **more)
        said, _ = child.communicate(timeout=600)
        return child.returncode, said.decode(errors="replace")

    def done(self, *arguments, **more):
        """Runs what has to succeed."""
        code, said = self.run(*arguments, **more)
        if code != 0:
            raise Lost(f"exit code {code} of `juror {' '.join(map(str, arguments))}`: {said.strip()[-600:]}")
        return said

    def refused(self, *arguments, words=(), **more):
        """Runs what has to fail with exit code 2 and a message that has these words."""
        code, said = self.run(*arguments, **more)
        clear(code, said, words)
        return said

    def timed(self, *arguments, **more):
        began = time.monotonic()
        self.done(*arguments, **more)
        return time.monotonic() - began

    def database(self):
        return sqlite3.connect(self.home / "juror.db", timeout=30)

    def sound(self):
        """That the store passes SQLite's own check."""
        if (self.home / "juror.db").exists():
            with self.database() as base:
                found = [row[0] for row in base.execute("PRAGMA integrity_check")]
            base.close()
            expect(found == ["ok"], f"integrity_check: {found[:3]}")


def expect(holds, otherwise):
    if not holds:
        raise Lost(otherwise)


def clear(code, said, words=()):
    expect("panicked" not in said, f"a panic: {said[-800:]}")
    expect(code == 2, f"exit code {code} where 2 is expected: {said[-600:]}")
    for word in words:
        expect(word in said, f"the message does not say {word!r}: {said[-600:]}")


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def names(folder):
    return sorted(entry.name for entry in os.scandir(folder))
