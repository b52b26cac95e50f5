"""Everything but kills: disks, signals, terminals, pipes, clocks, company."""

import sys
import time
import traceback

import disk
import signals
import together
from place import Lost, Place

GROUPS = {"disk": disk.ALL, "signals": signals.ALL, "together": together.ALL}


def run(options, only):
    table = ["| fault | holds | last words, or what was looked at |", "|---|---|---|"]
    failed = False
    for group, scenarios in GROUPS.items():
        for name, scenario in scenarios.items():
            if only and group not in only and not any(one in name for one in only):
                continue
            began = time.monotonic()
            with Place(options.juror) as place:
                try:
                    words, holds = scenario(place) or "", "yes"
                except Lost as lost:
                    words, holds = str(lost), "**no**"
                except Exception:
                    words, holds = traceback.format_exc().strip()[-500:], "**no**"
                # The folder is a new one each time.
                words = words.replace(str(place.root), "…").strip().split("\n")[-1 if holds == "yes" else 0:]
            failed |= holds != "yes"
            table.append(f"| {name} | {holds} | {' '.join(words)[:500 if holds == 'yes' else 3000]} |")
            print(f"{name}: {holds}, {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    print("\n".join(table), flush=True)
    return failed
