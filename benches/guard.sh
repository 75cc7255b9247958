#!/bin/sh
# What the hook in front of every tool call costs: on calls that pass at once, on one that names a secret, and on the longest
# commands of tests/plugin/pieces.txt; compared with `jq` that merely reads the command out of the same call, which is how
# other hooks begin, and with `true`. All in one run on one machine, so only the proportions travel.
#
# usage: benches/guard.sh [RUNS]     needs hyperfine and jq
set -eu
cd "$(dirname "$0")/.."
HELPER=bin/mcp-tunnels-guard
# shellcheck source=benches/common.sh
. benches/common.sh
runs=${1:-50}
need hyperfine jq
machine "$(jq --version)"

call() { # command, as JSON has it
    printf '{"tool_name":"Bash","cwd":"%s","tool_input":{"command":"%s"}}' "$scratch" "$1"
}

call 'cargo test' >"$scratch/ordinary"
call 'cat .env' >"$scratch/secret"
# A line is a JSON text, which can be repeated as it is.
awk '{ piece = substr($0, 2, length($0) - 2); all = ""; while (length(all) < 8500) all = all piece
       print "echo x; cat " all "; cat .env" }' tests/plugin/pieces.txt >"$scratch/long"
mkdir "$scratch/calls"
number=0
while IFS= read -r command; do
    number=$((number + 1))
    call "$command" >"$scratch/calls/$number"
done <"$scratch/long"

# hyperfine of some years ago gives no input.
cat >"$scratch/each.sh" <<'SH'
calls=$1
shift
for call in "$calls"*; do "$@" <"$call" >/dev/null; done
SH
compared() { # title, calls, runs
    echo; echo "== $1 =="
    hyperfine --shell=none --style basic --warmup 2 --runs "$3" \
        --command-name guard "sh $scratch/each.sh $2 sh $helper" \
        --command-name jq "sh $scratch/each.sh $2 jq -r .tool_input.command" \
        --command-name true "sh $scratch/each.sh $2 true"
}
compared 'an ordinary call' "$scratch/ordinary" "$runs"
compared 'a call that names a secret' "$scratch/secret" "$runs"
compared "$number longest calls, one after another" "$scratch/calls/" "$((runs / 5))"
