#!/bin/sh
# `diagnose` on a gigabyte of log, with all rules, state and redaction, compared with `rg -F -f` and `grep -F -f` that merely
# print the lines with the same texts, and with `wc -l`; then on a hundred kilobytes. All outputs go through a pipe.
# All in one run on one machine, so only the proportions travel.
#
# usage: benches/diagnose.sh [BYTES] [RUNS]     needs hyperfine, python3, ripgrep, GNU time;
#                                               HELPER names a release binary that is there already
set -eu
bytes=${1:-1073741824}
runs=${2:-5}
# shellcheck source=benches/common.sh
. "$(dirname "$0")/common.sh"
need hyperfine python3 rg grep
python3 benches/make-log.py "$bytes" 7 >"$scratch/large.log"
python3 benches/make-log.py 100000 7 >"$scratch/small.log"
# The first text of every wording of the tables; not those of calls that passed, which would make the others print most
# of the log.
python3 - helper/logs/patterns/[c-s]*.rs >"$scratch/texts" <<'PY'
import re
import sys
row = r'(?:fatal|attempt|call|lost|event)\((?:Event::(\w+)|\w+)?,?\s*&\[((?:\s*"(?:[^"\\]|\\.)*",?)+)'
texts = set()
for name in sys.argv[1:]:
    if name.endswith("mod.rs"):
        continue
    table = open(name).read().split("#[cfg(test)]")[0]
    wordings = [wordings for mark, wordings in re.findall(row, table) if mark not in {"CallStarted", "CallDone"}]
    texts |= {text.split("…")[0] for of in wordings for text in re.findall(r'"((?:[^"\\]|\\.)*)"', of)}
unescape = {'\\"': '"', "\\r": "\r", "\\\\": "\\"}
character = lambda m: chr(int(m[1], 16)) if m[1] else unescape[m[0]]
print(*sorted(re.sub(r"\\u\{(\w+)\}|\\.", character, text) for text in texts), sep="\n")
PY
machine "$(rg --version | sed -n 1p); $(wc -l <"$scratch/texts") texts"
echo "log: $(wc -c <"$scratch/large.log") bytes, $(wc -l <"$scratch/large.log") lines, $(grep -c -F -f "$scratch/texts" "$scratch/large.log") of them with one of the texts"

echo; echo "== large =="
# A pipe at the end: grep stops at the first match when its output is /dev/null.
hyperfine --style basic --warmup 1 --runs "$runs" \
    --command-name 'helper diagnose' "$helper diagnose --json '{\"logs\":\"$scratch/large.log\"}' | cat" \
    --command-name 'helper diagnose, stdin' "cat $scratch/large.log | $helper diagnose --json '{\"logs\":\"-\"}' | cat" \
    --command-name 'rg -F -f' "rg --no-config -F -f $scratch/texts $scratch/large.log | cat" \
    --command-name 'rg -F -f, stdin' "cat $scratch/large.log | rg --no-config -F -f $scratch/texts | cat" \
    --command-name 'grep -F -f' "LC_ALL=C grep -F -f $scratch/texts $scratch/large.log | cat" \
    --command-name 'wc -l' "wc -l $scratch/large.log | cat"

echo; echo "== peak memory =="
if [ -x /usr/bin/time ]; then
    /usr/bin/time -f 'helper diagnose: %M kB' "$helper" diagnose --json "{\"logs\":\"$scratch/large.log\"}" 2>&1 >/dev/null | tail -n 1
    /usr/bin/time -f 'rg, stdin: %M kB' rg --no-config -F -f "$scratch/texts" - <"$scratch/large.log" 2>&1 >/dev/null | tail -n 1
else
    echo "GNU time is not installed"
fi

echo; echo "== small: 100 kB, from start to answer =="
hyperfine --shell=none --style basic --warmup 5 --runs 100 \
    --command-name 'helper diagnose' "$helper diagnose --json {\\\"logs\\\":\\\"$scratch/small.log\\\"}" \
    --command-name 'rg -F -f' "rg --no-config -c -F -f $scratch/texts $scratch/small.log" \
    --command-name 'true' "/bin/true"
