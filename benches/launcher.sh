#!/usr/bin/env bash
# What the launcher costs once it has the helper: the same command through it, in three shells, beside the program
# itself and beside `rustup`'s proxy, which is the launcher that Rust people wait for all day.
#
#     bash benches/launcher.sh [RUNS]
#
# Needs hyperfine and a release build (cargo build --release).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

runs=${1:-200}
program=target/release/mcp-tunnels-helper
[ -x "$program" ] || cargo build --release --locked
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An installed copy that has been run before.
plugin=$work/plugins/cache/market/mcp-tunnels/0.0.0
data=$work/plugins/data/mcp-tunnels-market
mkdir -p "$plugin" "$data"
cp -R .claude-plugin bin "$plugin"
cat >"$work/cargo" <<EOF
#!/bin/sh
[ "\$1" != -vV ] || { echo 'host: here'; exit; }
mkdir -p '$data/build/here/release' && cp '$PWD/$program' '$data/build/here/release/mcp-tunnels-helper'
EOF
chmod +x "$work/cargo"
PATH=$work:$PATH "$plugin/bin/mcp-tunnels-helper" --version

commands=(--command-name 'the program' "$program rules" --command-name launcher "$plugin/bin/mcp-tunnels-helper rules")
for shell in dash bash 'busybox sh'; do
    ! command -v "${shell%% *}" >/dev/null ||
        commands+=(--command-name "launcher, $shell" "$shell $plugin/bin/mcp-tunnels-helper rules")
done
! command -v rustup >/dev/null || commands+=(--command-name 'rustc through rustup' 'rustc --version')
hyperfine --shell=none --style none --warmup 10 --runs "$runs" --export-markdown "$work/table" "${commands[@]}" 2>"$work/said" ||
    cat "$work/said"
cat "$work/table"
