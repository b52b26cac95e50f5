"""Hostile input: what nobody should have written, read by the real program.

    cargo build --release && python benches/hostile.py [--big] [--only NAME]

Each case is a file (or a pipe) and the commands that read it. A case holds if the program ends by itself in the time
allowed, with the exit code that is expected, within the memory allowed, says what is wrong where it is wrong (file and line),
and lets no control character of the data through to the terminal. `--big` adds the files of four gigabytes.
"""

import argparse
import gzip
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
MIB = 1 << 20
ROW = {"id": "a", "instruction": "Name a river.", "response": "The Rhine.", "rating": 7}
# Colours, a title, the clipboard, a link; marks that turn text around or hide it.
ESCAPES = "\x1b[31mred\x1b]0;title\x07\x1b]52;c;aGk=\x07\x9b2J\x1b]8;;http://x\x1b\\ \u202eevil\u2066\u200b\u0007\u0085"


def line(**fields):
    return (json.dumps({**ROW, **fields}) + "\n").encode()


class Case:
    def __init__(self, name, make, commands, codes=(0, 2), says="", seconds=60, memory=700):
        self.name, self.make, self.commands = name, make, commands
        self.codes, self.says, self.seconds, self.memory = codes, says, seconds, memory


def run(juror, arguments, folder, feed, seconds):
    """Exit code, seconds, most memory in MiB, and what was said."""
    environment = {**os.environ, "JUROR_HOME": str(folder / "home"), "NO_COLOR": "1"}
    began = time.time()
    process = subprocess.Popen([juror, *arguments], cwd=ROOT, env=environment, stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if feed:
        def pump():
            try:
                for part in feed():
                    process.stdin.write(part)
                process.stdin.close()
            except (BrokenPipeError, OSError):
                pass
        threading.Thread(target=pump, daemon=True).start()
    most = 0
    said = []
    reader = threading.Thread(target=lambda: said.append(process.stdout.read()))
    reader.start()
    while process.poll() is None and time.time() - began < seconds:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            most = max([most] + [int(l.split()[1]) for l in status.splitlines() if l.startswith("VmHWM")])
        except (OSError, ValueError):
            pass
        time.sleep(0.02)
    late = process.poll() is None
    if late:
        process.kill()
    process.wait()
    reader.join()
    return (None if late else process.returncode), time.time() - began, most / 1024, said[0]


def written(content):
    def make(path):
        path.write_bytes(content)
    return make


def streamed(parts):
    def make(path):
        with open(path, "wb") as out:
            for part in parts():
                out.write(part)
    return make


def gzipped(parts):
    def make(path):
        with gzip.open(path, "wb", compresslevel=1) as out:
            for part in parts():
                out.write(part)
    return make


def zstandard(parts):
    def make(path):
        with open(path, "wb") as out:
            packer = subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=out)
            for part in parts():
                packer.stdin.write(part)
            packer.stdin.close()
            packer.wait()
    return make


