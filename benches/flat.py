"""Memory of `juror score` over a million rows and over ten million.

    pip install torch transformers gguf && cargo build --release && python benches/flat.py [--rows 1000000 10000000]

The judge is one layer of random weights: the rows are what counts. Data and scores take about 2.4 kB of disk a row, for as long
as a run takes.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

import engines

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROW = b'{"instruction":"Name river %d of the list.","response":"It is number %d, as I was told.","rating":%d}\n'


def memory(child):
    """Resident MiB now and at most; nothing once it has ended."""
    try:
        status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
        return [int(status.split(name)[1].split()[0]) / 1024 for name in ("VmRSS:", "VmHWM:")]
    except (OSError, IndexError):
        return None


def scored(folder, judge, count, every):
    data, out, template = folder / "rows.jsonl", folder / "scores.jsonl", folder / "template.txt"
    template.write_text("Q {instruction}\nA {response}\nScore: ")
    with data.open("wb") as file:
        for number in range(count):
            file.write(ROW % (number, number * 7919 % 100_003, number % 10))
    command = [ROOT / "target/release/juror", "score", data, "-o", out, "--judge", judge, "--template", template,
               "--signals", "self_eval", "--no-cache", "--quiet"]
    environment = dict(os.environ, JUROR_HOME=str(folder / "home"), JUROR_SHARE=str(ROOT))
    started, seen = time.time(), []
    child = subprocess.Popen(command, env=environment)
    while child.poll() is None:
        now = memory(child)
        if now:
            seen.append((time.time() - started, *now))
        time.sleep(1)
    took = time.time() - started
    with out.open("rb") as file:
        lines = sum(1 for _ in file)
    print(f"{count} rows: exit code {child.returncode}, {lines} scored in {took:.0f} s, {out.stat().st_size >> 20} MiB of scores")
    for at, resident, most in seen[::every] + seen[-1:]:
        print(f"  {at:6.0f} s: {resident:.0f} MiB, {most:.0f} at most")
    data.unlink()
    out.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--every", type=int, default=60, help="seconds between the lines that are shown")
    arguments = parser.parse_args()
    judge = engines.make(ROOT / "target/engines", "tiny")
    for count in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="juror-flat-") as folder:
            scored(pathlib.Path(folder), judge, count, arguments.every)


if __name__ == "__main__":
    main()
