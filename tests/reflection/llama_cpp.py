"""`juror reflect` end to end against llama-cpp-python's server, the starter as GGUF for the teacher.

    pip install "llama-cpp-python[server]"
    cargo build --release && python tests/reflection/llama_cpp.py

Starts the server on a free port of this machine, reflects on a few samples, kills a second run in the middle, lets it go
on, and compares. The starter was never taught to reflect: what is checked is that every reply arrives, is counted with
its tokens and its cause, and is not asked for twice.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
JUROR = os.environ.get("JUROR", str(ROOT / "target/release/juror"))
SAMPLES = 6


def juror(home, *arguments):
    environment = {**os.environ, "JUROR_HOME": str(home)}
    return subprocess.Popen([JUROR, *map(str, arguments)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def ended(process):
    out, _ = process.communicate()
    assert process.returncode == 0, (process.returncode, out)
    return out


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    gguf = folder / "starter.gguf"
    ended(juror(folder, "model", "quantize", "starter", "--type", "f16", "-o", gguf))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "llama_cpp.server", "--model", str(gguf), "--model_alias", "starter", "--host", "127.0.0.1",
         "--port", str(port), "--n_ctx", "2048", "--n_threads", "1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models").read()
                break
            except OSError:
                time.sleep(0.5)
        data = folder / "data.json"
        data.write_text(json.dumps([
            {"instruction": f"Name {n} things of the sea.", "input": "", "output": "Tide, salt, wave."} for n in range(SAMPLES)
        ]))
        flags = ["--teacher", f"http://127.0.0.1:{port}/v1#starter", "--student", "starter", "--wrap", "alpaca",
                 "--max-tokens", "48", "--concurrency", "3", "--json", "--quiet"]

        def reflect(out):
            return juror(folder, "reflect", data, "-o", out, *flags)

        whole = json.loads(ended(reflect(folder / "whole.jsonl")))
        print(json.dumps(whole, indent=1))
        # Each sample is asked about twice, and once more for what cannot be read.
        assert whole["rows"] == SAMPLES and whole["teacher"]["calls"] >= 2 * SAMPLES
        assert whole["teacher"]["written_tokens"] <= 48 * whole["teacher"]["calls"]
        assert not whole["teacher"]["estimated"], "the server counts tokens"
        journal = folder / "part.jsonl.journal.jsonl"
        first = reflect(folder / "part.jsonl")
        while not journal.exists() or journal.read_text().count('"reply"') < 3:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
        kept = journal.read_text().count('"kind":"reply"')
        rest = json.loads(ended(reflect(folder / "part.jsonl")))
        assert rest["teacher"]["reused"] >= kept > 0
        assert rest["teacher"]["calls"] + rest["teacher"]["reused"] == whole["teacher"]["calls"]
        print(f"killed after {kept} replies; {rest['teacher']['calls']} were left to ask")
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
