"""Measures the explorer in a terminal of its own: time to the first frame, memory, time from a key to its frame.

    cargo build --release
    python benches/explorer.py                      # a million made-up records, without a judge
    python benches/explorer.py --judge DATA…        # while everything is being scored

A key's frame is the first output after it. The explorer draws at most every 16 ms, so that is what a key may wait.
"""

import argparse
import fcntl
import json
import os
import pathlib
import pty
import random
import select
import shutil
import struct
import tempfile
import termios
import time


def made_up(path, count):
    draw = random.Random(3)
    words = [f"w{n}" for n in range(4000)]
    with open(path, "w") as file:
        for n in range(count):
            question = " ".join(draw.choices(words, k=20))
            row = {
                "id": f"r{n}", "instruction": f"Question {n}: {question}", "reference": question,
                "category": f"c{n % 7}", "response": " ".join(draw.choices(words, k=120)),
                "generator": f"m{n % 5}", "rating": n % 10,
            }
            file.write(json.dumps(row) + "\n")


class Explorer:
    def __init__(self, program, arguments, home):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(JUROR_HOME=str(home), TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(program, [program, *arguments])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.started = time.perf_counter()
        self.output = b""

    def take(self, patience):
        ready, _, _ = select.select([self.terminal], [], [], patience)
        if ready:
            try:
                self.output += os.read(self.terminal, 1 << 16)
            except OSError:
                return False
        return bool(ready)

    def wait(self, seconds):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.take(0.05)

    def until(self, text):
        while text not in self.output:
            self.take(1.0)
        return time.perf_counter() - self.started

    def key(self, sequence):
        """Milliseconds from a key to its frame."""
        while self.take(0):
            pass
        self.output, pressed = b"", time.perf_counter()
        os.write(self.terminal, sequence)
        while not self.output and time.perf_counter() - pressed < 2:
            self.take(0.5)
        return (time.perf_counter() - pressed) * 1000

    def keys(self, sequence, count):
        times = sorted(self.key(sequence) for _ in range(count))
        at = lambda share: times[min(int(share * count), count - 1)]
        return f"{at(0.5):.1f} ms (median), {at(0.99):.1f} ms (99 %)"

    def memory(self):
        with open(f"/proc/{self.pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["VmRSS"].split()[0]) / 1024

    def processor(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def until_idle(self):
        while True:
            before = self.processor()
            self.wait(1.0)
            if self.processor() - before < 0.05:
                return time.perf_counter() - self.started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", help="instead of made-up records")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--judge", action="store_true", help="score while keys are measured")
    parser.add_argument("--program", default="target/release/juror")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = options.data
        if not data:
            data = [str(folder / "rows.jsonl")]
            made_up(data[0], options.rows)
        arguments = [*data] if options.judge else [*data, "--no-judge"]
        explorer = Explorer(options.program, arguments, folder / "home")
        print(f"first frame: {1000 * explorer.until(b'Records'):.0f} ms")
        explorer.wait(0.5)
        if options.judge:
            os.write(explorer.terminal, b"\x1b[17~")
            explorer.wait(1.0)
            os.write(explorer.terminal, b"s\x1bOP")
            explorer.wait(3.0)
            print(f"a key while a job scores on all cores: {explorer.keys(b'j', 300)}")
        else:
            print(f"a key while records are read: {explorer.keys(b'j', 60)}")
            print(f"all read after {explorer.until_idle():.1f} s, memory {explorer.memory():.0f} MB")
            print(f"a key: {explorer.keys(b'j', 200)}")
            explorer.key(b"G")
            print(f"a key among the last records: {explorer.keys(b'k', 200)}")
            before = explorer.processor()
            explorer.wait(5)
            print(f"processor while nothing happens: {20 * (explorer.processor() - before):.1f} %")
            started = time.perf_counter()
            explorer.key(b"/")
            print(f"a key of the first filter: {explorer.key(b'w'):.1f} ms")
            explorer.key(b"1")
            explorer.until_idle()
            print(f"filtered after {time.perf_counter() - started:.1f} s, memory {explorer.memory():.0f} MB")
            print(f"a key of the filter, then: {explorer.keys(b'2', 5)}")
        os.kill(explorer.pid, 9)
        shutil.rmtree(folder / "home", ignore_errors=True)


if __name__ == "__main__":
    main()
