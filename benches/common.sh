# Sourced by the benchmarks: goes to the project's folder; `helper` is the release binary that is timed (HELPER names one
# that is there already), `scratch` a folder that is removed at the end.
# shellcheck shell=sh disable=SC2034  # the benchmarks use them
set -eu
cd "$(dirname "$0")/.."
if [ -z "${HELPER:-}" ]; then
    cargo build --release --locked --quiet
    HELPER=$PWD/target/release/mcp-tunnels-helper
fi
helper=$HELPER
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Ends the benchmark unless these programs are installed.
need() {
    for tool; do command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 1; }; done
}

# What was measured where, and with what.
machine() { # what else
    echo "binary: $(wc -c <"$helper") bytes; $(uname -m), $(nproc) cores; $*"
}