def one_line(size):
    def parts():
        yield b'{"id":"a","instruction":"q","response":"'
        for _ in range(size // MIB):
            yield b"a" * MIB
        yield b'"}\n'
        yield line(id="after")
    return parts


def many_lines(size):
    block = line() * (MIB // len(line()))

    def parts():
        for _ in range(size // len(block)):
            yield block
    return parts


def parquet(change):
    """A small Parquet file of ours, with its footer changed."""
    def make(path):
        source, path_to = path.with_suffix(".jsonl"), path
        path = path.with_suffix(".parquet")
        source.write_bytes(b"".join(line(id=str(n)) for n in range(50)))
        subprocess.run([JUROR, "export", str(source), "--as", "records", "-o", str(path)], check=True, cwd=ROOT, capture_output=True,
                       env={**os.environ, "JUROR_HOME": str(path.parent / "home")})
        source.unlink()
        path_to.write_bytes(change(bytearray(path.read_bytes())))
        path.unlink()
    return make


def longer_footer(data):
    data[-8:-4] = struct.pack("<I", 0x7FFFFFF0)
    return data


def more_rows(data):
    length = struct.unpack("<I", data[-8:-4])[0]
    footer = len(data) - 8 - length
    at = data.find(bytes([50 * 2]), footer)  # a zigzag 50: the number of rows
    data[at:at + 1] = b"\xfe\xff\xff\xff\x07"
    data[-8:-4] = struct.pack("<I", length + 4)
    return data


def torn_pages(data):
    for at in range(4, len(data) // 2):
        data[at] ^= 0x5A
    return data


SCORE = ["score", "{file}", "-o", "{out}", "--signals", "cosine,self_eval", "--quiet", "--json"]
EXPORT = ["export", "{file}", "--as", "records", "-o", "{out}"]
COLLECT = ["collect", "{file}", "-o", "{out}", "--quiet", "--min-chars", "1", "--any-quality", "--any-language"]
DEEP = b"[" * 10_000 + b"]" * 10_000


def cases(big):
    deep_row = b'{"instruction":"q","response":"r","meta":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}\n"
    found = [
        Case("10,000 levels in a row", written(deep_row + line()), [SCORE, EXPORT, COLLECT], says=":1:"),
        Case("10,000 levels in an array", written(DEEP), [SCORE, EXPORT], codes=(2,), says="nested"),
        Case("invalid UTF-8", written(b'{"instruction":"q","response":"\xff\xfe"}\n' + line()), [SCORE, EXPORT, COLLECT], says="UTF-8"),
        Case("NUL in a text", written(line(response="a\0b", instruction="q\0")), [SCORE, EXPORT, COLLECT], codes=(0,)),
        Case("NUL bytes for a file", written(b"\0" * 4 * MIB), [SCORE, EXPORT], codes=(2,), says="binary"),
        Case("NUL bytes behind a row", written(line() + b"\0" * MIB), [SCORE, EXPORT, COLLECT], says=":2:"),
        Case("no line end in 300 MB", streamed(one_line(300 * MIB)), [EXPORT, SCORE], codes=(0, 2), says="MiB", memory=1100),
        Case("a text of 100 MB", streamed(one_line(100 * MIB)), [SCORE, EXPORT], seconds=240, memory=2600),
        Case("gzip bomb: a line of 8 GB", gzipped(one_line(8 << 30)), [EXPORT, COLLECT], says="MiB", seconds=120, memory=1100),
        Case("zstd bomb: a line of 8 GB", zstandard(one_line(8 << 30)), [EXPORT, COLLECT], says="MiB", seconds=120, memory=1100),
        Case("gzip in gzip", lambda path: path.write_bytes(gzip.compress(gzip.compress(line()))), [SCORE], codes=(2,), says="compressed twice"),
        Case("gzip cut short", lambda path: path.write_bytes(gzip.compress(line() * 500)[:200]), [EXPORT], says="truncated"),
        Case("ragged CSV", written(b"instruction,response,rating\nq,r,1\nq\nq,r,1,2,3\nq,\"r\n\",4\n"), [EXPORT, COLLECT], codes=(0,), says=":3:"),
        Case("a quote that is never closed", written(b"instruction,response\nq,\"" + b"x,\n" * 2_000_000), [EXPORT], says=":2"),
        Case("CSV of 200,000 columns", written(b"instruction,response" + b",x" * 200_000 + b"\nq,r\n"), [EXPORT], seconds=60),
        Case("Parquet: footer longer than the file", parquet(longer_footer), [EXPORT, SCORE], codes=(2,), says="footer"),
        Case("Parquet: more rows than there are", parquet(more_rows), [EXPORT], codes=(0, 2)),
        Case("Parquet: damaged pages", parquet(torn_pages), [EXPORT, SCORE], codes=(2,), says="damaged"),
        Case("numbers beyond all bounds", written(line(rating=1) + b'{"instruction":"q","response":"r","rating":1e999}\n'
                                                  b'{"instruction":"q","response":"r","rating":' + b"9" * 100_000 + b"}\n"), [EXPORT, COLLECT]),
        Case("a key of 10 MB", written(b'{"instruction":"q","response":"r","' + b"k" * 10 * MIB + b'":1}\n'), [EXPORT, SCORE], seconds=90, memory=900),
        Case("200,000 keys in a row", written(json.dumps({**ROW, **{f"k{n}": n for n in range(200_000)}}).encode()), [EXPORT, SCORE], seconds=90),
        Case("200,000 responses in a record", written(json.dumps({"instruction": "q", "responses": ["r"] * 200_000}).encode()), [EXPORT], seconds=60),
        Case("escapes and bidi in every field", written(line(**{name: ESCAPES for name in ("id", "instruction", "response", "reference",
             "generator", "category", "topic", "input")}) * 2), [SCORE, EXPORT, COLLECT], codes=(0,)),
        Case("escapes in a bad row", written(b'{"' + ESCAPES.encode() + b'": \n' + line() + json.dumps({ESCAPES: 1}).encode()),
             [SCORE, EXPORT, COLLECT], says=":1:"),
        Case("Arrow cut short", written(b"ARROW1\0\0" + b"\xff" * 100), [EXPORT], codes=(2,), says="Arrow"),
        Case("Arrow message of 2 GB", written(b"\xff\xff\xff\xff\xf0\xff\xff\x7f" + b"\0" * 100), [EXPORT], codes=(2,), says="Arrow"),
    ]
    if big:
        found += [
            Case("4 GB on one line", streamed(one_line(4 << 30)), [EXPORT, SCORE, COLLECT], says="MiB", seconds=180, memory=1100),
            Case("4 GB of rows", streamed(many_lines(4 << 30)), [COLLECT], codes=(0,), seconds=900, memory=2000),
        ]
    return found


def check(case, juror, folder):
    """What went wrong, and the worst time and memory."""
    path = folder / "data"
    case.make(path)
    troubles, slowest, most = [], 0.0, 0.0
    for command in case.commands:
        out = folder / "out.jsonl"
        arguments = [part.format(file=path, out=out) for part in command]
        code, seconds, memory, said = run(juror, arguments, folder, None, case.seconds)
        slowest, most = max(slowest, seconds), max(most, memory)
        text = said.decode("utf-8", "replace")
        what = command[0]
        if code is None:
            troubles.append(f"{what}: not done after {case.seconds} s")
        elif code not in case.codes:
            troubles.append(f"{what}: exit code {code}: {text[:300]}")
        if "panicked" in text or "RUST_BACKTRACE" in text:
            troubles.append(f"{what}: panics: {text[:300]}")
        if case.says and case.says not in text:
            troubles.append(f"{what}: {case.says!r} is not said: {text[:300]}")
        control = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066"]
        if control:
            troubles.append(f"{what}: control characters get through: {control[:5]!r} in {text[:200]!r}")
        if len(said) > MIB:
            troubles.append(f"{what}: says {len(said)} bytes")
        if memory > case.memory:
            troubles.append(f"{what}: {memory:.0f} MiB")
        left = [p.name for p in folder.iterdir() if p.name not in ("data", "home") and not p.name.startswith("out.jsonl")]
        if left:
            troubles.append(f"{what}: leaves {left}")
        for p in folder.glob("out.jsonl*"):
            p.unlink()
    path.unlink()
    return troubles, slowest, most


def main():
    global JUROR
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--juror", default=str(ROOT / "target/release/juror"))
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    JUROR = options.juror
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bad = 0
    print("| input | commands | slowest | most memory | |\n|---|---|---|---|---|")
    for case in cases(options.big):
        if options.only not in case.name:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hostile-"))
        try:
            troubles, seconds, memory = check(case, JUROR, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        commands = ", ".join(command[0] for command in case.commands)
        print(f"| {case.name} | {commands} | {seconds:.1f} s | {memory:.0f} MiB | {'holds' if not troubles else 'FAILS'} |", flush=True)
        for trouble in troubles:
            print(f"    {trouble}", flush=True)
        bad += bool(troubles)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
