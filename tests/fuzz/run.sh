#!/usr/bin/env bash
# Random input for everything of the helper that reads what others wrote; helper/properties/targets.rs says what must hold.
#
#     bash tests/fuzz/run.sh [--seconds N | --runs N | --sample] [--seed N] [TARGET…]
#
# Twenty seconds for each target if nothing is said. `--sample` makes so many runs of each as take about five on two cores,
# from the seeds alone: with the same seed the same ones on every machine. Needs a C++ compiler for libFuzzer. What led to new code is kept in
# tests/fuzz/corpus/ and begun with next time. What breaks a promise is made small and printed: put it into
# tests/fuzz/seeds/TARGET/, where `cargo test` tries it from then on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

limit=-max_total_time=20 sample='' seed=$((RANDOM * 32768 + RANDOM + 1)) targets=()
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) limit=-max_total_time=$2 && shift ;;
    --runs) limit=-runs=$2 && shift ;;
    --sample) sample=1 ;;
    --seed) seed=$2 && shift ;;
    -*)
        sed -n '4p' run.sh | cut -c7- >&2
        exit 2
        ;;
    *) targets+=("$1") ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(seeds/*)

# Here, because here is the configuration that has the compiler count what is reached.
cargo build --release --locked --quiet
fuzz=$(echo target/*/release/fuzz)
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT

sample_of() { # target
    case $1 in
    domain | route) echo 75000 ;;
    request) echo 25000 ;;
    env) echo 15000 ;;
    upstream | token | gateway | redact) echo 10000 ;;
    pem | compose) echo 5000 ;;
    *) echo 2000 ;;
    esac
}
# What libFuzzer counts depends on where the program is in memory.
fixed=(setarch "$(uname -m)" --addr-no-randomize)
"${fixed[@]}" true 2>/dev/null || fixed=()

status=0
for target in "${targets[@]##*/}"; do
    [ -d "seeds/$target" ] || { echo "no target is called $target" >&2; exit 2; }
    kept=corpus/$target
    if [ -n "$sample" ]; then
        limit=-runs=$(sample_of "$target") kept=$found/kept/$target
    fi
    mkdir -p "$kept"
    folders=("$kept" "seeds/$target")
    [ "$target" != log ] || folders+=(../logs ../cases)
    export FUZZ_TARGET=$target
    # In MiB and seconds: an input may cost neither much memory nor much time.
    options=(-rss_limit_mb=512 -timeout=20 -max_len=16384)
    if "${fixed[@]}" "$fuzz" "${options[@]}" "$limit" -seed="$seed" -print_final_stats=1 -artifact_prefix="$found/" "${folders[@]}" >"$found/said" 2>&1; then
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/said") executions, seed $seed"
        continue
    fi
    status=1
    echo "$target: FAILED, seed $seed"
    grep -A 4 'panicked at\|ERROR: libFuzzer' "$found/said" | head -n 12 || true
    for input in "$found"/*-*; do
        [ -f "$input" ] || continue
        "$fuzz" "${options[@]}" -minimize_crash=1 -max_total_time=10 -exact_artifact_path="$found/small" "$input" >/dev/null 2>&1 || true
        [ ! -f "$found/small" ] || mv "$found/small" "$input"
        echo "input, base64: $(base64 -w 0 "$input" | head -c 4000)"
        rm -f "$input"
    done
done
exit $status
