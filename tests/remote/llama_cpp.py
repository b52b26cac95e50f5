"""`juror score`, `doctor` and `ifd` against llama-cpp-python's server, with the starter's weights as GGUF on both sides.

    pip install "llama-cpp-python[server]"
    cargo build --release && python tests/remote/llama_cpp.py

Starts the server on a free port of this machine, scores the same responses here and there, and compares: self-evaluation
within 1e-2, in both modes. So are the losses of a text behind its prompt (IFD, from echoed prompts). Of a text that stands alone this server does not tell
how likely the first token is, so that the mean is over the others: that difference is printed. The server tells 20 tokens of 4,096 here, so a label of
little probability may be missing: what such labels may hold is printed beside.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
JUROR = os.environ.get("JUROR", str(ROOT / "target/release/juror"))
RECORDS = 3


def juror(home, *arguments):
    environment = {**os.environ, "JUROR_HOME": str(home)}
    ended = subprocess.run([JUROR, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, (arguments, ended.stderr)
    return ended.stdout


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def serve(gguf):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "llama_cpp.server", "--model", str(gguf), "--model_alias", "starter", "--host", "127.0.0.1",
         "--port", str(port), "--n_ctx", "2048", "--n_threads", "2", "--logits_all", "True"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models").read()
            break
        except OSError:
            time.sleep(0.5)
    return server, f"http://127.0.0.1:{port}/v1#starter"


def main():
    home = pathlib.Path(tempfile.mkdtemp())
    gguf = home / "starter.gguf"
    juror(home, "model", "quantize", "starter", "--type", "f16", "-o", gguf)
    data = home / "data.jsonl"
    lines = (ROOT / "sample_data/academic.jsonl").read_text().splitlines()[:RECORDS]
    data.write_text("\n".join(lines))
    server, name = serve(gguf)
    try:
        print(juror(home, "doctor", "--judge", name))
        # The prompt as the starter's own folder asks it, without its turns: a text is the same on both sides.
        wrap = ["--wrap", "{prompt}\nRating: "]
        worst = {}
        for mode in ("reference", "free"):
            ours, theirs = home / f"{mode}.here.jsonl", home / f"{mode}.there.jsonl"
            flags = ["--mode", mode, "--no-cache", "--quiet", "--json", *wrap, "--signals", "self_eval,ppl"]
            flags += ["--template", home / f"{mode}.txt"]
            reference = "Reference: {reference}\n" if mode == "reference" else ""
            (home / f"{mode}.txt").write_text(
                "Rate the response from 0 to 9.\nInstruction: {instruction}\n" + reference + "Response: {response}")
            juror(home, "score", data, "-o", ours, "--judge", gguf, "--dtype", "f32", *flags)
            began = time.time()
            summary = json.loads(juror(home, "score", data, "-o", theirs, "--judge", name, *flags))
            seconds = time.time() - began
            print(json.dumps({"mode": mode, "rows": summary["rows"], "errors": summary["errors"],
                              "server": summary["server"], "seconds": round(seconds, 1)}))
            for here, there in zip(rows(ours), rows(theirs), strict=True):
                assert here["error"] is None and there["error"] is None, (here["error"], there["error"])
                assert here["prompt_tokens"] > 0 and there["prompt_tokens"] > 0
                far = abs(here["signals"]["self_eval"] - there["signals"]["self_eval"])
                mass = abs(here["self_eval"]["mass"] - there["self_eval"]["mass"])
                missing = there["self_eval"].get("missing", 0.0)
                p = max(abs(a - b) for a, b in zip(here["self_eval"]["probs"], there["self_eval"]["probs"]))
                assert mass <= 1e-2 + missing, (mass, missing)
                found = {"self_eval": far, "probability": p, "mass": mass, "missing": missing}
                for what, value in found.items():
                    worst[f"{mode} {what}"] = max(worst.get(f"{mode} {what}", 0.0), value)
        for what, value in worst.items():
            print(f"largest difference, {what}: {value:.2e}")
        assert all(worst[f"{mode} self_eval"] <= 1e-2 for mode in ("reference", "free")), worst
        ours, theirs = home / "ifd.here.jsonl", home / "ifd.there.jsonl"
        for judge, out in ((gguf, ours), (name, theirs)):
            dtype = ["--dtype", "f32"] if judge is gguf else []
            juror(home, "ifd", data, "-o", out, "--student", judge, "--wrap", "alpaca", "--quiet", *dtype)
        pairs = [(a, b) for a, b in zip(rows(ours), rows(theirs), strict=True) if a["ifd_ppl"]]
        for name in ("loss_Q_condition", "loss_A_condition", "loss_Q_direct", "loss_A_direct"):
            far = max(abs(a[name] - b[name]) for a, b in pairs)
            print(f"largest difference, {name} over {len(pairs)} rows: {far:.2e}")
            assert far <= 1e-2 or "direct" in name, (name, far)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
