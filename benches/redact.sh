#!/bin/sh
# What a line costs that is made of one beginning of a secret again and again (tests/redaction/beginnings.txt): a diagnosis of
# a log with such a line of 5 kB and of 15 kB, which is all that is read of one, compared with one of plain words.
# All in one run on one machine, so only the proportions travel: three times the line is to be three times the work, not nine.
#
# usage: benches/redact.sh [RUNS]     needs python3
set -eu
runs=${1:-20}
# shellcheck source=benches/common.sh
. "$(dirname "$0")/common.sh"
need python3
machine "$(python3 --version)"
python3 - "$helper" "$scratch/one.log" "$runs" <<'PY'
import json
import os
import subprocess
import sys

helper, log, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
FRONT = "2026-11-26T09:00:00Z ERR Failed to dial a quic connection error=refused "


def cost(piece, size):
    """Least processor time in milliseconds."""
    with open(log, "w") as file:
        file.write(FRONT + piece.replace("\n", " ") * (size // len(piece)) + "\"' x\n")
    times = []
    for _ in range(runs):
        run = subprocess.Popen([helper, "diagnose", "--json", json.dumps({"logs": log})], stdout=subprocess.DEVNULL)
        usage = os.wait4(run.pid, 0)[2]
        times.append(1000 * (usage.ru_utime + usage.ru_stime))
    return min(times)


base = cost("a", 1)
print(f"{'beginning':<28} {'5 kB':>9} {'15 kB':>9}    above {base:.1f} ms of a short line")
for piece in ["a b c "] + [json.loads(line) for line in open("tests/redaction/beginnings.txt")]:
    short, long = (max(cost(piece, size) - base, 0) for size in (5000, 15000))
    print(f"{json.dumps(piece):<28} {short:6.1f} ms {long:6.1f} ms")
PY
