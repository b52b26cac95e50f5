"""Breaks Juror in every way that can be thought of, and looks whether anything is lost.

    cargo build --release
    python3 benches/breaking                                  # 500 kills, every fault, the same bytes ten times
    python3 benches/breaking kill --kills 50 --seed 7         # kills alone; --only annotating,scoring
    python3 benches/breaking faults --only disk,clock         # full disks (needs root for small file systems), signals, …
    python3 benches/breaking same                             # the same inputs, the same bytes
    python3 benches/breaking endurance --actions 200000       # keys for half an hour beside a batch; not part of `all`

Everything runs in temporary folders with a store of its own. Exit code 1 if anything was lost.
"""

import argparse
import pathlib
import random
import sys
import time

import annotating
import collecting
import endurance
import exporting
import faults
import same
import scoring
import training
from tally import HEAD, Tally

KILLED = {"annotating": annotating, "scoring": scoring, "training": training, "collecting": collecting, "exporting": exporting}


def kill(options, only):
    rows, lost = [], []
    chosen = {name: module for name, module in KILLED.items() if not only or name in only}
    for place, (name, module) in enumerate(chosen.items()):
        wanted = options.kills // len(chosen) + (place < options.kills % len(chosen))
        tally = Tally(name, wanted, random.Random(f"{options.seed} {name}"))
        began = time.monotonic()
        module.run(options.juror, tally)
        print(f"{name}: {tally.kills} kills in {time.monotonic() - began:.0f} s", file=sys.stderr)
        for one in tally.lost:
            print(f"  LOST {one}", file=sys.stderr)
        rows.append(tally.row())
        lost += tally.lost
    print("\n".join([HEAD, *rows]), flush=True)
    return bool(lost)


def main():
    parser = argparse.ArgumentParser(prog="breaking", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["all", "kill", "faults", "same", "endurance"], default="all")
    parser.add_argument("--juror", type=pathlib.Path, default=pathlib.Path("target/release/juror"))
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="scenarios, with commas between them")
    parser.add_argument("--times", type=int, default=10, help="how often the same is computed")
    parser.add_argument("--actions", type=int, default=200_000)
    parser.add_argument("--pace", type=float, default=150, help="actions a second")
    options = parser.parse_args()
    options.juror = options.juror.resolve()
    if not options.juror.is_file():
        parser.error(f"{options.juror} is not there: cargo build --release, or --juror PATH")
    only = {name for name in options.only.split(",") if name}
    failed = False
    if options.what in ("all", "kill"):
        failed |= kill(options, only)
    if options.what in ("all", "faults"):
        failed |= faults.run(options, only)
    if options.what in ("all", "same"):
        failed |= same.run(options, only)
    if options.what == "endurance":
        failed |= endurance.run(options, options.actions)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
